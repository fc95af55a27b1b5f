package stats

import (
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

// The table of STATISTICS.md.
func TestPublishedValues(t *testing.T) {
	if n := SampleSize(Noise{Difference: 1. / 9}, .03, .05, .8); n != 969 {
		t.Errorf("n = %d, want 969", n)
	}
	for k, want := range map[int]float64{1: .1327, 10: .0757} {
		noise := Noise{Difference: 1. / 9, A: 1. / 6, B: 1. / 6, KA: k, KB: k}
		near(t, "minimum detectable", MinimumDetectable(noise, 198, .05, .8), want, 5e-5)
	}
	for delta, want := range map[float64]int{.01: 7842, .02: 1955, .03: 865, .05: 307} {
		if n := PairedSampleSize(.1, delta, .05, .8); n != want {
			t.Errorf("paired n for %v = %d, want %d", delta, n, want)
		}
		near(t, "and back", PairedDetectable(.1, want, .05, .8), delta, 1e-4)
	}
	m := McNemar(10, 2)
	near(t, "McNemar 10:2", m.P, .0386, 5e-5)
	near(t, "mid-p", m.MidP, .0225, 5e-5)
	m = McNemar(26, 14)
	near(t, "McNemar 26:14", m.P, .0807, 5e-5)
	near(t, "mid-p", m.MidP, .0596, 5e-5)
	low, high := Wilson(17, 20, .95)
	nearPair(t, "Wilson 17/20", low, high, pair{.640, .948}, 5e-4)
	low, high = Wilson(5, 5, .95)
	nearPair(t, "Wilson 5/5", low, high, pair{.566, 1}, 5e-4)
}

func TestMeanChoosesItsMethod(t *testing.T) {
	scores := func(n int, passFail bool) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = float64(i*7%10) / 9
			if passFail {
				x[i] = math.Round(x[i])
			}
		}
		return x
	}
	pairs := func(n int) []int {
		c := make([]int, n)
		for i := range c {
			c[i] = i / 2
		}
		return c
	}
	few := make([]int, 400)
	for i := range few {
		few[i] = i % 10
	}
	for _, c := range []struct {
		name     string
		scores   []float64
		clusters []int
		passFail bool
		want     string
	}{
		{"pass/fail", scores(30, true), nil, true, "Wilson"},
		{"pass/fail, single clusters", scores(3, true), []int{5, 9, 2}, true, "Wilson"},
		{"pass/fail in clusters", scores(30, true), pairs(30), true, "BCa cluster bootstrap, 10000 resamples"},
		{"pass/fail in many clusters", scores(400, true), pairs(400), true, "clustered CLT (CR0)"},
		{"many scores in few clusters", scores(400, false), few, false, "BCa cluster bootstrap, 10000 resamples"},
		{"graded, 199", scores(199, false), nil, false, "BCa bootstrap, 10000 resamples"},
		{"graded, 200", scores(200, false), nil, false, "CLT (HC0)"},
	} {
		got := Mean(c.scores, c.clusters, Options{PassFail: c.passFail, Seed: 1}).Method
		if strings.TrimSuffix(got, widened) != c.want {
			t.Errorf("%s: method %q, want %q", c.name, got, c.want)
		}
	}
}

func TestWilsonEstimateIsWilson(t *testing.T) {
	x := make([]float64, 20)
	for i := range 17 {
		x[i] = 1
	}
	e := Mean(x, nil, Options{PassFail: true})
	low, high := Wilson(17, 20, .95)
	if e.Value != .85 || e.Low != low || e.High != high || e.N != 20 || e.Level != .95 {
		t.Errorf("got %+v", e.Interval)
	}
}

func TestClusteredCLT(t *testing.T) {
	v := vectors(t)
	e := Mean(v.PairedBinary.A, v.PairedBinary.Cluster, Options{PassFail: true})
	want := v.ClusteredSE["a"].SE["cluster_CR0"]
	near(t, "SE", e.SE, want, 1e-12)
	near(t, "low", e.Low, e.Value-1.959963984540054*want, 1e-12)
	d := MeanDifference(v.PairedBinary.B, v.PairedBinary.A, v.PairedBinary.Cluster, Options{})
	want = v.ClusteredSE["a-b"].SE["cluster_CR0"]
	near(t, "difference", d.High-d.Low, 2*1.959963984540054*want, 1e-12)
	if d.N != 936 || d.Clusters != 168 {
		t.Errorf("n %d in %d clusters", d.N, d.Clusters)
	}
}

