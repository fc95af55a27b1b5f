package main

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/rung-dev/rung/internal/pii"
)

// tally counts spans: rightly found, found in error, missed.
type tally struct{ tp, fp, fn int }

func (t *tally) add(o tally) { t.tp, t.fp, t.fn = t.tp+o.tp, t.fp+o.fp, t.fn+o.fn }

func ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

func (t tally) f1() float64 { return ratio(2*t.tp, 2*t.tp+t.fp+t.fn) }

// half reports whether two spans of a type share at least half of what they cover together.
func half(a, b mark) bool {
	both := min(a.end, b.end) - max(a.start, b.start)
	return a.kind == b.kind && both > 0 && 2*both >= max(a.end, b.end)-min(a.start, b.start)
}

// compare matches findings with labels, one to one. Types that are not in the data set are left out.
func compare(gold, said []mark, types map[pii.Type]bool) map[pii.Type]tally {
	out := map[pii.Type]tally{}
	used := make([]bool, len(said))
	for _, g := range gold {
		if !types[g.kind] {
			continue
		}
		t := out[g.kind]
		i := slices.IndexFunc(said, func(m mark) bool { return half(g, m) })
		for i >= 0 && used[i] {
			next := slices.IndexFunc(said[i+1:], func(m mark) bool { return half(g, m) })
			if next < 0 {
				i = -1
			} else {
				i += 1 + next
			}
		}
		if i >= 0 {
			used[i] = true
			t.tp++
		} else {
			t.fn++
		}
		out[g.kind] = t
	}
	for i, m := range said {
		if !used[i] && types[m.kind] {
			t := out[m.kind]
			t.fp++
			out[m.kind] = t
		}
	}
	return out
}

// board is a score by type, and by group for the interval.
type board struct {
	types  map[pii.Type]bool
	by     map[pii.Type]*tally
	groups map[int]*tally
}

func newBoard(kinds map[string]pii.Type) *board {
	b := &board{types: map[pii.Type]bool{}, by: map[pii.Type]*tally{}, groups: map[int]*tally{}}
	for _, k := range kinds {
		b.types[k] = true
	}
	return b
}

func (b *board) add(group int, gold, said []mark) {
	if b.groups[group] == nil {
		b.groups[group] = &tally{}
	}
	for k, t := range compare(gold, said, b.types) {
		if b.by[k] == nil {
			b.by[k] = &tally{}
		}
		b.by[k].add(t)
		b.groups[group].add(t)
	}
}

func (b *board) all() (t tally) {
	for _, o := range b.by {
		t.add(*o)
	}
	return t
}

// interval is the percentile interval of F1 at 95 % over 2,000 resamples of the groups.
func (b *board) interval() (low, high float64) {
	keys := make([]int, 0, len(b.groups))
	for k := range b.groups {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	r := rand.New(rand.NewPCG(1, 1))
	var values []float64
	for range 2000 {
		var t tally
		for range keys {
			t.add(*b.groups[keys[r.IntN(len(keys))]])
		}
		values = append(values, t.f1())
	}
	slices.Sort(values)
	return values[49], values[1949]
}

func (b *board) print(title string) {
	a := b.all()
	low, high := b.interval()
	fmt.Printf("%s\n  %-14s %9s %7s %6s  %6s\n", title, "type", "precision", "recall", "F1", "spans")
	for _, k := range pii.Types {
		if t := b.by[k]; t != nil {
			fmt.Printf("  %-14s %9.3f %7.3f %6.3f  %6d\n", k, ratio(t.tp, t.tp+t.fp), ratio(t.tp, t.tp+t.fn), t.f1(), t.tp+t.fn)
		}
	}
	fmt.Printf("  %-14s %9.3f %7.3f %6.3f  %6d   F1 %.3f to %.3f (95 %%, bootstrap over %d groups)\n\n", "all", ratio(a.tp, a.tp+a.fp), ratio(a.tp, a.tp+a.fn), a.f1(), a.tp+a.fn, low, high, len(b.groups))
}

func median(v []float64) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return v[len(v)/2]
}
