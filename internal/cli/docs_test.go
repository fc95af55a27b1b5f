package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/data"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/grade"
	"github.com/rung-dev/rung/internal/model/anthropic"
	"github.com/rung-dev/rung/internal/model/openai"
	"github.com/rung-dev/rung/internal/task"
)

const repository = "../.."

func readDoc(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(repository, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// docRows are the rows of all tables of a document with the given heading row, cells without spaces and backquotes around them.
func docRows(t *testing.T, name, heading string) [][]string {
	t.Helper()
	var rows [][]string
	inside := false
	for line := range strings.Lines(readDoc(t, name)) {
		line = strings.TrimSpace(line)
		switch {
		case line == heading:
			inside = true
		case !strings.HasPrefix(line, "|"):
			inside = false
		case inside && !strings.HasPrefix(line, "| ---"):
			var cells []string
			for _, cell := range strings.Split(strings.Trim(line, "|"), "|") {
				cells = append(cells, strings.Trim(strings.TrimSpace(cell), "`"))
			}
			rows = append(rows, cells)
		}
	}
	if len(rows) == 0 {
		t.Fatalf("%s has no table %q", name, heading)
	}
	return rows
}

const keyHeading = "| key | type | default | unit | meaning | example |"

// TestTaskFileDocumentHasEveryKey: the tables of the document and the schema that rung schema prints know the same keys.
func TestTaskFileDocumentHasEveryKey(t *testing.T) {
	status, out, _ := rungOut(t, "schema")
	var schema map[string]any
	if err := json.Unmarshal([]byte(out), &schema); err != nil || status != 0 {
		t.Fatalf("rung schema: status %d, %v", status, err)
	}
	want := map[string]bool{}
	schemaKeys(schema, "", want)
	for _, row := range docRows(t, "docs/task-file.md", keyHeading) {
		if len(row) != 6 || slices.Contains(row, "") {
			t.Errorf("a cell of the row of %s is empty, or there are not six: %q", row[0], row)
		}
		if !want[row[0]] {
			t.Errorf("the document has the key %s twice, or the schema has it not", row[0])
		}
		delete(want, row[0])
	}
	for key := range want {
		t.Errorf("the document does not have the key %s", key)
	}
}

// TestDatasetsDocumentHasEveryKey: the table of the document and the schema that rung schema dataset prints know the same keys. What is
// below output is in the document of the task file.
func TestDatasetsDocumentHasEveryKey(t *testing.T) {
	status, out, _ := rungOut(t, "schema", "dataset")
	var schema map[string]any
	if err := json.Unmarshal([]byte(out), &schema); err != nil || status != 0 {
		t.Fatalf("rung schema dataset: status %d, %v", status, err)
	}
	want := map[string]bool{}
	schemaKeys(schema, "", want)
	for _, row := range docRows(t, "docs/datasets.md", "| key | default | meaning |") {
		if len(row) != 3 || slices.Contains(row, "") {
			t.Errorf("a cell of the row of %s is empty, or there are not three: %q", row[0], row)
		}
		if !want[row[0]] {
			t.Errorf("the document has the key %s twice, or the schema has it not", row[0])
		}
		delete(want, row[0])
	}
	for key := range want {
		if !strings.HasPrefix(key, "output.") {
			t.Errorf("the document does not have the key %s", key)
		}
	}
}

// TestDatasetsDocumentExample: the description of the document is one.
func TestDatasetsDocumentExample(t *testing.T) {
	n := 0
	for _, block := range fence.FindAllStringSubmatch(readDoc(t, "docs/datasets.md"), -1) {
		if block[2] != "dataset" {
			continue
		}
		n++
		dir := t.TempDir()
		put(t, dir, "dataset.yaml", block[3])
		if err := os.Mkdir(filepath.Join(dir, "raw"), 0o700); err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(dir, "raw"), "a.csv", "text,label\n")
		if _, err := task.OpenDescription(filepath.Join(dir, "dataset.yaml")); err != nil {
			t.Error(err)
		}
	}
	if n == 0 {
		t.Error("the document shows no description")
	}
}

// schemaKeys collects the properties of a schema as paths such as bar.metric and metrics[].name.
func schemaKeys(node map[string]any, path string, into map[string]bool) {
	for _, list := range []string{"oneOf", "anyOf"} {
		options, _ := node[list].([]any)
		for _, o := range options {
			schemaKeys(o.(map[string]any), path, into)
		}
	}
	if items, ok := node["items"].(map[string]any); ok {
		schemaKeys(items, path+"[]", into)
	}
	properties, _ := node["properties"].(map[string]any)
	for key, value := range properties {
		at := strings.TrimPrefix(path+"."+key, ".")
		into[at] = true
		schemaKeys(value.(map[string]any), at, into)
	}
}

// docTask is an example task file of the document, with the files that the blocks after it give.
type docTask struct {
	text  string
	files map[string]string
}

var fence = regexp.MustCompile("(?ms)^```([a-z]+) (\\S+)\n(.*?)^```$")

func docTasks(t *testing.T) []docTask {
	t.Helper()
	var tasks []docTask
	for _, block := range fence.FindAllStringSubmatch(readDoc(t, "docs/task-file.md"), -1) {
		language, name, text := block[1], block[2], block[3]
		switch {
		case language == "yaml" && name == "task":
			tasks = append(tasks, docTask{text, map[string]string{}})
		case len(tasks) == 0:
			t.Fatalf("the file %s stands before any task", name)
		default:
			tasks[len(tasks)-1].files[name] = text
		}
	}
	if len(tasks) < 5 {
		t.Fatalf("the document has %d example tasks", len(tasks))
	}
	return tasks
}

// plainFiles are what example tasks name without showing it.
var plainFiles = map[string]string{
	"examples.jsonl":      `{"text": "Invoice ABC-1 of 3 May", "received": "2026-05-04", "output": {"total": 3}}`,
	"more.csv":            "text,received,output\nInvoice ABC-2,2026-05-05,\"{\"\"total\"\": 4}\"\n",
	"schema.json":         `{"type": "object", "properties": {"total": {"type": "number"}}, "required": ["total"]}`,
	"instructions.md":     "Extract the total.\n",
	"handbook/a/leave.md": "# Leave\nThirty days.\n",
}

func (d docTask) open(t *testing.T) *task.File {
	t.Helper()
	dir := t.TempDir()
	for _, files := range []map[string]string{plainFiles, d.files, {"task.yaml": d.text}} {
		for name, text := range files {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
				t.Fatal(err)
			}
			put(t, dir, name, text)
		}
	}
	f, err := task.Open(filepath.Join(dir, "task.yaml"))
	if err != nil {
		t.Fatalf("%v\nin\n%s", err, d.text)
	}
	return f
}

