package climb

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/stats"
)

// stopping is plan with early stopping on n examples.
func stopping(n int) Plan {
	p := plan()
	p.Heldout, p.Largest = n, 1
	return p
}

// The promise of a climb holds with stopping on: every rung exactly at the bar, 2,000 climbs of five rungs, graded and judged by the
// real code. And no early decision contradicts the one that the same answers, asked in full, give where both are conclusive.
func TestWrongPassesWithStopping(t *testing.T) {
	const climbs = 2000
	at := map[rung.Rung]float64{}
	for _, r := range rung.Ladder {
		at[r] = .7
	}
	l := newLadder(t, 100, 11, at)
	l.lean = true
	wrong, contradicted, conclusive := 0, 0, 0
	for range climbs {
		clear(l.tossed)
		early, d := l.run(stopping(100))
		if d.Verdict == rung.Pass {
			wrong++
		}
		full, _ := l.run(plan())
		for i := range early {
			a, b := early[i].Verdict, full[i].Verdict
			if early[i].Status != rung.Scored || full[i].Status != rung.Scored || a == rung.Inconclusive || b == rung.Inconclusive {
				continue
			}
			conclusive++
			if a != b {
				contradicted++
			}
		}
	}
	rate := float64(wrong) / climbs
	t.Logf("wrong passes in %.4f of %d climbs; %d decisions conclusive both ways", rate, climbs, conclusive)
	if rate > .05+3*.0049 {
		t.Errorf("wrong passes in %.3f of climbs, α is .05", rate)
	}
	if contradicted > 0 || conclusive == 0 {
		t.Errorf("%d of %d early decisions contradict the full ones", contradicted, conclusive)
	}
}

// source draws samples of scores whose mean is known.
type source struct {
	name   string
	mean   float64
	bar    float64 // where the mean is the bar it is 0
	n      int
	o      stats.Options
	sample func(rng *rand.Rand, n int) (scores []float64, clusters []int)
}

func alone(draw func(rng *rand.Rand) float64) func(*rand.Rand, int) ([]float64, []int) {
	return func(rng *rand.Rand, n int) ([]float64, []int) {
		out := make([]float64, n)
		for i := range out {
			out[i] = draw(rng)
		}
		return out, nil
	}
}

// inPairs draws clusters of one to three examples that are alike.
func inPairs(rng *rand.Rand, n int) (scores []float64, clusters []int) {
	for c := 0; len(scores) < n; c++ {
		v := float64(rng.IntN(2))
		for range min(1+rng.IntN(3), n-len(scores)) {
			scores, clusters = append(scores, v), append(clusters, c)
		}
	}
	return scores, clusters
}

func sources() []source {
	coin := func(p float64) func(rng *rand.Rand) float64 {
		return func(rng *rand.Rand) float64 {
			if rng.Float64() < p {
				return 1
			}
			return 0
		}
	}
	passFail := stats.Options{PassFail: true, Resamples: 300}
	graded := stats.Options{Resamples: 300}
	return []source{
		{"pass/fail .02", .02, 0, 100, passFail, alone(coin(.02))},
		{"pass/fail .5", .5, 0, 100, passFail, alone(coin(.5))},
		{"pass/fail .95", .95, 0, 200, passFail, alone(coin(.95))},
		{"uniform", .5, 0, 100, graded, alone(func(rng *rand.Rand) float64 { return rng.Float64() })},
		{"nearly all ones", .975, 0, 100, graded, alone(func(rng *rand.Rand) float64 {
			if rng.Float64() < .95 {
				return 1
			}
			return rng.Float64()
		})},
		{"skewed", .9, 0, 100, graded, alone(func(rng *rand.Rand) float64 { u := rng.Float64(); return 1 - u*u*u*u*u*u*u*u*u })},
		{"rarely high", .1, 0, 100, graded, alone(func(rng *rand.Rand) float64 { u := rng.Float64(); return u * u * u * u * u * u * u * u * u })},
		{"groups", .5, 0, 120, graded, inPairs},
		{"percent", 50, 0, 100, stats.Options{Bounds: stats.Bounds{Low: 0, High: 100}, Resamples: 300}, alone(func(rng *rand.Rand) float64 { return 100 * rng.Float64() })},
		{"unbounded", 0, 0, 250, stats.Options{Bounds: stats.Unbounded, Resamples: 300}, alone(func(rng *rand.Rand) float64 { return rng.NormFloat64() })},
		{"linearised", .8, 0, 250, stats.Options{Linearised: true, Resamples: 300}, alone(func(rng *rand.Rand) float64 { return .8 + .5*(rng.Float64()-.5) })},
	}
}

