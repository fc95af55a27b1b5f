package stats

import "math"

// Running is a sample of values between Low and High by its sums alone, so that samples taken in different places can be added
// up. From it follows a betting confidence sequence that holds for every n and every distribution on [Low, High].
//
// Against the claim that the mean is at most m a bettor puts the share λ of the money on each value x; after it the money has
// grown by 1+λy with y = (x−m)/(m−Low) ≥ −1, by nothing on average if the claim is true. Fan, Grama & Liu (Electronic Journal of
// Probability 2015, lemma 4.1) give 1+λy ≥ exp(λy − ψ(λ)y²) with ψ(λ) = −ln(1−λ)−λ, and the right side multiplies up to
// exp(λΣy − ψ(λ)Σy²), for which n, Σx and Σx² are enough. So the bet is exact and needs no order, unlike Sequence; it gives away
// a little where y is near ±1. The money is spread over several λ (bets), since the best one depends on the unknown mean. By
// Ville's inequality the money of a false claim ever reaches 1/α with a chance of at most α, however often one looks.
type Running struct {
	N            int64
	Sum, Squares float64
	Low, High    float64
}

// bets are the shares of the money that are put on each value, each half of the one before, with the part of the money that goes
// to each and its price ψ. A bet off by √2 from the best one still grows at 91 % of its rate. Most money is where the difference
// of two success rates needs it: distances of .01 to .1 from the claim with variances of .05 to .4.
var bets = func() (out [7]struct{ bet, price, part float64 }) {
	for i, part := range [...]float64{.10, .20, .25, .20, .12, .08, .05} {
		bet := .8 * math.Pow(.5, float64(i))
		out[i].bet, out[i].price, out[i].part = bet, -math.Log1p(-bet)-bet, part
	}
	return out
}()

// EvidenceAbove is the natural logarithm of the money won against the claim "the mean is at most m": it reaches ln(1/α) with a
// chance of at most α, over all n together, if the claim is true. m must lie between Low and High.
func (s Running) EvidenceAbove(m float64) float64 {
	return s.evidence(s.Sum-float64(s.N)*m, s.squaresFrom(m), m-s.Low, s.High-m)
}

// EvidenceBelow is the same against "the mean is at least m".
func (s Running) EvidenceBelow(m float64) float64 {
	return s.evidence(float64(s.N)*m-s.Sum, s.squaresFrom(m), s.High-m, m-s.Low)
}

func (s Running) squaresFrom(m float64) float64 {
	return max(0, s.Squares-2*m*s.Sum+float64(s.N)*m*m)
}

// evidence takes Σ(x−m), Σ(x−m)², and the most that x−m can fall below and rise above zero. Where it can rise much further than
// fall (the claim is near an end of the range) the bets that fit the fall are too high for values that do rise far, so half of the
// money goes by the rise. Either is a fair bet, so their mean is one.
func (s Running) evidence(sum, squares, fall, rise float64) float64 {
	switch {
	case s.N == 0:
		return 0
	case fall <= 0 && sum > 0: // the claim is at the end of the range: one value beyond it refutes it
		return math.Inf(1)
	case fall <= 0:
		return 0
	case rise < 2*fall:
		return money(sum/fall, squares/(fall*fall))
	}
	a, b := money(sum/fall, squares/(fall*fall)), money(sum/rise, squares/(rise*rise))
	most := max(a, b)
	return most + math.Log((math.Exp(a-most)+math.Exp(b-most))/2)
}

// money is the logarithm of what all the bets have come to, from Σy and Σy².
func money(sum, squares float64) float64 {
	logs, most := [len(bets)]float64{}, math.Inf(-1)
	for i, b := range bets {
		logs[i] = b.bet*sum - b.price*squares
		most = max(most, logs[i])
	}
	total := 0.0
	for i, l := range logs {
		total += bets[i].part * math.Exp(l-most)
	}
	return most + math.Log(total)
}

// sequenceSteps is how finely the bounds of a Running are looked for before they are refined.
const sequenceSteps = 200

// LowerBound is the greatest m that is refuted at error alpha as an upper limit of the mean; Low when none is.
func (s Running) LowerBound(alpha float64) float64 {
	limit := -math.Log(alpha)
	return s.boundary(s.Low, func(m float64) bool { return s.EvidenceAbove(m) >= limit })
}

// UpperBound is the least m that is refuted at error alpha as a lower limit of the mean; High when none is.
func (s Running) UpperBound(alpha float64) float64 {
	limit := -math.Log(alpha)
	return s.boundary(s.High, func(m float64) bool { return s.EvidenceBelow(m) >= limit })
}

// boundary goes from the mean towards end to the first m that is refuted, then narrows the step before it down, and gives an m
// that is refuted. The claims beyond it say more, so they are refuted with it.
func (s Running) boundary(end float64, refuted func(float64) bool) float64 {
	if s.N == 0 {
		return end
	}
	mean := s.Sum / float64(s.N)
	open, found := mean, false
	var shut float64
	for i := 1; i <= sequenceSteps && !found; i++ {
		m := mean + (end-mean)*squaredStep(i)
		if found = refuted(m); found {
			shut = m
		} else {
			open = m
		}
	}
	if !found {
		return end
	}
	for range 40 {
		if mid := (open + shut) / 2; refuted(mid) {
			shut = mid
		} else {
			open = mid
		}
	}
	return shut
}

// squaredStep makes the first steps small: with many values the bound is near the mean.
func squaredStep(i int) float64 {
	x := float64(i) / sequenceSteps
	return x * x
}

// Interval is the two bounds, each at error alpha/2.
func (s Running) Interval(alpha float64) Interval {
	iv := Interval{N: int(s.N), Level: 1 - alpha, Method: RunningMethod, Low: s.LowerBound(alpha / 2), High: s.UpperBound(alpha / 2)}
	if s.N > 0 {
		iv.Value = s.Sum / float64(s.N)
	}
	return iv
}

// RunningMethod names the sequence in reports.
const RunningMethod = "betting confidence sequence (empirical Bernstein, mixed)"

// NeededAbove is about how many values settle EvidenceAbove(m) at error alpha if the rest are like those seen; 0 when there is no
// end in sight.
func (s Running) NeededAbove(m, alpha float64) int {
	return s.needed(s.Sum-float64(s.N)*m, s.squaresFrom(m), m-s.Low, alpha)
}

// NeededBelow is the same for EvidenceBelow.
func (s Running) NeededBelow(m, alpha float64) int {
	return s.needed(float64(s.N)*m-s.Sum, s.squaresFrom(m), s.High-m, alpha)
}

func (s Running) needed(sum, squares, scale, alpha float64) int {
	if s.N == 0 || scale <= 0 {
		return 0
	}
	least := math.Inf(1)
	for _, b := range bets {
		rate := (b.bet*sum/scale - b.price*squares/(scale*scale)) / float64(s.N)
		if rate > 0 {
			least = min(least, -math.Log(alpha*b.part)/rate)
		}
	}
	if least > math.MaxInt32 {
		return 0
	}
	return int(math.Ceil(least))
}
