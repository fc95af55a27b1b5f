package stats

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// Pearson is the linear correlation of two lists with its two-sided p-value by Student's t. Both are NaN below three pairs and for a
// list that does not vary.
func Pearson(x, y []float64) (r, p float64) {
	samePairs(x, y)
	if len(x) < 3 {
		return math.NaN(), math.NaN()
	}
	mx, my := mean(x), mean(y)
	var sxy, sxx, syy float64
	for i := range x {
		dx, dy := x[i]-mx, y[i]-my
		sxy += dx * dy
		sxx += dx * dx
		syy += dy * dy
	}
	if sxx == 0 || syy == 0 {
		return math.NaN(), math.NaN()
	}
	r = max(-1, min(1, sxy/math.Sqrt(sxx*syy)))
	freedom := float64(len(x) - 2)
	if r*r == 1 {
		return r, 0
	}
	// P(|T| > t) with t² = r²·ν/(1−r²), as the incomplete beta function of ν/(ν+t²) = 1−r².
	return r, mathext.RegIncBeta(freedom/2, .5, 1-r*r)
}

// Spearman is the correlation of ranks, its p-value as Pearson's.
func Spearman(x, y []float64) (rho, p float64) {
	samePairs(x, y)
	rx, _ := ranks(x)
	ry, _ := ranks(y)
	return Pearson(rx, ry)
}

// KendallB is τ-b with its two-sided p-value by the normal approximation with correction for ties. Both are NaN for a list that
// does not vary.
func KendallB(x, y []float64) (tau, p float64) {
	samePairs(x, y)
	n := len(x)
	score := 0.0
	for i := range n {
		for j := range i {
			score += sign(x[i]-x[j]) * sign(y[i]-y[j])
		}
	}
	tx, ty := tieSums(x), tieSums(y)
	nf := float64(n)
	pairs := nf * (nf - 1) / 2
	if pairs == tx.pairs || pairs == ty.pairs {
		return math.NaN(), math.NaN()
	}
	tau = score / math.Sqrt((pairs-tx.pairs)*(pairs-ty.pairs))
	m := nf * (nf - 1)
	v := (m*(2*nf+5)-tx.v-ty.v)/18 + 2*tx.pairs*ty.pairs/m
	if n > 2 {
		v += tx.triples * ty.triples / (9 * m * (nf - 2))
	}
	return tau, twoSided(score / math.Sqrt(v))
}

func sign(d float64) float64 {
	switch {
	case d > 0:
		return 1
	case d < 0:
		return -1
	}
	return 0
}

// ties are sums over groups of t equal values: t(t−1)/2, t(t−1)(t−2) and t(t−1)(2t+5).
type ties struct{ pairs, triples, v float64 }

func tieSums(values []float64) (sums ties) {
	count := map[float64]float64{}
	for _, v := range values {
		count[v]++
	}
	for _, t := range count {
		sums.pairs += t * (t - 1) / 2
		sums.triples += t * (t - 1) * (t - 2)
		sums.v += t * (t - 1) * (2*t + 5)
	}
	return sums
}
