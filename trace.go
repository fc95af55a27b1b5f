package rung

import (
	"encoding/json"
	"time"
)

// Trace is one request through the gateway.
type Trace struct {
	ID     string `json:"id"`               // 32 hex digits, a W3C trace id
	Parent string `json:"parent,omitempty"` // the caller's trace, from its traceparent
	// ParentSpan is the caller's span of that trace, 16 hex digits, where the caller samples it.
	ParentSpan string         `json:"parent_span,omitempty"`
	At         time.Time      `json:"at"`
	Gateway    string         `json:"gateway"` // which instance
	API        string         `json:"api"`     // chat, responses, messages, embeddings
	Task       string         `json:"task,omitempty"`
	Version    string         `json:"version,omitempty"`
	Model      string         `json:"model"` // as asked for
	Upstream   ModelRef       `json:"upstream,omitempty"`
	Rollout    string         `json:"rollout,omitempty"`
	Arm        string         `json:"arm,omitempty"` // baseline, target, shadow
	Fallback   int            `json:"fallback,omitempty"`
	Key        string         `json:"key,omitempty"` // id of the caller's key, never the key
	Segment    string         `json:"segment,omitempty"`
	Stream     bool           `json:"stream,omitempty"`
	Status     int            `json:"status"` // HTTP status of the answer
	Code       Code           `json:"code,omitempty"`
	Problem    Problem        `json:"problem,omitempty"`
	Error      string         `json:"error,omitempty"`
	Usage      Usage          `json:"usage"`
	CostUSD    float64        `json:"cost_usd"`
	Latency    time.Duration  `json:"latency_ns"`
	First      time.Duration  `json:"first_token_ns,omitempty"`
	Retries    int            `json:"retries,omitempty"`
	Repaired   bool           `json:"repaired,omitempty"`
	Cached     bool           `json:"cached,omitempty"`
	Guards     []GuardVerdict `json:"guards,omitempty"`
	Spans      []Span         `json:"spans,omitempty"`
	Passages   []string       `json:"passages,omitempty"` // ids
	Cited      []string       `json:"cited,omitempty"`
	// Input and Output are redacted before they reach the disk, and absent where the task says that no text is kept.
	Input  json.RawMessage `json:"input,omitempty"`  // the task's input object; for a pass-through, the last user text as a JSON string
	Output json.RawMessage `json:"output,omitempty"` // the answer's value, or its text as a JSON string
}

// Span is one step of a request: render, retrieve, guard, model, parse, repair.
type Span struct {
	Name  string        `json:"name"`
	Start time.Duration `json:"start_ns"` // after the trace's beginning
	Took  time.Duration `json:"took_ns"`
	Note  string        `json:"note,omitempty"`
}

// Feedback is what a user or a person said about an answer.
type Feedback struct {
	ID         string          `json:"id"`
	Trace      string          `json:"trace"`
	Thumb      int             `json:"thumb,omitempty"`      // 1 up, -1 down, 0 not said
	Score      *float64        `json:"score,omitempty"`      // between 0 and 1
	Correction json.RawMessage `json:"correction,omitempty"` // what the answer should have been, in the task's output form
	Comment    string          `json:"comment,omitempty"`
	By         string          `json:"by,omitempty"`
	At         time.Time       `json:"at"`
}

// Proposal is an example proposed by a correction, waiting for a person.
type Proposal struct {
	ID      string          `json:"id"` // of the feedback
	Task    string          `json:"task"`
	Input   json.RawMessage `json:"input"`
	Output  json.RawMessage `json:"output"`
	Trace   string          `json:"trace"`
	At      time.Time       `json:"at"`
	Segment string          `json:"segment,omitempty"`
}

// APIKey lets a caller in. The key itself is shown once and kept only as a hash.
type APIKey struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Hash      []byte    `json:"-"`      // SHA-256 of the key; keys are 256 random bits, so a fast hash is enough
	Scopes    []string  `json:"scopes"` // "serve", "feedback", "read", "admin"
	Tasks     []string  `json:"tasks,omitempty"`
	Groups    []string  `json:"groups,omitempty"` // access groups of retrieval
	RPM       float64   `json:"rpm,omitempty"`
	TPM       float64   `json:"tpm,omitempty"`
	BudgetUSD float64   `json:"budget_usd,omitempty"` // per calendar month, UTC; 0: no limit
	Created   time.Time `json:"created"`
	Expires   time.Time `json:"expires,omitzero"`
	Revoked   time.Time `json:"revoked,omitzero"`
}
