package grade

import (
	"bufio"
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// row is one line of the shared metric vectors.
type row struct {
	ID         string
	Hyp        string
	Refs       []string
	BLEU       float64
	BLEUDetail struct {
		Counts, Totals []float64
		SysLen         float64 `json:"sys_len"`
		RefLen         float64 `json:"ref_len"`
	} `json:"bleu_detail"`
	BLEURef0    float64 `json:"bleu_ref0"`
	BLEUNoOrder float64 `json:"bleu_no_effective_order"`
	ChrF        float64
	ChrFRef0    float64 `json:"chrf_ref0"`
	ChrFPP      float64 `json:"chrfpp"`
	TER         float64
	Rouge0      rougeVector `json:"rouge_ref0"`
	Rouge0Stem  rougeVector `json:"rouge_ref0_stem"`
	RougeM      rougeVector `json:"rouge_multi"`
	RougeMStem  rougeVector `json:"rouge_multi_stem"`
}

type rougeVector struct{ Rouge1, Rouge2, RougeL, RougeLsum [3]float64 }

type corpusRow struct {
	Multi, Ref0 struct {
		BLEU         struct{ Score float64 }
		ChrF, ChrFPP float64
		TER          float64
	}
	NoEdge struct {
		BLEU struct{ Score float64 }
		ChrF float64
	} `json:"no_edge_multi"`
	Rouge     rougeVector `json:"rouge_ref0_mean"`
	RougeStem rougeVector `json:"rouge_ref0_stem_mean"`
}

// metricVectors are the rows under RUNG_SHARED, or in a directory named shared beside the repository.
func metricVectors(t testing.TB) (rows []row, all corpusRow) {
	t.Helper()
	dir := os.Getenv("RUNG_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	data, err := os.ReadFile(filepath.Join(dir, "vectors", "metric_vectors.jsonl"))
	if err != nil {
		t.Skipf("no reference data: %v", err)
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r row
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		if r.ID != "CORPUS" {
			rows = append(rows, r)
		} else if err := json.Unmarshal(lines.Bytes(), &all); err != nil {
			t.Fatal(err)
		}
	}
	if len(rows) != 200 {
		t.Fatalf("%d rows, want 200", len(rows))
	}
	return rows, all
}

func equal(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-9) {
		t.Errorf("%s = %.15g, want %.15g", what, got, want)
	}
}

func equalRouge(t *testing.T, what string, got RougeScores, want rougeVector) {
	t.Helper()
	for name, c := range map[string]struct {
		got  PRF
		want [3]float64
	}{"rouge1": {got.Rouge1, want.Rouge1}, "rouge2": {got.Rouge2, want.Rouge2}, "rougeL": {got.RougeL, want.RougeL}} {
		equal(t, what+" "+name+" precision", c.got.Precision, c.want[0])
		equal(t, what+" "+name+" recall", c.got.Recall, c.want[1])
		equal(t, what+" "+name+" F", c.got.F, c.want[2])
	}
}

func bleuParts(hyp string, refs ...string) []float64 {
	parts := make([]float64, BLEUWidth)
	BLEUParts(parts, hyp, refs)
	return parts
}

func chrfPartsOf(width int, hyp string, refs ...string) []float64 {
	parts := make([]float64, width)
	if width == ChrFWidth {
		ChrFParts(parts, hyp, refs)
	} else {
		ChrFPPParts(parts, hyp, refs)
	}
	return parts
}

func addTo(sum, parts []float64) {
	for i, v := range parts {
		sum[i] += v
	}
}

func TestBLEUEqualsSacrebleu(t *testing.T) {
	rows, all := metricVectors(t)
	multi, first, plain := make([]float64, BLEUWidth), make([]float64, BLEUWidth), make([]float64, BLEUWidth)
	for _, r := range rows {
		parts := bleuParts(r.Hyp, r.Refs...)
		equal(t, r.ID+" BLEU", SentenceBLEU(parts), r.BLEU)
		equal(t, r.ID+" BLEU, no effective order", BLEU(parts), r.BLEUNoOrder)
		equal(t, r.ID+" length", parts[0], r.BLEUDetail.SysLen)
		equal(t, r.ID+" reference length", parts[1], r.BLEUDetail.RefLen)
		for n := range bleuOrder {
			equal(t, r.ID+" matches", parts[2+n], r.BLEUDetail.Counts[n])
			equal(t, r.ID+" n-grams", parts[2+bleuOrder+n], r.BLEUDetail.Totals[n])
		}
		one := bleuParts(r.Hyp, r.Refs[0])
		equal(t, r.ID+" BLEU, first reference", SentenceBLEU(one), r.BLEURef0)
		addTo(multi, parts)
		addTo(first, one)
		if !strings.HasPrefix(r.ID, "edge/") {
			addTo(plain, parts)
		}
	}
	equal(t, "corpus", BLEU(multi), all.Multi.BLEU.Score)
	equal(t, "corpus, first references", BLEU(first), all.Ref0.BLEU.Score)
	equal(t, "corpus, no edge cases", BLEU(plain), all.NoEdge.BLEU.Score)
}

func TestChrFEqualsSacrebleu(t *testing.T) {
	rows, all := metricVectors(t)
	for _, width := range []int{ChrFWidth, ChrFPPWidth} {
		multi, first, plain := make([]float64, width), make([]float64, width), make([]float64, width)
		for _, r := range rows {
			parts, one := chrfPartsOf(width, r.Hyp, r.Refs...), chrfPartsOf(width, r.Hyp, r.Refs[0])
			if width == ChrFWidth {
				equal(t, r.ID+" chrF", ChrF(parts), r.ChrF)
				equal(t, r.ID+" chrF, first reference", ChrF(one), r.ChrFRef0)
			} else {
				equal(t, r.ID+" chrF++", ChrF(parts), r.ChrFPP)
			}
			addTo(multi, parts)
			addTo(first, one)
			if !strings.HasPrefix(r.ID, "edge/") {
				addTo(plain, parts)
			}
		}
		if width == ChrFWidth {
			equal(t, "corpus", ChrF(multi), all.Multi.ChrF)
			equal(t, "corpus, first references", ChrF(first), all.Ref0.ChrF)
			equal(t, "corpus, no edge cases", ChrF(plain), all.NoEdge.ChrF)
		} else {
			equal(t, "corpus chrF++", ChrF(multi), all.Multi.ChrFPP)
			equal(t, "corpus chrF++, first references", ChrF(first), all.Ref0.ChrFPP)
		}
	}
}

func TestRougeEqualsRougeScore(t *testing.T) {
	rows, all := metricVectors(t)
	var plain, stemmed rougeVector
	collect := func(sum *rougeVector, s RougeScores) {
		for v, p := range map[*[3]float64]PRF{&sum.Rouge1: s.Rouge1, &sum.Rouge2: s.Rouge2, &sum.RougeL: s.RougeL} {
			addTo(v[:], []float64{p.Precision / 200, p.Recall / 200, p.F / 200})
		}
	}
	for _, r := range rows {
		one, oneStem := Rouge(r.Hyp, r.Refs[:1], false), Rouge(r.Hyp, r.Refs[:1], true)
		equalRouge(t, r.ID+" one", one, r.Rouge0)
		equalRouge(t, r.ID+" one, stemmed", oneStem, r.Rouge0Stem)
		equalRouge(t, r.ID+" all", Rouge(r.Hyp, r.Refs, false), r.RougeM)
		equalRouge(t, r.ID+" all, stemmed", Rouge(r.Hyp, r.Refs, true), r.RougeMStem)
		collect(&plain, one)
		collect(&stemmed, oneStem)
	}
	for name, c := range map[string][2]rougeVector{"corpus": {plain, all.Rouge}, "corpus, stemmed": {stemmed, all.RougeStem}} {
		equalRouge(t, name, RougeScores{PRF{c[0].Rouge1[0], c[0].Rouge1[1], c[0].Rouge1[2]},
			PRF{c[0].Rouge2[0], c[0].Rouge2[1], c[0].Rouge2[2]}, PRF{c[0].RougeL[0], c[0].RougeL[1], c[0].RougeL[2]}}, c[1])
	}
}

// The figures are sacrebleu 2.6.0's for the same strings.
func TestTokenizer13a(t *testing.T) {
	for in, want := range map[string]string{
		"a..5":                    "a . .5",
		"a...5":                   "a . . . 5",
		"1..5":                    "1 . . 5",
		"1...5 x":                 "1 . . .5 x",
		"3.14,15 9,":              "3.14,15 9 ,",
		"1-2 a-b -3 4--5":         "1 - 2 a-b -3 4 - -5",
		"don't (stop) [x]_{y}":    "don't ( stop ) [ x ] _ { y }",
		"line-\nbreak\nnext":      "linebreak next",
		"ends with-\n":            "ends with-",
		"<skipped>a &amp;lt; b":   "a < b",
		"£20\u00a0é.\u2003x\x1fy": "£20 é . x y",
		"":                        "",
	} {
		text := prepare13a(in)
		var tokens []string
		for _, t := range tokens13a(nil, text) {
			tokens = append(tokens, text[t.start:t.end])
		}
		if got := strings.Join(tokens, " "); got != want {
			t.Errorf("%q → %q, want %q", in, got, want)
		}
	}
}

// The stems are NLTK's.
func TestPorter(t *testing.T) {
	for _, pair := range strings.Fields(`running:run flies:fli dies:die spied:spi died:die agreed:agre feed:feed plastered:plaster sing:sing
		conflated:conflat troubling:troubl sized:size hopping:hop falling:fall hissing:hiss failing:fail filing:file happy:happi enjoy:enjoy
		relational:relat rational:ration radically:radic hopefully:hope geology:geolog electrical:electr goodness:good adoption:adopt
		replacement:replac controlling:control rolled:roll cease:ceas skies:sky news:news yyyyed:yyyi conditional:condit`) {
		word, want, _ := strings.Cut(pair, ":")
		if got := string(porter([]byte(word))); got != want {
			t.Errorf("%s → %s, want %s", word, got, want)
		}
	}
}

var anyText = rapid.Custom(func(t *rapid.T) string {
	pieces := rapid.SampledFrom([]string{"the", "pub", "is", "cheap", "é", "e\u0301", "的", "👍🏽", " ", " ", "\n", "\u00a0", ".", ",", "-", "3", "10",
		"&amp;", "<skipped>", "'", "(", "running", "K", "İ", "\xff"})
	return strings.Join(rapid.SliceOfN(pieces, 0, 80).Draw(t, "pieces"), "")
})

func TestTextMetricProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hyp := anyText.Draw(t, "hyp")
		refs := rapid.SliceOfN(anyText, 0, 4).Draw(t, "refs")
		b, c, r := bleuParts(hyp, refs...), chrfPartsOf(ChrFPPWidth, hyp, refs...), Rouge(hyp, refs, true)
		for what, v := range map[string]float64{"BLEU": SentenceBLEU(b), "corpus BLEU": BLEU(b), "chrF++": ChrF(c), "chrF": ChrF(c[:ChrFWidth])} {
			if !(v >= 0 && v <= 100+1e-9) {
				t.Fatalf("%s = %v", what, v)
			}
		}
		for n := range bleuOrder {
			if b[2+n] > b[2+bleuOrder+n] {
				t.Fatalf("more matches than n-grams: %v", b)
			}
		}
		// A reference equal to the hypothesis is matched in full, whatever the others are.
		with := append(refs, hyp)
		if b := bleuParts(hyp, with...); b[0] > 0 && math.Abs(SentenceBLEU(b)-100) > 1e-9 {
			t.Fatalf("BLEU of an equal reference: %v", SentenceBLEU(b))
		}
		if r2 := Rouge(hyp, with, true); r2.RougeL.F < r.RougeL.F || r2.Rouge1.Precision > 0 && r2.RougeL.F != 1 {
			t.Fatalf("ROUGE of an equal reference: %+v", r2)
		}
	})
}

