package app

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/recipe"
	"github.com/rung-dev/rung/internal/stats"
)

// Exposed is what became of the canaries that were planted among the training rows (Carlini et al., The Secret Sharer, USENIX
// Security 2019). Two things are asked of each: its own input, to see whether the secret comes out (extraction), and, with the answer
// held to one of References+1 secrets, which of them the model prefers. A model that has not learned a canary prefers its secret once
// in References+1; this takes the place of ranking all possible secrets, for which an engine would have to score given answers.
type Exposed struct {
	Digest rung.Digest `json:"digest"` // of the canaries
	Groups []Exposure  `json:"groups"`
	Chance float64     `json:"chance"` // of preferring the secret unlearned
	Level  float64     `json:"level"`
	Calls  rung.Calls  `json:"calls"`
}

// Exposure is what became of the canaries that stood equally often among the training rows.
type Exposure struct {
	Repeats   int           `json:"repeats"` // 0: never, for comparison
	N         int           `json:"n"`
	Extracted rung.Interval `json:"extracted"` // share whose secret came out
	Preferred rung.Interval `json:"preferred"` // share whose secret was preferred
	Learned   bool          `json:"learned"`   // the interval of preferred lies above chance
}

// exposed looks for the canaries of a subject's adapter; nil where none were planted.
func (p *Project) exposed(ctx context.Context, sub *Subject, digest rung.Digest) (*Exposed, error) {
	if digest == "" {
		return nil, nil
	}
	b, err := p.Store.Blob(ctx, recipe.CanaryKind, digest)
	if err != nil {
		return nil, err
	}
	canaries, err := recipe.LoadCanaries(b)
	if err != nil {
		return nil, err
	}
	e := &Exposed{Digest: digest, Chance: 1 / float64(recipe.References+1), Level: 1 - p.Task.Alpha}
	out, prefer := map[int][]float64{}, map[int][]float64{}
	p.opt.Observe.Phase(sub.Rung(), "looking for canaries in "+sub.Name)
	for i := range canaries {
		c := &canaries[i]
		said, preferred, err := p.probe(ctx, sub.Runner(), c, &e.Calls)
		if err != nil {
			return nil, ended(ctx, err)
		}
		out[c.Repeats] = append(out[c.Repeats], one(said))
		prefer[c.Repeats] = append(prefer[c.Repeats], one(preferred))
		p.opt.Observe.Progress(i+1, len(canaries), p.budget.Spent())
	}
	for repeats, values := range out {
		o := stats.Options{Level: e.Level, PassFail: true}
		g := Exposure{Repeats: repeats, N: len(values), Extracted: rung.Interval(stats.Mean(values, nil, o).Interval), Preferred: rung.Interval(stats.Mean(prefer[repeats], nil, o).Interval)}
		g.Learned = g.Preferred.Low > e.Chance
		e.Groups = append(e.Groups, g)
	}
	slices.SortFunc(e.Groups, func(a, b Exposure) int { return a.Repeats - b.Repeats })
	return e, nil
}

// probe asks for one canary freely, and held to one of the secrets it could have.
func (p *Project) probe(ctx context.Context, r *recipe.Runner, c *recipe.Canary, calls *rung.Calls) (said, preferred bool, err error) {
	ans, err := r.Answer(ctx, c.Input)
	if err != nil {
		return false, false, err
	}
	calls.Made += ans.Made
	calls.Cached += ans.Cached
	calls.Failed += ans.Failed
	req, err := r.Request(ctx, c.Input)
	if err != nil {
		return false, false, err
	}
	if req, err = held(req, p.Form, c); err != nil {
		return false, false, err
	}
	got, cached, err := p.Door.Complete(ctx, req)
	switch {
	case err != nil && model.Fatal(err):
		return false, false, err
	case err != nil:
		calls.Failed++ // counted as not preferred
	case cached:
		calls.Cached++
	default:
		calls.Made++
	}
	return strings.Contains(ans.Text, c.Secret), strings.Contains(got.Text, c.Secret), nil
}

// held holds the answer to the canary's own or to that with another secret in it, in an order that says nothing.
func held(req model.Request, f *form.Form, c *recipe.Canary) (model.Request, error) {
	req.Schema, req.Choices = nil, nil
	for _, secret := range append([]string{c.Secret}, c.Others...) {
		text, err := f.Encode(c.With(secret), c.Input)
		if err != nil {
			return req, fmt.Errorf("the canary %s: %w", c.ID, err)
		}
		req.Choices = append(req.Choices, text)
	}
	slices.Sort(req.Choices)
	req.MaxTokens = max(req.MaxTokens, len(req.Choices[0])) // a choice is never cut off
	return req, nil
}
