package stats

import (
	"math"

	"github.com/rung-dev/rung/internal/stats/dist"
)

// Equivalence is the outcome of two one-sided tests (Schuirmann 1987): whether a difference is shown to lie within ±margin.
type Equivalence struct {
	Margin   float64
	Interval         // of the difference, at level 1−2α
	Lower    float64 // p-value against "the difference is at most −margin"
	Upper    float64 // p-value against "the difference is at least margin"
	P        float64 // the larger of the two
	Shown    bool    // the whole interval lies within the margin
}

// Equivalent makes the two tests on an estimate of a difference. interval must be of level 1−2α, by whatever method: it lies within
// the margin exactly when both one-sided tests at α reject. The p-values are of the normal approximation with the estimate's
// standard error and explain the decision; the interval makes it. Where a sample stopped early they are those of its sequence: the
// normal ones do not hold at a stop.
func Equivalent(e Estimate, margin float64) Equivalence {
	q := Equivalence{Margin: margin, Interval: e.Interval, Lower: 1, Upper: 1}
	q.Shown = margin > 0 && e.N > 0 && e.Low > -margin && e.High < margin
	switch {
	case e.anytime != nil:
		q.Lower, _ = e.anytime.OneSided(-margin)
		_, q.Upper = e.anytime.OneSided(margin)
	case e.SE > 0:
		q.Lower = dist.UnitNormal.Survival((e.Value + margin) / e.SE)
		q.Upper = dist.UnitNormal.CDF((e.Value - margin) / e.SE)
	}
	q.P = max(q.Lower, q.Upper)
	return q
}

// EquivalenceP is the least α at which an interval of level 1−2α lies within ±margin, from 1 in 5,000 (as far as the bootstrap reaches) to
// one half: a p-value that says what the interval says, where that is wider than the normal approximation's.
func EquivalenceP(interval func(level float64) Interval, margin float64) float64 {
	within := func(alpha float64) bool {
		iv := interval(1 - 2*alpha)
		return iv.Low > -margin && iv.High < margin
	}
	low, high := 1./5000, .4999
	switch {
	case within(low):
		return low
	case !within(high):
		return .5
	}
	for range 10 {
		if mid := math.Sqrt(low * high); within(mid) {
			high = mid
		} else {
			low = mid
		}
	}
	return high
}

// PairedT is Student's t-test of paired differences: t, the two-sided p-value, and the degrees of freedom. It assumes normal
// differences of independent examples; t is 0 and p 1 where there are fewer than two, or where they do not vary.
func PairedT(differences []float64) (t, p float64, freedom int) {
	n := len(differences)
	sd := deviation(differences)
	if n < 2 || sd == 0 {
		return 0, 1, max(0, n-1)
	}
	t = mean(differences) / (sd / math.Sqrt(float64(n)))
	return t, 2 * dist.StudentsT{Nu: float64(n - 1)}.Survival(math.Abs(t)), n - 1
}

// PairedTOST is the equivalence test of paired differences by Student's t, as in statsmodels' ttost_paired: the larger of the two
// one-sided p-values.
func PairedTOST(differences []float64, margin float64) float64 {
	n := len(differences)
	sd := deviation(differences)
	if n < 2 || sd == 0 {
		return 1
	}
	se, m := sd/math.Sqrt(float64(n)), mean(differences)
	d := dist.StudentsT{Nu: float64(n - 1)}
	return max(d.Survival((m+margin)/se), d.CDF((m-margin)/se))
}
