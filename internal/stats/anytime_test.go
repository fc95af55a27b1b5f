package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

// At the true mean the money is not expected to grow: with every bet, and so mixed. Exact for pass/fail by counting all samples.
func TestMoneyIsNotExpectedToGrow(t *testing.T) {
	for _, m := range []float64{.02, .3, .5, .9} {
		for _, mirrored := range []bool{false, true} {
			const n = 14
			expected := 0.0
			for k := 0; k <= n; k++ {
				scores := make([]float64, n)
				for i := range k {
					scores[i] = 1
				}
				a := NewAnytime(scores, nil, 0, AnytimePlan{Total: 100}, Options{PassFail: true})
				c, _ := math.Lgamma(n + 1)
				d, _ := math.Lgamma(float64(k) + 1)
				e, _ := math.Lgamma(float64(n-k) + 1)
				expected += math.Exp(c-d-e+float64(k)*math.Log(m)+float64(n-k)*math.Log1p(-m)) * math.Exp(a.money(m, mirrored))
			}
			if math.Abs(expected-1) > 1e-9 {
				t.Errorf("m %g mirrored %v: expected money %.12f", m, mirrored, expected)
			}
		}
	}
}

// A sample looked at after every cluster is ever wrong on one side with a chance of at most alpha.
func TestAnytimeHoldsAtEveryLook(t *testing.T) {
	const runs, n, alpha = 800, 150, .05
	for name, draw := range map[string]struct {
		mean float64
		at   func(rng *rand.Rand) float64
		o    Options
		size int
	}{
		"coin":      {.5, func(rng *rand.Rand) float64 { return float64(rng.IntN(2)) }, Options{PassFail: true}, 1},
		"rare":      {.05, func(rng *rand.Rand) float64 { return math.Floor(rng.Float64() + .05) }, Options{PassFail: true}, 1},
		"skewed":    {.2, func(rng *rand.Rand) float64 { return math.Pow(rng.Float64(), 4) }, Options{}, 1},
		"in groups": {.5, func(rng *rand.Rand) float64 { return float64(rng.IntN(2)) }, Options{}, 3},
		"normal":    {0, func(rng *rand.Rand) float64 { return rng.NormFloat64() }, Options{Bounds: Unbounded}, 1},
	} {
		rng := rand.New(rand.NewPCG(3, 4))
		above, below := 0, 0
		for range runs {
			var scores []float64
			var clusters []int
			missedLow, missedHigh := false, false
			for c := 0; len(scores) < n && !(missedLow && missedHigh); c++ {
				v := draw.at(rng)
				for range 1 + rng.IntN(draw.size) {
					scores, clusters = append(scores, v), append(clusters, c)
				}
				if len(scores)%7 != 0 { // looks at some, chosen without the data
					continue
				}
				a := NewAnytime(scores, clusters, mean(scores), AnytimePlan{Total: n, Largest: draw.size}, draw.o)
				if m := mean(scores); m > draw.mean { // no bet wins on the other side, and no sequence lies there
					missedLow = missedLow || a.Above(draw.mean, alpha)
				} else {
					missedHigh = missedHigh || a.Below(draw.mean, alpha)
				}
			}
			if missedLow {
				above++
			}
			if missedHigh {
				below++
			}
		}
		t.Logf("%s: wrong above %.4f, below %.4f", name, float64(above)/runs, float64(below)/runs)
		if limit := alpha + 3*math.Sqrt(alpha*(1-alpha)/runs); float64(above)/runs > limit || float64(below)/runs > limit {
			t.Errorf("%s: wrong above %.4f, below %.4f", name, float64(above)/runs, float64(below)/runs)
		}
	}
}

// The interval is what the two tests leave, and the p-value agrees with it.
func TestAnytimeIntervalIsItsTests(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	scores := make([]float64, 120)
	for i := range scores {
		scores[i] = 100 * math.Sqrt(rng.Float64())
	}
	for _, o := range []Options{{Bounds: Bounds{0, 100}}, {Bounds: Bounds{0, 100}, Linearised: true}} {
		a := NewAnytime(scores, nil, mean(scores), AnytimePlan{Total: 400}, o)
		iv := a.Interval(.025)
		if iv.Level != .95 || iv.N != 120 || !(iv.Low < iv.Value && iv.Value < iv.High) {
			t.Fatalf("%+v", iv)
		}
		for _, c := range []struct {
			m            float64
			above, below bool
		}{{iv.Low - .01, true, false}, {iv.Low + .01, false, false}, {iv.High - .01, false, false}, {iv.High + .01, false, true}} {
			if a.Above(c.m, .025) != c.above || a.Below(c.m, .025) != c.below {
				t.Errorf("at %g: above %v, below %v, want %v %v", c.m, a.Above(c.m, .025), a.Below(c.m, .025), c.above, c.below)
			}
		}
		if in, out := a.P(iv.Value), a.P(iv.Low-5); in < .5 || out > .05 {
			t.Errorf("p inside %g, outside %g", in, out)
		}
	}
}

