//go:build unix

package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/store/sqlite"
)

const labelTask = `task: sms
instructions: Is this message spam?
input: {text: string}
output: {labels: [ham, spam]}
examples: ex.jsonl
bar: {metric: accuracy, at_least: 0.9}
models: [local/smollm2-135m]
`

// labelProject is a directory with a task, its examples and a file of rows that nobody has labelled.
func labelProject(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	var examples, pool strings.Builder
	for i := range 60 {
		fmt.Fprintf(&examples, `{"id":"e%d","text":"example %d about %s & more","output":%q}`+"\n", i, i*7919, []string{"dinner at home", "a prize to claim"}[i%2], []string{"ham", "spam"}[i%2])
		fmt.Fprintf(&pool, `{"id":"p%d","text":"message %d about %s & so on","output":"ham"}`+"\n", i, i*104729, []string{"the bus tonight", "cheap loans now"}[i%2])
	}
	put(t, dir, "ex.jsonl", examples.String())
	put(t, dir, "pool.jsonl", pool.String())
	put(t, dir, "task.yaml", text)
	t.Chdir(dir)
	return dir
}

// piped runs a command with lines for its standard input.
func piped(t *testing.T, in string, args ...string) string {
	t.Helper()
	var out, errs strings.Builder
	if status := Main(context.Background(), args, Streams{In: strings.NewReader(in), Out: &out, Err: &errs}); status != 0 {
		t.Fatalf("rung %v: status %d: %s", args, status, errs.String())
	}
	return out.String()
}

