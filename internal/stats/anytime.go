package stats

import (
	"fmt"
	"math"
	"slices"

	"github.com/rung-dev/rung/internal/stats/dist"
)

// Anytime is a sample that is looked at while it grows, cluster by cluster, in an order fixed beforehand. What it claims holds at
// every look together: the chance that it is ever wrong stays at the error it is given.
//
// Scores of a known range are betted on, which is exact for every distribution and every n (Waudby-Smith & Ramdas, JRSS-B 2024). A
// bettor plays against "the mean is at most m": with the share f of the money on every cluster, the money is multiplied by
// 1 + f·x/m, x = (S − m·k)/K for a cluster of k examples with the sum S (scores scaled to begin at 0), K the most that any cluster
// of the suite holds. If the claim is true x is at most 0 on average and never under −m, so the money is not expected to grow. The
// money is spread over many f, since the best one depends on the unknown mean (on pass/fail scores it is the binomial likelihood
// ratio, mixed over the better rates). By Ville's inequality it ever reaches 1/α with a chance of at most α. Bets are constant, so
// the order within the sample does not matter, only that it was fixed.
//
// Figures of summed counts, and scores without a known range, have the asymptotic sequence of SequenceHalfWidth on their
// (linearised) scores, from 50 clusters on, with an imagined cluster at the far end of the range so that a sample that does not
// vary does not claim to be certain.
type Anytime struct {
	sum, size  []float64 // per cluster: of its scores, and its examples
	n          int
	largest    float64 // examples of the largest cluster of the whole suite
	bounds     Bounds
	passFail   bool
	asymptotic bool
	tight      float64 // n·v at which the asymptotic sequence is tightest
	value      float64 // the figure, where it is not the mean of the scores
	groups     []cell  // clusters that are alike, counted
	total      int     // examples of the whole suite
}

// cell counts clusters with one sum and one size.
type cell struct{ sum, size, count float64 }

// AnytimePlan is what is known of a suite before the first look.
type AnytimePlan struct {
	Total   int // examples of the suite
	Largest int // examples of its largest cluster; 0 is 1
}

// Each is a plan that counts answers, counted in examples: k answers to each.
func (p AnytimePlan) Each(k int) AnytimePlan {
	return AnytimePlan{Total: p.Total / k, Largest: p.Largest / k}
}

// NewAnytime takes the scores seen so far with their clusters (nil: every example alone). Only Bounds, PassFail and Linearised of o
// matter. For linearised scores figure is the figure itself.
func NewAnytime(scores []float64, clusters []int, figure float64, plan AnytimePlan, o Options) *Anytime {
	o = o.filled()
	if !o.Linearised {
		o.Bounds = o.Bounds.holding(scores)
	}
	s := newScalarSample(scores, clusters)
	a := &Anytime{n: s.n, total: plan.Total, largest: float64(max(1, plan.Largest)), bounds: o.Bounds, value: figure,
		asymptotic: o.Linearised || !o.Bounds.finite(), passFail: o.PassFail && s.g == s.n && allPassFail(scores)}
	a.sum, a.size = make([]float64, s.g), make([]float64, s.g)
	for c := range s.g {
		a.sum[c], a.size[c] = s.dense[2*c], s.dense[2*c+1]
		a.largest = max(a.largest, a.size[c])
	}
	if !o.Linearised && s.n > 0 {
		a.value = s.total[0] / s.total[1]
	}
	// A guess, made before the data: scores of half the variance of fair coins, and a decision a third of the way.
	a.tight = .125 * a.span() * a.span() * max(EnoughForAsymptotics, float64(plan.Total)/3)
	a.count()
	return a
}

// span is the range of the scores, 1 where it is not known.
func (a *Anytime) span() float64 {
	if !a.bounds.finite() {
		return 1
	}
	return a.bounds.High - a.bounds.Low
}

