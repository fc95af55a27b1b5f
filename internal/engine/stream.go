package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
)

var _ model.Streamer = (*Engine)(nil)

// Stream is Complete with the text handed on while it is made. A server that dies before the first piece is tried again as Complete
// does; one that dies later ends the answer.
func (e *Engine) Stream(ctx context.Context, req model.Request, delta func(string) error) (model.Response, error) {
	m, err := e.open(ctx, req.Model)
	if err != nil {
		return model.Response{}, err
	}
	if m.kind == embedder {
		return model.Response{}, &rung.Error{Code: rung.CodeUnsupported, Place: string(req.Model), What: "this model makes embeddings and cannot answer", Do: "use local/smollm2-135m or a chat model"}
	}
	grammar, err := constraint(req)
	if err != nil {
		return model.Response{}, err
	}
	if err := m.load(ctx, req.Adapter); err != nil {
		return model.Response{}, wrapContext(ctx, err)
	}
	resp, err := m.stream(ctx, req, grammar, delta)
	return resp, wrapContext(ctx, err)
}

// stream makes attempts as answer does, as long as nothing was handed on.
func (m *local) stream(ctx context.Context, req model.Request, grammar string, delta func(string) error) (model.Response, error) {
	for attempt := 1; ; attempt++ {
		t, err := m.fleet.queue.acquire(ctx, group(req), attempt > 1 && m.fleet.per > 1)
		if err != nil {
			return model.Response{}, err
		}
		s := &flow{delta: delta}
		resp, p, err := m.flow(ctx, req, grammar, t.slot, s)
		died := err != nil && s.refused == nil && p != nil && ctx.Err() == nil && p.diedSoon()
		if died {
			m.fleet.lost(t.slot)
		}
		m.fleet.queue.release(t)
		switch {
		case err == nil:
			server, _ := m.fleet.at(t.slot)
			server.worked()
			return resp, nil
		case s.refused != nil:
			return model.Response{}, s.refused
		case !died:
			return model.Response{}, m.explain(err, &req)
		case attempt == attempts || s.text.Len() > 0:
			return model.Response{}, &rung.Error{Code: rung.CodeProvider, Place: string(req.Model), What: "the local engine died while it answered", Do: "ask again; other requests are not affected", Err: err}
		}
	}
}

// flow sends the request to a slot of the running server and reads its events.
func (m *local) flow(ctx context.Context, req model.Request, grammar string, slot int, f *flow) (model.Response, *process, error) {
	s, slot := m.fleet.at(slot)
	p, err := s.ready(ctx)
	if err != nil {
		return model.Response{}, nil, err
	}
	limit := req.Timeout
	if limit <= 0 {
		limit = defaultLimit
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := m.checkSchema(ctx, p, req.Schema, slot); err != nil {
		return model.Response{}, p, err
	}
	prompt, err := p.promptTokens(ctx, req.Messages)
	if err != nil {
		return model.Response{}, p, err
	}
	body := struct {
		completion
		Stream bool `json:"stream"`
	}{m.body(req, prompt, grammar, slot), true}
	sent := time.Now()
	err = p.client.events(ctx, "/completion", body, f.event)
	if errors.Is(err, context.DeadlineExceeded) {
		go s.killIfHung(p)
	}
	if err == nil && !f.done {
		err = &rung.Error{Code: rung.CodeProvider, Place: string(req.Model), What: "the local engine ended its answer early", Do: "ask again", Err: model.ErrStreamEnded}
	}
	if err != nil {
		return model.Response{}, p, err
	}
	f.last.Content = f.text.String()
	return f.last.response(req.Model, time.Since(sent)), p, nil
}

// flow puts a streamed answer together.
type flow struct {
	delta   func(string) error
	text    strings.Builder
	last    answer
	done    bool
	refused error // what delta returned
}

func (f *flow) event(_, data []byte) error {
	var e struct {
		answer
		Stop  bool     `json:"stop"`
		Error *refusal `json:"error"`
	}
	if err := json.Unmarshal(data, &e); err != nil {
		return nil // such as [DONE]
	}
	if e.Error != nil {
		e.Error.Status = http.StatusInternalServerError
		return e.Error
	}
	if e.Content != "" {
		f.text.WriteString(e.Content)
		if f.refused = f.delta(e.Content); f.refused != nil {
			return f.refused
		}
	}
	if e.Stop {
		f.last, f.done = e.answer, true
	}
	return nil
}

// events posts body and reads the answer as server-sent events.
func (c *client) events(ctx context.Context, path string, body any, each func(name, data []byte) error) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+c.key)
	req.Close = true // the server ends the connection of a stream, and whoever used it next would meet the end
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return refused(resp)
	}
	return model.ReadEvents(io.LimitReader(resp.Body, maxAnswer), each)
}

// refused reads the error of an answer that is none.
func refused(resp *http.Response) error {
	b, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return err
	}
	said := struct {
		Error *refusal `json:"error"`
	}{}
	if json.Unmarshal(b, &said) != nil || said.Error == nil || said.Error.Message == "" {
		return &refusal{Status: resp.StatusCode, Message: string(b[:min(len(b), 300)])}
	}
	said.Error.Status = resp.StatusCode
	return said.Error
}
