package rung

import (
	"encoding/json"
	"time"
)

// ProgramSpec is a metric that a program of the user's gives: one JSON line in for each answer, one JSON line out.
type ProgramSpec struct {
	Run       []string      // the program and its arguments; one with a slash is relative to the task file
	Files     []string      // what else it reads, absolute: their content is part of what a value is kept under
	Timeout   time.Duration // of one answer
	Memory    int64         // bytes of address space that each of its processes may have
	Processes int           // how many of it run at once
}

// JudgeSpec is a metric that a model gives: a score from 1 to 5 for each criterion, or which of two answers is better.
type JudgeSpec struct {
	Model     ModelRef
	Prompt    int // version of the judge prompt; 0: the newest
	Criteria  []Criterion
	Pairwise  bool // the answer against the example's output, in both orders
	Reference bool // the judge is shown the example's output as a right answer; never with Pairwise
	MayDecide bool // it may be the bar's metric without having been calibrated against people
	MaxTokens int  // of one verdict; 0: the default
}

// MetricTest is one case that a metric of the task's own must get right.
type MetricTest struct {
	Place    string // where it is written, for reports
	Input    json.RawMessage
	Output   json.RawMessage
	Expected []json.RawMessage
	Score    *float64 // the score that must come out, within Within
	Within   float64
	Low      *float64 // at least
	High     *float64 // at most
	Fails    bool     // there must be no score: the metric fails, and counts as 0
}

// OutsideValue is what a metric from outside the process (a judge, a program) said about one answer. It is kept with the answer, so
// that stored scores can be read again without asking again.
type OutsideValue struct {
	Value   float64            `json:"value"`              // between 0 and 1
	Parts   map[string]float64 `json:"parts,omitempty"`    // criterion → value between 0 and 1
	Note    string             `json:"note,omitempty"`     // in its own words
	Failed  string             `json:"failed,omitempty"`   // why there is no value: it counts as 0
	By      Digest             `json:"by,omitempty"`       // the judge or program, by all that shapes its values
	Calls   []Digest           `json:"calls,omitempty"`    // the judge's completions
	CostUSD float64            `json:"cost_usd,omitempty"` // of these calls; not part of what the answer cost
}

// JudgeInfo says how far the figures of a judge can be trusted. It stands beside them in every report.
type JudgeInfo struct {
	Metric     string      `json:"metric"`
	Model      ModelRef    `json:"model"`
	Prompt     string      `json:"prompt"` // name@version
	Digest     Digest      `json:"digest"` // of model, prompt, criteria and decoding
	Calibrated bool        `json:"calibrated"`
	MayDecide  bool        `json:"may_decide"`                      // calibrated, or allowed by the task file
	Says       string      `json:"says"`                            // in plain words, for people
	Agreement  []Agreement `json:"agreement_with_people,omitempty"` // of the calibration, what decides first
	Bias       *Interval   `json:"bias,omitempty"`                  // judge − people on the same answers
	People     int         `json:"people,omitempty"`                // raters of the calibration
	Rated      int         `json:"rated,omitempty"`                 // answers that people rated
	Corrected  *Interval   `json:"corrected,omitempty"`             // of this scorecard, the bias taken out
}

// Agreement is one measure of how far a judge agrees with people.
type Agreement struct {
	Measure string `json:"measure"` // such as "Cohen's κ with people's majority"
	Interval
}

// Fault says what a test lacks; empty when it is whole.
func (t *MetricTest) Fault() string {
	says := t.Score != nil || t.Low != nil || t.High != nil
	switch {
	case len(t.Output) == 0:
		return "has no output"
	case !says && !t.Fails:
		return "does not say what must come out"
	case says && t.Fails:
		return "says both that it fails and what comes out"
	}
	return ""
}
