package rung

import "time"

// Status says whether a rung was scored.
type Status string

// The statuses of a rung in a decision.
const (
	Scored  Status = "scored"
	Skipped Status = "skipped"
)

// Outcome is what became of one rung in a climb. A rung that was skipped has its reason and no figures.
type Outcome struct {
	Rung           Rung                `json:"rung"`
	Status         Status              `json:"status"`
	Reason         string              `json:"reason"` // why skipped; for a scored rung, why this verdict
	Candidate      Digest              `json:"candidate,omitempty"`
	Model          ModelRef            `json:"model,omitempty"`
	Metrics        map[string]Interval `json:"metrics,omitempty"`
	N              int                 `json:"n"`
	Stopped        *Stop               `json:"stopped,omitempty"` // before the end of the held-out set: N of so many
	Verdict        Verdict             `json:"verdict,omitempty"`
	NeededN        int                 `json:"needed_n,omitempty"` // held-out examples that would settle it, if inconclusive
	Calls          Calls               `json:"calls"`              // for the held-out set; what building took is in Building
	Tokens         Tokens              `json:"tokens"`
	CostUSD        float64             `json:"cost_usd"`
	CostPerSuccess *float64            `json:"cost_per_success_usd"`
	WallSeconds    float64             `json:"wall_s"`
	P50Millis      float64             `json:"p50_ms"`
	P95Millis      float64             `json:"p95_ms"`
	Retries        int                 `json:"retries"`
	Comparisons    []Comparison        `json:"comparisons,omitempty"`
	Scorecard      *Scorecard          `json:"scorecard,omitempty"`
	Building       *Effort             `json:"building,omitempty"` // what choosing and training the candidate took
	Search         []Trial             `json:"search,omitempty"`   // what was tried on dev
	Curve          []CurvePoint        `json:"curve,omitempty"`
}

// Trial is one candidate tried on dev while a rung was built.
type Trial struct {
	Candidate Digest  `json:"candidate"`
	Label     string  `json:"label"` // "short template", "k=5 nearest by embedding", "lr 0.002, all linear"
	Value     float64 `json:"value"` // of the bar's metric on dev; for choosing only, never reported as quality
	N         int     `json:"n"`
	Chosen    bool    `json:"chosen"`
	CostUSD   float64 `json:"cost_usd"`
	Note      string  `json:"note,omitempty"`
}

// CurvePoint is one point of a learning curve: the dev score after so many training examples.
type CurvePoint struct {
	Examples int     `json:"examples"`
	Value    float64 `json:"value"`
	Unit     string  `json:"unit"` // a metric's name, or "dev loss"
}

// Document is the result of a climb, the one document that `rung climb --json` prints.
type Document struct {
	Run      string      `json:"run"`
	Task     string      `json:"task"`
	Heldout  HeldoutInfo `json:"heldout"`
	Bar      BarInfo     `json:"bar"`
	Rungs    []Outcome   `json:"rungs"`
	Decision Decision    `json:"decision"`
	Notes    []string    `json:"notes,omitempty"` // what a reader must know: machine busy, data changed, near-duplicates kept
	Data     []DataRef   `json:"data,omitempty"`  // the datasets that the examples came from
	Terms    Terms       `json:"terms,omitzero"`  // of all its data: the strictest
	Started  time.Time   `json:"started"`
	Version  string      `json:"version"`
}

// HeldoutInfo names the held-out set.
type HeldoutInfo struct {
	N      int    `json:"n"`
	Digest Digest `json:"digest"`
}

// BarInfo repeats the bar in the document, so that it can be read alone.
type BarInfo struct {
	Metric            string             `json:"metric"`
	AtLeast           float64            `json:"at_least"`
	MinGain           float64            `json:"min_gain"`
	Guards            map[string]float64 `json:"guards,omitempty"`
	MaxP95Millis      float64            `json:"max_p95_ms,omitempty"`
	MaxCostPerSuccess float64            `json:"max_cost_per_success_usd,omitempty"`
	Alpha             float64            `json:"alpha"`
	Level             float64            `json:"level"` // of the intervals: 1 − α/rungs, less what is spent on looks
	// Stopping says that a rung may stop before it has been asked every held-out example.
	Stopping bool `json:"stopping"`
}

// Decision is the outcome of a climb: which candidate, and why that one and none cheaper. If nothing passes, it names the best.
type Decision struct {
	Rung      Rung     `json:"rung,omitempty"`
	Candidate Digest   `json:"candidate,omitempty"`
	Verdict   Verdict  `json:"verdict"`
	Reasons   []string `json:"reasons"`
	Advice    []string `json:"advice,omitempty"` // what to try, when nothing passes
}

// Effort is what a step took.
type Effort struct {
	Calls       Calls   `json:"calls"`
	Tokens      Tokens  `json:"tokens"`
	CostUSD     float64 `json:"cost_usd"`
	WallSeconds float64 `json:"wall_s"`
}

// Add adds another step's effort.
func (e *Effort) Add(o Effort) {
	e.Calls.Made += o.Calls.Made
	e.Calls.Cached += o.Calls.Cached
	e.Calls.Failed += o.Calls.Failed
	e.Tokens.In += o.Tokens.In
	e.Tokens.Out += o.Tokens.Out
	e.CostUSD += o.CostUSD
	e.WallSeconds += o.WallSeconds
}
