package grade_test

import (
	"math"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/grade"
)

var normandy = []rung.Passage{
	{ID: "a", Text: "The Normans gave their name to Normandy, a region in France. They were descended from Norse raiders."},
	{ID: "b", Text: "The dukes of Normandy built 42 castles of stone between 1050 and 1100."},
}

// fromPassages is an answer as a rag candidate gives it: the marks are in its text and out of its value.
func fromPassages(text, value string) rung.Answer {
	a := said(quote(value))
	a.Text, a.Passages = text, normandy
	return a
}

func TestAnswersFromPassages(t *testing.T) {
	g := grader(t, task(plain, rung.Bar{Metric: "faithfulness", AtLeast: .5, Guards: map[string]float64{"citation_precision": 0, "citation_recall": 0}}))
	for _, c := range []struct {
		name                        string
		text, value                 string
		faithful, precision, recall float64
	}{
		{"right mark", "Normandy is a region in France [1].", "Normandy is a region in France.", 1, 1, 1},
		{"wrong mark", "Normandy is a region in France [2].", "Normandy is a region in France.", 1, 0, 0},
		{"one mark too many", "The dukes built castles of stone [1][2].", "The dukes built castles of stone.", 1, .5, 1},
		{"mark after the stop", "The dukes built castles of stone. [2]", "The dukes built castles of stone.", 1, 1, 1},
		{"no mark", "The dukes built castles of stone.", "The dukes built castles of stone.", 1, 0, 0},
		{"mark of no passage", "The dukes built castles of stone [7].", "The dukes built castles of stone.", 1, 0, 0},
		{"one of two sentences", "The dukes built castles of stone [2]. Bananas are yellow fruit [1].", "The dukes built castles of stone. Bananas are yellow fruit.", .5, .5, .5},
		{"a number that is not there", "The dukes built 43 castles of stone [2].", "The dukes built 43 castles of stone.", .37, 0, 0},
		{"declines", "That is not mentioned.", "That is not mentioned.", 1, 1, 1},
	} {
		ans := fromPassages(c.text, c.value)
		v := g.Score(example(`"x"`), ans).Values
		if math.Abs(v["faithfulness"]-c.faithful) > .07 || v["citation_precision"] != c.precision || v["citation_recall"] != c.recall {
			t.Errorf("%s: faithfulness %.3f, precision %v, recall %v; want %v, %v, %v", c.name, v["faithfulness"], v["citation_precision"], v["citation_recall"], c.faithful, c.precision, c.recall)
		}
	}
	if s := grade.Support("Der Hund schläft im Garten", "Ein alter Hund schläft heute im Garten."); s < .6 {
		t.Errorf("support in another language: %v", s)
	}
}

func TestRefusals(t *testing.T) {
	g := grader(t, task(plain, rung.Bar{Metric: "refusal_correct", AtLeast: .5, Guards: map[string]float64{"refusal_f1": 0}}))
	tally := g.NewTally(4)
	for i, c := range []struct {
		want, got string
		right     float64
	}{
		{`"unanswerable"`, `"The passages do not say; unanswerable."`, 1},
		{`"unanswerable"`, `"in 1066"`, 0},
		{`"in 1066"`, `"I'm sorry, but I cannot answer that."`, 0},
		{`"in 1066"`, `"in 1067"`, 1},
	} {
		ans := said(c.got)
		if s := tally.Add(i, example(c.want), &ans); s.Values["refusal_correct"] != c.right {
			t.Errorf("%s for %s: %v", c.got, c.want, s.Values["refusal_correct"])
		}
	}
	card := tally.Scorecard(.95, 1)
	if card.Metrics["refusal_correct"].Value != .5 || card.Metrics["refusal_f1"].Value != .5 {
		t.Errorf("%+v", card.Metrics)
	}
}

