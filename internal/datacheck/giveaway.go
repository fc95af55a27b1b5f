package datacheck

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"

	"github.com/rung-dev/rung/internal/rows"
	"github.com/rung-dev/rung/internal/stats"
)

// giveaways looks for what predicts the label almost perfectly and should not: a word that marks a label's rows, the value of a field, the
// beginning of an id, an hour of the day. It counts on the first rows only, whose number bounds its memory.
type giveaways struct {
	c      *checker
	on     bool
	rows   int
	labels map[string]int32
	sizes  []int32
	words  map[string]*labelled
	fields map[string]map[string]*labelled // field → value
	order  []string
	x      rows.Extractor
}

// labelled counts rows by label.
type labelled struct {
	n      int32
	counts map[int32]int32
	last   int32 // row that was counted last, so that a word counts once a row
	first  ExampleRow
}

const (
	giveRows      = 50_000
	giveWords     = 400_000
	giveValues    = 2_000 // different values of a field that are counted
	givePrecision = .98   // share of the rows with a word that have the label
	giveRecall    = .9    // share of the label's rows that have the word
	giveLeast     = 20    // rows with the word
	giveField     = .98   // accuracy of guessing the label from a field
)

func newGiveaways(c *checker) *giveaways {
	return &giveaways{c: c, on: c.scan.kind() == "labels" && len(c.scan.labels.counts) >= 2, labels: map[string]int32{}, words: map[string]*labelled{}, fields: map[string]map[string]*labelled{}}
}

func (g *giveaways) add(members []rows.Member, text string, output []byte) {
	if !g.on || len(output) == 0 || g.rows >= giveRows {
		return
	}
	g.rows++
	label, known := g.labels[string(output)]
	if !known {
		label = int32(len(g.labels))
		g.labels[string(output)] = label
		g.sizes = append(g.sizes, 0)
	}
	g.sizes[label]++
	example := func() ExampleRow { return g.c.example(members, text) }
	for _, w := range strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return unicode.IsSpace(r) || r == ',' || r == '"' }) {
		if w = strings.Trim(w, ".!?;:'()"); len(w) > 0 && len(w) <= 40 {
			g.count(g.words, w, label, giveWords, example)
		}
	}
	for _, key := range []string{"id", "group", "segment", "source", "person", "time"} {
		if v := str(rows.Get(members, key)); v != "" {
			g.field(key, v, label, example)
		}
	}
	if input, err := g.x.Members(rows.Get(members, "input")); err == nil {
		for i := range input {
			if v := input[i].Value; len(v) <= 100 && v[0] != '{' && v[0] != '[' && v[0] != 'n' {
				g.field("input."+string(input[i].Key), strings.Trim(string(v), `"`), label, example)
			}
		}
	}
}

// field counts a value, and, of ids and times, what they begin with and their hour.
func (g *giveaways) field(name, v string, label int32, example func() ExampleRow) {
	g.value(name, v, label, example)
	if i := strings.LastIndexFunc(v, func(r rune) bool { return !unicode.IsDigit(r) }); i >= 0 && i < len(v)-1 && len(v)-i <= 12 {
		g.value("the beginning of "+name, v[:i+1], label, example)
	}
	if at := strings.IndexByte(v, 'T'); at == 10 && len(v) >= 13 {
		g.value("the day of "+name, v[:10], label, example)
		g.value("the hour of "+name, v[11:13], label, example)
	}
}

func (g *giveaways) value(name, v string, label int32, example func() ExampleRow) {
	values := g.fields[name]
	if values == nil {
		if len(g.fields) >= 200 {
			return
		}
		values = map[string]*labelled{}
		g.fields[name] = values
		g.order = append(g.order, name)
	}
	g.count(values, v, label, giveValues+1, example)
}

