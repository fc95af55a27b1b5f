package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// rated is items of which each is rated by some of the raters: with probability share as its true category, else at random. The
// expected agreement beyond chance of two such raters is share².
func rated(rng *rand.Rand, items, raters, categories int, share float64) [][]float64 {
	out := make([][]float64, items)
	for i := range out {
		truth := rng.IntN(categories)
		for range raters {
			switch {
			case rng.Float64() < .2:
				out[i] = append(out[i], math.NaN())
			case rng.Float64() < share:
				out[i] = append(out[i], float64(truth))
			default:
				out[i] = append(out[i], float64(rng.IntN(categories)))
			}
		}
	}
	return out
}

// TestAgreementFiguresAreTheirStatistics: the figure with an interval is the figure without one.
func TestAgreementFiguresAreTheirStatistics(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	units := rated(rng, 90, 4, 5, .8)
	o := Options{Resamples: 200, Seed: 1}
	for _, m := range []Measure{Nominal, Ordinal, Interv} {
		got := KrippendorffFigure(units, m, nil, o)
		near(t, "Krippendorff's α", got.Value, Krippendorff(units, m), 1e-12)
		if !(got.Low < got.Value && got.Value < got.High) || got.N > len(units) {
			t.Errorf("%+v", got.Interval)
		}
	}
	counts := make([][]float64, len(units))
	var two [][]float64
	for i, u := range units {
		counts[i] = make([]float64, 5)
		n := 0.
		for _, v := range u {
			if !math.IsNaN(v) {
				counts[i][int(v)]++
				n++
			}
		}
		if n >= 2 {
			two = append(two, counts[i])
		}
	}
	near(t, "Fleiss' κ", FleissFigure(counts, nil, o).Value, FleissKappa(two), 1e-12)
	var a, b []int
	table := make([][]float64, 5)
	for i := range table {
		table[i] = make([]float64, 5)
	}
	for _, u := range units {
		if !math.IsNaN(u[0]) && !math.IsNaN(u[1]) {
			a, b = append(a, int(u[0])), append(b, int(u[1]))
			table[int(u[0])][int(u[1])]++
		}
	}
	for _, w := range []Weights{Unweighted, Linear, Quadratic} {
		near(t, "Cohen's κ", CohenFigure(a, b, 5, w, nil, o).Value, CohenKappa(table, w), 1e-12)
	}
}

// TestAgreementIntervalsHold: the interval of α covers the agreement that raters were simulated with, also in small samples, and
// raters who agree every time support no claim of certainty.
func TestAgreementIntervalsHold(t *testing.T) {
	const sims, share = 200, .8
	held := 0
	for s := range sims {
		units := rated(rand.New(rand.NewPCG(11, uint64(s))), 60, 3, 3, share)
		if KrippendorffFigure(units, Nominal, nil, Options{Resamples: 300, Seed: uint64(s)}).Contains(share * share) {
			held++
		}
	}
	if held < 180 { // 95 % is 190; P(< 180 | 95 %) < .001
		t.Errorf("the interval held the truth in %d of %d simulations", held, sims)
	}
	same := slices.Repeat([][]float64{{1, 1}, {0, 0}}, 6)
	got := KrippendorffFigure(same, Nominal, nil, Options{Resamples: 300})
	if got.Value != 1 || got.Low > .9 || got.High != 1 {
		t.Errorf("twelve items in full agreement: %+v", got.Interval)
	}
	if none := KrippendorffFigure([][]float64{{1}, {0, math.NaN()}}, Nominal, nil, Options{}); none.N != 0 {
		t.Errorf("nothing rated twice: %+v", none.Interval)
	}
}

// TestAgreementSampleSize: so many items give about the half-width that was asked for.
func TestAgreementSampleSize(t *testing.T) {
	n := AgreementSampleSize(.64, .1, 3, 2, .95)
	units := make([][]float64, 0, n)
	rng := rand.New(rand.NewPCG(5, 6))
	for len(units) < n {
		u := rated(rng, 1, 2, 3, .8)[0]
		if !math.IsNaN(u[0] + u[1]) {
			units = append(units, u)
		}
	}
	got := KrippendorffFigure(units, Nominal, nil, Options{Resamples: 2000})
	if half := (got.High - got.Low) / 2; half < .07 || half > .13 {
		t.Errorf("%d items give ±%.3f, asked for ±.1", n, half)
	}
	if more := AgreementSampleSize(.64, .1, 3, 4, .95); more >= n {
		t.Errorf("four raters need %d items, two need %d", more, n)
	}
}
