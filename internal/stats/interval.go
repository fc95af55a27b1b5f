// Package stats says what may be claimed from a sample of scores: intervals, paired tests, power, and agreement. Everything
// is a pure function of its arguments; what resamples takes a seed and gives the same figures for the same seed on every
// machine. The rules are in STATISTICS.md, the reference values in shared/vectors.
//
// The promise behind it: a climb stops at the first pass, each rung is judged at its own share of α (Spend), and a verdict
// of pass at level 1−a is wrong with probability at most a when the candidate is at or below the bar.
package stats

import "math"

// Interval is a figure with its uncertainty. It has the fields of the root package's Interval, in the same order, so that one
// converts to the other.
type Interval struct {
	Value  float64
	Low    float64
	High   float64
	N      int     // examples
	Level  float64 // two-sided, such as .95
	Method string
}

// Contains reports whether x lies in the closed interval.
func (iv Interval) Contains(x float64) bool { return iv.Low <= x && x <= iv.High }

// Verdict is what an interval says against a bar.
type Verdict string

// The verdicts.
const (
	Pass         Verdict = "pass"
	Fail         Verdict = "fail"
	Inconclusive Verdict = "inconclusive"
)

// VerdictOf compares an interval with a bar: pass when its lower bound reaches it, fail when its upper bound stays below.
// An Estimate has a Verdict of its own, which is to be preferred where there is one.
func VerdictOf(iv Interval, atLeast float64) Verdict {
	switch {
	case math.IsNaN(iv.Low) || math.IsNaN(iv.High) || math.IsNaN(atLeast):
		return Inconclusive
	case iv.Low >= atLeast:
		return Pass
	case iv.High < atLeast:
		return Fail
	}
	return Inconclusive
}

// Bounds are the least and the greatest value that a score can take. The zero value means between 0 and 1.
type Bounds struct{ Low, High float64 }

// Unbounded is for scores without known limits. Less can be claimed about them: see Mean.
var Unbounded = Bounds{math.Inf(-1), math.Inf(1)}

// orDefault is b with the zero value read as [0, 1].
func (b Bounds) orDefault() Bounds {
	if b.Low == 0 && b.High == 0 {
		return Bounds{0, 1}
	}
	return b
}

func (b Bounds) finite() bool { return !math.IsInf(b.Low, 0) && !math.IsInf(b.High, 0) }

// holding is b when every value lies in it and Unbounded otherwise: a limit that does not hold supports no claim.
func (b Bounds) holding(values []float64) Bounds {
	const slack = 1e-9 // rounding in a metric is no breach
	span := max(1, b.High-b.Low)
	for _, v := range values {
		if !(v >= b.Low-slack*span && v <= b.High+slack*span) {
			return Unbounded
		}
	}
	return b
}

// Options shape an interval.
type Options struct {
	Level    float64 // two-sided; 0 means .95
	PassFail bool    // the scores are 0 or 1
	Bounds   Bounds  // of a single score (or of the statistic, for Figure)
	// Linearised says that the scores are pseudo-scores whose mean is a figure (the infinitesimal jackknife): Bounds are the
	// figure's, single scores may lie outside them.
	Linearised bool
	Seed       uint64
	Resamples  int // 0 means 10,000
}

// Resamples is how often the bootstrap draws unless told otherwise.
const Resamples = 10_000

func (o Options) filled() Options {
	if o.Level == 0 {
		o.Level = .95
	}
	if !(o.Level > 0 && o.Level < 1) {
		panic("stats: a level must lie between 0 and 1")
	}
	if o.Resamples <= 0 {
		o.Resamples = Resamples
	}
	o.Bounds = o.Bounds.orDefault()
	return o
}

// Estimate is an interval with what is needed to judge it and to plan the next sample.
type Estimate struct {
	Interval
	SE       float64 // standard error of Value; 0 when the sample does not vary
	Clusters int     // independent units; N when every example stands alone
	Bounds   Bounds
	passes   int      // successes, when exact
	exact    bool     // pass/fail with independent examples: Low and High are Wilson's
	anytime  *Anytime // of a sample that stopped early: its one-sided tests
}

// Verdict compares the estimate with a bar, as VerdictOf does. For independent pass/fail scores an exact binomial test must
// agree. Wilson's interval is too short near 0 and 1 (with 20 examples, a bar of .01 and level .99 it passes wrongly in 1.7 %
// of samples instead of at most 1 %), so a pass also needs P(at least this many successes | bar) ≤ 1−level and a fail P(at
// most this many | bar) ≤ 1−level. With a bar between .1 and .9 and at least 20 examples that rarely changes anything.
func (e Estimate) Verdict(atLeast float64) Verdict {
	v := VerdictOf(e.Interval, atLeast)
	if !e.exact || v == Inconclusive || atLeast <= 0 || atLeast >= 1 {
		return v
	}
	tail := binomialUpper(e.passes, e.N, atLeast)
	if v == Fail {
		tail = binomialLower(e.passes, e.N, atLeast)
	}
	if tail > 1-e.Level {
		return Inconclusive
	}
	return v
}
