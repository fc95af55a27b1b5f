package cli

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model/modeltest"
)

// The train examples are a suite, so that mistakes on them can be confirmed; the figures are marked as flattered.
func TestTrainIsASuiteWhoseFiguresAreMarked(t *testing.T) {
	serve(t, counts("abcdefghijklmnopqrstuvwxyz"))
	task := evalTask(t, 12, "{metric: accuracy, at_least: 0.6}")
	e := evalJSON(t, task, "build:prompt", "--suite", "train", "--full")
	if e.Suite.Name != "train" || e.Suite.Split != rung.Train || e.Suite.N != 6 || !strings.Contains(strings.Join(e.Notes, " "), "flattered") {
		t.Fatalf("%+v %v", e.Suite, e.Notes)
	}
	d := modesJSON(t, "modes", "confirm", task, e.ID, "--by", "ann", "--label", "train0=wrong_fact", "--json")
	if d.LookedAt != 1 {
		t.Errorf("%+v", d)
	}
	if _, out := says(t, "", "modes", "export", task); !strings.Contains(out, `"split":"train"`) {
		t.Errorf("exported %q", out)
	}
	// The list is that of the store beside the task, wherever one stands.
	if list := mustRun(t, "eval", task, "--list"); !strings.Contains(list, e.ID) {
		t.Errorf("listed\n%s", list)
	}
}

// Without a subject, modes are those of the newest scores on the task's own examples; an outside subject goes by its name.
func TestModesAreOfTheTasksOwnExamples(t *testing.T) {
	serve(t, counts("abcdef"))
	task := evalTask(t, 20, "{metric: accuracy, at_least: 0.6}")
	own := evalJSON(t, task, "build:prompt", "--full")
	put(t, filepath.Dir(task), "other.jsonl", `{"input":{"word":"apple"},"output":"odd"}`+"\n")
	evalJSON(t, task, "build:prompt", "--full", "--suite", filepath.Join(filepath.Dir(task), "other.jsonl"))
	if d := modesJSON(t, "modes", "show", task, "--json"); d.N != own.Scorecard.N {
		t.Errorf("n %d, want %d", d.N, own.Scorecard.N)
	}
	if d := modesJSON(t, "modes", "show", task, own.Subject.Name, "--suite", "heldout", "--json"); d.N != own.Scorecard.N {
		t.Errorf("by name %q: n %d", own.Subject.Name, d.N)
	}
	status, _, errs := rungOut(t, "compare", task, "build:prompt", "build:prompt", "-o", filepath.Join(t.TempDir(), "page.txt"))
	if status != 2 || !strings.Contains(errs, ".html or .md") {
		t.Errorf("status %d: %s", status, errs)
	}
}

// Where an evaluation stopped early, the intervals of modes show hold at any stop, and it says so.
func TestModesOfAnEarlyStopSaySo(t *testing.T) {
	serve(t, counts("a"))
	task := evalTask(t, 80, "{metric: accuracy, at_least: 0.3}")
	e := evalJSON(t, task, "build:prompt")
	if e.Stopped == nil || e.Scorecard.Successes == e.Scorecard.N {
		t.Fatalf("no early stop with mistakes: %+v", e.Stopped)
	}
	if text := mustRun(t, "modes", "show", task); !strings.Contains(text, "these intervals hold at any stop") || !strings.Contains(text, "Intervals: betting confidence sequence") {
		t.Errorf("said\n%s", text)
	}
	evalJSON(t, task, "build:prompt", "--full")
	if text := mustRun(t, "modes", "show", task); strings.Contains(text, "hold at any stop") {
		t.Errorf("said\n%s", text)
	}
}

// An example that was answered three times wrongly is three answers and one example, in words too.
func TestMistakesOfSeveralAnswersNameAnExampleOnce(t *testing.T) {
	serve(t, func(modeltest.Call) modeltest.Reply { return modeltest.Reply{Text: "neither", In: 20, Out: 1} })
	task := evalTask(t, 8, "{metric: accuracy, at_least: 0.6}")
	text := mustRun(t, "eval", task, "build:prompt", "--answers", "3", "--full")
	e := evalJSON(t, task, "build:prompt", "--answers", "3", "--full")
	if !strings.Contains(text, "Mistakes (counts, of 24 answers to 8 examples)") {
		t.Errorf("said\n%s", text)
	}
	seen := map[string]bool{}
	for _, id := range append(e.Scorecard.Mistakes[0].Examples, e.Scorecard.Modes[0].Examples...) {
		seen[id] = true
	}
	if e.Scorecard.Mistakes[0].Count != 24 || len(e.Scorecard.Mistakes[0].Examples) != 5 || len(e.Scorecard.Modes[0].Examples) != 5 || len(seen) < 5 {
		t.Errorf("%+v %+v", e.Scorecard.Mistakes, e.Scorecard.Modes)
	}
}
