// Package dist has the distributions that tests and intervals are read from, over gonum's special functions. gonum's own package of
// distributions gives the same numbers and brings two megabytes of linear algebra into the binary, which nothing here uses.
package dist

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// Normal is the standard normal distribution.
type Normal struct{}

// UnitNormal is the standard normal distribution.
var UnitNormal Normal

// CDF is P(X ≤ x).
func (Normal) CDF(x float64) float64 { return .5 * math.Erfc(-x/math.Sqrt2) }

// Survival is P(X > x), exact also far out.
func (Normal) Survival(x float64) float64 { return .5 * math.Erfc(x/math.Sqrt2) }

// Prob is the density at x.
func (Normal) Prob(x float64) float64 { return math.Exp(-x*x/2) / math.Sqrt(2*math.Pi) }

// Quantile is the x with CDF p, 0 ≤ p ≤ 1.
func (Normal) Quantile(p float64) float64 { return mathext.NormalQuantile(p) }

// StudentsT is Student's t with Nu > 0 degrees of freedom.
type StudentsT struct{ Nu float64 }

// Survival is P(X > x).
func (s StudentsT) Survival(x float64) float64 {
	if x == 0 {
		return .5
	}
	tail := .5 * mathext.RegIncBeta(s.Nu/2, .5, s.Nu/(x*x+s.Nu))
	if x < 0 {
		return 1 - tail
	}
	return tail
}

// CDF is P(X ≤ x).
func (s StudentsT) CDF(x float64) float64 { return s.Survival(-x) }

// Quantile is the x with CDF p, 0 ≤ p ≤ 1.
func (s StudentsT) Quantile(p float64) float64 {
	if p == .5 {
		return 0
	}
	t := mathext.InvRegIncBeta(s.Nu/2, .5, 2*min(p, 1-p))
	return math.Copysign(math.Sqrt(s.Nu*(1-t)/t), p-.5)
}

// Beta is the beta distribution with shapes Alpha and Beta > 0.
type Beta struct{ Alpha, Beta float64 }

// Quantile is the x with CDF p, 0 ≤ p ≤ 1.
func (b Beta) Quantile(p float64) float64 { return mathext.InvRegIncBeta(b.Alpha, b.Beta, p) }

// Prob is the density at x, 0 < x < 1.
func (b Beta) Prob(x float64) float64 {
	return math.Exp((b.Alpha-1)*math.Log(x) + (b.Beta-1)*math.Log1p(-x) - mathext.Lbeta(b.Alpha, b.Beta))
}

// Binomial is the number of successes in N trials of chance P.
type Binomial struct{ N, P float64 }

// Prob is P(X = x) for a whole x.
func (b Binomial) Prob(x float64) float64 {
	if x < 0 || x > b.N {
		return 0
	}
	return math.Exp(LogChoose(b.N, x) + x*math.Log(b.P) + (b.N-x)*math.Log(1-b.P))
}

// CDF is P(X ≤ x).
func (b Binomial) CDF(x float64) float64 {
	if x < 0 {
		return 0
	}
	if x = math.Floor(x); x >= b.N {
		return 1
	}
	return mathext.RegIncBeta(b.N-x, x+1, 1-b.P)
}

// ChiSquared is χ² with K > 0 degrees of freedom.
type ChiSquared struct{ K float64 }

// Survival is P(X > x).
func (c ChiSquared) Survival(x float64) float64 {
	if x < 0 {
		return 1
	}
	return mathext.GammaIncRegComp(c.K/2, x/2)
}

// LogChoose is the logarithm of the number of ways to choose k of n.
func LogChoose(n, k float64) float64 {
	a, _ := math.Lgamma(n + 1)
	b, _ := math.Lgamma(k + 1)
	c, _ := math.Lgamma(n - k + 1)
	return a - b - c
}
