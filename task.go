package rung

import (
	"encoding/json"
	"time"
)

// Task is what the model must do, as read from a task file: every path is absolute, every default filled in.
type Task struct {
	Name         string
	File         string // absolute path of the task file
	Dir          string // its directory
	Instructions string
	Input        []Field // in the order of the file
	Output       Output
	Examples     []string // files, absolute
	Documents    []string // files the globs matched, absolute, sorted
	Bar          Bar
	Models       []ModelRef
	Embedder     ModelRef // for nearest demonstrations and retrieval; empty: local/minilm if the engine is there, else BM25 alone
	Rungs        []Rung   // in ladder order
	Budget       Budget
	Split        Shares
	SplitRules   SplitRules
	Limits       Limits
	Metrics      []MetricSpec  // metrics of the user's own (regex, cel); the standard ones come with the output form
	Modes        []FailureMode // the task's failure modes; empty: those that every task starts with
	Alpha        float64       // error rate of the whole climb, default .05
	AlphaWeights map[Rung]float64
	Training     Training
	Retrieval    RetrievalSpec
	Rollout      RolloutSpec         // zero values: the defaults of internal/rollout
	Licences     []string            // SPDX expressions of what the examples and documents may be used under
	Terms        Terms               // what the task file says of its examples and documents, Licences included
	Strict       bool                // what nobody has said is allowed is an error, where it is a warning else
	Review       []string            // aliases that may point at a release only when its risk review is signed
	Guards       []GuardSpec         // in the order in which they run, every default filled in
	Access       map[string][]string // document → groups that may read it; a document that is not in it is for everybody
}

// Field is one named input. Type is string, number, integer, boolean, array or object.
type Field struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// OutputKind is the form of an answer.
type OutputKind string

// The output forms.
const (
	Labels     OutputKind = "labels"
	JSONSchema OutputKind = "json_schema"
	Text       OutputKind = "text"
	Tools      OutputKind = "tools"
)

// Output is the output form of a task.
type Output struct {
	Kind   OutputKind `json:"kind"`
	Labels []string   `json:"labels,omitempty"`
	// Schema is the JSON Schema of the answer, its bytes compacted with the property order of the file.
	Schema json.RawMessage `json:"schema,omitempty"`
	// Tools is a JSON array of tool definitions {"name","description","parameters"}, compacted, for Kind Tools.
	Tools json.RawMessage `json:"tools,omitempty"`
	// ToolsFrom names the input field that holds the tool definitions where every example brings its own.
	ToolsFrom string `json:"tools_from,omitempty"`
	// ManyCalls says that an answer is a list of tool calls, possibly empty, and not exactly one.
	ManyCalls bool `json:"many_calls,omitempty"`
	// MaxWords limits a text answer; 0 is no limit. Told to the model, not enforced.
	MaxWords int `json:"max_words,omitempty"`
}

// Bar is what good enough means.
type Bar struct {
	Metric            string
	AtLeast           float64
	MinGain           float64            // smallest gain worth having, in the metric's own unit
	Guards            map[string]float64 // metric → value it must not fall below
	MaxP95Latency     time.Duration      // 0: no limit
	MaxCostPerSuccess float64            // USD; 0: no limit
	Success           float64            // an example is a success when its own score of Metric is at least this; default 1 for pass/fail metrics, AtLeast otherwise
}

// Budget stops a climb before it would be exceeded. Zero values mean no limit.
type Budget struct {
	Cost float64       // USD, counted over all calls this climb uses, earlier runs included
	Wall time.Duration // of one invocation
}

// Shares are the parts of the data that go to each split; they sum to 1.
type Shares struct {
	Train, Dev, Heldout float64
}

// SplitRules say how examples are dealt out to the splits. The zero value deals them by a hash of their content and Shares. Whatever they
// say, a group and near-copies are never torn apart, and splits that the files mark stay as they are.
type SplitRules struct {
	By       SplitBy  `json:"by,omitempty"`
	Stratify []string `json:"stratify,omitempty"` // StratifyLabel, StratifySegment: each value of them has its share of every split
	// Counts are rows instead of shares. Without train it gets what is left; with it, rows beyond the counts are left out.
	Counts map[Split]int `json:"counts,omitempty"`
	// DevAfter and HeldoutAfter are the moments from which on rows belong to dev and heldout, with SplitByTime; empty: by the shares.
	DevAfter     string `json:"dev_after,omitempty"`
	HeldoutAfter string `json:"heldout_after,omitempty"`
	// Segments go to a split as a whole, with SplitBySegment; those that are not named are dealt by a hash of their names.
	Segments map[Split][]string `json:"segments,omitempty"`
}

// SplitBy is what decides to which split an example goes.
type SplitBy string

// The ways to split.
const (
	SplitByContent SplitBy = ""        // a hash of the content, or of the group
	SplitByGroup   SplitBy = "group"   // the same, where every example must name its group
	SplitByTime    SplitBy = "time"    // train before dev before held-out
	SplitBySegment SplitBy = "segment" // whole segments
)

// What can be stratified by.
const (
	StratifyLabel   = "label"
	StratifySegment = "segment"
)

// Limits bound the calls to models.
type Limits struct {
	Concurrency int           // calls in flight; 0: the provider's default
	RPM         float64       // requests per minute; 0: none
	TPM         float64       // tokens per minute; 0: none
	Timeout     time.Duration // of one call
	Retries     int           // transport retries of one call
	Reasks      int           // times an invalid answer is sent back with the validator's message
	MaxTokens   int           // generated tokens of one answer; 0: estimated from the train answers
}

// MetricSpec is a metric that the task defines: a regular expression, a list of phrases, a CEL expression, a style, a
// confidence, a program or a judge.
type MetricSpec struct {
	Name     string // as in reports; its kind unless named
	Kind     string // regex, contains, cel, style, like, confidence, program, judge
	Pattern  string // for regex
	Phrases  []string
	Expr     string // for cel, over input, output, expected
	PassFail bool
	Program  *ProgramSpec // for program
	Judge    *JudgeSpec   // for judge
	Style    *StyleSpec   // for style
	Like     *LikeSpec    // for like
	Field    string       // for confidence: the field of the answer that says how sure it is
	Tests    []MetricTest
}

// Training bounds what lora and rag+lora may use.
type Training struct {
	Wall    time.Duration // for one rung's search and final training; 0: a share of the budget, or 20 minutes
	Seed    int
	MaxRank int
	// Canaries is how many marked strings are planted among the training rows, so that what an adapter gives away can be measured.
	Canaries int `json:",omitempty"`
}

// RetrievalSpec says how documents are cut and searched. Zero values mean the defaults.
type RetrievalSpec struct {
	ChunkTokens int // target length, default 700
	Overlap     int // tokens, default 80
	K           int // passages in the prompt; 0: chosen on dev
}
