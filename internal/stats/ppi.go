package stats

import (
	"fmt"
	"math"
)

// Rated are answers with what people and what a judge said about each; Judged is what the judge said about further answers, drawn from
// the same ones. Clusters as in Mean; nil means that each answer stands alone. Both lists number clusters alike: a number that stands in
// both is one cluster, such as one input that both have an answer to.
type Rated struct {
	People, Judge  []float64
	Clusters       []int
	Judged         []float64
	JudgedClusters []int
}

// PPIEstimate is the mean that people would give, estimated from few ratings and many judgements.
type PPIEstimate struct {
	Estimate
	Lambda float64  // how much of the judge is used: 0 people alone, 1 the judge less its bias
	Bias   Estimate // judge − people on the rated answers
	Raw    Estimate // the judge's own mean over all answers, uncorrected
	Alone  Estimate // what the ratings alone say
}

// Tuned asks PPI for the λ with the least variance.
var Tuned = math.NaN()

// PPI is prediction-powered inference of a mean (Angelopoulos, Bates, Fannjiang, Jordan & Zrnic, Science 2023) with power tuning
// (Angelopoulos, Duchi & Zrnic, PPI++, arXiv 2311.01453):
//
//	θ = λ·mean(judged) + mean(people − λ·judge)
//
// The second term takes out the judge's bias, whatever it is: for any fixed λ the mean of θ is the mean of people's ratings. λ tuned is
// Cov(people, judge) / ((1 + n/N)·Var(judge)), cut to [0, 1]: a judge that knows nothing gets 0, and the interval is that of the ratings
// alone. With λ = 1 the answers that are judged may differ from the rated ones in quality, as long as the judge errs on them in the
// same way; with λ tuned they must be drawn from the same.
//
// The interval joins those of the two means (Mean, with its rules for small and constant samples) by MOVER (Zou & Donner, Statistics in
// Medicine 2008): θ − √((a−a_low)² + (b−b_low)² + 2ρ(a−a_low)(b−b_low)), which for central limit intervals is the one of the papers. ρ is the
// correlation of the two means, from the clusters that lie in both; a negative one, which would shorten the interval, is taken as 0. n is
// that of all answers.
func PPI(r Rated, lambda float64, o Options) PPIEstimate {
	samePairs(r.People, r.Judge)
	o = o.filled()
	o.Bounds = o.Bounds.holding(r.People).holding(r.Judge).holding(r.Judged)
	scores := Options{Level: o.Level, Bounds: o.Bounds, Seed: o.Seed, Resamples: o.Resamples}
	e := PPIEstimate{Lambda: lambda}
	e.Bias = MeanDifference(r.People, r.Judge, r.Clusters, scores)
	e.Raw = Mean(append(append([]float64(nil), r.Judge...), r.Judged...), joined(r), scores)
	alone := scores
	alone.PassFail = o.PassFail
	e.Alone = Mean(r.People, r.Clusters, alone)
	if math.IsNaN(lambda) {
		e.Lambda = tuned(r)
	}
	if len(r.Judged) == 0 || e.Lambda == 0 {
		e.Lambda = 0
		e.Estimate = e.Alone
		if len(r.Judged) > 0 {
			e.Method = fmt.Sprintf("PPI++ with λ=0: %d rated alone (%s)", len(r.People), e.Alone.Method)
		}
		return e
	}
	e.Estimate = join(r, e.Lambda, scores)
	return e
}

// PPIP is the two-sided p-value of the claim that people's mean is m: the least error at which PPI's interval does not hold it, λ being
// that of o. It says what the interval says, and never less than 1 in 5,000: that is as far as the bootstrap reaches.
func PPIP(r Rated, lambda, m float64, o Options) float64 {
	samePairs(r.People, r.Judge)
	o = o.filled()
	o.Bounds = o.Bounds.holding(r.People).holding(r.Judge).holding(r.Judged)
	if math.IsNaN(lambda) {
		lambda = tuned(r)
	}
	outside := func(p float64) bool {
		at := o
		at.Level = 1 - p
		if len(r.Judged) == 0 || lambda == 0 {
			return !Mean(r.People, r.Clusters, at).Contains(m)
		}
		at.PassFail = false
		return !join(r, lambda, at).Contains(m)
	}
	low, high := 1./5000, 1-1e-9
	switch {
	case outside(low):
		return low
	case !outside(high):
		return 1
	}
	for range 14 {
		if mid := math.Sqrt(low * high); outside(mid) {
			high = mid
		} else {
			low = mid
		}
	}
	return high
}

