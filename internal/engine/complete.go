package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
)

const (
	// attempts of one request, counting those that ended because the server died.
	attempts = 3
	// defaultLimit bounds an answer when the request has no limit of its own.
	defaultLimit = 30 * time.Minute
)

// Complete answers a request. Errors: CodeModel for an unknown model, CodeUnsupported for a schema that the server cannot hold
// an answer to, CodeProvider wrapping *model.PromptTooLong for a prompt that does not fit, CodeTimeout, and those of Weights.
func (e *Engine) Complete(ctx context.Context, req model.Request) (model.Response, error) {
	return e.answer(ctx, req, nil)
}

// answer makes the model ready and asks it; f takes the text while it is made, nil: in one piece.
func (e *Engine) answer(ctx context.Context, req model.Request, f *flow) (model.Response, error) {
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
	resp, err := m.answer(ctx, req, grammar, f)
	return resp, wrapContext(ctx, err)
}

// answer makes attempts until the server lives through one. After a death the request runs alone on its server, so that a
// request that kills it is known for certain and takes no other with it a second time. What was handed on is not asked for again.
func (m *local) answer(ctx context.Context, req model.Request, grammar string, f *flow) (model.Response, error) {
	for attempt := 1; ; attempt++ {
		t, err := m.fleet.queue.acquire(ctx, group(req), attempt > 1 && m.fleet.per > 1)
		if err != nil {
			return model.Response{}, err
		}
		resp, p, err := m.once(ctx, req, grammar, t.slot, f)
		refused := f != nil && f.refused != nil
		died := err != nil && !refused && p != nil && ctx.Err() == nil && p.diedSoon()
		if died {
			m.fleet.lost(t.slot)
		}
		m.fleet.queue.release(t)
		switch {
		case err == nil:
			s, _ := m.fleet.at(t.slot)
			s.worked()
			return resp, nil
		case refused:
			return model.Response{}, f.refused
		case !died:
			return model.Response{}, m.explain(err, &req)
		case f != nil && (attempt == attempts || f.text.Len() > 0):
			return model.Response{}, &rung.Error{Code: rung.CodeProvider, Place: string(req.Model), What: "the local engine died while it answered", Do: "ask again; other requests are not affected", Err: err}
		case attempt == attempts:
			return model.Response{}, &rung.Error{Code: rung.CodeProvider, Place: string(req.Model), What: fmt.Sprintf("the local engine died %d times on this request; its log ends with:\n%s", attempt, p.log.last(8)),
				Do: "look at the request: a schema or prompt of unusual size can do this; other requests are not affected", Err: err}
		}
	}
}

// once sends the request to a slot of the running server.
func (m *local) once(ctx context.Context, req model.Request, grammar string, slot int, f *flow) (model.Response, *process, error) {
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
	body := m.body(req, prompt, grammar, slot)
	var out answer
	sent := time.Now()
	if f == nil {
		err = p.client.post(ctx, "/completion", body, &out)
	} else {
		out, err = f.read(ctx, p.client, req.Model, body)
	}
	took := time.Since(sent)
	if errors.Is(err, context.DeadlineExceeded) {
		go s.killIfHung(p)
	}
	if err != nil {
		return model.Response{}, p, err
	}
	return out.response(req.Model, took), p, nil
}

// completion is the body of llama.cpp's /completion.
type completion struct {
	Prompt      []int           `json:"prompt"`
	Predict     int             `json:"n_predict"`
	Slot        int             `json:"id_slot"`
	CachePrompt bool            `json:"cache_prompt"`
	Temperature float64         `json:"temperature"`
	TopK        int             `json:"top_k"`
	TopP        float64         `json:"top_p"`
	MinP        float64         `json:"min_p"`
	Samplers    []string        `json:"samplers"`
	Seed        uint32          `json:"seed"`
	Stop        []string        `json:"stop,omitempty"`
	LoRA        []scale         `json:"lora,omitempty"`
	Schema      json.RawMessage `json:"json_schema,omitempty"`
	Grammar     string          `json:"grammar,omitempty"`
}

type scale struct {
	ID    int     `json:"id"`
	Scale float64 `json:"scale"`
}

// body: no penalties, and no cut of the distribution; at temperature 0 the likeliest token.
func (m *local) body(req model.Request, prompt []int, grammar string, slot int) completion {
	c := completion{Prompt: prompt, Predict: req.MaxTokens, Slot: slot, CachePrompt: true, Temperature: req.Temperature, TopP: 1,
		Samplers: []string{"temperature"}, Seed: uint32(req.Seed + req.Sample), Stop: req.Stop, LoRA: m.scales(req.Adapter),
		Grammar: grammar, Schema: onlyOneSpace(req.Schema)}
	if req.Temperature <= 0 {
		c.TopK, c.Samplers = 1, []string{"top_k"}
	}
	if c.Predict <= 0 {
		c.Predict = -1 // until the model ends or the context is full
	}
	return c
}

// answer is what /completion gives back.
type answer struct {
	Content   string `json:"content"`
	StopType  string `json:"stop_type"` // eos, word, limit
	Predicted int    `json:"tokens_predicted"`
	Evaluated int    `json:"tokens_evaluated"`
	Timings   struct {
		Cached int `json:"cache_n"`
	} `json:"timings"`
}

func (a answer) response(ref rung.ModelRef, took time.Duration) model.Response {
	finish := "stop"
	if a.StopType == "limit" {
		finish = "length"
	}
	return model.Response{Text: a.Content, Finish: finish, Served: string(ref), Latency: took,
		Usage: rung.Usage{In: a.Evaluated, Out: a.Predicted, CachedIn: a.Timings.Cached}}
}

// group is what requests of one prefix share: the caller's affinity, else the instructions, and the adapter, since the state
// of a prompt depends on it.
func group(req model.Request) string {
	key := req.Affinity
	if key == "" && len(req.Messages) > 1 && req.Messages[0].Role == "system" {
		key = string(rung.DigestBytes([]byte(req.Messages[0].Content)))
	}
	if key == "" {
		return ""
	}
	return key + "\x00" + string(req.Adapter)
}

// explain gives an error of the server the words for a person. req may be nil.
func (m *local) explain(err error, req *model.Request) error {
	var r *refusal
	if !errors.As(err, &r) {
		return err
	}
	switch {
	case r.Type == "exceed_context_size_error":
		return &rung.Error{Code: rung.CodeProvider, Place: string(m.ref), What: fmt.Sprintf("the prompt has %d tokens and the model's context %d", r.Prompt, r.Context),
			Do: "use fewer demonstrations or passages, or a model with a longer context", Err: &model.PromptTooLong{Err: err}}
	case r.Status == 400 && req != nil && len(req.Schema) > 0:
		return unsupportedSchema(m.ref, r.Message, err)
	case r.Status == 503:
		return &rung.Error{Code: rung.CodeProvider, Place: string(m.ref), What: "the local engine is not ready: " + model.Clean(r.Message), Do: "run it again", Err: &model.Transient{Err: err}}
	}
	return &rung.Error{Code: rung.CodeProvider, Place: string(m.ref), What: "the local engine refused the request: " + model.Clean(r.Message), Do: "if the model is a file of your own, check that it is a chat model", Err: err}
}
