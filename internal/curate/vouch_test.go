package curate_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/batch"
	"github.com/rung-dev/rung/internal/curate"
)

// recordReviews writes the record of each review that rows of a file name: that all of the batch was looked at and none was defective.
func recordReviews(t *testing.T, dir, text string) {
	t.Helper()
	batches := map[string][]rung.DatasetRow{}
	for line := range strings.Lines(text) {
		var row rung.DatasetRow
		if json.Unmarshal([]byte(line), &row) == nil && row.Generated != nil && row.Generated.Review != "" {
			batches[row.Generated.Review] = append(batches[row.Generated.Review], row)
		}
	}
	for name, rows := range batches {
		writeRecord(t, filepath.Join(dir, name+batch.RecordEnd), record(t, name, rows...))
	}
}

// record is that of an accepted review.
func record(t *testing.T, name string, rows ...rung.DatasetRow) map[string]any {
	t.Helper()
	members, err := batch.Members(rows)
	if err != nil {
		t.Fatal(err)
	}
	digest := strings.TrimPrefix(name, "review-") + strings.Repeat("0", 52)
	return map[string]any{"review": name, "state": "accepted", "looked": len(rows), "reviewers": []map[string]any{{"name": "ada"}}, "at_most_defective": 0,
		"plan": map[string]any{"batch": digest, "rows": len(rows), "sample": len(rows), "accept": 0, "tolerable": .05, "confidence": .95, "members": members}}
}

func writeRecord(t *testing.T, path string, record map[string]any) {
	t.Helper()
	b, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

const marked = `{"id": "a", "input": {"text": "where is my parcel with the new kettle"}, "output": "delivery"}
{"id": "b", "input": {"text": "my invoice of last month is wrong"}, "output": "billing"}
{"id": "c", "input": {"text": "how do I change my password for the shop"}, "output": "other"}
{"id": "g", "input": {"text": "a model thought that a courier lost a box"}, "output": "delivery", "generated": {"by": "m", "prompt": "", "review": "review-0000000000ab"}}
`

const markedDescribed = "name: tickets\noutput: {labels: [billing, delivery, other]}\nsources: [{name: desk, files: raw.jsonl}]\npii: none\ndecontaminate: none\n"

// TestAForgedReviewIsRefused: the mark of a review counts for nothing without a record of that review that vouches for the row, as it
// stands: a build ends, names the row, and leaves no folder.
func TestAForgedReviewIsRefused(t *testing.T) {
	const name = "review-0000000000ab"
	row := rung.DatasetRow{ID: "g", Input: json.RawMessage(`{"text": "a model thought that a courier lost a box"}`), Output: json.RawMessage(`"delivery"`)}
	with := func(key string, value any) map[string]any {
		r := record(t, name, row)
		r[key] = value
		return r
	}
	plan := func(key string, value any) map[string]any {
		r := record(t, name, row)
		r["plan"].(map[string]any)[key] = value
		return r
	}
	other := row
	other.Output = json.RawMessage(`"billing"`)
	for what, c := range map[string]struct {
		record map[string]any
		want   string
	}{
		"no record":                    {nil, "there is no record of that review"},
		"another batch's record":       {record(t, "review-0000000000cd", row), "there is no record of that review"},
		"a record under another name":  {with("review", name+"0"), "there is no record of that review"},
		"another digest":               {plan("batch", strings.Repeat("1", 64)), "is of another batch"},
		"a refused batch":              {with("state", "refused"), "says that the batch is refused"},
		"an open review":               {with("state", "open"), "says that the batch is open"},
		"nobody looked":                {with("looked", 0), "0 rows were looked at, and its plan asks for 1"},
		"no reviewer":                  {with("reviewers", []any{}), "were looked at"},
		"too many defects":             {with("defects", 1), "its plan allows 0"},
		"the row was changed since":    {record(t, name, other), "held no such row"},
		"the row was found defective":  {with("found", []string{"g"}), "held no such row"},
		"a record that names no rows":  {plan("members", nil), "written by an older rung"},
		"a plan that looks at nothing": {plan("sample", 0), "no plan of acceptance sampling"},
	} {
		dir := project(t, map[string]string{"dataset.yaml": markedDescribed})
		write(t, dir, "raw.jsonl", marked)
		if c.record != nil {
			writeRecord(t, filepath.Join(dir, "made.review.json"), c.record)
		}
		_, err := build(t, dir, curate.Options{Version: "v"})
		if err == nil || rung.CodeOf(err) != rung.CodeInput || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "raw.jsonl:4") {
			t.Errorf("%s: %v, want %q", what, err, c.want)
		}
		if names(t, dir)["tickets"] {
			t.Errorf("%s: there is a folder", what)
		}
	}
}

// TestAReviewVouchesForItsRows: with its record the row is in the dataset, also when personal data was replaced in it afterwards, and card
// and report say who looked at how much.
func TestAReviewVouchesForItsRows(t *testing.T) {
	r := mustBuild(t, project(t, map[string]string{"dataset.yaml": strings.Replace(markedDescribed, "pii: none", "pii: redact", 1), "raw.jsonl": strings.Replace(marked, "a box", "the box of ann.miller@example.org", 1)}))
	if r.Dataset.Generated() != 1 {
		t.Errorf("%d generated rows", r.Dataset.Generated())
	}
	if page := contents(t, r.Folder)["report.html"]; !strings.Contains(page, "1 person looked at 1 and found 0 defective") {
		t.Error("the report does not say how the batch was reviewed")
	}
}

// TestTheStoreKnowsAReviewBetter: what the store's own ratings say goes before a record beside the file, for and against.
func TestTheStoreKnowsAReviewBetter(t *testing.T) {
	stored := func(r map[string]any) curate.Options {
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var out batch.Record
		if err := json.Unmarshal(b, &out); err != nil {
			t.Fatal(err)
		}
		return curate.Options{Version: "v", Review: func(context.Context, string) (*batch.Record, error) { return &out, nil }}
	}
	row := rung.DatasetRow{ID: "g", Input: json.RawMessage(`{"text": "a model thought that a courier lost a box"}`), Output: json.RawMessage(`"delivery"`)}
	open := record(t, "review-0000000000ab", row)
	open["state"] = "open"
	dir := project(t, map[string]string{"dataset.yaml": markedDescribed, "raw.jsonl": marked})
	if _, err := build(t, dir, stored(open)); err == nil || !strings.Contains(err.Error(), "the store's record says that the batch is open") {
		t.Errorf("%v", err)
	}
	alone := project(t, map[string]string{"dataset.yaml": markedDescribed})
	write(t, alone, "raw.jsonl", marked)
	if _, err := build(t, alone, stored(record(t, "review-0000000000ab", row))); err != nil {
		t.Errorf("the store vouches for the row: %v", err)
	}
}
