package rung

import "time"

// FailureMode is one way in which the answers of a task fail. The modes of a task are its taxonomy: those that a task starts
// with, and its own.
type FailureMode struct {
	Name  string `json:"name"`
	Means string `json:"means"` // one sentence that tells a person when an answer shows it
	// Mistakes are the kinds of mistakes that show it by rule; a "*" at the end stands for any ending.
	Mistakes []string `json:"mistakes,omitempty"`
	// Pattern is a regular expression (RE2); a wrong answer whose text matches shows the mode by rule.
	Pattern string `json:"pattern,omitempty"`
}

// ModeStatus says how it is known that an answer shows a failure mode.
type ModeStatus string

// The statuses, from the weakest evidence to the strongest.
const (
	ModeProposed  ModeStatus = "proposed"  // by clustering or by a judge, and seen by nobody
	ModeFound     ModeStatus = "by rule"   // follows from the answer and the expected output
	ModeConfirmed ModeStatus = "confirmed" // a person says so
	ModeRejected  ModeStatus = "rejected"  // a person says that it is not so
)

// ModeLabel says that one answer of a candidate shows a failure mode, or that it does not, and who says so when.
type ModeLabel struct {
	Candidate Digest     `json:"candidate"`
	Set       Digest     `json:"set"`     // of the examples that the candidate answered
	Example   string     `json:"example"` // its id
	Mode      string     `json:"mode"`
	Status    ModeStatus `json:"status"`
	By        string     `json:"by"` // a person's name, "clustering", or "judge MODEL"
	At        time.Time  `json:"at"`
	Note      string     `json:"note,omitempty"`
	// Wrong is the answer as it was, so that the label stays readable when the candidate is answered again.
	Wrong string `json:"wrong,omitempty"`
}

// ModeCount is how many answers of a scorecard show a failure mode, by how that is known.
type ModeCount struct {
	Mode     string     `json:"mode"`
	Status   ModeStatus `json:"status"`
	Count    int        `json:"count"`
	Share    Interval   `json:"share"` // of the examples of the scorecard
	Examples []string   `json:"examples,omitempty"`
}
