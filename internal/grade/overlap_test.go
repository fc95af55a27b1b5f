package grade

import (
	"encoding/json"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/form"
)

// textTally grades hypotheses the whole way that answers go: as JSON strings, the empty ones as a problem.
func textTally(t *testing.T, rows []row, references func(row) []string) *Tally {
	t.Helper()
	out := rung.Output{Kind: rung.Text}
	f, err := form.New(out)
	if err != nil {
		t.Fatal(err)
	}
	g, err := New(&rung.Task{Output: out}, f)
	if err != nil {
		t.Fatal(err)
	}
	tally := g.NewTally(len(rows))
	for i, r := range rows {
		ex := rung.Example{ID: r.ID}
		for k, ref := range references(r) {
			b, err := json.Marshal(ref)
			if err != nil {
				t.Fatal(err)
			}
			if k == 0 {
				ex.Output = b
			} else {
				ex.Alternatives = append(ex.Alternatives, b)
			}
		}
		ans := rung.Answer{Problem: rung.EmptyAnswer}
		if r.Hyp != "" {
			if ans.Value, err = json.Marshal(r.Hyp); err != nil {
				t.Fatal(err)
			}
			ans.Problem = rung.NoProblem
		}
		tally.Add(i, &ex, &ans)
	}
	return tally
}

// Figures of a split are those of sacrebleu and rouge-score for the corpus.
func TestTallyAgainstSacrebleuAndRougeScore(t *testing.T) {
	rows, all := metricVectors(t)
	multi := textTally(t, rows, func(r row) []string { return r.Refs })
	equal(t, "bleu", multi.Value("bleu"), all.Multi.BLEU.Score)
	equal(t, "chrf", multi.Value("chrf"), all.Multi.ChrF)
	first := textTally(t, rows, func(r row) []string { return r.Refs[:1] })
	equal(t, "bleu, first reference", first.Value("bleu"), all.Ref0.BLEU.Score)
	equal(t, "chrf, first reference", first.Value("chrf"), all.Ref0.ChrF)
	equal(t, "rouge1", first.Value("rouge1"), all.Rouge.Rouge1[2])
	equal(t, "rouge2", first.Value("rouge2"), all.Rouge.Rouge2[2])
	equal(t, "rougeL", first.Value("rougeL"), all.Rouge.RougeL[2])
	card := multi.Scorecard(.95, 1)
	for _, name := range []string{"bleu", "chrf", "rougeL", "token_f1"} {
		m := card.Metrics[name]
		if m.Value != multi.Value(name) || m.Low >= m.Value || m.High <= m.Value || m.N != 200 {
			t.Errorf("%s of the scorecard is %+v, its bare figure %v", name, m, multi.Value(name))
		}
	}
}
