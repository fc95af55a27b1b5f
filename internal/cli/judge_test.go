package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/model/modeltest"
	"github.com/rung-dev/rung/internal/store/sqlite"
)

// judging answers as a model that is always right, and as a judge that is right about right answers and a point too kind to wrong ones.
func judging(judged *atomic.Int64) modeltest.Script {
	return func(c modeltest.Call) modeltest.Reply {
		if !strings.Contains(c.Messages[0].Content, "examiner") {
			w, _, _ := strings.Cut(c.Last(), "\n")
			return modeltest.Reply{Text: truth(w), In: 20, Out: 1}
		}
		judged.Add(1)
		if between(c.Last(), "right-answer") == between(c.Last(), "answer") {
			return modeltest.Reply{Text: `{"reason": "the same", "score": 5}`}
		}
		return modeltest.Reply{Text: `{"reason": "another", "score": 2}`}
	}
}

// between is what stands between the marks of a judge's request.
func between(text, tag string) string {
	_, rest, _ := strings.Cut(text, "\n<"+tag+" ")
	if rest == "" {
		_, rest, _ = strings.Cut(text, "<"+tag+" ")
	}
	_, rest, _ = strings.Cut(rest, ">\n")
	inside, _, _ := strings.Cut(rest, "\n</")
	return inside
}

const judgedTask = `metrics:
  - name: quality
    judge: {model: openai/judge, criteria: [{name: right, question: Is it right?}]}
rungs: [prompt]
`

// writeJudged is the task of words with a judge as the bar's metric.
func writeJudged(t *testing.T) string {
	t.Helper()
	file := writeTask(t, judgedTask)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Dir(file), "task.yaml", strings.Replace(string(text), "metric: accuracy, at_least: 0.6", "metric: quality, at_least: 0.6", 1))
	return file
}

// rateWords writes ratings of right and wrong answers by two people.
func rateWords(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	for i, w := range words[:60] {
		answer, human := truth(w), 5
		if i%2 == 0 {
			answer, human = "neither", 1
		}
		fmt.Fprintf(&b, `{"id": "w%d", "input": %q, "reference": %q, "answer": %q, "human": [%d, %d]}`+"\n", i, w, truth(w), answer, human, human)
	}
	put(t, dir, "rated.jsonl", b.String())
	return filepath.Join(dir, "rated.jsonl")
}

// TestAnUncalibratedJudgeCannotDecide: the climb says so, in words and in the document; once the judge is held against people it decides,
// by the figure with its bias taken out.
func TestAnUncalibratedJudgeCannotDecide(t *testing.T) {
	var judged atomic.Int64
	serve(t, judging(&judged))
	file := writeJudged(t)

	doc := climbJSON(t, file)
	o := doc.Rungs[0]
	if doc.Decision.Verdict == rung.Pass || o.Verdict != rung.Inconclusive || !strings.Contains(o.Reason, "not calibrated against people") {
		t.Errorf("verdict %s, %s: %s", doc.Decision.Verdict, o.Verdict, o.Reason)
	}
	if info := o.Scorecard.Judges; len(info) != 1 || info[0].Calibrated || info[0].MayDecide || info[0].Corrected != nil || info[0].Prompt != "rubric@1" {
		t.Errorf("the scorecard says %+v", info)
	}
	status, out, _ := rungOut(t, "report", "--store", filepath.Join(filepath.Dir(file), ".rung"), "--format", "md", "--out", "-")
	if status != 0 || !strings.Contains(out, "UNCALIBRATED JUDGE") {
		t.Errorf("the report (status %d) does not mark the judge", status)
	}

	before := judged.Load()
	status, out, errs := rungOut(t, "judge", "calibrate", file, "--ratings", rateWords(t, filepath.Dir(file)), "--pretend", "40")
	if status != 0 || !strings.Contains(out, "\nCALIBRATED: 60 answers with 120 ratings by up to 2 people") || !strings.Contains(out, "too kind") {
		t.Fatalf("status %d\n%s%s", status, out, errs)
	}
	if n := judged.Load() - before; n > 60 {
		t.Errorf("%d verdicts were asked for 60 answers", n)
	}

	doc = climbJSON(t, file)
	o = doc.Rungs[0]
	info := o.Scorecard.Judges[0]
	if o.Verdict != rung.Pass || !info.Calibrated || !info.MayDecide || info.Corrected == nil || info.Bias == nil || info.Rated != 60 ||
		len(info.Agreement) == 0 || info.Agreement[0].Measure == "" || info.Agreement[0].N != 60 || info.Agreement[0].Method == "" || info.Agreement[0].Low >= info.Agreement[0].High {
		t.Errorf("%s: %s; %+v", o.Verdict, o.Reason, info)
	}
	if c := info.Corrected; c != nil && (c.Value >= o.Metrics["quality"].Value || !strings.Contains(c.Method, "PPI++ with λ=1.00: 60 rated")) {
		t.Errorf("corrected %+v, raw %+v", *c, o.Metrics["quality"])
	}
}

