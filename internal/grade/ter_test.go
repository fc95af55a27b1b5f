package grade

import (
	"strings"
	"testing"
)

func terPartsOf(hyp string, refs ...string) []float64 {
	parts := make([]float64, TERWidth)
	TERParts(parts, hyp, refs)
	return parts
}

func TestTEREqualsSacrebleu(t *testing.T) {
	rows, all := metricVectors(t)
	multi, first := make([]float64, TERWidth), make([]float64, TERWidth)
	for _, r := range rows {
		parts := terPartsOf(r.Hyp, r.Refs...)
		equal(t, r.ID+" TER", TER(parts), r.TER)
		addTo(multi, parts)
		addTo(first, terPartsOf(r.Hyp, r.Refs[0]))
	}
	equal(t, "corpus TER", TER(multi), all.Multi.TER)
	equal(t, "corpus TER, first references", TER(first), all.Ref0.TER)
}

func TestRougeLsumEqualsRougeScore(t *testing.T) {
	rows, _ := metricVectors(t)
	check := func(what string, got PRF, want [3]float64) {
		t.Helper()
		equal(t, what+" precision", got.Precision, want[0])
		equal(t, what+" recall", got.Recall, want[1])
		equal(t, what+" F", got.F, want[2])
	}
	for _, r := range rows {
		check(r.ID+" one", RougeLsum(r.Hyp, r.Refs[:1], false), r.Rouge0.RougeLsum)
		check(r.ID+" one, stemmed", RougeLsum(r.Hyp, r.Refs[:1], true), r.Rouge0Stem.RougeLsum)
		check(r.ID+" all", RougeLsum(r.Hyp, r.Refs, false), r.RougeM.RougeLsum)
		check(r.ID+" all, stemmed", RougeLsum(r.Hyp, r.Refs, true), r.RougeMStem.RougeLsum)
	}
}

// The figures are rouge-score 0.1.2's and sacrebleu 2.6.0's for the same strings.
func TestLinesAndShifts(t *testing.T) {
	got := RougeLsum("the cat sat\nthe dog ran home", []string{"a dog ran\nthe cat sat down\nthe end"}, false)
	equal(t, "precision", got.Precision, 6./7)
	equal(t, "recall", got.Recall, 6./9)
	equal(t, "one shift", TER(terPartsOf("a b c d e f g", "d e f g a b c")), 100./7)
	equal(t, "nothing", TER(terPartsOf("", "")), 0)
	equal(t, "nothing expected", TER(terPartsOf("a", "")), 100)
}

// The search for shifts is bounded: without its bounds these texts would outlast the time limit of all tests.
func TestTEROfLongTexts(t *testing.T) {
	parts := terPartsOf(strings.Repeat("a b c d ", 100_000), strings.Repeat("d c b a ", 100_000))
	if ter := TER(parts); ter <= 0 || ter > 100 {
		t.Errorf("TER %v", ter)
	}
}