// A sample without variation has no standard error and no bootstrap, and must still not pass what it cannot show.
func TestSamplesThatDoNotVary(t *testing.T) {
	ones := []float64{1, 1, 1, 1, 1}
	e := Mean(ones, nil, Options{})
	near(t, "five perfect scores", e.Low, math.Pow(.05, 1./5), 1e-9)
	if e.High != 1 {
		t.Errorf("high = %v", e.High)
	}
	if v := e.Verdict(.9); v != Inconclusive {
		t.Errorf("five perfect scores against .9: %s", v)
	}
	if n := e.NeededN(.9, 0); n <= 5 || n > 200 {
		t.Errorf("needed n = %d", n)
	}
	half := Mean([]float64{.5, .5, .5, .5}, nil, Options{})
	near(t, "four halves, low", half.Low, .5*math.Pow(.05, 1./4), 1e-9)
	near(t, "four halves, high", half.High, 1-.5*math.Pow(.05, 1./4), 1e-9)
	same := MeanDifference(ones, ones, nil, Options{})
	if same.Low > -.4 || same.High < .4 {
		t.Errorf("five equal answers show equality too well: %+v", same.Interval)
	}
	one := Mean([]float64{.8}, []int{0}, Options{})
	if one.Low > .05 || one.High < .98 || one.N != 1 {
		t.Errorf("one score: %+v", one.Interval)
	}
	none := Mean(nil, nil, Options{PassFail: true})
	if none.Low != 0 || none.High != 1 || none.N != 0 || none.Verdict(.5) != Inconclusive {
		t.Errorf("no scores: %+v", none.Interval)
	}
	free := Mean([]float64{7, 7, 7}, nil, Options{})
	if free.Verdict(1) != Inconclusive || free.Verdict(100) != Inconclusive {
		t.Errorf("constant scores outside their range: %+v", free.Interval)
	}
	perfect := make([][]float64, 12)
	for i := range perfect {
		perfect[i] = []float64{2, 0}
	}
	f := Figure(perfect, nil, microF1, Options{})
	near(t, "twelve perfect examples", f.Low, math.Pow(.05, 1./12), .02)
}

// microF1 is over parts {true positives, errors of both kinds}.
func microF1(sum []float64, _ float64) float64 {
	if sum[0] == 0 {
		return 0
	}
	return 2 * sum[0] / (2*sum[0] + sum[1])
}

// On pass/fail scores the bounded-mean bound is Clopper and Pearson's, which the saddlepoint formula must reproduce.
func TestBoundedMeanIsExactOnPassFail(t *testing.T) {
	for _, n := range []int{2, 5, 20, 100, 1000} {
		for _, k := range []int{0, 1, n / 3, n / 2, n - 1, n} {
			x := make([]float64, n)
			for i := range k {
				x[i] = 1
			}
			s := newScalarSample(x, nil)
			for _, a := range []float64{.05, .01, .002} {
				low := boundedLow(s, 0, a)
				if k == 0 {
					near(t, "low of no successes", low, 0, 0)
					continue
				}
				if tail := binomialUpper(k, n, low); tail < .93*a || tail > 1.003*a {
					t.Errorf("%d of %d at %v: tail %v", k, n, a, tail)
				}
				mirror := make([]float64, n)
				for i := range x {
					mirror[i] = 1 - x[i]
				}
				near(t, "symmetry", boundedHigh(newScalarSample(mirror, nil), 1, a), 1-low, 1e-9)
			}
		}
	}
}

