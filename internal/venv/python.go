package venv

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/rung-dev/rung"
)

// Python is an interpreter that was found and asked for its version.
type Python struct {
	Path    string
	Version string // such as 3.11.7
}

// The oldest Python that everything works with, and the newest that the locked packages are known to have wheels for.
// A newer one is tried last.
const (
	oldestMinor  = 11
	newestProven = 14
)

// candidates are the names looked for on PATH: what the user calls python3 first.
var candidates = []string{"python3", "python3.13", "python3.12", "python3.11", "python3.14", "python"}

// FindPython finds a Python of at least 3.11: the one that RUNG_PYTHON names and no other, or the best one on PATH.
// The error is CodeMissing and says what was found instead.
func FindPython(ctx context.Context) (Python, error) {
	if named := os.Getenv("RUNG_PYTHON"); named != "" {
		p, minor, err := ask(ctx, named)
		if err != nil {
			return Python{}, &rung.Error{Code: rung.CodeMissing, Place: "RUNG_PYTHON=" + named, What: "is no working Python: " + err.Error(),
				Do: "name the path of a Python 3.11 or newer, or unset it", Err: err}
		}
		if minor < oldestMinor {
			return Python{}, &rung.Error{Code: rung.CodeMissing, Place: "RUNG_PYTHON=" + named,
				What: "is Python " + p.Version + ", and rung needs 3.11 or newer", Do: "name a newer one, or unset it"}
		}
		return p, nil
	}
	return searchPath(ctx)
}

func searchPath(ctx context.Context) (Python, error) {
	var unproven *Python
	var tooOld []string
	for _, name := range candidates {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		p, minor, err := ask(ctx, path)
		switch {
		case err != nil:
		case minor < oldestMinor:
			tooOld = append(tooOld, p.Version)
		case minor <= newestProven:
			return p, nil
		case unproven == nil:
			unproven = &p
		}
	}
	if err := ctx.Err(); err != nil {
		return Python{}, interrupted(err)
	}
	if unproven != nil {
		return *unproven, nil
	}
	what := "there is no Python on PATH"
	if len(tooOld) > 0 {
		what = "the only Python on PATH is " + strings.Join(tooOld, ", ")
	}
	return Python{}, &rung.Error{Code: rung.CodeMissing, What: what + ", and rung needs 3.11 or newer for its local engine and for training",
		Do: "install Python 3.11 or newer (Debian and Ubuntu: apt install python3 python3-pip; macOS: brew install python), or set RUNG_PYTHON to its path"}
}

// ask runs the interpreter, and gives its minor version of Python 3.
func ask(ctx context.Context, path string) (Python, int, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	// -I keeps the user's environment and working directory out of it.
	out, err := exec.CommandContext(ctx, path, "-I", "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3]); print(sys.executable)").Output()
	if err != nil {
		return Python{}, 0, err
	}
	version, own, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	version = strings.TrimSpace(version)
	if own = strings.TrimSpace(own); own != "" { // not a shim that chooses by the working directory
		path = own
	}
	parts := strings.Split(version, ".")
	if len(parts) != 3 || parts[0] != "3" {
		return Python{Path: path, Version: version}, 0, nil
	}
	minor, err := strconv.Atoi(parts[1])
	if err != nil {
		return Python{}, 0, fmt.Errorf("it says it is version %q", version)
	}
	return Python{Path: path, Version: version}, minor, nil
}
