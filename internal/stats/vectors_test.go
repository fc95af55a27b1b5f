package stats

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// shared finds a file of the shared reference data: under RUNG_SHARED, or in a directory named shared beside the repository.
func shared(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(sharedDir(t), name))
	if err != nil {
		t.Skipf("no reference data: %v", err)
	}
	return b
}

func sharedDir(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("RUNG_SHARED"); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(filepath.Dir(dir), "shared")
		}
		if dir == filepath.Dir(dir) {
			t.Skip("no reference data: RUNG_SHARED is not set and no go.mod lies above the test")
		}
		dir = filepath.Dir(dir)
	}
}

type pair [2]float64

type statsVectors struct {
	PairedBinary struct {
		A, B    []float64
		Cluster []int
	} `json:"paired_binary"`
	McNemar map[string]struct {
		Table  [2][2]int
		ExactP float64 `json:"exact_p"`
		MidP   float64
		ChiC   pair `json:"chi2_corrected"`
		Chi    pair `json:"chi2"`
	}
	Tables []struct {
		B, C   int
		ExactP float64 `json:"exact_p"`
	} `json:"mcnemar_tables"`
	Wilson []struct {
		K, N                   int
		Alpha                  float64
		Wilson, Beta, Jeffreys pair
		AgrestiCoull           pair `json:"agresti_coull"`
	}
	Newcombe []struct {
		K1, N1, K2, N2 int
		Newcomb        pair
		Ztest          pair
		FisherP        float64 `json:"fisher_p"`
	} `json:"newcombe_diff"`
	Continuous struct {
		Chrf, Bleu, Rouge1, RougeL []float64
		Mean40                     []float64 `json:"vader_mean40"`
		Med60                      []float64 `json:"vader_meddiff60"`
	} `json:"paired_continuous"`
	Wilcoxon  map[string]map[string]pair
	TTest     map[string]pair `json:"ttest_rel"`
	Bootstrap map[string]struct {
		N            int
		Mean         float64
		SE           float64 `json:"boot_se"`
		Percentile95 pair
		BCa95        pair
	} `json:"paired_bootstrap"`
	SignFlip    map[string]float64 `json:"sign_flip_permutation_p"`
	ClusteredSE map[string]struct {
		SE map[string]float64
	} `json:"clustered_se"`
	Multiple struct {
		P, Holm, Bonferroni []float64
		BH                  []float64 `json:"fdr_bh"`
		BY                  []float64 `json:"fdr_by"`
	} `json:"multiple_testing"`
	Power []struct {
		P1, P2 float64
		N      float64 `json:"n_per_arm_80"`
	}
	Correlation map[string]pair
	KS          pair `json:"ks_2samp"`
	MannWhitney pair `json:"mannwhitneyu"`
	Chi2        struct {
		Table  [][]float64
		Result [3]float64
	} `json:"chi2_contingency"`
}

func vectors(t *testing.T) statsVectors {
	t.Helper()
	var v statsVectors
	if err := json.Unmarshal(shared(t, "vectors/stats_vectors.json"), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// near holds got to want within tol, absolute below 1 and relative above.
func near(t *testing.T, what string, got, want, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol*max(1, math.Abs(want))) {
		t.Errorf("%s = %.15g, want %.15g", what, got, want)
	}
}

// nearRelative is near with a tolerance relative to want, for tiny p-values.
func nearRelative(t *testing.T, what string, got, want, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol*math.Abs(want)) {
		t.Errorf("%s = %.15g, want %.15g", what, got, want)
	}
}

func nearPair(t *testing.T, what string, low, high float64, want pair, tol float64) {
	t.Helper()
	near(t, what+" low", low, want[0], tol)
	near(t, what+" high", high, want[1], tol)
}

func TestProportionVectors(t *testing.T) {
	v := vectors(t)
	if len(v.Wilson) == 0 {
		t.Fatal("no vectors")
	}
	for _, w := range v.Wilson {
		level := 1 - w.Alpha
		low, high := Wilson(w.K, w.N, level)
		nearPair(t, "Wilson", low, high, w.Wilson, 1e-9)
		low, high = ClopperPearson(w.K, w.N, level)
		nearPair(t, "Clopper–Pearson", low, high, w.Beta, 1e-9)
		low, high = AgrestiCoull(w.K, w.N, level)
		nearPair(t, "Agresti–Coull", low, high, w.AgrestiCoull, 1e-9)
		low, high = Jeffreys(w.K, w.N, level)
		nearPair(t, "Jeffreys", low, high, w.Jeffreys, 1e-9)
	}
	for _, w := range v.Newcombe {
		low, high := Newcombe(w.K1, w.N1, w.K2, w.N2, .95)
		nearPair(t, "Newcombe", low, high, w.Newcomb, 1e-9)
	}
}

func TestMcNemarVectors(t *testing.T) {
	v := vectors(t)
	for name, m := range v.McNemar {
		got := McNemar(m.Table[0][1], m.Table[1][0])
		near(t, name+" exact", got.P, m.ExactP, 1e-9)
		near(t, name+" mid-p", got.MidP, m.MidP, 1e-9)
		chi, p := McNemarChi(m.Table[0][1], m.Table[1][0], false)
		nearPair(t, name+" χ²", chi, p, m.Chi, 1e-9)
		chi, p = McNemarChi(m.Table[0][1], m.Table[1][0], true)
		nearPair(t, name+" χ² corrected", chi, p, m.ChiC, 1e-9)
	}
	for _, m := range v.Tables {
		near(t, "exact", McNemar(m.B, m.C).P, m.ExactP, 1e-9)
	}
	b, c := Discordant(v.PairedBinary.A, v.PairedBinary.B)
	if want := v.McNemar["all"].Table; b != want[0][1] || c != want[1][0] {
		t.Errorf("discordant = %d, %d, want %d, %d", b, c, want[0][1], want[1][0])
	}
}

