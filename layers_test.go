package rung_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/rung-dev/rung"

// rooms says which of our packages each of them may import. It is ARCHITECTURE.md's one direction in full: a new package, or a new
// import between two old ones, is written down here on purpose or not at all. "rung" is the root package.
var rooms = map[string][]string{
	"rung":   {},
	"python": {},

	"internal/stats":   {},
	"internal/form":    {"rung"},
	"internal/task":    {"rung"},
	"internal/extract": {"rung"},
	"internal/model":   {"rung"},
	"internal/store":   {"rung"},
	"internal/venv":    {"rung"},

	"internal/data":            {"rung", "internal/form"},
	"internal/grade":           {"rung", "internal/form", "internal/stats"},
	"internal/retrieve":        {"rung", "internal/extract", "internal/model"},
	"internal/model/openai":    {"rung", "internal/model"},
	"internal/model/anthropic": {"rung", "internal/model"},
	"internal/model/modeltest": {"rung", "internal/model"},
	"internal/store/sqlite":    {"rung", "internal/store"},
	"internal/store/storetest": {"rung", "internal/store"},
	"internal/engine":          {"rung", "internal/model", "internal/venv", "python"},
	"internal/tune":            {"rung", "internal/venv", "python"},

	"internal/recipe": {"rung", "internal/extract", "internal/form", "internal/grade", "internal/model", "internal/retrieve", "internal/tune"},
	"internal/climb":  {"rung", "internal/recipe", "internal/stats"},

	"internal/report":            {"rung", "internal/stats"},
	"internal/report/reporttest": {"rung", "internal/model", "internal/report", "internal/stats", "internal/store"},

	"internal/app": {"rung", "internal/climb", "internal/data", "internal/engine", "internal/extract", "internal/form", "internal/grade",
		"internal/model", "internal/model/anthropic", "internal/model/openai", "internal/recipe", "internal/store",
		"internal/store/sqlite", "internal/task", "internal/tune"},
	"internal/cli": {"rung", "internal/app", "internal/data", "internal/engine", "internal/form", "internal/grade", "internal/model",
		"internal/model/anthropic", "internal/model/openai", "internal/report", "internal/stats", "internal/store",
		"internal/store/sqlite", "internal/task", "internal/tune", "internal/venv"},
	"cmd/rung": {"internal/cli"},
}

// TestImportsPointOneWay holds the code, not its tests, to the table.
func TestImportsPointOneWay(t *testing.T) {
	for room, imports := range packages(t) {
		if strings.HasPrefix(room, "bench") || strings.HasPrefix(room, "examples") { // they measure and show; nothing rests on them
			if slices.Contains(imports, module+"/internal/cli") {
				t.Errorf("%s imports internal/cli", room)
			}
			continue
		}
		allowed, known := rooms[room]
		if !known {
			t.Errorf("%s has no place in the table: say what it may import, and add it to ARCHITECTURE.md", room)
			continue
		}
		for _, path := range imports {
			if name, ours := roomOf(path); ours && !slices.Contains(allowed, name) {
				t.Errorf("%s may not import %s", room, name)
			}
		}
	}
}

// TestRootUsesTheStandardLibraryOnly: every package imports the words; they bring nothing along.
func TestRootUsesTheStandardLibraryOnly(t *testing.T) {
	for _, path := range packages(t)["rung"] {
		if first, _, _ := strings.Cut(path, "/"); strings.Contains(first, ".") {
			t.Errorf("the root package imports %s", path)
		}
	}
}

// TestDecidingReadsAndCallsNothing: what decides can be tested without files, networks and models.
func TestDecidingReadsAndCallsNothing(t *testing.T) {
	all := packages(t)
	for _, room := range []string{"internal/climb", "internal/stats"} {
		for _, path := range all[room] {
			for _, outside := range []string{"os", "net", "io/fs", "io/ioutil", "syscall", "database/sql"} {
				if path == outside || strings.HasPrefix(path, outside+"/") {
					t.Errorf("%s imports %s", room, path)
				}
			}
		}
	}
}

// packages are the imports of each package of the module, tests left out, as go list sees them.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	found := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		if fields := strings.Fields(line); len(fields) > 0 {
			room, _ := roomOf(fields[0])
			found[room] = fields[1:]
		}
	}
	if len(found) < 20 {
		t.Fatalf("go list finds %d packages only", len(found))
	}
	return found
}

// roomOf is the name of a package of ours in the table.
func roomOf(path string) (name string, ours bool) {
	if path == module {
		return "rung", true
	}
	return strings.CutPrefix(path, module+"/")
}
