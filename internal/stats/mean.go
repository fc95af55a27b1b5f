package stats

import (
	"fmt"
	"math"
	"slices"
)

// EnoughForCLT is the number of graded scores from which the central limit interval is used (Bowyer et al., arXiv 2503.01747,
// find it too short below a few hundred), and EnoughClusters the number of clusters it needs as well.
const (
	EnoughForCLT   = 200
	EnoughClusters = 50
)

// Mean is the mean of scores with its interval. clusters holds each score's cluster; nil means that each stands alone.
//
//   - pass/fail, every example alone: Wilson.
//   - 200 scores or more in 50 clusters or more: central limit with the clustered standard error (CR0).
//   - otherwise: bootstrap by cluster, BCa.
//
// The last two rest on the sample showing how the scores vary, and pass too easily when it hardly does. So where the range of
// the scores is known they are widened, where needed, to the one-sided bounds of bounded.go at error 1−Level per side; the
// method then says so. That leaves the ordinary interval alone and keeps a wrong pass at 1−Level. Ordinary scores keep the
// ordinary interval; five perfect scores at level .95 give .549–1, not 1–1.
//
// Without a known range (Unbounded, or a score outside the given one) a sample that does not vary supports no claim: its
// interval runs from −MaxFloat64 to MaxFloat64. With no scores at all the interval is the whole range and the value 0.
func Mean(scores []float64, clusters []int, o Options) Estimate {
	o = o.filled()
	if !o.Linearised {
		o.Bounds = o.Bounds.holding(scores)
	}
	s := newScalarSample(scores, clusters)
	if o.PassFail && s.g == s.n && allPassFail(scores) && s.n > 0 {
		return wilsonEstimate(int(math.Round(s.total[0])), s.n, o)
	}
	return s.meanEstimate(o)
}

// MeanDifference is the mean of second−first over the same examples, with the interval that Mean gives the differences. The
// range of a difference is the range of the scores either way.
func MeanDifference(first, second []float64, clusters []int, o Options) Estimate {
	samePairs(first, second)
	o = o.filled()
	if !o.Linearised {
		o.Bounds = o.Bounds.holding(first).holding(second)
	}
	o.Bounds = difference(o.Bounds)
	d := make([]float64, len(first))
	for i := range d {
		d[i] = second[i] - first[i]
	}
	return newScalarSample(d, clusters).meanEstimate(o)
}

func difference(b Bounds) Bounds {
	if !b.finite() {
		return Unbounded
	}
	return Bounds{b.Low - b.High, b.High - b.Low}
}

func allPassFail(scores []float64) bool {
	return !slices.ContainsFunc(scores, func(v float64) bool { return v != 0 && v != 1 })
}

func wilsonEstimate(k, n int, o Options) Estimate {
	p := float64(k) / float64(n)
	low, high := Wilson(k, n, o.Level)
	return Estimate{
		Interval: Interval{Value: p, Low: low, High: high, N: n, Level: o.Level, Method: "Wilson"},
		SE:       math.Sqrt(p * (1 - p) / float64(n)), Clusters: n, Bounds: Bounds{0, 1}, passes: k, exact: true,
	}
}

// meanEstimate is the interval of a scalar sample's mean: central limit or bootstrap, held to the bounded mean.
func (s *Sample) meanEstimate(o Options) Estimate {
	if s.n == 0 {
		return nothing(o)
	}
	e := Estimate{SE: s.meanSE(), Clusters: s.g, Bounds: o.Bounds}
	e.Interval = Interval{Value: s.total[0] / s.total[1], N: s.n, Level: o.Level}
	if s.n >= EnoughForCLT && s.g >= EnoughClusters {
		half := z((1-o.Level)/2) * e.SE
		e.Low, e.High, e.Method = e.Value-half, e.Value+half, "clustered CLT (CR0)"
		if s.g == s.n {
			e.Method = "CLT (HC0)"
		}
	} else {
		e.Low, e.High = s.Bootstrap(MeanOf(0), o.Resamples, o.Seed).BCa(o.Level)
		e.Method = bootstrapName(s, o)
	}
	if !o.Bounds.finite() {
		return e.unlessConstant()
	}
	a := 1 - o.Level
	e.widen(boundedLowUnder(s, o.Bounds.Low, a, e.Low), boundedHighOver(s, o.Bounds.High, a, e.High))
	return e
}