// TestAJudgeWithoutAKeyIsFoundBeforeAnythingIsPaid, and what a judge will cost is said before.
func TestAJudgeWithoutAKeyIsFoundBeforeAnythingIsPaid(t *testing.T) {
	srv := serve(t, judging(new(atomic.Int64)))
	t.Setenv("ANTHROPIC_API_KEY", "")
	file := writeTask(t, `metrics:
  - name: quality
    judge: {model: anthropic/claude-haiku-4-5, criteria: [{name: right, question: Is it right?}, {name: kind, question: Is it kind?}]}
  - name: wins
    judge: {model: local/smollm2-135m, pairwise: true}
rungs: [prompt]
`)
	for _, args := range [][]string{{"climb", file}, {"eval", file, "build:prompt"}, {"gate", file, "build:prompt"}, {"compare", file, "build:prompt", "build:prompt"}} {
		if status, _, errs := rungOut(t, args...); status == 0 || !strings.Contains(errs, "ANTHROPIC_API_KEY") {
			t.Errorf("%v: status %d, %s", args, status, errs)
		}
	}
	if n := srv.Calls(); n > 0 {
		t.Errorf("%d calls were made", n)
	}
	status, out, _ := rungOut(t, "check", file, "--json")
	var doc checkReport
	if err := json.Unmarshal([]byte(out), &doc); err != nil || status != 0 {
		t.Fatalf("status %d, %v", status, err)
	}
	n := doc.Data.Heldout
	if j := doc.Judges; len(j) != 2 || j[0].PerAnswer != 2 || j[0].Heldout != 2*n || j[0].Dev || j[1].PerAnswer != 2 || j[1].Seconds < 2*j[0].Seconds || j[0].Seconds <= 0 {
		t.Errorf("judges %+v on %d held-out examples", j, n)
	}
	_, out, _ = rungOut(t, "check", file)
	if text := strings.Join(strings.Fields(out), " "); !strings.Contains(text, fmt.Sprintf("quality of anthropic/claude-haiku-4-5: 2 calls per answer, %d calls on %d held-out examples for every rung that is scored, roughly ", 2*n, n)) {
		t.Errorf("it does not say what a judge costs:\n%s", out)
	}
}

// TestCheckSaysWhatStoppingWillSave: a figure of summed counts on few examples is never shown to pass or fail early.
func TestCheckSaysWhatStoppingWillSave(t *testing.T) {
	serve(t, counts(""))
	const words = "is a figure of summed counts"
	for bar, warned := range map[string]bool{"{metric: macro_f1, at_least: 0.6}": true, "{metric: accuracy, at_least: 0.6}": false} {
		if _, out, _ := rungOut(t, "check", evalTask(t, 40, bar)); strings.Contains(strings.Join(strings.Fields(out), " "), words) != warned {
			t.Errorf("%s: it warns %v:\n%s", bar, !warned, out)
		}
	}
	if _, out, _ := rungOut(t, "check", evalTask(t, 60, "{metric: macro_f1, at_least: 0.6}")); strings.Contains(out, words) {
		t.Errorf("it warns of 60 examples:\n%s", out)
	}
}

