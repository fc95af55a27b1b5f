package rollout

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rung-dev/rung"
)

// ofOnes are the moments of n ones and zeros.
func ofOnes(n int64, mean float64) rung.Moments {
	return rung.Moments{N: n, Sum: mean * float64(n), Squares: mean * float64(n)}
}

// pairsOf are differences with the given mean and mean square.
func pairsOf(n int64, mean, square float64) rung.Moments {
	return rung.Moments{N: n, Sum: mean * float64(n), Squares: square * float64(n)}
}

func TestJudge(t *testing.T) {
	success := rung.RolloutRule{Metric: Success, Margin: .02}
	latency := rung.RolloutRule{Metric: LatencyMS, Margin: 100, Bound: 2000}
	good, bad := pairsOf(3000, .01, .1), pairsOf(3000, -.08, .1)
	slow, fast := pairsOf(3000, 400, 3e5), pairsOf(3000, -50, 3e5)
	for _, c := range []struct {
		name   string
		rules  []rung.RolloutRule
		pairs  map[string]rung.Moments
		target int64
		maxN   int
		want   Action
		says   string
	}{
		{"good", []rung.RolloutRule{success}, map[string]rung.Moments{Success: good}, 3000, 0, Promote, "success is not worse by more than 0.02: target − baseline −0.0"},
		{"bad", []rung.RolloutRule{success}, map[string]rung.Moments{Success: bad}, 3000, 0, RollBack, "success is worse by more than 0.02 beyond doubt: target − baseline −0.0988 to −0.0614 (3000 pairs"},
		{"bad, too early", []rung.RolloutRule{success}, map[string]rung.Moments{Success: bad}, 19, 0, GoOn, "20 requests per arm are needed before anything is judged; baseline 5000, target 19"},
		{"one good, one unknown", []rung.RolloutRule{success, latency}, map[string]rung.Moments{Success: good}, 3000, 0, GoOn, "not decided yet: latency_ms"},
		{"both good", []rung.RolloutRule{success, latency}, map[string]rung.Moments{Success: good, LatencyMS: fast}, 3000, 0, Promote, "latency_ms is not worse by more than 100 ms: target − baseline −"},
		{"better answers, too slow", []rung.RolloutRule{success, latency}, map[string]rung.Moments{Success: good, LatencyMS: slow}, 3000, 0, RollBack, "latency_ms is worse by more than 100 ms beyond doubt: target − baseline +3"},
		{"no gain", []rung.RolloutRule{{Metric: Success, Margin: .02, Gain: .05}}, map[string]rung.Moments{Success: good}, 3000, 0, GoOn, "not decided yet: success"},
		{"a gain", []rung.RolloutRule{{Metric: Success, Margin: .02, Gain: .05}}, map[string]rung.Moments{Success: pairsOf(3000, .12, .1)}, 3000, 0, Promote, "success is better by at least 0.05: target − baseline +0.1"},
		{"undecided", []rung.RolloutRule{success}, map[string]rung.Moments{Success: pairsOf(3000, -.02, .1)}, 3000, 3000, RollBack, "undecided after 3000 requests of the target (max_n 3000): success could be shown neither worse nor good enough"},
		{"a metric of a newer rung", []rung.RolloutRule{success, {Metric: "politeness", Margin: .1}}, map[string]rung.Moments{Success: good, "politeness": good}, 3000, 0, GoOn, "not decided yet: politeness"},
	} {
		r := rung.Rollout{Mode: rung.Canary, Share: .5, Alpha: .05, MinN: 20, MaxN: c.maxN, Rules: c.rules}
		seen := Observed{Baseline: {Success: ofOnes(5000, .9)}, Target: {Success: ofOnes(c.target, .9)}, Pairs: c.pairs}
		j := Judge(&r, seen)
		if j.Action != c.want || !strings.Contains(j.Reason, c.says) || j.Undecided != (c.name == "undecided") {
			t.Errorf("%s: %s, %q, undecided %v", c.name, j.Action, j.Reason, j.Undecided)
		}
	}
}

