package grade_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/grade"
	"github.com/rung-dev/rung/internal/stats"
)

// tallies are two candidates on n examples with k answers each: the first answers are always the same, the rest as later says.
func tallies(t *testing.T, task *rung.Task, n, k int, grouped bool, later func(i, sample int) bool) (a, b *grade.Tally) {
	t.Helper()
	g := grader(t, task)
	a, b = g.NewTally(n*k), g.NewTally(n*k)
	a.Repeated(k)
	b.Repeated(k)
	right, wrong := `"a"`, `"b"`
	if task.Output.Kind == rung.Text {
		right, wrong = `"one two three four five six"`, `"one two nine"`
	}
	for i := range n {
		ex := example(right)
		ex.ID = fmt.Sprint(i)
		switch {
		case grouped:
			ex.Group = fmt.Sprint("g", i/4)
		case k > 1:
			ex.Group = "answers to " + ex.ID
		}
		for s := range k {
			one, two := said(right), said(wrong)
			if i%3 == 0 != later(i, s) {
				one = said(wrong)
			}
			if i%5 != 0 {
				two = said(right)
			}
			a.Add(i*k+s, ex, &one)
			b.Add(i*k+s, ex, &two)
		}
	}
	return a, b
}

func same(int, int) bool { return false }

// TestSeveralAnswersThatAreAlikeAreOne: what a model says twice in the same words says no more than once, so every figure, verdict, needed n
// and comparison is that of one answer each, for pass/fail, graded and corpus metrics, alone and in groups.
func TestSeveralAnswersThatAreAlikeAreOne(t *testing.T) {
	for _, c := range []struct {
		metric  string
		form    *rung.Task
		n       int
		grouped bool
	}{
		{"accuracy", task(labels, rung.Bar{Metric: "accuracy", AtLeast: .5}), 60, false},
		{"accuracy", task(labels, rung.Bar{Metric: "accuracy", AtLeast: .5}), 60, true},
		{"macro_f1", task(labels, rung.Bar{Metric: "accuracy", AtLeast: .5}), 60, false},
		{"token_f1", task(plain, rung.Bar{}), 60, false},
		{"token_f1", task(plain, rung.Bar{}), 240, true},
	} {
		a, b := tallies(t, c.form, c.n, 1, c.grouped, same)
		a3, b3 := tallies(t, c.form, c.n, 3, c.grouped, same)
		one, _ := a.Estimate(c.metric, .95, 1)
		three, _ := a3.Estimate(c.metric, .95, 1)
		if !strings.HasSuffix(three.Method, ", 3 answers each, all alike") || !strings.HasPrefix(three.Method, one.Method) {
			t.Errorf("%s: the method is %q, of one answer %q", c.metric, three.Method, one.Method)
		}
		three.Method = one.Method
		if three != one {
			t.Errorf("%s: three equal answers give %+v, one gives %+v", c.metric, three, one)
		}
		for _, bar := range []float64{.1, .5, .6, .7, .9} {
			if three.Verdict(bar) != one.Verdict(bar) || three.NeededN(bar, .8) != one.NeededN(bar, .8) {
				t.Errorf("%s against %v: %v and %d, of one answer %v and %d", c.metric, bar, three.Verdict(bar), three.NeededN(bar, .8), one.Verdict(bar), one.NeededN(bar, .8))
			}
		}
		want, err := grade.Compare(a, b, c.metric, .95, 1)
		if err != nil {
			t.Fatal(err)
		}
		got, err := grade.Compare(a3, b3, c.metric, .95, 1)
		if err != nil {
			t.Fatal(err)
		}
		got.Difference.Method = want.Difference.Method
		if got != want {
			t.Errorf("%s: three equal answers compare as %+v, one as %+v", c.metric, got, want)
		}
	}
}

