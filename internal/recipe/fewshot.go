package recipe

import (
	"context"
	"fmt"
	"sort"

	"github.com/rung-dev/rung"
)

// The numbers of demonstrations that are tried: first the ways to choose them with the middle one, then the best way with
// the others.
const (
	firstShots = 5
	fewShots   = 3
	manyShots  = 8
)

// fewshot adds demonstrations from train. On dev it chooses how they are picked (fixed, nearest by words, nearest by
// embedding), how many, and whether counter-examples of a recurring mistake help.
func (k *Kit) fewshot(ctx context.Context, ref rung.ModelRef) (*Built, error) {
	return once(&k.shots, ref, func() (*Built, error) {
		base, err := k.prompt(ctx, ref)
		if err != nil {
			return nil, err
		}
		b := &Built{}
		best, err := k.chooseMode(ctx, b, base.Candidate)
		if err != nil {
			return nil, err
		}
		if best, err = k.chooseShots(ctx, b, best); err != nil {
			return nil, err
		}
		if best, err = k.addCounter(ctx, b, best); err != nil {
			return nil, err
		}
		b.Candidate = &best.cand
		return b, nil
	})
}

// withDemos is base on the fewshot rung with demonstrations picked in the given way.
func (k *Kit) withDemos(ctx context.Context, base *rung.Candidate, mode rung.DemoMode, n int) (option, error) {
	p, err := k.trainPool(ctx)
	if err != nil {
		return option{}, err
	}
	n = min(n, len(p.demos))
	c := *base
	c.Rung = rung.FewShot
	c.Demos = &rung.Demos{Mode: mode, K: n}
	label := fmt.Sprintf("%s template, %d nearest by words", c.Template.Name, n)
	switch mode {
	case rung.FixedDemos:
		c.Demos.Fixed = p.balanced(n, k.Task.Output)
		label = fmt.Sprintf("%s template, %d fixed, balanced", c.Template.Name, n)
	case rung.NearestBM25:
		c.Demos.Pool = p.digest
	case rung.NearestDense:
		c.Demos.Pool, c.Demos.Embedder = p.digest, k.Embedder
		label = fmt.Sprintf("%s template, %d nearest by embedding", c.Template.Name, n)
	}
	return option{label, c}, nil
}

// chooseMode picks the template on which demonstrations work best, then the way to choose them.
func (k *Kit) chooseMode(ctx context.Context, b *Built, base *rung.Candidate) (option, error) {
	var opts []option
	add := func(c rung.Candidate, t rung.Template, mode rung.DemoMode) error {
		c.Template = t
		o, err := k.withDemos(ctx, &c, mode, firstShots)
		opts = append(opts, o)
		return err
	}
	if err := add(*base, base.Template, rung.FixedDemos); err != nil {
		return option{}, err
	}
	if base.Template.Name != shortTemplate.Name { // with demonstrations the form explains itself
		if err := add(*base, shortTemplate, rung.FixedDemos); err != nil {
			return option{}, err
		}
	}
	best, err := k.choose(ctx, b, opts, k.dev(base.Model))
	if err != nil {
		return option{}, err
	}
	fixed := opts[best]
	opts = []option{fixed}
	modes := []rung.DemoMode{rung.NearestBM25}
	if k.Embedder != "" {
		modes = append(modes, rung.NearestDense)
	}
	for _, mode := range modes {
		if err := add(*base, fixed.cand.Template, mode); err != nil {
			return option{}, err
		}
	}
	if best, err = k.choose(ctx, b, opts, k.dev(base.Model)); err != nil {
		return option{}, err
	}
	return opts[best], nil
}

func (k *Kit) chooseShots(ctx context.Context, b *Built, best option) (option, error) {
	opts := make([]option, 0, 3)
	for _, n := range []int{fewShots, firstShots, manyShots} {
		o, err := k.withDemos(ctx, &best.cand, best.cand.Demos.Mode, n)
		if err != nil {
			return option{}, err
		}
		if len(opts) == 0 || opts[len(opts)-1].cand.Digest() != o.cand.Digest() {
			opts = append(opts, o)
		}
	}
	if len(opts) == 1 {
		return best, nil
	}
	i, err := k.choose(ctx, b, opts, k.dev(best.cand.Model))
	if err != nil {
		return option{}, err
	}
	return opts[i], nil
}

// A mistake recurs when it is at least so many of the dev examples and at least this share of them.
const (
	recurringCount = 3
	recurringShare = .1
	counterShown   = 2
)

// addCounter tries counter-examples, with the wrong answer and why it is wrong: dev examples that show the commonest mistake, and
// train or dev examples whose mistake a person has confirmed. They are left out of the examples on which with and without are compared.
func (k *Kit) addCounter(ctx context.Context, b *Built, best option) (option, error) {
	dev := k.dev(best.cand.Model)
	_, scores, err := k.try(ctx, b, best, dev)
	if err != nil {
		return best, err
	}
	opts, shown := []option{best}, map[string]bool{}
	add := func(examples []rung.CounterExample, what string) {
		if len(examples) == 0 {
			return
		}
		opts = append(opts, withCounters(best, examples, what))
		for _, c := range examples {
			shown[c.ID] = true
		}
	}
	add(commonMistake(scores, dev), "counter-examples")
	add(k.confirmed(), "counter-examples that a person confirmed")
	if len(opts) == 1 {
		return best, nil
	}
	left := make([]rung.Example, 0, len(dev))
	for i := range dev {
		if !shown[dev[i].ID] {
			left = append(left, dev[i])
		}
	}
	i, err := k.choose(ctx, b, opts, left)
	if err != nil {
		return best, err
	}
	return opts[i], nil
}

// commonMistake gives up to counterShown dev examples that show the commonest mistake, if it recurs.
func commonMistake(scores []rung.Score, dev []rung.Example) []rung.CounterExample {
	kinds := make(map[string][]int)
	for i := range dev {
		if m := scores[i].Mistake; m != "" {
			kinds[m] = append(kinds[m], i)
		}
	}
	names := make([]string, 0, len(kinds))
	for name := range kinds {
		names = append(names, name)
	}
	sort.Slice(names, func(a, b int) bool {
		if la, lb := len(kinds[names[a]]), len(kinds[names[b]]); la != lb {
			return la > lb
		}
		return names[a] < names[b]
	})
	if len(names) == 0 {
		return nil
	}
	places := kinds[names[0]]
	if len(places) < recurringCount || float64(len(places)) < recurringShare*float64(len(dev)) {
		return nil
	}
	var shown []rung.CounterExample
	for _, i := range places {
		wrong := scores[i].Answer.Text
		if wrong == "" || len(wrong) > maxWrongShown || len(shown) == counterShown {
			continue
		}
		shown = append(shown, rung.CounterExample{
			Demo:  rung.Demo{ID: dev[i].ID, Input: dev[i].Input, Output: dev[i].Output},
			Wrong: wrong, Why: names[0] + ".",
		})
	}
	return shown
}
