package stats

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// A climb passes wrongly when any of its rungs, all below the bar or exactly at it, passes.
const (
	climbs = 2000
	rungs  = 5
	alpha  = .05
)

// monteCarlo is three standard errors of a share of alpha over the simulated climbs: what a rate of exactly alpha may show.
var monteCarlo = 3 * math.Sqrt(alpha*(1-alpha)/climbs)

// world draws the scores of one rung whose true mean is known.
type world struct {
	name     string
	mean     float64
	n        int
	passFail bool
	clusters []int
	draw     func(*rand.Rand, []float64)
}

func (w world) wrongPasses(seed uint64) float64 {
	r := rand.New(rand.NewPCG(seed, 1))
	scores := make([]float64, w.n)
	shares := Spend(alpha, rungs, nil)
	wrong := 0
	for range climbs {
		for _, share := range shares {
			w.draw(r, scores)
			// 300 draws instead of 10,000 keep the simulation short. They only make the ends of the interval noisier.
			o := Options{Level: 1 - share, PassFail: w.passFail, Seed: r.Uint64(), Resamples: 300}
			if Mean(scores, w.clusters, o).Verdict(w.mean) == Pass {
				wrong++
				break
			}
		}
	}
	return float64(wrong) / climbs
}

func coin(p float64) func(*rand.Rand, []float64) {
	return each(func(r *rand.Rand) float64 {
		if r.Float64() < p {
			return 1
		}
		return 0
	})
}

func each(one func(*rand.Rand) float64) func(*rand.Rand, []float64) {
	return func(r *rand.Rand, out []float64) {
		for i := range out {
			out[i] = one(r)
		}
	}
}

// f1Like has the shape of F1 scores: many ones, some zeros, the rest between. Its mean is ones + (1−ones−zeros)/2.
func f1Like(ones, zeros float64) func(*rand.Rand, []float64) {
	return each(func(r *rand.Rand) float64 {
		switch u := r.Float64(); {
		case u < ones:
			return 1
		case u < ones+zeros:
			return 0
		}
		return r.Float64()
	})
}

func inFives(n int) []int {
	c := make([]int, n)
	for i := range c {
		c[i] = i / 5
	}
	return c
}

// sharedFate draws groups of five that mostly fare alike: each score repeats the one before it with probability .7.
func sharedFate(r *rand.Rand, out []float64) {
	for i := range out {
		if i%5 == 0 || r.Float64() < .3 {
			out[i] = math.Floor(r.Float64() + .75) // 1 with probability ¾
		} else {
			out[i] = out[i-1]
		}
	}
}

var worlds = []world{
	{"pass/fail at .8", .8, 100, true, nil, coin(.8)},
	{"pass/fail at .5", .5, 100, true, nil, coin(.5)},
	{"pass/fail at .98", .98, 100, true, nil, coin(.98)},
	{"pass/fail at .05", .05, 100, true, nil, coin(.05)},
	{"pass/fail at .01, n 20", .01, 20, true, nil, coin(.01)},
	{"pass/fail just below .9", .9, 100, true, nil, coin(.895)},
	{"graded .7", .7, 100, false, nil, f1Like(.6, .2)},
	{"graded .7, n 20", .7, 20, false, nil, f1Like(.6, .2)},
	{"graded .975, nearly all ones", .975, 100, false, nil, f1Like(.95, 0)},
	{"graded .98, rare zeros", .98, 100, false, nil, f1Like(.98, .02)},
	{"graded .98, rare zeros, n 250", .98, 250, false, nil, f1Like(.98, .02)},
	{"graded .1, skewed", .1, 60, false, nil, each(func(r *rand.Rand) float64 { return math.Pow(r.Float64(), 9) })},
	{"graded .9, skewed", .9, 60, false, nil, each(func(r *rand.Rand) float64 { return 1 - math.Pow(r.Float64(), 9) })},
	{"pass/fail .75 in groups of five", .75, 100, true, inFives(100), sharedFate},
	{"pass/fail .75 in 60 groups of five", .75, 300, true, inFives(300), sharedFate},
}