// decide looks at a sample as a rung of a climb does, and gives the verdict and the examples it took.
func (c *source) decide(scores []float64, clusters []int, alpha float64) (stats.Verdict, int, rung.Why) {
	bar := c.mean
	if c.bar != 0 {
		bar = c.bar
	}
	s := Stopping{Bar: rung.Bar{Metric: "m", AtLeast: bar}, Alpha: alpha, Total: len(scores), Largest: 3}
	if clusters == nil {
		s.Largest = 1
	}
	look := s.NextLook(0)
	for n := 1; n < len(scores); n++ {
		if n < look || clusters != nil && clusters[n] == clusters[n-1] {
			continue
		}
		look = s.NextLook(n)
		var own []int
		if clusters != nil {
			own = clusters[:n]
		}
		stop := s.Look(&Seen{N: n, Bar: stats.NewAnytime(scores[:n], own, mean(scores[:n]), s.Plan(), c.o)})
		if stop == nil {
			continue
		}
		switch stop.Why {
		case rung.StopPass:
			return stats.Pass, n, stop.Why
		case rung.StopFail:
			return stats.Fail, n, stop.Why
		}
		return stats.Inconclusive, n, stop.Why
	}
	o := c.o
	o.Level = s.EndLevel()
	return stats.Mean(scores, clusters, o).Verdict(bar), len(scores), ""
}

func mean(scores []float64) float64 {
	sum := 0.0
	for _, v := range scores {
		sum += v
	}
	return sum / float64(len(scores))
}

// A candidate exactly at the bar passes with probability at most its share of α, over all looks and the end, for scores of every
// kind. 1,000 samples each; the bound allows three standard errors of simulation.
func TestWrongPassesWhenStopping(t *testing.T) {
	const samples, alpha = 1000, .05
	for _, c := range sources() {
		rng := rand.New(rand.NewPCG(5, 6))
		wrong, wrongFail, asked := 0, 0, 0
		for range samples {
			scores, clusters := c.sample(rng, c.n)
			v, n, _ := c.decide(scores, clusters, alpha)
			asked += n
			switch v {
			case stats.Pass:
				wrong++
			case stats.Fail:
				wrongFail++
			}
		}
		t.Logf("%-16s wrong passes %.4f, wrong fails %.4f, asked %.0f of %d", c.name, float64(wrong)/samples, float64(wrongFail)/samples, float64(asked)/samples, c.n)
		if limit := alpha + 3*.0069; float64(wrong)/samples > limit || float64(wrongFail)/samples > limit {
			t.Errorf("%s: wrong passes %.4f, wrong fails %.4f, α is %g", c.name, float64(wrong)/samples, float64(wrongFail)/samples, alpha)
		}
	}
}

// Looking costs a good candidate hardly any power, and a clear one is settled early.
func TestStoppingCostsHardlyAnyPower(t *testing.T) {
	const samples = 1000
	for _, c := range []struct {
		rate, bar, alpha float64
		n                int
		saves            float64 // times fewer examples, at least
	}{{.6, .45, .01, 100, 1.05}, {.85, .8, .01, 400, 1.1}, {.75, .45, .05, 100, 2}, {.95, .8, .05, 400, 3}, {.2, .45, .05, 100, 3}} {
		src := source{mean: c.rate, bar: c.bar, n: c.n, o: stats.Options{PassFail: true}, sample: alone(func(rng *rand.Rand) float64 {
			if rng.Float64() < c.rate {
				return 1
			}
			return 0
		})}
		rng := rand.New(rand.NewPCG(7, 8))
		early, full, asked := 0, 0, 0
		for range samples {
			scores, _ := src.sample(rng, c.n)
			v, n, _ := src.decide(scores, nil, c.alpha)
			asked += n
			if v == stats.Pass {
				early++
			}
			o := src.o
			o.Level = 1 - c.alpha
			if stats.Mean(scores, nil, o).Verdict(c.bar) == stats.Pass {
				full++
			}
		}
		saved := float64(c.n*samples) / float64(asked)
		t.Logf("rate %.2f, bar %.2f, share %.2f, %d examples: %d pass in full, %d with looks; %.1f times fewer examples", c.rate, c.bar, c.alpha, c.n, full, early, saved)
		if float64(full-early) > .03*samples || saved < c.saves {
			t.Errorf("rate %.2f: %d pass in full and %d with looks, %.1f times fewer examples", c.rate, full, early, saved)
		}
	}
}

