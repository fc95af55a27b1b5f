package stats

import (
	"fmt"
	"math"
)

// Rated are answers with what people and what a judge said about each; Judged is what the judge said about further answers, drawn from
// the same ones. Clusters as in Mean; nil means that each answer stands alone.
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
// Medicine 2008): θ − √((a−a_low)² + (b−b_low)²), which for central limit intervals is the one of the papers. n is that of all answers.
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
		return e
	}
	e.Estimate = e.join(r, scores)
	return e
}

// join is the estimate of two independent means with MOVER's interval.
func (e *PPIEstimate) join(r Rated, o Options) Estimate {
	l := e.Lambda
	rest := make([]float64, len(r.People))
	for i := range rest {
		rest[i] = r.People[i] - l*r.Judge[i]
	}
	restOptions := o
	if o.Bounds.finite() {
		restOptions.Bounds = Bounds{o.Bounds.Low - l*o.Bounds.High, o.Bounds.High - l*o.Bounds.Low}
	}
	a, b := Mean(r.Judged, r.JudgedClusters, o), Mean(rest, r.Clusters, restOptions)
	out := Estimate{SE: math.Hypot(l*a.SE, b.SE), Clusters: b.Clusters, Bounds: o.Bounds}
	out.Interval = Interval{Value: l*a.Value + b.Value, N: len(r.People) + len(r.Judged), Level: o.Level,
		Method: fmt.Sprintf("PPI++ with λ=%.2f: %d rated (%s), %d judged (%s)", l, len(r.People), b.Method, len(r.Judged), a.Method)}
	out.Low = out.Value - math.Hypot(l*(a.Value-a.Low), b.Value-b.Low)
	out.High = out.Value + math.Hypot(l*(a.High-a.Value), b.High-b.Value)
	if o.Bounds.finite() {
		out.Value = min(max(out.Value, o.Bounds.Low), o.Bounds.High)
		out.Low, out.High = max(out.Low, o.Bounds.Low), min(out.High, o.Bounds.High)
	}
	return out
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

// joined are the clusters of rated and judged answers one after another; a cluster of one list is none of the other.
func joined(r Rated) []int {
	if r.Clusters == nil && r.JudgedClusters == nil {
		return nil
	}
	out := make([]int, 0, len(r.People)+len(r.Judged))
	next := 0
	for i := range r.People {
		c := i
		if r.Clusters != nil {
			c = r.Clusters[i]
		}
		out = append(out, c)
		next = max(next, c+1)
	}
	for i := range r.Judged {
		c := i
		if r.JudgedClusters != nil {
			c = r.JudgedClusters[i]
		}
		out = append(out, next+c)
	}
	return out
}
