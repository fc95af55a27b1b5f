package grade_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/rung-dev/rung"
)

func TestScorecardOfLabels(t *testing.T) {
	g := grader(t, task(labels, rung.Bar{Metric: "accuracy", AtLeast: .5}))
	tally := g.NewTally(4)
	add := func(i int, want, got string, problem rung.Problem, latency time.Duration) {
		ex := example(quote(want))
		ex.ID = fmt.Sprint("e", i)
		ans := rung.Answer{Problem: problem, Latency: latency, Made: 1, Retries: i, CostUSD: .01, Usage: rung.Usage{In: 10, Out: 1}}
		if problem == "" {
			ans.Value = []byte(quote(got))
		}
		tally.Add(i, ex, &ans)
	}
	add(3, "c", "", rung.UnknownLabel, 40*time.Millisecond)
	add(0, "a", "a", "", 10*time.Millisecond)
	add(2, "b", "a", "", 30*time.Millisecond)
	add(1, "b", "b", "", 20*time.Millisecond)
	card := tally.Scorecard(.95, 1)
	if card.N != 4 || card.Successes != 2 || card.Retries != 6 || card.Calls.Made != 4 || card.Tokens.In != 40 || card.Problems[rung.UnknownLabel] != 1 {
		t.Errorf("scorecard is %+v", card)
	}
	if card.P50Millis != 20 || card.P95Millis != 40 {
		t.Errorf("p50 is %v and p95 is %v, want 20 and 40", card.P50Millis, card.P95Millis)
	}
	if !near(*card.CostPerSuccess, .02) {
		t.Errorf("cost per success is %v, want 0.02", *card.CostPerSuccess)
	}
	// F1: a 2/3 (one hit, two answered), b 2/3 (one hit, two expected), c 0.
	if m := card.Metrics["macro_f1"]; !near(m.Value, 4./9) || m.Low > m.Value || m.High < m.Value {
		t.Errorf("macro F1 is %+v, want 4/9 inside its interval", m)
	}
	if m := card.Metrics["accuracy"]; m.Value != .5 || m.Method != "Wilson" || m.N != 4 {
		t.Errorf("accuracy is %+v", m)
	}
	if c := card.Confusion.Counts; c[0][0] != 1 || c[1][0] != 1 || c[1][1] != 1 || c[2][3] != 1 {
		t.Errorf("confusion is %v", c)
	}
	if m := card.Mistakes; len(m) != 2 || m[0].Kind != "said a instead of b" || m[0].Examples[0] != "e2" || m[1].Kind != "unknown_label" {
		t.Errorf("mistakes are %+v", m)
	}
}
