package stats_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/rung-dev/rung/internal/stats"
)

// judged draws n answers: what people say between 0 and 1, and what a judge says.
func judged(rng *rand.Rand, n int, draw func(*rand.Rand) (people, judge float64)) (people, judge []float64) {
	for range n {
		y, f := draw(rng)
		people, judge = append(people, y), append(judge, f)
	}
	return people, judge
}

func flip(rng *rand.Rand, p float64) float64 {
	if rng.Float64() < p {
		return 1
	}
	return 0
}

// likert is a score of 1 to 5 mapped to 0 to 1, around a quality.
func likert(rng *rand.Rand, quality, noise float64) float64 {
	return math.Round(4*min(max(quality+noise*rng.NormFloat64(), 0), 1)) / 4
}

// judges are kinds of judges, with the mean that people would give. The judge is biased in all of them.
var judges = map[string]struct {
	mean float64
	draw func(*rand.Rand) (people, judge float64)
}{
	"right or wrong, a judge that is too kind": {.7, func(rng *rand.Rand) (float64, float64) {
		y := flip(rng, .7)
		if y == 1 {
			return y, flip(rng, .97)
		}
		return y, flip(rng, .4)
	}},
	"right or wrong, a judge that knows nothing": {.6, func(rng *rand.Rand) (float64, float64) { return flip(rng, .6), flip(rng, .9) }},
	"right or wrong, nearly always right": {.95, func(rng *rand.Rand) (float64, float64) {
		y := flip(rng, .95)
		return y, max(y, flip(rng, .5))
	}},
	"graded, a harsh judge": {math.NaN(), func(rng *rand.Rand) (float64, float64) {
		q := .3 + .5*rng.Float64()
		return likert(rng, q, .12), likert(rng, q-.2, .12)
	}},
}

// truth is the mean that people would give, by a large sample where there is no formula.
func truth(mean float64, draw func(*rand.Rand) (float64, float64)) float64 {
	if !math.IsNaN(mean) {
		return mean
	}
	people, _ := judged(rand.New(rand.NewPCG(9, 9)), 2_000_000, draw)
	sum := 0.0
	for _, y := range people {
		sum += y
	}
	return sum / float64(len(people))
}

// TestPPICovers: the interval of the corrected figure holds the mean that people would give as often as it says, for small and large
// samples of ratings and for good and useless judges, while the judge's own interval hardly ever does.
func TestPPICovers(t *testing.T) {
	const sims, level = 300, .95
	// Three standard errors of the simulation below the level.
	least := level - 3*math.Sqrt(level*(1-level)/sims)
	for name, j := range judges {
		mean := truth(j.mean, j.draw)
		for _, n := range []int{20, 60, 250} {
			for _, lambda := range []float64{stats.Tuned, 1} {
				rng := rand.New(rand.NewPCG(uint64(n), 7))
				held, raw := 0, 0
				for range sims {
					var r stats.Rated
					r.People, r.Judge = judged(rng, n, j.draw)
					_, r.Judged = judged(rng, 250, j.draw)
					e := stats.PPI(r, lambda, stats.Options{Level: level, Seed: 1, Resamples: 400})
					if e.Contains(mean) {
						held++
					}
					if e.Raw.Contains(mean) {
						raw++
					}
				}
				if share := float64(held) / sims; share < least {
					t.Errorf("%s, %d rated, λ %v: the interval holds the mean in %.1f %% of samples, want %v %%", name, n, lambda, 100*share, 100*level)
				}
				if share := float64(raw) / sims; share > .5 {
					t.Errorf("%s: the judge's own interval holds the mean in %.1f %%, so it is not biased and nothing is shown", name, 100*share)
				}
			}
		}
	}
}

// TestPPIIsThatOfThePapers: with central limit intervals the formulas of PPI++ come out, to the last digit.
func TestPPIIsThatOfThePapers(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var r stats.Rated
	draw := judges["graded, a harsh judge"].draw
	r.People, r.Judge = judged(rng, 300, draw)
	_, r.Judged = judged(rng, 900, draw)
	for _, lambda := range []float64{stats.Tuned, 1, .5} {
		e := stats.PPI(r, lambda, stats.Options{Level: .9, Bounds: stats.Unbounded})
		n, others := 300.0, 900.0
		l := lambda
		if math.IsNaN(l) {
			l = covariance(r.People, r.Judge) * n / (n - 1) / ((1 + n/others) * sampleVariance(append(append([]float64{}, r.Judge...), r.Judged...)))
			if l <= 0 || l >= 1 {
				t.Fatalf("λ is %v: the case shows nothing", l)
			}
		}
		rest := make([]float64, len(r.People))
		for i := range rest {
			rest[i] = r.People[i] - l*r.Judge[i]
		}
		value := l*average(r.Judged) + average(rest)
		half := 1.6448536269514722 * math.Sqrt(l*l*covariance(r.Judged, r.Judged)/others+covariance(rest, rest)/n)
		for _, pair := range [][2]float64{{e.Lambda, l}, {e.Value, value}, {e.Low, value - half}, {e.High, value + half}} {
			if math.Abs(pair[0]-pair[1]) > 1e-9 {
				t.Errorf("λ %v: %v, want %v", lambda, pair[0], pair[1])
			}
		}
		if e.N != 1200 || !strings.Contains(e.Method, "300 rated") || !strings.Contains(e.Method, "900 judged") {
			t.Errorf("n is %d, the method %q", e.N, e.Method)
		}
	}
}