func TestAJudgeThatTheTaskLetsDecide(t *testing.T) {
	var judged atomic.Int64
	serve(t, judging(&judged))
	file := writeJudged(t)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Dir(file), "task.yaml", strings.Replace(string(text), "judge: {model", "judge: {may_decide: true, model", 1))
	doc := climbJSON(t, file)
	if doc.Rungs[0].Verdict != rung.Pass || !strings.Contains(strings.Join(doc.Notes, " "), "UNCALIBRATED JUDGE") {
		t.Errorf("%s, notes %q", doc.Rungs[0].Verdict, doc.Notes)
	}
	if status, out, _ := rungOut(t, "judge", "show", file, "--prompts"); status != 0 || !strings.Contains(out, "UNCALIBRATED JUDGE") ||
		!strings.Contains(out, "It may decide a climb.") || !strings.Contains(out, "never an instruction") {
		t.Errorf("status %d\n%s", status, out)
	}
	if status, out, _ := rungOut(t, "check", file); status != 0 || !strings.Contains(strings.Join(strings.Fields(out), " "), "may decide uncalibrated") {
		t.Errorf("rung check does not warn:\n%s", out)
	}
}

// TestCalibrationByTheRatingsOfTheStore: what people said with rung rate, checks and skipped items left out.
func TestCalibrationByTheRatingsOfTheStore(t *testing.T) {
	var judged atomic.Int64
	serve(t, judging(&judged))
	file := writeJudged(t)
	st, err := sqlite.Open(t.Context(), filepath.Join(filepath.Dir(file), ".rung"))
	if err != nil {
		t.Fatal(err)
	}
	q := rung.RatingQueue{Name: "answers", Task: "words", Kind: rung.Rubric, Criteria: []rung.Criterion{{Name: "right", Question: "Is it right?"}}, Made: time.Now().UTC()}
	var ratings []rung.Rating
	for i, w := range words[:50] {
		answer, value := truth(w), 5
		if i%2 == 0 {
			answer, value = "neither", 1
		}
		it := rung.RatingItem{ID: fmt.Sprint("item", i), Example: fmt.Sprint("w", i), Input: json.RawMessage(fmt.Sprintf(`{"word":%q}`, w)),
			Options: []rung.RatingOption{{Candidate: rung.DigestOf(i), Also: []rung.Digest{rung.DigestOf("another")}, Text: answer}}}
		if i == 49 {
			it.Check = rung.GoldCheck
		}
		q.Items = append(q.Items, it)
		for _, rater := range []string{"ada", "ben"} {
			ratings = append(ratings, rung.Rating{Queue: q.Name, Task: q.Task, Item: it.ID, Example: it.Example, Rater: rater, Role: rung.AsRater,
				Candidates: []rung.Digest{it.Options[0].Candidate}, Values: map[string]int{"right": value}, Skipped: i == 48, Check: it.Check, At: time.Now().UTC()})
		}
	}
	if err := st.PutRatingQueue(t.Context(), &q); err != nil {
		t.Fatal(err)
	}
	if err := st.PutRatings(t.Context(), ratings); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	status, out, errs := rungOut(t, "judge", "calibrate", file, "--json")
	var got app.Calibrated
	if err := json.Unmarshal([]byte(out), &got); err != nil || status != 0 {
		t.Fatalf("status %d, %v: %s", status, err, errs)
	}
	if c := got.Calibrations[0]; c.Rated != 48 || c.Raters != 2 || !c.OK || c.Agreement[0].Name != "Krippendorff's α (ordinal) with people's median" {
		t.Errorf("%+v", c)
	}
	of := 0
	for _, o := range got.Calibrations[0].Kept {
		if o.By(rung.DigestOf("another")) {
			of++
		}
	}
	if of != 48 {
		t.Errorf("%d of 48 rated answers are known to be those of the candidate that gave the same ones", of)
	}
}

