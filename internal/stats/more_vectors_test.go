package stats

import (
	"bufio"
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"
)

func TestTwoSampleVectors(t *testing.T) {
	v := vectors(t)
	for _, w := range v.Newcombe {
		nearRelative(t, "Fisher", Fisher(w.K1, w.N1-w.K1, w.K2, w.N2-w.K2), w.FisherP, 1e-9)
	}
	c := v.Continuous
	d, p := KolmogorovSmirnov(c.Chrf, c.Bleu)
	near(t, "KS", d, v.KS[0], 1e-12)
	nearRelative(t, "KS p", p, v.KS[1], 1e-6)
	u, p := MannWhitney(c.Chrf, c.Bleu)
	near(t, "Mann–Whitney", u, v.MannWhitney[0], 1e-12)
	nearRelative(t, "Mann–Whitney p", p, v.MannWhitney[1], 1e-6)
	chi, p, freedom := ChiSquared(v.Chi2.Table)
	near(t, "χ²", chi, v.Chi2.Result[0], 1e-9)
	near(t, "χ² p", p, v.Chi2.Result[1], 1e-9)
	near(t, "degrees of freedom", float64(freedom), v.Chi2.Result[2], 0)
	for name, f := range map[string]func(x, y []float64) (float64, float64){"pearson": Pearson, "spearman": Spearman, "kendall_b": KendallB} {
		want := v.Correlation[name]
		r, p := f(c.Chrf, c.Rouge1)
		near(t, name, r, want[0], 1e-12)
		nearRelative(t, name+" p", p, want[1], 1e-6)
	}
}

// Monte Carlo on both sides, 100,000 flips there.
func TestSignFlipVectors(t *testing.T) {
	v := vectors(t)
	d := make([]float64, len(v.PairedBinary.A))
	for i := range d {
		d[i] = v.PairedBinary.A[i] - v.PairedBinary.B[i]
	}
	if p := SignFlip(d, nil, 100_000, 1); p > 5e-4 || p < 5e-5 {
		t.Errorf("binary p = %v, want about %v", p, v.SignFlip["binary a-b"])
	}
	near(t, "graded p", SignFlip(v.Continuous.Med60, nil, 100_000, 1), v.SignFlip["vader_meddiff60"], .01)
	if alone, clustered := SignFlip(d, nil, 20_000, 1), SignFlip(d, v.PairedBinary.Cluster, 20_000, 1); clustered < 5*alone {
		t.Errorf("clusters do not weigh: p = %v alone, %v clustered", alone, clustered)
	}
}

type agreementVectors struct {
	Hatecheck struct {
		Annotators  []string
		Nominal     float64 `json:"krippendorff_nominal"`
		First200    float64 `json:"first200_krippendorff_nominal"`
		FleissKappa float64 `json:"fleiss_kappa"`
	}
	Vader struct {
		Nominal  float64 `json:"krippendorff_nominal"`
		Ordinal  float64 `json:"krippendorff_ordinal"`
		Interval float64 `json:"krippendorff_interval"`
		Gaps     struct {
			Dropped                    [][2]int `json:"dropped_rater_item"`
			Nominal, Ordinal, Interval float64
		} `json:"first100_with_gaps"`
	}
	Pandalm struct {
		Fleiss       float64 `json:"fleiss_kappa"`
		Randolph     float64 `json:"randolph_kappa"`
		Krippendorff float64 `json:"krippendorff_nominal"`
		Cohen        map[string]float64
		Statsmodels  struct {
			Kappa float64
			Table [][]float64
		} `json:"cohen_a1_a2_statsmodels"`
		GPT struct {
			N         int
			Cohen     float64
			Linear    float64 `json:"cohen_linear"`
			Quadratic float64 `json:"cohen_quadratic"`
		} `json:"judge_gpt35"`
	}
}

