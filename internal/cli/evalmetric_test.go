package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model/modeltest"
)

// A metric that the bar does not name has nothing to reach unless the user says what: it is measured on every example, and neither
// passes nor stops at "at least 0".
func TestAnotherMetricThanTheBarsIsMeasuredAndNotPassed(t *testing.T) {
	serve(t, counts("abcdefghijklmnopqrs"))
	task := evalTask(t, 90, "{metric: accuracy, at_least: 0.9}")
	e := evalJSON(t, task, "build:prompt", "--metric", "macro_f1")
	if e.Verdict != "" || e.Reason != "" || e.Stopped != nil || e.Scorecard.N != 90 {
		t.Errorf("verdict %q (%s), stopped %+v, n %d", e.Verdict, e.Reason, e.Stopped, e.Scorecard.N)
	}
	if again := evalJSON(t, task, "--again", e.ID); again.Verdict != "" {
		t.Errorf("again: %s (%s)", again.Verdict, again.Reason)
	}
	if held := evalJSON(t, task, "build:prompt", "--metric", "macro_f1", "--at-least", "0.9"); held.Verdict == rung.Pass || held.Verdict == "" {
		t.Errorf("at least 0.9: %s (%s)", held.Verdict, held.Reason)
	}
	page := filepath.Join(t.TempDir(), "match.html")
	var m rung.Matchup
	decodeJSON(t, &m, "compare", "--json", task, "eval:"+e.ID, "eval:"+e.ID, "--metric", "macro_f1", "--out", page)
	if m.Subjects[0].AtLeast != 0 || m.Subjects[0].Verdict != "" {
		t.Errorf("held to the bar of another metric: %+v", m.Subjects[0])
	}
	decodeJSON(t, &m, "compare", "--json", task, "build:prompt", "build:prompt", "--metric", "macro_f1")
	if s := m.Subjects[0]; s.AtLeast != 0 || s.Verdict != "" {
		t.Errorf("macro_f1 is held to the bar of accuracy: at least %g, %s", s.AtLeast, s.Verdict)
	}
	if status, out, errs := rungOut(t, "gate", task, "build:prompt", "--metric", "macro_f1"); status != 2 || !strings.Contains(errs, "--baseline") {
		t.Errorf("a gate on a metric without a bar: status %d: %s%s", status, out, errs)
	}
}

// A metric that a baseline does not hold was not 0 when it was written: a gate on it is refused, and it is in no comparison.
func TestAGateComparesOnlyWhatTheBaselineHolds(t *testing.T) {
	serve(t, counts(""))
	task := evalTask(t, 90, "{metric: accuracy, at_least: 0.6, min_gain: 0.05}")
	dir := t.TempDir()
	baseline := filepath.Join(dir, "baseline.json")
	mustRun(t, "gate", task, "build:prompt", "--baseline", baseline, "--write")
	b, err := os.ReadFile(baseline)
	if err != nil {
		t.Fatal(err)
	}
	var whole rung.Baseline
	if err := json.Unmarshal(b, &whole); err != nil {
		t.Fatal(err)
	}
	rewrite := func(name string, change func(*rung.Baseline)) string {
		t.Helper()
		var c rung.Baseline
		if err := json.Unmarshal(b, &c); err != nil {
			t.Fatal(err)
		}
		change(&c)
		out, err := json.Marshal(&c)
		if err != nil {
			t.Fatal(err)
		}
		put(t, dir, name, string(out))
		return filepath.Join(dir, name)
	}
	only := func(keep func(name string) bool) func(*rung.Baseline) {
		return func(c *rung.Baseline) {
			c.Metrics, c.Definitions = nil, nil
			for j, name := range whole.Metrics {
				if !keep(name) {
					continue
				}
				c.Metrics, c.Definitions = append(c.Metrics, name), append(c.Definitions, whole.Definitions[j])
				for i := range c.Examples {
					if len(c.Metrics) == 1 {
						c.Examples[i].Values, c.Examples[i].Parts = nil, nil
					}
					c.Examples[i].Values = append(c.Examples[i].Values, whole.Examples[i].Values[j])
					var parts []float64
					if whole.Examples[i].Parts != nil {
						parts = whole.Examples[i].Parts[j]
					}
					c.Examples[i].Parts = append(c.Examples[i].Parts, parts)
				}
			}
		}
	}
	bar := rewrite("bar.json", only(func(name string) bool { return name == "accuracy" }))
	status, out, errs := rungOut(t, "gate", task, "build:prompt", "--baseline", bar, "--json")
	var g rung.GateResult
	if err := json.Unmarshal([]byte(out), &g); err != nil || status != 0 {
		t.Fatalf("status %d, %v: %s", status, err, errs)
	}
	if len(g.Pair.Others) != 0 || !strings.Contains(strings.Join(g.Notes, " "), "macro_f1") {
		t.Errorf("compared with metrics that it does not hold: %+v; notes %q", g.Pair.Others, g.Notes)
	}
	other := rewrite("other.json", only(func(name string) bool { return name != "accuracy" }))
	if status, out, errs = rungOut(t, "gate", task, "build:prompt", "--baseline", other); status != 2 || !strings.Contains(errs, "accuracy") {
		t.Errorf("a gate on a metric that the baseline does not hold: status %d: %s%s", status, out, errs)
	}
	twice := rewrite("twice.json", func(c *rung.Baseline) { c.Examples = append(c.Examples, c.Examples...) })
	if status, out, errs = rungOut(t, "gate", task, "build:prompt", "--baseline", twice); status != 2 || !strings.Contains(errs, "twice") {
		t.Errorf("a baseline that holds its examples twice: status %d: %s%s", status, out, errs)
	}
}

// Metrics beside the deciding one are several chances to see a drift that is none: their p-values are adjusted among themselves.
func TestDriftOfOtherMetricsIsAdjusted(t *testing.T) {
	var wrong atomic.Value
	wrong.Store("")
	serve(t, func(c modeltest.Call) modeltest.Reply { return counts(wrong.Load().(string))(c) })
	task := evalTask(t, 60, "{metric: accuracy, at_least: 0.6}")
	text, err := os.ReadFile(task)
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Dir(task), "task.yaml", string(text)+"metrics:\n  - name: same\n    cel: output == expected\n  - name: evens\n    cel: output == \"even\"\n")
	first := evalJSON(t, task, "build:prompt", "--full")
	wrong.Store("abc")
	d := evalJSON(t, task, "--again", first.ID).Drift
	least := 1.
	for _, c := range d.Quality[1:] {
		least = min(least, c.P)
	}
	others := len(d.Quality) - 1
	for _, c := range d.Quality[1:] {
		if c.P == least && c.P*float64(others) < 1 && c.PHolm <= c.P {
			t.Errorf("%s of %d others: p %g, after Holm %g", c.Metric, others, c.P, c.PHolm)
		}
	}
	if others < 3 || least*float64(others) >= 1 {
		t.Fatalf("the test shows nothing: %d others, least p %g", others, least)
	}
}
