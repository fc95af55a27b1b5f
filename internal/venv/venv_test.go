package venv_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/venv"
)

func lockFor(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile("../../python/engine/requirements.lock")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	keep := false
	for line := range strings.Lines(string(b)) {
		if !strings.HasPrefix(line, " ") {
			keep = strings.HasPrefix(line, "idna==")
		}
		if keep {
			out = append(out, line)
		}
	}
	if len(out) < 2 {
		t.Fatal("the engine's lock file has no idna")
	}
	return []byte(strings.Join(out, ""))
}

// ensure installs, or skips the test where nothing can be installed.
func ensure(t *testing.T, lock []byte) string {
	t.Helper()
	python, err := venv.Ensure(t.Context(), "small", lock, func(l string) { t.Log(l) })
	switch rung.CodeOf(err) {
	case "":
		return python
	case rung.CodeMissing, rung.CodeUnreachable:
		t.Skipf("cannot install Python packages here: %v", err)
	}
	t.Fatal(err)
	return ""
}

func TestEnsureInstallsOnceForAll(t *testing.T) {
	t.Setenv("RUNG_CACHE", t.TempDir())
	lock := lockFor(t)
	if _, ok := venv.Ready("small", lock); ok {
		t.Fatal("ready before anything was installed")
	}
	ensure(t, lock)
	os.RemoveAll(filepath.Join(os.Getenv("RUNG_CACHE"), "python")) // keep the downloads, and let four race
	var wg sync.WaitGroup
	paths := make([]string, 4)
	for i := range paths {
		wg.Go(func() {
			p, err := venv.Ensure(context.Background(), "small", lock, nil)
			if err != nil {
				t.Error(err)
			}
			paths[i] = p
		})
	}
	wg.Wait()
	for _, p := range paths {
		out, err := exec.Command(p, "-c", "import idna; print(idna.__version__)").CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != "3.20" {
			t.Fatalf("%s: %s %v", p, out, err)
		}
	}
	if _, ok := venv.Ready("small", lock); !ok {
		t.Fatal("not ready after it was installed")
	}
	if _, ok := venv.Ready("small", append(lock, '\n')); ok {
		t.Fatal("another lock file must be another environment")
	}
}

func TestEnsureRefusesAnotherHash(t *testing.T) {
	t.Setenv("RUNG_CACHE", t.TempDir())
	ensure(t, lockFor(t)) // skips without network
	bad := "idna==3.20 --hash=sha256:" + strings.Repeat("0", 64) + "\n"
	_, err := venv.Ensure(t.Context(), "small", []byte(bad), nil)
	if rung.CodeOf(err) != rung.CodeProvider || !strings.Contains(err.Error(), "hash differs") {
		t.Fatalf("got %v", err)
	}
	if _, ok := venv.Ready("small", []byte(bad)); ok {
		t.Fatal("a refused package must not leave an environment that looks complete")
	}
}

func TestEnsureWithoutNetworkSaysSo(t *testing.T) {
	t.Setenv("RUNG_CACHE", t.TempDir())
	t.Setenv("UV_OFFLINE", "1")
	t.Setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
	t.Setenv("PIP_RETRIES", "0")
	t.Setenv("PIP_FIND_LINKS", "")
	if _, err := venv.FindPython(t.Context()); err != nil {
		t.Skip(err)
	}
	_, err := venv.Ensure(t.Context(), "small", lockFor(t), nil)
	if rung.CodeOf(err) != rung.CodeUnreachable || !strings.Contains(err.Error(), "mirror") {
		t.Fatalf("got %v", err)
	}
}

func TestFindPythonSaysWhatIsWrong(t *testing.T) {
	old := filepath.Join(t.TempDir(), "python3")
	if err := os.WriteFile(old, []byte("#!/bin/sh\necho 3.9.2\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ named, path, want string }{
		"named and too old": {old, os.Getenv("PATH"), "is Python 3.9.2"},
		"named and absent":  {"/nowhere/python", os.Getenv("PATH"), "is no working Python"},
		"only an old one":   {"", filepath.Dir(old) + ":/bin-that-is-not", "the only Python on PATH is 3.9.2"},
		"none":              {"", t.TempDir(), "there is no Python on PATH"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("RUNG_PYTHON", tc.named)
			t.Setenv("PATH", tc.path)
			_, err := venv.FindPython(t.Context())
			if rung.CodeOf(err) != rung.CodeMissing || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v", err)
			}
		})
	}
}
