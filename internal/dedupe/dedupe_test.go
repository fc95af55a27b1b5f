package dedupe_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/dedupe"
	"github.com/rung-dev/rung/internal/rows"
	"github.com/rung-dev/rung/internal/sharedtest"
)

func file(t testing.TB, lines []any) string {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for _, l := range lines {
		if err := enc.Encode(l); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "rows.jsonl")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func texts(list ...string) []any {
	var out []any
	for _, s := range list {
		out = append(out, map[string]any{"text": s})
	}
	return out
}

func find(t testing.TB, path string, o dedupe.Options) *dedupe.Result {
	t.Helper()
	set, err := rows.Open(t.Context(), []string{path}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if o.Fields == nil {
		o.Fields = rows.Fields{"text"}
	}
	r, err := dedupe.Run(t.Context(), set, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// gone writes removed rows as "3←0 near".
func gone(r *dedupe.Result) string {
	var out []string
	for _, x := range r.Removed {
		out = append(out, fmt.Sprintf("%d←%d %s", x.Doc, x.Kept, x.Reason))
	}
	return strings.Join(out, ", ")
}

func TestReasons(t *testing.T) {
	long := "The quick brown fox jumps over the lazy dog near the river bank, and nobody saw it coming that day"
	path := file(t, append(texts(long, "ＦＯＯ bar", long, "foo, bar!", strings.Replace(long, "lazy", "tired", 1), "", "3 + 4", "3 - 4", "foo-bar"), "no object", map[string]any{"other": 1}))
	for _, c := range []struct {
		want string
		o    dedupe.Options
	}{
		{"2←0 exact, 9←-1 unreadable", dedupe.Options{Exact: true}},
		{"2←0 exact, 3←1 normalised, 8←1 normalised, 9←-1 unreadable", dedupe.Options{}},
		{"2←0 exact, 3←1 normalised, 4←0 near, 8←1 normalised, 9←-1 unreadable", dedupe.Options{Near: .7}},
		{"2←0 exact, 3←1 normalised, 8←1 normalised, 9←-1 unreadable", dedupe.Options{Near: .95}},
	} {
		r := find(t, path, c.o)
		if got := gone(r); got != c.want {
			t.Errorf("%+v: %s, want %s", c.o, got, c.want)
		}
		if r.Rows != 11 || r.Textless != 2 {
			t.Errorf("%d rows, %d without text", r.Rows, r.Textless)
		}
	}
}

func TestTheRuleChoosesWhatStays(t *testing.T) {
	base := "The quick brown fox jumps over the lazy dog near the river bank, and nobody saw it coming that day"
	path := file(t, []any{
		map[string]any{"text": base, "at": "2024-01-01", "label": "a"},
		map[string]any{"text": base + " at all", "at": "2025-06-01", "label": "a"},
		map[string]any{"text": base, "at": "2023-01-01", "label": "b"},
		map[string]any{"text": base + "!", "at": "2025-06-01", "label": "a"},
	})
	for want, o := range map[string]dedupe.Options{
		"1←0 near, 2←0 exact, 3←0 normalised": {Near: .6, Keep: dedupe.First},
		"0←1 near, 2←1 near, 3←1 near":        {Near: .6, Keep: dedupe.Longest},
		"0←1 near, 2←1 near, 3←1 near ":       {Near: .6, Keep: dedupe.Newest, NewestBy: "at"},
	} {
		r := find(t, path, o)
		if got := gone(r); got != strings.TrimSpace(want) {
			t.Errorf("%s: %s, want %s", o.Keep, got, want)
		}
		if r.Conflict != 1 || r.Found != 1 || len(r.Clusters) != 1 || r.Clusters[0].Size != 4 {
			t.Errorf("%s: %d answer otherwise, clusters %+v", o.Keep, r.Conflict, r.Clusters)
		}
	}
}

func TestNumbersCanBeHeldApart(t *testing.T) {
	var list []string
	for i := range 30 {
		list = append(list, fmt.Sprintf("What is %d plus 4, and please show your work step by step, with all the carrying?", i*37))
	}
	path := file(t, texts(list...))
	if r := find(t, path, dedupe.Options{Near: .6, SameNumbers: true}); len(r.Removed) != 0 {
		t.Errorf("with the same numbers: %s", gone(r))
	}
	if r := find(t, path, dedupe.Options{Near: .6}); len(r.Removed) != 29 {
		t.Errorf("%d of 29 removed", len(r.Removed))
	}
}

var words = strings.Fields("time person year way day thing man world life hand part child eye woman place work week case point government company number group problem fact")

func sentence(rng *rand.Rand, n int) string {
	out := make([]string, n)
	for i := range out {
		out[i] = words[rng.IntN(len(words))] + words[rng.IntN(len(words))]
	}
	return strings.Join(out, " ")
}

// jaccard is the definition of the similarity, written down once more and slowly.
func jaccard(a, b string) float64 {
	set := func(s string) map[string]bool {
		r, out := []rune(strings.ToLower(s)), map[string]bool{}
		for i := 0; i+5 <= len(r); i++ {
			out[string(r[i:i+5])] = true
		}
		return out
	}
	x, y := set(a), set(b)
	common := 0
	for g := range x {
		if y[g] {
			common++
		}
	}
	return float64(common) / float64(len(x)+len(y)-common)
}

// TestRemovedRowsAreAlikeToKeptOnes: for whatever texts, each removed row has the stated similarity to a row that is kept, and nearly no
// two kept rows are alike.
func TestRemovedRowsAreAlikeToKeptOnes(t *testing.T) {
	missed, pairs := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		var list []string
		for range rapid.IntRange(1, 12).Draw(rt, "bases") {
			base := []rune(sentence(rng, 8+rng.IntN(30)))
			for range rng.IntN(4) + 1 {
				for range rng.IntN(8) {
					base[rng.IntN(len(base))] = []rune("xyzéß日")[rng.IntN(6)]
				}
				list = append(list, string(base))
			}
		}
		threshold := rapid.SampledFrom([]float64{.5, .6, .8}).Draw(rt, "threshold")
		r := find(t, file(t, texts(list...)), dedupe.Options{Near: threshold, Keep: rapid.SampledFrom([]dedupe.Keep{dedupe.First, dedupe.Longest}).Draw(rt, "keep")})
		removed := map[int32]bool{}
		for _, x := range r.Removed {
			removed[x.Doc] = true
		}
		for _, x := range r.Removed {
			s := jaccard(list[x.Doc], list[x.Kept])
			if removed[x.Kept] || x.Reason == dedupe.Near && (s < threshold || s-x.Similarity > 1e-9 || x.Similarity-s > 1e-9) {
				rt.Fatalf("%q goes for %q: %s %g, in truth %g", list[x.Doc], list[x.Kept], x.Reason, x.Similarity, s)
			}
		}
		for i := range list {
			for j := range i {
				if jaccard(list[i], list[j]) < threshold {
					continue
				}
				pairs++
				if !removed[int32(i)] && !removed[int32(j)] {
					missed++
				}
			}
		}
	})
	if pairs < 100 || missed*100 > pairs*3 {
		t.Errorf("%d of %d alike pairs stayed", missed, pairs)
	}
}

// TestTheOrderOfWorkChangesNothing: one worker or many, the same rows go.
func TestTheOrderOfWorkChangesNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	var list []string
	for range 400 {
		s := sentence(rng, 20)
		list = append(list, s, strings.Replace(s, "time", "tide", 1), s+" "+sentence(rng, 2))
	}
	path := file(t, texts(list...))
	want := gone(find(t, path, dedupe.Options{Near: .6, Workers: 1}))
	for _, n := range []int{2, 7} {
		if got := gone(find(t, path, dedupe.Options{Near: .6, Workers: n})); got != want {
			t.Errorf("%d workers remove other rows", n)
		}
	}
}

// TestTemplates: rows of one template, thousands of them, are gone through in bounded work.
func TestTemplates(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	var list []string
	for range 5000 {
		list = append(list, "Please tell me in one short and friendly sentence what "+sentence(rng, 6)+" is like this afternoon, thank you")
	}
	r := find(t, file(t, texts(list...)), dedupe.Options{Near: .95})
	if !r.Cut || len(r.Removed) > 50 {
		t.Errorf("cut %v, %d removed", r.Cut, len(r.Removed))
	}
}

func TestSemantic(t *testing.T) {
	path := file(t, texts("a cat sat down on the mat", "upon the mat there sat a feline", "stocks fell sharply"))
	embed := func(_ context.Context, list []string) ([][]float32, error) {
		out := make([][]float32, len(list))
		for i, s := range list {
			out[i] = []float32{0, 2}
			if strings.Contains(s, "mat") {
				out[i] = []float32{1, float32(i) / 10}
			}
		}
		return out, nil
	}
	r := find(t, path, dedupe.Options{Near: .6, Embed: embed, Semantic: .9})
	if got := gone(r); got != "1←0 semantic" || r.Removed[0].Similarity < .99 {
		t.Error(got)
	}
}

func TestThresholdsAreChecked(t *testing.T) {
	set, err := rows.Open(t.Context(), []string{file(t, texts("a"))}, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []dedupe.Options{{}, {Fields: rows.Fields{"text"}, Near: .1}, {Fields: rows.Fields{"text"}, Near: 2}, {Fields: rows.Fields{"text"}, Keep: "best"}, {Fields: rows.Fields{"text"}, Keep: dedupe.Newest}} {
		if _, err := dedupe.Run(t.Context(), set, o); rung.CodeOf(err) != rung.CodeUsage {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// TestSMSSpam: 403 of 5,574 real messages repeat an earlier one to the letter.
func TestSMSSpam(t *testing.T) {
	path := sharedtest.File(t, "data", "sms_spam", "all.jsonl")
	if r := find(t, path, dedupe.Options{Exact: true}); r.Counts[dedupe.Exact] != 403 || len(r.Removed) != 403 {
		t.Errorf("%+v", r.Counts)
	}
	var want []int32
	n := int32(0)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(b) {
		var row struct {
			DupOf *string `json:"dup_of"`
		}
		if err := json.Unmarshal(line, &row); err != nil {
			t.Fatal(err)
		}
		if row.DupOf != nil {
			want = append(want, n)
		}
		n++
	}
	r := find(t, path, dedupe.Options{Near: dedupe.DefaultNear})
	for _, doc := range want {
		if !slices.ContainsFunc(r.Removed, func(x dedupe.Removed) bool { return x.Doc == doc }) {
			t.Errorf("row %d, a copy, stays", doc)
		}
	}
}

// TestRecallOfEditedCopies plants copies of real abstracts with 2 and 5 % of their words or characters edited. The least that must be found
// is what text-dedup finds of edited words (.90 and .49); docs/data.md has the measured figures.
func TestRecallOfEditedCopies(t *testing.T) {
	b, err := os.ReadFile(sharedtest.File(t, "data", "scifact", "corpus.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(11, 11))
	for _, c := range []struct {
		unit  string
		share float64
		least int
	}{{"words", .02, 995}, {"words", .05, 990}, {"chars", .02, 990}, {"chars", .05, 490}} {
		var list []string
		n := 0
		for line := range bytes.Lines(b) {
			var row struct {
				Text string `json:"text"`
			}
			if err := json.Unmarshal(line, &row); err != nil {
				t.Fatal(err)
			}
			if list = append(list, row.Text); n < 1000 {
				list = append(list, edited(row.Text, c.unit, c.share, rng))
				n++
			}
		}
		r := find(t, file(t, texts(list...)), dedupe.Options{Near: dedupe.DefaultNear})
		found, wrong := 0, 0
		for _, x := range r.Removed {
			if x.Doc%2 == 1 && x.Kept == x.Doc-1 && x.Doc < 2000 {
				found++
			} else {
				wrong++
			}
		}
		if found < c.least || wrong > 5 {
			t.Errorf("%g of %s: %d of 1000 found, %d others", c.share, c.unit, found, wrong)
		}
	}
}

func edited(text, unit string, share float64, rng *rand.Rand) string {
	if unit == "chars" {
		r := []rune(text)
		for i := range r {
			if rng.Float64() < share {
				r[i] = 'a' + rng.Int32N(26)
			}
		}
		return string(r)
	}
	w := strings.Fields(text)
	for i := range w {
		if rng.Float64() < share {
			w[i] = words[rng.IntN(len(words))]
		}
	}
	return strings.Join(w, " ")
}
