package rung

// GuardStage says what a guard looks at.
type GuardStage string

// The stages, in the order of a request.
const (
	GuardInput     GuardStage = "input"     // the caller's text
	GuardRetrieved GuardStage = "retrieved" // each passage
	GuardOutput    GuardStage = "output"    // the model's answer
)

// GuardAction says what is done about a finding.
type GuardAction string

// The actions. For passages, Block leaves the passage out.
const (
	Block    GuardAction = "block"    // the caller gets an error that names the guard
	Redact   GuardAction = "redact"   // the finding is replaced; PII is put back on the way out when Restore is set
	Annotate GuardAction = "annotate" // the trace and a response header say so
	Fallback GuardAction = "fallback" // the next release of the fallback chain answers
)

// GuardSpec is one guard as the task file has it.
type GuardSpec struct {
	Kind      string       `json:"guard"` // pii, injection, secrets, topic, length, toxicity, phrases, prompt_leak, data_leak, schema
	Stages    []GuardStage `json:"on,omitempty"`
	Action    GuardAction  `json:"action"`
	Open      bool         `json:"fail_open,omitempty"` // a guard that cannot run lets the request through
	Restore   bool         `json:"restore,omitempty"`   // pii: put the values back into the answer
	Phrases   []string     `json:"phrases,omitempty"`
	Topics    []string     `json:"topics,omitempty"`    // words or phrases of the topics that are allowed, or with ! in front forbidden
	Entities  []string     `json:"entities,omitempty"`  // pii: kinds to find; empty: all
	Threshold float64      `json:"threshold,omitempty"` // of a score between 0 and 1; 0: the guard's default
	MaxChars  int          `json:"max_chars,omitempty"` // length
}

// GuardVerdict is what one guard said about one text of a request.
type GuardVerdict struct {
	Kind    string      `json:"guard"`
	Stage   GuardStage  `json:"stage"`
	Action  GuardAction `json:"action,omitempty"` // what was done; empty: nothing was found
	Score   float64     `json:"score,omitempty"`
	Found   []string    `json:"found,omitempty"` // kinds of what was found (EMAIL, API_KEY), never the text itself
	Failed  string      `json:"failed,omitempty"`
	Open    bool        `json:"open,omitempty"` // it could not run and let the request through
	Elapsed int64       `json:"elapsed_ns"`
}