// TestAnswersThatDifferStayClusters: one example whose answers differ is enough.
func TestAnswersThatDifferStayClusters(t *testing.T) {
	form := task(labels, rung.Bar{Metric: "accuracy", AtLeast: .5})
	a, b := tallies(t, form, 60, 3, false, func(i, sample int) bool { return i == 7 && sample == 2 })
	e, _ := a.Estimate("accuracy", .95, 1)
	if !strings.Contains(e.Method, "cluster") || e.N != 60 || strings.Contains(e.Method, "alike") {
		t.Errorf("the estimate is %+v", e)
	}
	cmp, err := grade.Compare(a, b, "accuracy", .95, 1)
	if err != nil || cmp.Test != "sign flips by cluster" || cmp.Difference.N != 60 {
		t.Errorf("the comparison is %+v, %v", cmp, err)
	}
}

// TestALookAtAnswersThatAreAlike predicts and decides as one at one answer each.
func TestALookAtAnswersThatAreAlike(t *testing.T) {
	form := task(labels, rung.Bar{Metric: "accuracy", AtLeast: .5})
	const n, seen = 90, 30
	a, _ := tallies(t, form, n, 1, false, same)
	a3, _ := tallies(t, form, n, 3, false, same)
	places := func(k int) (out []int) {
		for i := range seen * k {
			out = append(out, i)
		}
		return out
	}
	one, _ := a.Prefix("accuracy", places(1), stats.AnytimePlan{Total: n, Largest: 1})
	three, _ := a3.Prefix("accuracy", places(3), stats.AnytimePlan{Total: 3 * n, Largest: 3})
	for _, bar := range []float64{.3, .5, .8} {
		if p, q := one.PassChance(bar, .95, one.Total()), three.PassChance(bar, .95, three.Total()); p != q {
			t.Errorf("the chance to pass %v is %v, of one answer %v", bar, q, p)
		}
		if p, q := one.P(bar), three.P(bar); p != q {
			t.Errorf("p at %v is %v, of one answer %v", bar, q, p)
		}
	}
}

// TestFailureModesAreComparedInPairs: shares with either candidate, the paired difference and its test are those of the same marks given as
// a pass/fail metric, and groups make them less sure.
func TestFailureModesAreComparedInPairs(t *testing.T) {
	g := grader(t, task(labels, rung.Bar{Metric: "accuracy", AtLeast: .5}))
	match := func(group func(i int) string) grade.ModeDifference {
		a, b := g.NewTally(80), g.NewTally(80)
		for i := range 80 {
			ex := example(`"a"`)
			ex.ID, ex.Group = fmt.Sprint(i), group(i)
			one, two := said(`"a"`), said(`"a"`)
			if i < 24 {
				one = rung.Answer{Problem: rung.NotJSON}
			}
			if i < 4 || i >= 76 {
				two = rung.Answer{Problem: rung.NotJSON}
			}
			a.Add(i, ex, &one)
			b.Add(i, ex, &two)
		}
		all, err := grade.ModeDifferences(a, b, .95, 1)
		if err != nil || len(all) != 1 {
			t.Fatalf("%+v, %v", all, err)
		}
		return all[0]
	}
	d := match(alone)
	low, high := stats.Wilson(24, 80, .95)
	if d.Mode != "format" || d.A.Value != .3 || d.A.Low != low || d.A.High != high || d.A.N != 80 || d.B.Value != .1 {
		t.Errorf("shares are %+v", d)
	}
	if want := stats.McNemar(20, 4).P; d.P != want || d.Test != "exact McNemar" || d.Difference.N != 80 || d.Difference.Value > -.19 || d.Difference.High >= 0 {
		t.Errorf("the difference is %+v, want p %v", d, want)
	}
	grouped := match(func(i int) string { return fmt.Sprint("g", i/10) })
	if grouped.P <= d.P || grouped.Test != "sign flips by cluster" || !strings.Contains(grouped.A.Method, "cluster") || grouped.Difference.High <= d.Difference.High {
		t.Errorf("in groups: %+v", grouped)
	}
}
