package stats

import (
	"math"

	"github.com/rung-dev/rung/internal/stats/dist"
)

// McNemarTest compares two candidates on the same pass/fail examples through the examples on which they disagree.
type McNemarTest struct {
	B, C int     // examples that only the first passes, and only the second
	P    float64 // two-sided, exact binomial at ½
	More float64 // one-sided, against "the second passes no more of them than the first"
	MidP float64 // the same less half the probability of what was seen: less conservative, not strictly exact
}

// McNemar is the exact test. It takes examples as independent: where they form clusters, use SignFlip.
func McNemar(b, c int) McNemarTest {
	t := McNemarTest{B: b, C: c, P: 1, MidP: 1, More: 1}
	n := b + c
	if n == 0 {
		return t
	}
	lower := binomialLower(min(b, c), n, .5)
	at := dist.Binomial{N: float64(n), P: .5}.Prob(float64(b))
	t.P = min(1, 2*lower)
	t.More = binomialUpper(c, n, .5)
	t.MidP = min(1, 2*lower-at)
	return t
}

// Discordant counts the pairs of pass/fail scores that differ: first passes alone, second passes alone. A score passes when
// it is at least ½.
func Discordant(first, second []float64) (b, c int) {
	samePairs(first, second)
	for i := range first {
		switch p, q := first[i] >= .5, second[i] >= .5; {
		case p && !q:
			b++
		case q && !p:
			c++
		}
	}
	return b, c
}

// McNemarChi is McNemar's large-sample statistic and p-value, with Edwards's continuity correction if asked for.
func McNemarChi(b, c int, corrected bool) (chi2, p float64) {
	if b+c == 0 {
		return 0, 1
	}
	d := math.Abs(float64(b - c))
	if corrected {
		d = max(0, d-1)
	}
	chi2 = d * d / float64(b+c)
	return chi2, dist.ChiSquared{K: 1}.Survival(chi2)
}

// samePairs stops a caller that pairs lists of different examples.
func samePairs(a, b []float64) {
	if len(a) != len(b) {
		panic("stats: paired scores must be of the same examples")
	}
}
