package rollout

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/rung-dev/rung"
)

// world is traffic whose truth is known.
type world struct {
	name     string
	rollout  rung.Rollout
	gateways int
	most     int // requests of the target
	draw     func(r *rand.Rand, target bool, at int) map[string]float64
	wrongUp  bool // a promotion is wrong
	wrongDn  bool // a rollback is wrong
}

const simulated = 2000

// simulate runs one rollout with a look after every request, through the tallies of the gateways, and says how it ended and
// after how many requests of the target.
func (w *world) simulate(r *rand.Rand, gateways []*Tally) (Action, int) {
	for at, n := 0, 0; n < w.most; at++ {
		target := r.Float64() < w.rollout.Share
		if target {
			n++
		}
		t := gateways[r.IntN(len(gateways))]
		before := t.seen[metricIndex(w.rollout.Rules[0].Metric)].pair.differences.N
		t.Observe(target, w.draw(r, target, at))
		if t.seen[metricIndex(w.rollout.Rules[0].Metric)].pair.differences.N == before {
			continue // no new difference, the same evidence
		}
		if a := look(&w.rollout, gateways); a != GoOn {
			return a, n
		}
	}
	return GoOn, w.most
}

// look is Judge without its intervals, which nobody reads here.
func look(r *rung.Rollout, gateways []*Tally) Action {
	good := true
	for _, rule := range r.Rules {
		i := metricIndex(rule.Metric)
		var pairs rung.Moments
		for _, t := range gateways {
			pairs.Merge(t.seen[i].pair.differences)
		}
		w := weigh(r, rule, pairs)
		if w.worse {
			return RollBack
		}
		good = good && w.notWorse && w.gained
	}
	if good {
		return Promote
	}
	return GoOn
}

func coin(r *rand.Rand, p float64) float64 {
	if r.Float64() < p {
		return 1
	}
	return 0
}

func successes(baseline, target float64) func(*rand.Rand, bool, int) map[string]float64 {
	return func(r *rand.Rand, isTarget bool, _ int) map[string]float64 {
		if isTarget {
			return map[string]float64{Success: coin(r, target)}
		}
		return map[string]float64{Success: coin(r, baseline)}
	}
}

// millis are latencies with a long tail: log-normal, median 800 ms, σ .6, one in a thousand times 20.
func millis(r *rand.Rand) float64 {
	x := 800 * math.Exp(.6*r.NormFloat64())
	if r.Float64() < .001 {
		x *= 20
	}
	return x
}

func with(share, margin, gain float64) rung.Rollout {
	return rung.Rollout{ID: "r", Mode: rung.Canary, Share: share, Alpha: .05, MinN: 1, Rules: []rung.RolloutRule{{Metric: Success, Margin: margin, Gain: gain}}}
}

var worlds = []world{
	{name: "equal, .95, half and half", rollout: with(.5, .02, 0), gateways: 1, most: 900, draw: successes(.95, .95), wrongDn: true},
	{name: "equal, .995, a tenth", rollout: with(.1, .01, 0), gateways: 3, most: 500, draw: successes(.995, .995), wrongDn: true},
	{name: "equal, .6, nine tenths", rollout: with(.9, .05, 0), gateways: 2, most: 900, draw: successes(.6, .6), wrongDn: true},
	// At the margin itself any decision is wrong: no world is harder.
	{name: "at the margin, .95 and .93", rollout: with(.5, .02, 0), gateways: 1, most: 900, draw: successes(.95, .93), wrongDn: true, wrongUp: true},
	{name: "at the margin, .75 and .65", rollout: with(.5, .1, 0), gateways: 1, most: 700, draw: successes(.75, .65), wrongDn: true, wrongUp: true},
	{name: "at the margin, 1 and .98", rollout: with(.2, .02, 0), gateways: 2, most: 500, draw: successes(1, .98), wrongDn: true, wrongUp: true},
	{name: "at the margin, .1 and .05", rollout: with(.1, .05, 0), gateways: 3, most: 400, draw: successes(.1, .05), wrongDn: true, wrongUp: true},
	{name: "worse by 1½ margins", rollout: with(.5, .02, 0), gateways: 1, most: 900, draw: successes(.95, .92), wrongUp: true},
	{name: "equal, a gain is asked for", rollout: with(.5, .05, .03), gateways: 1, most: 900, draw: successes(.8, .8), wrongDn: true, wrongUp: true},
	{name: "gain of exactly what is asked for", rollout: with(.5, .05, .05), gateways: 1, most: 900, draw: successes(.8, .85), wrongDn: true, wrongUp: true},
	{name: "equal, the level swings by the hour", rollout: with(.2, .03, 0), gateways: 2, most: 500, wrongDn: true,
		draw: func(r *rand.Rand, _ bool, at int) map[string]float64 {
			return map[string]float64{Success: coin(r, .8+.19*math.Sin(float64(at)/300))}
		}},
	{name: "latency at the margin", gateways: 1, most: 700, wrongDn: true, wrongUp: true,
		rollout: rung.Rollout{ID: "r", Mode: rung.AB, Share: .5, Alpha: .05, Rules: []rung.RolloutRule{{Metric: LatencyMS, Margin: 100, Bound: 1e5}}},
		draw: func(r *rand.Rand, target bool, _ int) map[string]float64 {
			x := min(9e4, millis(r))
			if target {
				x += 100
			}
			return map[string]float64{LatencyMS: x}
		}},
	{name: "four equal rules", gateways: 2, most: 700, wrongDn: true,
		rollout: rung.Rollout{ID: "r", Mode: rung.Canary, Share: .5, Alpha: .05, Rules: []rung.RolloutRule{
			{Metric: Success, Margin: .01}, {Metric: Failure, Margin: .01}, {Metric: LatencyMS, Margin: 50}, {Metric: Feedback, Margin: .02}}},
		draw: func(r *rand.Rand, _ bool, _ int) map[string]float64 {
			return map[string]float64{Success: coin(r, .9), Failure: coin(r, .02), LatencyMS: millis(r), Feedback: r.Float64()}
		}},
	// One rule of three is at its margin, the others are far better: the promotion hangs on the one.
	{name: "three rules, one at the margin", gateways: 1, most: 900, wrongUp: true,
		rollout: rung.Rollout{ID: "r", Mode: rung.Canary, Share: .5, Alpha: .05, Rules: []rung.RolloutRule{
			{Metric: Success, Margin: .05}, {Metric: GuardBlocked, Margin: .05}, {Metric: SchemaValid, Margin: .05}}},
		draw: func(r *rand.Rand, target bool, _ int) map[string]float64 {
			if target {
				return map[string]float64{Success: coin(r, .85), GuardBlocked: coin(r, .01), SchemaValid: coin(r, .999)}
			}
			return map[string]float64{Success: coin(r, .9), GuardBlocked: coin(r, .1), SchemaValid: coin(r, .9)}
		}},
}

