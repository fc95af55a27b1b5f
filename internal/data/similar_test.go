package data_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rung-dev/rung"
)

// alike is the definition of a near-duplicate, written down once more and slowly: case and white space aside, the same
// numbers in the same order, and a Jaccard similarity of at least .85 of the sets of character 5-grams.
func alike(a, b string) bool {
	a, b = normal(a), normal(b)
	if a == b {
		return true
	}
	if numbers(a) != numbers(b) {
		return false
	}
	return similar(ngrams(a), ngrams(b))
}

func similar(x, y map[string]bool) bool {
	common := 0
	for g := range x {
		if y[g] {
			common++
		}
	}
	union := len(x) + len(y) - common
	return union > 0 && 100*common >= 85*union
}

func normal(s string) string { return strings.Join(strings.Fields(strings.ToLower(s)), " ") }

func numbers(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(c rune) bool { return c < '0' || c > '9' }), ",")
}

func ngrams(s string) map[string]bool {
	r := []rune(s)
	out := map[string]bool{}
	if len(r) > 0 && len(r) < 5 {
		out[s] = true
	}
	for i := 0; i+5 <= len(r); i++ {
		out[string(r[i:i+5])] = true
	}
	return out
}

// TestNearDuplicatesAreExact compares the clusters with those of all pairs by the definition. The texts are drawn near the
// threshold: one of a few sentences with some of its letters changed.
func TestNearDuplicatesAreExact(t *testing.T) {
	base := []string{
		"The quick brown fox jumps over the lazy dog near the river bank today",
		"Schöne Grüße aus Zürich, wir kommen am Dienstag mit dem Zug an",
		"お客様のご注文は本日発送されました。到着までしばらくお待ちください",
		"call 12345 now", "ok",
	}
	filler := manyTexts(300)
	rapid.Check(t, func(rt *rapid.T) {
		var items []item
		for range rapid.IntRange(5, 40).Draw(rt, "rows") {
			r := []rune(rapid.SampledFrom(base).Draw(rt, "base"))
			for range rapid.IntRange(0, 4).Draw(rt, "changes") {
				r[rapid.IntRange(0, len(r)-1).Draw(rt, "at")] = rapid.SampledFrom([]rune("xY7 \té日")).Draw(rt, "letter")
			}
			items = append(items, item{Text: string(r), Output: "ham"})
		}
		drawn := len(items)
		for _, text := range filler { // so that no family is a tenth of the data
			items = append(items, item{Text: text, Output: "ham"})
		}
		d := loadItems(t, items)
		if d.Duplicates.Loose {
			rt.Fatal("a template family where there is none")
		}
		// Union-find over all pairs.
		parent := make([]int, len(items))
		for i := range parent {
			parent[i] = i
		}
		var root func(int) int
		root = func(i int) int {
			if parent[i] != i {
				parent[i] = root(parent[i])
			}
			return parent[i]
		}
		texts, sets := make([]string, drawn), make([]map[string]bool, drawn)
		for i := range drawn {
			texts[i] = normal(items[i].Text)
			sets[i] = ngrams(texts[i])
			for j := range i {
				if texts[i] == texts[j] || numbers(texts[i]) == numbers(texts[j]) && similar(sets[i], sets[j]) {
					parent[root(i)] = root(j)
				}
			}
		}
		clusters := map[string]int{}
		for i, it := range items {
			clusters[it.Text] = root(i)
		}
		got := map[int]string{}
		seen := map[string]int{}
		d.EachSplit(func(_ rung.Split, e *rung.Example) {
			c := clusters[textOf(t, e)]
			group := e.Group
			if group == "" {
				group = e.ID
			}
			if g, ok := got[c]; ok && g != group {
				rt.Fatalf("%q was not joined with its near-copies", textOf(t, e))
			}
			if other, ok := seen[group]; ok && other != c {
				rt.Fatalf("%q was joined with what it is not alike to", textOf(t, e))
			}
			got[c], seen[group] = group, c
		})
	})
}

func TestNumbersMakeTheDifference(t *testing.T) {
	var items []item
	for i := range 100 {
		items = append(items, item{Text: fmt.Sprintf("What is %d plus 4, and please show your work step by step?", i), Output: "ham"})
	}
	d := loadItems(t, items)
	if d.Duplicates.Near != 0 || d.Duplicates.Exact != 0 || d.Duplicates.Loose {
		t.Errorf("%+v", d.Duplicates)
	}
	if d.Heldout.Len() < 15 {
		t.Errorf("%d held out", d.Heldout.Len())
	}
}

// TestTemplateFamily: rows of one template, told apart by a name, would be one cluster; they are split all the same, and
// that is said loudly. Exact copies among them stay together.
func TestTemplateFamily(t *testing.T) {
	var items []item
	for i, w := range words {
		for _, v := range words[:8] {
			items = append(items, item{Text: fmt.Sprintf("Please tell me in one short and friendly sentence what the weather in the lovely old town of %s%s is like this afternoon", w, v), Output: "ham"})
		}
		items = append(items, items[len(items)-1-i%8])
	}
	d := loadItems(t, items)
	if !d.Duplicates.Loose || d.Duplicates.Exact != len(words) {
		t.Errorf("%+v", d.Duplicates)
	}
	if len(d.Notes) == 0 || !strings.Contains(strings.Join(d.Notes, "\n"), "look made from a template") {
		t.Errorf("notes %q", d.Notes)
	}
	if n := d.Heldout.Len(); n < len(items)/5 || n > len(items)/2 {
		t.Errorf("%d of %d held out", n, len(items))
	}
	place := map[string]rung.Split{}
	d.EachSplit(func(split rung.Split, e *rung.Example) {
		if s, ok := place[textOf(t, e)]; ok && s != split {
			t.Errorf("copies of %q in %s and %s", textOf(t, e), s, split)
		}
		place[textOf(t, e)] = split
	})
}