// The promise: over 2,000 climbs of five rungs at the boundary, wrong passes of the whole climb stay at α.
func TestWrongPassesOfAClimb(t *testing.T) {
	for i, w := range worlds {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			rate := w.wrongPasses(uint64(i) + 1)
			t.Logf("wrong passes %.4f", rate)
			if rate > alpha+monteCarlo {
				t.Errorf("%.4f of climbs pass wrongly, α is %v (Monte Carlo %v)", rate, alpha, monteCarlo)
			}
		})
	}
}

// The same for a figure of summed parts: micro-F1 of one to five slots an example, wrong in 4 % of
// the examples. A wrong slot counts twice as an error.
func TestWrongPassesOfAFigure(t *testing.T) {
	const samples, level = 800, .95
	r := rand.New(rand.NewPCG(17, 1))
	parts := make([][]float64, 60)
	wrong := 0
	for k := range samples {
		for i := range parts {
			slots := float64(1 + r.IntN(5))
			parts[i] = []float64{slots, 0}
			if r.Float64() < .04 {
				bad := math.Floor(slots * r.Float64() * 2)
				bad = min(bad, slots)
				parts[i] = []float64{slots - bad, 2 * bad}
			}
		}
		e := Figure(parts, nil, microF1, Options{Level: level, Seed: uint64(k), Resamples: 500})
		if e.Verdict(figureTruth) == Pass {
			wrong++
		}
	}
	rate, most := float64(wrong)/samples, 1-level+3*math.Sqrt(level*(1-level)/samples)
	t.Logf("wrong passes %.4f", rate)
	if rate > most {
		t.Errorf("%.4f of figures pass wrongly, more than %.4f", rate, most)
	}
}

// figureTruth is E[right]/(E[right]+E[wrong]) of the draws above. For s slots, the number of bad ones is min(s, ⌊2su⌋), with mean
// (0+1+…+(s−1))/(2s) + s/2 = (3s−1)/4.
var figureTruth = func() float64 {
	slots, bad := 0.0, 0.0
	for s := 1.0; s <= 5; s++ {
		slots += s
		bad += .04 * (3*s - 1) / 4
	}
	return 1 - bad/slots
}()

// Pseudo-scores may lie outside the range of their figure and are still held to it.
func TestLinearisedScores(t *testing.T) {
	x := make([]float64, 300)
	for i := range x {
		x[i] = 1.002
	}
	x[0], x[1] = .5, .9
	free, held := Mean(x, nil, Options{Bounds: Unbounded}), Mean(x, nil, Options{Linearised: true})
	if held.Value != free.Value || held.Low >= free.Low || held.High > 1 {
		t.Errorf("unbounded %+v, held to its range %+v", free.Interval, held.Interval)
	}
	d := MeanDifference(make([]float64, 300), x, nil, Options{Linearised: true})
	if d.High > 1 || d.Low >= d.Value {
		t.Errorf("difference %+v", d.Interval)
	}
}

// Without the bounded-mean bound BCa breaks the promise: this is why Mean widens it.
func TestBCaAloneBreaksThePromise(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	x := make([]float64, 100)
	wrong := 0
	for k := range 500 {
		f1Like(.98, .02)(r, x)
		if low, _ := newScalarSample(x, nil).Bootstrap(MeanOf(0), 500, uint64(k)).BCa(.99); low > .98 {
			wrong++
		}
	}
	if share := float64(wrong) / 500; share < .05 {
		t.Errorf("BCa passes wrongly in %v of samples: the widening in Mean may no longer be needed", share)
	}
}

// A good candidate must still pass: a promise kept by never passing is worth nothing.
func TestPowerOfAClimb(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	x := make([]float64, 100)
	passed := 0
	for k := range 500 {
		f1Like(.6, .2)(r, x) // mean .7, standard deviation .40, so the standard error is .04
		if Mean(x, nil, Options{Level: .99, Seed: uint64(k), Resamples: 500}).Verdict(.54) == Pass {
			passed++
		}
	}
	if share := float64(passed) / 500; share < .8 {
		t.Errorf("four standard errors above the bar pass in %.3f of samples only", share)
	}
}

func TestIntervalProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.SliceOfN(rapid.Float64Range(0, 1), 1, 60).Draw(t, "scores")
		clusters := rapid.SliceOfN(rapid.IntRange(-3, 8), len(x), len(x)).Draw(t, "clusters")
		o := Options{Seed: 1, Resamples: 200, Level: rapid.SampledFrom([]float64{.8, .95, .99}).Draw(t, "level")}
		for _, c := range [][]int{nil, clusters} {
			e := Mean(x, c, o)
			if !(0 <= e.Low && e.Low <= e.Value+1e-12 && e.Value <= e.High+1e-12 && e.High <= 1) {
				t.Fatalf("interval %+v", e.Interval)
			}
			if e.High-e.Low < 1e-9 {
				t.Fatalf("no width: %+v", e.Interval)
			}
			if n := e.NeededN(.5, .8); n <= e.N || n > MostNeeded {
				t.Fatalf("needed n %d after %d", n, e.N)
			}
			mirror := make([]float64, len(x))
			for i := range x {
				mirror[i] = 1 - x[i]
			}
			s, m := newScalarSample(x, c), newScalarSample(mirror, c)
			if d := boundedLow(s, 0, .05) - (1 - boundedHigh(m, 1, .05)); math.Abs(d) > 1e-7 {
				t.Fatalf("bounds are not symmetric: %v", d)
			}
			if d := MeanDifference(x, x, c, o); d.Value != 0 || d.Low >= 0 || d.High <= 0 {
				t.Fatalf("difference of a candidate with itself: %+v", d.Interval)
			}
		}
	})
}

func TestTestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 200).Draw(t, "n")
		k := rapid.IntRange(0, n).Draw(t, "k")
		low, high := Wilson(k, n, .95)
		exactLow, exactHigh := ClopperPearson(k, n, .95)
		p := float64(k) / float64(n)
		if !(0 <= low && low <= p && p <= high && high <= 1 && exactLow <= p && p <= exactHigh) {
			t.Fatalf("%d of %d: %v–%v, exact %v–%v", k, n, low, high, exactLow, exactHigh)
		}
		m, turned := McNemar(k, n-k), McNemar(n-k, k)
		if math.Abs(m.P-turned.P) > 1e-12 || m.P <= 0 || m.P > 1 || m.MidP > m.P {
			t.Fatalf("McNemar %+v, turned %+v", m, turned)
		}
		d := rapid.SliceOfN(rapid.Map(rapid.IntRange(-9, 9), func(i int) float64 { return float64(i) }), 0, 70).Draw(t, "d")
		turnedD := make([]float64, len(d))
		for i := range d {
			turnedD[i] = -d[i]
		}
		for _, z := range []Zeros{DropZeros, PrattZeros, SplitZeros} {
			w, v := WilcoxonWith(d, z, AutoRank), WilcoxonWith(turnedD, z, AutoRank)
			if math.Abs(w.P-v.P) > 1e-12 || !(w.P > 0 && w.P <= 1) {
				t.Fatalf("Wilcoxon %+v, turned %+v", w, v)
			}
		}
		ps := rapid.SliceOfN(rapid.Float64Range(0, 1), 1, 12).Draw(t, "p")
		holm, bonferroni, bh := Holm(ps), Bonferroni(ps), BenjaminiHochberg(ps)
		for i := range ps {
			if holm[i] < ps[i] || holm[i] > bonferroni[i]+1e-12 || bh[i] > holm[i]+1e-12 || bh[i] < ps[i]-1e-12 {
				t.Fatalf("p %v holm %v bonferroni %v bh %v", ps[i], holm[i], bonferroni[i], bh[i])
			}
		}
	})
}
