// Package modeltest holds what tests of models need: a real HTTP server that speaks the OpenAI and the Anthropic API and can be
// told to misbehave in every way that a server can, and the conformance suite that providers are held to.
package modeltest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rung-dev/rung/internal/model"
)

// Call is a request as the server saw it.
type Call struct {
	N         int    // 1 for the server's first request
	API       string // "openai", "anthropic", "responses" or "embeddings"
	Model     string
	Messages  []model.Message
	Inputs    []string        // of embeddings
	Schema    json.RawMessage // the bytes as they came
	MaxTokens int
	Streamed  bool // the client asked for a stream
	Header    http.Header
	Body      []byte
}

// Last is the content of the last message.
func (c Call) Last() string {
	if len(c.Messages) == 0 {
		return ""
	}
	return c.Messages[len(c.Messages)-1].Content
}

// Reply is what the server is to do with one request.
type Reply struct {
	Text       string
	Finish     string // in OpenAI's words; empty: stop
	In, Out    int    // usage; 0: counted from the bytes
	CachedIn   int
	Delay      time.Duration
	Fault      Fault
	RetryAfter string // header value sent with faults that have a status

	Pieces []string      // of a streamed answer; empty: Text by words
	Gap    time.Duration // before each piece of a streamed answer
	Calls  []ToolCall    // answered in place of Text
}

// ToolCall is a call of a tool that the server answers with. Arguments are a JSON object.
type ToolCall struct{ Name, Arguments string }

// Script decides what the server does.
type Script func(Call) Reply

// Text is a script that always answers the same.
func Text(s string) Script { return func(Call) Reply { return Reply{Text: s} } }

// Echo answers with the last message.
func Echo(c Call) Reply { return Reply{Text: c.Last()} }

// Sequence does one thing after the other, and goes on with the last.
func Sequence(replies ...Reply) Script {
	return func(c Call) Reply { return replies[min(c.N, len(replies))-1] }
}

// Server is the handler. The zero value echoes.
type Server struct {
	Script Script
	// Key, when set, is the only key that is let in.
	Key string

	calls atomic.Int64
	quit  chan struct{}
}

// New makes a server that does what script says.
func New(script Script) *Server { return &Server{Script: script, quit: make(chan struct{})} }

// Calls is how many requests have come.
func (s *Server) Calls() int { return int(s.calls.Load()) }

// maxRequest bounds what is read of a request.
const maxRequest = 64 << 20

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	api := apiOf(r.URL.Path)
	if api == "" || r.Method != http.MethodPost {
		writeError(w, api, http.StatusNotFound, "not_found_error", "", "unknown path "+r.URL.Path)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest))
	if err != nil {
		return // the client has gone
	}
	call, err := parseCall(api, body)
	if err != nil {
		writeError(w, api, http.StatusBadRequest, "invalid_request_error", "", err.Error())
		return
	}
	call.N, call.Header = int(s.calls.Add(1)), r.Header
	if s.Key != "" && r.Header.Get("Authorization") != "Bearer "+s.Key && r.Header.Get("X-Api-Key") != s.Key {
		s.misbehave(w, r, call, Reply{Fault: BadKey})
		return
	}
	reply := Reply{Text: call.Last()}
	if s.Script != nil {
		reply = s.Script(call)
	}
	s.pause(r, reply.Delay)
	if reply.Fault != None && s.misbehave(w, r, call, reply) {
		return
	}
	if call.Streamed && call.API != "embeddings" {
		s.stream(w, r, call, reply)
		return
	}
	writeAnswer(w, call, reply)
}

func (s *Server) pause(r *http.Request, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.Context().Done():
	case <-s.quit:
	}
}

func apiOf(path string) string {
	switch {
	case strings.HasSuffix(path, "/chat/completions"):
		return "openai"
	case strings.HasSuffix(path, "/embeddings"):
		return "embeddings"
	case strings.HasSuffix(path, "/v1/messages"):
		return "anthropic"
	case strings.HasSuffix(path, "/responses"):
		return "responses"
	}
	return ""
}

// wireRequest holds the fields of all three APIs that the server looks at.
type wireRequest struct {
	Model               string          `json:"model"`
	Messages            []wireMessage   `json:"messages"`
	System              json.RawMessage `json:"system"`
	Input               json.RawMessage `json:"input"`
	MaxTokens           int             `json:"max_tokens"`
	MaxCompletionTokens int             `json:"max_completion_tokens"`
	Stream              bool            `json:"stream"`
	ResponseFormat      struct {
		JSONSchema struct {
			Schema json.RawMessage `json:"schema"`
		} `json:"json_schema"`
	} `json:"response_format"`
	OutputConfig struct {
		Format struct {
			Schema json.RawMessage `json:"schema"`
		} `json:"format"`
	} `json:"output_config"`
}

type wireMessage struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
}

func parseCall(api string, body []byte) (Call, error) {
	var w wireRequest
	if err := json.Unmarshal(body, &w); err != nil {
		return Call{}, fmt.Errorf("the request is not JSON: %w", err)
	}
	c := Call{API: api, Model: w.Model, MaxTokens: max(w.MaxTokens, w.MaxCompletionTokens), Streamed: w.Stream, Body: body, Schema: w.ResponseFormat.JSONSchema.Schema}
	if len(w.OutputConfig.Format.Schema) > 0 {
		c.Schema = w.OutputConfig.Format.Schema
	}
	if len(w.System) > 0 {
		c.Messages = append(c.Messages, model.Message{Role: "system", Content: contentText(w.System)})
	}
	for _, m := range w.Messages {
		c.Messages = append(c.Messages, model.Message{Role: m.Role, Content: contentText(m.Content)})
	}
	if api == "responses" {
		c.Messages = append(c.Messages, responsesInput(w.Input)...)
		return c, nil
	}
	if len(w.Input) > 0 && json.Unmarshal(w.Input, &c.Inputs) != nil {
		c.Inputs = []string{contentText(w.Input)}
	}
	return c, nil
}

// responsesInput reads the input of the responses API: a text, or a list of messages.
func responsesInput(raw json.RawMessage) []model.Message {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return []model.Message{{Role: "user", Content: text}}
	}
	var list []wireMessage
	_ = json.Unmarshal(raw, &list) // anything else has no messages
	var out []model.Message
	for _, m := range list {
		out = append(out, model.Message{Role: m.Role, Content: contentText(m.Content)})
	}
	return out
}

// contentText reads content that is a string or a list of text blocks.
func contentText(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var blocks []struct {
		Text string `json:"text"`
	}
	_ = json.Unmarshal(raw, &blocks) // anything else has no text
	for _, b := range blocks {
		s += b.Text
	}
	return s
}
