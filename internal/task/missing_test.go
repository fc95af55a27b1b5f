package task_test

import (
	"os"
	"strings"
	"testing"

	"github.com/rung-dev/rung/internal/task"
)

const minimal = `task: tickets
instructions: Sort.
input: {text: string}
output: {labels: [a, b]}
bar: {metric: accuracy, at_least: 0.8}
models: [openai/gpt-4o-mini]
examples: `

// TestExamplesThatAreNotThere: a dataset that is only described is said to be built first, and links that lead back to themselves are called so.
func TestExamplesThatAreNotThere(t *testing.T) {
	t.Chdir(t.TempDir())
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("rows.jsonl", `{"text":"x","label":"a"}`+"\n")
	write("mail.yaml", "name: built\nsources:\n  - {name: a, files: rows.jsonl}\n")
	for examples, want := range map[string]string{
		"built":        "built is a dataset that is not built yet; build it: rung data build mail.yaml",
		"elsewhere":    "there is no folder and no file elsewhere; check the path, which is relative to this file; a dataset is made from its description by rung data build",
		"absent.jsonl": "there is no file absent.jsonl; check the path",
	} {
		write("task.yaml", minimal+examples+"\n")
		if _, err := task.Open("task.yaml"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", examples, err)
		}
	}
	for _, link := range [][2]string{{"one.jsonl", "two.jsonl"}, {"two.jsonl", "one.jsonl"}} {
		if err := os.Symlink(link[0], link[1]); err != nil {
			t.Fatal(err)
		}
	}
	write("mail.yaml", "name: built\nsources:\n  - {name: a, files: one.jsonl}\n")
	if _, err := task.OpenDescription("mail.yaml"); err == nil || !strings.Contains(err.Error(), "a link that leads back to itself") || !strings.Contains(err.Error(), "mail.yaml:3:") {
		t.Error(err)
	}
}
