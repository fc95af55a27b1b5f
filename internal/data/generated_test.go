package data_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/batch"
	"github.com/rung-dev/rung/internal/data"
)

func realRows(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"text":"a question about item %d and what %s it costs in place %d","output":%q}`+"\n", i*7919, words[i%len(words)], i*104729, []string{"ham", "spam"}[i%2])
	}
	return b.String()
}

// reviewed writes the record of an accepted review beside a file whose generated rows name it.
func reviewed(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var rows []rung.DatasetRow
	for line := range strings.Lines(string(content)) {
		var row struct {
			Text      string          `json:"text"`
			Output    json.RawMessage `json:"output"`
			Generated json.RawMessage `json:"generated"`
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(row.Generated), reviewName) {
			continue
		}
		input, err := json.Marshal(map[string]string{"text": row.Text})
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, rung.DatasetRow{ID: fmt.Sprint(len(rows)), Input: input, Output: row.Output})
	}
	members, err := batch.Members(rows)
	if err != nil {
		t.Fatal(err)
	}
	record, err := json.Marshal(map[string]any{"review": reviewName, "state": "accepted", "looked": len(rows), "reviewers": []map[string]any{{"name": "ada"}},
		"plan": rung.ReviewPlan{Batch: rung.Digest(strings.TrimPrefix(reviewName, "review-")), Rows: len(rows), Sample: len(rows), Tolerable: .05, Confidence: .95, Members: members}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "made.review.json"), record, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const reviewName = "review-000000000001"

// TestAForgedReviewIsAFault: a task does not take the word of a row that it was reviewed.
func TestAForgedReviewIsAFault(t *testing.T) {
	path := reviewed(t, write(t, realRows(60)+`{"text":"a model wrote this","output":"ham","generated":{"by":"m","review":"review-000000000001"}}`+"\n", "a.jsonl"))
	tk := labelTask([]string{"ham", "spam"}, path)
	if d := load(t, tk); !slices.ContainsFunc(d.Building.Train, func(e rung.Example) bool { return e.Generated != nil }) {
		t.Error("the row that a record vouches for is not trained on")
	}
	more := `{"text":"a forger wrote this","output":"ham","generated":{"by":"m","review":"review-000000000001"}}` + "\n" + `{"text":"and this","output":"ham","generated":{"by":"m","review":"mine"}}` + "\n"
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(more); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = data.Load(t.Context(), tk, formOf(t, tk))
	for _, want := range []string{"a.jsonl:62", "held no such row", "a.jsonl:63", "there is no record of that review"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
}

// TestGeneratedRowsFollow: rows that no person wrote are trained on once their batch was reviewed, and never before; they move no real
// example, go to train alone, and copies of held-out examples among them are left out.
func TestGeneratedRowsFollow(t *testing.T) {
	alone := load(t, labelTask([]string{"ham", "spam"}, write(t, realRows(200), "a.jsonl")))
	held := alone.Heldout.Examples()[0]
	var text struct{ Text string }
	if err := json.Unmarshal(held.Input, &text); err != nil {
		t.Fatal(err)
	}
	var made strings.Builder
	for i := range 40 {
		fmt.Fprintf(&made, `{"text":"another %d thing that a model thought up about %s %s","output":"ham","generated":{"by":"m","prompt":"p","review":"review-000000000001"}}`+"\n", i*31, words[i%len(words)], words[(i*5)%len(words)])
	}
	fmt.Fprintf(&made, `{"text":%q,"output":"ham","generated":{"by":"m","prompt":"p","review":"review-000000000001"}}`+"\n", text.Text+"!")
	made.WriteString(`{"text":"nobody has looked at this one","output":"ham","generated":{"by":"m","prompt":"p"}}` + "\n")
	made.WriteString(`{"text":"nor at this, from a file of another tool","output":"ham","generated":true}` + "\n")

	d := load(t, labelTask([]string{"ham", "spam"}, reviewed(t, write(t, realRows(200)+made.String(), "a.jsonl"))))
	if d.Heldout.Digest() != alone.Heldout.Digest() || len(d.Building.Dev) != len(alone.Building.Dev) {
		t.Errorf("generated rows moved real ones: held-out %s and %s, dev %d and %d", d.Heldout.Digest(), alone.Heldout.Digest(), len(d.Building.Dev), len(alone.Building.Dev))
	}
	if n := len(d.Building.Train) - len(alone.Building.Train); n != 40 {
		t.Errorf("%d generated rows are trained on, of 43", n)
	}
	notes := strings.Join(d.Notes, "\n")
	for _, want := range []string{"generated rows that no person has reviewed are left out; rung data review has a batch reviewed (2 rows)", "1 generated row left out: they repeat, exactly or nearly, examples of dev or held-out"} {
		if !strings.Contains(notes, want) {
			t.Errorf("the notes do not say %q:\n%s", want, notes)
		}
	}
	if strings.Contains(notes, "EVALUATED ON GENERATED") {
		t.Errorf("held-out is real: %s", notes)
	}
}

// TestGeneratedHeldoutIsSaid: a file may mark generated rows for held-out, and a suite may hold them; the figures then say so.
func TestGeneratedHeldoutIsSaid(t *testing.T) {
	body := realRows(60) + `{"text":"thought up for the test itself","output":"ham","split":"heldout","generated":{"by":"m","prompt":"p","review":"review-000000000001"}}` + "\n"
	tk := labelTask([]string{"ham", "spam"}, reviewed(t, write(t, body, "a.jsonl")))
	d := load(t, tk)
	if len(d.Notes) == 0 || !strings.HasPrefix(d.Notes[0], "EVALUATED ON GENERATED ROWS: no person wrote 1 of the 1 held-out examples") {
		t.Errorf("the notes are %q", d.Notes)
	}
	s, err := data.LoadSuite(context.Background(), tk, formOf(t, tk), write(t, `{"text":"x y z","output":"ham","generated":{"by":"m","prompt":"p"}}`+"\n", "s.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Examples) != 1 || s.Examples[0].Generated == nil || !strings.Contains(strings.Join(s.Notes, "\n"), "no person wrote 1 of the 1 suite's examples") {
		t.Errorf("%+v, notes %q", s.Examples, s.Notes)
	}
	if ok, why := (&rung.Generated{By: "m"}).Trainable(); ok || !strings.Contains(why, "rung data review") {
		t.Errorf("unreviewed rows are trainable: %v %q", ok, why)
	}
}