func TestPredictions(t *testing.T) {
	ones := make([]float64, 30)
	for i := range ones {
		ones[i] = 1
	}
	a := NewAnytime(ones, nil, 0, AnytimePlan{Total: 100}, Options{PassFail: true})
	if p := a.Reach(1, 100); math.Abs(p-31.0/101) > 1e-9 { // of a flat prior: (n+1)/(N+1)
		t.Errorf("all of 100 right after 30 of 30: %g, want %g", p, 31.0/101)
	}
	if p := a.Reach(.3, 100); p != 1 {
		t.Errorf("what is reached already: %g", p)
	}
	if p := a.PassChance(.99999, .95, 100); p != 0 {
		t.Errorf("a bar that no sample of 100 can pass: %g", p)
	}
	for _, n := range []int{20, 100, 333} { // the least number of successes that passes, by trying all
		want := n + 1
		for k := n; k >= 0; k-- {
			if wilsonEstimate(k, n, Options{Level: .99}).Verdict(.7) != Pass {
				break
			}
			want = k
		}
		if got := leastToPass(.7, .99, n); got != want {
			t.Errorf("least to pass of %d: %d, want %d", n, got, want)
		}
	}
}

// Values computed with SciPy 1.17.1 (ttest_1samp two-sided, and the larger of its two one-sided p-values at ∓.2).
func TestPairedTAndEquivalence(t *testing.T) {
	d := []float64{.3, -.1, .25, .05, 0, .4, -.2, .15, .1, .05}
	tt, p, freedom := PairedT(d)
	if math.Abs(tt-1.732050807568877) > 1e-9 || math.Abs(p-.117306803014238) > 1e-9 || freedom != 9 {
		t.Errorf("t %.12f, p %.12f, %d degrees", tt, p, freedom)
	}
	if q := PairedTOST(d, .2); math.Abs(q-.058653401507119) > 1e-9 {
		t.Errorf("TOST p %.12f", q)
	}
}

// "The same" is said exactly when the interval lies within the margin, and wrongly with a chance of at most alpha at the margin.
func TestEquivalenceHolds(t *testing.T) {
	const runs, n, margin, alpha = 2000, 250, .1, .05
	rng := rand.New(rand.NewPCG(1, 5))
	wrong, right := 0, 0
	for range runs {
		first, second, level := make([]float64, n), make([]float64, n), make([]float64, n)
		for i := range first {
			first[i] = rng.Float64() * .8
			second[i] = min(1, max(0, first[i]+margin+.3*(rng.Float64()-.5)))
			level[i] = min(1, max(0, first[i]+.1*(rng.Float64()-.5)))
		}
		o := Options{Level: 1 - 2*alpha}
		if Equivalent(MeanDifference(first, second, nil, o), margin).Shown {
			wrong++
		}
		if Equivalent(MeanDifference(first, level, nil, o), margin).Shown {
			right++
		}
	}
	if float64(wrong)/runs > alpha+3*.0049 || right < runs*9/10 {
		t.Errorf("wrongly the same %.4f, rightly %.4f", float64(wrong)/runs, float64(right)/runs)
	}
	if q := Equivalent(Estimate{Interval: Interval{N: 5, Low: -.05, High: .1}}, .1); q.Shown {
		t.Error("an interval that reaches the margin is within it")
	}
}

// Looked at again and again until something shows, the p-value of "the same" and its decision say the same, and at the margin they
// are wrong with a chance of at most alpha: the normal p-value at the stop is wrong far more often.
func TestEquivalenceHoldsAtAStop(t *testing.T) {
	const runs, n, margin, alpha = 400, 200, .1, .05
	for _, linearised := range []bool{false, true} {
		rng := rand.New(rand.NewPCG(1, 6))
		wrong := 0
		for range runs {
			first, second := make([]float64, n), make([]float64, n)
			for i := range first {
				first[i] = .4
				second[i] = .5 + .25*float64(rng.IntN(3)-1) // few values, which are counted together
			}
			shown := false
			for k := 60; k <= n && !shown; k += 10 {
				sum := 0.0
				for i := range k {
					sum += second[i] - first[i]
				}
				o := Options{Level: 1 - 2*alpha, Linearised: linearised, Bounds: Bounds{Low: 0, High: 1}}
				e, _ := MeanDifferenceAnytime(first[:k], second[:k], nil, sum/float64(k), AnytimePlan{Total: n}, o)
				q := Equivalent(e, margin)
				shown = q.P < alpha
				if q.Shown != shown && math.Abs(q.P-alpha) > 1e-6 {
					t.Fatalf("of %d: shown %v with p %g, interval %+v", k, q.Shown, q.P, e.Interval)
				}
			}
			if shown {
				wrong++
			}
		}
		if float64(wrong)/runs > alpha {
			t.Errorf("linearised %v: wrongly the same in %d of %d", linearised, wrong, runs)
		}
	}
}

