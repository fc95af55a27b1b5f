package retrieve

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/extract"
)

func document(t testing.TB, markdown string) extract.Document {
	t.Helper()
	doc, err := extract.New(extract.Limits{}).Bytes(context.Background(), "book/doc.md", []byte(markdown))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func words(text string) int { return len(strings.Fields(text)) }

func TestChunkKeepsHeadingsApartAndSentencesWhole(t *testing.T) {
	doc := document(t, "# Leave\nOne two three four. Five six seven.\n\nEight nine ten. Eleven twelve.\n\n## Sick\nCall Dr. J. Smith at 9.30 a.m. on day 1. Then rest.\n")
	var got []string
	for _, p := range Chunk(doc, ChunkSpec{Target: 8, Overlap: 2, Count: words}) {
		got = append(got, p.ID+" "+p.Heading+": "+p.Text)
	}
	want := []string{
		"book/doc.md#1 Leave: One two three four. Five six seven.",
		"book/doc.md#2 Leave: Eight nine ten. Eleven twelve.",
		"book/doc.md#3 Leave > Sick: Call Dr.",
		"book/doc.md#4 Leave > Sick: J. Smith at 9.30 a.m. on day 1.",
		"book/doc.md#5 Leave > Sick: Then rest.",
	}
	// "Dr." reads as a sentence's end; that costs a cut in a bad place, never a lost word.
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestChunkOverlaps(t *testing.T) {
	doc := document(t, "Aa aa aa. Bb bb bb. Cc cc cc. Dd dd dd. Ee ee ee.")
	var got []string
	for _, p := range Chunk(doc, ChunkSpec{Target: 12, Overlap: 3, Count: words}) {
		got = append(got, p.Text)
	}
	want := []string{"Aa aa aa. Bb bb bb. Cc cc cc. Dd dd dd.", "Dd dd dd. Ee ee ee."}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func prose(t *rapid.T, pattern string, most int) string {
	return strings.Join(rapid.SliceOfN(rapid.StringMatching(pattern), 0, most).Draw(t, "text"), "")
}

// Every character that is not white space is in some passage, in order; no passage is over the target; offsets are true.
func TestChunkLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := prose(t, `([A-Za-z]{1,12}|日本語[。]|[0-9]{1,3}|é{1,40}|- x|# H)[ .!?\n]{1,3}`, 80)
		spec := ChunkSpec{Target: rapid.IntRange(1, 40).Draw(t, "target"), Overlap: rapid.IntRange(-1, 20).Draw(t, "overlap")}
		doc, err := extract.New(extract.Limits{}).Bytes(context.Background(), "a.md", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		covered := make([]bool, len(doc.Text))
		last := -1
		for i, p := range Chunk(doc, spec) {
			if p.ID != fmt.Sprintf("a.md#%d", i+1) || doc.Text[p.Start:p.End] != p.Text || p.Start <= last {
				t.Fatalf("passage %+v is not where it says", p)
			}
			last = p.Start
			if !utf8.ValidString(p.Text) {
				t.Fatalf("%q is cut inside a character", p.Text)
			}
			for j := p.Start; j < p.End; j++ {
				covered[j] = true
			}
		}
		for _, s := range doc.Sections {
			for j := s.Start; j < s.End; j++ {
				if !covered[j] && !strings.ContainsRune(" \n\t", rune(doc.Text[j])) {
					t.Fatalf("byte %d (%q) of %q is in no passage", j, doc.Text[j], doc.Text)
				}
			}
		}
	})
}

func TestChunkStaysUnderItsTarget(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := prose(t, `[A-Za-z]{1,9}[ .\n]{1,2}`, 200)
		target := rapid.IntRange(4, 60).Draw(t, "target")
		doc := extract.Document{Path: "a", Text: text, Sections: []extract.Section{{Text: text, End: len(text)}}}
		for _, p := range Chunk(doc, ChunkSpec{Target: target, Count: words}) {
			if words(p.Text) > target {
				t.Fatalf("%d words in %q, target %d", words(p.Text), p.Text, target)
			}
		}
	})
}

