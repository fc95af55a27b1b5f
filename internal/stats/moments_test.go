package stats

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

func (s *Running) add(x float64) { s.N, s.Sum, s.Squares = s.N+1, s.Sum+x, s.Squares+x*x }

// TestRunningHoldsAtEveryLook: looked at after every value, from the first on, the sequence misses the mean in at most α of runs.
func TestRunningHoldsAtEveryLook(t *testing.T) {
	const runs, n, a = 2000, 600, .05
	for name, w := range map[string]struct {
		mean, low, high float64
		draw            func(*rand.Rand) float64
	}{
		"coin .8":             {.8, 0, 1, func(r *rand.Rand) float64 { return flip(r, .8) }},
		"coin .99":            {.99, 0, 1, func(r *rand.Rand) float64 { return flip(r, .99) }},
		"coin .02":            {.02, 0, 1, func(r *rand.Rand) float64 { return flip(r, .02) }},
		"uniform":             {.5, 0, 1, func(r *rand.Rand) float64 { return r.Float64() }},
		"differences":         {.05, -1, 1, func(r *rand.Rand) float64 { return flip(r, .9) - flip(r, .85) }},
		"rare and far":        {.01, 0, 50, func(r *rand.Rand) float64 { return 50 * flip(r, .0002) }},
		"hardly varying":      {.3, 0, 1, func(r *rand.Rand) float64 { return .3 + .02*(r.Float64()-.5) }},
		"cubes, mostly small": {.25, 0, 1, func(r *rand.Rand) float64 { return math.Pow(r.Float64(), 3) }},
	} {
		r := rand.New(rand.NewPCG(31, 1))
		below, above := 0, 0
		for range runs {
			s := Running{Low: w.low, High: w.high}
			tooHigh, tooLow := false, false
			for range n {
				s.add(w.draw(r))
				// Every bet loses on the side on which the sample does not lie, so only the other one can be wrong.
				if above := s.Sum > float64(s.N)*w.mean; above {
					tooHigh = tooHigh || s.EvidenceAbove(w.mean) >= -math.Log(a)
				} else {
					tooLow = tooLow || s.EvidenceBelow(w.mean) >= -math.Log(a)
				}
			}
			below, above = below+count(tooHigh), above+count(tooLow)
		}
		most := a + 3*math.Sqrt(a*(1-a)/runs)
		t.Logf("%s: lower bound above the mean in %.4f of runs, upper bound below it in %.4f", name, float64(below)/runs, float64(above)/runs)
		if float64(below)/runs > most || float64(above)/runs > most {
			t.Errorf("%s: missed in %.4f and %.4f of runs, α is %v", name, float64(below)/runs, float64(above)/runs, a)
		}
	}
}

func flip(r *rand.Rand, p float64) float64 {
	if r.Float64() < p {
		return 1
	}
	return 0
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// TestBetIsFair is the promise in its smallest form, without chance: one value of any distribution on the range with the claimed
// mean leaves the bettor no richer on average. Distributions on two points suffice, since all others are mixtures of such.
func TestBetIsFair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		low, high := rapid.Float64Range(-5, 0).Draw(t, "low"), rapid.Float64Range(.1, 5).Draw(t, "high")
		m := low + (high-low)*rapid.Float64Range(.001, .999).Draw(t, "mean")
		a := low + (m-low)*rapid.Float64Range(0, .999).Draw(t, "below")
		b := m + (high-m)*rapid.Float64Range(.001, 1).Draw(t, "above")
		p := (m - a) / (b - a) // of b
		for _, bet := range bets {
			y := [2]float64{(a - m) / (m - low), (b - m) / (m - low)}
			mean := (1-p)*math.Exp(bet.bet*y[0]-bet.price*y[0]*y[0]) + p*math.Exp(bet.bet*y[1]-bet.price*y[1]*y[1])
			if mean > 1+1e-9 {
				t.Fatalf("the bet %v: the money grows to %v on average", bet.bet, mean)
			}
		}
		for name, evidence := range map[string]func(Running) float64{
			"above": func(s Running) float64 { return s.EvidenceAbove(m) }, "below": func(s Running) float64 { return s.EvidenceBelow(m) },
		} {
			after := func(x float64) float64 {
				return math.Exp(evidence(Running{N: 1, Sum: x, Squares: x * x, Low: low, High: high}))
			}
			if mean := p*after(b) + (1-p)*after(a); mean > 1+1e-9 {
				t.Fatalf("%s: the money grows to %v on average", name, mean)
			}
		}
	})
}

// TestRunningAddsUp: what several places saw is what one would have seen, and order does not matter.
func TestRunningAddsUp(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	var all, one, two Running
	for i := range 500 {
		x := r.Float64()
		all.add(x)
		if i%3 == 0 {
			one.add(x)
		} else {
			two.add(x)
		}
	}
	sum := Running{N: one.N + two.N, Sum: one.Sum + two.Sum, Squares: one.Squares + two.Squares, Low: 0, High: 1}
	all.Low, all.High = 0, 1
	if math.Abs(all.EvidenceAbove(.4)-sum.EvidenceAbove(.4)) > 1e-9 {
		t.Errorf("%v and %v", all.EvidenceAbove(.4), sum.EvidenceAbove(.4))
	}
}

func TestRunningInterval(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	s := Running{Low: 0, High: 1}
	if iv := s.Interval(.05); iv.Low != 0 || iv.High != 1 || iv.N != 0 {
		t.Errorf("without a value: %+v", iv)
	}
	for range 1000 {
		s.add(flip(r, .9))
	}
	iv := s.Interval(.05)
	if iv.Low > .87 || iv.Low < .85 || iv.High < .925 || iv.High > .945 || !iv.Contains(.9) {
		t.Errorf("1000 values of .9: %+v", iv)
	}
	// The bounds are where the evidence says so, at the error of one side.
	limit := math.Log(2 / .05)
	if e := s.EvidenceAbove(iv.Low); math.Abs(e-limit) > 1e-3 {
		t.Errorf("evidence %v at the lower bound, not %v", e, limit)
	}
	if e := s.EvidenceBelow(iv.High); math.Abs(e-limit) > 1e-3 {
		t.Errorf("evidence %v at the upper bound, not %v", e, limit)
	}
	zeros := Running{N: 1000, Low: 0, High: 1}
	if low, high := zeros.LowerBound(.05), zeros.UpperBound(.05); low != 0 || high > .015 || high <= 0 {
		t.Errorf("a thousand zeros: %v to %v", low, high)
	}
	if n := s.NeededAbove(.88, .05); n < 1000 || n > 20_000 {
		t.Errorf("%d values to show more than .88", n)
	}
	if n := s.NeededAbove(.95, .05); n != 0 {
		t.Errorf("%d values to show what is not so", n)
	}
}
