package data_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/data"
)

// item is a row of a generated file.
type item struct {
	Text   string `json:"text"`
	Output string `json:"output"`
	Group  string `json:"group,omitempty"`
	Split  string `json:"split,omitempty"`
}

func lines(items []item) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, it := range items {
		_ = enc.Encode(it) // strings always have JSON
	}
	return b.String()
}

var words = strings.Fields("alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima mike november oscar papa quebec romeo sierra tango uniform victor whisky yankee zulu")

// texts draws sentences of enough words that two of them are hardly ever alike by chance.
func texts(n int) *rapid.Generator[[]string] {
	sentence := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 12, 16).Draw(t, "words"), " ")
	})
	return rapid.SliceOfNDistinct(sentence, n, n+40, rapid.ID[string])
}

// drawItems makes rows, some of them copies or near-copies of others, some in groups.
func drawItems(t *rapid.T) []item {
	var out []item
	for i, text := range texts(20).Draw(t, "texts") {
		it := item{Text: text, Output: []string{"ham", "spam"}[i%2]}
		if rapid.IntRange(0, 4).Draw(t, "in a group") == 0 {
			it.Group = fmt.Sprint("g", rapid.IntRange(0, 3).Draw(t, "group"))
		}
		out = append(out, it)
		switch rapid.IntRange(0, 5).Draw(t, "copy") {
		case 0:
			out = append(out, item{Text: strings.ToUpper(text) + " ", Output: it.Output})
		case 1:
			out = append(out, item{Text: text + "!", Output: it.Output})
		}
	}
	return out
}

// where maps each text to its split.
func where(t testing.TB, d *data.Dataset) map[string]rung.Split {
	t.Helper()
	out := map[string]rung.Split{}
	d.EachSplit(func(split rung.Split, e *rung.Example) {
		if e.Split != split {
			t.Errorf("%s says %s and is in %s", e.ID, e.Split, split)
		}
		out[textOf(t, e)] = split
	})
	return out
}

func textOf(t testing.TB, e *rung.Example) string {
	t.Helper()
	var in struct{ Text string }
	if err := json.Unmarshal(e.Input, &in); err != nil {
		t.Fatal(err)
	}
	return in.Text
}

func loadItems(t *testing.T, items []item) *data.Dataset {
	t.Helper()
	return load(t, labelTask([]string{"ham", "spam"}, write(t, lines(items), "e.jsonl")))
}

func ids(examples []rung.Example) []string {
	out := make([]string, len(examples))
	for i := range examples {
		out[i] = examples[i].ID
	}
	return out
}

// TestSplitFollowsContent: the order of the rows and their place in files change neither split nor order nor digests.
func TestSplitFollowsContent(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		items := drawItems(rt)
		a := loadItems(t, items)
		shuffled := rapid.Permutation(items).Draw(rt, "order")
		cut := rapid.IntRange(1, len(items)-1).Draw(rt, "cut")
		b := load(t, labelTask([]string{"ham", "spam"}, write(t, lines(shuffled[:cut])+"\n", "a.jsonl"), write(t, lines(shuffled[cut:])+"\n", "b.jsonl")))
		if a.Heldout.Digest() != b.Heldout.Digest() || a.Digest != b.Digest {
			rt.Fatal("the digests differ")
		}
		for _, pair := range [][2][]rung.Example{{a.Building.Train, b.Building.Train}, {a.Building.Dev, b.Building.Dev}, {a.Heldout.Examples(), b.Heldout.Examples()}} {
			if !slices.Equal(contents(pair[0]), contents(pair[1])) {
				rt.Fatal("the order differs")
			}
		}
	})
}

func contents(examples []rung.Example) []string {
	out := make([]string, len(examples))
	for i, e := range examples {
		out[i] = string(e.Input) + string(e.Output) + e.Group
	}
	return out
}

// TestNothingStraddles: copies, near-copies and groups lie in one split, and every row is in exactly one.
func TestNothingStraddles(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		items := drawItems(rt)
		d := loadItems(t, items)
		if n := len(d.Building.Train) + len(d.Building.Dev) + d.Heldout.Len(); n != len(items) {
			rt.Fatalf("%d of %d rows", n, len(items))
		}
		place := where(t, d)
		groups := map[string]rung.Split{}
		for _, it := range items {
			split := place[it.Text]
			if s, ok := groups[it.Group]; ok && it.Group != "" && s != split {
				rt.Fatalf("group %s is in %s and %s", it.Group, s, split)
			}
			groups[it.Group] = split
			for _, copied := range []string{strings.ToUpper(it.Text) + " ", it.Text + "!"} {
				if s, ok := place[copied]; ok && s != split {
					rt.Fatalf("%q is in %s, its copy %q in %s", it.Text, split, copied, s)
				}
			}
		}
	})
}

