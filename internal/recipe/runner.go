package recipe

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/model"
)

// Caller is the door to the models.
type Caller interface {
	Complete(ctx context.Context, req model.Request) (c rung.Completion, cached bool, err error)
}

// Nearest finds the places of the k nearest texts of a pool, nearest first.
type Nearest func(ctx context.Context, query string, k int) ([]int, error)

// Search finds the k best passages for a query, best first.
type Search func(ctx context.Context, query string, k int) ([]rung.Passage, error)

// Parts are what a candidate needs to run beside itself.
type Parts struct {
	Door    Caller
	Form    *form.Form
	Pool    []rung.Demo // for nearest demonstrations
	Nearest Nearest     // over the pool
	Search  Search      // over the candidate's index
}

// Runner answers inputs as one candidate does. The climb scores candidates with it and the gateway serves with it, so that
// what was evaluated is what is served. It is safe for concurrent use.
type Runner struct {
	cand     rung.Candidate
	parts    Parts
	tmpl     parsed
	form     string // the output form in words
	reminder string
	system   string // the system message: the same for every input
	affinity string
}

// NewRunner prepares a candidate. A template that cannot be read or a missing part is an error.
func NewRunner(c rung.Candidate, parts Parts) (*Runner, error) {
	tmpl, err := parseTemplate(c.Template)
	if err != nil {
		return nil, err
	}
	r := &Runner{cand: c, parts: parts, tmpl: tmpl, affinity: string(c.Digest())}
	r.form, r.reminder = describe(c.Output)
	if err := r.check(); err != nil {
		return nil, err
	}
	r.system, err = r.renderSystem()
	return r, err
}

func joinLines(a, b string) string {
	if a == "" {
		return b
	}
	return a + "\n" + b
}

func (r *Runner) check() error {
	missing := func(what string) error {
		return &rung.Error{Code: rung.CodeInternal, Place: "candidate " + r.affinity[:12], What: "it needs " + what + ", which was not given"}
	}
	if d := r.cand.Demos; d != nil && d.Mode != rung.FixedDemos && r.parts.Nearest == nil {
		return missing("a pool to choose demonstrations from")
	}
	if r.cand.Retrieval != nil && r.parts.Search == nil {
		return missing("an index to search")
	}
	return nil
}

// Candidate is the candidate that r runs.
func (r *Runner) Candidate() *rung.Candidate { return &r.cand }

// System is the system message that every request of the candidate begins with; empty when there is none.
func (r *Runner) System() string { return r.system }

func (r *Runner) renderSystem() (string, error) {
	v := values{Instructions: r.cand.Instructions, Form: r.form, Reminder: r.reminder}
	if d := r.cand.Demos; d != nil {
		for _, c := range d.Counter {
			in, err := inputText(r.cand.Input, c.Input)
			if err != nil {
				return "", err
			}
			right, err := r.parts.Form.Encode(c.Output, c.Input)
			if err != nil {
				return "", err
			}
			v.Counter = append(v.Counter, counterValues{in, c.Wrong, c.Why, right})
		}
	}
	return execute(r.tmpl.system, &v)
}

// Messages renders the chat for one input, and says which passages it holds.
func (r *Runner) Messages(ctx context.Context, input json.RawMessage) ([]model.Message, []rung.Passage, error) {
	return r.messages(ctx, &Turn{Input: input})
}

// messages puts the system message first, then the demonstrations, the conversation so far, and the input.
func (r *Runner) messages(ctx context.Context, t *Turn) ([]model.Message, []rung.Passage, error) {
	start := t.now()
	text, err := inputText(r.cand.Input, t.Input)
	if err != nil {
		return nil, nil, err
	}
	demos, err := r.demos(ctx, t.Input)
	if err != nil {
		return nil, nil, err
	}
	msgs := make([]model.Message, 0, 2+2*len(demos)+len(t.History))
	if r.system != "" {
		msgs = append(msgs, model.Message{Role: "system", Content: r.system})
	}
	for _, d := range demos {
		if msgs, err = r.appendDemo(msgs, d); err != nil {
			return nil, nil, err
		}
	}
	msgs = append(msgs, t.History...)
	passages, err := r.passages(ctx, t)
	if err != nil {
		return nil, nil, err
	}
	user, err := r.renderUser(text, passages)
	t.span("render", start, "")
	return append(msgs, model.Message{Role: "user", Content: user}), passages, err
}

