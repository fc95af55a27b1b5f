package stats

import (
	"math"
	"math/rand/v2"
	"slices"
)

// CurvePoint is what was measured with a train set of one size: a score for each held-out example, the same examples in the same order at
// every size, for each draw of that many training examples.
type CurvePoint struct {
	N     int         // training examples
	Draws [][]float64 // draw → example → score
}

// PowerLaw is error = A + B·n^−C (Hestness et al., arXiv 1712.00409; with the offset A, Rosenfeld et al., ICLR 2020): A is the error that
// no number of examples removes, B ≥ 0, and C between MinExponent and MaxExponent.
type PowerLaw struct {
	A float64 `json:"a"`
	B float64 `json:"b"`
	C float64 `json:"c"`
}

// The exponents that are tried: learning curves lie between .07 and .35 in Hestness et al.; parametric problems reach 1.
const (
	MinExponent = .05
	MaxExponent = 2
)

// Error is the error with n training examples.
func (p PowerLaw) Error(n float64) float64 { return p.A + p.B*math.Pow(n, -p.C) }

// CurveOptions say what is predicted.
type CurveOptions struct {
	Clusters  []int   // of the held-out examples; nil: each alone
	Top       float64 // the best score there is; error is what lacks from it
	Extra     int     // further examples
	Level     float64 // of the interval
	Resamples int     // 0: 2,000
	Seed      uint64
}

// Curve is a fitted learning curve with what further examples are expected to buy.
type Curve struct {
	Law    PowerLaw  `json:"law"`
	Fitted []float64 `json:"fitted"` // score at each size
	Noise  float64   `json:"noise"`  // standard deviation of a size's score around the curve that drawing other training examples makes
	N      int       `json:"n"`      // the largest size
	Now    Interval  `json:"now"`    // score at N, by the curve
	Then   Interval  `json:"then"`   // score at N + Extra
	Gain   Interval  `json:"gain"`   // Then − Now
}

// MinCurveSizes are the sizes below which a curve with three parameters says nothing.
const MinCurveSizes = 4

// LearningCurve fits a power law with offset to scores at several sizes of the train set by weighted least squares and gives percentile
// intervals over resamples. A resample draws the clusters of held-out examples with replacement (the same at all sizes, since they were
// asked the same) and moves each size by normal noise: other training examples of the same number would have scored otherwise. The
// noise's variance is that between the draws of a size where there are several, else that of the sizes around the curve, with the
// degrees of freedom left; its own uncertainty is drawn too (χ²). ok is false with fewer than MinCurveSizes sizes.
func LearningCurve(points []CurvePoint, o CurveOptions) (c Curve, ok bool) {
	points = slices.Clone(points)
	slices.SortFunc(points, func(a, b CurvePoint) int { return a.N - b.N })
	if len(points) < MinCurveSizes {
		return c, false
	}
	if o.Resamples == 0 {
		o.Resamples = 2000
	}
	f := newCurveFit(points, &o)
	c.N = points[len(points)-1].N
	all := make([]float64, f.groups)
	for i := range all {
		all[i] = 1
	}
	errs := f.errors(all)
	c.Law = f.fit(errs)
	for _, p := range points {
		c.Fitted = append(c.Fitted, o.Top-c.Law.Error(float64(p.N)))
	}
	variance, degrees := f.noise(errs, c.Law)
	c.Noise = math.Sqrt(variance)
	f.resample(&c, variance, degrees, &o)
	return c, true
}

// curveFit holds the scores by cluster.
type curveFit struct {
	points []CurvePoint
	top    float64
	groups int
	sums   [][]float64 // size → cluster → summed score, over draws, per draw
	counts []float64   // cluster → examples
	grid   []float64   // exponents
	powers [][]float64 // exponent → size → n^−c
}

func newCurveFit(points []CurvePoint, o *CurveOptions) *curveFit {
	f := &curveFit{points: points, top: o.Top}
	examples := len(points[0].Draws[0])
	of, g := compact(o.Clusters, examples)
	f.groups, f.counts = g, make([]float64, g)
	for _, c := range of {
		f.counts[c]++
	}
	for _, p := range points {
		sums := make([]float64, g)
		for _, draw := range p.Draws {
			for e, s := range draw {
				sums[of[e]] += s / float64(len(p.Draws))
			}
		}
		f.sums = append(f.sums, sums)
	}
	for c := MinExponent; c <= MaxExponent*1.001; c *= 1.08 {
		f.grid = append(f.grid, c)
		row := make([]float64, len(points))
		for i, p := range points {
			row[i] = math.Pow(float64(p.N), -c)
		}
		f.powers = append(f.powers, row)
	}
	return f
}