// TestAProgramAsTheBarsMetric: its scores decide like any other, are kept, and its failures are mistakes with reasons.
func TestAProgramAsTheBarsMetric(t *testing.T) {
	srv := serve(t, judging(new(atomic.Int64)))
	_ = srv
	file := writeTask(t, `metrics:
  - name: mine
    program: {run: [/bin/sh, mine.sh], timeout: 20s, processes: 1}
rungs: [prompt]
`)
	dir := filepath.Dir(file)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, "task.yaml", strings.Replace(string(text), "metric: accuracy", "metric: mine", 1))
	put(t, dir, "mine.sh", `while read -r line; do
  echo asked >> asked.txt
  case $line in *anchor*|*basket*|*candle*|*dragon*) echo "no idea" >&2; exit 1;; esac
  echo '{"score": 0.9}'
done
`)
	count := func() int {
		b, err := os.ReadFile(filepath.Join(dir, "asked.txt"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(b), "asked")
	}
	doc := climbJSON(t, file, "--full")
	o := doc.Rungs[0]
	iv := o.Metrics["mine"]
	failed := 0
	for _, m := range o.Scorecard.Mistakes {
		if strings.Contains(m.Kind, "died") {
			failed += m.Count
		}
	}
	if want := .9 * float64(o.N-failed) / float64(o.N); iv.N != o.N || iv.Value < want-1e-9 || iv.Value > want+1e-9 {
		t.Errorf("mine is %+v with %d failures of %d", iv, failed, o.N)
	}
	first := count()
	climbJSON(t, file, "--full")
	if again := count() - first; again > 8 { // what failed is asked again
		t.Errorf("the program was asked %d times again", again)
	}
}

// TestMetricsTest runs the tests beside metrics: a wrong one is told with its place, and check tells what it can without running things.
func TestMetricsTest(t *testing.T) {
	serve(t, judging(new(atomic.Int64)))
	file := writeTask(t, `metrics:
  - name: caps
    regex: '^[A-Z]'
    tests:
      - {output: Long, score: 1}
      - {output: long, score: 1}
  - name: same
    cel: output.size() > expected.size()
    tests: [{output: 5, expected: short, fails: true}, {output: longer, expected: long, score: 1}]
  - name: mine
    program: {run: [/bin/sh, mine.sh], timeout: 20s}
    tests: tests.jsonl
  - name: quality
    judge: {model: openai/judge, criteria: [{name: right, question: Is it right?}]}
    tests: [{input: {word: zip}, output: short, expected: short, at_least: 0.9}, {output: long, expected: short, at_most: 0.5}]
  - {name: bare, regex: x}
`)
	dir := filepath.Dir(file)
	put(t, dir, "mine.sh", `while read -r line; do case $line in *bad*) exit 1;; esac; echo '{"score": 0.5}'; done`)
	put(t, dir, "tests.jsonl", `{"output": "fine", "score": 0.4, "within": 0.1}`+"\n"+`{"output": "bad", "fails": true}`+"\n")
	status, out, errs := rungOut(t, "metrics", "test", file)
	if status != 2 || !strings.Contains(out, "7 of 8 tests passed.") || !strings.Contains(out, "Without a test: bare.") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	if !strings.Contains(errs, "the metric caps should give 1; it gave 0") || !strings.Contains(errs, "task.yaml:14:9") {
		t.Errorf("the fault is told as %s", errs)
	}
	status, out, _ = rungOut(t, "metrics", "test", file, "--metric", "mine", "--json")
	var doc metricsTested
	if err := json.Unmarshal([]byte(out), &doc); err != nil || status != 0 || !doc.OK || len(doc.Tests) != 2 {
		t.Errorf("status %d, %v, %+v", status, err, doc)
	}
	if status, _, errs := rungOut(t, "check", file); status != 2 || !strings.Contains(errs, "the metric caps should give 1") {
		t.Errorf("rung check: status %d, %s", status, errs)
	}
	if status, _, errs := rungOut(t, "metrics", "test", file, "--metric", "none"); status != 2 || !strings.Contains(errs, "no metric") {
		t.Errorf("status %d, %s", status, errs)
	}
}