func TestTerms(t *testing.T) {
	for text, want := range map[string]string{
		"The CAFÉ's rules, don't panic": "the café rule don't panic",
		"ﬁnancing １４ days":              "financ 14 day",
		"policies running ran":          "polici run ran",
		"東京都 は":                         "東京 京都 は",
		"नमस्ते दुनिया":                 "नमस्ते दुनिया",
		"A-12/b_7":                      "a 12 b 7",
		"":                              "",
	} {
		if got := strings.Join(Terms(text), " "); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func passages(texts ...string) []rung.Passage {
	out := make([]rung.Passage, len(texts))
	for i, text := range texts {
		out[i] = rung.Passage{ID: fmt.Sprintf("d#%d", i+1), Doc: "d", Text: text}
	}
	return out
}

func ids(ps []rung.Passage) string {
	var out []string
	for _, p := range ps {
		out = append(out, p.ID)
	}
	return strings.Join(out, " ")
}

// letterVectors embeds a text as its letter counts: crude, repeatable, and near for texts that look alike.
func letterVectors(_ context.Context, texts []string) ([][]float32, error) {
	out := make([][]float32, len(texts))
	for i, text := range texts {
		out[i] = make([]float32, 26)
		for _, r := range strings.ToLower(text) {
			if r >= 'a' && r <= 'z' {
				out[i][r-'a']++
			}
		}
	}
	return out, nil
}

func TestSearch(t *testing.T) {
	ctx := context.Background()
	ps := passages("Badges open the north gate.", "Parking permits cost 30 euros.", "Badges are blue.", "Visitors park in lot C.")
	words, err := Build(ctx, ps, Settings{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := words.Search(ctx, "Which badge opens a gate?", 3)
	if err != nil || ids(got) != "d#1 d#3" || got[0].Score <= got[1].Score {
		t.Errorf("got %v, %v", got, err)
	}
	if got := words.SearchWords("the of", 3); ids(got) != "d#1" {
		t.Errorf("a query of function words alone should still search: got %v", ids(got))
	}
	both, err := Build(ctx, ps, Settings{Embedder: "local/letters"}, letterVectors)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := both.Search(ctx, "zzz parkings", 4); err != nil || len(got) != 4 {
		t.Errorf("vectors find passages without common words: got %v, %v", ids(got), err)
	}
	if words.Digest() == both.Digest() {
		t.Error("the embedder must be part of the digest")
	}
}

func TestEqualScoresKeepTheOrderOfPassages(t *testing.T) {
	texts := make([]string, 300)
	for i := range texts {
		texts[i] = "same words here"
	}
	x, err := Build(context.Background(), passages(texts...), Settings{Embedder: "local/letters"}, letterVectors)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		got, err := x.Search(context.Background(), "words", 5)
		if err != nil || ids(got) != "d#1 d#2 d#3 d#4 d#5" {
			t.Fatalf("got %s, %v", ids(got), err)
		}
	}
}

func TestStoredIndexAnswersAsBefore(t *testing.T) {
	ctx := context.Background()
	x, err := Build(ctx, passages("alpha beta", "beta gamma", "gamma delta"), Settings{Embedder: "local/letters"}, letterVectors)
	if err != nil {
		t.Fatal(err)
	}
	data, err := x.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	y, err := Load(data, letterVectors)
	if err != nil || y.Digest() != x.Digest() {
		t.Fatalf("%v, %v", y, err)
	}
	again, err := y.Bytes()
	if err != nil || !bytes.Equal(data, again) {
		t.Error("an index that was read and written again differs")
	}
	want, _ := x.Search(ctx, "gamma", 3)
	got, err := y.Search(ctx, "gamma", 3)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	without, err := Load(data, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := without.Search(ctx, "gamma", 3); rung.CodeOf(err) != rung.CodeMissing {
		t.Errorf("an index with vectors and no embedder must not answer by words alone: got %v", err)
	}
}

func TestDamagedIndexIsRefused(t *testing.T) {
	x, err := Build(context.Background(), passages("alpha beta", "beta gamma"), Settings{Embedder: "local/letters"}, letterVectors)
	if err != nil {
		t.Fatal(err)
	}
	data, _ := x.Bytes()
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		broken := slices.Clone(data)
		broken[random.IntN(len(broken))] ^= byte(1 + random.IntN(255))
		if _, err := Load(broken, nil); rung.CodeOf(err) != rung.CodeStore {
			t.Fatalf("got %v", err)
		}
		if _, err := Load(data[:random.IntN(len(data))], nil); rung.CodeOf(err) != rung.CodeStore {
			t.Fatalf("got %v", err)
		}
	}
}

func TestBrokenEmbedderIsAnError(t *testing.T) {
	ctx := context.Background()
	short := func(context.Context, []string) ([][]float32, error) { return [][]float32{{1}}, nil }
	nan := func(_ context.Context, texts []string) ([][]float32, error) {
		out := make([][]float32, len(texts))
		for i := range out {
			out[i] = []float32{float32(uint32(1) - 1), 0}
			out[i][0] /= out[i][1]
		}
		return out, nil
	}
	for name, embed := range map[string]EmbedFunc{"too few": short, "not a number": nan} {
		if _, err := Build(ctx, passages("a", "b"), Settings{Embedder: "x/y"}, embed); rung.CodeOf(err) != rung.CodeProvider {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := Build(ctx, nil, Settings{}, nil); rung.CodeOf(err) != rung.CodeInput {
		t.Errorf("no passages: got %v", err)
	}
}

// The scan and the inverted index agree with the plainest way to compute them.
func TestSearchAgreesWithSorting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, dim := rapid.IntRange(1, 60).Draw(t, "n"), rapid.IntRange(1, 20).Draw(t, "dim")
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		vectors := make([][]float32, n)
		for i := range vectors {
			for range dim {
				vectors[i] = append(vectors[i], float32(random.NormFloat64()))
			}
		}
		d, err := newDense(vectors)
		if err != nil {
			t.Fatal(err)
		}
		k := rapid.IntRange(0, 70).Draw(t, "k")
		got, err := d.search(vectors[0], k, nil)
		if err != nil || len(got) != min(k, n) {
			t.Fatalf("%d hits, %v", len(got), err)
		}
		if k > 0 && got[0].doc != 0 {
			t.Fatalf("a vector is nearest to itself: got %v", got[0])
		}
		all, _ := d.search(vectors[0], n, nil)
		if !slices.Equal(got, all[:len(got)]) || !slices.IsSortedFunc(all, func(a, b hit) int {
			if a.better(b) {
				return -1
			}
			return 1
		}) {
			t.Fatalf("the %d best are not the head of the whole order", k)
		}
	})
}

func TestNearest(t *testing.T) {
	n := NewNearest([]string{"play some jazz", "book a table", "play rock music", "weather in Paris"})
	if diff := cmp.Diff([]int{2, 0, 1}, n.BM25("play rock", 3)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{0, 1, 2, 3}, n.BM25("xyz", 9)); diff != "" {
		t.Error("texts without a common word follow in order:", diff)
	}
	if err := n.SetVectors([][]float32{{1, 0}, {0, 1}, {1, 1}, {-1, 0}}); err != nil {
		t.Fatal(err)
	}
	got, err := n.Dense([]float32{2, .1}, 2)
	if diff := cmp.Diff([]int{0, 2}, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if _, err := n.Dense([]float32{1}, 2); rung.CodeOf(err) != rung.CodeProvider {
		t.Errorf("got %v", err)
	}
}
