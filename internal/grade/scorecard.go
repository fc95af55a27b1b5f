package grade

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/stats"
)

// Scorecard is the tally in figures, with two-sided intervals at level. The same seed gives the same figures. Candidate, Split
// and WallSeconds are left to the caller.
func (t *Tally) Scorecard(level float64, seed uint64) rung.Scorecard {
	t.mu.Lock()
	defer t.mu.Unlock()
	rows := t.rows()
	card := rung.Scorecard{N: len(rows) / max(1, t.answers), Metrics: make(map[string]rung.Interval, len(t.columns))}
	clusters := t.clusters(rows)
	for i := range t.columns {
		e := t.estimate(i, rows, clusters, level, seed)
		card.Metrics[t.g.metrics[i].name] = rung.Interval(e.Interval)
	}
	t.totals(&card, rows)
	card.P50Millis, card.P95Millis = t.latencies(rows)
	card.Mistakes = t.mistakes(rows)
	card.Calibrations = t.calibrations(rows, level)
	card.Modes = t.modeCounts(rows, clusters, level)
	if t.answers > 1 {
		card.ModesOf = len(rows)
	}
	if t.g.kind == rung.Labels && len(rows) > 0 {
		counts := t.confusion(rows)
		card.Classes = t.g.classScores(counts)
		card.Confusion = &rung.Confusion{Labels: t.g.labels, Counts: counts}
	}
	return card
}

// Estimate is one metric with its interval and standard error, from which come the verdict against a bar and the n that would
// settle it. ok is false for an unknown metric.
func (t *Tally) Estimate(metric string, level float64, seed uint64) (e stats.Estimate, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i, ok := t.g.index[metric]
	if !ok {
		return stats.Estimate{}, false
	}
	rows := t.rows()
	return t.estimate(i, rows, t.clusters(rows), level, seed), true
}

// Series are the own scores of one metric in the frozen order with each example's cluster, for sequences. ok is false for an
// unknown metric.
func (t *Tally) Series(metric string) (scores []float64, clusters []int, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i, ok := t.g.index[metric]
	if !ok {
		return nil, nil, false
	}
	rows := t.rows()
	return t.own(i, rows), t.clusters(rows), true
}

// rows are the indexes that hold a score, ascending.
func (t *Tally) rows() []int {
	rows := make([]int, 0, t.n)
	for i := range t.n {
		if t.there[i] {
			rows = append(rows, i)
		}
	}
	return rows
}

// clusters are the cluster numbers of rows; nil when no two examples share a group.
func (t *Tally) clusters(rows []int) []int {
	groups := make([]string, len(rows))
	seen := make(map[string]bool)
	shared := false
	for i, row := range rows {
		groups[i] = t.groups[row]
		shared = shared || seen[groups[i]]
		if groups[i] != "" {
			seen[groups[i]] = true
		}
	}
	if !shared {
		return nil
	}
	return stats.Clusters(groups)
}

func (t *Tally) own(metric int, rows []int) []float64 {
	out := make([]float64, len(rows))
	for i, row := range rows {
		out[i] = t.columns[metric].own[row]
	}
	return out
}

// totals fills in what adds up.
func (t *Tally) totals(card *rung.Scorecard, rows []int) {
	for _, row := range rows {
		c := &t.counts[row]
		card.Calls.Made += int(c.made)
		card.Calls.Cached += int(c.cached)
		card.Calls.Failed += int(c.failed)
		card.Retries += int(c.retries)
		card.Tokens.In += int(c.in)
		card.Tokens.Out += int(c.out)
		card.CostUSD += t.cost[row]
		if t.success[row] {
			card.Successes++
		}
		if p := t.problems[t.problem[row]]; p != rung.NoProblem {
			if card.Problems == nil {
				card.Problems = map[rung.Problem]int{}
			}
			card.Problems[p]++
		}
	}
	if card.Successes > 0 {
		each := card.CostUSD / float64(card.Successes)
		card.CostPerSuccess = &each
	}
}

// latencies are the median and the 95th percentile in milliseconds, by nearest rank, over the examples that were asked at all.
// A call that failed counts with the time it took: whoever waited, waited.
func (t *Tally) latencies(rows []int) (p50, p95 float64) {
	taken := make([]int64, 0, len(rows))
	for _, row := range rows {
		if t.latency[row] > 0 {
			taken = append(taken, t.latency[row])
		}
	}
	slices.Sort(taken)
	return nearestRank(taken, .50), nearestRank(taken, .95)
}

func nearestRank(ascending []int64, p float64) float64 {
	if len(ascending) == 0 {
		return 0
	}
	rank := int(math.Ceil(p*float64(len(ascending)) - 1e-9))
	return float64(ascending[max(rank, 1)-1]) / float64(time.Millisecond)
}

// confusion counts the answered labels per expected label; the last column counts answers that are no label.
func (t *Tally) confusion(rows []int) [][]int {
	k := len(t.g.labels)
	counts := make([][]int, k)
	for i := range counts {
		counts[i] = make([]int, k+1)
	}
	pairs := t.columns[t.g.index["macro_f1"]].parts
	for _, row := range rows {
		expected, answered := int(pairs[2*row]), int(pairs[2*row+1])
		if expected < 0 {
			continue
		}
		if answered < 0 {
			answered = k
		}
		counts[expected][answered]++
	}
	return counts
}

// shownGroups and shownExamples bound what a scorecard tells of mistakes.
const (
	shownGroups   = 20
	shownExamples = 5
)

// mistakes are the most frequent kinds with the first examples of each.
func (t *Tally) mistakes(rows []int) []rung.MistakeGroup {
	groups := make(map[uint32]*rung.MistakeGroup)
	for _, row := range rows {
		if t.success[row] {
			continue
		}
		g := groups[t.mistake[row]]
		if g == nil {
			g = &rung.MistakeGroup{Kind: t.kinds[t.mistake[row]]}
			groups[t.mistake[row]] = g
		}
		g.Count++
		if len(g.Examples) < shownExamples && !slices.Contains(g.Examples, t.ids[row]) { // an example that was answered several times is one example
			g.Examples = append(g.Examples, t.ids[row])
		}
	}
	out := make([]rung.MistakeGroup, 0, len(groups))
	for _, g := range groups {
		out = append(out, *g)
	}
	slices.SortFunc(out, func(a, b rung.MistakeGroup) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Kind, b.Kind))
	})
	return out[:min(len(out), shownGroups)]
}
