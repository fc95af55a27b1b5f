package cli

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/store/sqlite"
)

// inProject goes to a new directory with files.
func inProject(t *testing.T, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		put(t, dir, name, text)
	}
	t.Chdir(dir)
}

const deskRows = `{"input": {"text": "I was charged twice, write to ann.miller@example.org"}, "output": "billing"}
{"input": {"text": "I was charged twice; write to ann.miller@example.org"}, "output": "billing"}
{"input": {"text": "nothing came today and it was to come on Monday"}, "output": "delivery"}
{"input": {"text": "how long is the shop open"}, "output": "other"}
{"input": {"text": "the box lay in the rain all night"}, "output": "delivery"}
{"input": {"text": "do you sell lamps"}, "output": "other"}
no row
`

// TestDataCommandsFromFilesToAnswers: what init writes, build takes; show and why read the folder.
func TestDataCommandsFromFilesToAnswers(t *testing.T) {
	inProject(t, map[string]string{"desk.jsonl": deskRows})
	status, out, errs := rungOut(t, "data", "init", "desk.jsonl", "--name", "tickets")
	if status != 0 || !strings.Contains(out, "wrote dataset.yaml") || !strings.Contains(out, "1 row cannot be read") {
		t.Fatalf("init: %d %s%s", status, out, errs)
	}
	b, err := os.ReadFile("dataset.yaml")
	if err != nil || !strings.Contains(string(b), "labels: [billing, delivery, other]") || !strings.Contains(string(b), "EMAIL in 2") {
		t.Errorf("%v\n%s", err, b)
	}
	if status, _, errs = rungOut(t, "data", "init", "desk.jsonl"); status != 8 || !strings.Contains(errs, "is there already") {
		t.Errorf("init again: %d %s", status, errs)
	}
	status, out, errs = rungOut(t, "data", "build", "--dry-run")
	if _, err := os.Stat("tickets"); status != 0 || !strings.Contains(out, "nothing was written") || !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("dry run: %d %s%s", status, out, errs)
	}
	status, out, errs = rungOut(t, "data", "build")
	for _, want := range []string{"tickets: 5 labelled rows from 1 source", "normalised 1", "In place of each stands its type", "Not stated", "examples: tickets"} {
		if status != 0 || !strings.Contains(out, want) {
			t.Errorf("build: %d, no %q in\n%s%s", status, want, out, errs)
		}
	}
	var built buildDocument
	status, out, _ = rungOut(t, "data", "build", "--json")
	if err := json.Unmarshal([]byte(out), &built); err != nil || status != 0 || built.State != "unchanged" || built.Dataset.Splits[0].Split != rung.Train {
		t.Errorf("build --json: %d %v\n%s", status, err, out)
	}
	if status, out, _ = rungOut(t, "data", "why", "tickets", "desk.jsonl:7"); status != 0 || !strings.Contains(out, "removed by the step import") {
		t.Errorf("why: %d %s", status, out)
	}
	if status, _, errs = rungOut(t, "data", "why", "tickets", "nobody wrote this"); status != 7 {
		t.Errorf("why of nothing: %d %s", status, errs)
	}
	if status, out, _ = rungOut(t, "data", "show", "tickets"); status != 0 || !strings.Contains(out, "All files are as they were built") {
		t.Errorf("show: %d %s", status, out)
	}
	if strings.Contains(out, "had to be gone") {
		t.Errorf("nobody said until when, and show: %s", out)
	}
	put(t, "tickets", "train.jsonl", "{}\n")
	if status, _, errs = rungOut(t, "data", "show", "tickets"); status != 2 || !strings.Contains(errs, "train.jsonl: the file was changed") {
		t.Errorf("show of a changed folder: %d %s", status, errs)
	}
	if status, _, errs = rungOut(t, "data", "show", "."); status != 7 || !strings.Contains(errs, "no dataset here") {
		t.Errorf("show of no folder: %d %s", status, errs)
	}
}

