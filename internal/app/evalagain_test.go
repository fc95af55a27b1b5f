package app

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/climb"
	"github.com/rung-dev/rung/internal/stats"
)

// TestDriftOfAStoppedEvaluationIsNotFoundByChance: a model that answers by chance and never changes, and an evaluation that stops as soon as
// it may. What the model said then decides how many examples there are, and still drift is found no more often than α.
func TestDriftOfAStoppedEvaluationIsNotFoundByChance(t *testing.T) {
	const sims, total, alpha = 500, 120, .1
	for _, grouped := range []bool{false, true} {
		found := 0
		rng := rand.New(rand.NewPCG(3, 9))
		say := func() float64 { // nearly always the same answer, and that one is wrong
			if rng.Float64() < .12 {
				return 1
			}
			return 0
		}
		for range sims {
			var then []float64
			s := climb.Stopping{Bar: rung.Bar{Metric: "m", AtLeast: .05}, Alpha: .5, Total: total}
			for n := 1; n <= total; n++ {
				then = append(then, say())
				if n < total && s.Look(&climb.Seen{N: n, Bar: stats.NewAnytime(then, nil, 0, s.Plan(), stats.Options{PassFail: true})}) != nil {
					break
				}
			}
			changed, noise := make([]float64, len(then)), make([]float64, len(then))
			for i := range then {
				now, again := say(), say()
				changed[i], noise[i] = math.Abs(then[i]-now), math.Abs(now-again)
			}
			var clusters []int
			if grouped {
				for i := range then {
					clusters = append(clusters, i/2)
				}
			}
			plan := &stats.AnytimePlan{Total: total, Largest: 2}
			if p, _ := changeTest(changed, noise, clusters, plan); p < alpha {
				found++
			}
		}
		limit := alpha + 3*math.Sqrt(alpha*(1-alpha)/sims)
		if share := float64(found) / sims; share > limit {
			t.Errorf("grouped %v: drift is found in %.1f %% of samples without any", grouped, 100*share)
		}
	}
}

// TestDriftAgreesWithItsWords: fewer changes than by chance are no drift, by any of the tests, and many more are.
func TestDriftAgreesWithItsWords(t *testing.T) {
	ones, none := make([]float64, 40), make([]float64, 40)
	clusters := make([]int, 40)
	for i := range ones {
		ones[i], clusters[i] = 1, i/2
	}
	for _, c := range []struct {
		clusters []int
		plan     *stats.AnytimePlan
	}{{nil, nil}, {clusters, nil}, {nil, &stats.AnytimePlan{Total: 100}}, {clusters, &stats.AnytimePlan{Total: 100, Largest: 2}}} {
		name := fmt.Sprintf("clusters %v, stopped %v", c.clusters != nil, c.plan != nil)
		if _, test := changeTest(ones, none, c.clusters, c.plan); c.plan != nil && test != "betting, valid at any stop, one-sided" {
			t.Errorf("%s: the test is %q", name, test)
		}
		if p, test := changeTest(none, ones, c.clusters, c.plan); p < .5 {
			t.Errorf("%s: fewer changes than by chance give p %v (%s)", name, p, test)
		}
		if p, test := changeTest(ones, none, c.clusters, c.plan); p > .01 {
			t.Errorf("%s: more changes than by chance give p %v (%s)", name, p, test)
		}
	}
}
