package grade

import (
	"fmt"
	"slices"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/stats"
)

// An evaluation that may stop early is looked at while it grows. Prefix is such a look. Once it has stopped, Drop leaves what was
// seen, and after Stop every interval of the tally holds at whatever example one stops.

// Prefix is one metric over the examples at the given places, as a sample that may be looked at again when it has grown. ok is
// false for an unknown metric.
func (t *Tally) Prefix(metric string, places []int, plan stats.AnytimePlan) (a *stats.Anytime, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i, ok := t.g.index[metric]
	if !ok {
		return nil, false
	}
	rows := slices.Clone(places)
	slices.Sort(rows)
	return t.anytime(i, rows, t.clusters(rows), plan), true
}

func (t *Tally) anytime(i int, rows, clusters []int, plan stats.AnytimePlan) *stats.Anytime {
	m := &t.g.metrics[i]
	o := stats.Options{PassFail: m.kind == passFail, Bounds: m.bounds}
	if m.kind == passFail || m.kind == graded {
		if one := t.alike(i, rows); one != nil {
			return stats.NewAnytime(t.own(i, one), t.clusters(one), 0, plan.Each(t.answers), o)
		}
		return stats.NewAnytime(t.own(i, rows), clusters, 0, plan, o)
	}
	scores, figure := t.influence(i, rows)
	o.Linearised = true
	return stats.NewAnytime(scores, clusters, figure, plan, o)
}

// Slow counts the answers at the given places that took longer than limit nanoseconds.
func (t *Tally) Slow(places []int, limit int64) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, row := range places {
		if t.latency[row] > limit {
			n++
		}
	}
	return n
}

// Excess are, for the answers at the given places, what each cost beyond what its success may cost, in USD: their sum is at most 0
// when the cost per success is at most limit.
func (t *Tally) Excess(places []int, limit float64) []float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]float64, len(places))
	for i, row := range places {
		out[i] = t.cost[row]
		if t.success[row] {
			out[i] -= limit
		}
	}
	return out
}

// Drop forgets the examples at the given places.
func (t *Tally) Drop(places []int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, row := range places {
		if row < len(t.there) {
			t.there[row] = false
		}
	}
}

// Stop says that the tally is of an evaluation that stopped early: the intervals of the tally, and of comparisons with it, are those
// of a sequence from then on.
func (t *Tally) Stop(plan stats.AnytimePlan) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.plan = &plan
}

// Part is the tally of those examples only whose id is kept.
func (t *Tally) Part(keep func(id string) bool) *Tally {
	t.mu.Lock()
	defer t.mu.Unlock()
	part := &Tally{g: t.g, n: t.n, columns: t.columns, ids: t.ids, groups: t.groups, success: t.success, problem: t.problem,
		mistake: t.mistake, modes: t.modes, latency: t.latency, cost: t.cost, counts: t.counts, plan: t.plan, answers: t.answers,
		problems: t.problems, kinds: t.kinds, kindNo: t.kindNo, there: make([]bool, len(t.there))}
	for row := range t.n {
		part.there[row] = t.there[row] && keep(t.ids[row])
	}
	return part
}

// Repeated says that the tally holds so many answers to each example, one after another: figures count examples, and the answers
// to one are a cluster.
func (t *Tally) Repeated(answers int) { t.answers = max(1, answers) }

// mean is the mean of the scores of rows with the interval that suits the tally.
func (t *Tally) mean(scores []float64, rows, clusters []int, o stats.Options) stats.Estimate {
	counted, plan := t.counted, t.plan
	if at := t.firsts(rows, func(a, b int) bool { return scores[a] == scores[b] }); at != nil {
		scores, clusters, counted = pick(scores, at), t.clusters(pick(rows, at)), t.single
		if plan != nil {
			each := plan.Each(t.answers)
			plan = &each
		}
	}
	if plan == nil {
		return counted(stats.Mean(scores, clusters, o))
	}
	return counted(stats.NewAnytime(scores, clusters, 0, *plan, o).Interval((1 - o.Level) / 2))
}

// shareIn is the share of ones among some of the rows, which may be any answers of any examples: n is their number.
func (t *Tally) shareIn(ones []float64, in []int, level float64) rung.Interval {
	o, clusters := stats.Options{Level: level, PassFail: true, Bounds: unit, Seed: 1}, t.clusters(in)
	if t.plan == nil {
		return rung.Interval(stats.Mean(ones, clusters, o).Interval)
	}
	return rung.Interval(stats.NewAnytime(ones, clusters, 0, *t.plan, o).Interval((1 - level) / 2).Interval)
}

// Several answers to an example that all have one score say no more than one of them: where that is so of every example, a figure is
// that of one answer each, with the interval and the test that one answer has. Else asking a model that always says the same twice
// would change the verdict.

// firsts are the places in rows of each example's first answer where all answers to every example are the same, as same says of two
// places; nil where they are not, and where there is one answer to each. Answers to one example are neighbours.
func (t *Tally) firsts(rows []int, same func(a, b int) bool) []int {
	if t.answers <= 1 || len(rows) == 0 {
		return nil
	}
	at := make([]int, 0, len(rows)/t.answers+1)
	for k, row := range rows {
		switch {
		case k == 0 || t.ids[row] != t.ids[rows[k-1]]:
			at = append(at, k)
		case !same(k-1, k):
			return nil
		}
	}
	return at
}

// alike are the rows of first answers where all answers to every example are the same to a metric; nil otherwise.
func (t *Tally) alike(i int, rows []int) []int {
	c, w := &t.columns[i], t.g.metrics[i].width
	at := t.firsts(rows, func(a, b int) bool {
		a, b = rows[a], rows[b]
		return c.own[a] == c.own[b] && slices.Equal(c.parts[a*w:(a+1)*w], c.parts[b*w:(b+1)*w])
	})
	if at == nil {
		return nil
	}
	return pick(rows, at)
}

func pick[E any](from []E, at []int) []E {
	out := make([]E, len(at))
	for i, k := range at {
		out[i] = from[k]
	}
	return out
}

// single says of an estimate of one answer each that there were several.
func (t *Tally) single(e stats.Estimate) stats.Estimate {
	e.Method += fmt.Sprintf(", %d answers each, all alike", t.answers)
	return e
}

// counted makes n the number of examples where there are several answers to each.
func (t *Tally) counted(e stats.Estimate) stats.Estimate {
	if t.answers > 1 {
		e.N /= t.answers
		e.Method += fmt.Sprintf(", %d answers each", t.answers)
	}
	return e
}

// Stopped reports whether the tally is of an evaluation that stopped early.
func (t *Tally) Stopped() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.plan != nil
}

// Split splits the variance of every mean metric between examples and repeated answers. It is nil with one answer per example.
func (t *Tally) Split() []rung.Variance {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.answers <= 1 {
		return nil
	}
	rows := t.rows()
	example := make([]int, len(rows))
	for k, row := range rows {
		example[k] = row / t.answers
	}
	var out []rung.Variance
	for i := range t.g.metrics {
		m := &t.g.metrics[i]
		if m.kind != passFail && m.kind != graded {
			continue
		}
		scores := t.own(i, rows)
		c := stats.SplitVariance(scores, example)
		out = append(out, rung.Variance{Metric: m.name, N: c.Examples, Answers: t.answers, Between: c.Between, Sampling: c.Sampling,
			SE: stats.ClusteredSE(scores, t.clusters(rows)), SamplingShare: c.SamplingShare(), Method: "one-way random effects (analysis of variance)"})
	}
	return out
}
