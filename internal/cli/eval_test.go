package cli

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model/modeltest"
)

// evalTask makes a task of telling long words from short ones with n held-out examples in two segments.
func evalTask(t *testing.T, n int, bar string) string {
	t.Helper()
	dir := t.TempDir()
	var rows strings.Builder
	add := func(split string, i int) {
		w := words[i%len(words)] + words[(i*7+3)%len(words)] // of two, so that there are enough
		row := map[string]any{"id": fmt.Sprint(split, i), "input": map[string]string{"word": w}, "output": parity(w), "split": split, "segment": []string{"north", "south"}[i%2]}
		b, _ := json.Marshal(row)
		rows.Write(append(b, '\n'))
	}
	for i := range 6 {
		add("train", i)
	}
	for i := range 4 {
		add("dev", 6+i)
	}
	for i := range n {
		add("heldout", 10+i)
	}
	put(t, dir, "examples.jsonl", rows.String())
	put(t, dir, "task.yaml", `task: words
instructions: Say whether the number of letters is even or odd.
input: {word: string}
output: {labels: [even, odd]}
examples: examples.jsonl
bar: `+bar+`
models: [openai/test]
rungs: [prompt]
limits: {retries: 0, reasks: 0, timeout: 20s, concurrency: 4}
`)
	return filepath.Join(dir, "task.yaml")
}

func parity(w string) string { return []string{"even", "odd"}[len(w)%2] }

// counts answers rightly but for words that begin with a letter of wrong.
func counts(wrong string) modeltest.Script {
	return func(c modeltest.Call) modeltest.Reply {
		w, _, _ := strings.Cut(c.Last(), "\n")
		w = strings.TrimSpace(w)
		answer := parity(w)
		if strings.ContainsRune(wrong, rune(w[0])) {
			answer = parity(w + "x")
		}
		return modeltest.Reply{Text: answer, In: 20, Out: 1}
	}
}

func evalJSON(t *testing.T, args ...string) rung.Evaluation {
	t.Helper()
	var e rung.Evaluation
	decodeJSON(t, &e, append([]string{"eval", "--json"}, args...)...)
	return e
}

func TestEvalStopsWhenItIsClearAndWithFullDoesNot(t *testing.T) {
	srv := serve(t, counts(""))
	task := evalTask(t, 90, "{metric: accuracy, at_least: 0.6, min_gain: 0.05}")
	e := evalJSON(t, task, "build:prompt")
	if e.Verdict != rung.Pass || e.Stopped == nil || e.Stopped.Why != rung.StopPass || e.Stopped.Of != 90 || e.Scorecard.N != e.Stopped.N || e.Scorecard.N > 40 {
		t.Fatalf("verdict %s, n %d, stopped %+v: %s", e.Verdict, e.Scorecard.N, e.Stopped, e.Reason)
	}
	asked := srv.Calls()
	if asked > 80 {
		t.Errorf("%d calls were made", asked)
	}
	full := evalJSON(t, task, string(e.Subject.Digest), "--full")
	if full.Verdict != rung.Pass || full.Stopped != nil || full.Scorecard.N != 90 || full.Scorecard.Calls.Cached < e.Scorecard.N {
		t.Errorf("verdict %s, n %d, calls %+v", full.Verdict, full.Scorecard.N, full.Scorecard.Calls)
	}
	for name, iv := range full.Scorecard.Metrics {
		if iv.N != 90 || iv.Level != .95 || iv.Method == "" {
			t.Errorf("%s: %+v", name, iv)
		}
	}
	if len(full.Segments) != 2 || full.Segments[0].N+full.Segments[1].N != 90 {
		t.Errorf("segments %+v", full.Segments)
	}
	text := mustRun(t, "eval", task, string(e.Subject.Digest))
	for _, part := range []string{"PASS", fmt.Sprintf("Stopped after %d of 90", e.Stopped.N), "betting confidence sequence", "Evaluation "} {
		if !strings.Contains(text, part) {
			t.Errorf("it does not say %q:\n%s", part, text)
		}
	}
	if list := mustRun(t, "eval", "--list", "--store", filepath.Join(filepath.Dir(task), ".rung")); strings.Count(list, "\n") != 3 {
		t.Errorf("listed\n%s", list)
	}
}

