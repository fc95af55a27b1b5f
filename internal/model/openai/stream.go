package openai

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

var _ model.Streamer = (*Provider)(nil)

type streamRequest struct {
	chatRequest
	Stream  bool          `json:"stream"`
	Options streamOptions `json:"stream_options"`
}

type streamOptions struct {
	Usage bool `json:"include_usage"`
}

// Stream makes one attempt at a chat completion and hands its text on while it comes.
func (p *Provider) Stream(ctx context.Context, req model.Request, delta func(string) error) (model.Response, error) {
	if p.noKey {
		return model.Response{}, p.missingKey(req.Model)
	}
	body, err := json.Marshal(streamRequest{p.chatRequest(req), true, streamOptions{true}})
	if err != nil {
		return model.Response{}, &rung.Error{Code: rung.CodeInput, Place: string(req.Model), What: "the request has no JSON form",
			Do: "check the output schema", Err: err}
	}
	start := time.Now()
	s := &chatStream{delta: delta}
	err = p.events(ctx, body, s)
	if s.refused != nil {
		return model.Response{}, s.refused
	}
	if err != nil {
		return model.Response{}, p.caller(req.Model).Failure(err)
	}
	return s.response(time.Since(start)), nil
}

// events posts a request and reads its answer, which may be one chat completion where a server does not know how to stream.
func (p *Provider) events(ctx context.Context, body []byte, s *chatStream) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.base+"/chat/completions", bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header = p.headers
	got, err := p.http.Do(r)
	if err != nil {
		return err
	}
	defer got.Body.Close()
	if kind := got.Header.Get("Content-Type"); strings.HasPrefix(kind, "application/json") {
		return s.whole(got.Body)
	}
	err = model.ReadEvents(got.Body, s.event)
	if errors.Is(err, errDone) || err == nil && s.finish != "" {
		return nil
	}
	if err == nil {
		return &model.Transient{Err: model.ErrStreamEnded}
	}
	return err
}

var errDone = errors.New("the stream is done")

// chatStream puts an answer together.
type chatStream struct {
	delta   func(string) error
	text    strings.Builder
	finish  string
	served  string
	usage   rung.Usage
	refused error // what delta returned
}

func (s *chatStream) whole(body io.Reader) error {
	b, err := io.ReadAll(body) // bounded by model.HTTPClient
	if err != nil {
		return err
	}
	resp, err := parseChat(b)
	if err != nil {
		return err
	}
	s.finish, s.served, s.usage = resp.Finish, resp.Served, resp.Usage
	return s.pass(resp.Text)
}

type chunk struct {
	Model   string `json:"model"`
	Choices []struct {
		FinishReason string `json:"finish_reason"`
		Delta        struct {
			Content string `json:"content"`
			Refusal string `json:"refusal"`
		} `json:"delta"`
	} `json:"choices"`
	Usage *struct {
		PromptTokens        int64 `json:"prompt_tokens"`
		CompletionTokens    int64 `json:"completion_tokens"`
		PromptTokensDetails struct {
			CachedTokens int64 `json:"cached_tokens"`
		} `json:"prompt_tokens_details"`
	} `json:"usage"`
	Error json.RawMessage `json:"error"`
}

func (s *chatStream) event(_, data []byte) error {
	if string(data) == "[DONE]" {
		return errDone
	}
	var c chunk
	if err := json.Unmarshal(data, &c); err != nil {
		return fmt.Errorf("it is no chat completion: %w", plainJSONError(err, data))
	}
	if len(c.Error) > 0 && string(c.Error) != "null" {
		return upstream(data, c.Error)
	}
	if c.Model != "" {
		s.served = model.Clean(c.Model)
	}
	if u := c.Usage; u != nil {
		s.usage = rung.Usage{In: count(u.PromptTokens), Out: count(u.CompletionTokens)}
		s.usage.CachedIn = min(s.usage.In, count(u.PromptTokensDetails.CachedTokens))
	}
	if len(c.Choices) == 0 {
		return nil
	}
	first := c.Choices[0]
	if first.FinishReason != "" {
		s.finish = finish(first.FinishReason)
	}
	if first.Delta.Refusal != "" {
		s.finish = "content_filter"
	}
	return s.pass(first.Delta.Content + first.Delta.Refusal)
}

func (s *chatStream) pass(text string) error {
	if text == "" {
		return nil
	}
	s.text.WriteString(text)
	s.refused = s.delta(text)
	return s.refused
}

func (s *chatStream) response(took time.Duration) model.Response {
	return model.Response{Text: s.text.String(), Finish: finish(s.finish), Usage: s.usage, Served: s.served, Latency: took}
}

// Endpoint is what a gateway needs to pass a request on as it is: the base URL, and the headers that let it in.
func (p *Provider) Endpoint() (base string, header http.Header) { return p.base, p.headers }
