package stats

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// games are comparisons of four candidates that the references were given too.
func games(ties bool) []Preference {
	var out []Preference
	add := func(i, j int, result float64, n int) {
		for range n {
			out = append(out, Preference{First: i, Second: j, Result: result, Cluster: len(out)})
		}
	}
	for _, g := range [][4]int{{0, 1, 7, 3}, {0, 2, 9, 2}, {1, 2, 6, 5}, {0, 3, 8, 1}, {1, 3, 7, 4}, {2, 3, 5, 6}} {
		add(g[0], g[1], 1, g[2])
		add(g[0], g[1], 0, g[3])
	}
	if ties {
		for _, g := range [][3]int{{0, 1, 4}, {2, 0, 1}, {1, 2, 6}, {3, 2, 3}, {1, 3, 2}} {
			add(g[0], g[1], .5, g[2])
		}
	}
	return out
}

// TestBradleyTerryEqualsReferences: without ties, the strengths are those of choix 0.4.1 (mm_pairwise with tolerance 1e-13); with
// ties, those that scipy 1.17.1 finds for Davidson's likelihood written out (BFGS from zero, then Newton with central
// differences of 1e-5, whose second derivatives also give the standard errors, good to five digits).
func TestBradleyTerryEqualsReferences(t *testing.T) {
	for _, c := range []struct {
		ties    bool
		log, se []float64
		nu      float64
	}{
		{false, []float64{1.05210737, -0.04303168, -0.47040082, -0.53867487}, []float64{0.34445207, 0.28268447, 0.28602627, 0.29622513}, 0},
		{true, []float64{1.15183128, -0.0307292, -0.49397149, -0.62713058}, []float64{0.35290132, 0.27071474, 0.28058706, 0.30978466}, 0.5751340305716524},
	} {
		got := BradleyTerry(4, games(c.ties), StrengthOptions{})
		for i := range c.log {
			if d := math.Abs(got.Log[i].Value - c.log[i]); d > 1e-7 {
				t.Errorf("ties %v: strength %d is %.9f, want %.9f", c.ties, i, got.Log[i].Value, c.log[i])
			}
			if d := math.Abs(got.SE[i] - c.se[i]); d > 1e-5 {
				t.Errorf("ties %v: standard error %d is %.7f, want %.7f", c.ties, i, got.SE[i], c.se[i])
			}
		}
		if math.Abs(got.Tie-c.nu) > 1e-7 {
			t.Errorf("ν is %.9f, want %.9f", got.Tie, c.nu)
		}
	}
}

// TestBradleyTerryOfTwoIsTheLogOdds: with two candidates the model has a closed form.
func TestBradleyTerryOfTwoIsTheLogOdds(t *testing.T) {
	var prefs []Preference
	for i := range 40 {
		p := Preference{First: i % 2, Second: 1 - i%2, Cluster: i}
		if i < 28 {
			p.Result = float64(1 - i%2) // candidate 0 wins 28 of 40
		} else {
			p.Result = float64(i % 2)
		}
		prefs = append(prefs, p)
	}
	got := BradleyTerry(2, prefs, StrengthOptions{})
	if gap, want := got.Log[0].Value-got.Log[1].Value, math.Log(28./12); math.Abs(gap-want) > 1e-9 {
		t.Errorf("the gap is %v, want %v", gap, want)
	}
	if p := got.Beats[0][1].Value; math.Abs(p-.7) > 1e-9 {
		t.Errorf("the win probability is %v, want .7", p)
	}
	// The observed information of a log odds is n·p·(1−p).
	half := z(.025) / math.Sqrt(40*.7*.3)
	if low, want := got.Beats[0][1].Low, 1/(1+math.Exp(half-math.Log(28./12))); math.Abs(low-want) > 1e-9 {
		t.Errorf("the lower bound is %v, want %v", low, want)
	}
}

// TestBradleyTerryWhereOneAlwaysWins: the likelihood has no maximum; the prior keeps the figures finite, and what is missing is
// not made up without it.
func TestBradleyTerryWhereOneAlwaysWins(t *testing.T) {
	var prefs []Preference
	for i := range 12 {
		prefs = append(prefs, Preference{First: 0, Second: 1, Result: 1, Cluster: i})
	}
	for _, o := range []StrengthOptions{{Prior: .5}, {Prior: .5, Resamples: 200, Seed: 1}} {
		got := BradleyTerry(3, prefs, o) // the third is compared with nobody
		gap := got.Log[0].Value - got.Log[1].Value
		if !(gap > 2 && gap < 20) || got.Beats[0][1].Low < .4 || got.Beats[0][1].High > 1 {
			t.Errorf("gap %v, %+v", gap, got.Beats[0][1])
		}
		if math.Abs(got.Log[2].Value) > 1e-6 {
			t.Errorf("the third is at %v", got.Log[2].Value)
		}
	}
	if got := BradleyTerry(3, prefs, StrengthOptions{}); !math.IsInf(got.SE[2], 1) || got.Beats[0][2].Low != 0 || got.Beats[0][2].High != 1 {
		t.Errorf("a candidate that nobody compared has the standard error %v and %+v", got.SE[2], got.Beats[0][2])
	}
	if got := BradleyTerry(2, nil, StrengthOptions{Resamples: 10}); got.Log[0].N != 0 || got.Beats[0][1].Value != .5 {
		t.Errorf("nothing compared: %+v", got)
	}
}