// count puts clusters that are alike into cells: a bet is worth the same on each.
func (a *Anytime) count() {
	if a.asymptotic {
		return
	}
	at := map[[2]float64]int{}
	for c := range a.sum {
		key := [2]float64{a.sum[c], a.size[c]}
		i, known := at[key]
		if !known {
			i = len(a.groups)
			at[key] = i
			a.groups = append(a.groups, cell{key[0], key[1], 0})
		}
		a.groups[i].count++
	}
}

// Bet shares of the money, denser near zero, where the bets for a mean close to the claim are.
var shares = func() (out [40]float64) {
	for j := range out {
		x := (float64(j) + .5) / float64(len(out))
		out[j] = x * x
	}
	return out
}()

// EnoughForAsymptotics is the number of clusters from which the asymptotic sequence is used: below it, it claims nothing.
const EnoughForAsymptotics = 50

// N is the number of examples seen.
func (a *Anytime) N() int { return a.n }

// Total is the number of examples of the whole suite.
func (a *Anytime) Total() int { return a.total }

// Above reports whether "the mean is at most m" is refuted at error alpha, over all looks together.
func (a *Anytime) Above(m, alpha float64) bool {
	if a.asymptotic {
		low, _ := a.asymptotics(alpha)
		return low >= m
	}
	return a.money(m, false) >= -math.Log(alpha)
}

// Below reports whether "the mean is at least m" is refuted at error alpha.
func (a *Anytime) Below(m, alpha float64) bool {
	if a.asymptotic {
		_, high := a.asymptotics(alpha)
		return high < m
	}
	return a.money(m, true) >= -math.Log(alpha)
}

// Towards is the part of the evidence that Below needs, as a logarithm: 1 when it refutes. It is 0 for asymptotic sequences.
func (a *Anytime) Towards(m, alpha float64) float64 {
	if a.asymptotic {
		return 0
	}
	return a.money(m, true) / -math.Log(alpha)
}

// money is the logarithm of what was won against the claim that the mean is at most m; mirrored, that it is at least m.
func (a *Anytime) money(m float64, mirrored bool) float64 {
	span := a.span()
	m = (m - a.bounds.Low) / span
	if mirrored {
		m = 1 - m
	}
	switch {
	case len(a.sum) == 0 || m >= 1:
		return 0
	case m < 0:
		return math.Inf(1)
	case m == 0: // any score above the end of the range refutes it
		for _, g := range a.groups {
			if a.scaled(g, span, mirrored) > 1e-12 {
				return math.Inf(1)
			}
		}
		return 0
	}
	var logs [len(shares)]float64
	for _, g := range a.groups {
		y := (a.scaled(g, span, mirrored) - m*g.size) / (a.largest * m)
		for j, f := range shares {
			logs[j] += g.count * math.Log1p(f*max(y, -1))
		}
	}
	most := slices.Max(logs[:])
	sum := 0.0
	for _, l := range logs {
		sum += math.Exp(l - most)
	}
	return most + math.Log(sum/float64(len(logs)))
}

// scaled is a cluster's sum with its scores scaled to [0, 1].
func (a *Anytime) scaled(g cell, span float64, mirrored bool) float64 {
	s := (g.sum - a.bounds.Low*g.size) / span
	if mirrored {
		return g.size - s
	}
	return s
}

// asymptotics are the bounds of the asymptotic sequence at error alpha on either side.
func (a *Anytime) asymptotics(alpha float64) (low, high float64) {
	low, high = a.bounds.Low, a.bounds.High
	if len(a.sum) < EnoughForAsymptotics {
		return low, high
	}
	half := func(far float64) float64 {
		g := float64(len(a.sum))
		v := a.perExample() + far*far*g/((g+1)*(g+1))
		return SequenceHalfWidth(a.n, v, 2*alpha, a.tight) + far/(g+1)
	}
	farLow, farHigh := 0.0, 0.0
	if a.bounds.finite() {
		farLow, farHigh = a.value-low, high-a.value
	}
	return max(low, a.value-half(farLow)), min(high, a.value+half(farHigh))
}

