package grade_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/grade"
)

// pairOf makes two tallies of label answers: the first alone right on b, the second alone on c, both on the rest of n.
func pairOf(t testing.TB, n, b, c int, group func(i int) string) (first, second *grade.Tally) {
	g := grader(t, task(labels, rung.Bar{Metric: "accuracy", AtLeast: .5}))
	first, second = g.NewTally(n), g.NewTally(n)
	for i := range n {
		ex := example(`"a"`)
		ex.ID, ex.Group = fmt.Sprint(i), group(i)
		one, two := said(`"a"`), said(`"a"`)
		if i < b {
			two = said(`"b"`)
		} else if i < b+c {
			one = rung.Answer{Problem: rung.TimedOut}
		}
		first.Add(i, ex, &one)
		second.Add(i, ex, &two)
	}
	return first, second
}

func alone(int) string { return "" }

func TestComparePassFail(t *testing.T) {
	for _, c := range []struct {
		b, c int
		p    float64
	}{{10, 2, .0386}, {26, 14, .0807}} {
		a, b := pairOf(t, 100, c.b, c.c, alone)
		cmp, err := grade.Compare(a, b, "accuracy", .95, 1)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(cmp.P-c.p) > 5e-5 || cmp.Test != "exact McNemar" || cmp.Significant != (c.p < .05) {
			t.Errorf("%d against %d is %+v, want p = %v", c.b, c.c, cmp, c.p)
		}
		if d := cmp.Difference; !near(d.Value, float64(c.c-c.b)/100) || d.N != 100 || d.Low >= d.Value || d.High <= d.Value {
			t.Errorf("difference is %+v", d)
		}
	}
}

func TestCompareInGroupsIsLessSure(t *testing.T) {
	a, b := pairOf(t, 400, 5, 25, alone)
	single, err := grade.Compare(a, b, "accuracy", .95, 1)
	if err != nil {
		t.Fatal(err)
	}
	a, b = pairOf(t, 400, 5, 25, func(i int) string { return fmt.Sprint("g", i/5) })
	grouped, err := grade.Compare(a, b, "accuracy", .95, 1)
	if err != nil {
		t.Fatal(err)
	}
	width := func(iv rung.Interval) float64 { return iv.High - iv.Low }
	if width(grouped.Difference) < 1.5*width(single.Difference) || grouped.P < single.P {
		t.Errorf("groups of five that agree within: %+v; alone: %+v", grouped, single)
	}
	// 30 examples that changed are few groups: a test that takes them as independent finds what the groups do not show.
	if single.Test != "exact McNemar" || single.P > .01 || grouped.Test != "sign flips by cluster" || grouped.P < .05 {
		t.Errorf("alone %v by %s, in groups %v by %s", single.P, single.Test, grouped.P, grouped.Test)
	}
	if !strings.Contains(grouped.Difference.Method, "cluster") {
		t.Errorf("the method of grouped examples is %q", grouped.Difference.Method)
	}
}

func TestCompareGradedAndCorpus(t *testing.T) {
	g := grader(t, task(plain, rung.Bar{}))
	a, b := g.NewTally(30), g.NewTally(30)
	for i := range 30 {
		ex := example(`"one two three four five six"`)
		ex.ID = fmt.Sprint(i)
		worse := said([]string{`"one two"`, `"one"`, `"zero"`}[i%3])
		better := said([]string{`"one two three"`, `"one three four five"`, `"six"`}[i%3])
		a.Add(i, ex, &worse)
		b.Add(i, ex, &better)
	}
	cmp, err := grade.Compare(a, b, "token_f1", .95, 1)
	if err != nil {
		t.Fatal(err)
	}
	// Per third: 6/9 − 4/8, 8/10 − 2/7, 2/7 − 0.
	want := (6./9 - 4./8 + 8./10 - 2./7 + 2./7) / 3
	if !near(cmp.Difference.Value, want) || cmp.Test != "Wilcoxon signed-rank" || cmp.P > 1e-4 {
		t.Errorf("token F1: %+v, want a difference of %v", cmp, want)
	}
	self, err := grade.Compare(a, a, "token_f1", .95, 1)
	if err != nil || self.P != 1 || self.Significant || self.Difference.Value != 0 {
		t.Errorf("a candidate against itself: %+v, %v", self, err)
	}
}

func TestCompareSlotF1(t *testing.T) {
	g := grader(t, task(intent, rung.Bar{Metric: "slot_f1", AtLeast: .4}))
	examples, answers := mixed(90)
	a, b := g.NewTally(90), g.NewTally(90)
	for i := range examples {
		a.Add(i, &examples[i], &answers[i])
		better := answers[i]
		if i%4 == 0 {
			better = rung.Answer{Value: examples[i].Output}
		}
		b.Add(i, &examples[i], &better)
	}
	cmp, err := grade.Compare(a, b, "slot_f1", .95, 1)
	if err != nil {
		t.Fatal(err)
	}
	want := b.Value("slot_f1") - a.Value("slot_f1")
	if !near(cmp.Difference.Value, want) || cmp.Test != "paired cluster bootstrap" || !cmp.Significant || cmp.Difference.Low <= 0 {
		t.Errorf("slot F1: %+v, want a difference of %v that is significant", cmp, want)
	}
	self, err := grade.Compare(a, a, "slot_f1", .95, 1)
	if err != nil || self.P != 1 || self.Difference.Value != 0 {
		t.Errorf("a candidate against itself: %+v, %v", self, err)
	}
}

func TestCompareRefusesOtherExamples(t *testing.T) {
	a, _ := pairOf(t, 10, 1, 1, alone)
	b, _ := pairOf(t, 11, 1, 1, alone)
	var e *rung.Error
	if _, err := grade.Compare(a, b, "accuracy", .95, 1); !errors.As(err, &e) || e.Code != rung.CodeInput {
		t.Errorf("other examples give %v", err)
	}
	if _, err := grade.Compare(a, a, "bleu", .95, 1); !errors.As(err, &e) || e.Code != rung.CodeNotFound {
		t.Errorf("a metric that was not scored gives %v", err)
	}
}

func TestFromScores(t *testing.T) {
	g := grader(t, task(intent, rung.Bar{Metric: "slot_f1", AtLeast: .4}))
	examples, answers := mixed(40)
	tally := g.NewTally(40)
	var scores []rung.Score
	for i := range examples {
		scores = append(scores, tally.Add(i, &examples[i], &answers[i]))
	}
	stored := func(yield func(rung.Score, error) bool) {
		for i := len(scores) - 1; i >= 0; i-- {
			if !yield(scores[i], nil) {
				return
			}
		}
		yield(rung.Score{Example: "deleted since"}, nil)
	}
	again, err := g.FromScores(stored, examples)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := json.Marshal(tally.Scorecard(.95, 1))
	b, _ := json.Marshal(again.Scorecard(.95, 1))
	if string(a) != string(b) {
		t.Errorf("rebuilt scorecard is\n%s, was\n%s", b, a)
	}
	broken := func(yield func(rung.Score, error) bool) { yield(rung.Score{}, errors.New("disk")) }
	if _, err := g.FromScores(broken, examples); err == nil {
		t.Error("an error of the store is lost")
	}
}
