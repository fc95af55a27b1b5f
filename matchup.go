package rung

import "time"

// Matchup is two or more subjects on one suite, side by side: the one document that rung compare --json prints. The first subject is
// the one that the others are compared with.
type Matchup struct {
	Task     string       `json:"task"`
	Suite    SuiteInfo    `json:"suite"`
	Metric   string       `json:"metric"` // that the comparisons are about; the others explain
	MinGain  float64      `json:"min_gain"`
	Alpha    float64      `json:"alpha"`
	Level    float64      `json:"level"` // of every interval, each by itself
	Subjects []Evaluation `json:"subjects"`
	Pairs    []Pair       `json:"pairs"` // one for each subject after the first
	Methods  []string     `json:"methods"`
	Notes    []string     `json:"notes,omitempty"`
	Started  time.Time    `json:"started"`
	Version  string       `json:"version"`
}

// Pair is one subject (B) against the first one (A), example by example.
type Pair struct {
	A           string         `json:"a"`
	B           string         `json:"b"`
	N           int            `json:"n"` // examples that both were asked
	Deciding    Contrast       `json:"deciding"`
	Equivalence *Equivalence   `json:"equivalence,omitempty"` // where the task has a min_gain
	Others      []Contrast     `json:"others"`                // the other metrics: they explain, in a family of their own
	Segments    []SegmentShift `json:"segments,omitempty"`    // of the deciding metric, in a family of their own
	Modes       []ModeShift    `json:"modes,omitempty"`       // failure modes found by rule, in a family of their own
	BothRight   int            `json:"both_right"`
	Fixed       int            `json:"fixed"`  // wrong with A, right with B
	Broken      int            `json:"broken"` // right with A, wrong with B
	BothWrong   int            `json:"both_wrong"`
	Finding     string         `json:"finding"` // in a sentence
}

// Contrast is the paired difference B − A of one metric.
type Contrast struct {
	Metric      string   `json:"metric"`
	Difference  Interval `json:"difference"`
	P           float64  `json:"p"`
	PHolm       float64  `json:"p_holm"` // over Family comparisons
	Family      int      `json:"family"`
	Test        string   `json:"test"`
	Significant bool     `json:"significant"`
	Practical   bool     `json:"practical"` // the whole interval lies above min_gain
	// Raw is the difference of a calibrated judge's own scores, where Difference is what people would say (prediction-powered inference).
	Raw *Interval `json:"raw,omitempty"`
	// Undecided says why the difference decides nothing, whatever its p-value: a judge's own scores that nothing corrects. It is in no
	// family and never significant.
	Undecided string `json:"undecided,omitempty"`
}

// Equivalence says whether a difference is shown to be smaller than a margin either way (two one-sided tests).
type Equivalence struct {
	Margin   float64  `json:"margin"`
	Interval Interval `json:"interval"` // of the difference, at level 1−2α
	P        float64  `json:"p"`        // the larger of the two one-sided p-values, not less than the interval says
	Shown    bool     `json:"shown"`    // the interval lies within the margin
}

// SegmentShift is a contrast on the examples of one segment.
type SegmentShift struct {
	Segment string   `json:"segment"`
	N       int      `json:"n"`
	Shift   Contrast `json:"shift"`
}

// ModeShift is a failure mode found by rule with two subjects, on the examples that both were asked.
type ModeShift struct {
	Mode  string   `json:"mode"`
	A     Interval `json:"a"` // share of the examples with the first subject
	B     Interval `json:"b"`
	Shift Contrast `json:"shift"` // B − A
}

// Baseline is what a gate compares with: the scores of an evaluation, one line per example, small enough to be committed.
// Texts are not in it.
type Baseline struct {
	Format     int        `json:"rung_baseline"` // 1
	Evaluation Evaluation `json:"evaluation"`
	Candidate  *Candidate `json:"candidate,omitempty"` // where it is known: it can be evaluated again without the store
	Metrics    []string   `json:"metrics"`             // in the order of Values
	// Definitions say how each of Metrics was defined: scores by another definition do not compare. Absent in files of older versions.
	Definitions []Digest      `json:"definitions,omitempty"`
	Examples    []BaselineRow `json:"examples"`
}

// BaselineRow are the scores of one example.
type BaselineRow struct {
	ID      string      `json:"id"`
	Content Digest      `json:"content"` // of input and expected outputs: a changed example is another example
	Group   string      `json:"group,omitempty"`
	Success bool        `json:"success"`
	Values  []float64   `json:"values"`          // own scores, in the order of Baseline.Metrics
	Parts   [][]float64 `json:"parts,omitempty"` // counts of the metrics that are figures of sums, in the same order
}

// GateResult is the outcome of a gate: the one document that rung gate --json prints.
type GateResult struct {
	Verdict    Verdict     `json:"verdict"`
	Checks     []GateCheck `json:"checks"`
	Evaluation Evaluation  `json:"evaluation"`
	Baseline   *Evaluation `json:"baseline,omitempty"`
	Pair       *Pair       `json:"pair,omitempty"`
	Notes      []string    `json:"notes,omitempty"`
}

// GateCheck is one thing that a gate holds a subject to.
type GateCheck struct {
	Name    string   `json:"name"`
	Verdict Verdict  `json:"verdict"`
	Reason  string   `json:"reason"`
	Figure  Interval `json:"figure"`
	Broken  []string `json:"broken,omitempty"` // examples that were right and are wrong, at most twenty
}
