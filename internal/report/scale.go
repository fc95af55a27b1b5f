package report

import (
	"math"
	"slices"
)

// scale maps values to a range of pixels, linearly or by logarithm.
type scale struct {
	low, high float64
	from, to  float64 // pixels
	log       bool
}

func (s scale) at(v float64) float64 {
	lo, hi := s.low, s.high
	if s.log {
		lo, hi, v = math.Log10(lo), math.Log10(hi), math.Log10(max(v, s.low))
	}
	if hi == lo {
		return (s.from + s.to) / 2
	}
	share := min(1, max(0, (v-lo)/(hi-lo)))
	return s.from + share*(s.to-s.from)
}

// ticks are round values inside the scale, about n of them.
func (s scale) ticks(n int) []float64 {
	if s.log {
		return s.logTicks(n)
	}
	step := roundStep((s.high - s.low) / float64(max(1, n)))
	var out []float64
	for v := math.Ceil(s.low/step-1e-9) * step; v <= s.high+step*1e-9; v += step {
		out = append(out, math.Round(v/step)*step+0) // never −0
	}
	return out
}

func (s scale) logTicks(n int) []float64 {
	var out []float64
	for e := math.Floor(math.Log10(s.low)); e <= math.Ceil(math.Log10(s.high)); e++ {
		for _, m := range []float64{1, 2, 5} {
			if v := m * math.Pow(10, e); v >= s.low*.999 && v <= s.high*1.001 {
				out = append(out, v)
			}
		}
	}
	if len(out) > n+1 {
		powers := slices.DeleteFunc(slices.Clone(out), func(v float64) bool {
			l := math.Log10(v)
			return math.Abs(l-math.Round(l)) > 1e-9
		})
		if len(powers) >= 2 {
			return powers
		}
	}
	return out
}

// roundStep is the next of 1, 2, 5 times a power of ten at or above v.
func roundStep(v float64) float64 {
	if v <= 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		return 1
	}
	p := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5, 10} {
		if m*p >= v*(1-1e-9) {
			return m * p
		}
	}
	return 10 * p
}

// scoreScale covers the values of a metric: 0 to 1, or 0 to a round figure above the largest.
func scoreScale(values []float64, from, to float64) scale {
	top := 1.0
	for _, v := range values {
		top = max(top, v)
	}
	if top > 1.5 {
		top = min(100, math.Ceil(top/10)*10)
	}
	low := 0.0
	for _, v := range values {
		low = min(low, v)
	}
	return scale{low: low, high: top, from: from, to: to}
}

// costScale covers positive values with room at the ends, by logarithm when they are far apart.
func costScale(values []float64, from, to float64) scale {
	if len(values) == 0 {
		return scale{low: 0, high: 1, from: from, to: to}
	}
	lo, hi := slices.Min(values), slices.Max(values)
	if lo > 0 && hi/lo > 8 {
		return scale{low: lo / 1.6, high: hi * 1.6, from: from, to: to, log: true}
	}
	return scale{low: 0, high: max(hi*1.15, 1e-12), from: from, to: to}
}