func lines[T any](t *testing.T, file string) []T {
	t.Helper()
	var out []T
	s := bufio.NewScanner(bytes.NewReader(shared(t, file)))
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		var v T
		if err := json.Unmarshal(s.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

func agreement(t *testing.T) (v agreementVectors) {
	t.Helper()
	if err := json.Unmarshal(shared(t, "vectors/agreement_vectors.json"), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestKrippendorffVectors(t *testing.T) {
	want := agreement(t)
	var hate [][]float64
	for _, r := range lines[struct{ Annotators map[string]string }](t, "data/hatecheck/annotations.jsonl") {
		unit := make([]float64, 0, 10)
		for _, a := range want.Hatecheck.Annotators {
			switch r.Annotators[a] {
			case "hateful":
				unit = append(unit, 1)
			case "non-hateful":
				unit = append(unit, 0)
			default:
				unit = append(unit, math.NaN())
			}
		}
		hate = append(hate, unit)
	}
	near(t, "hatecheck", Krippendorff(hate, Nominal), want.Hatecheck.Nominal, 1e-9)
	near(t, "hatecheck, first 200", Krippendorff(hate[:200], Nominal), want.Hatecheck.First200, 1e-9)

	var vader [][]float64
	for _, r := range lines[struct{ Ratings []float64 }](t, "data/vader_ratings/all.jsonl") {
		vader = append(vader, r.Ratings)
	}
	near(t, "vader nominal", Krippendorff(vader, Nominal), want.Vader.Nominal, 1e-9)
	near(t, "vader ordinal", Krippendorff(vader, Ordinal), want.Vader.Ordinal, 1e-9)
	near(t, "vader interval", Krippendorff(vader, Interv), want.Vader.Interval, 1e-9)
	gaps := vader[:100]
	for _, d := range want.Vader.Gaps.Dropped {
		gaps[d[1]][d[0]] = math.NaN()
	}
	near(t, "gaps nominal", Krippendorff(gaps, Nominal), want.Vader.Gaps.Nominal, 1e-9)
	near(t, "gaps ordinal", Krippendorff(gaps, Ordinal), want.Vader.Gaps.Ordinal, 1e-9)
	near(t, "gaps interval", Krippendorff(gaps, Interv), want.Vader.Gaps.Interval, 1e-9)
}

func TestKappaVectors(t *testing.T) {
	want := agreement(t).Pandalm
	rows := lines[struct {
		Annotators []int
		Majority   *int
		Judges     map[string]*int
	}](t, "data/pandalm_human/all.jsonl")
	var counts, units [][]float64
	var tables [3][][]float64
	judge := empty(3)
	for k := range tables {
		tables[k] = empty(3)
	}
	for _, r := range rows {
		count, unit := make([]float64, 3), make([]float64, 3)
		for i, a := range r.Annotators {
			count[a]++
			unit[i] = float64(a)
		}
		counts, units = append(counts, count), append(units, unit)
		for k, pair := range [][2]int{{0, 1}, {0, 2}, {1, 2}} {
			tables[k][r.Annotators[pair[0]]][r.Annotators[pair[1]]]++
		}
		if g := r.Judges["gpt35"]; g != nil && r.Majority != nil {
			judge[*r.Majority][*g]++
		}
	}
	near(t, "Fleiss", FleissKappa(counts), want.Fleiss, 1e-9)
	near(t, "Randolph", RandolphKappa(counts), want.Randolph, 1e-9)
	near(t, "Krippendorff", Krippendorff(units, Nominal), want.Krippendorff, 1e-9)
	for k, name := range []string{"a1_a2", "a1_a3", "a2_a3"} {
		near(t, "Cohen "+name, CohenKappa(tables[k], Unweighted), want.Cohen[name], 1e-9)
	}
	near(t, "Cohen of a table", CohenKappa(want.Statsmodels.Table, Unweighted), want.Statsmodels.Kappa, 1e-9)
	near(t, "judge", CohenKappa(judge, Unweighted), want.GPT.Cohen, 1e-9)
	near(t, "judge, linear", CohenKappa(judge, Linear), want.GPT.Linear, 1e-9)
	near(t, "judge, quadratic", CohenKappa(judge, Quadratic), want.GPT.Quadratic, 1e-9)
}

func empty(k int) [][]float64 {
	t := make([][]float64, k)
	for i := range t {
		t[i] = make([]float64, k)
	}
	return t
}

// STATISTICS.md prints ±.1613 beside m = 10; its own formula gives that for m = 100, and ±.1544 for m = 10.
func TestSequenceHalfWidth(t *testing.T) {
	near(t, "half-width", SequenceHalfWidth(100, .25, .05, 100), .1613, 5e-5)
	tightest := SequenceHalfWidth(100, .25, .05, 25)
	for _, m := range []float64{5, 15, 40, 100} {
		if SequenceHalfWidth(100, .25, .05, m) < tightest {
			t.Errorf("with m = %v it is tighter at n·v = 25 than with m = 25", m)
		}
	}
}

// Looked at after every example, the betting sequence misses the truth in at most α of runs, at any time.
func TestSequenceHoldsAtEveryLook(t *testing.T) {
	const runs, n, a = 300, 150, .05
	for name, w := range map[string]world{
		"coin":        {mean: .8, draw: coin(.8)},
		"nearly ones": {mean: .975, draw: f1Like(.95, 0)},
		"F1-like":     {mean: .7, draw: f1Like(.6, .2)},
	} {
		r := rand.New(rand.NewPCG(21, 1))
		x := make([]float64, n)
		missed, width := 0, 0.0
		for range runs {
			w.draw(r, x)
			s := NewSequence(a)
			ever := false
			for _, v := range x {
				s.Add(v)
				ever = ever || !s.Interval().Contains(w.mean)
			}
			if ever {
				missed++
			}
			last := s.Interval()
			width += (last.High - last.Low) / runs
		}
		if rate := float64(missed) / runs; rate > a+3*math.Sqrt(a*(1-a)/runs) {
			t.Errorf("%s: missed in %.3f of runs", name, rate)
		}
		if width > .45 {
			t.Errorf("%s: mean width %.3f after %d examples", name, width, n)
		}
	}
}

func TestPSI(t *testing.T) {
	if p := PSI([]float64{50, 50}, []float64{500, 500}); p > 1e-4 {
		t.Errorf("same shares: %v", p)
	}
	if p := PSI([]float64{90, 10}, []float64{50, 50}); p < .25 {
		t.Errorf("shifted shares: %v", p)
	}
	if p := PSI([]float64{100, 0}, []float64{100, 0}); math.IsInf(p, 0) || math.IsNaN(p) {
		t.Errorf("an empty bin: %v", p)
	}
}