func TestJudgeAgree(t *testing.T) {
	dir := t.TempDir()
	var b strings.Builder
	b.WriteString("id,first,second,human,judge\n")
	for i := range 60 {
		fmt.Fprintf(&b, "%d,one two three,four,\"[%d,%d,0]\",%d\n", i, 1+i%2, 1+i%2, 1+i%2)
	}
	put(t, dir, "pairs.csv", b.String())
	status, out, errs := rungOut(t, "judge", "agree", filepath.Join(dir, "pairs.csv"), "--pairwise", "--pretend", "30")
	if status != 0 || !strings.Contains(out, "CALIBRATED: 60 answers with 180 ratings by up to 3 people") || !strings.Contains(out, "Had only 30 of these been rated") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	for _, c := range []struct{ args, want string }{
		{"--scale 5", "is no scale"}, {"--map nothing", "does not say where"}, {"--map human=gone --pairwise", "no row has a rating"}, {"", "there is no answer"},
	} {
		args := append([]string{"judge", "agree", filepath.Join(dir, "pairs.csv")}, strings.Fields(c.args)...)
		if status, _, errs := rungOut(t, args...); status != 2 || !strings.Contains(errs, c.want) {
			t.Errorf("%q: status %d, %s", c.args, status, errs)
		}
	}
	if status, _, errs := rungOut(t, "judge", "agree", filepath.Join(dir, "gone.csv")); status != 2 || !strings.Contains(errs, "cannot be opened") {
		t.Errorf("status %d, %s", status, errs)
	}
}

func TestAJudgeNeedsRatings(t *testing.T) {
	serve(t, judging(new(atomic.Int64)))
	if status, _, errs := rungOut(t, "judge", "calibrate", writeJudged(t)); status != 7 || !strings.Contains(errs, "rung rate") {
		t.Errorf("status %d, %s", status, errs)
	}
	if status, _, errs := rungOut(t, "judge", "calibrate", writeTask(t, "")); status != 2 || !strings.Contains(errs, "the task has no judge") {
		t.Errorf("status %d, %s", status, errs)
	}
}

// TestJudgeCompare: which of two subjects answers better, asked in both orders, with the leaning of a judge that takes what it sees first.
func TestJudgeCompare(t *testing.T) {
	var judged atomic.Int64
	serve(t, func(c modeltest.Call) modeltest.Reply {
		if strings.Contains(c.Messages[0].Content, "examiner") {
			judged.Add(1)
			return modeltest.Reply{Text: `{"reason": "it comes first", "better": "1"}`}
		}
		w, _, _ := strings.Cut(c.Last(), "\n")
		if c.Model == "other" {
			return modeltest.Reply{Text: map[string]string{"long": "short", "short": "long"}[truth(w)]}
		}
		return modeltest.Reply{Text: truth(w)}
	})
	file := writeTask(t, "metrics:\n  - name: wins\n    judge: {model: openai/judge, pairwise: true}\nrungs: [prompt]\n")
	a := climbJSON(t, file).Rungs[0].Candidate
	b := climbJSON(t, file, "--model", "openai/other").Rungs[0].Candidate
	judged.Store(0)
	status, out, errs := rungOut(t, "judge", "compare", file, string(a[:16]), string(b[:16]), "--json")
	var m app.JudgeMatch
	if err := json.Unmarshal([]byte(out), &m); err != nil || status != 0 {
		t.Fatalf("status %d, %v: %s", status, err, errs)
	}
	if m.Wins.Value != .5 || m.Position == nil || m.Position.Figure.Value != 1 || !m.Position.Found || m.Order.Figure.Value != 1 || m.Corrected != nil || m.Equal != 0 {
		t.Errorf("%+v", m)
	}
	if n := judged.Load(); n > int64(2*m.Suite.N) { // the climb has asked about some of these pairs
		t.Errorf("%d verdicts were paid for %d pairs", n, m.Suite.N)
	}
	status, out, _ = rungOut(t, "judge", "compare", file, string(a[:16]), string(a[:16]))
	if text := strings.Join(strings.Fields(out), " "); status != 0 || !strings.Contains(text, "UNCALIBRATED JUDGE") || !strings.Contains(text, fmt.Sprintf("%d examples with equal answers are ties", m.Suite.N)) {
		t.Errorf("status %d\n%s", status, out)
	}
}
