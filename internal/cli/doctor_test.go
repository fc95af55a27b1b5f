package cli_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/rung-dev/rung/internal/cli"
)

func runMain(t *testing.T, args ...string) (status int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status = cli.Main(t.Context(), args, cli.Streams{In: strings.NewReader(""), Out: &stdout, Err: &stderr})
	return status, stdout.String(), stderr.String()
}

func TestDoctorOnAnEmptyMachine(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("RUNG_CACHE", cache)
	t.Setenv("RUNG_PYTHON_TRAIN", "")
	t.Setenv("OPENAI_API_KEY", "sk-secret-value")
	status, out, errs := runMain(t, "doctor", "--json")
	if status != 0 || errs != "" {
		t.Fatalf("status %d: %s", status, errs)
	}
	var d struct {
		Local, Training bool
		Fix             string
		Findings        []struct{ Name, State, Detail, Fix string }
	}
	if err := json.Unmarshal([]byte(out), &d); err != nil {
		t.Fatal(err)
	}
	states := map[string]string{}
	for _, f := range d.Findings {
		states[f.Name] = f.State
	}
	if d.Local || d.Training || states["model"] != "missing" || states["embedder"] != "missing" || states["training"] != "missing" {
		t.Errorf("an empty cache is found complete: %+v", d)
	}
	if states["python"] == "ok" && d.Fix != "rung setup --training" {
		t.Errorf("the fix is %q", d.Fix)
	}
	if strings.Contains(out, "sk-secret") || !strings.Contains(out, "OPENAI_API_KEY is set") {
		t.Errorf("keys: %s", out)
	}
	if entries, err := os.ReadDir(cache); err != nil || len(entries) > 0 {
		t.Errorf("doctor left %v in the cache, %v", entries, err)
	}
}

func TestWithoutPython(t *testing.T) {
	t.Setenv("RUNG_CACHE", t.TempDir())
	t.Setenv("PATH", t.TempDir())
	t.Setenv("RUNG_PYTHON", "")
	status, out, _ := runMain(t, "doctor")
	if status != 0 || !strings.Contains(out, "MISSING  python") || !strings.Contains(out, "install Python 3.11") {
		t.Errorf("doctor, status %d:\n%s", status, out)
	}
	status, _, errs := runMain(t, "setup")
	if status != 3 || !strings.Contains(errs, "there is no Python on PATH") || !strings.Contains(errs, "RUNG_PYTHON") {
		t.Errorf("setup, status %d: %s", status, errs)
	}
}

func TestSetupOfflineFromNothing(t *testing.T) {
	t.Setenv("RUNG_CACHE", t.TempDir())
	t.Setenv("UV_OFFLINE", "") // set by the command, restored by the test
	t.Setenv("PIP_NO_INDEX", "")
	status, _, errs := runMain(t, "setup", "--offline")
	if status != 4 && status != 3 || !strings.Contains(errs, "package index") && !strings.Contains(errs, "Python") {
		t.Errorf("status %d: %s", status, errs)
	}
}