// TestJudgementIsConsistent: what is decided, what the rules say and what the intervals show is one thing.
func TestJudgementIsConsistent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rung.Rollout{Mode: rung.Canary, Share: .2, MinN: 20, Alpha: rapid.SampledFrom([]float64{.01, .05, .2}).Draw(t, "alpha")}
		seen := Observed{Baseline: {}, Target: {}, Pairs: {}}
		for _, m := range []string{Success, Failure, LatencyMS} {
			rule := rung.RolloutRule{Metric: m, Margin: rapid.Float64Range(.005, .2).Draw(t, "margin")}
			bound := 1.0
			if m == LatencyMS {
				rule.Margin, rule.Bound, bound = rule.Margin*1000, 1000, 1000
			}
			if rapid.Bool().Draw(t, "has a gain") {
				rule.Gain = rule.Margin / 2
			}
			r.Rules = append(r.Rules, rule)
			n := int64(rapid.IntRange(0, 5000).Draw(t, "n"))
			mean := bound * rapid.Float64Range(-.3, .3).Draw(t, "mean")
			seen[Pairs][m] = pairsOf(n, mean, mean*mean+bound*bound*rapid.Float64Range(.001, .3).Draw(t, "variance"))
			seen[Baseline][m], seen[Target][m] = ofOnes(4*n, .5), ofOnes(n, .5)
		}
		j := Judge(&r, seen)
		if j.Action != Decide(&r, seen) {
			t.Fatalf("judged %s, decided %s", j.Action, Decide(&r, seen))
		}
		worse, good := false, true
		for _, rule := range j.Rules {
			worse, good = worse || rule.Worse, good && rule.NotWorse && rule.Gained
			d := rule.Difference
			if d.Low > d.Value+1e-9 || d.Value > d.High+1e-9 {
				t.Fatalf("interval %+v", d)
			}
			low, high := d.Low, d.High // of how much better
			if rule.Metric != Success {
				low, high = -d.High, -d.Low
			}
			const hair = 1e-6
			if j.TargetN >= 20 && (rule.Worse && high > -rule.Margin*(1-hair) || rule.NotWorse && low < -rule.Margin*(1+hair) || !rule.Worse && high < -rule.Margin*(1+hair) || !rule.NotWorse && low > -rule.Margin*(1-hair)) {
				t.Fatalf("%+v", rule)
			}
			if rule.Settled() && rule.Needed != 0 || rule.Needed < 0 {
				t.Fatalf("needed %+v", rule)
			}
		}
		want := GoOn
		switch {
		case j.TargetN < 20:
		case worse:
			want = RollBack
		case good:
			want = Promote
		}
		if j.Action != want {
			t.Fatalf("%s, the rules say %s", j.Action, want)
		}
	})
}

func TestPairsUseWhatComesInTheSameTime(t *testing.T) {
	for _, c := range []struct {
		share            float64
		mode             rung.RolloutMode
		baseline, target int
	}{{.1, rung.Canary, 9, 1}, {.5, rung.AB, 1, 1}, {.34, rung.Canary, 2, 1}, {.9, rung.Canary, 1, 9}, {.001, rung.Canary, 50, 1}, {.01, rung.Shadow, 1, 1}} {
		if a, b := blocks(c.share, c.mode); a != c.baseline || b != c.target {
			t.Errorf("share %v: %d and %d", c.share, a, b)
		}
	}
	p := pairing{}
	p.setBlocks(2, 1)
	for _, x := range []float64{1, 0, 1, 1} {
		p.add(false, x)
	}
	p.add(true, 1)
	p.add(true, 0)
	if p.differences != (rung.Moments{N: 2, Sum: .5 - 1, Squares: .25 + 1}) {
		t.Errorf("differences %+v", p.differences)
	}
	for range 10 * mostAhead {
		p.add(true, 1)
	}
	p.add(false, 0)
	p.add(false, 0)
	if p.differences.N != 3 || p.target.full != mostAhead-1 {
		t.Errorf("%d differences, %d wait", p.differences.N, p.target.full)
	}
}

// TestHostileValues: what is no number changes nothing, and what is out of range counts as its end.
func TestHostileValues(t *testing.T) {
	r := rung.Rollout{Mode: rung.Canary, Share: .5, Rules: []rung.RolloutRule{{Metric: LatencyMS, Margin: 10}}}
	tally := NewTally(&r)
	for _, x := range []float64{math.NaN(), math.Inf(1), -3, 1e9} {
		tally.Observe(true, map[string]float64{Success: x, LatencyMS: x, CostUSD: x})
	}
	seen := tally.Moments()[Target]
	if seen[Success] != (rung.Moments{N: 3, Sum: 2, Squares: 2}) || seen[LatencyMS] != (rung.Moments{N: 3, Sum: 1000, Squares: 500_000}) || seen[CostUSD].Sum != 2*openUnjudged {
		t.Errorf("%+v", seen)
	}
}

func TestFigure(t *testing.T) {
	for x, want := range map[float64]string{0: "0", .05: "0.05", -.1234: "-0.123", 1234.6: "1235", 100: "100", .000456: "0.000456", 62.04: "62", 1e-9: "0.000000001", 20: "20"} {
		if got := Figure(x); got != want {
			t.Errorf("%v: %s, want %s", x, got, want)
		}
	}
}