// appendDemo adds a demonstration as a turn of its own. Tool definitions that come with the input are left out: they are
// most of its length, and those of another request say nothing about this one.
func (r *Runner) appendDemo(msgs []model.Message, d rung.Demo) ([]model.Message, error) {
	in, err := inputText(withoutTools(r.cand), d.Input)
	if err != nil {
		return nil, err
	}
	user, err := r.renderUser(in, nil)
	if err != nil {
		return nil, err
	}
	out, err := r.parts.Form.Encode(d.Output, d.Input)
	if err != nil {
		return nil, err
	}
	return append(msgs, model.Message{Role: "user", Content: user}, model.Message{Role: "assistant", Content: out}), nil
}

func (r *Runner) renderUser(input string, passages []rung.Passage) (string, error) {
	v := values{Instructions: r.cand.Instructions, Form: r.form, Reminder: r.reminder, Input: input}
	if r.cand.Retrieval != nil && r.cand.Retrieval.Cite {
		v.Citing = citing
	}
	for i, p := range passages {
		v.Passages = append(v.Passages, passageValues{N: i + 1, ID: p.ID, Heading: p.Heading, Text: p.Text})
	}
	return execute(r.tmpl.user, &v)
}

// demos chooses the demonstrations for input. Nearest ones come farthest first, so that the nearest is next to the input.
func (r *Runner) demos(ctx context.Context, input json.RawMessage) ([]rung.Demo, error) {
	d := r.cand.Demos
	if d == nil {
		return nil, nil
	}
	if d.Mode == rung.FixedDemos {
		return d.Fixed, nil
	}
	query, err := queryText(demoFields(r.cand), input)
	if err != nil {
		return nil, err
	}
	places, err := r.parts.Nearest(ctx, query, d.K+1)
	if err != nil {
		return nil, err
	}
	out := make([]rung.Demo, 0, d.K)
	for _, p := range places {
		if len(out) < d.K && string(r.parts.Pool[p].Input) != string(input) {
			out = append(out, r.parts.Pool[p])
		}
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out, nil
}

// withoutTools are the input fields but the one that brings tool definitions.
func withoutTools(c rung.Candidate) []rung.Field {
	if c.Output.ToolsFrom == "" {
		return c.Input
	}
	var fields []rung.Field
	for _, f := range c.Input {
		if f.Name != c.Output.ToolsFrom {
			fields = append(fields, f)
		}
	}
	return fields
}

// demoFields are the fields by which inputs are compared: all but tool definitions, which would drown the request.
func demoFields(c rung.Candidate) []string {
	var names []string
	for _, f := range withoutTools(c) {
		names = append(names, f.Name)
	}
	return names
}

// passages finds the passages for an input, within the "render" span but with one of its own.
func (r *Runner) passages(ctx context.Context, t *Turn) ([]rung.Passage, error) {
	ret := r.cand.Retrieval
	if ret == nil {
		return nil, nil
	}
	query, err := queryText(ret.Query, t.Input)
	if err != nil {
		return nil, err
	}
	start := t.now()
	found, err := r.parts.Search(ctx, query, ret.K)
	t.span("retrieve", start, "")
	if err != nil || t.Passages == nil {
		return found, err
	}
	return t.Passages(ctx, found)
}

// queryText joins the named fields of an input.
func queryText(fields []string, input json.RawMessage) (string, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(input, &members); err != nil {
		return "", fmt.Errorf("the input is not a JSON object: %w", err)
	}
	text := ""
	for _, f := range fields {
		text = joinLines(text, bare(members[f]))
	}
	return text, nil
}