// The longest common subsequence by its definition.
func TestRougeLIsTheLongestCommonSubsequence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}), 1, 200)
		hyp, ref := words.Draw(t, "hyp"), words.Draw(t, "ref")
		table := make([][]int, len(ref)+1)
		table[0] = make([]int, len(hyp)+1)
		for i, w := range ref {
			table[i+1] = make([]int, len(hyp)+1)
			for j, v := range hyp {
				table[i+1][j+1] = max(table[i][j+1], table[i+1][j])
				if v == w {
					table[i+1][j+1] = table[i][j] + 1
				}
			}
		}
		want := float64(table[len(ref)][len(hyp)])
		got := Rouge(strings.Join(hyp, " "), []string{strings.Join(ref, " ")}, false).RougeL.Recall * float64(len(ref))
		if math.Abs(got-want) > 1e-9 {
			t.Fatalf("length %v, want %v", got, want)
		}
	})
}

func benchmarkText(b *testing.B, refs int, one func(hyp string, refs []string)) {
	rows, _ := metricVectors(b)
	n := 0
	for b.Loop() {
		r := rows[n%180]
		one(r.Hyp, r.Refs[:min(refs, len(r.Refs))])
		n++
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "pairs/s")
}

func BenchmarkSentenceBLEU(b *testing.B) {
	parts := make([]float64, BLEUWidth)
	score := func(hyp string, refs []string) {
		BLEUParts(parts, hyp, refs)
		SentenceBLEU(parts)
	}
	b.Run("one reference", func(b *testing.B) { benchmarkText(b, 1, score) })
	b.Run("all references", func(b *testing.B) { benchmarkText(b, 99, score) })
}

func BenchmarkChrF(b *testing.B) {
	parts := make([]float64, ChrFWidth)
	score := func(hyp string, refs []string) {
		ChrFParts(parts, hyp, refs)
		ChrF(parts)
	}
	b.Run("one reference", func(b *testing.B) { benchmarkText(b, 1, score) })
	b.Run("all references", func(b *testing.B) { benchmarkText(b, 99, score) })
}

func BenchmarkRouge(b *testing.B) {
	b.Run("one reference", func(b *testing.B) { benchmarkText(b, 1, func(h string, r []string) { Rouge(h, r, false) }) })
	b.Run("stemmed", func(b *testing.B) { benchmarkText(b, 1, func(h string, r []string) { Rouge(h, r, true) }) })
}