// TestDataBuildTellsAllFaults, each with its line.
func TestDataBuildTellsAllFaults(t *testing.T) {
	inProject(t, map[string]string{"dataset.yaml": "name: a b\nsources: [{name: x, files: none.jsonl, licence: MITT}]\npii: hide\n"})
	status, _, errs := rungOut(t, "data", "build")
	for _, want := range []string{"dataset.yaml:1:7:", "dataset.yaml:2:28:", "dataset.yaml:2:49:", "dataset.yaml:3:6:", "^"} {
		if status != 2 || !strings.Contains(errs, want) {
			t.Errorf("%d, no %q in\n%s", status, want, errs)
		}
	}
}

// TestDataBuildHoldsRowsAgainstOtherTasks: the held-out set of another task of the same store is looked for, that of the dataset's own
// task is not, since its rows belong there.
func TestDataBuildHoldsRowsAgainstOtherTasks(t *testing.T) {
	inProject(t, map[string]string{
		"desk.jsonl":   deskRows,
		"dataset.yaml": "name: tickets\ntask: task.yaml\nsources: [{name: desk, files: desk.jsonl}]\n",
		"task.yaml":    "task: own\ninstructions: Sort.\ninput: {text: string}\noutput: {labels: [billing, delivery, other]}\nexamples: tickets\nbar: {metric: accuracy, at_least: 0.5}\nmodels: [local/m]\n",
	})
	st, err := sqlite.Open(t.Context(), ".rung")
	if err != nil {
		t.Fatal(err)
	}
	for task, text := range map[string]string{"other": "nothing came today and it was to come on Monday", "own": "the box lay in the rain all night"} {
		set := rung.Freeze([]rung.Example{{ID: "e1", Input: json.RawMessage(`{"text": "` + text + `"}`), Output: json.RawMessage(`"delivery"`)}}, rung.DigestBytes([]byte(task)))
		if err := report.KeepExamples(t.Context(), st, set); err != nil {
			t.Fatal(err)
		}
		doc, err := json.Marshal(rung.Document{Heldout: rung.HeldoutInfo{Digest: set.Digest()}})
		if err != nil {
			t.Fatal(err)
		}
		if err := st.PutRun(t.Context(), store.Run{ID: "run-" + task, Task: task, Status: "done", Document: doc}); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	status, out, errs := rungOut(t, "data", "build")
	if status != 0 || strings.Contains(out, "task own") {
		t.Fatalf("%d %s%s", status, out, errs)
	}
	if status, out, _ = rungOut(t, "data", "why", "tickets", "desk.jsonl:3"); status != 0 || !strings.Contains(out, "holds the evaluation item other heldout: e1") {
		t.Errorf("%d %s", status, out)
	}
	if status, out, _ = rungOut(t, "data", "why", "tickets", "the box lay in the rain all night"); status != 0 || !strings.Contains(out, ": kept") {
		t.Errorf("%d %s", status, out)
	}
}

// TestDataBuildOfTheExample: the files of examples/tickets, as docs/datasets.md says.
func TestDataBuildOfTheExample(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(repository, "examples/tickets"))); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	status, out, errs := rungOut(t, "data", "build")
	if status != 0 {
		t.Fatalf("%d %s", status, errs)
	}
	t.Log(out)
	for _, args := range [][]string{{"data", "why", "built/tickets", "M-1003"}, {"check", "task.yaml"}} {
		if status, out, errs = rungOut(t, args...); status != 0 {
			t.Errorf("%v: %d %s%s", args, status, out, errs)
		}
	}
}

