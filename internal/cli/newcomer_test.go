package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/trace"
)

// TestWhatANewcomerReads: a task file that was renamed, addresses, a release that is not there, what two releases differ in, a
// correction that is none, and a rollout that was ended without a word.
func TestWhatANewcomerReads(t *testing.T) {
	dir, _, _ := climbed(t)
	config := filepath.Join(t.TempDir(), "gitconfig")
	if err := os.WriteFile(config, []byte("[user]\n\tname = Ann\n\temail = ann@example.org\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GIT_CONFIG_GLOBAL", config)
	released(t, "--production")
	if err := os.Rename("task.yaml", "words.yaml"); err != nil {
		t.Fatal(err)
	}
	guarded := "guards: [{guard: secrets}, {guard: phrases, phrases: [damn], action: redact}]\n"
	f, err := os.OpenFile("words.yaml", os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(guarded); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if out := mustRun(t, "release"); !strings.Contains(out, "task.yaml is not there any more") || !strings.Contains(out, "words.yaml") {
		t.Errorf("the other task file is not told of: %s", out)
	}
	mustRun(t, "rollout", "start", "words", "v2")
	mustRun(t, "rollout", "promote", "words")
	for _, args := range [][]string{{"releases", "--history"}, {"show", "words@v1"}, {"rollout", "history", "words"}} {
		if out := mustRun(t, args...); strings.Contains(out, "ann@example.org") || !strings.Contains(out, "Ann") {
			t.Errorf("rung %v:\n%s", args, out)
		}
	}
	if out := mustRun(t, "releases", "--history"); !strings.Contains(out, "without a reason given") {
		t.Errorf("the history says\n%s", out)
	}
	if status, _, said := rungOut(t, "show", "words@v9"); status != 7 || !strings.Contains(said, "there is no release words@v9") || !strings.Contains(said, "words has v2, v1") {
		t.Errorf("%d %s", status, said)
	}
	if out := mustRun(t, "diff", "v1", "v2"); !strings.Contains(out, "what differs") || !strings.Contains(out, "secrets redact, phrases redact") {
		t.Errorf("the diff says\n%s", out)
	}

	st, err := app.OpenServing(t.Context(), dir, "")
	if err != nil {
		t.Fatal(err)
	}
	id := trace.NewID(time.Now())
	if err := st.PutTraces(t.Context(), []rung.Trace{{ID: id, At: time.Now().UTC(), Task: "words", Version: "v1", Status: 200, Input: []byte(`{"text":"x"}`), Output: []byte(`"a"`)}}); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	if status, _, said := rungOut(t, "feedback", id, "--correction", `{"no":"label"}`); status != 2 || !strings.Contains(said, "no answer of words") {
		t.Errorf("%d %s", status, said)
	}
}
