package label_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/label"
	"github.com/rung-dev/rung/internal/rating"
)

var topics = []string{"card payment was declined abroad", "top up failed twice today", "exchange rate looks wrong here", "lost my phone and the app"}

func poolOf(n int) []label.Row {
	var out []label.Row
	for i := range n {
		out = append(out, label.Row{DatasetRow: rung.DatasetRow{ID: fmt.Sprint("r", i), Input: json.RawMessage(fmt.Sprintf(`{"text":"%s number %d please"}`, topics[i%len(topics)], i*7919))},
			Doubt: math.NaN(), Apart: math.NaN()})
	}
	return out
}

func options(choose label.Strategy, items int) *label.Options {
	return &label.Options{Options: rating.Options{Name: "q", Items: items, Seed: 1, Made: time.Unix(0, 0)}, Choose: choose, Output: rung.Output{Kind: rung.Labels, Labels: []string{"a", "b"}}}
}

// TestChoose: any strategy gives as many different rows as asked, the same each time, and keeps a random part.
func TestChoose(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pool := poolOf(rapid.IntRange(1, 60).Draw(t, "rows"))
		for i := range pool {
			pool[i].Doubt = rapid.SampledFrom([]float64{math.NaN(), 0, .1, .5, .9}).Draw(t, "doubt")
			pool[i].Apart = rapid.SampledFrom([]float64{math.NaN(), 0, 1}).Draw(t, "apart")
			if rapid.Bool().Draw(t, "shows a mode") {
				pool[i].Modes = []string{rapid.SampledFrom([]string{"format", "refused"}).Draw(t, "mode")}
			}
		}
		o := options(rapid.SampledFrom(label.Strategies).Draw(t, "strategy"), rapid.IntRange(0, 70).Draw(t, "items"))
		picks, _ := label.Choose(pool, nil, o)
		want := len(pool)
		if o.Items > 0 {
			want = min(want, o.Items)
		}
		seen, random := map[int]bool{}, 0
		for _, p := range picks {
			seen[p.At] = true
			if p.Why == label.AtRandom {
				random++
			}
		}
		if len(picks) != want || len(seen) != want || float64(random) < .05*float64(want) {
			t.Fatalf("%d picks of %d rows, %d different, %d at random; wanted %d", len(picks), len(pool), len(seen), random, want)
		}
		if again, _ := label.Choose(pool, nil, o); !slices.Equal(picks, again) {
			t.Fatal("another choice the second time")
		}
	})
}

// TestEachStrategyTakesItsOwn: the unsure rows, those on which subjects differ, each failure mode, and each kind of input.
func TestEachStrategyTakesItsOwn(t *testing.T) {
	pool := poolOf(400)
	for i := range pool {
		pool[i].Doubt, pool[i].Apart = .1, 0
	}
	for i := 10; i < 20; i++ {
		pool[i].Doubt, pool[i+20].Apart, pool[i+40].Modes = .9, 1, []string{"rare"}
	}
	for i := 100; i < 200; i++ {
		pool[i].Modes = []string{"common"}
	}
	count := func(picks []label.Pick, why string, from, to int) (n int) {
		for _, p := range picks {
			if strings.HasPrefix(p.Why, why) && p.At >= from && p.At < to {
				n++
			}
		}
		return n
	}
	unsure, _ := label.Choose(pool, nil, options(label.Uncertainty, 10))
	apart, _ := label.Choose(pool, nil, options(label.Disagreement, 10))
	covered, _ := label.Choose(pool, nil, options(label.Coverage, 20))
	mixed, _ := label.Choose(pool, nil, options(label.Mix, 20))
	if n := count(unsure, "uncertainty", 10, 20); n != 8 {
		t.Errorf("%d of 8 unsure rows: %v", n, unsure)
	}
	if n := count(apart, "disagreement", 30, 40); n != 8 {
		t.Errorf("%d of 8 rows that subjects differ on: %v", n, apart)
	}
	if rare, common := count(covered, "mode rare", 50, 60), count(covered, "mode common", 100, 200); rare != 8 || common != 8 {
		t.Errorf("of the modes %d rare and %d common, want 8 each: %v", rare, common, covered)
	}
	for _, why := range []string{"uncertainty", "disagreement", "random"} {
		if n := count(mixed, why, 0, 400); n < 4 {
			t.Errorf("%d by %s in a mix of 20: %v", n, why, mixed)
		}
	}
	for i := range pool {
		pool[i].Modes, pool[i].Doubt = nil, math.NaN()
	}
	// Three kinds are labelled already: coverage looks at the fourth first.
	var known []rung.DatasetRow
	for i := range pool {
		if i%4 != 3 && i < 60 {
			known = append(known, pool[i].DatasetRow)
		}
	}
	picks, notes := label.Choose(pool, known, &label.Options{Options: rating.Options{Items: 20, Seed: 1}, Choose: label.Uncertainty, Random: .05})
	kinds := map[int]int{}
	for _, p := range picks {
		kinds[p.At%4]++
	}
	if len(notes) != 1 || !strings.Contains(notes[0], "nothing more is known") || kinds[3] < 5 {
		t.Errorf("%v, %v", notes, kinds)
	}
}