// The draws for general statistics and the saddlepoint for means are the same bound.
func TestBoundedDrawsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	x := make([]float64, 60)
	parts := make([][]float64, len(x))
	for i := range x {
		x[i] = math.Sqrt(r.Float64())
		parts[i] = x[i : i+1]
	}
	s := newScalarSample(x, nil)
	lows, highs := NewSample(parts, nil).boundedDraws(MeanOf(0), Bounds{0, 1}, 100_000, 5)
	low, high := quantile(lows, .02), quantile(highs, .98)
	near(t, "low", low, boundedLow(s, 0, .02), 1e-3)
	near(t, "high", high, boundedHigh(s, 1, .02), 1e-3)
}

func TestVerdict(t *testing.T) {
	iv := Interval{Value: .8, Low: .7, High: .9}
	for bar, want := range map[float64]Verdict{.6: Pass, .7: Pass, .71: Inconclusive, .9: Inconclusive, .91: Fail} {
		if got := VerdictOf(iv, bar); got != want {
			t.Errorf("bar %v: %s, want %s", bar, got, want)
		}
	}
	if VerdictOf(iv, math.NaN()) != Inconclusive {
		t.Error("a bar that is no number was decided")
	}
	// Two of twenty against .01: Wilson's lower bound at level .99 is above the bar, the exact tail 1.7 %.
	x := make([]float64, 20)
	x[0], x[1] = 1, 1
	e := Mean(x, nil, Options{PassFail: true, Level: .99})
	if VerdictOf(e.Interval, .01) != Pass || e.Verdict(.01) != Inconclusive {
		t.Errorf("the exact test did not hold back %+v", e.Interval)
	}
	for i := range x {
		x[i] = 1 - x[i]
	}
	e = Mean(x, nil, Options{PassFail: true, Level: .99})
	if VerdictOf(e.Interval, .99) != Fail || e.Verdict(.99) != Inconclusive {
		t.Errorf("the exact test did not hold back %+v", e.Interval)
	}
}

// NeededN must be enough: with that many examples of the observed quality, about the asked share of samples is conclusive.
func TestNeededNSettlesIt(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	draw := func(n int, p float64) []float64 {
		x := make([]float64, n)
		for i := range x {
			if r.Float64() < p {
				x[i] = 1
			}
		}
		return x
	}
	const truth, bar, sims = .85, .8, 1000
	x := make([]float64, 100)
	for i := range 85 {
		x[i] = 1
	}
	n := Mean(x, nil, Options{PassFail: true}).NeededN(bar, .8)
	settled := 0
	for range sims {
		if Mean(draw(n, truth), nil, Options{PassFail: true}).Verdict(bar) == Pass {
			settled++
		}
	}
	if share := float64(settled) / sims; share < .76 || share > .84 {
		t.Errorf("%d examples settle it in %.3f of samples, want about .8", n, share)
	}
	at := Mean(x, nil, Options{PassFail: true})
	if got := at.NeededN(.85, .8); got != MostNeeded {
		t.Errorf("exactly at the bar: %d", got)
	}
	perfect := make([]float64, 5)
	for i := range perfect {
		perfect[i] = 1
	}
	e := Mean(perfect, nil, Options{PassFail: true})
	n = e.NeededN(.9, .8)
	more := make([]float64, n)
	for i := range more {
		more[i] = 1
	}
	if Mean(more, nil, Options{PassFail: true}).Verdict(.9) != Pass {
		t.Errorf("%d perfect examples do not pass .9", n)
	}
}

func TestSpend(t *testing.T) {
	got := Spend(.05, 5, nil)
	for _, s := range got {
		near(t, "equal share", s, .01, 1e-15)
	}
	if got := Spend(.05, 3, []float64{2, 1, 1}); !reflect.DeepEqual(got, []float64{.025, .0125, .0125}) {
		t.Errorf("weighted shares %v", got)
	}
	if got := Spend(.05, 2, []float64{0, 0}); got[0] != 0 || got[1] != 0 {
		t.Errorf("no weight must give no share: %v", got)
	}
}

