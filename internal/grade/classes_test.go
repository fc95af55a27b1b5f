package grade_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/grade"
)

// fiveClasses is a tally whose figures scikit-learn 1.9.1 was asked for: four of five labels occur among the expected ones.
func fiveClasses(t testing.TB) *grade.Tally {
	names := []string{"v", "w", "x", "y", "z"}
	g := grader(t, task(rung.Output{Kind: rung.Labels, Labels: names}, rung.Bar{Metric: "macro_f1", AtLeast: .7}))
	tally := g.NewTally(300)
	for i := range 300 {
		want := (7*i + i/3) % 4
		got := want
		if i%7 == 0 {
			got++
		}
		if i%11 == 0 {
			got += 2
		}
		ex := example(quote(names[want]))
		ex.ID = fmt.Sprint(i)
		ans := said(quote(names[got%5]))
		if i%29 == 0 {
			ans = rung.Answer{Text: "?", Problem: rung.UnknownLabel}
		}
		tally.Add(i, ex, &ans)
	}
	return tally
}

func TestClassesAgainstScikitLearn(t *testing.T) {
	card := fiveClasses(t).Scorecard(.95, 7)
	counts := [][]int{{75, 12, 8, 1, 0, 4}, {0, 37, 6, 4, 1, 2}, {1, 0, 74, 13, 8, 4}, {4, 0, 0, 38, 7, 1}, {0, 0, 0, 0, 0, 0}}
	if fmt.Sprint(card.Confusion.Counts) != fmt.Sprint(counts) {
		t.Errorf("confusion is %v, want %v", card.Confusion.Counts, counts)
	}
	precision := []float64{.9375, .75510204, .84090909, .67857143, 0}
	recall := []float64{.75, .74, .74, .76, 0}
	f1 := []float64{.83333333, .74747475, .78723404, .71698113, 0}
	support := []int{100, 50, 100, 50, 0}
	for i, c := range card.Classes {
		if math.Abs(c.Precision-precision[i])+math.Abs(c.Recall-recall[i])+math.Abs(c.F1-f1[i]) > 3e-8 || c.Support != support[i] {
			t.Errorf("class %s is %+v", c.Label, c)
		}
	}
	m := card.Metrics["macro_f1"]
	if !near(m.Value, .771255813859186) {
		t.Errorf("macro F1 is %v, want 0.771255813859186", m.Value)
	}
	// NumPy's percentile bootstrap of scikit-learn's figure, 4000 resamples: .7208 to .8164.
	if math.Abs(m.Low-.7208) > .006 || math.Abs(m.High-.8164) > .006 {
		t.Errorf("interval of macro F1 is %v to %v, want about .7208 to .8164", m.Low, m.High)
	}
	if a := card.Metrics["accuracy"]; !near(a.Value, 224./300) {
		t.Errorf("accuracy is %v, want %v", a.Value, 224./300)
	}
}

func TestMacroF1OfPerfectAnswers(t *testing.T) {
	g := grader(t, task(labels, rung.Bar{}))
	tally := g.NewTally(40)
	for i := range 40 {
		ex := example(quote(labels.Labels[i%2])) // "c" is never expected
		ans := said(string(ex.Output))
		tally.Add(i, ex, &ans)
	}
	m := tally.Scorecard(.95, 1).Metrics["macro_f1"]
	if m.Value != 1 || m.High != 1 || m.Low > .95 || m.Low < .8 {
		t.Errorf("macro F1 of 40 perfect answers is %+v, want 1 with a lower bound short of 1", m)
	}
}

func TestMacroF1TakesAnAlternativeForTheExpectedLabel(t *testing.T) {
	g := grader(t, task(labels, rung.Bar{}))
	tally := g.NewTally(1)
	ans := said(`"b"`)
	tally.Add(0, example(`"a"`, `"b"`), &ans)
	card := tally.Scorecard(.95, 1)
	if card.Metrics["macro_f1"].Value != 1 || card.Confusion.Counts[1][1] != 1 {
		t.Errorf("an accepted alternative counts as %v with confusion %v", card.Metrics["macro_f1"].Value, card.Confusion.Counts)
	}
}