// TestClassifierKnowsWhatItDoesNotKnow: rows like no labelled one are less sure than rows like the labelled ones.
func TestClassifierKnowsWhatItDoesNotKnow(t *testing.T) {
	pool := poolOf(40)
	var known []rung.DatasetRow
	for i := range pool[:30] {
		row := pool[i].DatasetRow
		row.Output = json.RawMessage(fmt.Sprintf("%q", []string{"card", "topup", "rate", "phone"}[i%4]))
		known = append(known, row)
	}
	if c, err := label.TrainClassifier(known[:5], 1); c != nil || err != nil {
		t.Errorf("five rows are enough: %v, %v", c, err)
	}
	c, err := label.TrainClassifier(known, 1)
	if err != nil || c == nil {
		t.Fatal(c, err)
	}
	right, far := 0, append(pool[30:40:40], label.Row{DatasetRow: rung.DatasetRow{Input: json.RawMessage(`{"text":"Wie ist das Wetter?"}`)}})
	c.Doubts(far)
	for i, r := range far[:10] {
		if got, _ := c.Classify(r.Input); got == []string{"card", "topup", "rate", "phone"}[(30+i)%4] {
			right++
		}
		if r.Doubt >= far[10].Doubt {
			t.Errorf("%s is less sure (%.2f) than what is like nothing (%.2f)", r.Input, r.Doubt, far[10].Doubt)
		}
	}
	if right != 10 {
		t.Errorf("%d of 10 are right", right)
	}
}

// TestRowsOf: majority, split, adjudicated; corrections are counter-examples, and confirmed failure modes go to the store's labels.
func TestRowsOf(t *testing.T) {
	pool := poolOf(6)
	for i := range pool {
		pool[i].Split = rung.Dev
		pool[i].Answer = &rung.RatingOption{Candidate: "c", Text: "b"}
		pool[i].Input = json.RawMessage(fmt.Sprintf(`{"text":"a < b & c %d"}`, i))
	}
	o := options(label.Random, 0)
	o.Raters, o.PerItem, o.PerItem, o.Overlap, o.Scores = []string{"ada", "ben"}, 2, 2, -1, "scores"
	o.Modes = []rung.FailureMode{{Name: "wrong_fact"}}
	q, err := label.Make(pool, nil, *o)
	if err != nil {
		t.Fatal(err)
	}
	var said []rung.Rating
	say := func(item int, rater, value string, role rung.RatingRole, modes ...string) {
		said = append(said, rung.Rating{Item: q.Items[item].ID, Example: q.Items[item].Example, Rater: rater, Role: role, Label: json.RawMessage(value), Modes: modes})
	}
	say(0, "ada", `"a"`, rung.AsRater, "wrong_fact")
	say(0, "ben", `"a"`, rung.AsRater, "wrong_fact")
	say(1, "ada", `"b"`, rung.AsRater) // the answer was right
	say(2, "ada", `"a"`, rung.AsRater)
	say(2, "ben", `"b"`, rung.AsRater) // split
	say(3, "ada", `"a"`, rung.AsRater)
	say(3, "ben", `"b"`, rung.AsRater)
	say(3, "lead", `"a"`, rung.AsAdjudicator)
	say(4, "ada", `"a"`, rung.AsRater)
	got := label.RowsOf(q, said, nil)
	if got.N != 3 || got.Counter != 3 || got.Right != 1 || got.Split != 1 || got.Open != 1 || got.Agreeing != 1 || got.Settled != 1 || got.Single != 2 {
		t.Errorf("%+v", got)
	}
	first := got.Rows[0]
	if first.ID != "counter-"+q.Items[0].Example || first.Split != "" || first.Counter != q.Items[0].Example || string(first.Output) != `"a"` || !slices.Equal(first.Modes, []string{"wrong_fact"}) {
		t.Errorf("%+v", first)
	}
	if lines, err := label.Lines(got.Rows); err != nil || strings.Count(string(lines), "\n") != 3 || !strings.Contains(string(lines), "a < b & c") {
		t.Errorf("%v\n%s", err, lines)
	}
	labels := label.ModeLabels(q, said)
	confirmed := 0
	for _, l := range labels {
		if l.Status == rung.ModeConfirmed {
			confirmed++
			if l.Mode != "wrong_fact" || l.Set != "scores" || l.Candidate != "c" || l.Wrong != "b" {
				t.Errorf("%+v", l)
			}
		}
	}
	if confirmed != 2 || len(labels) != len(said) {
		t.Errorf("%d of %d labels confirm", confirmed, len(labels))
	}
}

// TestReadRow: rows of a dataset and flat rows become the same row; what does not fit says why.
func TestReadRow(t *testing.T) {
	fields := []rung.Field{{Name: "a", Type: "string"}, {Name: "b", Type: "string"}}
	same := map[string]bool{}
	for _, raw := range []string{`{"input":{"b":"y","a":"x \u0026"},"output":"z"}`, `{"b":"y","a":"x &","label":"z","more":1}`} {
		row, what := label.ReadRow([]byte(raw), fields)
		if what != "" || string(row.Input) != `{"a":"x &","b":"y"}` || string(row.Output) != `"z"` {
			t.Errorf("%s: %s, %+v", raw, what, row)
		}
		same[row.ID] = true
	}
	if len(same) != 1 {
		t.Errorf("equal rows have the names %v", same)
	}
	for raw, want := range map[string]string{`[1]`: "no JSON object", `{"a":"x"}`: "no input field b", `{"input":"x"}`: "no object", `{"input":{"a":1}}`: "field b"} {
		if _, what := label.ReadRow([]byte(raw), fields); !strings.Contains(what, want) {
			t.Errorf("%s: %q, want %q", raw, what, want)
		}
	}
}
