package rung

import "encoding/json"

// Candidate is one concrete recipe on a rung. It is immutable and holds everything that shapes its answers, so that what was
// evaluated can be served; its digest is its name.
type Candidate struct {
	Rung         Rung       `json:"rung"`
	Model        ModelRef   `json:"model"`
	Weights      Digest     `json:"weights,omitempty"` // of the model file, for local models
	Instructions string     `json:"instructions"`
	Input        []Field    `json:"input"`
	Output       Output     `json:"output"`
	Template     Template   `json:"template"`
	Demos        *Demos     `json:"demos,omitempty"`
	Retrieval    *Retrieval `json:"retrieval,omitempty"`
	Adapter      *Adapter   `json:"adapter,omitempty"`
	Decoding     Decoding   `json:"decoding"`
}

// Digest is the candidate's name.
func (c *Candidate) Digest() Digest { return DigestOf(c) }

// Template is versioned prompt text. System and User are Go templates over the fields documented in docs/task-file.md.
type Template struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
	System  string `json:"system"`
	User    string `json:"user"`
}

// DemoMode says how demonstrations are chosen.
type DemoMode string

// The ways to choose demonstrations.
const (
	FixedDemos   DemoMode = "fixed"             // the same, balanced over labels, for every input
	NearestBM25  DemoMode = "nearest_bm25"      // nearest train inputs by words
	NearestDense DemoMode = "nearest_embedding" // nearest train inputs by embedding
)

// Demos are the demonstrations of a candidate.
type Demos struct {
	Mode     DemoMode         `json:"mode"`
	K        int              `json:"k"`
	Fixed    []Demo           `json:"fixed,omitempty"`
	Pool     Digest           `json:"pool,omitempty"`     // the train examples that nearest demonstrations come from
	Embedder ModelRef         `json:"embedder,omitempty"` // for NearestDense
	Counter  []CounterExample `json:"counter,omitempty"`
}

// Demo is one demonstration.
type Demo struct {
	ID     string          `json:"id"`
	Input  json.RawMessage `json:"input"`
	Output json.RawMessage `json:"output"`
}

// CounterExample shows a mistake that recurs on dev: an input, the wrong answer, and why it is wrong.
type CounterExample struct {
	Demo
	Wrong string `json:"wrong"`
	Why   string `json:"why"`
}

// Retrieval is how a candidate finds its passages.
type Retrieval struct {
	Index    Digest   `json:"index"`
	K        int      `json:"k"`
	Embedder ModelRef `json:"embedder,omitempty"` // empty: BM25 alone
	Query    []string `json:"query"`              // the input fields that make the query
	Cite     bool     `json:"cite,omitempty"`     // ask for the number of the passage, and take it out of the answer
}

// Adapter is a trained LoRA adapter.
type Adapter struct {
	Digest Digest        `json:"digest"` // of the GGUF adapter file
	Base   Digest        `json:"base"`   // of the base model's weights
	Params AdapterParams `json:"params"`
	Data   Digest        `json:"data"` // of the training rows
	// Canaries are the marked strings that were planted among the training rows; empty: none.
	Canaries Digest         `json:"canaries,omitempty"`
	Metrics  map[string]any `json:"-"`
}

// AdapterParams are the settings an adapter was trained with.
type AdapterParams struct {
	Rank         int      `json:"rank"`
	Alpha        int      `json:"alpha"`
	Dropout      float64  `json:"dropout"`
	Targets      []string `json:"targets"`
	LearningRate float64  `json:"learning_rate"`
	Epochs       float64  `json:"epochs"`
	BatchSize    int      `json:"batch_size"`
	Seed         int      `json:"seed"`
}

// Decoding is how the answer is generated.
type Decoding struct {
	Temperature float64 `json:"temperature"`
	MaxTokens   int     `json:"max_tokens"`
	Seed        int     `json:"seed"`
	// Constrained asks the provider to hold the answer to the output schema.
	Constrained bool `json:"constrained"`
	Reasks      int  `json:"reasks"`
}

// Passage is a retrieved piece of a document.
type Passage struct {
	ID      string  `json:"id"`  // stable: document path and piece number, such as "handbook/leave.md#3"
	Doc     string  `json:"doc"` // path relative to the task
	Heading string  `json:"heading,omitempty"`
	Text    string  `json:"text"`
	Start   int     `json:"start"` // byte offsets in the extracted text of the document
	End     int     `json:"end"`
	Score   float64 `json:"score"`
	// Groups may read the passage; empty: everybody.
	Groups []string `json:"groups,omitempty"`
}