// TestBradleyTerryIntervalsHold simulates raters whose preferences follow the model, three of them per example with one mood: the
// bootstrap by example must hold its level, which intervals that take each rating as independent do not.
func TestBradleyTerryIntervalsHold(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	const sims = 200
	held, naive := 0, 0
	truth := .4
	for s := range sims {
		var prefs []Preference
		for ex := range 80 {
			mood := rng.NormFloat64() * 1.5
			p := 1 / (1 + math.Exp(-truth-mood))
			for range 3 {
				r := 0.
				if rng.Float64() < p {
					r = 1
				}
				prefs = append(prefs, Preference{First: 0, Second: 1, Result: r, Cluster: ex})
			}
		}
		want := averageOf(truth, 1.5)
		if BradleyTerry(2, prefs, StrengthOptions{Resamples: 200, Seed: uint64(s), Prior: .5}).Beats[0][1].Contains(want) {
			held++
		}
		if BradleyTerry(2, prefs, StrengthOptions{Prior: .5}).Beats[0][1].Contains(want) {
			naive++
		}
	}
	if held < 180 { // 95 % is 190; P(< 180 | 95 %) < .001
		t.Errorf("the interval by example held the truth in %d of %d simulations", held, sims)
	}
	if naive >= held-5 {
		t.Errorf("the interval that ignores examples held in %d, by example in %d: the simulation does not cluster", naive, held)
	}
}

// averageOf is the mean of the logistic of m + s·Z.
func averageOf(m, s float64) float64 {
	sum, weight := 0., 0.
	for x := -8.; x <= 8; x += .001 {
		w := math.Exp(-x * x / 2)
		sum += w / (1 + math.Exp(-m-s*x))
		weight += w
	}
	return sum / weight
}

// TestUnanimousPreferencesAreNotCertain: where one candidate won every comparison all resamples are alike. The interval must still hold the
// chances of winning under which so clean a sheet comes up now and then.
func TestUnanimousPreferencesAreNotCertain(t *testing.T) {
	for _, n := range []int{4, 12, 40} {
		var prefs []Preference
		for i := range n {
			prefs = append(prefs, Preference{First: 0, Second: 1, Result: 1, Cluster: i})
		}
		got := BradleyTerry(2, prefs, StrengthOptions{Resamples: 1000, Seed: 1, Prior: .5})
		beats := got.Beats[0][1]
		// With this chance of winning, n of n come up in one sample of ten: the interval has to hold it.
		if likely := math.Pow(.1, 1/float64(n)); beats.Low > likely {
			t.Errorf("%d of %d: the interval %.3f–%.3f does not hold %.3f", n, n, beats.Low, beats.High, likely)
		}
		if likely := math.Pow(.9, 1/float64(n)); beats.High < likely {
			t.Errorf("%d of %d: the interval %.3f–%.3f does not hold %.3f", n, n, beats.Low, beats.High, likely)
		}
		if third := BradleyTerry(3, prefs, StrengthOptions{Resamples: 100, Prior: .5}); third.Log[2].Low > -10 || third.Beats[2][0].High != 1 {
			t.Errorf("a candidate that nobody compared is known: %+v", third.Log[2])
		}
		if l := got.Log[0]; l.Low >= l.Value || !strings.Contains(l.Method, "widened") {
			t.Errorf("%d of %d: strength %+v", n, n, l)
		}
	}
}

// TestFewPreferencesHold simulates few comparisons with a candidate that nearly always wins, and counts how often the interval of the chance
// holds the truth. Resampling alone does so in under half of the simulations.
func TestFewPreferencesHold(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for _, truth := range []float64{.95, .99} {
		fewPreferences(t, rng, truth)
	}
}

func fewPreferences(t *testing.T, rng *rand.Rand, truth float64) {
	const sims = 100
	held := 0
	for s := range sims {
		var prefs []Preference
		for i := range 12 {
			r := 0.
			if rng.Float64() < truth {
				r = 1
			}
			prefs = append(prefs, Preference{First: 0, Second: 1, Result: r, Cluster: i})
		}
		if BradleyTerry(2, prefs, StrengthOptions{Resamples: 200, Seed: uint64(s), Prior: .5}).Beats[0][1].Contains(truth) {
			held++
		}
	}
	if held < 86 { // 95 % is 95; P(< 86 | 95 %) < .001
		t.Errorf("the interval held %v in %d of %d simulations", truth, held, sims)
	}
}
