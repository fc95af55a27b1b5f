package stats

import (
	"math"

	"gonum.org/v1/gonum/mathext"

	"github.com/rung-dev/rung/internal/stats/dist"
)

// z is the standard normal quantile that leaves tail above it.
func z(tail float64) float64 { return -dist.UnitNormal.Quantile(tail) }

// twoSided is the two-sided p-value of a standard normal statistic, good far into the tails.
func twoSided(x float64) float64 { return math.Erfc(math.Abs(x) / math.Sqrt2) }

// Wilson is the score interval of k successes in n: (p̂ + z²/2n ± z√(p̂(1−p̂)/n + z²/4n²)) / (1 + z²/n). With n = 0 it is [0, 1].
func Wilson(k, n int, level float64) (low, high float64) {
	if n == 0 {
		return 0, 1
	}
	q, nf := z((1-level)/2), float64(n)
	p := float64(k) / nf
	centre := (p + q*q/(2*nf)) / (1 + q*q/nf)
	half := q / (1 + q*q/nf) * math.Sqrt(p*(1-p)/nf+q*q/(4*nf*nf))
	low, high = max(0, centre-half), min(1, centre+half)
	if k == 0 {
		low = 0 // exactly so; the two terms cancel only up to rounding
	}
	if k == n {
		high = 1
	}
	return low, high
}

// ClopperPearson is the exact interval of k successes in n, from the beta distribution; it covers at least level, always.
func ClopperPearson(k, n int, level float64) (low, high float64) {
	a := (1 - level) / 2
	return binomialLow(k, n, a), binomialHigh(k, n, a)
}

// binomialLow is the exact one-sided lower bound of a proportion at error a.
func binomialLow(k, n int, a float64) float64 {
	if k == 0 {
		return 0
	}
	return betaQuantile(float64(k), float64(n-k+1), a)
}

// binomialHigh is the exact one-sided upper bound of a proportion at error a.
func binomialHigh(k, n int, a float64) float64 {
	if k == n {
		return 1
	}
	return 1 - betaQuantile(float64(n-k), float64(k+1), a)
}

// AgrestiCoull is the normal interval around (k + z²/2) / (n + z²), cut at 0 and 1.
func AgrestiCoull(k, n int, level float64) (low, high float64) {
	q := z((1 - level) / 2)
	m := float64(n) + q*q
	p := (float64(k) + q*q/2) / m
	half := q * math.Sqrt(p*(1-p)/m)
	return max(0, p-half), min(1, p+half)
}

// Jeffreys is the equal-tailed interval of Beta(k+½, n−k+½).
func Jeffreys(k, n int, level float64) (low, high float64) {
	a, b, t := float64(k)+.5, float64(n-k)+.5, (1-level)/2
	return betaQuantile(a, b, t), 1 - betaQuantile(b, a, t)
}

// Newcombe is the interval of the difference of two independent proportions k1/n1 − k2/n2, from their Wilson intervals
// (Newcombe 1998, method 10). Results on the same examples are paired: use MeanDifference for those.
func Newcombe(k1, n1, k2, n2 int, level float64) (low, high float64) {
	p1, p2 := float64(k1)/float64(n1), float64(k2)/float64(n2)
	l1, u1 := Wilson(k1, n1, level)
	l2, u2 := Wilson(k2, n2, level)
	d := p1 - p2
	return d - math.Hypot(p1-l1, u2-p2), d + math.Hypot(u1-p1, p2-l2)
}

// binomialUpper is P(X ≥ k) for n trials with success probability p.
func binomialUpper(k, n int, p float64) float64 {
	if k <= 0 {
		return 1
	}
	return mathext.RegIncBeta(float64(k), float64(n-k+1), p)
}

// binomialLower is P(X ≤ k) for n trials with success probability p.
func binomialLower(k, n int, p float64) float64 {
	if k >= n {
		return 1
	}
	return mathext.RegIncBeta(float64(n-k), float64(k+1), 1-p)
}

// betaQuantile inverts the regularised incomplete beta function. The library's inverse is good to about 1e-8; two Newton
// steps make it good to rounding.
func betaQuantile(a, b, p float64) float64 {
	d := dist.Beta{Alpha: a, Beta: b}
	x := d.Quantile(p)
	for range 2 {
		slope := d.Prob(x)
		if x <= 0 || x >= 1 || slope == 0 || math.IsInf(slope, 0) {
			return x
		}
		next := x - (mathext.RegIncBeta(a, b, x)-p)/slope
		if !(next > 0 && next < 1) {
			return x
		}
		x = next
	}
	return x
}
