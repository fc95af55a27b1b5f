package grade

import (
	"fmt"
	"math"
	"slices"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/stats"
	"github.com/rung-dev/rung/internal/stats/dist"
)

// Compare compares b with a on one metric, example by example; the difference is b − a. Both must hold the same examples in the
// same order; where one of them stopped early they are compared on those that both hold, and the interval and the p-value are those
// of a sequence, which hold at any stop. Else the test is exact McNemar for pass/fail and Wilcoxon's signed-rank for graded scores where examples stand alone,
// sign flips by cluster where they form groups, and the paired cluster bootstrap for corpus metrics. PHolm is P and
// Significant says whether P is under 1−level: a caller with several comparisons adjusts both, and fills in With, Candidate
// and Practical.
func Compare(a, b *Tally, metric string, level float64, seed uint64) (rung.Comparison, error) {
	e, p, test, err := Difference(a, b, metric, level, seed)
	if err != nil {
		return rung.Comparison{}, err
	}
	return rung.Comparison{Metric: metric, Difference: rung.Interval(e.Interval), P: p, PHolm: p, Test: test, Significant: p < 1-level}, nil
}

// Difference is what Compare rests on: the estimate of b − a, the two-sided p-value, and the test that it comes from.
func Difference(a, b *Tally, metric string, level float64, seed uint64) (e stats.Estimate, pValue float64, test string, err error) {
	p, err := pairUp(a, b, metric)
	if err != nil {
		return e, 1, "", err
	}
	m := &a.g.metrics[p.metric]
	e, pValue, test = p.difference(m, stats.Options{Level: level, Bounds: m.bounds, Seed: seed})
	if p.single {
		return a.single(e), pValue, test, nil
	}
	return a.counted(e), pValue, test, nil
}

// difference is the estimate, the two-sided p-value and the test of a pairing.
func (p *pairing) difference(m *metric, o stats.Options) (e stats.Estimate, pValue float64, test string) {
	switch {
	case p.plan != nil:
		return p.anytimeTest(m, o)
	case m.kind == passFail || m.kind == graded:
		e = stats.MeanDifference(p.first, p.second, p.clusters, o)
		pValue, test = p.scoreTest(m.kind, o.Seed)
		return e, pValue, test
	}
	return p.corpusTest(m, o)
}

// pairing is one metric of two tallies on the same examples.
type pairing struct {
	metric        int
	first, second []float64 // own scores
	figure        float64   // of linearised scores; in the pairing, the difference
	clusters      []int
	partsA        [][]float64 // of corpus metrics
	partsB        [][]float64
	effort        int
	plan          *stats.AnytimePlan // where either stopped early
	single        bool               // one answer each, for all are alike on either side
}

func pairUp(a, b *Tally, metric string) (pairing, error) {
	i, ok := a.g.index[metric]
	j, okB := b.g.index[metric]
	if !ok || !okB {
		return pairing{}, &rung.Error{Code: rung.CodeNotFound, What: fmt.Sprintf("the metric %q was not scored for both candidates", metric),
			Do: "compare a metric that both reports show"}
	}
	common, plan := a.common(b)
	single := a.steady(i, common) && b.steady(j, common)
	if single && plan != nil {
		each := plan.Each(a.answers)
		plan = &each
	}
	idsA, p := a.side(i, common, single)
	idsB, q := b.side(j, common, single)
	if len(idsA) == 0 || !slices.Equal(idsA, idsB) || a.answers != b.answers {
		return pairing{}, &rung.Error{Code: rung.CodeInput, What: "the candidates were not scored on the same examples", Do: "score both on the same held-out set"}
	}
	p.second, p.partsB, p.plan, p.single = q.first, q.partsA, plan, single
	p.figure = q.figure - p.figure
	return p, nil
}

// common are the examples that both hold, where either stopped early; nil: all.
func (t *Tally) common(o *Tally) (map[string]bool, *stats.AnytimePlan) {
	mine, plan := t.present()
	theirs, other := o.present()
	if plan == nil {
		plan = other
	}
	if plan == nil {
		return nil, nil
	}
	for id := range mine {
		if !theirs[id] {
			delete(mine, id)
		}
	}
	return mine, plan
}

func (t *Tally) present() (map[string]bool, *stats.AnytimePlan) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ids := make(map[string]bool, t.n)
	for _, row := range t.rows() {
		ids[t.ids[row]] = true
	}
	return ids, t.plan
}

// rowsIn are the rows of the examples in common; nil is all.
func (t *Tally) rowsIn(common map[string]bool) []int {
	rows := t.rows()
	if common != nil {
		rows = slices.DeleteFunc(rows, func(row int) bool { return !common[t.ids[row]] })
	}
	return rows
}

// steady says that there are several answers to each example and all are the same to a metric.
func (t *Tally) steady(i int, common map[string]bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.alike(i, t.rowsIn(common)) != nil
}