// TestTaskFileDocumentExamples: each example is a task that rung check accepts, its rows included, and together they use every key.
func TestTaskFileDocumentExamples(t *testing.T) {
	unused := map[string]bool{}
	for _, row := range docRows(t, "docs/task-file.md", keyHeading) {
		unused[row[0]] = true
	}
	for _, d := range docTasks(t) {
		f := d.open(t)
		output, err := form.New(f.Task.Output)
		if err != nil {
			t.Fatalf("%s: %v", f.Task.Name, err)
		}
		if _, err := grade.New(f.Task, output); err != nil {
			t.Errorf("%s: %v", f.Task.Name, err)
		}
		im, err := data.Import(context.Background(), f.Task, output)
		if err != nil || len(im.Faults) > 0 || len(im.Examples) == 0 {
			t.Errorf("%s: %d examples, %v %v", f.Task.Name, len(im.Examples), err, im.Faults)
		}
		for key := range unused {
			if used(f, key) {
				delete(unused, key)
			}
		}
	}
	for key := range unused {
		t.Errorf("no example uses %s", key)
	}
}

// used reports whether a task file has the key; [] stands for any of the first items.
func used(f *task.File, key string) bool {
	if !strings.Contains(key, "[]") {
		_, excerpt := f.At(key)
		return excerpt != ""
	}
	for i := range 5 {
		if used(f, strings.Replace(key, "[]", fmt.Sprintf("[%d]", i), 1)) {
			return true
		}
	}
	return false
}