// perExample is the variance of the mean times n: that of a score, with the effect of clusters.
func (a *Anytime) perExample() float64 {
	n, total := float64(a.n), 0.0
	for _, s := range a.sum {
		total += s
	}
	mean, squares := total/n, 0.0
	for c := range a.sum {
		d := a.sum[c] - mean*a.size[c]
		squares += d * d
	}
	return squares / n
}

// Interval is what is not refuted at error alpha on either side; its level is 1−2·alpha.
func (a *Anytime) Interval(alpha float64) Estimate {
	e := Estimate{Clusters: len(a.sum), Bounds: a.bounds}
	e.Interval = Interval{Value: a.value, N: a.n, Level: 1 - 2*alpha, Low: a.bounds.Low, High: a.bounds.High}
	if a.n == 0 {
		e.Method = "none: no scores"
		return e
	}
	e.SE = math.Sqrt(a.perExample() / float64(a.n))
	if a.asymptotic {
		e.Low, e.High = a.asymptotics(alpha)
		e.Method = AsymptoticMethod
		if len(a.sum) < EnoughForAsymptotics {
			e.Method += fmt.Sprintf(" (nothing is claimed below %d clusters)", EnoughForAsymptotics)
		}
		if math.IsInf(e.Low, 0) || math.IsInf(e.High, 0) {
			e.Low, e.High = -math.MaxFloat64, math.MaxFloat64
		}
		return e
	}
	e.Method = BettingMethod
	e.Low = a.bound(a.bounds.Low, func(m float64) bool { return a.Above(m, alpha) })
	e.High = a.bound(a.bounds.High, func(m float64) bool { return a.Below(m, alpha) })
	return e
}

// The names of the sequences in reports.
const (
	BettingMethod    = "betting confidence sequence (mixed bets)"
	AsymptoticMethod = "asymptotic confidence sequence"
)

// bound is the last refuted claim on the way from end to the value. The money falls in m, so what is refuted is one stretch.
func (a *Anytime) bound(end float64, refuted func(float64) bool) float64 {
	shut, open := end, a.value
	if refuted(open) { // cannot be: the value is never refuted; held against rounding
		return open
	}
	for range 50 {
		if mid := (shut + open) / 2; refuted(mid) {
			shut = mid
		} else {
			open = mid
		}
	}
	return shut
}

// P is the p-value, valid at every look, of the claim that the mean is m: one over the money won with half of it betted on either
// side.
func (a *Anytime) P(m float64) float64 {
	if a.asymptotic {
		return a.asymptoticP(m)
	}
	up, down := a.money(m, false), a.money(m, true)
	most := max(up, down)
	if math.IsInf(most, 1) {
		return 0
	}
	return min(1, math.Exp(-(most + math.Log((math.Exp(up-most)+math.Exp(down-most))/2))))
}

// asymptoticP is the least two-sided error at which the asymptotic sequence does not hold m.
func (a *Anytime) asymptoticP(m float64) float64 {
	low, high := 1e-16, .2
	outside := func(alpha float64) bool {
		l, h := a.asymptotics(alpha)
		return m < l || m > h
	}
	if !outside(high) { // beyond it the formula is not defined
		return 1
	}
	for range 60 {
		if mid := math.Sqrt(low * high); outside(mid) {
			high = mid
		} else {
			low = mid
		}
	}
	return min(1, 2*high)
}

// OneSided are the p-values, valid at every look, of the claims that the mean is at most m and that it is at least m.
func (a *Anytime) OneSided(m float64) (atMost, atLeast float64) {
	if !a.asymptotic {
		return min(1, math.Exp(-a.money(m, false))), min(1, math.Exp(-a.money(m, true)))
	}
	least := func(refuted func(m, alpha float64) bool) float64 {
		low, high := 1e-16, .2
		if !refuted(m, high) { // beyond it the formula is not defined
			return 1
		}
		for range 60 {
			if mid := math.Sqrt(low * high); refuted(m, mid) {
				high = mid
			} else {
				low = mid
			}
		}
		return high
	}
	return least(a.Above), least(a.Below)
}

