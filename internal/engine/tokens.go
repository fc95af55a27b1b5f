package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
)

// PromptTokens is the prompt exactly as Complete sends it: the model's chat template over messages, up to where the answer
// begins, with special tokens. Training rows are made with it.
func (e *Engine) PromptTokens(ctx context.Context, ref rung.ModelRef, messages []model.Message) ([]int, error) {
	return asking(ctx, e, ref, func(p *process) ([]int, error) { return p.promptTokens(ctx, messages) })
}

// Tokenize is text as tokens, none of them special: what the model would have generated to write it.
func (e *Engine) Tokenize(ctx context.Context, ref rung.ModelRef, text string) ([]int, error) {
	return asking(ctx, e, ref, func(p *process) ([]int, error) { return p.tokenize(ctx, text, false, false) })
}

// EndOfTurn is the token that the model ends an answer with: what its chat template puts after an assistant's message.
func (e *Engine) EndOfTurn(ctx context.Context, ref rung.ModelRef) (int, error) {
	m, err := e.open(ctx, ref)
	if err != nil {
		return 0, err
	}
	m.mu.Lock()
	known := m.end
	m.mu.Unlock()
	if known >= 0 {
		return known, nil
	}
	end, err := asking(ctx, e, ref, func(p *process) (int, error) { return p.endOfTurn(ctx, m.info) })
	if err == nil {
		m.mu.Lock()
		m.end = end
		m.mu.Unlock()
	}
	return end, err
}

// asking runs ask on the model's first server.
func asking[T any](ctx context.Context, e *Engine, ref rung.ModelRef, ask func(*process) (T, error)) (T, error) {
	m, err := e.open(ctx, ref)
	if err != nil {
		var none T
		return none, err
	}
	return askingServer(ctx, m, m.fleet.servers[0], ask)
}

// askingServer runs ask on a server, again if the server died meanwhile.
func askingServer[T any](ctx context.Context, m *local, s *server, ask func(*process) (T, error)) (T, error) {
	var none T
	for attempt := 1; ; attempt++ {
		p, err := s.ready(ctx)
		if err != nil {
			return none, wrapContext(ctx, err)
		}
		v, err := ask(p)
		if err == nil {
			s.worked()
			return v, nil
		}
		if attempt == attempts || ctx.Err() != nil || !p.diedSoon() {
			return none, wrapContext(ctx, m.explain(err, nil))
		}
	}
}

func (p *process) promptTokens(ctx context.Context, messages []model.Message) ([]int, error) {
	prompt, err := p.applyTemplate(ctx, messages)
	if err != nil {
		return nil, err
	}
	return p.tokenize(ctx, prompt, true, true)
}

func (p *process) applyTemplate(ctx context.Context, messages []model.Message) (string, error) {
	var out struct {
		Prompt string `json:"prompt"`
	}
	err := p.client.post(ctx, "/apply-template", map[string]any{"messages": messages}, &out)
	return out.Prompt, err
}

// tokenize: special adds what the model begins a text with; parse reads the names of special tokens in text as the tokens.
func (p *process) tokenize(ctx context.Context, text string, special, parse bool) ([]int, error) {
	var out struct {
		Tokens []int `json:"tokens"`
	}
	err := p.client.post(ctx, "/tokenize", map[string]any{"content": text, "add_special": special, "parse_special": parse}, &out)
	return out.Tokens, err
}

// endOfTurn looks at what the template puts between an answer and the next question. Where that does not begin with a token
// of its own, the file's metadata says which token ends a turn.
func (p *process) endOfTurn(ctx context.Context, info header) (int, error) {
	const answer = "forty-two apples"
	text, err := p.applyTemplate(ctx, []model.Message{{Role: "user", Content: "How many?"}, {Role: "assistant", Content: answer}, {Role: "user", Content: "Sure?"}})
	if err != nil {
		return 0, err
	}
	if _, after, ok := strings.Cut(text, answer); ok {
		special, err := p.tokenize(ctx, after, false, true)
		if err != nil {
			return 0, err
		}
		plain, err := p.tokenize(ctx, after, false, false)
		if err != nil {
			return 0, err
		}
		if len(special) > 0 && len(plain) > 0 && special[0] != plain[0] {
			return special[0], nil
		}
	}
	for _, id := range []int{info.eot, info.eos} {
		if id >= 0 {
			return id, nil
		}
	}
	return 0, fmt.Errorf("neither the chat template nor the metadata of the model says which token ends an answer")
}