// TestWrongDecisions: over 2,000 rollouts of each world, with a look after every request, an equal target is rolled back, and one
// that is worse by the margin or more promoted, in at most α of them.
func TestWrongDecisions(t *testing.T) {
	for i := range worlds {
		w := &worlds[i]
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			rollouts := simulated
			if testing.Short() {
				rollouts /= 10
			}
			up, down := w.count(uint64(i), rollouts)
			most := w.rollout.Alpha + 3*math.Sqrt(w.rollout.Alpha*(1-w.rollout.Alpha)/float64(rollouts))
			wrong := 0.0
			if w.wrongUp {
				wrong += up
			}
			if w.wrongDn {
				wrong += down
			}
			t.Logf("promoted %.4f, rolled back %.4f, wrong %.4f", up, down, wrong)
			if wrong > most {
				t.Errorf("%.4f of the decisions are wrong, α is %v", wrong, w.rollout.Alpha)
			}
		})
	}
}

func (w *world) count(seed uint64, rollouts int) (up, down float64) {
	r := rand.New(rand.NewPCG(seed, 4))
	for range rollouts {
		gateways := make([]*Tally, w.gateways)
		for g := range gateways {
			gateways[g] = NewTally(&w.rollout)
		}
		switch a, _ := w.simulate(r, gateways); a {
		case Promote:
			up++
		case RollBack:
			down++
		}
	}
	return up / float64(rollouts), down / float64(rollouts)
}

// TestABareMeanBreaksThePromise: this is why a rollout is not judged by one. An equal target whose mean is looked at after every
// pair from the fiftieth is found worse by the margin sooner or later in most rollouts.
func TestABareMeanBreaksThePromise(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	wrong := 0
	for range 300 {
		sum := 0.0
		for n := 1; n <= 1000; n++ {
			sum += coin(r, .95) - coin(r, .95)
			if n >= 50 && sum/float64(n) < -.02 {
				wrong++
				break
			}
		}
	}
	if wrong < 100 {
		t.Errorf("%d of 300 only: the world is too easy to show it", wrong)
	}
}

// TestPower: a promise kept by never deciding is worth nothing. go test -v prints how many requests of the target it takes.
func TestPower(t *testing.T) {
	for i, c := range []struct {
		baseline, target, share, margin, gain float64
		want                                  Action
		within                                int // requests of the target, on average
	}{
		{.95, .50, .1, .02, 0, RollBack, 60},
		{.95, .85, .1, .02, 0, RollBack, 500},
		{.95, .90, .1, .02, 0, RollBack, 1800},
		{.95, .90, .5, .02, 0, RollBack, 2400},
		{.95, .95, .1, .02, 0, Promote, 2200},
		{.95, .95, .5, .02, 0, Promote, 3500},
		{.90, .95, .5, .02, 0, Promote, 800},
		{.90, .95, .5, .02, .01, Promote, 3000},
	} {
		w := world{rollout: with(c.share, c.margin, c.gain), gateways: 2, most: 20_000, draw: successes(c.baseline, c.target)}
		r := rand.New(rand.NewPCG(uint64(i), 5))
		const runs = 60
		sum, other := 0, 0
		for range runs {
			a, n := w.simulate(r, []*Tally{NewTally(&w.rollout), NewTally(&w.rollout)})
			sum += n
			if a != c.want {
				other++
			}
		}
		mean := sum / runs
		t.Logf("success %.2f → %.2f, share %2.0f %%, margin %.2f, gain %.2f: %s after %d requests of the target, %d in all; otherwise in %d of %d",
			c.baseline, c.target, 100*c.share, c.margin, c.gain, c.want, mean, int(float64(mean)/c.share), other, runs)
		if mean > c.within || other > runs/20 {
			t.Errorf("%v → %v: %d requests, %d rollouts ended otherwise", c.baseline, c.target, mean, other)
		}
	}
}
