package app

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/recipe"
	"github.com/rung-dev/rung/internal/registry"
)

// What to do about each kind of thing that was made from erased rows.
const (
	againDo   = "climb again on the data without them; nothing of it is used until then"
	adapterDo = "weights cannot forget: climb again, which trains anew, and delete its folder under training/ in the store"
	releaseDo = "climb and release again, move its aliases to the new release (rung alias), then delete the old one's files in registries that it was pushed to"
)

// madeFrom names what holds the erased rows or learned from them.
func (e *erasing) madeFrom(ctx context.Context) error {
	if len(e.finder.Rows()) == 0 && e.finder.Empty() {
		return nil
	}
	if err := e.candidates(ctx); err != nil {
		return err
	}
	return e.releases(ctx)
}

func (e *erasing) made(kind, name, how, do string) {
	m := MadeFrom{kind, name, how, do}
	if !slices.Contains(e.out.Made, m) {
		e.out.Made = append(e.out.Made, m)
	}
}

// candidates are those of all runs, with what they refer to.
func (e *erasing) candidates(ctx context.Context) error {
	if e.opt.Store == nil {
		return nil
	}
	runs, err := e.opt.Store.Runs(ctx, 0)
	if err != nil {
		return err
	}
	seen := map[rung.Digest]bool{}
	for _, r := range runs {
		var doc rung.Document
		if json.Unmarshal(r.Document, &doc) != nil {
			continue // it never came to one
		}
		for _, o := range doc.Rungs {
			if o.Candidate == "" || seen[o.Candidate] {
				continue
			}
			seen[o.Candidate] = true
			c, err := e.opt.Store.Candidate(ctx, string(o.Candidate))
			if rung.CodeOf(err) == rung.CodeNotFound {
				continue
			}
			if err != nil {
				return err
			}
			if err := e.candidate(ctx, c, fmt.Sprintf("%s of %s (%s)", o.Rung, doc.Task, o.Candidate.Short())); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *erasing) candidate(ctx context.Context, c *rung.Candidate, name string) error {
	if e.holdsJSON(c) {
		e.made("candidate", name, "holds them as demonstrations", againDo)
	}
	if d := c.Demos; d != nil && d.Pool != "" {
		if b, err := e.opt.Store.Blob(ctx, recipe.PoolKind, d.Pool); err == nil && e.finder.Holds(b) {
			e.made("train pool", d.Pool.Short(), "holds them", againDo)
		}
	}
	if c.Retrieval != nil {
		if b, err := e.opt.Store.Blob(ctx, recipe.IndexKind, c.Retrieval.Index); err == nil && e.finder.Holds(b) {
			e.made("index", c.Retrieval.Index.Short(), "holds them", "correct the documents, and climb again, which builds it anew")
		}
	}
	if c.Adapter == nil {
		return nil
	}
	how, dir, err := e.learned(ctx, c.Adapter)
	if err != nil || how == "" {
		return err
	}
	name = c.Adapter.Digest.Short()
	if dir != "" {
		name += " (training/" + dir + ")"
	}
	e.made("adapter", name, how, adapterDo)
	return nil
}

func (e *erasing) holdsJSON(v any) bool {
	b, err := json.Marshal(v)
	return err == nil && e.finder.Holds(b)
}

// learned says what an adapter has to do with the rows; empty when nothing.
func (e *erasing) learned(ctx context.Context, a *rung.Adapter) (how, dir string, err error) {
	if len(e.finder.Rows()) == 0 {
		return "", "", nil
	}
	b, ok, err := e.opt.Store.Step(ctx, recipe.LineageStep(a.Data))
	if err != nil {
		return "", "", err
	}
	var l recipe.Lineage
	if !ok || json.Unmarshal(b, &l) != nil {
		return "may have been trained on them: it was made before it was kept which rows an adapter learned from", "", nil
	}
	in := func(ids []string) (n int) {
		for _, id := range ids {
			if e.finder.Rows()[id] {
				n++
			}
		}
		return n
	}
	switch train, dev := in(l.Train), in(l.Dev); {
	case train > 0:
		return fmt.Sprintf("was trained on %d of them", train), l.Dir, nil
	case dev > 0:
		return fmt.Sprintf("was not trained on them; its settings were chosen on %d of them", dev), l.Dir, nil
	}
	return "", "", nil
}

// releases are those of the registry beside the store.
func (e *erasing) releases(ctx context.Context) error {
	if e.opt.Serving == nil || e.opt.Dir == "" {
		return nil
	}
	if _, err := os.Stat(ReleasesDir(e.opt.Dir)); err != nil {
		return nil // nothing was released
	}
	lines, err := e.opt.Serving.Releases(ctx, "")
	if err != nil || len(lines) == 0 {
		return err
	}
	layout, err := registry.Open(ReleasesDir(e.opt.Dir))
	if err != nil {
		return err
	}
	for _, l := range lines {
		r, err := layout.Release(ctx, l.Digest)
		if err != nil {
			e.made("release", l.Task+"@"+l.Version, "could not be read, so nobody knows whether it holds them", "look at it on the machine that made it")
			continue
		}
		how, err := e.releaseHow(ctx, layout, r)
		if err != nil {
			return err
		}
		if how != "" {
			e.made("release", r.Name(), how, releaseDo)
			e.holding = append(e.holding, holding{r, how})
		}
	}
	return nil
}

func (e *erasing) releaseHow(ctx context.Context, layout *registry.Layout, r *rung.Release) (string, error) {
	if e.holdsJSON(&r.Candidate) {
		return "holds them as demonstrations", nil
	}
	for _, kind := range []string{registry.Pool, registry.Index} {
		b, err := layout.Part(ctx, r, kind)
		if err != nil {
			return "", err
		}
		if b != nil && e.finder.Holds(b) {
			return "holds them in its " + kind, nil
		}
	}
	if r.Candidate.Adapter == nil || e.opt.Store == nil {
		return "", nil
	}
	how, _, err := e.learned(ctx, r.Candidate.Adapter)
	if how != "" {
		how = "its adapter " + how
	}
	return how, err
}
