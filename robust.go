package rung

import "time"

// Robustness is how much a subject loses when the inputs of a suite are changed and the right answers are not.
type Robustness struct {
	Task     string      `json:"task"`
	Subject  SubjectInfo `json:"subject"`
	Suite    SuiteInfo   `json:"suite"`
	Metric   string      `json:"metric"`
	Original Interval    `json:"original"` // on the suite as it is
	Alpha    float64     `json:"alpha"`
	Changes  []Robust    `json:"changes"`
	Notes    []string    `json:"notes,omitempty"`
	Of       string      `json:"of"` // the evaluation of the suite as it is
	Started  time.Time   `json:"started"`
	Version  string      `json:"version"`
}

// Robust is one kind of change. The difference is changed − original, paired example by example; PHolm is over the kinds.
type Robust struct {
	Kind       string   `json:"kind"`
	Says       string   `json:"says"`
	Changed    int      `json:"changed"` // inputs that differ; the others are in n all the same
	Figure     Interval `json:"figure"`
	Contrast   Contrast `json:"contrast"`
	Broken     int      `json:"broken"` // right as it is, wrong when changed
	Fixed      int      `json:"fixed"`
	Evaluation string   `json:"evaluation"`
}
