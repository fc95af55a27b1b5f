package batch_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/batch"
)

// TestAMemberIsWhatARowSays: neither white space nor the order of keys nor the way a number is written makes another row; a word does.
func TestAMemberIsWhatARowSays(t *testing.T) {
	member := func(input, output string) string {
		t.Helper()
		m, err := batch.Member(json.RawMessage(input), json.RawMessage(output))
		if err != nil || len(m) != 32 {
			t.Fatal(m, err)
		}
		return m
	}
	first := member(`{"a": "x", "b": 1}`, `"ham"`)
	for _, input := range []string{`{"b":1.0,"a":"x"}`, "{ \"b\" : 1,\n\"a\":\"\\u0078\" }"} {
		if member(input, `"ham"`) != first {
			t.Errorf("%s is another row", input)
		}
	}
	for _, row := range [][2]string{{`{"a": "X", "b": 1}`, `"ham"`}, {`{"a": "x", "b": 1}`, `"spam"`}, {`{"a": "x"}`, `"ham"`}, {`"ham"`, `{"a": "x", "b": 1}`}} {
		if member(row[0], row[1]) == first {
			t.Errorf("%v is the same row", row)
		}
	}
	if _, err := batch.Member(json.RawMessage(`{"a":`), json.RawMessage(`1`)); err == nil {
		t.Error("half a row has a digest")
	}
}

// TestRecordsFromOutside: files beside the rows that are no records, and a plan whose sample cannot show what it claims, vouch for nothing
// and break nothing.
func TestRecordsFromOutside(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "odd [x]*")
	if err := os.MkdirAll(filepath.Join(dir, "folder.review.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("a.review.json", "{")
	put("b.review.json", `["review"]`)
	put("c.review.json", `{"review": "review-0123456789ab"}`)
	const name, place = "review-0123456789ab", "made.jsonl:1"
	g := &rung.Generated{By: "m", Review: name}
	input, output := json.RawMessage(`{"a":1}`), json.RawMessage(`2`)
	ask := func() string {
		t.Helper()
		err := new(batch.Shelf).Row(t.Context(), []string{dir}, place, g, input, output)
		var e *rung.Error
		if err != nil && (!errors.As(err, &e) || e.Place != place || e.Do == "") {
			t.Fatalf("an incomplete error: %+v", err)
		}
		if err == nil {
			return ""
		}
		return err.Error()
	}
	if got := ask(); !strings.Contains(got, "c.review.json is of another batch") {
		t.Errorf("%s", got)
	}
	m, err := batch.Member(input, output)
	if err != nil {
		t.Fatal(err)
	}
	record := func(rows, sample int, members map[string]string) string {
		t.Helper()
		b, err := json.Marshal(map[string]any{"review": name, "state": "accepted", "looked": sample, "reviewers": []any{map[string]string{"name": "ada"}},
			"plan": rung.ReviewPlan{Batch: "0123456789ab", Rows: rows, Sample: sample, Tolerable: .05, Confidence: .95, Members: members}})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	many := map[string]string{"r": m}
	for i := range 99 {
		many[strings.Repeat("x", i+1)] = strings.Repeat("0", 32)
	}
	put("c.review.json", record(100, 2, many))
	if got := ask(); !strings.Contains(got, "a sample of 2 of 100 rows") {
		t.Errorf("two rows of a hundred cannot bound its defects at 5 %%: %s", got)
	}
	put("c.review.json", record(1, 1, map[string]string{"r": m}))
	if got := ask(); got != "" {
		t.Errorf("an accepted batch: %s", got)
	}
	g.Review = ""
	if got := ask(); got != "" {
		t.Errorf("a row without a mark: %s", got)
	}
}
