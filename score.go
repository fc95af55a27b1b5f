package rung

// Score is one candidate's grade on one example.
type Score struct {
	Example string             `json:"example"` // its id
	Answer  Answer             `json:"answer"`
	Values  map[string]float64 `json:"values"` // metric → this example's own score, in the metric's unit
	Success bool               `json:"success"`
	Modes   []string           `json:"modes,omitempty"`   // failure modes that it shows by rule
	Mistake string             `json:"mistake,omitempty"` // kind of mistake, such as "breaks_schema" or "wrong value: artist"; empty on success
}

// Interval is a figure with its uncertainty. It is never shown without its n and method.
type Interval struct {
	Value  float64 `json:"value"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	N      int     `json:"n"`
	Level  float64 `json:"level"`  // such as .95
	Method string  `json:"method"` // such as "wilson", "clustered CLT (CR0)", "BCa cluster bootstrap, 10000 resamples"
}

// HoldsZero reports whether a difference with this interval may as well be none.
func (iv Interval) HoldsZero() bool { return iv.Low <= 0 && iv.High >= 0 }

// Scorecard is a candidate's scores over a split, in figures.
type Scorecard struct {
	Candidate      Digest              `json:"candidate"`
	Split          Split               `json:"split"`
	N              int                 `json:"n"`
	Metrics        map[string]Interval `json:"metrics"`
	Successes      int                 `json:"successes"`
	Calls          Calls               `json:"calls"`
	Tokens         Tokens              `json:"tokens"`
	CostUSD        float64             `json:"cost_usd"`
	CostPerSuccess *float64            `json:"cost_per_success_usd"` // null when nothing succeeded
	WallSeconds    float64             `json:"wall_s"`
	P50Millis      float64             `json:"p50_ms"`
	P95Millis      float64             `json:"p95_ms"`
	Retries        int                 `json:"retries"`
	Problems       map[Problem]int     `json:"problems,omitempty"`
	Classes        []ClassScore        `json:"classes,omitempty"` // for labels
	Confusion      *Confusion          `json:"confusion,omitempty"`
	Mistakes       []MistakeGroup      `json:"mistakes,omitempty"`     // most frequent first
	Calibrations   []Calibration       `json:"calibrations,omitempty"` // of metrics of stated confidence
	Modes          []ModeCount         `json:"modes,omitempty"`        // failure modes, in the order of the task's taxonomy
	ModesOf        int                 `json:"modes_of,omitempty"`     // answers that Modes count, where examples have several
	Judges         []JudgeInfo         `json:"judges,omitempty"`       // of the metrics that are judges' figures
}

// Calls counts model calls: made now, answered from the store, ended without an answer.
type Calls struct {
	Made   int `json:"made"`
	Cached int `json:"cached"`
	Failed int `json:"failed"`
}

// Tokens counts tokens read and written.
type Tokens struct {
	In  int `json:"in"`
	Out int `json:"out"`
}

// ClassScore is one label's precision, recall and F1, each between 0 and 1.
type ClassScore struct {
	Label     string  `json:"label"`
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
	Support   int     `json:"support"` // examples that have this label
}

// Confusion counts, per expected label (row), the answered labels (column). The last column counts answers that are no label.
type Confusion struct {
	Labels []string `json:"labels"`
	Counts [][]int  `json:"counts"` // len(Labels) rows of len(Labels)+1 columns
}

// Calibration is a reliability diagram: how often answers are right, by how sure they say they are. Empty bins are left out.
type Calibration struct {
	Metric string           `json:"metric"`
	Field  string           `json:"field"` // of the answer
	Bins   []CalibrationBin `json:"bins"`
}

// CalibrationBin are the answers that say a confidence from Low to High.
type CalibrationBin struct {
	Low        float64  `json:"low"`
	High       float64  `json:"high"`
	N          int      `json:"n"`
	Confidence float64  `json:"confidence"` // mean of what they say
	Right      Interval `json:"right"`      // share of them that is right
}

// MistakeGroup is one kind of mistake with some of its examples.
type MistakeGroup struct {
	Kind     string   `json:"kind"`
	Count    int      `json:"count"`
	Examples []string `json:"examples"` // ids, at most five
}

// Verdict is what a scorecard says against the bar.
type Verdict string

// The verdicts.
const (
	Pass         Verdict = "pass"
	Fail         Verdict = "fail"
	Inconclusive Verdict = "inconclusive"
)

// Comparison is a paired comparison of a candidate (B) with another (A) on the same held-out examples.
type Comparison struct {
	With        Rung     `json:"with"`
	Candidate   Digest   `json:"candidate"` // A
	Metric      string   `json:"metric"`
	Difference  Interval `json:"difference"` // B − A
	P           float64  `json:"p"`          // two-sided, of the test named in Test
	PHolm       float64  `json:"p_holm"`     // adjusted over the comparisons of the run
	Test        string   `json:"test"`       // "exact McNemar", "Wilcoxon signed-rank"
	Significant bool     `json:"significant"`
	Practical   bool     `json:"practical"` // the interval lies above min_gain
	// Raw and Undecided are as those of a Contrast.
	Raw       *Interval `json:"raw,omitempty"`
	Undecided string    `json:"undecided,omitempty"`
}
