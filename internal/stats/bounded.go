package stats

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// A sample that hardly varies says little about the values it has not shown: 99 perfect scores and one poor one have a tiny
// standard error, and so has every resample of them. Where the range of a score is known there is a bound that does not fall
// for that (Gaffke, "Three test statistics for a nonparametric one-sided hypothesis on the mean of a nonnegative variable",
// 2005; Learned-Miller & Thomas, "A New Confidence Interval for the Mean of a Bounded Random Variable", arXiv 1905.06208):
// give the n scores and one imagined score at the far end of the range random weights, uniform over the simplex, and take the
// a-quantile of the weighted mean. On pass/fail scores that is the exact Clopper–Pearson bound; for n equal scores c in [0, 1]
// it is c·a^(1/n); in large samples it is the normal one. That it holds for every distribution is a conjecture for which no
// counterexample is known; the tests here measure it. Clusters take the place of scores, the imagined one with the average
// number of examples.

// boundedLow is the one-sided lower bound at error a of the mean of a scalar sample whose scores are at least low. The error
// kept is a or, by the saddlepoint approximation of the weighted sum's distribution, up to 7 % of a less.
func boundedLow(s *Sample, low, a float64) float64 {
	if s.n == 0 {
		return low
	}
	return boundedQuantile(s, low, a, func(v float64) float64 { return v })
}

// boundedHigh is the upper bound, by symmetry.
func boundedHigh(s *Sample, high, a float64) float64 {
	if s.n == 0 {
		return high
	}
	return -boundedQuantile(s, -high, a, func(v float64) float64 { return -v })
}

// boundedQuantile finds t with P(Σ E_c·(S_c − t·n_c) + E₀·n̄·(low − t) ≤ 0) = a, the E independent standard exponentials:
// normalised, they are the uniform weights. side mirrors the scores.
func boundedQuantile(s *Sample, low, a float64, side func(float64) float64) float64 {
	y := make([]float64, s.g+1)
	average := float64(s.n) / float64(s.g)
	fill := func(t float64) {
		for c := range s.g {
			y[c] = side(s.dense[2*c]) - t*s.dense[2*c+1]
		}
		y[s.g] = average * (low - t)
	}
	bottom, top := low, low
	for c := range s.g {
		top = max(top, side(s.dense[2*c])/s.dense[2*c+1])
	}
	if top-low < 1e-15 {
		return low
	}
	for range 60 {
		t := (bottom + top) / 2
		if t <= bottom || t >= top {
			break
		}
		fill(t)
		if exponentialSumBelowZero(y) < a {
			bottom = t
		} else {
			top = t
		}
	}
	return bottom
}

// exponentialSumBelowZero is P(Σ E_i·y_i ≤ 0) for independent standard exponentials E, by the saddlepoint formula of Lugannani
// and Rice. K(s) = −Σ ln(1−s·y_i) is the cumulant generating function of the sum.
func exponentialSumBelowZero(y []float64) float64 {
	least, most := 0.0, 0.0
	for _, v := range y {
		least, most = min(least, v), max(most, v)
	}
	switch {
	case least >= 0 && most > 0:
		return 0
	case most <= 0:
		return 1
	}
	if p, ok := oneNegative(y, least); ok {
		return p
	}
	s := saddlepoint(y, 1/least, 1/most)
	var k, k2, k3 float64
	for _, v := range y {
		d := 1 - s*v
		r := v / d
		k -= math.Log(d)
		k2 += r * r
		k3 += 2 * r * r * r
	}
	w := math.Copysign(math.Sqrt(max(0, -2*k)), s)
	u := s * math.Sqrt(k2)
	if math.Abs(u) < 1e-4 { // both terms grow without limit near the mean, their difference does not
		return .5 + k3/(6*math.Sqrt(2*math.Pi)*math.Pow(k2, 1.5))
	}
	p := distuv.UnitNormal.CDF(w) + distuv.UnitNormal.Prob(w)*(1/w-1/u)
	return min(1, max(0, p))
}

// oneNegative is the exact probability when a single term, least, can pull the sum below zero, as for scores that do not vary:
// P(Σ E_i·y_i ≤ E₀·|least|) = Π |least|/(|least|+y_i).
func oneNegative(y []float64, least float64) (p float64, ok bool) {
	logP, negative := 0.0, 0
	for _, v := range y {
		if v < 0 {
			if negative++; negative > 1 {
				return 0, false
			}
			continue
		}
		logP -= math.Log1p(v / -least)
	}
	return math.Exp(logP), true
}

// saddlepoint solves K′(s) = Σ y/(1−s·y) = 0 between the poles, where K′ rises from −∞ to ∞, by Newton steps held to a
// shrinking bracket.
func saddlepoint(y []float64, left, right float64) float64 {
	s := 0.0
	for range 200 {
		var k1, k2 float64
		for _, v := range y {
			r := v / (1 - s*v)
			k1 += r
			k2 += r * r
		}
		if k1 < 0 {
			left = s
		} else {
			right = s
		}
		next := s - k1/k2
		if !(next > left && next < right) {
			next = (left + right) / 2
		}
		if math.Abs(next-s)*math.Sqrt(k2) < 1e-10 {
			return next
		}
		s = next
	}
	return s
}