// The components of balanced data are the textbook's mean squares; in simulation they are unbiased, with unequal numbers too.
func TestSplitVariance(t *testing.T) {
	c := SplitVariance([]float64{1, 3, 2, 4, 6, 8}, []int{0, 0, 1, 1, 2, 2})
	// Means 2, 3, 7; within: 6/3 = 2; between: 2·(4+1+9)/2 = 14; (14−2)/2 = 6.
	if math.Abs(c.Sampling-2) > 1e-12 || math.Abs(c.Between-6) > 1e-12 || c.Answers != 2 || math.Abs(c.SamplingShare()-1.0/7) > 1e-12 {
		t.Errorf("%+v, share %g", c, c.SamplingShare())
	}
	rng := rand.New(rand.NewPCG(2, 2))
	var between, sampling float64
	const runs = 400
	for range runs {
		var scores []float64
		var of []int
		for e := range 60 {
			m := rng.NormFloat64() * .3
			for range 1 + rng.IntN(4) {
				scores, of = append(scores, m+.5*rng.NormFloat64()), append(of, e)
			}
		}
		c := SplitVariance(scores, of)
		between += c.Between / runs
		sampling += c.Sampling / runs
	}
	if math.Abs(between-.09) > .012 || math.Abs(sampling-.25) > .01 {
		t.Errorf("between %g of .09, sampling %g of .25", between, sampling)
	}
	if c := SplitVariance([]float64{1, 0, 1}, []int{0, 1, 2}); !math.IsNaN(c.Sampling) || c.SamplingShare() != 0 {
		t.Errorf("one answer each: %+v", c)
	}
}

// The goal is 10,000 resamples of 10,000 clustered pairs in under a second; the bound allows a busy machine.
func BenchmarkClusteredPairs(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	first, second, clusters := make([]float64, 10_000), make([]float64, 10_000), make([]int, 10_000)
	for i := range first {
		first[i], second[i], clusters[i] = rng.Float64(), rng.Float64(), i/2
	}
	for b.Loop() {
		d := make([]float64, len(first))
		for i := range d {
			d[i] = second[i] - first[i]
		}
		newScalarSample(d, clusters).Bootstrap(MeanOf(0), 10_000, 1).BCa(.95)
	}
}

// TestEquivalencePIsItsInterval: scores that hardly vary have a tiny standard error, and the interval that decides is wider than it says; the
// p-value turns where that interval comes to lie within the margin.
func TestEquivalencePIsItsInterval(t *testing.T) {
	first, second := make([]float64, 60), make([]float64, 60)
	second[7] = 1
	interval := func(level float64) Interval {
		return MeanDifference(first, second, nil, Options{Level: level, Seed: 1, Resamples: 2000}).Interval
	}
	const margin = .1
	normal := Equivalent(MeanDifference(first, second, nil, Options{Level: .9, Seed: 1, Resamples: 2000}), margin).P
	p := EquivalenceP(interval, margin)
	if p <= 10*normal || p >= .2 {
		t.Errorf("p is %v, by the normal approximation %v", p, normal)
	}
	within := func(alpha float64) bool { iv := interval(1 - 2*alpha); return iv.Low > -margin && iv.High < margin }
	if !within(p*1.02) || within(p/1.02) {
		t.Errorf("at p = %v the interval says otherwise", p)
	}
	if p := EquivalenceP(interval, .01); p != .5 {
		t.Errorf("a difference beyond the margin has p %v", p)
	}
}

// TestFewClustersOfSummedCountsClaimNothing: below 50 clusters the asymptotic sequence has the whole range as its interval and says why; from
// there on it has one.
func TestFewClustersOfSummedCountsClaimNothing(t *testing.T) {
	scores := make([]float64, 60)
	for i := range scores {
		scores[i] = float64(i%4) / 3
	}
	o := Options{Linearised: true, Bounds: Bounds{Low: 0, High: 1}}
	few := NewAnytime(scores[:49], nil, mean(scores[:49]), AnytimePlan{Total: 100}, o).Interval(.025)
	if few.Low != 0 || few.High != 1 || few.Method != AsymptoticMethod+" (nothing is claimed below 50 clusters)" {
		t.Errorf("of 49 clusters: %+v", few.Interval)
	}
	enough := NewAnytime(scores, nil, mean(scores), AnytimePlan{Total: 100}, o).Interval(.025)
	if enough.Low <= 0 || enough.High >= 1 || enough.Method != AsymptoticMethod {
		t.Errorf("of 60 clusters: %+v", enough.Interval)
	}
}