// TestLabelCommands goes the whole way: a queue of chosen rows, two labellers in the terminal, agreement, adjudication, rows that a task
// takes, a second queue that passes over what is labelled, and another store.
func TestLabelCommands(t *testing.T) {
	dir := labelProject(t, labelTask)
	put(t, dir, "guide.md", "# Guide\n\nSpam is **offers**.\n")
	dry := decoded[labelPlan](t, mustRun(t, "label", "make", "q1", "task.yaml", "--rows", "pool.jsonl", "--items", "20", "--raters", "ada,ben", "--overlap", "all", "--dry-run", "--json"))
	if dry.Made || dry.Plan.Items != 20 || dry.Plan.Overlap != 20 || dry.Pool.Rows != 60 || dry.Pool.Random < 4 || dry.Plan.Gold == 0 {
		t.Fatalf("%+v %+v", dry, dry.Pool)
	}
	out := mustRun(t, "label", "make", "q1", "task.yaml", "--rows", "pool.jsonl", "--items", "20", "--raters", "ada,ben", "--overlap", "all", "--guidelines", "guide.md")
	for _, want := range []string{"drawn at random alone", "uncertainty of a small model", "Krippendorff", "rung label q1 --rater NAME"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
	asks := dry.Plan.Asks[0]
	out = piped(t, "9\neggs\ng\n1\nspa\nu\n2\nq\n", "label", "q1", "--rater", "ada", "--terminal")
	for _, want := range []string{"no label has eggs in it", "**offers**", "you said: spam", "the same command goes on here", fmt.Sprintf("2 of %d", asks)[:4]} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
	for _, hidden := range []string{"gold", "uncertainty", "coverage", "random", "e1\"", `"ham"`} {
		if strings.Contains(out, hidden) {
			t.Errorf("the labeller is shown %q", hidden)
		}
	}
	piped(t, strings.Repeat("1\n", asks), "label", "q1", "--rater", "ada", "--terminal")
	piped(t, strings.Repeat("1\n", asks), "label", "q1", "--rater", "ben", "--terminal")
	shown := decoded[labelShown](t, mustRun(t, "label", "show", "q1", "--json"))
	if len(shown.Raters) != 2 || shown.Raters[0].Done != asks || shown.Raters[0].Gold == nil || len(shown.Agreement) == 0 || shown.Disagreements.Open > 2 || shown.Rows.Open != 0 {
		t.Fatalf("%+v, rows %+v", shown.Result, shown.Rows)
	}
	piped(t, strings.Repeat("2\n", shown.Disagreements.Open), "label", "adjudicate", "q1", "--rater", "lead", "--terminal")
	text := mustRun(t, "label", "show", "q1")
	for _, want := range []string{"Agreement of raters", "Krippendorff's α, nominal", "accuracy on known", "20 rows can be exported", "drawn at random"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if watched := mustRun(t, "label", "show", "q1", "--watch", "1s"); strings.Count(watched, "Agreement of raters") != 1 {
		t.Errorf("all is labelled, and it is watched still:\n%s", watched)
	}
	mustRun(t, "label", "export", "q1", "-o", "labelled.jsonl")
	labelledIsTaken(t, dir)
	second := decoded[labelPlan](t, mustRun(t, "label", "make", "q2", "task.yaml", "--rows", "pool.jsonl", "--choose", "uncertainty", "--items", "10", "--json"))
	if second.Skipped != 20 || second.Pool.Rows != 40 {
		t.Errorf("labelled rows are chosen again: %+v %+v", second, second.Pool)
	}
	if list := mustRun(t, "label", "list"); !strings.Contains(list, "q2") || strings.Contains(mustRun(t, "rate", "list"), "q2") {
		t.Errorf("%s", list)
	}
	mustRun(t, "label", "export", "q1", "--format", "rung", "-o", "q1.json")
	other := filepath.Join(t.TempDir(), "store")
	if err := os.Mkdir(other, 0o700); err != nil {
		t.Fatal(err)
	}
	labelsElsewhere(t, other)
	if got := decoded[rateImported](t, mustRun(t, "label", "import", "q1.json", "--store", other, "--json")); !got.Made || got.New != got.Read || got.New < 2*asks {
		t.Errorf("%+v", got)
	}
}

// labelsElsewhere: labels go to Label Studio's form and to lines and come back; nothing of them is new where they came from, all of it is
// where the queue came without them.
func labelsElsewhere(t *testing.T, empty string) {
	t.Helper()
	for _, format := range []string{"label-studio", "labels"} {
		file := "q1." + format + ".json"
		mustRun(t, "label", "export", "q1", "--format", format, "-o", file)
		if got := decoded[rateImported](t, mustRun(t, "label", "import", file, "--format", format, "--json")); got.Made || got.New != 0 || got.Read == 0 || got.Unknown != 0 {
			t.Errorf("%s: %+v", format, got)
		}
		if status, _, errs := rungCommand(t, "label", "import", file, "--format", format, "--store", empty); status == 0 || !strings.Contains(errs, "q1") {
			t.Errorf("%s: labels of a queue that is not there: status %d, %s", format, status, errs)
		}
	}
	if blind := mustRun(t, "label", "export", "q1", "--format", "label-studio", "--blind"); strings.Contains(blind, `"ada"`) || strings.Contains(blind, "ground_truth") {
		t.Errorf("a blind file:\n%s", blind)
	}
	if config := mustRun(t, "label", "export", "q1", "--label-config"); !strings.Contains(config, `<Choice value="ham"/>`) {
		t.Errorf("%s", config)
	}
	for _, bad := range [][]string{{"export", "q1", "--format", "csv"}, {"export", "q1", "--blind"}, {"import", "q1.labels.json", "--format", "rows"}} {
		if status, _, _ := rungCommand(t, append([]string{"label"}, bad...)...); status != 2 {
			t.Errorf("%v: status %d", bad, status)
		}
	}
}

// labelledIsTaken: the exported rows are rows of a dataset, and examples of the task.
func labelledIsTaken(t *testing.T, dir string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, "labelled.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	for _, line := range lines {
		var row rung.DatasetRow
		if err := json.Unmarshal([]byte(line), &row); err != nil || len(row.Output) == 0 || !strings.Contains(line, " & so on") || row.ID == "" {
			t.Fatalf("%v: %s", err, line)
		}
	}
	if len(lines) != 20 {
		t.Errorf("%d rows", len(lines))
	}
	put(t, dir, "more.yaml", strings.Replace(labelTask, "examples: ex.jsonl", "examples: [ex.jsonl, labelled.jsonl]", 1))
	if status, out, errs := rungCommand(t, "check", "more.yaml"); status != 0 && !strings.Contains(out, "80") {
		t.Errorf("status %d: %s %s", status, out, errs)
	}
}

// TestLabelCorrections: people correct a subject's mistakes on dev; the corrections are counter-examples, and the modes that they mark are
// confirmed in the store. Mistakes on held-out examples are refused.
func TestLabelCorrections(t *testing.T) {
	c, dir := storedClimb(t)
	task := filepath.Join(dir, "task.yaml")
	put(t, dir, "task.yaml", strings.Replace(labelTask, "task: sms", "task: "+c.Doc.Task, 1))
	put(t, dir, "ex.jsonl", `{"id":"a","text":"x","output":"ham"}`+"\n"+`{"id":"b","text":"y","output":"spam"}`+"\n")
	status, _, errs := rungCommand(t, "label", "make", "fix", task, "--mistakes", "lora")
	if status == 0 || !strings.Contains(errs, "held-out") {
		t.Fatalf("status %d: %s", status, errs)
	}
	st, err := sqlite.Open(context.Background(), filepath.Join(dir, storeName))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	candidate, set := onDev(t, st, c.Doc.Task)
	out := mustRun(t, "label", "make", "fix", task, "--mistakes", "dev-run", "--choose", "random")
	if !strings.Contains(out, "3 items") {
		t.Fatalf("%s", out)
	}
	out = piped(t, "m\n1, 3\n2\n2\n1\n", "label", "fix", "--rater", "ada", "--terminal")
	if !strings.Contains(out, "Answer that was given") || !strings.Contains(out, "m failure modes (format, wrong_fact)") {
		t.Errorf("%s", out)
	}
	var rows []rung.DatasetRow
	for line := range strings.Lines(mustRun(t, "label", "export", "fix")) {
		rows = append(rows, decoded[rung.DatasetRow](t, line))
	}
	if len(rows) != 2 || rows[0].Counter == "" || len(rows[0].Modes)+len(rows[1].Modes) == 0 { // one answer was right as it was
		t.Errorf("%+v", rows)
	}
	labels, err := st.Modes(context.Background(), candidate, set)
	confirmed := 0
	for _, l := range labels {
		if l.Status == rung.ModeConfirmed && l.By == "ada" && l.Wrong != "" {
			confirmed++
		}
	}
	if err != nil || confirmed != 2 {
		t.Errorf("%v, %d confirmed of %+v", err, confirmed, labels)
	}
}

// onDev keeps an evaluation on dev with three wrong answers.
func onDev(t *testing.T, st *sqlite.Store, task string) (candidate, set rung.Digest) {
	t.Helper()
	ctx := context.Background()
	var examples []rung.Example
	var scores []rung.Score
	for i := range 5 {
		examples = append(examples, rung.Example{ID: fmt.Sprint("d", i), Input: json.RawMessage(fmt.Sprintf(`{"text":"dev %d"}`, i)), Output: json.RawMessage(`"spam"`)})
		answer := []string{`"ham"`, `"ham"`, `"ham"`, `"spam"`, `"spam"`}[i]
		scores = append(scores, rung.Score{Example: examples[i].ID, Success: i > 2, Mistake: "wrong label", Answer: rung.Answer{Text: "ham", Value: json.RawMessage(answer)}})
	}
	candidate, set = rung.DigestOf("dev candidate"), rung.DigestOf("dev set")
	doc := rung.Evaluation{ID: "dev-run", Task: task, Subject: rung.SubjectInfo{Name: "dev-subject", Digest: candidate}, Scores: set, Suite: rung.SuiteInfo{Name: "dev", Split: rung.Dev, N: 5, Digest: set}, Answers: 1}
	if err := report.KeepExamples(ctx, st, rung.Freeze(examples, set)); err != nil {
		t.Fatal(err)
	}
	if err := st.PutScores(ctx, store.Card{Candidate: candidate, Set: set}, scores); err != nil {
		t.Fatal(err)
	}
	if err := st.PutEvaluation(ctx, store.Evaluation{ID: doc.ID, Task: task, Document: mustJSON(t, doc)}); err != nil {
		t.Fatal(err)
	}
	if _, err := app.FindScored(ctx, st, task, "dev-run", ""); err != nil {
		t.Fatal(err)
	}
	return candidate, set
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestSIGKILLLosesNoLabel kills the process of the page right after it acknowledged a label; the next one goes on behind it.
func TestSIGKILLLosesNoLabel(t *testing.T) {
	labelProject(t, labelTask)
	mustRun(t, "label", "make", "q", "task.yaml", "--rows", "pool.jsonl", "--checks", "0")
	for done := range 3 {
		cmd := exec.Command(os.Args[0], "label", "q", "--rater", "ada", "--json")
		cmd.Env = append(os.Environ(), "RUNG_TEST_MAIN=1")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		p := &process{cmd: cmd}
		t.Cleanup(p.kill)
		var start rateStart
		if err := json.NewDecoder(out).Decode(&start); err != nil {
			t.Fatalf("it does not listen: %v", err)
		}
		state := page(t, http.MethodGet, start.URL+"state", "")
		if start.Done != done || state.Question == nil || state.Form == nil || len(state.Form.Labels) != 2 {
			t.Fatalf("after %d acknowledged labels and as many kills: %+v %+v", done, start, state)
		}
		page(t, http.MethodPost, start.URL+"rate", fmt.Sprintf(`{"item":%q,"text":"ham"}`, state.Question.Item))
		p.kill()
	}
}

// TestLabelByStoredAnswers: where the store has answers of subjects to rows of the pool, rows with differing answers to one input and rows
// on which subjects differ are chosen.
func TestLabelByStoredAnswers(t *testing.T) {
	dir := labelProject(t, labelTask)
	ctx := context.Background()
	st, err := sqlite.Open(ctx, filepath.Join(dir, storeName))
	if err != nil {
		t.Fatal(err)
	}
	var examples []rung.Example
	for i := range 60 {
		examples = append(examples, rung.Example{ID: fmt.Sprint("s", i), Input: json.RawMessage(fmt.Sprintf(`{"text":"message %d about %s & so on"}`, i*104729, []string{"the bus tonight", "cheap loans now"}[i%2])), Output: json.RawMessage(`"ham"`)})
	}
	set := rung.DigestOf("pool set")
	if err := report.KeepExamples(ctx, st, rung.Freeze(examples, set)); err != nil {
		t.Fatal(err)
	}
	// The first subject wavers on rows 0 to 4; the second differs from it on rows 10 to 14.
	for s, name := range []string{"first", "second"} {
		scores := rung.DigestOf(name)
		for sample := range 2 {
			var list []rung.Score
			for i := range examples {
				answer := `"ham"`
				if s == 0 && sample == 1 && i < 5 || s == 1 && i >= 10 && i < 15 {
					answer = `"spam"`
				}
				list = append(list, rung.Score{Example: examples[i].ID, Answer: rung.Answer{Value: json.RawMessage(answer)}})
			}
			under := scores
			if sample == 1 {
				under = rung.DigestOf([]any{"sample", scores, sample})
			}
			if err := st.PutScores(ctx, store.Card{Candidate: rung.DigestOf(name + "'s"), Set: under}, list); err != nil {
				t.Fatal(err)
			}
		}
		doc := rung.Evaluation{ID: "eval-" + name, Task: "sms", Subject: rung.SubjectInfo{Name: name, Digest: rung.DigestOf(name + "'s")}, Scores: scores, Suite: rung.SuiteInfo{Name: "inbox", N: 60, Digest: set}, Answers: 2}
		if err := st.PutEvaluation(ctx, store.Evaluation{ID: doc.ID, Task: "sms", Document: mustJSON(t, doc)}); err != nil {
			t.Fatal(err)
		}
	}
	for choose, want := range map[string][2]int{"uncertainty": {0, 5}, "disagreement": {10, 15}} {
		out := mustRun(t, "label", "make", "by-"+choose, "task.yaml", "--rows", "pool.jsonl", "--choose", choose, "--items", "7", "--again", "--checks", "0")
		if !strings.Contains(out, "answers of ") || !strings.Contains(out, "first on inbox") {
			t.Errorf("%s", out)
		}
		q, err := st.RatingQueue(ctx, "by-"+choose)
		if err != nil {
			t.Fatal(err)
		}
		among, chosen := 0, 0
		for i := range q.Items {
			var n int
			if _, err := fmt.Sscanf(q.Items[i].Example, "p%d", &n); err != nil {
				t.Fatal(err)
			}
			if q.Items[i].Chosen == choose {
				chosen++
				if n >= want[0] && n < want[1] {
					among++
				}
			}
		}
		if chosen < 4 || among != chosen {
			t.Errorf("%s: %d of %d chosen rows are those that differ", choose, among, chosen)
		}
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestSmallQueuesSayWhatTheyHold: with few rows each has all the labellers, and nothing was chosen; the plan does not say otherwise.
func TestSmallQueuesSayWhatTheyHold(t *testing.T) {
	dir := labelProject(t, labelTask)
	put(t, dir, "few.jsonl", `{"text":"where is the bus"}`+"\n"+`{"text":"claim your cheap loan now"}`+"\n"+`{"text":"shall we meet at nine"}`+"\n")
	out := piped(t, "", "label", "make", "small", "task.yaml", "--rows", "few.jsonl", "--raters", "ada,ben,cy", "--per-item", "3")
	for _, want := range []string{"3 items have 3 raters each: too few to know agreement by", "Chosen out of 3 rows: 3 by random."} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	for _, never := range []string{"Hardly any item", "the others were chosen"} {
		if strings.Contains(out, never) {
			t.Errorf("%q in:\n%s", never, out)
		}
	}
}
