package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model/modeltest"
)

// says runs rung with lines typed by a person.
func says(t *testing.T, typed string, args ...string) (status int, out string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status = Main(context.Background(), args, Streams{In: strings.NewReader(typed), Out: &stdout, Err: &stderr})
	if status != 0 {
		t.Log(stderr.String())
	}
	return status, stdout.String()
}

func modesJSON(t *testing.T, args ...string) modesDocument {
	t.Helper()
	var d modesDocument
	decodeJSON(t, &d, args...)
	return d
}

// countOf is how many answers show a mode with a status.
func countOf(counts []rung.ModeCount, mode string, status rung.ModeStatus) int {
	for _, c := range counts {
		if c.Mode == mode && c.Status == status {
			return c.Count
		}
	}
	return 0
}

// TestModesAreFoundProposedAndConfirmed goes the whole way: mistakes are found by rule, grouped, judged and confirmed, reports show
// it, and only what was confirmed on train and dev leaves as counter-examples.
func TestModesAreFoundProposedAndConfirmed(t *testing.T) {
	path := evalTask(t, 40, "{metric: accuracy, at_least: 0.5}")
	answers := counts("abcdef")
	serve(t, func(c modeltest.Call) modeltest.Reply {
		if strings.Contains(c.Last(), "How does the given answer fail?") {
			return modeltest.Reply{Text: "persona", In: 50, Out: 1}
		}
		return answers(c)
	})
	e := evalJSON(t, path, "build:prompt", "--full")
	found := modesJSON(t, "modes", "show", path, "--json")
	wrong := e.Scorecard.N - e.Scorecard.Successes
	if wrong < 4 || found.N != 40 || found.Mistakes != wrong || countOf(found.Modes, "wrong_fact", rung.ModeFound) != wrong || countOf(e.Scorecard.Modes, "wrong_fact", rung.ModeFound) != wrong {
		t.Fatalf("%d mistakes: %+v", wrong, found)
	}
	var proposed proposeDocument
	decodeJSON(t, &proposed, "modes", "propose", path, "--judge", "openai/test", "--limit", "3", "--json")
	if len(proposed.Groups.Clusters) == 0 || proposed.Groups.Clusters[0].Mode != "wrong_fact" || proposed.Asked != 3 || len(proposed.Proposed) != 3 || proposed.Proposed[0].Mode != "persona" {
		t.Errorf("%+v", proposed)
	}
	// A person agrees once, says two others by number and by a new name, sees none of the modes in the fourth, and leaves.
	status, out := says(t, "\n2\nwrong_parity\nn\nq\n", "modes", "confirm", path, "--by", "ann")
	if status != 0 || !strings.Contains(out, "wrong_fact (by rule)") || !strings.Contains(out, "4 of them seen by a person") {
		t.Fatalf("status %d\n%s", status, out)
	}
	now := modesJSON(t, "modes", "show", path, "--json")
	if now.LookedAt != 4 || countOf(now.Modes, "wrong_fact", rung.ModeConfirmed) != 1 || countOf(now.Modes, "missing_field", rung.ModeConfirmed) != 1 ||
		countOf(now.Modes, "wrong_parity", rung.ModeConfirmed) != 1 || countOf(now.Modes, "wrong_fact", rung.ModeRejected) != 3 || countOf(now.Modes, "wrong_fact", rung.ModeFound) != wrong-4 {
		t.Errorf("%+v", now.Modes)
	}
	for _, l := range now.Labels {
		if l.Status == rung.ModeConfirmed && (l.By != "ann" || l.At.IsZero() || l.Wrong == "") {
			t.Errorf("a label without who, when or what: %+v", l)
		}
	}
	if _, out := says(t, "", "modes", "export", path); out != "" {
		t.Errorf("held-out mistakes left: %s", out)
	}
}

