package rung

import "time"

// Evaluation is what one subject scored on one suite: any candidate, release or outside endpoint, on any named list of examples.
// It is the one document that rung eval --json prints, and what the store keeps of it.
type Evaluation struct {
	ID        string         `json:"id"`
	Task      string         `json:"task"`
	Subject   SubjectInfo    `json:"subject"`
	Suite     SuiteInfo      `json:"suite"`
	Scores    Digest         `json:"scores"`  // the set under which the store keeps the scores of this evaluation
	Answers   int            `json:"answers"` // per example; more than one splits the variance
	Metric    string         `json:"metric"`  // that decides
	AtLeast   float64        `json:"at_least"`
	Alpha     float64        `json:"alpha"`
	Verdict   Verdict        `json:"verdict"` // against the task's bar
	Reason    string         `json:"reason"`
	NeededN   int            `json:"needed_n,omitempty"`
	Scorecard Scorecard      `json:"scorecard"`
	Stopped   *Stop          `json:"stopped,omitempty"` // before the end of the suite
	Segments  []SegmentScore `json:"segments,omitempty"`
	Variance  []Variance     `json:"variance,omitempty"` // per metric, where there are several answers per example
	Served    []string       `json:"served,omitempty"`   // the model names that the server reported, most frequent first
	Of        string         `json:"of,omitempty"`       // the evaluation that this one repeats
	Drift     *Drift         `json:"drift,omitempty"`    // against the evaluation that this one repeats
	Notes     []string       `json:"notes,omitempty"`
	Started   time.Time      `json:"started"`
	Version   string         `json:"version"`
}

// SubjectInfo names what was evaluated.
type SubjectInfo struct {
	Name    string   `json:"name"`   // as people call it: "rag (99a21e2a40f2)", "tickets@v3", "http://localhost:8080/v1#m"
	Digest  Digest   `json:"digest"` // of the candidate, or of an endpoint's address and candidate
	Ref     string   `json:"ref"`    // what it was asked for by
	Rung    Rung     `json:"rung,omitempty"`
	Model   ModelRef `json:"model,omitempty"`
	Release string   `json:"release,omitempty"` // task@version
	URL     string   `json:"url,omitempty"`     // of an outside endpoint
}

// SuiteInfo names a list of examples.
type SuiteInfo struct {
	Name   string `json:"name"` // heldout, dev, train, or the name of a file or of what generated it
	Split  Split  `json:"split,omitempty"`
	N      int    `json:"n"`
	Digest Digest `json:"digest"` // of the examples' content
}

// Why says what ended an evaluation before the end of its suite.
type Why string

// The reasons to stop early.
const (
	StopPass     Why = "pass"     // the bar is shown to be met
	StopFail     Why = "fail"     // the bar is shown not to be met
	StopFutility Why = "futility" // a pass is out of reach of the examples that are left
)

// Stop says that an evaluation ended before the end of its suite. Its figures are of the first N examples in the fixed random
// order of the suite, and their intervals hold at whatever example one stops.
type Stop struct {
	N      int    `json:"n"`
	Of     int    `json:"of"`
	Why    Why    `json:"why"`
	Reason string `json:"reason"`
}

// SegmentScore is the deciding metric on the examples of one segment.
type SegmentScore struct {
	Segment string              `json:"segment"`
	N       int                 `json:"n"`
	Metrics map[string]Interval `json:"metrics"`
}

// Variance splits the variance of a metric's scores between examples and repeated answers to one example (one-way random
// effects). SE is the clustered standard error of the figure; SamplingShare is the part of its square that more answers per
// example would take away.
type Variance struct {
	Metric        string  `json:"metric"`
	N             int     `json:"n"`       // examples
	Answers       int     `json:"answers"` // of each
	Between       float64 `json:"between"`
	Sampling      float64 `json:"sampling"`
	SE            float64 `json:"se"`
	SamplingShare float64 `json:"sampling_share"`
	Method        string  `json:"method"`
}

// Drift compares an evaluation with an earlier one of the same subject on the same examples. The candidate is the same to the byte,
// so what differs is the model underneath, or chance. Chance is measured: the same examples are answered twice now.
type Drift struct {
	With    string       `json:"with"` // the earlier evaluation
	At      time.Time    `json:"at"`   // when it was made
	N       int          `json:"n"`    // examples that both hold
	Quality []Comparison `json:"quality"`
	Changed *Interval    `json:"changed,omitempty"` // share of examples with another answer than then
	Noise   *Interval    `json:"noise,omitempty"`   // share with another answer when asked again now
	// PChanged is one-sided, of more changed than by chance, on the examples that were asked twice; PChangedHolm is adjusted together
	// with the deciding metric's p-value. Where the earlier evaluation stopped early it holds at any stop, as do both shares' intervals.
	PChanged     float64  `json:"p_changed"`
	PChangedHolm float64  `json:"p_changed_holm"`
	TestChanged  string   `json:"test_changed,omitempty"`
	Served       []string `json:"served_then,omitempty"`
	Found        bool     `json:"found"`
	Alpha        float64  `json:"alpha"`
	Reason       string   `json:"reason"`
}