func TestBootstrapIsDeterministic(t *testing.T) {
	x := make([]float64, 60)
	for i := range x {
		x[i] = float64(i%7) / 6
	}
	first := Mean(x, nil, Options{Seed: 42})
	if again := Mean(x, nil, Options{Seed: 42}); again != first {
		t.Errorf("same seed: %+v and %+v", first, again)
	}
	if other := Mean(x, nil, Options{Seed: 43}); other.Low == first.Low && other.High == first.High {
		t.Error("another seed gives the same draws")
	}
}

// Sparse parts are the same sample as dense ones.
func TestSparsePartsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	parts := make([][]float64, 40)
	for i := range parts {
		parts[i] = make([]float64, 30)
		parts[i][r.IntN(10)*3+r.IntN(3)]++
	}
	sparse := NewSample(parts, nil)
	if sparse.dense != nil {
		t.Fatal("not held sparsely")
	}
	dense := &Sample{dim: sparse.dim, g: sparse.g, n: sparse.n, total: sparse.total}
	for _, row := range parts {
		dense.dense = append(append(dense.dense, row...), 1)
	}
	a, b := sparse.Bootstrap(macroF1, 2000, 9), dense.Bootstrap(macroF1, 2000, 9)
	if !reflect.DeepEqual(a, b) {
		t.Error("the bootstraps differ")
	}
}

// macroF1 is over parts {true positives, false positives, false negatives} per class.
func macroF1(sum []float64, _ float64) float64 {
	total := 0.0
	for c := 0; c < len(sum); c += 3 {
		if d := 2*sum[c] + sum[c+1] + sum[c+2]; d > 0 {
			total += 2 * sum[c] / d
		}
	}
	return total / float64(len(sum)/3)
}

func TestFigureDifferenceIsPaired(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 9))
	a, b := make([][]float64, 80), make([][]float64, 80)
	for i := range a {
		hard := float64(r.IntN(5))
		a[i] = []float64{5 - hard, 2 * hard}
		b[i] = []float64{min(5, 5.5-hard), max(0, 2*hard-1)}
	}
	o := Options{Seed: 3}
	d, _ := FigureDifference(a, b, nil, microF1, o)
	one, two := Figure(a, nil, microF1, o), Figure(b, nil, microF1, o)
	near(t, "value", d.Value, two.Value-one.Value, 1e-12)
	if d.SE > .5*one.SE {
		t.Errorf("SE of the difference %v beside %v of one: not paired", d.SE, one.SE)
	}
}

// TestPSaysNoMoreThanTheInterval: six better answers of a hundred, in a figure that may range over 100, show little; resamples alone
// are nearly all above zero.
func TestPSaysNoMoreThanTheInterval(t *testing.T) {
	a, b := make([][]float64, 100), make([][]float64, 100)
	for i := range a {
		a[i], b[i] = []float64{0}, []float64{0}
		if i < 6 {
			b[i][0] = 20
		}
	}
	d, p := FigureDifference(a, b, nil, MeanOf(0), Options{Seed: 3, Level: .95, Bounds: Bounds{0, 100}})
	if d.Low > 0 || p < .05 {
		t.Errorf("%v [%v, %v] by %s, p = %v", d.Value, d.Low, d.High, d.Method, p)
	}
	for i := range 40 {
		b[i][0] = 60
	}
	if d, p = FigureDifference(a, b, nil, MeanOf(0), Options{Seed: 3, Level: .95, Bounds: Bounds{0, 100}}); d.Low <= 0 || p > .001 {
		t.Errorf("%v [%v, %v] by %s, p = %v", d.Value, d.Low, d.High, d.Method, p)
	}
}

func BenchmarkMean10000Clusters(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	s := newScalarSample(make([]float64, 10_000), nil)
	for i := range s.g {
		s.dense[2*i] = r.Float64()
	}
	for b.Loop() {
		s.Bootstrap(MeanOf(0), Resamples, 1)
	}
}

func BenchmarkMacroF1(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	parts := make([][]float64, 1000)
	for i := range parts {
		parts[i] = make([]float64, 3*77)
		parts[i][r.IntN(3*77)]++
		parts[i][r.IntN(3*77)]++
	}
	for b.Loop() {
		Figure(parts, nil, macroF1, Options{})
	}
}