// join is the estimate of two means with MOVER's interval.
func join(r Rated, l float64, o Options) Estimate {
	rest := make([]float64, len(r.People))
	for i := range rest {
		rest[i] = r.People[i] - l*r.Judge[i]
	}
	restOptions := o
	if o.Bounds.finite() {
		restOptions.Bounds = Bounds{o.Bounds.Low - l*o.Bounds.High, o.Bounds.High - l*o.Bounds.Low}
	}
	a, b := Mean(r.Judged, r.JudgedClusters, o), Mean(rest, r.Clusters, restOptions)
	rho := r.together(rest, a, b)
	span := func(x, y float64) float64 { return math.Sqrt(x*x + y*y + 2*rho*x*y) }
	out := Estimate{SE: span(l*a.SE, b.SE), Clusters: b.Clusters, Bounds: o.Bounds}
	out.Interval = Interval{Value: l*a.Value + b.Value, N: len(r.People) + len(r.Judged), Level: o.Level,
		Method: fmt.Sprintf("PPI++ with λ=%.2f: %d rated (%s), %d judged (%s)", l, len(r.People), b.Method, len(r.Judged), a.Method)}
	if rho > 0 {
		out.Method += ", of shared inputs"
	}
	out.Low = out.Value - span(l*(a.Value-a.Low), b.Value-b.Low)
	out.High = out.Value + span(l*(a.High-a.Value), b.High-b.Value)
	if o.Bounds.finite() {
		out.Value = min(max(out.Value, o.Bounds.Low), o.Bounds.High)
		out.Low, out.High = max(out.Low, o.Bounds.Low), min(out.High, o.Bounds.High)
	}
	return out
}

// together is the correlation of the mean of what was only judged with that of the rest, from the clusters that lie in both; not below 0.
func (r *Rated) together(rest []float64, judged, rated Estimate) float64 {
	if r.Clusters == nil || r.JudgedClusters == nil || judged.SE == 0 || rated.SE == 0 {
		return 0
	}
	sums := make(map[int]float64, len(r.Judged))
	for i, c := range r.JudgedClusters {
		sums[c] += (r.Judged[i] - judged.Value) / float64(len(r.Judged))
	}
	cov := 0.0
	for i, c := range r.Clusters {
		cov += sums[c] * (rest[i] - rated.Value) / float64(len(rest))
	}
	return min(max(cov/(judged.SE*rated.SE), 0), 1)
}

// tuned is the λ of least variance for independent answers, cut to [0, 1].
func tuned(r Rated) float64 {
	n, others := float64(len(r.People)), float64(len(r.Judged))
	if n < 2 || others == 0 {
		return 0
	}
	my, mf := mean(r.People), mean(r.Judge)
	cov := 0.0
	for i := range r.People {
		cov += (r.People[i] - my) * (r.Judge[i] - mf) / (n - 1)
	}
	all := append(append([]float64(nil), r.Judge...), r.Judged...)
	v := deviation(all)
	if v *= v; v == 0 {
		return 0
	}
	return min(max(cov/((1+n/others)*v), 0), 1)
}

// joined are the clusters of rated and judged answers one after another; answers of a list without clusters stand alone.
func joined(r Rated) []int {
	if r.Clusters == nil && r.JudgedClusters == nil {
		return nil
	}
	out := make([]int, 0, len(r.People)+len(r.Judged))
	next := 0 // greater than every number there is
	for _, clusters := range [][]int{r.Clusters, r.JudgedClusters} {
		for _, c := range clusters {
			next = max(next, c+1)
		}
	}
	add := func(clusters []int, n int) {
		for i := range n {
			if clusters != nil {
				out = append(out, clusters[i])
				continue
			}
			out = append(out, next)
			next++
		}
	}
	add(r.Clusters, len(r.People))
	add(r.JudgedClusters, len(r.Judged))
	return out
}