// TestLongConstantFields: tool lists and shared contexts that every row carries neither join rows nor hide near-copies.
func TestLongConstantFields(t *testing.T) {
	tools := `[{"name": "timer", "description": "` + strings.Repeat("a long description of a tool ", 40) + `"}]`
	context := strings.Repeat("the same long passage for every question ", 60)
	tk := &rung.Task{
		Input:  []rung.Field{{Name: "tools", Type: "array"}, {Name: "context", Type: "string"}, {Name: "question", Type: "string"}, {Name: "ticket", Type: "string"}, {Name: "level", Type: "integer"}},
		Output: rung.Output{Kind: rung.Text}, Split: rung.Shares{Train: .5, Dev: .15, Heldout: .35},
	}
	var b strings.Builder
	questions := manyTexts(100)
	questions[50] = questions[10] + "!" // a near-copy with the same level
	questions[61] = questions[20] + "!" // with another level: not a copy
	for i, q := range questions {
		row, err := json.Marshal(map[string]any{"tools": json.RawMessage(tools), "context": context, "question": q, "ticket": fmt.Sprintf("T-%d", 1000+i), "level": i % 10, "output": "x"})
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(row, '\n'))
	}
	tk.Examples = []string{write(t, b.String(), "e.jsonl")}
	d := load(t, tk)
	if d.Duplicates.Near != 1 || d.Duplicates.Exact != 0 {
		t.Errorf("%+v", d.Duplicates)
	}
	if rows := d.Duplicates.Sets; len(rows) != 1 || rows[0].Rows[0].Line != 11 || rows[0].Rows[1].Line != 51 {
		t.Errorf("%+v", rows)
	}
}

// TestNestedInputs: where there is no text field, the strings inside lists and objects count.
func TestNestedInputs(t *testing.T) {
	tk := &rung.Task{
		Input:  []rung.Field{{Name: "messages", Type: "array"}, {Name: "tools", Type: "array"}},
		Output: rung.Output{Kind: rung.Tools, ToolsFrom: "tools"}, Split: rung.Shares{Train: .5, Dev: .15, Heldout: .35},
	}
	var b strings.Builder
	for i, q := range manyTexts(30) {
		for _, end := range []string{"", "!"} {
			if end != "" && i != 7 {
				continue
			}
			fmt.Fprintf(&b, `{"messages": [{"role": "user", "content": "%s"}], "tools": [{"name": "t%d", "parameters": {"type": "object"}}], "output": {"name": "t%d", "arguments": {}}}`+"\n", q+end, i, i)
		}
	}
	tk.Examples = []string{write(t, b.String(), "e.jsonl")}
	if d := load(t, tk); d.Duplicates.Near != 1 {
		t.Errorf("%+v", d.Duplicates)
	}
}

func TestContradictions(t *testing.T) {
	items := []item{}
	for _, text := range manyTexts(30) {
		items = append(items, item{Text: text, Output: "ham"})
	}
	items = append(items, item{Text: strings.ToUpper(items[3].Text), Output: "spam"}, item{Text: items[4].Text, Output: "ham"})
	body := lines(items) + fmt.Sprintf(`{"text": %q, "output": "spam", "alternatives": ["ham"]}`+"\n", items[5].Text)
	d := load(t, labelTask([]string{"ham", "spam"}, write(t, body, "e.jsonl")))
	if d.Contradicting != 1 || len(d.Contradictions) != 1 {
		t.Fatalf("%+v", d.Contradictions)
	}
	c := d.Contradictions[0]
	if c.A.Line != 4 || c.B.Line != 31 || c.OutputA != `"ham"` || c.OutputB != `"spam"` {
		t.Errorf("%+v", c)
	}
	if !slices.ContainsFunc(d.Notes, func(s string) bool {
		return strings.Contains(s, "contradicts an earlier one") || strings.Contains(s, "contradict")
	}) {
		t.Errorf("notes %q", d.Notes)
	}
}

// TestCopiesFormOneCluster: copies get a common group where the file gives none, so that intervals count them once.
func TestCopiesFormOneCluster(t *testing.T) {
	var items []item
	for _, text := range manyTexts(40) {
		items = append(items, item{Text: text, Output: "ham"}, item{Text: text + ".", Output: "ham"})
	}
	items[0].Group = "mine"
	d := loadItems(t, items)
	if want := d.Heldout.Len() / 2; d.HeldoutClusters() != want {
		t.Errorf("%d clusters of %d, not %d", d.HeldoutClusters(), d.Heldout.Len(), want)
	}
	groups := map[string]int{}
	d.EachSplit(func(_ rung.Split, e *rung.Example) { groups[e.Group]++ })
	if groups["mine"] != 2 || groups[""] != 0 || len(groups) != 40 {
		t.Errorf("%v", groups)
	}
}
