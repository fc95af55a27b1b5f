package data_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/data"
)

func realRows(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"text":"a question about item %d and what %s it costs in place %d","output":%q}`+"\n", i*7919, words[i%len(words)], i*104729, []string{"ham", "spam"}[i%2])
	}
	return b.String()
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
		fmt.Fprintf(&made, `{"text":"another %d thing that a model thought up about %s %s","output":"ham","generated":{"by":"m","prompt":"p","review":"r1"}}`+"\n", i*31, words[i%len(words)], words[(i*5)%len(words)])
	}
	fmt.Fprintf(&made, `{"text":%q,"output":"ham","generated":{"by":"m","prompt":"p","review":"r1"}}`+"\n", text.Text+"!")
	made.WriteString(`{"text":"nobody has looked at this one","output":"ham","generated":{"by":"m","prompt":"p"}}` + "\n")
	made.WriteString(`{"text":"nor at this, from a file of another tool","output":"ham","generated":true}` + "\n")

	d := load(t, labelTask([]string{"ham", "spam"}, write(t, realRows(200)+made.String(), "a.jsonl")))
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
	body := realRows(60) + `{"text":"thought up for the test itself","output":"ham","split":"heldout","generated":{"by":"m","prompt":"p","review":"r1"}}` + "\n"
	tk := labelTask([]string{"ham", "spam"}, write(t, body, "a.jsonl"))
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
