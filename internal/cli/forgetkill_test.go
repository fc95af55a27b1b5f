package cli

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/govern"
	"github.com/rung-dev/rung/internal/store/sqlite"
)

// TestForgetChild is no test of its own: it is the process that TestForgetIsKilled has killed at the line that it says.
func TestForgetChild(t *testing.T) {
	at, dir := os.Getenv("RUNG_TEST_FORGET_AT"), os.Getenv("RUNG_TEST_FORGET_STORE")
	if at == "" {
		t.Skip("it is run by TestForgetIsKilled")
	}
	st, err := sqlite.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = app.Erase(t.Context(), app.EraseOptions{Wanted: govern.Wanted{IDs: []string{"w0"}, Phrases: []string{words[0]}}, Dir: dir, Store: st, Do: true, Tell: func(line string) {
		if strings.HasPrefix(line, at) {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}})
	t.Fatalf("it was not killed: %v", err)
}

func TestForgetIsKilled(t *testing.T) {
	for _, c := range []struct {
		name, at string
		between  bool // the first of the two renames was done
	}{{"before writing", "writing", false}, {"before the exchange", "putting", false}, {"within the exchange", "putting", true}, {"before the store", "looking through the store", false}} {
		t.Run(c.name, func(t *testing.T) {
			serve(t, knows)
			file, store := governedTask(t, "[train, prompt, evaluate]")
			dir := filepath.Dir(file)
			climbJSON(t, file)
			if err := os.Remove(filepath.Join(dir, "dataset.yaml")); err != nil { // the folder is known by the task alone
				t.Fatal(err)
			}
			before := rowsIn(t, filepath.Join(dir, "wordset"))
			child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestForgetChild$")
			child.Env = append(os.Environ(), "RUNG_TEST_FORGET_AT="+c.at, "RUNG_TEST_FORGET_STORE="+store)
			out, err := child.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
				t.Fatalf("the child was not killed: %v\n%s", err, out)
			}
			if c.between {
				if err := os.Rename(filepath.Join(dir, "wordset"), filepath.Join(dir, ".wordset.rung-erase-old")); err != nil {
					t.Fatal(err)
				}
			}
			mustRun(t, "data", "forget", "--row", "w0", "--text", words[0], "--yes", "--store", store)
			forgotten(t, dir, before)
		})
	}
}

// forgotten holds that the erasure is whole: the row is gone everywhere, all others are there, and nothing half-done lies about.
func forgotten(t *testing.T, dir string, before int) {
	t.Helper()
	if after := rowsIn(t, filepath.Join(dir, "wordset")); after != before-1 {
		t.Errorf("%d rows of %d are left", after, before)
	}
	mustRun(t, "data", "show", filepath.Join(dir, "wordset"))
	for _, name := range []string{".wordset.rung-erase-new", ".wordset.rung-erase-old", ".rung/erasing.json"} {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s was left behind", name)
		}
	}
	for _, name := range []string{"wordset/train.jsonl", "wordset/dev.jsonl", "wordset/heldout.jsonl", "wordset/origins.jsonl", ".rung/rung.db"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || bytes.Contains(b, []byte(`"`+words[0]+`"`)) {
			t.Errorf("%s still holds it, or is not there: %v", name, err)
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, "erased.jsonl")); err != nil || len(b) == 0 {
		t.Errorf("no list keeps it out of the next build: %v", err)
	}
}

func rowsIn(t *testing.T, folder string) (n int) {
	t.Helper()
	for _, name := range []string{"train.jsonl", "dev.jsonl", "heldout.jsonl"} {
		b, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		n += bytes.Count(b, []byte("\n"))
	}
	return n
}
