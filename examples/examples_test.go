// Package examples_test holds the demo tasks to what their READMEs say.
package examples_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/extract"
	"github.com/rung-dev/rung/internal/retrieve"
)

type question struct {
	rung.Example
	Text     string
	Expected string
}

func questions(t *testing.T) []question {
	t.Helper()
	data, err := os.ReadFile("handbook/examples.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var out []question
	lines := json.NewDecoder(bytes.NewReader(data))
	for lines.More() {
		var q question
		if err := lines.Decode(&q.Example); err != nil {
			t.Fatal(err)
		}
		var input struct{ Question string }
		if err := json.Unmarshal(q.Input, &input); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(q.Output, &q.Expected); err != nil {
			t.Fatal(err)
		}
		q.Text = input.Question
		out = append(out, q)
	}
	return out
}

// edition is the passages of one year, cut as the task file says.
func edition(t *testing.T, year string) []rung.Passage {
	t.Helper()
	files, err := filepath.Glob("handbook/documents/" + year + "/*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("no documents of %s: %v", year, err)
	}
	x := extract.New(extract.Limits{})
	var out []rung.Passage
	for _, file := range files {
		doc, err := x.File(context.Background(), "handbook/documents/"+year, file)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, retrieve.Chunk(doc, retrieve.SpecOf(rung.RetrievalSpec{ChunkTokens: 160}, nil))...)
	}
	return out
}

// holds reports whether the text holds the answer as whole words.
func holds(text, answer string) bool {
	return regexp.MustCompile(`(^|[^\w.])` + regexp.QuoteMeta(answer) + `([^\w]|$)`).MatchString(text)
}

func TestEveryAnswerIsInTheEditionInForce(t *testing.T) {
	seen := map[string]bool{}
	passages := edition(t, "2026")
	for _, q := range questions(t) {
		if seen[q.ID] || seen[q.Text] {
			t.Errorf("%s: the id or the question occurs twice", q.ID)
		}
		seen[q.ID], seen[q.Text] = true, true
		found := false
		for _, p := range passages {
			found = found || holds(p.Text, q.Expected)
		}
		if !found {
			t.Errorf("%s: no passage holds %q", q.ID, q.Expected)
		}
	}
}

// The right passage must be found by words alone, or the handbook would measure the search and not the model.
func TestQuestionsFindTheirPassage(t *testing.T) {
	passages := edition(t, "2026")
	index, err := retrieve.Build(context.Background(), passages, retrieve.Settings{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	first, third := 0, 0
	all := questions(t)
	for _, q := range all {
		for i, p := range index.SearchWords(q.Text, 3) {
			if holds(p.Text, q.Expected) {
				third++
				if i == 0 {
					first++
				}
				break
			}
		}
	}
	n := float64(len(all))
	t.Logf("%d passages, %d questions: the answer is in the first passage for %.3f, in the first three for %.3f", len(passages), len(all), float64(first)/n, float64(third)/n)
	if float64(first)/n < .9 || float64(third)/n < .96 {
		t.Error("fewer than .90 and .96")
	}
}

// Rows marked as changed have an answer that the passage of the same heading did not hold a year before.
func TestChangedRowsChanged(t *testing.T) {
	old := map[string]string{}
	for _, p := range edition(t, "2025") {
		old[p.Doc+p.Heading] += p.Text + "\n"
	}
	changed := 0
	for _, q := range questions(t) {
		if q.Segment != "changed in 2026" {
			continue
		}
		changed++
		now := false
		for _, p := range edition(t, "2026") {
			now = now || holds(p.Text, q.Expected) && !holds(old[p.Doc+p.Heading], q.Expected)
		}
		if !now {
			t.Errorf("%s: %q stood in the edition of 2025 already", q.ID, q.Expected)
		}
	}
	if changed < 50 {
		t.Errorf("only %d rows changed", changed)
	}
}
