package recipe

import (
	"context"
	"encoding/json"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
)

// Streaming is a door that can hand on the text of an answer while it is made. The completion is that of Complete.
type Streaming interface {
	Stream(ctx context.Context, req model.Request, delta func(text string) error) (rung.Completion, error)
}

// Turn is one input as a gateway has it. With nothing but Input set, the rendered request is the evaluated one, byte for byte.
type Turn struct {
	Input   json.RawMessage
	Sample  int
	History []model.Message // the conversation before the input; it stands between the demonstrations and the input
	// Passages may leave out or change what was retrieved, before it is rendered.
	Passages func(ctx context.Context, found []rung.Passage) ([]rung.Passage, error)
	// Span is told of each step that ended: render, retrieve, model, parse.
	Span func(name string, start time.Time, note string)
	// Delta is given the text of the answer while it is made, where the form is text and the door can stream. What it was given
	// in all is the answer's value.
	Delta func(text string) error
}

func (t *Turn) span(name string, start time.Time, note string) {
	if t.Span != nil {
		t.Span(name, start, note)
	}
}

// now is the time for a span, free where nobody wants it.
func (t *Turn) now() (at time.Time) {
	if t.Span != nil {
		at = time.Now()
	}
	return at
}

// Serve answers one turn as Answer does: render, call, read, validate, and ask again with the validator's message as often as
// the candidate says. A call that fails or an answer that cannot be read is an Answer with a Problem. The error is for what must
// end the work: what model.Fatal says, or what Delta or Passages returned.
func (r *Runner) Serve(ctx context.Context, t Turn) (rung.Answer, error) {
	msgs, passages, err := r.messages(ctx, &t)
	if err != nil {
		return rung.Answer{}, err
	}
	req, err := r.request(t.Input, msgs, t.Sample)
	if err != nil {
		return rung.Answer{}, err
	}
	ans := rung.Answer{Passages: passages}
	if s, ok := r.parts.Door.(Streaming); ok && t.Delta != nil && r.cand.Output.Kind == rung.Text {
		return r.stream(ctx, &t, s, req, ans)
	}
	for ask := 0; ; ask++ {
		start := t.now()
		c, cached, err := r.parts.Door.Complete(ctx, req)
		t.span("model", start, c.Served)
		if err != nil {
			spent(&ans, &c)
			return failed(ans, err)
		}
		start = t.now()
		count(&ans, &c, cached)
		read := r.read(&ans, &c, t.Input)
		t.span(readSpan(ask, ans.Repaired), start, string(read.Problem))
		if read.Problem == rung.NoProblem || ask >= r.cand.Decoding.Reasks {
			return ans, nil
		}
		req.Messages = append(req.Messages[:len(req.Messages):len(req.Messages)],
			model.Message{Role: "assistant", Content: clip(c.Text, 4000)},
			model.Message{Role: "user", Content: askAgain(read)})
		ans.Retries++
	}
}

func readSpan(ask int, repaired bool) string {
	if ask > 0 || repaired {
		return "repair"
	}
	return "parse"
}

// spent adds what a call took that ended early, as far as the door can tell.
func spent(ans *rung.Answer, c *rung.Completion) {
	ans.Usage.In += c.Usage.In
	ans.Usage.Out += c.Usage.Out
	ans.CostUSD += c.CostUSD
}

// stream hands the answer on as it comes. There is no asking again: what was said cannot be taken back.
func (r *Runner) stream(ctx context.Context, t *Turn, door Streaming, req model.Request, ans rung.Answer) (rung.Answer, error) {
	f := newFlow(r.cand.Retrieval != nil && r.cand.Retrieval.Cite, t.Delta)
	start := t.now()
	c, err := door.Stream(ctx, req, f.write)
	t.span("model", start, c.Served)
	if f.err != nil || err != nil {
		spent(&ans, &c)
		if f.err != nil {
			return ans, f.err
		}
		return failed(ans, err)
	}
	count(&ans, &c, false)
	if err := f.close(); err != nil {
		return ans, err
	}
	start = t.now()
	read := r.read(&ans, &c, t.Input)
	t.span("parse", start, string(read.Problem))
	return ans, nil
}

// On gives the same runner before another door and, where ref is not empty, with another model: what answers when the
// candidate's own cannot. The prompt stays what it is; weights and adapter belong to the first model and are left out.
func (r *Runner) On(door Caller, ref rung.ModelRef, constrained bool) *Runner {
	out := *r
	out.parts.Door = door
	if ref != "" && ref != r.cand.Model {
		out.cand.Model, out.cand.Weights, out.cand.Adapter = ref, "", nil
		out.cand.Decoding.Constrained = constrained
		out.affinity = string(out.cand.Digest())
	}
	return &out
}

// Told is the same runner with a line more in its instructions, such as a secret that no answer may hold. It runs another candidate
// than r, whose digest nobody else uses.
func (r *Runner) Told(line string) (*Runner, error) {
	c := r.cand
	c.Instructions = joinLines(c.Instructions, line)
	return NewRunner(c, r.parts)
}