func TestPairedTVectors(t *testing.T) {
	v := vectors(t)
	c := &v.Continuous
	for name, pairs := range map[string][2][]float64{"chrf,bleu": {c.Chrf, c.Bleu}, "rouge1,rougeL": {c.Rouge1, c.RougeL}} {
		d := make([]float64, len(pairs[0]))
		for i := range d {
			d[i] = pairs[0][i] - pairs[1][i]
		}
		want := v.TTest[name]
		if len(want) == 0 {
			t.Fatalf("no vector %s", name)
		}
		got, p, _ := PairedT(d)
		near(t, name+" t", got, want[0], 1e-9)
		nearRelative(t, name+" p", p, want[1], 1e-9)
	}
}

func TestWilcoxonVectors(t *testing.T) {
	v := vectors(t)
	c := v.Continuous
	minus := func(a, b []float64) []float64 {
		d := make([]float64, len(a))
		for i := range a {
			d[i] = a[i] - b[i]
		}
		return d
	}
	samples := map[string][]float64{
		"rouge1-rougeL":     minus(c.Rouge1, c.RougeL),
		"chrf-bleu":         minus(c.Chrf, c.Bleu),
		"first12 chrf-bleu": minus(c.Chrf, c.Bleu)[:12],
		"vader_mean40":      c.Mean40,
		"vader_meddiff60":   c.Med60,
	}
	zeros := map[string]Zeros{"wilcox": DropZeros, "pratt": PrattZeros, "zsplit": SplitZeros}
	methods := map[string]RankMethod{"exact": ExactRank, "approx": NormalRank, "approx/corr": CorrectedRank}
	for name, cases := range v.Wilcoxon {
		for variant, want := range cases {
			var z, m string
			for i := range variant {
				if variant[i] == '/' {
					z, m = variant[:i], variant[i+1:]
					break
				}
			}
			got := WilcoxonWith(samples[name], zeros[z], methods[m])
			near(t, name+" "+variant+" W", got.W, want[0], 1e-9)
			near(t, name+" "+variant+" p", got.P, want[1], 1e-9)
			if want[1] > 1e-300 && m != "exact" {
				nearRelative(t, name+" "+variant+" p", got.P, want[1], 1e-6)
			}
		}
	}
}

func TestClusteredSEVectors(t *testing.T) {
	v := vectors(t)
	a, b := v.PairedBinary.A, v.PairedBinary.B
	d := make([]float64, len(a))
	for i := range d {
		d[i] = a[i] - b[i]
	}
	for name, x := range map[string][]float64{"a": a, "b": b, "a-b": d} {
		want := v.ClusteredSE[name].SE
		near(t, name+" CR0", ClusteredSE(x, v.PairedBinary.Cluster), want["cluster_CR0"], 1e-12)
		near(t, name+" HC0", ClusteredSE(x, nil), want["HC0"], 1e-12)
	}
}

func TestMultipleTestingVectors(t *testing.T) {
	m := vectors(t).Multiple
	for name, c := range map[string][2][]float64{
		"Holm":       {Holm(m.P), m.Holm},
		"Bonferroni": {Bonferroni(m.P), m.Bonferroni},
		"BH":         {BenjaminiHochberg(m.P), m.BH},
		"BY":         {BenjaminiYekutieli(m.P), m.BY},
	} {
		for i := range m.P {
			near(t, name, c[0][i], c[1][i], 1e-12)
		}
	}
}

func TestPowerVectors(t *testing.T) {
	for _, p := range vectors(t).Power {
		// statsmodels solves for n by root finding, to about 1e-8 of n.
		nearRelative(t, "n per arm", ProportionsSampleSize(p.P1, p.P2, .05, .8), p.N, 1e-7)
	}
}

// The ends are Monte Carlo on both sides: 100,000 draws there, 10,000 here.
func TestBootstrapVectors(t *testing.T) {
	v := vectors(t)
	a, b := v.PairedBinary.A, v.PairedBinary.B
	c := v.Continuous
	samples := map[string][2][]float64{
		"binary a-b":      {b, a},
		"rouge1-rougeL":   {c.RougeL, c.Rouge1},
		"vader_meddiff60": {make([]float64, len(c.Med60)), c.Med60},
	}
	for name, want := range v.Bootstrap {
		d := make([]float64, want.N)
		for i := range d {
			d[i] = samples[name][1][i] - samples[name][0][i]
		}
		boot := newScalarSample(d, nil).Bootstrap(MeanOf(0), Resamples, 7)
		near(t, name+" mean", boot.Value, want.Mean, 1e-12)
		near(t, name+" SE", boot.SE, want.SE, .03*want.SE)
		low, high := boot.Percentile(.95)
		tol := .12*want.SE + 1/float64(want.N) // the draws of differences in {−1, 0, 1} lie on a grid of 1/n
		if name == "rouge1-rougeL" {
			tol = .12 * want.SE
		}
		nearPair(t, name+" percentile", low, high, want.Percentile95, tol)
		low, high = boot.BCa(.95)
		nearPair(t, name+" BCa", low, high, want.BCa95, tol)
	}
}