func TestStyle(t *testing.T) {
	spec := rung.MetricSpec{Name: "house", Kind: "style", Style: &rung.StyleSpec{MinWords: 5, MaxWords: 20, MaxSentenceWords: 9, MaxGrade: 8,
		Required: []string{"Dear customer"}, Forbidden: []string{"unfortunately"}, Structure: []string{rung.HasBullets}, Sections: []string{"Findings", "Plan"}}}
	g := grader(t, task(plain, rung.Bar{Metric: "house", AtLeast: 1}, spec))
	for _, c := range []struct {
		text  string
		score float64
		fault string
	}{
		{"Dear customer,\n## Findings\nAll is well.\n## Plan\n- Rest.\n- Eat.", 1, ""},
		{"Dear customer,\n## Plan\nAll is well.\n## Findings\n- Rest.\n- Eat.", 7. / 8, "sections: Findings, Plan"},
		{"Unfortunately, the aforementioned circumstances necessitate considerable reconsideration of organisational responsibilities", 2. / 8, "a sentence over 9 words"},
	} {
		s := g.Score(example(`"x"`), said(quote(c.text)))
		if math.Abs(s.Values["house"]-c.score) > 1e-9 || s.Mistake != c.fault {
			t.Errorf("%q: %v (%s), want %v (%s)", c.text, s.Values["house"], s.Mistake, c.score, c.fault)
		}
	}
	for name, c := range map[string][2]string{
		rung.HasNumbers: {"1. one\n2. two", "one 2. two"}, rung.HasHeadings: {"Title\n=====\ntext", "no title"}, rung.HasTable: {"| a | b |\n| --- | --- |\n| 1 | 2 |", "a | b"},
		rung.HasCode: {"```go\nx\n```", "`x`"}, rung.PlainText: {"Just text, 3 * 4.", "**bold**"}, rung.OneParagraph: {"one\ntwo", "one\n\ntwo"},
		rung.IsJSON: {`{"a":1}`, "a: 1"},
	} {
		one := grader(t, task(plain, rung.Bar{Metric: "s", AtLeast: 1}, rung.MetricSpec{Name: "s", Kind: "style", PassFail: true, Style: &rung.StyleSpec{Structure: []string{name}}}))
		if one.Score(example(`"x"`), said(quote(c[0]))).Values["s"] != 1 || one.Score(example(`"x"`), said(quote(c[1]))).Values["s"] != 0 {
			t.Errorf("%s does not tell %q from %q", name, c[0], c[1])
		}
	}
}

func TestStatedConfidence(t *testing.T) {
	out := object
	g := grader(t, task(out, rung.Bar{Metric: "sure", AtLeast: .9}, rung.MetricSpec{Name: "sure", Kind: "confidence", Field: "c"}))
	tally := g.NewTally(8)
	for i, c := range []struct {
		got string
		own float64
	}{
		{`{"a":1,"c":0.75}`, 1 - .0625}, {`{"a":1,"c":"75%"}`, 1 - .0625}, {`{"a":1,"c":75}`, 1 - .0625}, {`{"a":2,"c":"high"}`, 1 - .5625},
		{`{"a":1,"c":1}`, 1}, {`{"a":2,"c":0}`, 1}, {`{"a":1}`, 0}, {`{"a":1,"c":"perhaps"}`, 0},
	} {
		ans := said(c.got)
		ex := example(`{"a":1,"c":1}`)
		if s := tally.Add(i, ex, &ans); math.Abs(s.Values["sure"]-c.own) > 1e-9 {
			t.Errorf("%s scores %v, want %v", c.got, s.Values["sure"], c.own)
		}
	}
	card := tally.Scorecard(.95, 1)
	// Bins: .7–.8 holds four answers, three of them right; 0–.1 one, right to be unsure; .9–1 three, one of them right.
	if e := card.Metrics["sure"]; math.Abs(e.Value-(1-(0+0+2)/8.)) > 1e-6 || e.Low > e.Value || e.High < e.Value {
		t.Errorf("1 − ECE is %+v", e)
	}
	if len(card.Calibrations) != 1 || len(card.Calibrations[0].Bins) != 3 || card.Calibrations[0].Bins[1].N != 4 || card.Calibrations[0].Bins[1].Right.Value != .75 {
		t.Errorf("%+v", card.Calibrations)
	}
	if m := card.Calibrations[0].Bins[1].Right.Method; m != "Wilson" {
		t.Errorf("the interval of a bin is by %q", m)
	}
	for i := range 12 { // copies of each other are no twelve examples
		ans, ex := said(`{"a":1,"c":0.75}`), example(`{"a":1,"c":1}`)
		ex.Group = "copies"
		tally.Add(20+i, ex, &ans)
	}
	if right := tally.Scorecard(.95, 1).Calibrations[0].Bins[1].Right; !strings.Contains(right.Method, "cluster") || right.N != 16 {
		t.Errorf("the interval of a bin with copies is %+v", right)
	}
}