func TestStopsWhenItIsClear(t *testing.T) {
	l := newLadder(t, 400, 1, map[rung.Rung]float64{rung.Prompt: .2, rung.FewShot: 1})
	p := stopping(400)
	p.Rungs = []rung.Rung{rung.Prompt, rung.FewShot, rung.LoRA}
	outcomes, d := l.run(p)
	if d.Rung != rung.FewShot {
		t.Fatalf("decided %s %s", d.Rung, d.Verdict)
	}
	for i, why := range []rung.Why{"", rung.StopPass} {
		o := outcomes[i]
		if o.Stopped == nil || o.N != o.Stopped.N || o.Stopped.Of != 400 || o.N > 100 || why != "" && o.Stopped.Why != why {
			t.Errorf("%s: n %d, stopped %+v", o.Rung, o.N, o.Stopped)
		}
		if iv := o.Metrics["accuracy"]; iv.N != o.N || iv.Method != stats.BettingMethod {
			t.Errorf("%s: %+v", o.Rung, iv)
		}
		if !strings.Contains(o.Reason, fmt.Sprintf("stopped after %d of 400", o.N)) {
			t.Errorf("%s: %s", o.Rung, o.Reason)
		}
	}
	cmp := outcomes[1].Comparisons[0]
	if want := min(outcomes[0].N, outcomes[1].N); cmp.Difference.N != want || cmp.Test != "betting, valid at any stop" {
		t.Errorf("compared on %d examples by %s, want %d", cmp.Difference.N, cmp.Test, want)
	}
	if p.Full = true; true {
		clear(l.tossed)
		outcomes, _ = l.run(p)
		if o := outcomes[0]; o.N != 400 || o.Stopped != nil {
			t.Errorf("with Full it asked %d, %+v", o.N, o.Stopped)
		}
	}
}

// A pass is not believed before guards and limits are as good as settled, and what they make impossible is not asked to the end.
func TestGuardsAndLimitsHaveTheirSayInStopping(t *testing.T) {
	for name, c := range map[string]struct {
		set  func(*rung.Bar, *ladder)
		want rung.Verdict
		why  rung.Why
		most int
	}{
		"no guard":      {func(*rung.Bar, *ladder) {}, rung.Pass, rung.StopPass, 40},
		"guard kept":    {func(b *rung.Bar, _ *ladder) { b.Guards = map[string]float64{"accuracy": .99} }, rung.Pass, rung.StopPass, 400},
		"guard broken":  {func(b *rung.Bar, _ *ladder) { b.Guards = map[string]float64{"macro_f1": 1.01} }, rung.Fail, rung.StopFutility, 200},
		"slow":          {func(b *rung.Bar, l *ladder) { b.MaxP95Latency, l.latency = time.Second, 2*time.Second }, rung.Fail, rung.StopFutility, 20},
		"too expensive": {func(b *rung.Bar, l *ladder) { b.MaxCostPerSuccess, l.cost = .001, .01 }, rung.Fail, rung.StopFutility, 20},
	} {
		l := newLadder(t, 400, 6, map[rung.Rung]float64{rung.Prompt: 1})
		p := stopping(400)
		p.Rungs = []rung.Rung{rung.Prompt}
		c.set(&p.Bar, l)
		outcomes, _ := l.run(p)
		o := outcomes[0]
		if o.Verdict != c.want || o.Stopped == nil || o.Stopped.Why != c.why || o.N > c.most {
			t.Errorf("%s: %s after %d, %+v: %s", name, o.Verdict, o.N, o.Stopped, o.Reason)
		}
	}
}

// A metric that may not decide gives neither a pass nor a fail, and says why.
func TestAMetricThatMayNotDecide(t *testing.T) {
	for _, rate := range []float64{0, 1} {
		l := newLadder(t, 100, 6, map[rung.Rung]float64{rung.Prompt: rate})
		p := plan()
		p.Rungs, p.MayNotDecide = []rung.Rung{rung.Prompt}, "its judge was never held against people"
		outcomes, d := l.run(p)
		if o := outcomes[0]; o.Verdict != rung.Inconclusive || !strings.Contains(o.Reason, p.MayNotDecide) || d.Verdict == rung.Pass {
			t.Errorf("at %v, %s: %s", rate, o.Verdict, o.Reason)
		}
	}
}

// The order in which examples are asked depends on the set alone, keeps groups together, and is not the order of the file.
func TestOrder(t *testing.T) {
	var examples []rung.Example
	for i := range 200 {
		ex := rung.Example{ID: fmt.Sprint(i)}
		if i%3 == 0 {
			ex.Group = fmt.Sprint("g", i%30)
		}
		examples = append(examples, ex)
	}
	a, b, c := rung.Order("one", examples), rung.Order("one", examples), rung.Order("two", examples)
	if !slices.Equal(a, b) || slices.Equal(a, c) || slices.IsSorted(a) {
		t.Error("the order does not follow the set")
	}
	if s := slices.Sorted(slices.Values(a)); s[0] != 0 || s[199] != 199 || len(slices.Compact(s)) != 200 {
		t.Error("the order is no permutation")
	}
	seen := map[string]bool{}
	for at, i := range a {
		g := examples[i].Group
		if g != "" && seen[g] && examples[a[at-1]].Group != g {
			t.Errorf("group %s is torn", g)
		}
		seen[g] = true
	}
	if rung.LargestGroup(examples) != 7 && rung.LargestGroup(examples) != 6 {
		t.Errorf("largest group %d", rung.LargestGroup(examples))
	}
}