func (g *giveaways) count(into map[string]*labelled, key string, label int32, most int, example func() ExampleRow) {
	k := into[key]
	if k == nil {
		if len(into) >= most {
			return
		}
		k = &labelled{counts: map[int32]int32{}, last: -1, first: example()}
		into[key] = k
	}
	if k.last == int32(g.rows) {
		return
	}
	k.last = int32(g.rows)
	k.n++
	k.counts[label]++
}

// best is the label that most of the rows have.
func (k *labelled) best() (label int32, n int32) {
	for l, m := range k.counts {
		if m > n || m == n && l < label {
			label, n = l, m
		}
	}
	return label, n
}

func (g *giveaways) report() {
	if !g.on {
		g.c.skip("gives_away", "the outputs are no labels, or all one")
		return
	}
	g.c.did("gives_away")
	if g.rows < 100 {
		g.c.skip("gives_away", "fewer than 100 rows with a label")
		return
	}
	g.reportWords()
	g.reportFields()
}

type giveaway struct {
	what, label       string
	n, of             int32
	precision, recall float64
	row               ExampleRow
}

func (g *giveaways) reportWords() {
	names := make([]string, len(g.labels))
	for name, i := range g.labels {
		names[i] = name
	}
	var found []giveaway
	for w, k := range g.words {
		label, n := k.best()
		if k.n < giveLeast || float64(g.sizes[label]) > .95*float64(g.rows) {
			continue
		}
		low, _ := stats.Wilson(int(n), int(k.n), .95)
		precision, recall := float64(n)/float64(k.n), float64(n)/float64(g.sizes[label])
		if precision >= givePrecision && low >= .9 && recall >= giveRecall {
			found = append(found, giveaway{w, names[label], n, g.sizes[label], precision, recall, k.first})
		}
	}
	slices.SortFunc(found, func(a, b giveaway) int { return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.what, b.what)) })
	for _, f := range found[:min(len(found), 10)] {
		g.c.find("gives_away", Warn, int(f.n), g.rows, Finding{What: fmt.Sprintf("the word %q nearly gives the label %s: %.1f %% of the rows with it have the label, %.1f %% of the label's rows have it", f.what, f.label, 100*f.precision, 100*f.recall),
			Do: "see whether it comes from how the rows were collected; if so, take it out of the inputs: real traffic will not have it", Method: fmt.Sprintf("on the first %d rows; at least 98 %% one way and 90 %% the other, 20 rows", g.rows), Examples: []ExampleRow{f.row}})
	}
}

func (g *giveaways) reportFields() {
	most := int32(0)
	for _, n := range g.sizes {
		most = max(most, n)
	}
	base := float64(most) / float64(g.rows)
	for _, name := range g.order {
		values := g.fields[name]
		right, n := int32(0), int32(0)
		var row ExampleRow
		for _, v := range sortedKeys(values) {
			k := values[v]
			if k.n < 5 { // a value of few rows guesses itself
				continue
			}
			_, m := k.best()
			right, n = right+m, n+k.n
			if row.Text == "" {
				row = k.first
			}
		}
		if len(values) > giveValues || float64(n) < .8*float64(g.rows) || base >= .95 {
			continue
		}
		accuracy := float64(right) / float64(n)
		if accuracy < giveField || accuracy-base < .5*(1-base) {
			continue
		}
		input := strings.Contains(name, "input.")
		f := Finding{What: fmt.Sprintf("%s nearly gives the label: guessing by it alone is right in %.1f %% of the rows, guessing the commonest label in %.1f %%", name, 100*accuracy, 100*math.Round(base*1000)/1000),
			Do: "take it out of the input: the model learns it instead of the task", Method: fmt.Sprintf("on the first %d rows; the commonest label of each value, values of five rows and more", g.rows), Examples: []ExampleRow{row}}
		if input {
			g.c.find("gives_away", Bad, int(right), int(n), f)
			continue
		}
		f.Do = "it is no part of the input, so nothing learns it; keep it out of the prompt"
		g.c.find("gives_away", Note, int(right), int(n), f)
	}
}
