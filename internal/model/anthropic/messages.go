package anthropic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
)

// The call is written on net/http and not on the official SDK, for the reasons that internal/model/openai gives: with
// anthropic-sdk-go v1.84 the stripped binary was 64 MB, over its limit of 60, and the package alone took minutes to compile.

// apiVersion is the version of the API whose fields are used here.
const apiVersion = "2023-06-01"

type request struct {
	Model         string          `json:"model"`
	MaxTokens     int             `json:"max_tokens"`
	System        string          `json:"system,omitempty"`
	Messages      []model.Message `json:"messages"`
	Temperature   float64         `json:"temperature"`
	StopSequences []string        `json:"stop_sequences,omitempty"`
	OutputConfig  *outputConfig   `json:"output_config,omitempty"`
}

// outputConfig carries the schema as the bytes it was given in, since answers follow the schema's order of properties.
type outputConfig struct {
	Format struct {
		Type   string          `json:"type"`
		Schema json.RawMessage `json:"schema"`
	} `json:"format"`
}

// Complete makes one attempt at an answer.
func (p *Provider) Complete(ctx context.Context, req model.Request) (model.Response, error) {
	if err := p.Ready(req.Model); err != nil {
		return model.Response{}, err
	}
	body, err := json.Marshal(newRequest(req))
	if err != nil {
		return model.Response{}, &rung.Error{Code: rung.CodeInput, Place: string(req.Model), What: "the request has no JSON form", Do: "check the output schema", Err: err}
	}
	start := time.Now()
	answer, err := p.post(ctx, body)
	took := time.Since(start)
	if err != nil {
		return model.Response{}, p.caller(req.Model).Failure(err)
	}
	resp, err := parse(answer)
	if err != nil {
		return model.Response{}, p.caller(req.Model).Failure(err)
	}
	resp.Latency = took
	return resp, nil
}

func newRequest(req model.Request) request {
	out := request{Model: req.Model.Name(), MaxTokens: req.MaxTokens, StopSequences: req.Stop,
		Temperature: min(req.Temperature, 1)} // the API's scale ends at 1
	if out.MaxTokens <= 0 {
		out.MaxTokens = defaultMaxTokens
	}
	var system []string
	for _, m := range req.Messages {
		if m.Role == "system" {
			system = append(system, m.Content)
			continue
		}
		out.Messages = append(out.Messages, m)
	}
	out.System = strings.Join(system, "\n\n")
	if len(req.Schema) > 0 {
		out.OutputConfig = &outputConfig{}
		out.OutputConfig.Format.Type, out.OutputConfig.Format.Schema = "json_schema", req.Schema
	}
	return out
}

func (p *Provider) post(ctx context.Context, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.base+"/v1/messages", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("X-Api-Key", p.key)
	r.Header.Set("Anthropic-Version", apiVersion)
	got, err := p.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer got.Body.Close()
	return io.ReadAll(got.Body) // bounded by model.HTTPClient
}

// message holds what is used of an answer.
type message struct {
	Type    string `json:"type"`
	Model   string `json:"model"`
	Content []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	} `json:"content"`
	StopReason string `json:"stop_reason"`
	Usage      struct {
		Input        int64 `json:"input_tokens"`
		Output       int64 `json:"output_tokens"`
		CacheCreated int64 `json:"cache_creation_input_tokens"`
		CacheRead    int64 `json:"cache_read_input_tokens"`
	} `json:"usage"`
}

func parse(body []byte) (model.Response, error) {
	var got message
	if err := json.Unmarshal(body, &got); err != nil {
		return model.Response{}, fmt.Errorf("it is no message: %w", err)
	}
	if got.Type != "message" {
		return model.Response{}, errors.New("it is no message")
	}
	if len(got.Content) == 0 {
		return model.Response{}, errors.New("it holds no content")
	}
	resp := model.Response{Served: model.Clean(got.Model), Finish: finish(got.StopReason)}
	var text strings.Builder
	for _, block := range got.Content {
		if block.Type == "text" {
			text.WriteString(block.Text)
		}
	}
	resp.Text = text.String()
	// Anthropic counts what it read from its cache, and what it wrote there, apart from input_tokens.
	u := got.Usage
	cached := count(u.CacheRead)
	resp.Usage = rung.Usage{In: count(u.Input) + count(u.CacheCreated) + cached, CachedIn: cached, Out: count(u.Output)}
	return resp, nil
}

// count reads a token count of a server that may not be trusted: a negative or absurd one would make calls cheaper or break sums.
func count(n int64) int { return int(min(max(n, 0), 1<<31)) }

func finish(reason string) string {
	switch reason {
	case "max_tokens":
		return "length"
	case "refusal":
		return "content_filter"
	}
	return "stop"
}
