package main

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/rollout"
)

type options struct {
	rollouts, rows int
	share, margin  float64
	seed           uint64
	store          string
	messages       int
}

// kind is a canary whose truth is measured: on every message of the day, for both releases.
type kind struct {
	name             string
	baseline, target []bool // answered right
	wrong            rollout.Action
}

// examplesOf are how many examples releases know.
var examplesOf = map[string]struct{ worse, baseline, better int }{
	"banking77": {700, 1500, 4500},
	"snips":     {50, 700, 6000},
}

// kinds makes the releases and measures them. The equal one knows as many examples as the baseline, but others: it answers
// differently and about as well.
func kinds(d *dataSet) []kind {
	n := examplesOf[d.name]
	n.better = min(n.better, len(d.pool))
	baseline := newRelease(d.pool[:n.baseline]).measure(d.day)
	worse := newRelease(d.pool[:n.worse]).measure(d.day)
	better := newRelease(d.pool[:n.better]).measure(d.day)
	equal := newRelease(d.pool[n.baseline : 2*n.baseline]).measure(d.day)
	return []kind{
		{"worse", baseline, worse, rollout.Promote},
		{"equal", baseline, equal, rollout.RollBack},
		{"better", baseline, better, rollout.RollBack},
	}
}

// result is what became of the rollouts of a kind.
type result struct {
	data, kind       string
	requests         int // of the day
	baseline, target float64
	rollouts         int
	promoted, back   int
	wrong            int
	targetN, all     []int // requests until the decision
	share, margin    float64
}

// replay lets the day pass once for each rollout: chance assigns the messages, and the evidence is looked at after each of them. A
// rollout that is undecided when the day is over starts the next day with the same messages.
func replay(d *dataSet, k kind, o options) result {
	out := result{data: d.name, kind: k.name, requests: len(d.day), baseline: rate(k.baseline), target: rate(k.target), rollouts: o.rollouts, share: o.share, margin: o.margin}
	r := rung.Rollout{ID: "replay", Mode: rung.Canary, Share: o.share, Rules: []rung.RolloutRule{{Metric: rollout.Success, Margin: o.margin}}}
	rollout.Fill(&r)
	r.MaxN = 0
	random := rand.New(rand.NewPCG(o.seed, 9))
	for range o.rollouts {
		action, target, all := once(&r, k, random)
		switch action {
		case rollout.Promote:
			out.promoted++
		case rollout.RollBack:
			out.back++
		}
		if action == k.wrong {
			out.wrong++
		}
		out.targetN, out.all = append(out.targetN, target), append(out.all, all)
	}
	return out
}

// days bounds a rollout.
const days = 3

func once(r *rung.Rollout, k kind, random *rand.Rand) (action rollout.Action, target, all int) {
	t := rollout.NewTally(r)
	begin := random.IntN(len(k.baseline)) // at any hour
	for i := range days * len(k.baseline) {
		at := (begin + i) % len(k.baseline)
		isTarget := random.Float64() < r.Share
		right := k.baseline[at]
		if isTarget {
			right = k.target[at]
			target++
		}
		t.Observe(isTarget, map[string]float64{rollout.Success: asNumber(right)})
		if action = rollout.Decide(r, t.Moments()); action != rollout.GoOn {
			return action, target, i + 1
		}
	}
	return rollout.GoOn, target, days * len(k.baseline)
}

func asNumber(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// quantiles are the median and the nine tenths quantile.
func quantiles(x []int) (half, most int) {
	x = slices.Sorted(slices.Values(x))
	return x[len(x)/2], x[len(x)*9/10]
}

func (r result) String() string {
	half, most := quantiles(r.targetN)
	allHalf, allMost := quantiles(r.all)
	return fmt.Sprintf("%-9s %-6s success %.3f → %.3f, share %.0f %%, margin %.2f: promoted %3d, rolled back %3d, undecided %3d, wrong %d of %d; requests of the target %d (median), %d (nine in ten), in all %d and %d of %d a day",
		r.data, r.kind, r.baseline, r.target, 100*r.share, r.margin, r.promoted, r.back, r.rollouts-r.promoted-r.back, r.wrong, r.rollouts, half, most, allHalf, allMost, r.requests)
}
