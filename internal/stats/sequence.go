package stats

import "math"

// A confidence sequence is an interval for every number of examples at once: it may be looked at after each one, and the
// chance that it ever misses stays at alpha.

// SequenceHalfWidth is the half-width of the asymptotic confidence sequence for a mean after n examples with variance v. It is
// near its tightest where n·v = m: to be tight at n examples of variance v, m is their product (Waudby-Smith et al., Annals of Statistics 2024):
// √((n·v·ρ²+1)/(n²ρ²) · ln((n·v·ρ²+1)/α²)), ρ = √((−2 ln α + ln(−2 ln α) + 1)/m).
func SequenceHalfWidth(n int, v, alpha, m float64) float64 {
	l := -2 * math.Log(alpha)
	rho2 := (l + math.Log(l) + 1) / m
	nf := float64(n)
	k := nf*v*rho2 + 1
	return math.Sqrt(k / (nf * nf * rho2) * math.Log(k/(alpha*alpha)))
}

// Sequence is the hedged-capital confidence sequence for the mean of scores in [0, 1] (Waudby-Smith & Ramdas, JRSS-B 2024): for
// every candidate mean a bettor plays against it with half the money on "higher" and half on "lower"; means against which
// the money reaches 1/α are ruled out for good. It is exact for every n and every distribution, if the examples come in an
// order independent of their scores.
type Sequence struct {
	alpha     float64
	n         int
	sum, sq   float64   // of the scores, and of squared distances from the running mean, each with a first guess
	up, down  []float64 // log capital against each mean of the grid
	low, high int       // what is left of the grid, both included
}

// sequenceGrid is the number of candidate means less one: the resolution of the bounds is 1/sequenceGrid.
const sequenceGrid = 1000

// NewSequence starts a confidence sequence at error alpha.
func NewSequence(alpha float64) *Sequence {
	return &Sequence{alpha: alpha, up: make([]float64, sequenceGrid+1), down: make([]float64, sequenceGrid+1), high: sequenceGrid}
}

// Add takes the next score, which is cut to [0, 1].
func (s *Sequence) Add(score float64) {
	score = min(1, max(0, score))
	// The bet is set before the score is seen: predictable plug-in with variance 1/4 and mean 1/2 as first guesses.
	t := float64(s.n + 1)
	variance := (.25 + s.sq) / t
	bet := math.Sqrt(2 * math.Log(2/s.alpha) / (variance * t * math.Log(t+1)))
	for i := s.low; i <= s.high; i++ {
		m := float64(i) / sequenceGrid
		s.up[i] += math.Log1p(min(bet, .5/m) * (score - m)) // 0.5/0 is infinite and leaves the bet as it is
		s.down[i] += math.Log1p(-min(bet, .5/(1-m)) * (score - m))
	}
	s.n++
	s.sum += score
	mean := (.5 + s.sum) / float64(s.n+1)
	s.sq += (score - mean) * (score - mean)
	s.shrink()
}

// shrink rules means out from both ends. The capital bet on "higher" falls in the mean and that on "lower" rises, so what
// remains is one interval up to the grid.
func (s *Sequence) shrink() {
	limit := math.Log(2 / s.alpha) // half the money must reach 2/α for the whole to reach 1/α
	for s.low < s.high && s.up[s.low] >= limit {
		s.low++
	}
	for s.high > s.low && s.down[s.high] >= limit {
		s.high--
	}
}

// Interval is what is not ruled out, rounded outwards to the grid.
func (s *Sequence) Interval() Interval {
	iv := Interval{N: s.n, Level: 1 - s.alpha, Method: "betting confidence sequence (hedged capital)"}
	if s.n > 0 {
		iv.Value = s.sum / float64(s.n)
	}
	iv.Low = max(0, float64(s.low-1)/sequenceGrid)
	iv.High = min(1, float64(s.high+1)/sequenceGrid)
	return iv
}