// TestTaskFileDocumentDefaults: what the document calls a default is what a task without the key has.
func TestTaskFileDocumentDefaults(t *testing.T) {
	said := map[string]string{}
	for _, row := range docRows(t, "docs/task-file.md", keyHeading) {
		said[row[0]] = row[2]
	}
	smallest := docTasks(t)[0]
	local := smallest.open(t).Task
	smallest.text = strings.Replace(smallest.text, "local/smollm2-135m", "openai/gpt-4o-mini", 1)
	hosted := smallest.open(t).Task
	for key, value := range map[string]any{
		"bar.min_gain": local.Bar.MinGain, "bar.success": local.Bar.Success, "output.many_calls": local.Output.ManyCalls,
		"limits.retries": local.Limits.Retries, "limits.reasks": local.Limits.Reasks,
		"split.train": local.Split.Train, "split.dev": local.Split.Dev, "split.heldout": local.Split.Heldout, "alpha": local.Alpha,
		"training.seed": local.Training.Seed, "training.max_rank": local.Training.MaxRank,
		"retrieval.chunk_tokens": local.Retrieval.ChunkTokens, "retrieval.overlap": local.Retrieval.Overlap,
	} {
		if first, _, _ := strings.Cut(said[key], "`"); first != fmt.Sprint(value) {
			t.Errorf("the document gives %q as the default of %s, it is %v", said[key], key, value)
		}
	}
	if got := hosted.Limits.Timeout; said["limits.timeout"] != "2m" || got != task.DefaultTimeout || got.Minutes() != 2 || local.Limits.Timeout.Minutes() != 10 {
		t.Errorf("limits.timeout: %v, with a local model %v", got, local.Limits.Timeout)
	}
	if said["rungs"] != "all five" || len(local.Rungs) != 5 {
		t.Errorf("rungs: %v", local.Rungs)
	}
}

// TestOperationsDocumentExitStatuses: the table is that of the code.
func TestOperationsDocumentExitStatuses(t *testing.T) {
	got := map[rung.Code]int{}
	for _, row := range docRows(t, "docs/operations.md", "| status | codes | meaning |") {
		var status int
		if _, err := fmt.Sscan(row[0], &status); err != nil {
			t.Fatal(err)
		}
		for _, code := range strings.Split(row[1], ",") {
			if code = strings.Trim(strings.TrimSpace(code), "`"); code != "–" {
				got[rung.Code(code)] = status
			}
		}
	}
	for code, status := range exitStatuses {
		if got[code] != status {
			t.Errorf("the document gives %s the status %d, it is %d", code, got[code], status)
		}
		delete(got, code)
	}
	for code := range got {
		t.Errorf("there is no code %s", code)
	}
}

// TestOperationsDocumentProviders: addresses and variables are those that the providers use.
func TestOperationsDocumentProviders(t *testing.T) {
	for _, row := range docRows(t, "docs/operations.md", "| provider | base URL | key | other address |") {
		name, base, key, other := row[0], row[1], row[2], row[3]
		t.Setenv(key, "")
		t.Setenv(other, "")
		p, err := providerOf(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if p.BaseURL() != base {
			t.Errorf("the document gives %s the address %s, it is %s", name, base, p.BaseURL())
		}
		if err := p.Ready(rung.ModelRef(name + "/m")); err != nil && !strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v, and not %s", name, err, key)
		}
		t.Setenv(other, "http://127.0.0.1:1")
		if p, err := providerOf(name); err != nil || p.BaseURL() != "http://127.0.0.1:1" {
			t.Errorf("%s does not set the address of %s", other, name)
		}
	}
}

type hosted interface {
	BaseURL() string
	Ready(rung.ModelRef) error
}

func providerOf(name string) (hosted, error) {
	if name == "anthropic" {
		return anthropic.New(anthropic.Config{})
	}
	return openai.New(openai.Config{Name: name})
}

var readsEnv = regexp.MustCompile(`os\.(?:Getenv|LookupEnv)\("([A-Z0-9_]+)"\)`)

// TestOperationsDocumentEnvironment: every variable that the code names is in the document.
func TestOperationsDocumentEnvironment(t *testing.T) {
	doc, found := readDoc(t, "docs/operations.md"), 0
	eachSource(t, func(path, text string) {
		if strings.HasSuffix(path, "_test.go") || strings.HasSuffix(filepath.Dir(path), "test") { // packages for tests, such as browsertest
			return
		}
		for _, m := range readsEnv.FindAllStringSubmatch(text, -1) {
			found++
			if !strings.Contains(doc, "`"+m[1]+"`") {
				t.Errorf("the document does not have %s, which %s reads", m[1], path)
			}
		}
	})
	if found < 8 {
		t.Errorf("%d variables found in the code", found)
	}
}

