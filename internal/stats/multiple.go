package stats

import "sort"

// Spend shares the error rate alpha out over the rungs of a climb by weight, equally where weights is nil. The climb stops at
// its first pass, so it has one chance per rung to pass wrongly, and the shares add up to alpha. A weight of zero or less
// gives its rung nothing.
func Spend(alpha float64, k int, weights []float64) []float64 {
	shares := make([]float64, k)
	total := 0.0
	for i := range shares {
		shares[i] = 1
		if weights != nil {
			shares[i] = max(0, weights[i])
		}
		total += shares[i]
	}
	for i := range shares {
		if total > 0 {
			shares[i] *= alpha / total
		}
	}
	return shares
}

// Holm adjusts p-values so that rejecting those at most α keeps the chance of any wrong rejection at α (Holm 1979).
func Holm(p []float64) []float64 {
	return adjust(p, func(rank, m int) float64 { return float64(m - rank) }, false)
}

// Bonferroni multiplies every p-value by their number.
func Bonferroni(p []float64) []float64 {
	return adjust(p, func(_, m int) float64 { return float64(m) }, false)
}

// BenjaminiHochberg adjusts p-values for the false discovery rate, of independent or positively dependent tests.
func BenjaminiHochberg(p []float64) []float64 {
	return adjust(p, func(rank, m int) float64 { return float64(m) / float64(rank+1) }, true)
}

// BenjaminiYekutieli adjusts p-values for the false discovery rate under any dependence.
func BenjaminiYekutieli(p []float64) []float64 {
	c := 0.0
	for i := range p {
		c += 1 / float64(i+1)
	}
	return adjust(p, func(rank, m int) float64 { return c * float64(m) / float64(rank+1) }, true)
}

// adjust multiplies the sorted p-values by factor(rank, m) and makes the result monotone: by running maximum upwards, or by
// running minimum downwards (stepUp).
func adjust(p []float64, factor func(rank, m int) float64, stepUp bool) []float64 {
	m := len(p)
	order := make([]int, m)
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(i, j int) bool { return p[order[i]] < p[order[j]] })
	out := make([]float64, m)
	run := 0.0
	if stepUp {
		run = 1
	}
	for i := range m {
		rank := i
		if stepUp {
			rank = m - 1 - i
		}
		v := min(1, p[order[rank]]*factor(rank, m))
		if stepUp {
			run = min(run, v)
		} else {
			run = max(run, v)
		}
		out[order[rank]] = run
	}
	return out
}