// TestAddedRowsMoveNothing: an example that was held out stays held out when more come in.
func TestAddedRowsMoveNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var items []item
		var sets []map[string]bool
		for _, text := range texts(145).Draw(rt, "texts") {
			set := ngrams(text)
			if slices.ContainsFunc(sets, func(other map[string]bool) bool { return similar(set, other) }) {
				continue // joining a cluster may move it
			}
			items, sets = append(items, item{Text: text, Output: "ham"}), append(sets, set)
		}
		if len(items) < 112 {
			rt.Skip("too many of the texts are alike")
		}
		before := where(t, loadItems(t, items[:100]))
		after := where(t, loadItems(t, items))
		for text, split := range before {
			if after[text] != split {
				rt.Fatalf("%q moved from %s to %s", text, split, after[text])
			}
		}
	})
}

// TestGroupsStay: a group keeps its split when it grows.
func TestGroupsStay(t *testing.T) {
	var items []item
	for i, text := range manyTexts(200) {
		items = append(items, item{Text: text, Output: "ham", Group: fmt.Sprint("g", i%60)})
	}
	before := where(t, loadItems(t, items[:120]))
	after := where(t, loadItems(t, items))
	for text, split := range before {
		if after[text] != split {
			t.Errorf("%q moved from %s to %s", text, split, after[text])
		}
	}
}

// manyTexts are sentences that are not alike.
func manyTexts(n int) []string {
	out := make([]string, n)
	x := uint64(1)
	for i := range out {
		var b strings.Builder
		for range 12 {
			x = x*6364136223846793005 + 1442695040888963407
			b.WriteString(words[(x>>33)%uint64(len(words))] + " ")
		}
		out[i] = strings.TrimSpace(b.String())
	}
	return out
}

// TestShares: the shares are met within what a fair draw gives (five standard deviations).
func TestShares(t *testing.T) {
	const n = 5000
	var items []item
	for _, text := range manyTexts(n) {
		items = append(items, item{Text: text, Output: "ham"})
	}
	tk := labelTask([]string{"ham", "spam"}, write(t, lines(items), "e.jsonl"))
	for _, shares := range []rung.Shares{{Train: .5, Dev: .15, Heldout: .35}, {Train: .1, Dev: .1, Heldout: .8}, {Train: .9, Dev: .05, Heldout: .05}} {
		tk.Split = shares
		d := load(t, tk)
		for name, pair := range map[string][2]float64{
			"train": {shares.Train, float64(len(d.Building.Train))}, "dev": {shares.Dev, float64(len(d.Building.Dev))}, "heldout": {shares.Heldout, float64(d.Heldout.Len())},
		} {
			if sd := math.Sqrt(n * pair[0] * (1 - pair[0])); math.Abs(pair[1]-n*pair[0]) > 5*sd {
				t.Errorf("%v: %s has %.0f", shares, name, pair[1])
			}
		}
	}
}

// TestTrainToDevMovesNoHeldout: another ratio of train to dev leaves the held-out set as it is.
func TestTrainToDevMovesNoHeldout(t *testing.T) {
	var items []item
	for _, text := range manyTexts(300) {
		items = append(items, item{Text: text, Output: "ham"})
	}
	tk := labelTask([]string{"ham", "spam"}, write(t, lines(items), "e.jsonl"))
	tk.Split = rung.Shares{Train: .5, Dev: .15, Heldout: .35}
	a := load(t, tk)
	tk.Split = rung.Shares{Train: .3, Dev: .35, Heldout: .35}
	b := load(t, tk)
	if a.Heldout.Digest() != b.Heldout.Digest() || !slices.Equal(ids(a.Heldout.Examples()), ids(b.Heldout.Examples())) {
		t.Error("the held-out set changed")
	}
	if a.Digest == b.Digest {
		t.Error("the digest of the whole did not")
	}
}

// TestDigestSeesChanges: a changed output, group or alternative of a held-out example changes the digest; a changed id does not.
func TestDigestSeesChanges(t *testing.T) {
	var items []item
	for _, text := range manyTexts(60) {
		items = append(items, item{Text: text, Output: "ham"})
	}
	d := loadItems(t, items)
	held := textOf(t, &d.Heldout.Examples()[0])
	i := slices.IndexFunc(items, func(it item) bool { return it.Text == held })
	changed := slices.Clone(items)
	changed[i].Output = "spam"
	if e := loadItems(t, changed); e.Heldout.Digest() == d.Heldout.Digest() || e.Digest == d.Digest {
		t.Error("a changed output is not seen")
	}
	body := strings.Replace(lines(items), `"output":"ham"`, `"output":"ham","id":"other"`, 1)
	if e := load(t, labelTask([]string{"ham", "spam"}, write(t, body, "e.jsonl"))); e.Heldout.Digest() != d.Heldout.Digest() {
		t.Error("an id changes the digest")
	}
}