func TestCounterExamplesComeFromTrainAndDevOnly(t *testing.T) {
	path := evalTask(t, 30, "{metric: accuracy, at_least: 0.9}")
	serve(t, counts("abcdefghijklmnopqrstuvwxyz"))
	evalJSON(t, path, "build:prompt", "--full")
	evalJSON(t, path, "build:prompt", "--suite", "dev", "--full")
	for _, suite := range []string{"heldout", "dev"} {
		d := modesJSON(t, "modes", "show", path, "--suite", suite, "--json")
		if len(d.Modes) == 0 {
			t.Fatalf("%s: no modes", suite)
		}
		id := d.Modes[0].Examples[0]
		modesJSON(t, "modes", "confirm", path, "--suite", suite, "--by", "ann", "--label", id+"=wrong_fact", "--json")
	}
	_, out := says(t, "", "modes", "export", path)
	var row counterRow
	if err := json.Unmarshal([]byte(out), &row); err != nil || row.Split != rung.Dev || row.Mode != "wrong_fact" || row.By != "ann" || row.Wrong == "" {
		t.Errorf("%v: %s", err, out)
	}
	file := filepath.Join(t.TempDir(), "pairs.jsonl")
	if status, _ := says(t, "", "modes", "export", path, "--pairs", "-o", file); status != 0 {
		t.Fatalf("status %d", status)
	}
	raw, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(raw), `"chosen":`) || strings.Count(string(raw), "\n") != 1 {
		t.Errorf("%v: %s", err, raw)
	}
	for args, want := range map[string]int{"modes show " + path + " nothing": 7, "modes confirm " + path + " --label x=wrong_fact": 7,
		"modes confirm " + path + " --label x": 2, "modes confirm " + path + " --by clustering": 2, "modes propose " + path + " --limit 0": 2, "modes list " + path: 0} {
		if status, _ := says(t, "", strings.Fields(args)...); status != want {
			t.Errorf("rung %s: status %d, want %d", args, status, want)
		}
	}
}

func TestRobustIsPaired(t *testing.T) {
	path := evalTask(t, 40, "{metric: accuracy, at_least: 0.5}")
	serve(t, counts(""))
	var d rung.Robustness
	decodeJSON(t, &d, "robust", path, "build:prompt", "--with", "typos,case", "--json")
	if len(d.Changes) != 2 || d.Original.N != 40 || d.Original.Value != 1 {
		t.Fatalf("%+v", d)
	}
	typos := d.Changes[0] // a letter more or less changes the answer of a model that counts letters
	c := typos.Contrast
	if typos.Changed < 20 || typos.Broken == 0 || typos.Fixed != 0 || c.Difference.N != 40 || c.Difference.Value >= 0 || c.Difference.High >= 0 && c.Significant ||
		c.Family != 2 || c.PHolm < c.P || c.Test != "exact McNemar" {
		t.Errorf("%+v", typos)
	}
	if cased := d.Changes[1]; cased.Broken != 0 || cased.Contrast.P != 1 {
		t.Errorf("%+v", cased)
	}
	strong := robustText(&rung.Robustness{Metric: "m\x1b[2J", Subject: rung.SubjectInfo{Name: "s\x1b]0;owned\x07"}, Changes: []rung.Robust{{Kind: "typos", Contrast: rung.Contrast{PHolm: 3e-7, Difference: rung.Interval{Value: -.3, Low: -.4, High: -.2}}}}})
	if !strings.Contains(strong, "<.001") || !strings.Contains(strong, "−.300 [−.400, −.200]") || strings.ContainsAny(strong, "\x1b\x07") {
		t.Errorf("a small p-value, or a hostile name:\n%q", strong)
	}
	if _, out := says(t, "", "robust", path, "build:prompt", "--with", "typos"); !strings.Contains(out, "n = 40 pairs") || !strings.Contains(out, "exact McNemar") {
		t.Errorf("%s", out)
	}
	if status, _ := says(t, "", "robust", path, "build:prompt", "--with", "noise"); status != 2 {
		t.Errorf("status %d", status)
	}
}
