package rung_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
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

	"internal/stats":      {"internal/stats/dist"},
	"internal/stats/dist": {},
	"internal/form":       {"rung"},
	"internal/fill":       {},
	"internal/task":       {"rung", "internal/govern"},
	"internal/extract":    {"rung"},
	"internal/model":      {"rung"},
	"internal/store":      {"rung"},
	"internal/venv":       {"rung"},
	"internal/ifeval":     {"rung"},
	"internal/attack":     {"rung", "internal/form", "internal/guard", "internal/model", "internal/recipe", "internal/stats"},

	"internal/unionfind":       {},
	"internal/batch":           {"rung", "internal/stats"},
	"internal/govern":          {"rung"},
	"internal/charset":         {},
	"internal/arrowipc":        {},
	"internal/records":         {"rung", "internal/arrowipc", "internal/charset"},
	"internal/rows":            {"rung", "internal/records"},
	"internal/formats":         {"rung", "internal/charset", "internal/records", "internal/rows", "internal/trace"},
	"internal/dedupe":          {"rung", "internal/rows", "internal/unionfind"},
	"internal/contam":          {"rung", "internal/dedupe", "internal/rows"},
	"internal/data":            {"rung", "internal/batch", "internal/form", "internal/records", "internal/rows", "internal/unionfind"},
	"internal/grade":           {"rung", "internal/form", "internal/guard", "internal/guard/linear", "internal/stats", "internal/stats/dist"},
	"internal/retrieve":        {"rung", "internal/extract", "internal/model"},
	"internal/model/openai":    {"rung", "internal/model"},
	"internal/model/anthropic": {"rung", "internal/model"},
	"internal/model/modeltest": {"rung", "internal/model"},
	"internal/model/doortest":  {"internal/model", "internal/model/modeltest", "internal/model/openai", "internal/store/sqlite"},
	"internal/store/pack":      {},
	"internal/store/blocks":    {"rung", "internal/store", "internal/store/pack"},
	"internal/store/sqlite":    {"rung", "internal/store", "internal/store/blocks", "internal/store/pack"},
	"internal/store/storetest": {"rung", "internal/store"},
	"internal/spread":          {"rung", "internal/venv", "python"},
	"internal/engine":          {"rung", "internal/model", "internal/venv", "python"},
	"internal/tune":            {"rung", "internal/venv", "python"},

	"internal/recipe":   {"rung", "internal/extract", "internal/fill", "internal/form", "internal/grade", "internal/model", "internal/retrieve", "internal/tune"},
	"internal/climb":    {"rung", "internal/grade", "internal/recipe", "internal/stats", "internal/stats/dist"},
	"internal/rating":   {"rung", "internal/form", "internal/stats", "internal/stats/dist", "internal/store"},
	"internal/web":      {"rung", "internal/rating"},
	"internal/generate": {"rung", "internal/batch", "internal/contam", "internal/form", "internal/judge", "internal/label", "internal/model", "internal/rating", "internal/stats"},
	"internal/label":    {"rung", "internal/form", "internal/guard/linear", "internal/modes", "internal/rating"},

	"internal/perturb": {"rung"},
	"internal/modes":   {"rung", "internal/grade", "internal/model", "internal/stats"},
	"internal/judge":   {"rung", "internal/model", "internal/stats"},
	"internal/program": {"rung"},

	"internal/pii":                         {"rung", "internal/pii/crf"},
	"internal/pii/crf":                     {},
	"internal/guard":                       {"rung", "internal/form", "internal/guard/linear", "internal/pii"},
	"internal/guard/linear":                {},
	"internal/rollout":                     {"rung", "internal/stats"},
	"internal/trace":                       {"rung", "internal/store"},
	"internal/telemetry":                   {"rung"},
	"internal/registry":                    {"rung"},
	"internal/registry/registrytest":       {},
	"internal/store/postgres":              {"rung", "internal/store", "internal/store/blocks", "internal/store/pack"},
	"internal/store/postgres/postgrestest": {},
	"internal/gateway": {"rung", "internal/form", "internal/guard", "internal/model", "internal/recipe", "internal/rollout", "internal/store",
		"internal/telemetry", "internal/trace"},

	"internal/curate": {"rung", "internal/batch", "internal/contam", "internal/data", "internal/datacheck", "internal/dedupe", "internal/form", "internal/formats", "internal/govern", "internal/pii",
		"internal/report", "internal/rows", "internal/task"},
	"internal/report":            {"rung", "internal/fill", "internal/modes", "internal/stats"},
	"internal/browsertest":       {},
	"internal/sharedtest":        {},
	"internal/report/reporttest": {"rung", "internal/model", "internal/report", "internal/stats", "internal/store"},

	"internal/app": {"rung", "internal/rows", "internal/label", "internal/attack", "internal/ifeval", "internal/climb", "internal/contam", "internal/data", "internal/dedupe", "internal/engine", "internal/extract", "internal/form", "internal/gateway", "internal/govern",
		"internal/grade", "internal/guard", "internal/judge", "internal/model", "internal/model/anthropic", "internal/model/openai", "internal/modes", "internal/perturb", "internal/program",
		"internal/recipe",
		"internal/registry", "internal/report", "internal/retrieve", "internal/rollout", "internal/stats", "internal/store", "internal/store/postgres",
		"internal/store/sqlite", "internal/task", "internal/telemetry", "internal/trace", "internal/tune"},
	"internal/datacheck": {"rung", "internal/data", "internal/dedupe", "internal/form", "internal/rows", "internal/stats"},
	"internal/cli": {"rung", "internal/batch", "internal/govern", "internal/datacheck", "internal/formats", "internal/generate", "internal/label", "internal/curate", "internal/pii", "internal/attack", "internal/app", "internal/rating", "internal/web", "internal/contam", "internal/data", "internal/dedupe", "internal/rows", "internal/engine", "internal/form", "internal/gateway", "internal/grade", "internal/guard", "internal/judge",
		"internal/model", "internal/model/anthropic", "internal/model/openai", "internal/modes", "internal/perturb", "internal/registry", "internal/report", "internal/rollout",
		"internal/spread", "internal/stats", "internal/store",
		"internal/store/sqlite", "internal/task", "internal/trace", "internal/tune", "internal/venv"},
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

// packages are the imports of each package of the module, tests left out, on every platform. The files are read here and not by
// go list, so that go test knows what the result rests on and does not answer from its cache when an import has changed.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	err := filepath.WalkDir(".", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := e.Name()
		switch {
		case e.IsDir() && path != "." && (name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")):
			return filepath.SkipDir
		case e.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		room := filepath.ToSlash(filepath.Dir(path))
		if room == "." {
			room = "rung"
		}
		for _, spec := range file.Imports {
			found[room] = append(found[room], strings.Trim(spec.Path.Value, `"`))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 20 {
		t.Fatalf("%d packages found only", len(found))
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
