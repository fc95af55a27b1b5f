package anthropic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
)

var _ model.Streamer = (*Provider)(nil)

type streamRequest struct {
	request
	Stream bool `json:"stream"`
}

// Stream makes one attempt at an answer and hands its text on while it comes.
func (p *Provider) Stream(ctx context.Context, req model.Request, delta func(string) error) (model.Response, error) {
	if err := p.Ready(req.Model); err != nil {
		return model.Response{}, err
	}
	body, err := json.Marshal(streamRequest{newRequest(req), true})
	if err != nil {
		return model.Response{}, &rung.Error{Code: rung.CodeInput, Place: string(req.Model), What: "the request has no JSON form", Do: "check the output schema", Err: err}
	}
	start := time.Now()
	s := &messageStream{delta: delta}
	err = p.events(ctx, body, s)
	if s.refused != nil {
		return model.Response{}, s.refused
	}
	if err != nil {
		return model.Response{}, p.caller(req.Model).Failure(err)
	}
	return s.response(time.Since(start)), nil
}

func (p *Provider) events(ctx context.Context, body []byte, s *messageStream) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.base+"/v1/messages", bytes.NewReader(body))
	if err != nil {
		return err
	}
	_, r.Header = p.Endpoint()
	r.Header.Set("Accept", "text/event-stream")
	got, err := p.client.Do(r)
	if err != nil {
		return err
	}
	defer got.Body.Close()
	if kind := got.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/event-stream") {
		return fmt.Errorf("it is no stream of events but %q", model.Clean(kind))
	}
	err = model.ReadEvents(got.Body, s.event)
	if errors.Is(err, errDone) {
		return nil
	}
	if err == nil {
		return &model.Transient{Err: model.ErrStreamEnded}
	}
	return err
}

var errDone = errors.New("the stream is done")

// messageStream puts an answer together.
type messageStream struct {
	delta   func(string) error
	text    strings.Builder
	reason  string
	served  string
	in      usage
	out     int64
	refused error // what delta returned
}

type usage struct {
	Input        int64 `json:"input_tokens"`
	Output       int64 `json:"output_tokens"`
	CacheCreated int64 `json:"cache_creation_input_tokens"`
	CacheRead    int64 `json:"cache_read_input_tokens"`
}

type streamEvent struct {
	Type    string `json:"type"`
	Message struct {
		Model string `json:"model"`
		Usage usage  `json:"usage"`
	} `json:"message"`
	Delta struct {
		Type       string `json:"type"`
		Text       string `json:"text"`
		StopReason string `json:"stop_reason"`
	} `json:"delta"`
	Usage usage `json:"usage"`
	Error struct {
		Type string `json:"type"`
	} `json:"error"`
}

func (s *messageStream) event(_, data []byte) error {
	var e streamEvent
	if err := json.Unmarshal(data, &e); err != nil {
		return fmt.Errorf("it is no event: %w", err)
	}
	switch e.Type {
	case "message_start":
		s.served, s.in, s.out = model.Clean(e.Message.Model), e.Message.Usage, e.Message.Usage.Output
	case "content_block_delta":
		if e.Delta.Type == "text_delta" && e.Delta.Text != "" {
			s.text.WriteString(e.Delta.Text)
			s.refused = s.delta(e.Delta.Text)
			return s.refused
		}
	case "message_delta":
		s.reason, s.out = e.Delta.StopReason, e.Usage.Output
	case "message_stop":
		return errDone
	case "error":
		return &model.StatusError{Status: statusOf(e.Error.Type), Header: http.Header{}, Body: bytes.Clone(data)}
	}
	return nil
}

// statusOf is the status that an error would have had, had it come before the stream.
func statusOf(kind string) int {
	switch kind {
	case "overloaded_error":
		return 529
	case "rate_limit_error":
		return http.StatusTooManyRequests
	}
	return http.StatusInternalServerError
}

func (s *messageStream) response(took time.Duration) model.Response {
	cached := count(s.in.CacheRead)
	return model.Response{Text: s.text.String(), Finish: finish(s.reason), Served: s.served, Latency: took,
		Usage: rung.Usage{In: count(s.in.Input) + count(s.in.CacheCreated) + cached, CachedIn: cached, Out: count(s.out)}}
}

// Endpoint is what a gateway needs to pass a request on as it is: the address before /v1, and the headers that let it in.
func (p *Provider) Endpoint() (base string, header http.Header) {
	return p.base, http.Header{"Content-Type": {"application/json"}, "X-Api-Key": {p.key}, "Anthropic-Version": {apiVersion}}
}