// Reach is the chance that the mean of total examples is at least m, judged by those seen: for pass/fail by the beta-binomial
// distribution from a flat prior, else by the normal one. It predicts and claims nothing.
func (a *Anytime) Reach(m float64, total int) float64 {
	if a.passFail {
		need := int(math.Ceil(m*float64(total) - 1e-9))
		return a.successes(need, total)
	}
	return a.predicted(m, total)
}

// PassChance is the chance that the verdict on all total examples, at the given two-sided level, is a pass, judged by those seen.
func (a *Anytime) PassChance(atLeast, level float64, total int) float64 {
	if a.passFail {
		need := leastToPass(atLeast, level, total)
		if need > total {
			return 0
		}
		return a.successes(need, total)
	}
	n := float64(a.n)
	v := a.spread()
	return a.predicted(atLeast+z((1-level)/2)*math.Sqrt(v/max(n, float64(total))), total)
}

// leastToPass is the least number of successes that passes; total+1 when none does.
func leastToPass(atLeast, level float64, total int) int {
	low, high := 0, total+1
	for low < high {
		mid := (low + high) / 2
		e := wilsonEstimate(mid, total, Options{Level: level})
		if e.Verdict(atLeast) == Pass {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return low
}

// spread is the variance of a score, not under that of n equal scores and one at the far end of the range.
func (a *Anytime) spread() float64 {
	v, n := a.perExample(), float64(a.n)
	if a.bounds.finite() {
		far := max(a.value-a.bounds.Low, a.bounds.High-a.value)
		v = max(v, far*far*n/((n+1)*(n+1)))
	}
	return v
}

// predicted is P(mean of total ≥ m): it is normal around the present mean with the variance v·(1/n − 1/total).
func (a *Anytime) predicted(m float64, total int) float64 {
	n, all := float64(a.n), float64(total)
	if total <= a.n {
		if a.value >= m {
			return 1
		}
		return 0
	}
	sd := math.Sqrt(a.spread() * (1/n - 1/all))
	if sd == 0 {
		sd = 1e-12
	}
	return dist.UnitNormal.Survival((m - a.value) / sd)
}

// successes is P(at least need successes of total), given those seen.
func (a *Anytime) successes(need, total int) float64 {
	k := int(math.Round(a.value * float64(a.n)))
	left := total - a.n
	switch {
	case need <= k:
		return 1
	case need-k > left:
		return 0
	}
	return betaBinomialAtLeast(need-k, left, float64(k)+1, float64(a.n-k)+1)
}

// betaBinomialAtLeast is P(X ≥ x) of n trials whose rate is Beta(a, b).
func betaBinomialAtLeast(x, n int, a, b float64) float64 {
	lg := func(v float64) float64 { l, _ := math.Lgamma(v); return l }
	base := lg(a+b) - lg(a) - lg(b) + lg(float64(n)+1) - lg(a+b+float64(n))
	sum := 0.0
	for i := x; i <= n; i++ {
		f := float64(i)
		sum += math.Exp(base + lg(a+f) + lg(b+float64(n)-f) - lg(f+1) - lg(float64(n)-f+1))
	}
	return min(1, sum)
}

// MeanDifferenceAnytime is the mean of second−first over the examples that both answered, where either may have stopped early: the
// interval and the p-value hold at any stop.
func MeanDifferenceAnytime(first, second []float64, clusters []int, figure float64, plan AnytimePlan, o Options) (Estimate, float64) {
	samePairs(first, second)
	o = o.filled()
	o.PassFail = false
	if !o.Linearised {
		o.Bounds = o.Bounds.holding(first).holding(second)
	}
	o.Bounds = difference(o.Bounds)
	d := make([]float64, len(first))
	for i := range d {
		d[i] = second[i] - first[i]
	}
	a := NewAnytime(d, clusters, figure, plan, o)
	e := a.Interval((1 - o.Level) / 2)
	e.anytime = a
	return e, a.P(0)
}