// TestBuildingCannotReachHeldout: growing or reslicing train and dev never shows a held-out example.
func TestBuildingCannotReachHeldout(t *testing.T) {
	var items []item
	for _, text := range manyTexts(100) {
		items = append(items, item{Text: text, Output: "ham"})
	}
	d := loadItems(t, items)
	for _, part := range [][]rung.Example{d.Building.Train, d.Building.Dev, d.Heldout.Examples()} {
		if cap(part) != len(part) {
			t.Errorf("len %d, cap %d", len(part), cap(part))
		}
	}
	held := d.Heldout.Examples()[0].ID
	_ = append(d.Building.Dev, rung.Example{ID: "mine"})
	if d.Heldout.Examples()[0].ID != held {
		t.Error("appending to dev wrote into the held-out set")
	}
}

func TestSmallData(t *testing.T) {
	for n := 3; n < 40; n++ {
		var items []item
		for _, text := range manyTexts(n) {
			items = append(items, item{Text: text, Output: "ham"})
		}
		d := loadItems(t, items)
		train, dev, held := len(d.Building.Train), len(d.Building.Dev), d.Heldout.Len()
		if train < 1 || dev < 1 || held < 1 || train+dev+held != n {
			t.Errorf("%d examples: %d %d %d", n, train, dev, held)
		}
		if float64(held) < .35*float64(n)/2-1 || float64(train) < .5*float64(n)/2-1 {
			t.Errorf("%d examples: %d %d %d, less than half of a share", n, train, dev, held)
		}
		loud := slices.ContainsFunc(d.Notes, func(s string) bool { return strings.Contains(s, "little more than a guess") })
		if loud != (n < 20) {
			t.Errorf("%d examples: notes %q", n, d.Notes)
		}
	}
}

// TestMarkedSplits covers what files may mark: all three, some, or one only.
func TestMarkedSplits(t *testing.T) {
	base := manyTexts(120)
	mark := func(marks ...string) []item {
		var items []item
		for i, text := range base {
			items = append(items, item{Text: text, Output: "ham", Split: marks[i%len(marks)]})
		}
		return items
	}
	for _, c := range []struct {
		name             string
		items            []item
		train, dev, held int // −1: any above zero
		note             string
	}{
		{name: "all", items: mark("train", "dev", "heldout"), train: 40, dev: 40, held: 40},
		{name: "other names", items: mark("training", "validation", "test"), train: 40, dev: 40, held: 40},
		{name: "no dev", items: mark("train", "test"), train: -1, dev: -1, held: 60, note: "mark no dev examples"},
		{name: "heldout alone", items: mark("heldout", "", ""), train: -1, dev: -1, held: 40},
		{name: "heldout and dev", items: mark("heldout", "dev", ""), train: 40, dev: 40, held: 40, note: "held-out is what the files mark for it: 40 rows; none of the 40 rows without a mark"},
		{name: "train alone", items: mark("train", "", ""), train: -1, dev: -1, held: -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := loadItems(t, c.items)
			for name, pair := range map[string][2]int{"train": {c.train, len(d.Building.Train)}, "dev": {c.dev, len(d.Building.Dev)}, "heldout": {c.held, d.Heldout.Len()}} {
				if pair[0] >= 0 && pair[1] != pair[0] || pair[1] == 0 {
					t.Errorf("%s has %d, not %d", name, pair[1], pair[0])
				}
			}
			if c.note != "" && !slices.ContainsFunc(d.Notes, func(s string) bool { return strings.Contains(s, c.note) }) {
				t.Errorf("notes %q", d.Notes)
			}
		})
	}
}

// TestMarkedCopies: copies of held-out examples in a marked train set are left out, and that is said; the held-out set stays.
func TestMarkedCopies(t *testing.T) {
	base := manyTexts(60)
	var items []item
	for i, text := range base {
		items = append(items, item{Text: text, Output: "ham", Split: []string{"train", "dev", "heldout"}[i%3]})
	}
	clean := loadItems(t, items)
	dirty := append(slices.Clone(items),
		item{Text: base[2] + ".", Output: "ham", Split: "train"}, // of heldout
		item{Text: strings.ToUpper(base[5]), Output: "ham", Split: "dev"},
		item{Text: base[1] + ".", Output: "ham", Split: "train"}, // of dev
		item{Text: base[8] + "?", Output: "ham"},                 // unmarked: follows its copy
	)
	d := loadItems(t, dirty)
	if d.LeftOut != 3 || len(d.Building.Train) != 20 || len(d.Building.Dev) != 20 || d.Heldout.Len() != 21 {
		t.Errorf("left out %d; %d %d %d", d.LeftOut, len(d.Building.Train), len(d.Building.Dev), d.Heldout.Len())
	}
	if !slices.ContainsFunc(d.Notes, func(s string) bool { return strings.HasPrefix(s, "3 examples of train or dev left out") }) {
		t.Errorf("notes %q", d.Notes)
	}
	for text, split := range where(t, clean) {
		if split == rung.HeldoutIs && where(t, d)[text] != split {
			t.Errorf("%q is no longer held out", text)
		}
	}
}