// An answer that comes by chance is split into what examples differ by and what answers differ by.
func TestSeveralAnswersPerExample(t *testing.T) {
	var n atomic.Int64
	serve(t, func(c modeltest.Call) modeltest.Reply {
		if n.Add(1)%2 == 0 {
			return modeltest.Reply{Text: "even", In: 20, Out: 1}
		}
		return modeltest.Reply{Text: "odd", In: 20, Out: 1}
	})
	task := evalTask(t, 30, "{metric: accuracy, at_least: 0.9}")
	e := evalJSON(t, task, "build:prompt", "--answers", "4", "--full")
	if e.Answers != 4 || e.Scorecard.N != 30 || e.Scorecard.Calls.Made+e.Scorecard.Calls.Cached != 120 {
		t.Fatalf("n %d, calls %+v", e.Scorecard.N, e.Scorecard.Calls)
	}
	iv := e.Scorecard.Metrics["accuracy"]
	if iv.N != 30 || !strings.Contains(iv.Method, "4 answers each") || !strings.Contains(iv.Method, "cluster") {
		t.Errorf("%+v", iv)
	}
	v := e.Variance[slices.IndexFunc(e.Variance, func(v rung.Variance) bool { return v.Metric == "accuracy" })]
	if v.N != 30 || v.Answers != 4 || v.Sampling < .1 || v.SamplingShare < .3 {
		t.Errorf("variance %+v", v)
	}
}

func TestAgainTellsDriftFromChance(t *testing.T) {
	var wrong atomic.Value
	wrong.Store("")
	serve(t, func(c modeltest.Call) modeltest.Reply { return counts(wrong.Load().(string))(c) })
	task := evalTask(t, 60, "{metric: accuracy, at_least: 0.6}")
	first := evalJSON(t, task, "build:prompt", "--full")
	same := evalJSON(t, task, "--again", first.ID)
	if d := same.Drift; d == nil || d.Found || d.N != 60 || d.Changed.Value != 0 || d.Noise == nil || d.Noise.N != 60 {
		t.Fatalf("drift %+v", same.Drift)
	}
	if same.Of != first.ID || same.Scorecard.Calls.Cached != 0 {
		t.Errorf("repeats %q with %d stored answers", same.Of, same.Scorecard.Calls.Cached)
	}
	wrong.Store("abcdefghijklm") // the provider changes its model
	worse := evalJSON(t, task, "--again", first.ID)
	d := worse.Drift
	if !d.Found || d.Changed.Value < .3 || d.Noise.Value != 0 || d.Quality[0].Difference.Value >= 0 || d.Quality[0].Metric != "accuracy" {
		t.Errorf("drift %+v", d)
	}
	// The first evaluation is still what it was.
	again := evalJSON(t, task, "--again", first.ID, "--repeat", "-1")
	if again.Drift.Noise != nil || !again.Drift.Found {
		t.Errorf("drift %+v", again.Drift)
	}
	early := evalJSON(t, task, string(first.Subject.Digest)) // it stops
	if early.Stopped == nil {
		t.Fatal("the evaluation did not stop early, so nothing is shown")
	}
	if d := evalJSON(t, task, "--again", early.ID).Drift; d.N != early.Stopped.N || !strings.Contains(d.TestChanged, "valid at any stop") || !strings.Contains(d.Changed.Method, "betting") ||
		!strings.Contains(d.Noise.Method, "betting") || !strings.Contains(d.Quality[0].Difference.Method, "betting") {
		t.Errorf("drift against an evaluation that stopped early: %+v", d)
	}
	text := mustRun(t, "eval", task, "--again", first.ID)
	for _, part := range []string{"DRIFT against " + first.ID, "accuracy has fallen", "more answers changed than change by chance", "exact McNemar"} {
		if !strings.Contains(text, part) {
			t.Errorf("it does not say %q:\n%s", part, text)
		}
	}
}

