package rung

import "encoding/json"

// Split is one of the three parts of the data.
type Split string

// The splits.
const (
	Train     Split = "train"
	Dev       Split = "dev"
	HeldoutIs Split = "heldout"
)

// Example is one input with its expected output.
type Example struct {
	ID           string            `json:"id"`
	Input        json.RawMessage   `json:"input"`                  // a JSON object, compact, fields in the task's order
	Output       json.RawMessage   `json:"output"`                 // any JSON value, compact; labels and text are JSON strings
	Alternatives []json.RawMessage `json:"alternatives,omitempty"` // other outputs that are right as well
	Segment      string            `json:"segment,omitempty"`
	Group        string            `json:"group,omitempty"`      // examples of one group stay in one split and form one cluster
	Time         string            `json:"time,omitempty"`       // when it came about, for splits by time
	Split        Split             `json:"split,omitempty"`      // where the file says so; otherwise decided by content
	Counter      string            `json:"counter_of,omitempty"` // a counter-example: to which mistake
	Generated    *Generated        `json:"generated,omitempty"`  // no person wrote it
	Line         int               `json:"-"`                    // line in its file, 1-based
	File         string            `json:"-"`
}

// Expected is the output and its alternatives.
func (e *Example) Expected() []json.RawMessage {
	if len(e.Alternatives) == 0 {
		return []json.RawMessage{e.Output}
	}
	return append([]json.RawMessage{e.Output}, e.Alternatives...)
}

// Building is what code that builds candidates may see. There is no way from it to the held-out examples.
type Building struct {
	Train []Example
	Dev   []Example
}

// Heldout is the frozen held-out set. It is handed to the code that scores candidates and to nothing else.
type Heldout struct {
	digest   Digest
	examples []Example
}

// Freeze makes a held-out set and its digest: over the sorted content of its examples.
func Freeze(examples []Example, digest Digest) Heldout {
	return Heldout{digest: digest, examples: examples}
}

// Digest names the set by its content.
func (h Heldout) Digest() Digest { return h.digest }

// Len is the number of held-out examples: the n of every scorecard of a climb.
func (h Heldout) Len() int { return len(h.examples) }

// Examples are the held-out examples in their frozen order. The slice is not to be changed.
func (h Heldout) Examples() []Example { return h.examples }
