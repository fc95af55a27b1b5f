package modes

import (
	"slices"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/stats"
)

// statuses in the order in which they are counted: the strongest evidence first.
var statuses = []rung.ModeStatus{rung.ModeConfirmed, rung.ModeFound, rung.ModeProposed, rung.ModeRejected}

// shownExamples are named beside a count.
const shownExamples = 5

// Count counts the standings by mode and status, in the order of the taxonomy. groups are the clusters of all n examples that were
// scored, in which order does not matter but their number does; a mistake's group is found by its example. Shares are of all
// examples, with intervals at level; plan is set where the evaluation stopped early, whose intervals are those of a sequence.
func Count(standing []Standing, taxonomy []rung.FailureMode, groups map[string]string, level float64, plan *stats.AnytimePlan) []rung.ModeCount {
	type key struct {
		mode   string
		status rung.ModeStatus
	}
	examples := map[key][]string{}
	known := map[string]bool{}
	for _, s := range standing {
		k := key{s.Mode, s.Status}
		examples[k] = append(examples[k], s.Example)
		known[s.Mode] = true
	}
	var out []rung.ModeCount
	for _, mode := range Order(taxonomy, known) {
		for _, status := range statuses {
			if shown := examples[key{mode, status}]; len(shown) > 0 {
				out = append(out, rung.ModeCount{Mode: mode, Status: status, Count: len(shown), Share: share(shown, groups, level, plan),
					Examples: firstExamples(shown)})
			}
		}
	}
	return out
}

// firstExamples are the first few; an example that was answered several times is one.
func firstExamples(shown []string) []string {
	var out []string
	for _, id := range shown {
		if len(out) < shownExamples && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// share is the share of examples with its interval: clustered where examples form groups.
func share(shown []string, groups map[string]string, level float64, plan *stats.AnytimePlan) rung.Interval {
	is := make(map[string]bool, len(shown))
	for _, id := range shown {
		is[id] = true
	}
	ids := Order(nil, groups)
	values, names := make([]float64, len(ids)), make([]string, len(ids))
	clustered := false
	seen := map[string]bool{}
	for i, id := range ids {
		if is[id] {
			values[i] = 1
		}
		names[i] = groups[id]
		clustered = clustered || names[i] != "" && seen[names[i]]
		seen[names[i]] = true
	}
	var clusters []int
	if clustered {
		clusters = stats.Clusters(names)
	}
	o := stats.Options{Level: level, PassFail: true, Bounds: stats.Bounds{Low: 0, High: 1}, Seed: 1}
	if plan != nil {
		return rung.Interval(stats.NewAnytime(values, clusters, 0, *plan, o).Interval((1 - level) / 2).Interval)
	}
	return rung.Interval(stats.Mean(values, clusters, o).Interval)
}

// LookedAt is how many of the mistakes a person has said something about. What is confirmed is a lower bound while it is less than
// all of them.
func LookedAt(mistakes []Mistake, labels []rung.ModeLabel) int {
	by := map[string]bool{}
	for _, l := range labels {
		by[l.Example] = by[l.Example] || l.Status == rung.ModeConfirmed || l.Status == rung.ModeRejected
	}
	n := 0
	for i := range mistakes {
		if by[mistakes[i].Example.ID] {
			n++
		}
	}
	return n
}
