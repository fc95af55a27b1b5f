package climb

import (
	"fmt"
	"math"
	"slices"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/grade"
	"github.com/rung-dev/rung/internal/stats"
	"github.com/rung-dev/rung/internal/stats/dist"
)

// An evaluation that may stop early has two chances to pass wrongly: at one of its looks, and at the end. Its share of α is split
// over them (a union bound): lookShare of it is spent on the sequence, all looks together, and the rest on the interval at the end.
// The part is small, so that a full sample loses hardly any power: of 1,000 candidates at .60 with a bar of .45, 100 examples and a
// share of .01, 703 pass without looks and 700 with them (TestStoppingCostsHardlyAnyPower).
const (
	lookShare = .1

	// firstLook is the number of examples before which nothing is decided: fewer say nothing about guards and latency.
	firstLook = 20
	// lookEvery is the part of the examples seen that is added before the next look, and leastLook the least number. Nothing beyond a
	// look is asked before it was made, so looks must be few enough for calls to be made at once.
	lookEvery = .15
	leastLook = 5
	// futile is the chance of a pass at the end below which the rest is not asked. It costs power, never error.
	futile = .005
	// nearly is the part of the evidence for a fail from which on a hopeless candidate is asked on, to be told that it fails.
	nearly = 2. / 3
	// sure is the chance, at a pass by the sequence, that the guards and limits will be kept at the end.
	sure = .9
)

// Stopping says when the evaluation of one candidate may stop.
type Stopping struct {
	Bar     rung.Bar
	Alpha   float64 // the candidate's share, of a wrong pass at any look or at the end
	Total   int     // examples of the suite
	Largest int     // of its largest group; 0 is 1
	Answers int     // to each example; 0 is 1
}

// Plan is what is known of the suite before the first look, in answers.
func (s Stopping) Plan() stats.AnytimePlan {
	k := max(1, s.Answers)
	return stats.AnytimePlan{Total: s.Total * k, Largest: max(1, s.Largest) * k}
}

// LookAlpha is the error of the sequence on either side.
func (s Stopping) LookAlpha() float64 { return lookShare * s.Alpha }

// EndLevel is the level of the intervals when every example was asked.
func (s Stopping) EndLevel() float64 { return 1 - (1-lookShare)*s.Alpha }

// StopLevel is the level of the intervals of an evaluation that stopped.
func (s Stopping) StopLevel() float64 { return 1 - 2*s.LookAlpha() }

// NextLook is the number of examples at which to look next, after n.
func (s Stopping) NextLook(n int) int {
	return max(firstLook, n+max(leastLook, int(lookEvery*float64(n))))
}

// Seen is what a look sees: the examples so far, in the fixed order.
type Seen struct {
	N      int
	Bar    *stats.Anytime
	Guards map[string]*stats.Anytime
	Slow   int       // answers that took longer than the limit
	Excess []float64 // what each answer cost beyond what its success may cost
}

// See collects what a look at the first n examples needs, which are at the given places of the tally.
func (s Stopping) See(t *grade.Tally, n int, places []int) *Seen {
	seen := &Seen{N: n, Guards: map[string]*stats.Anytime{}}
	seen.Bar, _ = t.Prefix(s.Bar.Metric, places, s.Plan())
	for name := range s.Bar.Guards {
		if g, ok := t.Prefix(name, places, s.Plan()); ok {
			seen.Guards[name] = g
		}
	}
	if s.Bar.MaxP95Latency > 0 {
		seen.Slow = t.Slow(places, int64(s.Bar.MaxP95Latency))
	}
	if s.Bar.MaxCostPerSuccess > 0 {
		seen.Excess = t.Excess(places, s.Bar.MaxCostPerSuccess)
	}
	return seen
}

// Look says whether to stop, and why; nil is to go on. Nothing is said at the end of the suite: there the interval decides.
func (s Stopping) Look(seen *Seen) *rung.Stop {
	if seen.N < firstLook || seen.N >= s.Total || seen.Bar == nil {
		return nil
	}
	stop := &rung.Stop{N: seen.N, Of: s.Total}
	alpha, bar := s.LookAlpha(), s.Bar
	switch {
	case seen.Bar.Below(bar.AtLeast, alpha):
		stop.Why, stop.Reason = rung.StopFail, fmt.Sprintf("%s is shown to be below %s", bar.Metric, num(bar.AtLeast))
		return stop
	case seen.Bar.Above(bar.AtLeast, alpha):
		if least, _ := s.limitsKept(seen); least >= sure {
			stop.Why, stop.Reason = rung.StopPass, fmt.Sprintf("%s is shown to be at or above %s", bar.Metric, num(bar.AtLeast))
			return stop
		}
	}
	chance, of := s.limitsKept(seen)
	if pass := seen.Bar.PassChance(bar.AtLeast, s.EndLevel(), seen.Bar.Total()); pass < chance {
		chance, of = pass, bar.Metric+" shown to be at or above "+num(bar.AtLeast)
		if seen.Bar.Towards(bar.AtLeast, alpha) >= nearly {
			return nil // a few more show that it fails, which says more than that it will not pass
		}
	}
	if chance < futile {
		stop.Why = rung.StopFutility
		stop.Reason = fmt.Sprintf("the chance that all %d examples end with %s is under %g %%, judged by the first %d", s.Total, of, 100*futile, seen.N)
		return stop
	}
	return nil
}

// limitsKept is the least chance, over guards and limits, that it will be kept on all examples, and which it is.
func (s Stopping) limitsKept(seen *Seen) (chance float64, of string) {
	chance = 1
	least := func(p float64, what string) {
		if p < chance {
			chance, of = p, what
		}
	}
	for _, name := range sortedGuards(s.Bar) {
		if g := seen.Guards[name]; g != nil {
			least(g.Reach(s.Bar.Guards[name], g.Total()), fmt.Sprintf("the guard %s kept", name))
		}
	}
	if s.Bar.MaxP95Latency > 0 {
		// p95 by nearest rank is within the limit when at most 5 % of the answers are slower.
		k := max(1, s.Answers)
		in := ones(seen.N*k-seen.Slow, seen.N*k)
		all := s.Plan().Total
		rank := math.Ceil(.95*float64(all) - 1e-9)
		least(in.Reach(rank/float64(all), all), "the p95 latency within its limit")
	}
	if s.Bar.MaxCostPerSuccess > 0 {
		least(within(seen.Excess, s.Plan().Total), "the cost per success within its limit")
	}
	return chance, of
}

// ones is a sample of k ones in n.
func ones(k, n int) *stats.Anytime {
	scores := make([]float64, n)
	for i := range k {
		scores[i] = 1
	}
	return stats.NewAnytime(scores, nil, 0, stats.AnytimePlan{Total: n}, stats.Options{PassFail: true})
}

// within is the chance that the sum of excess over total answers is at most 0, by the normal approximation.
func within(excess []float64, total int) float64 {
	n := float64(len(excess))
	mean, squares := 0.0, 0.0
	for _, x := range excess {
		mean += x / n
	}
	for _, x := range excess {
		squares += (x - mean) * (x - mean)
	}
	sd := math.Sqrt(squares / n * (1/n - 1/float64(total)))
	if sd == 0 {
		if mean <= 0 {
			return 1
		}
		return 0
	}
	return dist.UnitNormal.CDF(-mean / sd)
}

func sortedGuards(bar rung.Bar) []string {
	names := make([]string, 0, len(bar.Guards))
	for name := range bar.Guards {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
