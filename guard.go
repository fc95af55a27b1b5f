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

// GuardKind says what a kind of guard can do. The task file and the guards themselves are held to it.
type GuardKind struct {
	Name    string
	Stages  []GuardStage // where it may stand
	Default []GuardStage // where it stands when the spec does not say
	Action  GuardAction  // when the spec does not say
	Redacts bool         // it knows where in the text its finding is
	Needs   string       // key without which it means nothing: phrases, topics or max_chars
	Scored  bool         // threshold applies
}

// GuardKinds are all kinds of guards, in the order of the documents.
var GuardKinds = []GuardKind{
	{Name: "pii", Stages: allStages, Default: []GuardStage{GuardInput, GuardOutput}, Action: Redact, Redacts: true},
	{Name: "secrets", Stages: allStages, Default: allStages, Action: Redact, Redacts: true},
	{Name: "injection", Stages: []GuardStage{GuardInput, GuardRetrieved}, Default: []GuardStage{GuardInput, GuardRetrieved}, Action: Block, Scored: true},
	{Name: "topic", Stages: []GuardStage{GuardInput, GuardOutput}, Default: []GuardStage{GuardInput}, Action: Block, Needs: "topics", Scored: true},
	{Name: "length", Stages: allStages, Default: []GuardStage{GuardInput}, Action: Block, Redacts: true, Needs: "max_chars"},
	{Name: "toxicity", Stages: allStages, Default: []GuardStage{GuardInput, GuardOutput}, Action: Block, Redacts: true, Scored: true},
	{Name: "phrases", Stages: allStages, Default: []GuardStage{GuardInput, GuardOutput}, Action: Block, Redacts: true, Needs: "phrases"},
	{Name: "prompt_leak", Stages: []GuardStage{GuardOutput}, Default: []GuardStage{GuardOutput}, Action: Block, Redacts: true, Scored: true},
	{Name: "data_leak", Stages: []GuardStage{GuardOutput}, Default: []GuardStage{GuardOutput}, Action: Block, Redacts: true, Scored: true},
	{Name: "schema", Stages: []GuardStage{GuardOutput}, Default: []GuardStage{GuardOutput}, Action: Block},
}

var allStages = []GuardStage{GuardInput, GuardRetrieved, GuardOutput}

// GuardEntities are the kinds of personal data that the guard pii finds.
var GuardEntities = []string{"EMAIL", "PHONE", "CREDIT_CARD", "IBAN", "US_SSN", "NATIONAL_ID", "IP", "URL", "DATE_OF_BIRTH", "PERSON", "LOCATION"}

// FindGuardKind is the kind of a name.
func FindGuardKind(name string) (GuardKind, bool) {
	for _, k := range GuardKinds {
		if k.Name == name {
			return k, true
		}
	}
	return GuardKind{}, false
}