func TestCompareIsPairedAndSaysHow(t *testing.T) {
	srv := serve(t, counts(""))
	task := evalTask(t, 80, "{metric: accuracy, at_least: 0.6, min_gain: 0.05}")
	good := evalJSON(t, task, "build:prompt", "--full")
	bad := serve(t, counts("abcdef"))
	base := os.Getenv("OPENAI_BASE_URL")
	t.Setenv("OPENAI_BASE_URL", base)
	endpoint := base + "#other"
	dir := t.TempDir()
	var m rung.Matchup
	decodeJSON(t, &m, "compare", "--json", task, "eval:"+good.ID, endpoint, "-o", dir)
	if len(m.Subjects) != 2 || len(m.Pairs) != 1 {
		t.Fatalf("%+v", m)
	}
	p := m.Pairs[0]
	if p.N != 80 || p.Broken == 0 || p.Fixed != 0 || p.BothRight+p.Broken+p.BothWrong != 80 || !p.Deciding.Significant || p.Deciding.Difference.Value >= 0 {
		t.Errorf("pair %+v", p)
	}
	if p.Deciding.Test != "exact McNemar" || p.Deciding.Family != 1 || len(p.Segments) != 2 || p.Segments[0].Shift.Family != 2 || p.Equivalence == nil || p.Equivalence.Shown {
		t.Errorf("deciding %+v, segments %+v", p.Deciding, p.Segments)
	}
	calls := srv.Calls() + bad.Calls()
	mustRun(t, "compare", task, "eval:"+good.ID, endpoint)
	if n := srv.Calls() + bad.Calls() - calls; n != 0 {
		t.Errorf("%d calls were paid for again", n)
	}
	page, err := os.ReadFile(filepath.Join(dir, "comparison.html"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "comparison.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"is worse than", "exact McNemar", "n = 80"} {
		if !strings.Contains(string(page), part) {
			t.Errorf("the page does not say %q", part)
		}
	}
	if !strings.Contains(string(text), "| **accuracy** |") {
		t.Errorf("the Markdown is\n%s", text)
	}
	var same rung.Matchup
	decodeJSON(t, &same, "compare", "--json", task, "eval:"+good.ID, "eval:"+good.ID)
	var other rung.Matchup
	decodeJSON(t, &other, "compare", "--json", task, "eval:"+good.ID, endpoint, "--metric", "macro_f1")
	if p := other.Pairs[0]; p.Equivalence != nil || other.MinGain != 0 || p.Deciding.Practical || strings.Contains(p.Finding, "min_gain") {
		t.Errorf("min_gain is in the unit of accuracy and was held against macro_f1: %+v, %s", p.Deciding, p.Finding)
	}
	if q := same.Pairs[0].Equivalence; !q.Shown || !strings.Contains(same.Pairs[0].Finding, "shown to be the same") {
		t.Errorf("of itself: %+v, %s", q, same.Pairs[0].Finding)
	}
}

func TestGate(t *testing.T) {
	var wrong atomic.Value
	wrong.Store("")
	serve(t, func(c modeltest.Call) modeltest.Reply { return counts(wrong.Load().(string))(c) })
	task := evalTask(t, 90, "{metric: accuracy, at_least: 0.6, min_gain: 0.05}")
	dir := t.TempDir()
	baseline, junit, markdown := filepath.Join(dir, "baseline.json"), filepath.Join(dir, "gate.xml"), filepath.Join(dir, "gate.md")
	mustRun(t, "gate", task, "build:prompt", "--baseline", baseline, "--write")
	b, err := os.ReadFile(baseline)
	if err != nil || strings.Contains(string(b), words[20]) || strings.Count(string(b), "\n") != 92 {
		t.Fatalf("the baseline has texts, or not one line per example: %v, %d lines", err, strings.Count(string(b), "\n"))
	}
	fresh := t.TempDir() // the store of another machine
	gate := func(want int, args ...string) string {
		t.Helper()
		status, out, errs := rungOut(t, append([]string{"gate", task, "baseline", "--baseline", baseline, "--fresh", "--store", fresh}, args...)...)
		if status != want {
			t.Errorf("status %d, want %d: %s%s", status, want, out, errs)
		}
		return out
	}
	out := gate(0, "--junit", junit, "--markdown", markdown, "--annotations", "--bar")
	if !strings.Contains(out, "::notice title=rung gate%2C baseline%3A accuracy within 0.05::") || !strings.Contains(out, "PASS") {
		t.Errorf("it printed\n%s", out)
	}
	if !regexp.MustCompile(`bar%3A accuracy::accuracy is .* \(95 %25 interval, n=90\), .*; interval by Wilson`).MatchString(out) {
		t.Errorf("the figure of the bar has no n, interval or method where it stands alone:\n%s", out)
	}
	wrong.Store("abcdefghijk")
	out = gate(9, "--junit", junit, "--annotations")
	if !strings.Contains(out, "::error") || !strings.Contains(out, "right in the baseline, wrong now") || !strings.Contains(out, "worse by more than 0.05") {
		t.Errorf("it printed\n%s", out)
	}
	var suites struct {
		Suite struct {
			Tests    int `xml:"tests,attr"`
			Failures int `xml:"failures,attr"`
			Cases    []struct {
				Name    string    `xml:"name,attr"`
				Failure *struct{} `xml:"failure"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	x, err := os.ReadFile(junit)
	if err != nil {
		t.Fatal(err)
	}
	if err := xml.Unmarshal(x, &suites); err != nil || suites.Suite.Tests != 1 || suites.Suite.Failures != 1 || suites.Suite.Cases[0].Failure == nil {
		t.Errorf("%v\n%s", err, x)
	}
	wrong.Store("q")
	out = strings.Join(strings.Fields(gate(10, "--margin", "0.001")), " ")
	if hint := regexp.MustCompile(`accuracy − baseline is [+−.\d]+ \[−\.\d{3}, [+−.\d]+\] \(95 % interval, n=90, .* examples would settle it, were the difference the one seen \(power 0\.8\), or a margin of \.\d{3} would pass`); !hint.MatchString(out) {
		t.Errorf("it does not say what would settle it:\n%s", out)
	}
	gate(0, "--margin", "0.001", "--allow-inconclusive")
	if status, _, errs := rungOut(t, "gate", task, "build:prompt", "--at-least", "2"); status != 2 {
		t.Errorf("status %d: %s", status, errs)
	}
	put(t, dir, "broken.json", `{"rung_baseline":7}`)
	if status, _, errs := rungOut(t, "gate", task, "build:prompt", "--baseline", filepath.Join(dir, "broken.json")); status != 2 || !strings.Contains(errs, "format 7") {
		t.Errorf("status %d: %s", status, errs)
	}
}

// TestABaselineKnowsItsMetrics: what is defined otherwise than when the baseline was written is compared with nothing, and refused where it
// decides.
func TestABaselineKnowsItsMetrics(t *testing.T) {
	serve(t, counts(""))
	task := evalTask(t, 40, "{metric: accuracy, at_least: 0.6, min_gain: 0.2}\nmetrics:\n  - {name: shape, regex: '^[eo]'}")
	text, err := os.ReadFile(task)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(task)
	baseline := filepath.Join(dir, "baseline.json")
	mustRun(t, "gate", task, "build:prompt", "--baseline", baseline, "--write")
	gate := func(want int, args ...string) string {
		t.Helper()
		status, out, errs := rungOut(t, append([]string{"gate", task, "build:prompt", "--baseline", baseline}, args...)...)
		if status != want {
			t.Errorf("status %d, want %d: %s%s", status, want, out, errs)
		}
		return strings.Join(strings.Fields(out+errs), " ")
	}
	if out := gate(0); strings.Contains(out, "definition") || strings.Contains(out, "defined") {
		t.Errorf("nothing has changed:\n%s", out)
	}
	gate(0, "--metric", "shape", "--margin", "0.2")
	put(t, dir, "task.yaml", strings.Replace(string(text), "instructions: Say", "instructions: Please say", 1)) // the change that is gated
	if out := gate(0, "--metric", "shape", "--margin", "0.2"); strings.Contains(out, "defin") {
		t.Errorf("another prompt is no other metric:\n%s", out)
	}
	put(t, dir, "task.yaml", strings.Replace(string(text), "'^[eo]'", "'^e'", 1))
	if out := gate(0); !strings.Contains(out, "The definition has changed since the baseline of shape: they are in no comparison.") {
		t.Errorf("it does not say that a metric has changed:\n%s", out)
	}
	if out := gate(2, "--metric", "shape"); !strings.Contains(out, "shape is not defined as it was when the baseline was written") {
		t.Errorf("a changed metric decides:\n%s", out)
	}
	b, err := os.ReadFile(baseline)
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, "baseline.json", regexp.MustCompile(`"definitions":\[[^\]]*\],`).ReplaceAllString(string(b), ""))
	if out := gate(0); !strings.Contains(out, "does not say how its metrics were defined") {
		t.Errorf("a baseline without definitions:\n%s", out)
	}
}

func TestSubjectsThatAreNotThere(t *testing.T) {
	serve(t, counts(""))
	task := evalTask(t, 25, "{metric: accuracy, at_least: 0.6}")
	for ref, want := range map[string]int{"nothing": 7, "latest:prompt": 7, "build:stairs": 2, "http://localhost:1/v1": 2, "http://user:pass@localhost:1/v1#m": 2, "words@v9": 7} {
		status, _, errs := rungOut(t, "eval", task, ref)
		if status != want || strings.Contains(errs, "pass@") {
			t.Errorf("%s: status %d, want %d: %s", ref, status, want, errs)
		}
	}
	if status, _, errs := rungOut(t, "eval", task, "build:prompt", "--suite", "nowhere.jsonl"); status != 2 {
		t.Errorf("status %d: %s", status, errs)
	}
	if status, _, errs := rungOut(t, "eval", task, "build:prompt", "--metric", "bleu"); status != 2 {
		t.Errorf("status %d: %s", status, errs)
	}
}