// TestDataBuildAfterAClimb: what a climb kept of the dataset's own held-out rows changes nothing in the next build, whether the description names
// the task or not. Without that the second build is another dataset, or one without the rows that were held out.
func TestDataBuildAfterAClimb(t *testing.T) {
	for name, line := range map[string]string{"task named": "task: task.yaml\n", "no task named": "output: {labels: [billing, delivery, other]}\n"} {
		t.Run(name, func(t *testing.T) {
			inProject(t, map[string]string{
				"desk.jsonl":   deskRows,
				"dataset.yaml": "name: tickets\n" + line + "sources: [{name: desk, files: desk.jsonl}]\n",
				"task.yaml":    "task: own\ninstructions: Sort.\ninput: {text: string}\noutput: {labels: [billing, delivery, other]}\nexamples: tickets\nbar: {metric: accuracy, at_least: 0.5}\nmodels: [local/m]\n",
			})
			first := decoded[buildDocument](t, mustRun(t, "data", "build", "--json"))
			st, err := sqlite.Open(t.Context(), ".rung")
			if err != nil {
				t.Fatal(err)
			}
			set := rung.Freeze([]rung.Example{{ID: "e1", Input: json.RawMessage(`{"text": "the box lay in the rain all night"}`), Output: json.RawMessage(`"delivery"`)}}, "x")
			doc, err := json.Marshal(rung.Document{Task: "own", Heldout: rung.HeldoutInfo{Digest: set.Digest()}, Data: []rung.DataRef{{Name: "tickets", Digest: first.Dataset.Digest}}})
			if err := errors.Join(err, report.KeepExamples(t.Context(), st, set), st.PutRun(t.Context(), store.Run{ID: "run", Task: "own", Status: "done", Document: doc}), st.Close()); err != nil {
				t.Fatal(err)
			}
			if again := decoded[buildDocument](t, mustRun(t, "data", "build", "--json")); again.State != "unchanged" {
				t.Errorf("after a climb the build is %s: %s and %s", again.State, first.Dataset.Digest.Short(), again.Dataset.Digest.Short())
			}
		})
	}
}

// TestTermsOfSomeSourcesAreNotThoseOfAll: what one source has stated does not stand for another, a retention that has passed is said where a
// dataset is shown, and who has said nothing is named.
func TestTermsOfSomeSourcesAreNotThoseOfAll(t *testing.T) {
	inProject(t, map[string]string{"desk.jsonl": deskRows, "old.csv": "text,output\nwhere do I send the lamp back to,other\n", "task.yaml": strings.Replace(labelTask, "ex.jsonl", "tickets", 1),
		"dataset.yaml": `name: tickets
sources:
  - {name: desk, files: desk.jsonl, licence: CC-BY-4.0, uses: [train, prompt, evaluate], retention: 2001-01-31}
  - {name: old, files: old.csv}
`})
	const late = "! Data of the source desk had to be gone after 2001-01-31 (retention)"
	if status, out, errs := rungOut(t, "data", "build"); status != 0 || !strings.Contains(out, late) {
		t.Errorf("build: %d %s%s", status, out, errs)
	}
	status, out, _ := rungOut(t, "data", "show", "tickets")
	for _, want := range []string{late, "2001-01-31 *", "* of those sources that have stated it"} {
		if status != 0 || !strings.Contains(out, want) {
			t.Errorf("show: %d, no %q in %s", status, want, out)
		}
	}
	if _, out, _ = rungOut(t, "data", "show", "tickets", "--json"); !strings.Contains(out, `"retention_passed": [`) {
		t.Error(out)
	}
	text, err := os.ReadFile("dataset.yaml")
	if err != nil {
		t.Fatal(err)
	}
	put(t, ".", "dataset.yaml", strings.Replace(string(text), "2001-01-31", "2999-01-31", 1))
	mustRun(t, "data", "build", "--replace")
	_, out, errs := rungOut(t, "check", "task.yaml")
	if !strings.Contains(strings.Join(strings.Fields(out+errs), " "), "Nobody has said of the source old of the dataset tickets whether they may be used so: evaluate") {
		t.Errorf("check: %s%s", out, errs)
	}
}

// TestLinesAreNotCalledATable: commands that write JSON lines refuse a name that promises another format, before anything is written.
func TestLinesAreNotCalledATable(t *testing.T) {
	inProject(t, map[string]string{"raw.csv": "text,label\nwrite to ann@example.org,a\nwhere is it,b\n", "test.jsonl": "{\"text\":\"where is it\"}\n"})
	for _, args := range [][]string{{"pii", "raw.csv", "--redact", "--out", "o.csv"}, {"dedupe", "raw.csv", "--out", "o.CSV"}, {"decontaminate", "raw.csv", "--against", "test.jsonl", "--out", "o.jsonl.gz"}} {
		status, _, errs := rungOut(t, append([]string{"data"}, args...)...)
		if list, _ := filepath.Glob("o.*"); status != 2 || !strings.Contains(errs, "JSON lines are written") || len(list) > 0 {
			t.Errorf("%v: %d %s %v", args, status, errs, list)
		}
	}
}