// errors are the errors at each size, clusters weighted.
func (f *curveFit) errors(weight []float64) []float64 {
	out := make([]float64, len(f.points))
	n := 0.0
	for c, w := range weight {
		n += w * f.counts[c]
	}
	for i := range out {
		sum := 0.0
		for c, w := range weight {
			sum += w * f.sums[i][c]
		}
		out[i] = f.top - sum/n
	}
	return out
}

// fit is the least-squares power law: for each exponent the best A ≥ 0 and B ≥ 0 in closed form. Sizes count by their draws.
func (f *curveFit) fit(errs []float64) PowerLaw {
	best, least := PowerLaw{A: mean(errs), C: 1}, math.Inf(1)
	for k, c := range f.grid {
		a, b := f.line(f.powers[k], errs)
		if r := f.squares(f.powers[k], errs, a, b); r < least-1e-15 {
			best, least = PowerLaw{A: a, B: b, C: c}, r
		}
	}
	return best
}

// line is the weighted least-squares line y = a + b·x with a ≥ 0 and b ≥ 0.
func (f *curveFit) line(x, y []float64) (a, b float64) {
	var w, wx, wy, wxx, wxy float64
	for i := range x {
		v := float64(len(f.points[i].Draws))
		w, wx, wy, wxx, wxy = w+v, wx+v*x[i], wy+v*y[i], wxx+v*x[i]*x[i], wxy+v*x[i]*y[i]
	}
	if d := w*wxx - wx*wx; d > 0 {
		b = (w*wxy - wx*wy) / d
	}
	if b <= 0 {
		return max(0, wy/w), 0
	}
	if a = (wy - b*wx) / w; a < 0 {
		return 0, max(0, wxy/wxx)
	}
	return a, b
}

func (f *curveFit) squares(x, y []float64, a, b float64) float64 {
	sum := 0.0
	for i := range x {
		d := y[i] - a - b*x[i]
		sum += float64(len(f.points[i].Draws)) * d * d
	}
	return sum
}

// noise is the variance of one size's error around the curve for one draw, with its degrees of freedom.
func (f *curveFit) noise(errs []float64, law PowerLaw) (variance float64, degrees int) {
	sum := 0.0
	for _, p := range f.points {
		if len(p.Draws) < 2 {
			continue
		}
		means := make([]float64, len(p.Draws))
		for i, d := range p.Draws {
			means[i] = mean(d)
		}
		m := mean(means)
		for _, v := range means {
			sum += (v - m) * (v - m)
		}
		degrees += len(means) - 1
	}
	around, left := 0.0, max(1, len(f.points)-3)
	for i, p := range f.points {
		d := errs[i] - law.Error(float64(p.N))
		around += float64(len(p.Draws)) * d * d
	}
	return (sum + around) / float64(degrees+left), degrees + left
}

// resample fills in the intervals.
func (f *curveFit) resample(c *Curve, variance float64, degrees int, o *CurveOptions) {
	rng := rand.New(rand.NewPCG(o.Seed, 0x9e3779b97f4a7c15))
	now, then, gain := make([]float64, o.Resamples), make([]float64, o.Resamples), make([]float64, o.Resamples)
	weight := make([]float64, f.groups)
	n, m := float64(c.N), float64(c.N+o.Extra)
	for r := range o.Resamples {
		clear(weight)
		for range f.groups {
			weight[rng.IntN(f.groups)]++
		}
		errs := f.errors(weight)
		chi := 0.0
		for range degrees {
			z := rng.NormFloat64()
			chi += z * z
		}
		sd := math.Sqrt(variance * float64(degrees) / max(chi, 1e-9))
		for i := range errs {
			errs[i] += sd / math.Sqrt(float64(len(f.points[i].Draws))) * rng.NormFloat64()
		}
		law := f.fit(errs)
		now[r], then[r] = o.Top-law.Error(n), o.Top-law.Error(m)
		gain[r] = then[r] - now[r]
	}
	examples := int(sumOf(f.counts))
	c.Now = percentile(now, o.Top-c.Law.Error(n), o.Level, examples)
	c.Then = percentile(then, o.Top-c.Law.Error(m), o.Level, examples)
	c.Gain = percentile(gain, c.Law.Error(n)-c.Law.Error(m), o.Level, examples)
}

func sumOf(values []float64) float64 {
	s := 0.0
	for _, v := range values {
		s += v
	}
	return s
}

func percentile(draws []float64, value, level float64, n int) Interval {
	slices.Sort(draws)
	t := (1 - level) / 2
	return Interval{Value: value, Low: min(value, quantile(draws, t)), High: max(value, quantile(draws, 1-t)), Level: level, N: n, Method: "percentile bootstrap of a power law with offset"}
}
