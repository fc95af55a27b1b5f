package stats_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/rung-dev/rung/internal/stats"
)

// simulated is a learning curve as it would be measured: pass/fail on the same held-out examples at every size. An example passes when
// the chance at that size, moved by what other training examples do, exceeds the example's own difficulty.
func simulated(rng *rand.Rand, law stats.PowerLaw, sizes []int, heldout, draws int, sd float64) []stats.CurvePoint {
	difficulty := make([]float64, heldout)
	for i := range difficulty {
		difficulty[i] = rng.Float64()
	}
	points := make([]stats.CurvePoint, len(sizes))
	for i, n := range sizes {
		points[i].N = n
		for range draws {
			p := 1 - law.Error(float64(n)) + sd*rng.NormFloat64()
			scores := make([]float64, heldout)
			for e := range scores {
				d := difficulty[e]
				if rng.Float64() < .2 { // an answer that has nothing to do with the others
					d = rng.Float64()
				}
				if d < p {
					scores[e] = 1
				}
			}
			points[i].Draws = append(points[i].Draws, scores)
		}
	}
	return points
}

// TestLearningCurveCovers: the interval holds the true gain about as often as it says.
func TestLearningCurveCovers(t *testing.T) {
	sizes := []int{25, 50, 100, 200, 400}
	for _, c := range []struct {
		name  string
		law   stats.PowerLaw
		draws int
	}{
		{"steep", stats.PowerLaw{A: .1, B: 2, C: .5}, 1},
		{"slow", stats.PowerLaw{A: .05, B: .9, C: .15}, 1},
		{"flat", stats.PowerLaw{A: .4}, 1},
		{"drawn three times", stats.PowerLaw{A: .1, B: 1.5, C: .4}, 3},
	} {
		rng := rand.New(rand.NewPCG(7, 11))
		const runs = 120
		covered, width := 0, 0.0
		for range runs {
			fit, ok := stats.LearningCurve(simulated(rng, c.law, sizes, 300, c.draws, .015), stats.CurveOptions{Top: 1, Extra: 100, Level: .9, Resamples: 200, Seed: 3})
			if !ok {
				t.Fatal("no fit")
			}
			truth := c.law.Error(400) - c.law.Error(500)
			if fit.Gain.Low <= truth+1e-12 && truth <= fit.Gain.High+1e-12 {
				covered++
			}
			width += fit.Gain.High - fit.Gain.Low
		}
		t.Logf("%s: %d of %d, mean width %.4f", c.name, covered, runs, width/runs)
		if covered < int(.8*runs) {
			t.Errorf("%s: the interval of .9 holds the truth in %d of %d", c.name, covered, runs)
		}
	}
}

// TestLearningCurveFindsThePowerLaw: without noise, the law itself.
func TestLearningCurveFindsThePowerLaw(t *testing.T) {
	law := stats.PowerLaw{A: .12, B: 1.1, C: .4}
	var points []stats.CurvePoint
	for _, n := range []int{20, 40, 80, 160, 320} {
		points = append(points, stats.CurvePoint{N: n, Draws: [][]float64{{1 - law.Error(float64(n)), 1 - law.Error(float64(n))}}})
	}
	fit, ok := stats.LearningCurve(points, stats.CurveOptions{Top: 1, Extra: 100, Level: .9, Resamples: 50})
	if want := law.Error(320) - law.Error(420); !ok || math.Abs(fit.Gain.Value-want) > .1*want {
		t.Errorf("%+v, and not %g", fit, want)
	}
	if _, ok := stats.LearningCurve(points[:3], stats.CurveOptions{Top: 1, Extra: 100, Level: .9}); ok {
		t.Error("three sizes were fitted")
	}
}