// Figure is a statistic of summed parts (micro-F1, corpus BLEU) with its BCa interval from the bootstrap by cluster, widened
// as Mean's is. o.Bounds are the range of the statistic.
func Figure(parts [][]float64, clusters []int, stat Statistic, o Options) Estimate {
	e, _ := NewSample(parts, clusters).figure(stat, o.filled())
	return e
}

// FigureDifference is the statistic of second less that of first, on the same resamples of the same examples, with a two-sided p-value
// that never says more than the interval: twice the smaller share of resamples on either side of zero (Davison & Hinkley 1997), or the
// share of the widening bound's draws there, whichever is greater.
func FigureDifference(first, second [][]float64, clusters []int, stat Statistic, o Options) (e Estimate, p float64) {
	if len(first) != len(second) {
		panic("stats: paired scores must be of the same examples")
	}
	o = o.filled()
	o.Bounds = difference(o.Bounds)
	both := make([][]float64, len(first))
	for i := range first {
		both[i] = slices.Concat(first[i], second[i])
	}
	return NewSample(both, clusters).figure(func(sum []float64, n float64) float64 {
		half := len(sum) / 2
		return stat(sum[half:], n) - stat(sum[:half], n)
	}, o)
}

func (s *Sample) figure(stat Statistic, o Options) (e Estimate, p float64) {
	if s.n == 0 {
		return nothing(o), 1
	}
	b := s.Bootstrap(stat, o.Resamples, o.Seed)
	o.Bounds = o.Bounds.holding([]float64{b.Value, b.Draws[0], b.Draws[len(b.Draws)-1]})
	e = Estimate{SE: b.SE, Clusters: s.g, Bounds: o.Bounds}
	e.Interval = Interval{Value: b.Value, N: s.n, Level: o.Level, Method: bootstrapName(s, o)}
	e.Low, e.High = b.BCa(o.Level)
	p = 2 * min(notBeyond(b.Draws), notBefore(b.Draws))
	if !o.Bounds.finite() {
		return e.unlessConstant(), min(1, p)
	}
	low, high := s.boundedDraws(stat, o.Bounds, o.Resamples, o.Seed)
	e.widen(quantile(low, 1-o.Level), quantile(high, o.Level))
	return e, min(1, max(p, min(notBeyond(low), notBefore(high))))
}

func bootstrapName(s *Sample, o Options) string {
	if s.g == s.n {
		return fmt.Sprintf("BCa bootstrap, %d resamples", o.Resamples)
	}
	return fmt.Sprintf("BCa cluster bootstrap, %d resamples", o.Resamples)
}

// widened is added to the method of an interval that was.
const widened = ", widened to the bounded-mean bound"

// widen moves the ends out to the bounded-mean bounds where those are wider, and keeps them inside the range.
func (e *Estimate) widen(low, high float64) {
	if low < e.Low || high > e.High {
		e.Method += widened
	}
	e.Low = max(min(e.Low, low), e.Bounds.Low)
	e.High = min(max(e.High, high), e.Bounds.High)
}

// unlessConstant withdraws the claim of a sample of unknown range that does not vary.
func (e Estimate) unlessConstant() Estimate {
	if e.High-e.Low <= 1e-12*math.Abs(e.Value) {
		e.Low, e.High = -math.MaxFloat64, math.MaxFloat64
		e.Method = "none: the scores do not vary and their range is unknown"
	}
	return e
}

func nothing(o Options) Estimate {
	e := Estimate{Bounds: o.Bounds}
	e.Interval = Interval{Level: o.Level, Method: "none: no scores", Low: o.Bounds.Low, High: o.Bounds.High}
	if !o.Bounds.finite() {
		e.Low, e.High = -math.MaxFloat64, math.MaxFloat64
	}
	return e
}
