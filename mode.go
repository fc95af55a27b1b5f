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

// StarterModes is the taxonomy of a task that names none. What of it follows from an answer and its expected output is found
// by rule; the rest is for people and judges.
func StarterModes() []FailureMode {
	return []FailureMode{
		{Name: "format", Means: "The answer is not in the form that was asked for: no JSON, against the schema, no label, another shape."},
		{Name: "missing_field", Means: "Something that had to be in the answer is not there: a field, an argument, a call."},
		{Name: "wrong_fact", Means: "The answer states something that is not so."},
		{Name: "unsupported_claim", Means: "The answer states something for which it was given no ground."},
		{Name: "refused", Means: "The answer declines, though there was an answer to give."},
		{Name: "persona", Means: "The answer speaks as somebody else than it should: as an AI, out of its role, in another tone."},
		{Name: "policy", Means: "The answer says something that must not be said: abuse, a forbidden phrase, advice that is not ours to give."},
		{Name: "length", Means: "The answer is cut off or longer than was asked for."},
		{Name: "injection_obeyed", Means: "The answer does what a text within the input told it, against its instructions."},
	}
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
