// Package model is the one door to every model. A call goes through Door, which answers from the store what was paid for
// before, keeps to the rate, concurrency and budget limits, retries what is worth retrying, and prices what was used.
package model

import (
	"context"
	"encoding/json"
	"time"

	"github.com/rung-dev/rung"
)

// Message is one turn of a chat.
type Message struct {
	Role    string `json:"role"` // system, user, assistant
	Content string `json:"content"`
}

// Request is everything that shapes an answer, and hints that do not. Its JSON, without the hints, is the cache key.
type Request struct {
	Model       rung.ModelRef   `json:"model"`
	Weights     rung.Digest     `json:"weights,omitempty"`  // of a local model's file: another file is another model
	BaseURL     string          `json:"base_url,omitempty"` // filled in by the door: the same name elsewhere is another model
	Messages    []Message       `json:"messages"`
	Schema      json.RawMessage `json:"schema,omitempty"`  // hold the answer to this JSON Schema
	Choices     []string        `json:"choices,omitempty"` // hold the answer to one of these strings
	Temperature float64         `json:"temperature"`
	MaxTokens   int             `json:"max_tokens"`
	Seed        int             `json:"seed"`
	Stop        []string        `json:"stop,omitempty"`
	Adapter     rung.Digest     `json:"adapter,omitempty"` // LoRA adapter to apply, known to the engine
	Sample      int             `json:"sample,omitempty"`  // which of several answers to the same request

	Affinity string        `json:"-"` // requests that share a prompt prefix share this; a scheduling hint
	Timeout  time.Duration `json:"-"`
}

// Response is a provider's answer to one attempt.
type Response struct {
	Text    string
	Finish  string // stop, length, content_filter
	Usage   rung.Usage
	Served  string        // model name that the server reported
	Latency time.Duration // from sending to the last byte
}

// Can says what a provider's model is able to do.
type Can struct {
	Schema      bool // constrained decoding by JSON Schema
	Choices     bool // constrained decoding to one of several strings
	Concurrency int  // calls in flight that make sense by default
	Context     int  // tokens; 0 when unknown
	Adapters    bool
}

// Provider answers requests for the models of one provider. Errors are *rung.Error; those worth another attempt wrap a
// *Transient. Implementations are held to modeltest.
type Provider interface {
	Complete(ctx context.Context, req Request) (Response, error)
	Can(model rung.ModelRef) Can
	// BaseURL tells two servers of the same provider apart in the cache.
	BaseURL() string
}

// Embedder turns texts into unit vectors of one length.
type Embedder interface {
	Embed(ctx context.Context, model rung.ModelRef, texts []string) ([][]float32, error)
}

// Transient marks an error that another attempt may cure.
type Transient struct {
	RetryAfter time.Duration // the server's wish; 0: none
	Err        error
}

func (t *Transient) Error() string { return t.Err.Error() }
func (t *Transient) Unwrap() error { return t.Err }
