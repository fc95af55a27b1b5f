package stats

import (
	"math"

	"github.com/rung-dev/rung/internal/stats/dist"
)

// Noise is the variance in a paired comparison of A and B: of the true difference over examples, and of each side's answers
// to one example, over so many answers each. Counts of zero are read as one.
type Noise struct {
	Difference float64 // ω², the variance over examples of the difference of expected scores
	A, B       float64 // σ², the variance of repeated answers to the same example
	KA, KB     int     // answers per example
}

// Planning values for a comparison that has not been made yet. Two candidates that are worth comparing disagree on some 15 % of the
// examples; for graded scores Miller (arXiv 2411.00640) plans with a variance of the difference of 1/9, which is that of scores that are
// mostly near 0 or 1, so it is on the safe side.
const (
	PlanDiscordance = .15
	PlanVariance    = 1.0 / 9
	PlanPower       = .8
)

func (v Noise) perExample() float64 {
	return v.Difference + v.A/float64(max(1, v.KA)) + v.B/float64(max(1, v.KB))
}

// SampleSize is the number of examples on which a difference of delta is found with the given power by a two-sided test at
// alpha: (z_{α/2}+z_β)²·(ω²+σ_A²/K_A+σ_B²/K_B)/δ² (Miller, arXiv 2411.00640), rounded up.
func SampleSize(v Noise, delta, alpha, power float64) int {
	q := z(alpha/2) + z(1-power)
	return countUp(q * q * v.perExample() / (delta * delta))
}

// MinimumDetectable is the smallest difference that n examples show with the given power.
func MinimumDetectable(v Noise, n int, alpha, power float64) float64 {
	return (z(alpha/2) + z(1-power)) * math.Sqrt(v.perExample()/float64(n))
}

// PairedSampleSize is the number of pass/fail examples on which a difference of delta is found when the two candidates disagree
// on the share discordance of them: (z_{α/2}+z_β)²·(discordance−δ²)/δ².
func PairedSampleSize(discordance, delta, alpha, power float64) int {
	return SampleSize(Noise{Difference: max(0, discordance-delta*delta)}, delta, alpha, power)
}

// PairedDetectable is the smallest difference in pass rates that n examples show, at a given discordance.
func PairedDetectable(discordance float64, n int, alpha, power float64) float64 {
	q := z(alpha/2) + z(1-power)
	r := q * q / float64(n)
	return math.Sqrt(r * discordance / (1 + r)) // solves δ² = r(discordance − δ²)
}

// ProportionsSampleSize is the number per arm that tells two independent proportions apart, by the arcsine transformation.
func ProportionsSampleSize(p1, p2, alpha, power float64) float64 {
	h := 2 * (math.Asin(math.Sqrt(p1)) - math.Asin(math.Sqrt(p2)))
	za := z(alpha / 2)
	q := za + z(1-power)
	for range 3 { // the chance of rejecting on the wrong side counts as power as well, about 1e-6 of it
		wrong := dist.UnitNormal.CDF(-q - za)
		q = za + z(1-power+wrong)
	}
	return 2 * q * q / (h * h)
}

// MostNeeded caps NeededN: beyond it a better candidate is cheaper than more examples.
const MostNeeded = 1_000_000

// countUp rounds up to a count of examples, between 1 and MostNeeded.
func countUp(x float64) int {
	if !(x < MostNeeded) { // also NaN and infinity
		return MostNeeded
	}
	return max(1, int(math.Ceil(x-1e-9)))
}

// NeededN is the number of examples with which the verdict would be settled with the given power (0 means .8), if the true
// value is the one observed. It is more than the present number, and MostNeeded when value and bar coincide.
//
// For independent pass/fail scores, with bar p₀ and observed p̂: ((z_{a/2}√(p₀(1−p₀)) + z_β√(p̂(1−p̂)))/(p̂−p₀))². That is the
// size of the score test that Wilson's interval inverts. Otherwise ((z_{a/2}+z_β)·s/δ)², s the standard deviation per example
// with the effect of clusters (SE·√n), not taken below that of n equal scores and one at the far end of the range.
func (e Estimate) NeededN(atLeast, power float64) int {
	if power == 0 {
		power = .8
	}
	delta := math.Abs(e.Value - atLeast)
	if delta == 0 || e.N == 0 {
		return MostNeeded
	}
	za, zb := z((1-e.Level)/2), z(1-power)
	var need float64
	if e.exact {
		need = za*math.Sqrt(max(0, atLeast*(1-atLeast))) + zb*math.Sqrt(e.Value*(1-e.Value))
	} else {
		need = (za + zb) * e.spread()
	}
	return max(e.N+1, countUp(need*need/(delta*delta)))
}

// BarSampleSize is the number of independent pass/fail examples on which a candidate of the given true value is shown to lie above (or
// below) a bar with the given power, by the score test that Wilson's interval of this level inverts:
// ((z_{a/2}√(p₀(1−p₀)) + z_β√(p(1−p)))/(p−p₀))². It is MostNeeded where value and bar coincide.
func BarSampleSize(bar, value, level, power float64) int {
	if value == bar {
		return MostNeeded
	}
	need := z((1-level)/2)*math.Sqrt(bar*(1-bar)) + z(1-power)*math.Sqrt(value*(1-value))
	return countUp(need * need / ((value - bar) * (value - bar)))
}

// spread is the standard deviation per example, for planning.
func (e Estimate) spread() float64 {
	n := float64(e.N)
	v := e.SE * e.SE * n
	if e.Bounds.finite() {
		far := max(e.Value-e.Bounds.Low, e.Bounds.High-e.Value)
		v = max(v, far*far*n/((n+1)*(n+1)))
	}
	return math.Sqrt(v)
}
