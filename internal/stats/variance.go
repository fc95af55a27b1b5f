package stats

import "math"

// Components split the variance of repeated scores of the same examples (one-way random effects): what examples differ by, and
// what answers to one example differ by.
type Components struct {
	Between  float64 // variance over examples of their expected scores; 0 where chance explains all
	Sampling float64 // variance of repeated answers to one example
	Examples int
	Answers  float64 // per example, the effective number where it varies
	Total    int
}

// SplitVariance takes every score with its example's number. Examples with one answer count for Between only. Sampling is NaN where
// no example has two answers. (Searle, Casella & McCulloch, Variance Components, 1992, section 3.6: the analysis-of-variance
// estimators for unequal numbers.)
func SplitVariance(scores []float64, example []int) Components {
	of, g := compact(example, len(scores))
	n, sum := make([]float64, g), make([]float64, g)
	for i, v := range scores {
		n[of[i]]++
		sum[of[i]] += v
	}
	c := Components{Examples: g, Total: len(scores), Sampling: math.NaN(), Between: math.NaN()}
	if g == 0 {
		return c
	}
	total, all, squares := float64(len(scores)), 0.0, 0.0
	for e := range n {
		all += sum[e]
		squares += n[e] * n[e]
	}
	grand, within, between := all/total, 0.0, 0.0
	for i, v := range scores {
		d := v - sum[of[i]]/n[of[i]]
		within += d * d
	}
	for e := range n {
		d := sum[e]/n[e] - grand
		between += n[e] * d * d
	}
	if total > float64(g) {
		c.Sampling = within / (total - float64(g))
	}
	if g < 2 {
		return c
	}
	c.Answers = (total - squares/total) / float64(g-1)
	sampling := c.Sampling
	if math.IsNaN(sampling) {
		sampling = 0
	}
	c.Between = max(0, (between/float64(g-1)-sampling)/c.Answers)
	return c
}

// SamplingShare is the part of the variance of the mean that comes from answers and not from examples: what more answers per example
// could take away. It is 0 where nothing varies or nothing is known.
func (c Components) SamplingShare() float64 {
	k := float64(c.Total) / float64(max(1, c.Examples))
	s := c.Sampling / k
	if math.IsNaN(s) || s+c.Between == 0 {
		return 0
	}
	return s / (c.Between + s)
}
