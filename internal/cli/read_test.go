package cli

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/report/reporttest"
	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/store/sqlite"
)

var updateRead = flag.Bool("update-read", false, "rewrite the golden files of the reading commands")

// packageDir is found before any test goes elsewhere.
var packageDir, _ = os.Getwd()

// readGolden compares got with the file named after the test.
func readGolden(t *testing.T, got string) {
	t.Helper()
	name := filepath.Join(packageDir, "testdata", strings.ReplaceAll(t.Name(), "/", "_")+".txt")
	if *updateRead {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("not as in %s (-want +got), renew with -update-read:\n%s", name, diff)
	}
}

// storedClimb makes a directory with a store of one climb and an unfinished run, and goes to a directory below it.
func storedClimb(t *testing.T) (*reporttest.Climb, string) {
	t.Helper()
	t.Setenv("LC_ALL", "en_GB.UTF-8")
	t.Setenv("TZ", "UTC")
	c := reporttest.New(reporttest.Options{Seed: 1, N: 40})
	dir := t.TempDir()
	st, err := sqlite.Open(context.Background(), filepath.Join(dir, storeName))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Save(context.Background(), st); err != nil {
		t.Fatal(err)
	}
	old := store.Run{ID: "20261120-080000-aa11bb", Task: "assistant-commands", Status: store.Stopped, Started: c.Doc.Started.AddDate(0, 0, -2)}
	if err := st.PutRun(context.Background(), old); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	below := filepath.Join(dir, "notes", "deep")
	if err := os.MkdirAll(below, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(below)
	return c, dir
}

// rungCommand runs a command line and gives its exit status and streams.
func rungCommand(t *testing.T, args ...string) (status int, out, errs string) {
	t.Helper()
	var o, e strings.Builder
	status = Main(context.Background(), args, Streams{In: strings.NewReader(""), Out: &o, Err: &e})
	return status, o.String(), e.String()
}

func mustRun(t *testing.T, args ...string) string {
	t.Helper()
	status, out, errs := rungCommand(t, args...)
	if status != 0 {
		t.Fatalf("rung %s: exit status %d: %s", strings.Join(args, " "), status, errs)
	}
	return out
}

func TestReadingCommands(t *testing.T) {
	c, _ := storedClimb(t)
	prompt, lora := string(c.Doc.Rungs[0].Candidate), string(c.Doc.Rungs[3].Candidate)
	call := string(c.Scores[c.Doc.Rungs[0].Candidate][0].Answer.Calls[0])
	for name, args := range map[string][]string{
		"runs": {"runs"}, "show_run": {"show", "latest"}, "show_run_by_beginning": {"show", "20261122"},
		"show_candidate": {"show", lora[:10]}, "show_rung": {"show", "fewshot"}, "show_completion": {"show", call},
		"diff": {"diff", prompt[:8], lora[:8]}, "diff_rungs": {"diff", "fewshot", "lora", "--all"},
	} {
		t.Run(name, func(t *testing.T) { readGolden(t, mustRun(t, args...)) })
	}
}

func TestReadingCommandsAsJSON(t *testing.T) {
	c, _ := storedClimb(t)
	lora := c.Doc.Rungs[3].Candidate
	var runs struct {
		Runs []struct{ Run, Rung, Verdict, Status string }
	}
	decodeJSON(t, &runs, "runs", "--json")
	if len(runs.Runs) != 2 || runs.Runs[0].Run != c.Doc.Run || runs.Runs[0].Rung != "lora" || runs.Runs[1].Status != "stopped" {
		t.Errorf("runs: %+v", runs)
	}
	var doc rung.Document
	decodeJSON(t, &doc, "show", "latest", "--json")
	if diff := cmp.Diff(c.Doc, &doc, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("show RUN --json is not the document of the climb:\n%s", diff)
	}
	var cand struct {
		Candidate rung.Digest
		Recipe    rung.Candidate
		Request   struct {
			Messages []struct{ Role, Content string }
		}
	}
	decodeJSON(t, &cand, "show", lora.Short(), "--json")
	if cand.Recipe.Digest() != lora || len(cand.Request.Messages) != 2 {
		t.Errorf("show CANDIDATE: digest %s, %d messages", cand.Recipe.Digest(), len(cand.Request.Messages))
	}
	var diff struct {
		Counts   struct{ Fixed, Broken, BothWrong, BothRight int }
		Examples []struct{ Change string }
	}
	decodeJSON(t, &diff, "diff", "prompt", "lora", "--json", "--all")
	fixed := 0
	for i, s := range c.Scores[lora] {
		if s.Success && !c.Scores[c.Doc.Rungs[0].Candidate][i].Success {
			fixed++
		}
	}
	if diff.Counts.Fixed != fixed || len(diff.Examples) != 40 {
		t.Errorf("diff: %d fixed and %d examples, want %d and 40", diff.Counts.Fixed, len(diff.Examples), fixed)
	}
}

func decodeJSON(t *testing.T, into any, args ...string) {
	t.Helper()
	if err := json.Unmarshal([]byte(mustRun(t, args...)), into); err != nil {
		t.Fatalf("rung %s: %v", strings.Join(args, " "), err)
	}
}

func TestReportWritesFiles(t *testing.T) {
	c, dir := storedClimb(t)
	out := mustRun(t, "report", "-o", "out")
	for _, ext := range []string{"html", "md"} {
		path := filepath.Join("out", "rung-"+c.Doc.Run+"."+ext)
		if !strings.Contains(out, path) {
			t.Errorf("%s is not named: %q", path, out)
		}
		if b, err := os.ReadFile(path); err != nil || !strings.Contains(string(b), "The cheapest rung that meets the bar is lora") {
			t.Errorf("%s: %v", path, err)
		}
	}
	mustRun(t, "report", c.Doc.Run, "-o", "one.html", "--store", filepath.Join(dir, storeName))
	if _, err := os.Stat("one.html"); err != nil {
		t.Error(err)
	}
	if md := mustRun(t, "report", "--format", "md", "-o", "-"); !strings.HasPrefix(md, "# assistant-commands") {
		t.Errorf("standard output begins %.60q", md)
	}
	left, err := filepath.Glob("out/.rung-report-*")
	if err != nil || len(left) > 0 {
		t.Errorf("files left behind: %v %v", left, err)
	}
}

func TestReadingWhatIsNotThere(t *testing.T) {
	_, dir := storedClimb(t)
	for _, c := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"show", "2026"}, 7, "several runs begin like this"},
		{[]string{"show", "nothing"}, 7, `no run, candidate or completion "nothing"`},
		{[]string{"show", "ffffffffffff"}, 7, "no such candidate"},
		{[]string{"show", "rag"}, 7, "skipped rag: the task names no documents"},
		{[]string{"show", ""}, 2, "the name is empty"},
		{[]string{"show"}, 2, "takes one run, candidate, rung, completion or release"},
		{[]string{"diff", "prompt", "ffffffffffff"}, 7, "no such candidate"},
		{[]string{"report", "20261120"}, 7, "has no result yet"},
		{[]string{"report", "--format", "pdf"}, 2, `no format "pdf"`},
		{[]string{"report", "-o", "-"}, 2, "takes one format"},
		{[]string{"runs", "--store", filepath.Join(dir, "elsewhere")}, 7, "there is no store"},
		{[]string{"runs", "-n", "-1"}, 2, "must not be negative"},
	} {
		status, out, errs := rungCommand(t, c.args...)
		if status != c.status || !strings.Contains(errs, c.says) || out != "" || strings.Count(errs, "\n") != 1 {
			t.Errorf("rung %q: exit status %d, want %d; said %q (%q on standard output), want %q", c.args, status, c.status, errs, out, c.says)
		}
	}
	t.Chdir(t.TempDir())
	if status, _, errs := rungCommand(t, "runs"); status != 7 || !strings.Contains(errs, "no store (.rung) here") {
		t.Errorf("without a store: exit status %d, said %q", status, errs)
	}
}