// side is one tally's half of a pairing; with single, of the first answers alone.
func (t *Tally) side(i int, common map[string]bool, single bool) (ids []string, p pairing) {
	t.mu.Lock()
	defer t.mu.Unlock()
	rows := t.rowsIn(common)
	if single {
		rows = t.alike(i, rows)
	}
	ids = make([]string, len(rows))
	for k, row := range rows {
		ids[k] = t.ids[row]
	}
	p = pairing{metric: i, clusters: t.clusters(rows)}
	if k := t.g.metrics[i].kind; k == passFail || k == graded {
		p.first = t.own(i, rows)
		return ids, p
	}
	p.effort = 2 * t.effort(i)
	if common != nil || len(rows)*p.effort > maxDraws {
		p.first, p.figure = t.influence(i, rows)
		return ids, p
	}
	p.partsA = t.parts(i, rows)
	return ids, p
}

// ModeDifference is a failure mode found by rule with two candidates: its share with either, of the examples that both were asked, and
// the paired difference b − a.
type ModeDifference struct {
	Mode       string
	A, B       stats.Estimate
	Difference stats.Estimate
	P          float64 // two-sided
	Test       string
}

// ModeDifferences are the failure modes that a rule finds with either of two candidates, in the order of the taxonomy. Shares,
// differences and tests are those of a pass/fail metric.
func ModeDifferences(a, b *Tally, level float64, seed uint64) ([]ModeDifference, error) {
	common, plan := a.common(b)
	idsA, showsA, clusters := a.showing(common)
	idsB, showsB, _ := b.showing(common)
	if len(idsA) == 0 || !slices.Equal(idsA, idsB) || len(showsA) != len(showsB) {
		return nil, &rung.Error{Code: rung.CodeInput, What: "the candidates were not scored on the same examples", Do: "score both on the same held-out set"}
	}
	var out []ModeDifference
	for i := range showsA {
		p := pairing{first: showsA[i], second: showsB[i], clusters: clusters, plan: plan}
		if !slices.Contains(p.first, 1) && !slices.Contains(p.second, 1) {
			continue
		}
		d := ModeDifference{Mode: a.g.modes[i].mode.Name}
		o := stats.Options{Level: level, PassFail: true, Bounds: unit, Seed: seed}
		d.A, d.B = a.shareOf(p.first, clusters, plan, o), a.shareOf(p.second, clusters, plan, o)
		d.Difference, d.P, d.Test = p.difference(&metric{kind: passFail, bounds: unit}, o)
		d.Difference = a.counted(d.Difference)
		out = append(out, d)
	}
	return out, nil
}

// showing are, for each mode of the taxonomy, which rows show it by rule.
func (t *Tally) showing(common map[string]bool) (ids []string, shows [][]float64, clusters []int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	rows := t.rowsIn(common)
	shows = make([][]float64, len(t.g.modes))
	for i := range shows {
		shows[i] = make([]float64, len(rows))
	}
	for k, row := range rows {
		ids = append(ids, t.ids[row])
		for i := range shows {
			if t.modes[row]>>i&1 == 1 {
				shows[i][k] = 1
			}
		}
	}
	return ids, shows, t.clusters(rows)
}

func (t *Tally) shareOf(shows []float64, clusters []int, plan *stats.AnytimePlan, o stats.Options) stats.Estimate {
	if plan == nil {
		return t.counted(stats.Mean(shows, clusters, o))
	}
	return t.counted(stats.NewAnytime(shows, clusters, 0, *plan, o).Interval((1 - o.Level) / 2))
}

func (p *pairing) scoreTest(k kind, seed uint64) (float64, string) {
	d := make([]float64, len(p.first))
	for i := range d {
		d[i] = p.second[i] - p.first[i]
	}
	switch {
	case p.clusters != nil:
		return stats.SignFlip(d, p.clusters, stats.Resamples, seed), "sign flips by cluster"
	case k == passFail:
		return stats.McNemar(stats.Discordant(p.first, p.second)).P, "exact McNemar"
	}
	return stats.Wilcoxon(d).P, "Wilcoxon signed-rank"
}

// anytimeTest compares where either stopped early.
func (p *pairing) anytimeTest(m *metric, o stats.Options) (e stats.Estimate, pValue float64, test string) {
	o.Linearised = m.kind == corpus || m.kind == classes
	e, pValue = stats.MeanDifferenceAnytime(p.first, p.second, p.clusters, p.figure, *p.plan, o)
	if o.Linearised {
		e.Method += " of linearised scores"
		return e, pValue, "asymptotic sequence of linearised scores"
	}
	return e, pValue, "betting, valid at any stop"
}

// still is the standard error, as a share of the metric's range, up to which a figure does not vary: what rounding leaves.
const still = 1e-9

// corpusTest compares two figures of summed parts.
func (p *pairing) corpusTest(m *metric, o stats.Options) (e stats.Estimate, pValue float64, test string) {
	stat := func(sum []float64, _ float64) float64 { return m.total(sum) }
	if p.partsA != nil && p.partsB != nil {
		e, pValue = stats.FigureDifference(p.partsA, p.partsB, p.clusters, stat, o)
		return e, pValue, "paired cluster bootstrap"
	}
	o.Linearised = true
	e = stats.MeanDifference(p.first, p.second, p.clusters, o)
	e.Method += " of linearised scores"
	if e.SE < still*(m.bounds.High-m.bounds.Low) {
		return e, 1, "z test of linearised scores"
	}
	return e, 2 * dist.UnitNormal.Survival(math.Abs(e.Value)/e.SE), "z test of linearised scores"
}
