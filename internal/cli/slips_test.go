package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSlips: what people type wrongly is said, with the status of a wrong command line or of a thing that is not there.
func TestSlips(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "task.yaml"), []byte("task: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, storeName), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	for args, want := range map[string]struct {
		status int
		text   string
	}{
		"relase":                               {2, `there is no command "relase"; did you mean release`},
		"releases --store .":                   {7, "holds other files and no store; name " + storeName},
		"runs --store .":                       {7, "holds other files and no store"},
		"serve nobody":                         {7, "nobody: the store has no release of this task"},
		"serve --listen 8978":                  {2, "is no address to listen on"},
		"alias x nope --remove --why gone":     {7, "there is no alias nope"},
		"rollout start x v2 --metric cost_usd": {2, "needs a margin in its own unit"},
		"climb .":                              {2, "name the task file in it, such as task.yaml"},
		"push x@v1 ./folder":                   {2, "is a folder or its path; name a repository of a registry"},
		"pull ..":                              {2, "name a repository of a registry"},
		"keys add a --rpm -4":                  {2, "--rpm is -4; it is a number above 0, or 0 for no limit"},
		"keys add a --budget NaN":              {2, "--budget is NaN"},
		"traces --arm xx":                      {2, `there is no arm "xx"; the arms are baseline, target, shadow`},
		"show x@v9":                            {7, "there is no release x@v9"},
	} {
		status, out, errText := rungOut(t, strings.Fields(args)...)
		if status != want.status || !strings.Contains(errText, want.text) {
			t.Errorf("rung %s: status %d, %q, %q", args, status, out, errText)
		}
	}
	if _, err := os.Stat("rung.db"); err == nil {
		t.Error("a wrong --store got a store")
	}
}
