package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs the scripts under testdata/script: commands as a user types them, with what they print and their exit
// status. rung in a script is this test binary (see TestMain). "status N" runs a command that must end with that status.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			bin := filepath.Join(env.WorkDir, ".bin")
			if err := os.MkdirAll(bin, 0o755); err != nil {
				return err
			}
			self, err := os.Executable()
			if err != nil {
				return err
			}
			// A link and not a file of its own: one just written is "busy" while another test's new process still has it open.
			if err := os.Symlink(self, filepath.Join(bin, "rung")); err != nil {
				return err
			}
			env.Setenv("RUNG_TEST_MAIN", "1")
			env.Setenv("PATH", bin+string(os.PathListSeparator)+env.Getenv("PATH"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"status": status},
	})
}

// status runs a command and fails unless it ends with the status given: status 2 rung check bad.yaml
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N command args...")
	}
	script := fmt.Sprintf(`"$@"; code=$?; [ $code -eq %s ] || { echo "exit status $code, not %s" >&2; exit 1; }`, args[0], args[0])
	ts.Check(ts.Exec("sh", append([]string{"-c", script, "sh"}, args[1:]...)...))
}
