package stats_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/rung-dev/rung/internal/stats"
)

// TestHypergeometric compares with SciPy 1.17.1: hypergeom.cdf(x, rows, d, n).
func TestHypergeometric(t *testing.T) {
	for _, c := range []struct {
		x, n, d, rows int
		want          float64
	}{
		{0, 59, 10, 200, 0.0275020991497416},
		{1, 93, 10, 200, 0.0164172554093599},
		{0, 5, 1, 20, 0.75},
		{2, 45, 25, 500, 0.6051778026683},
		{3, 100, 12, 1000, 0.975173889469171},
		{0, 10, 0, 50, 1},
		{7, 30, 60, 100, 1.28171971617211e-06},
		{19, 20, 190, 200, 0.660225623763214},
		{5, 600, 300, 20000, 0.11021500230301},
	} {
		if got := stats.Hypergeometric(c.x, c.n, c.d, c.rows); math.Abs(got-c.want) > 1e-9*max(1, c.want) {
			t.Errorf("P(X ≤ %d) of %d drawn, %d of %d defective: %.12g, want %.12g", c.x, c.n, c.d, c.rows, got, c.want)
		}
	}
}

// TestAcceptancePromise: whatever the batch, one with too many defects passes with the promised risk at most, a smaller sample breaks the
// promise, and the bound holds as often as it says.
func TestAcceptancePromise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.IntRange(1, 2000).Draw(t, "rows")
		tolerable := rapid.Float64Range(.005, .3).Draw(t, "tolerable")
		confidence := rapid.SampledFrom([]float64{.8, .9, .95, .99}).Draw(t, "confidence")
		p := stats.AcceptanceSampling(rows, tolerable, tolerable/5, confidence, .8)
		bad := int(tolerable*float64(rows)+1e-9) + 1
		if p.Sample < 1 || p.Sample > rows || p.Accept < 0 || p.Accept >= bad {
			t.Fatalf("%+v of %d rows", p, rows)
		}
		if p.Sample == rows {
			return
		}
		if risk := stats.Hypergeometric(p.Accept, p.Sample, bad, rows); risk > 1-confidence+1e-12 || math.Abs(risk-p.Risk) > 1e-12 {
			t.Errorf("%+v of %d rows: risk %g", p, rows, risk)
		}
		if stats.Hypergeometric(p.Accept, p.Sample-1, bad, rows) <= 1-confidence {
			t.Errorf("%+v of %d rows: a smaller sample would do", p, rows)
		}
		if p.Power < .8 {
			t.Errorf("%+v: power", p)
		}
	})
	// Of all samples that a batch can give, the bound is too low in 1 − confidence at most.
	const rows, n, confidence = 120, 40, .95
	for d := 0; d <= rows; d++ {
		missed := 0.0
		for x := max(0, n+d-rows); x <= min(n, d); x++ {
			below := 0.0
			if x > 0 {
				below = stats.Hypergeometric(x-1, n, d, rows)
			}
			if stats.DefectBound(x, n, rows, confidence) < d {
				missed += stats.Hypergeometric(x, n, d, rows) - below
			}
		}
		if missed > 1-confidence+1e-9 {
			t.Errorf("%d defects of %d: the bound is too low with probability %g", d, rows, missed)
		}
	}
	if got := stats.DefectBound(0, 120, 120, .95); got != 0 {
		t.Errorf("all were looked at and none is defective: at most %d", got)
	}
}
