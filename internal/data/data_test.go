package data_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/data"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/task"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// labelTask is a task with one text field and labels, over files.
func labelTask(labels []string, files ...string) *rung.Task {
	return &rung.Task{
		Name: "t", Input: []rung.Field{{Name: "text", Type: "string"}}, Output: rung.Output{Kind: rung.Labels, Labels: labels},
		Examples: files, Split: task.DefaultSplit,
	}
}

func formOf(t testing.TB, tk *rung.Task) *form.Form {
	t.Helper()
	f, err := form.New(tk.Output)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func load(t testing.TB, tk *rung.Task) *data.Dataset {
	t.Helper()
	d, err := data.Load(context.Background(), tk, formOf(t, tk))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func write(t testing.TB, body string, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestBadFiles holds the messages of every fault to golden files.
func TestBadFiles(t *testing.T) {
	archives, err := filepath.Glob(filepath.Join("testdata", "bad", "*.txtar"))
	if err != nil || len(archives) == 0 {
		t.Fatal("no archives", err)
	}
	for _, archive := range archives {
		if archive, err = filepath.Abs(archive); err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(archive), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(archive)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			if err := txtar.Write(a, dir); err != nil {
				t.Fatal(err)
			}
			t.Chdir(dir)
			tk, err := task.Load("task.yaml")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, archive, faults(t, tk))
		})
	}
}

func faults(t *testing.T, tk *rung.Task) string {
	t.Helper()
	_, err := data.Load(context.Background(), tk, formOf(t, tk))
	if err == nil {
		t.Fatal("no error")
	}
	var all rung.Errors
	if !errors.As(err, &all) {
		var one *rung.Error
		if !errors.As(err, &one) {
			t.Fatalf("%T: %v", err, err)
		}
		all = rung.Errors{one}
	}
	var b strings.Builder
	for _, e := range all {
		if e.Code != rung.CodeInput || e.Place == "" || e.Do == "" {
			t.Errorf("incomplete: %+v", e)
		}
		fmt.Fprintln(&b, e)
	}
	im, err := data.Import(context.Background(), tk, formOf(t, tk))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&b, "rows %d, usable %d, break the form %d\n", im.Rows, len(im.Examples), im.Broken)
	for _, note := range im.Notes {
		fmt.Fprintln(&b, "note:", note)
	}
	return b.String()
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