// eachSource visits the Go files of the commands and rooms.
func eachSource(t *testing.T, visit func(path, text string)) {
	t.Helper()
	eachSourceIn(t, []string{"cmd", "internal"}, visit)
}

func eachSourceIn(t *testing.T, dirs []string, visit func(path, text string)) {
	t.Helper()
	for _, dir := range dirs {
		err := filepath.WalkDir(filepath.Join(repository, dir), func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || !strings.HasSuffix(path, ".go") {
				return err
			}
			text, err := os.ReadFile(path)
			if err == nil {
				visit(path, string(text))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

var testName = regexp.MustCompile(`\bTest[A-Z]\w+`)

// TestStatisticsDocumentNamesTests: every row of the claims names a test, and each test that a document names is there.
func TestStatisticsDocumentNamesTests(t *testing.T) {
	there := map[string]bool{}
	eachSourceIn(t, []string{"cmd", "internal", "bench", "examples"}, func(path, text string) {
		if strings.HasSuffix(path, "_test.go") {
			for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(text, -1) {
				there[m[1]] = true
			}
		}
	})
	for _, path := range documents {
		for _, name := range testName.FindAllString(readDoc(t, path), -1) {
			if !there[name] {
				t.Errorf("%s names %s, which is no test", path, name)
			}
		}
	}
	_, claims, _ := strings.Cut(readDoc(t, "docs/statistics.md"), "\n## Claims\n")
	claims, _, _ = strings.Cut(claims, "\n\n")
	rows := strings.Split(strings.TrimSpace(claims), "\n")
	if len(rows) < 25 {
		t.Fatalf("the table of claims has %d rows", len(rows))
	}
	for _, row := range rows[2:] {
		cells := strings.Split(row, "|")
		if held := cells[len(cells)-2]; !testName.MatchString(held) {
			t.Errorf("no test is named for the claim %q", cells[1])
		}
	}
}

var documents = []string{"docs/task-file.md", "docs/rating.md", "docs/statistics.md", "docs/evaluation.md", "docs/operations.md", "docs/rollouts.md", "docs/guards.md", "docs/releases.md", "docs/gateway.md", "docs/traces.md", "docs/failure-modes.md", "docs/attacks.md", "docs/judges.md", "docs/metrics.md", "docs/data.md", "docs/data-check.md", "docs/data-pii.md", "docs/data-ray.md", "docs/datasets.md", "docs/labelling.md", "docs/generated-data.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"}

var (
	pathInDoc    = regexp.MustCompile(`\b(?:docs|internal|scripts|cmd|python|bench|examples)/[\w./-]*\w`)
	commandInDoc = regexp.MustCompile("`rung ([a-z]+)([^`]*)`")
	flagInDoc    = regexp.MustCompile(`--([a-z][a-z-]*)`)
)

// TestDocumentsNameWhatIsThere: paths, commands and flags in the documents exist.
func TestDocumentsNameWhatIsThere(t *testing.T) {
	root := newRootCommand(&settings{Streams: Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard}})
	for _, name := range documents {
		doc := readDoc(t, name)
		for _, path := range pathInDoc.FindAllString(doc, -1) {
			if _, err := os.Stat(filepath.Join(repository, path)); err != nil {
				t.Errorf("%s names %s, which is not there", name, path)
			}
		}
		for _, m := range commandInDoc.FindAllStringSubmatch(doc, -1) {
			checkCommand(t, name, root, m[1], m[2])
		}
	}
}

func checkCommand(t *testing.T, doc string, root *cobra.Command, name, rest string) {
	t.Helper()
	words := []string{name} // and the subcommands after it
	for _, word := range strings.Fields(rest) {
		if strings.Trim(word, "abcdefghijklmnopqrstuvwxyz") != "" {
			break
		}
		words = append(words, word)
	}
	c, _, err := root.Find(words)
	if err != nil {
		t.Errorf("%s names rung %s, which is no command", doc, name)
		return
	}
	for _, m := range flagInDoc.FindAllStringSubmatch(rest, -1) {
		if cmp.Or(c.Flags().Lookup(m[1]), root.PersistentFlags().Lookup(m[1])) == nil {
			t.Errorf("%s gives rung %s the flag --%s, which it has not", doc, name, m[1])
		}
	}
}
