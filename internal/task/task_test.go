package task_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/task"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// unpack writes an archive to a new directory and goes there, so that messages show the paths that a user would type.
func unpack(t *testing.T, archive string) {
	t.Helper()
	a, err := txtar.ParseFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := txtar.Write(a, dir); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
}

func archives(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", dir, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatal("no archives in", dir, err)
	}
	for i := range files {
		if files[i], err = filepath.Abs(files[i]); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func golden(t *testing.T, archive, got string) {
	t.Helper()
	path := strings.TrimSuffix(archive, ".txtar") + ".want"
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", filepath.Base(path), diff)
	}
}

func TestGoodFiles(t *testing.T) {
	for _, archive := range archives(t, "good") {
		t.Run(strings.TrimSuffix(filepath.Base(archive), ".txtar"), func(t *testing.T) {
			unpack(t, archive)
			got, err := task.Load("task.yaml")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, archive, show(t, got))
		})
	}
}

// show writes a task as JSON, with raw JSON as it stands and paths relative to the task.
func show(t *testing.T, got *rung.Task) string {
	t.Helper()
	if !filepath.IsAbs(got.File) || got.Dir != filepath.Dir(got.File) {
		t.Errorf("file %s, dir %s", got.File, got.Dir)
	}
	copied := *got
	copied.Output.Schema, copied.Output.Tools = nil, nil
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(copied); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&b, "schema %s\ntools %s\n", got.Output.Schema, got.Output.Tools)
	return strings.ReplaceAll(b.String(), got.Dir, "DIR")
}

func TestBadFiles(t *testing.T) {
	for _, archive := range archives(t, "bad") {
		t.Run(strings.TrimSuffix(filepath.Base(archive), ".txtar"), func(t *testing.T) {
			unpack(t, archive)
			started := time.Now()
			_, err := task.Load("task.yaml")
			if err == nil {
				t.Fatal("no error")
			}
			if took := time.Since(started); took > 5*time.Second {
				t.Errorf("took %s", took)
			}
			var all rung.Errors
			if !errors.As(err, &all) {
				t.Fatalf("%T is no rung.Errors", err)
			}
			var b strings.Builder
			for _, e := range all {
				if e.Code != rung.CodeInput || e.Place == "" || e.What == "" || e.Do == "" {
					t.Errorf("incomplete: %+v", e)
				}
				fmt.Fprintln(&b, e.Error())
				for _, line := range strings.Split(e.Excerpt, "\n") {
					if e.Excerpt != "" {
						fmt.Fprintln(&b, "  | "+strings.TrimRight(line, " "))
					}
				}
			}
			golden(t, archive, b.String())
		})
	}
}