func average(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

// covariance has the divisor n.
func covariance(x, y []float64) float64 {
	mx, my, sum := average(x), average(y), 0.0
	for i := range x {
		sum += (x[i] - mx) * (y[i] - my)
	}
	return sum / float64(len(x))
}

func sampleVariance(x []float64) float64 {
	return covariance(x, x) * float64(len(x)) / float64(len(x)-1)
}

// TestPPIGainsFromAGoodJudgeAndLosesNothingToABadOne, which is what power tuning is for.
func TestPPIGainsFromAGoodJudgeAndLosesNothingToABadOne(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	width := func(draw func(*rand.Rand) (float64, float64)) (ppi, alone float64) {
		for range 50 {
			var r stats.Rated
			r.People, r.Judge = judged(rng, 250, draw)
			_, r.Judged = judged(rng, 2000, draw)
			e := stats.PPI(r, stats.Tuned, stats.Options{})
			ppi, alone = ppi+e.High-e.Low, alone+e.Alone.High-e.Alone.Low
		}
		return ppi, alone
	}
	good, alone := width(func(rng *rand.Rand) (float64, float64) {
		y := flip(rng, .5)
		return y, math.Abs(y - flip(rng, .05)) // one verdict in twenty is wrong
	})
	if good > .6*alone {
		t.Errorf("with a good judge the interval is %.2f of that of the ratings alone", good/alone)
	}
	bad, alone := width(judges["right or wrong, a judge that knows nothing"].draw)
	if bad > 1.03*alone {
		t.Errorf("with a judge that knows nothing the interval is %.2f of that of the ratings alone", bad/alone)
	}
}

// TestPPIOfLittle: what cannot be estimated is not claimed.
func TestPPIOfLittle(t *testing.T) {
	all := stats.PPI(stats.Rated{People: []float64{1, 1, 1}, Judge: []float64{0, 0, 0}}, stats.Tuned, stats.Options{PassFail: true})
	if all.Lambda != 0 || all.Value != 1 || all.Low > .45 || all.Method != "Wilson" {
		t.Errorf("three ratings alone give %+v", all.Interval)
	}
	if all.Bias.Value != -1 || all.Raw.Value != 0 {
		t.Errorf("bias %v, raw %v", all.Bias.Value, all.Raw.Value)
	}
	same := stats.PPI(stats.Rated{People: []float64{1, 1, 1, 1}, Judge: []float64{1, 1, 1, 1}, Judged: []float64{1, 1, 1, 1, 1}}, 1, stats.Options{})
	if same.Value != 1 || same.Low > .6 {
		t.Errorf("four equal ratings claim %v to %v", same.Low, same.High)
	}
	none := stats.PPI(stats.Rated{Judged: []float64{.5, .7}}, stats.Tuned, stats.Options{})
	if none.Low != 0 || none.High != 1 {
		t.Errorf("no rating at all claims %v to %v", none.Low, none.High)
	}
}

// TestPPIOfSharedInputs: where the answers that only the judge saw are to the inputs of the rated ones (λ = 1), the two means move together,
// and an interval that takes them as independent holds too seldom.
func TestPPIOfSharedInputs(t *testing.T) {
	const sims, n, level = 400, 220, .9
	draw := func(rng *rand.Rand) (r stats.Rated) {
		for i := range n {
			// A hard input: people like its answers less, the judge only a little less, so that rest and verdicts rise together.
			ease := rng.NormFloat64() * .2
			score := func(by float64) float64 { return min(max(.5+by*ease+.03*rng.NormFloat64(), 0), 1) }
			r.People, r.Judge, r.Judged = append(r.People, score(1)), append(r.Judge, score(.4)), append(r.Judged, score(.4))
			r.Clusters, r.JudgedClusters = append(r.Clusters, i), append(r.JudgedClusters, i)
		}
		return r
	}
	held, apart := 0, 0
	rng := rand.New(rand.NewPCG(5, 5))
	for range sims {
		r := draw(rng)
		o := stats.Options{Level: level, Seed: 1}
		if stats.PPI(r, 1, o).Contains(.5) {
			held++
		}
		r.JudgedClusters = nil
		if stats.PPI(r, 1, o).Contains(.5) {
			apart++
		}
	}
	least := level - 3*math.Sqrt(level*(1-level)/sims)
	if share := float64(held) / sims; share < least {
		t.Errorf("the interval holds the mean in %.1f %% of samples, want %v %%", 100*share, 100*level)
	}
	if share := float64(apart) / sims; share > least {
		t.Errorf("taken as independent it holds it in %.1f %%, so the case shows nothing", 100*share)
	}
}

// TestPPIPIsItsInterval: the p-value turns at the level at which the interval lets go of the claim.
func TestPPIPIsItsInterval(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	for _, n := range []int{40, 250} {
		var r stats.Rated
		r.People, r.Judge = judged(rng, n, judges["graded, a harsh judge"].draw)
		_, r.Judged = judged(rng, 300, judges["graded, a harsh judge"].draw)
		for _, lambda := range []float64{stats.Tuned, 1, 0} {
			for _, m := range []float64{.48, .52, .9} {
				p := stats.PPIP(r, lambda, m, stats.Options{Seed: 1, Resamples: 2000})
				at := func(p float64) bool {
					return stats.PPI(r, lambda, stats.Options{Level: 1 - p, Seed: 1, Resamples: 2000}).Contains(m)
				}
				if p > 1./5000 && p < 1 && (at(p*1.01) || !at(p/1.01)) {
					t.Errorf("%d rated, λ %v: p of %v is %v, and the intervals there say otherwise", n, lambda, m, p)
				}
				if m == .9 && p > 1./5000 {
					t.Errorf("%d rated, λ %v: p of %v is %v", n, lambda, m, p)
				}
			}
		}
	}
}
