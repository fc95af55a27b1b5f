package rung

import (
	"encoding/json"
	"time"
)

// Completion is one model answer with its usage, timing and cost. It is stored once under its Key and never paid for again.
type Completion struct {
	Key      Digest          `json:"key"` // of everything that could change the answer
	Model    ModelRef        `json:"model"`
	Request  json.RawMessage `json:"request"` // what was asked, in rung's own form
	Text     string          `json:"text"`
	Finish   string          `json:"finish"` // stop, length, content_filter
	Usage    Usage           `json:"usage"`
	CostUSD  float64         `json:"cost_usd"`
	Latency  time.Duration   `json:"latency_ns"` // of the attempt that succeeded, from sending to the last byte
	Attempts int             `json:"attempts"`   // 1 and the transport retries
	At       time.Time       `json:"at"`
	Served   string          `json:"served,omitempty"` // the model name that the server reported
}

// Usage counts tokens.
type Usage struct {
	In       int `json:"in"`
	Out      int `json:"out"`
	CachedIn int `json:"cached_in,omitempty"` // part of In that the provider read from its own prompt cache
}

// Problem says why an answer scored zero, or what had to be done to it. Empty means none.
type Problem string

// The problems of an answer.
const (
	NoProblem    Problem = ""
	CallFailed   Problem = "call_failed"     // no answer after the retries
	TimedOut     Problem = "timed_out"       // no answer in time
	Truncated    Problem = "truncated"       // the answer hit max_tokens and does not parse
	NotJSON      Problem = "not_json"        // no JSON in it, repair included
	BreaksSchema Problem = "breaks_schema"   // JSON that the schema refuses
	UnknownLabel Problem = "unknown_label"   // none of the labels
	EmptyAnswer  Problem = "empty_answer"    // nothing
	TooLong      Problem = "prompt_too_long" // the prompt does not fit the model's context
)

// Answer is what a candidate made of one input: the parsed value, or the reason there is none.
type Answer struct {
	Text     string          `json:"text"`            // the model's last text
	Value    json.RawMessage `json:"value,omitempty"` // the parsed answer, compact; nil when Problem is not empty
	Problem  Problem         `json:"problem,omitempty"`
	Detail   string          `json:"detail,omitempty"` // the validator's or provider's message
	Repaired bool            `json:"repaired,omitempty"`
	Finish   string          `json:"-"` // of the last completion: stop, length, content_filter
	// Unsupported: the server refused the request because it cannot hold answers to a schema.
	Unsupported bool          `json:"unsupported,omitempty"`
	Passages    []Passage     `json:"passages,omitempty"`
	Cited       []string      `json:"cited,omitempty"` // ids of the passages that the answer cites
	Calls       []Digest      `json:"calls,omitempty"` // the completions it came from, re-asks included
	Made        int           `json:"made"`            // calls paid for in this run
	Cached      int           `json:"cached"`          // calls answered from the store
	Failed      int           `json:"failed"`          // calls that ended without an answer
	Retries     int           `json:"retries"`         // transport retries and re-asks
	Usage       Usage         `json:"usage"`
	CostUSD     float64       `json:"cost_usd"`
	Latency     time.Duration `json:"latency_ns"` // over all its calls
	// Outside is what metrics from outside the process said about it: metric → value. Absent until it is scored.
	Outside map[string]OutsideValue `json:"outside,omitempty"`
}