// TestBytes holds what an archive of text cannot: files that are no text, too large, or written elsewhere.
func TestBytes(t *testing.T) {
	good := "task: a\ninstructions: Sört.\ninput: {text: string}\noutput: {labels: [a, b]}\nexamples: e.jsonl\nbar: {metric: accuracy, at_least: 0.9}\nmodels: [local/m]\n"
	utf16 := []byte{0xff, 0xfe}
	for _, c := range good {
		utf16 = append(utf16, byte(c), byte(c>>8))
	}
	for _, c := range []struct{ name, body, want string }{
		{"byte order mark", "\ufeff" + good, ""},
		{"carriage returns", strings.ReplaceAll(good, "\n", "\r\n"), ""},
		{"old Mac", strings.ReplaceAll(good, "\n", "\r"), ""},
		{"no last line end", strings.TrimSpace(good), ""},
		{"empty", "", "t.yaml: the file is empty; write a task, or let rung init write one"},
		{"blank", "\n \n", "t.yaml: the file is empty; write a task, or let rung init write one"},
		{"UTF-16", string(utf16), "t.yaml: the file is UTF-16; save it as UTF-8"},
		{"Latin-1", strings.ReplaceAll(good, "ö", "\xf6"), "t.yaml:2:16: byte 0xf6 is not UTF-8; save the file as UTF-8 text"},
		{"zero byte", strings.ReplaceAll(good, "Sört", "S\x00rt"), "t.yaml:2:16: the file holds a zero byte; save the file as UTF-8 text"},
		{"too large", good + strings.Repeat("#", 600<<10), "t.yaml: t.yaml is 600 KiB long, more than the 512 KiB that such a file may have; check that it is the right file"},
		{"deep", good + "x: " + strings.Repeat("[", 100_000), "t.yaml:8:1: more than 50 levels of nesting; write it flatter"},
		{"deep block", deepBlock(60), "t.yaml:52:1: more than 50 levels of nesting; write it flatter"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			write(t, "e.jsonl", "")
			write(t, "t.yaml", c.body)
			_, err := task.Load("t.yaml")
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func deepBlock(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat("  ", i) + "a:\n")
	}
	return b.String()
}

func write(t *testing.T, path, body string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestMissingFile(t *testing.T) {
	t.Chdir(t.TempDir())
	for path, want := range map[string]string{
		"nowhere.yaml": "nowhere.yaml: there is no such file; check the path, or write a new task with: rung init",
		".":            ".: is a directory; name the task file in it, such as task.yaml",
	} {
		if _, err := task.Load(path); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

func TestUnreadable(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may read everything")
	}
	t.Chdir(t.TempDir())
	write(t, "t.yaml", "task: a")
	if err := os.Chmod("t.yaml", 0); err != nil {
		t.Fatal(err)
	}
	if _, err := task.Load("t.yaml"); err == nil || !strings.Contains(err.Error(), "may not be read") {
		t.Error(err)
	}
}

// TestElsewhere loads a task from another directory: its paths are its own, messages show the path that was typed.
func TestElsewhere(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	write(t, "sub/t.yaml", "task: a\ninstructions: Sort.\ninput: {text: string}\noutput: {json_schema: s.json}\nexamples: e.jsonl\nbar: {metric: exact_match, at_least: 1}\nmodels: [local/m]\n")
	write(t, "sub/e.jsonl", "")
	write(t, "sub/s.json", `{"type": 3}`)
	_, err := task.Load("sub/t.yaml")
	if err == nil || !strings.HasPrefix(err.Error(), "sub/s.json:1:10: ") {
		t.Errorf("the fault of the schema: %v", err)
	}
	write(t, "sub/s.json", `{"type": "string"}`)
	got, err := task.Load("sub/t.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(got.Dir, "e.jsonl"); got.Examples[0] != want || filepath.Base(got.Dir) != "sub" {
		t.Errorf("examples %v in %s", got.Examples, got.Dir)
	}
}

func TestPlaces(t *testing.T) {
	unpack(t, archives(t, "good")[0]) // everything
	f, err := task.Open("task.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"bar.metric":           "task.yaml:16:11",
		"bar.guards.has_code":  "task.yaml:19:40",
		"metrics[2].cel":       "task.yaml:39:24",
		"models[1]":            "task.yaml:23:30",
		"alpha_weights.prompt": "task.yaml:41:25",
		"input.list":           "task.yaml:7:9",
		"no.such.key":          "task.yaml",
	} {
		got, excerpt := f.At(path)
		if got != want {
			t.Errorf("%s is at %s, not %s", path, got, want)
		}
		if (excerpt == "") != (path == "no.such.key") {
			t.Errorf("%s has the excerpt %q", path, excerpt)
		}
	}
	if e := f.Fault("metrics[2].cel", "no CEL", "correct it"); e.Error() != "task.yaml:39:24: no CEL; correct it" || !strings.HasSuffix(e.Excerpt, "^") {
		t.Errorf("%+v", e)
	}
}

// TestHiddenFiles holds that ** leaves hidden directories out, and that they can be named.
func TestHiddenFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, path := range []string{".git/a.md", ".rung/b.md", "docs/c.md", "docs/.d/e.md", "../" + filepath.Base(mustWd(t)) + "/f.md"} {
		write(t, path, "x")
	}
	write(t, "e.jsonl", "")
	for pattern, want := range map[string][]string{
		"**/*.md":                {"docs/c.md", "f.md"},
		"./**/*.md":              {"docs/c.md", "f.md"},
		".git/*.md":              {".git/a.md"},
		"docs/**":                {"docs/c.md"},
		"docs/.d/*":              {"docs/.d/e.md"},
		"{docs,.git}/*.md":       {".git/a.md", "docs/c.md"},
		"docs/../docs/c.md":      {"docs/c.md"},
		mustWd(t) + "/docs/*.md": {"docs/c.md"},
		"../*/docs/c.md":         {"docs/c.md"},
		"docs/[a-c].md":          {"docs/c.md"},
	} {
		write(t, "t.yaml", fmt.Sprintf("task: a\ninstructions: Sort.\ninput: {text: string}\noutput: {labels: [a, b]}\nexamples: e.jsonl\nbar: {metric: accuracy, at_least: 1}\nmodels: [local/m]\ndocuments: [%q]\n", pattern))
		got, err := task.Load("t.yaml")
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
			continue
		}
		var rel []string
		for _, path := range got.Documents {
			r, err := filepath.Rel(got.Dir, path)
			if err != nil {
				t.Fatal(err)
			}
			rel = append(rel, filepath.ToSlash(r))
		}
		if !slices.Equal(rel, want) {
			t.Errorf("%s matches %v, not %v", pattern, rel, want)
		}
	}
}

func mustWd(t *testing.T) string {
	t.Helper()
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return wd
}

// TestEndlessGlob holds that a pattern over the whole machine ends in a sentence.
func TestEndlessGlob(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "e.jsonl", "")
	loop := strings.Repeat("d/", 30)
	if err := os.MkdirAll(loop, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(mustWd(t), loop+"up"); err != nil {
		t.Skip("no symbolic links here")
	}
	write(t, "t.yaml", "task: a\ninstructions: Sort.\ninput: {text: string}\noutput: {labels: [a, b]}\nexamples: e.jsonl\nbar: {metric: accuracy, at_least: 1}\nmodels: [local/m]\ndocuments: [\"**/*.nothing\"]\n")
	started := time.Now()
	if _, err := task.Load("t.yaml"); err == nil || !strings.HasPrefix(err.Error(), "t.yaml:8:13: ") {
		t.Error(err)
	}
	if took := time.Since(started); took > 20*time.Second {
		t.Errorf("took %s", took)
	}
}

// FuzzLoad holds that no file makes Load panic, and that every error is complete and placed.
func FuzzLoad(f *testing.F) {
	for _, dir := range []string{"good", "bad"} {
		files, _ := filepath.Glob(filepath.Join("testdata", dir, "*.txtar"))
		for _, path := range files {
			a, err := txtar.ParseFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(a.Files[0].Data)
		}
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, body []byte) {
		path := filepath.Join(dir, "t.yaml")
		if err := os.WriteFile(path, body, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := task.Load(path)
		var all rung.Errors
		if err == nil {
			return
		}
		if !errors.As(err, &all) {
			t.Fatalf("%T: %v", err, err)
		}
		for _, e := range all {
			if e.Code != rung.CodeInput || e.What == "" || e.Do == "" || !strings.HasPrefix(e.Place, path) {
				t.Errorf("incomplete: %+v", e)
			}
		}
	})
}
