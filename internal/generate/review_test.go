package generate_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/generate"
	"github.com/rung-dev/rung/internal/label"
	"github.com/rung-dev/rung/internal/rating"
)

// batch are n generated rows as a file.
func batch(t *testing.T, n int) []byte {
	t.Helper()
	var rows []rung.DatasetRow
	for i := range n {
		r := row(fmt.Sprint("gen-", i), fmt.Sprintf("a thought up text %d", i), "ham")
		r.Generated = &rung.Generated{By: "m", Prompt: "p", From: []string{"e"}}
		r.Modes = []string{"format"}
		rows = append(rows, r)
	}
	b, err := label.Lines(rows)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// review makes the queue of a batch and has the first defects of its sample called defective.
func review(t *testing.T, n, looked, defects int) (*rung.RatingQueue, []rung.DatasetRow, *generate.Verdict) {
	t.Helper()
	rows, digest, err := generate.ReadBatch("b.jsonl", batch(t, n))
	if err != nil {
		t.Fatal(err)
	}
	o := generate.ReviewOptions{Options: rating.Options{Raters: []string{"ada"}, Seed: 1, Made: time.Unix(0, 0)}}
	plan, err := generate.Plan(digest, len(rows), &o)
	if err != nil {
		t.Fatal(err)
	}
	q, err := generate.Review("t", rows, plan, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(q.Items) != plan.Sample || q.Name != generate.ReviewName(digest) {
		t.Fatalf("%d items in %s, the plan is %+v", len(q.Items), q.Name, plan)
	}
	var said []rung.Rating
	for i := range min(looked, len(q.Items)) {
		word := generate.Good
		if i < defects {
			word = generate.Defective
		}
		said = append(said, rung.Rating{Item: q.Items[i].ID, Example: q.Items[i].Example, Rater: "ada", Role: rung.AsRater, Label: json.RawMessage(fmt.Sprintf("%q", word)), Seconds: 3, At: time.Unix(int64(i), 0)})
	}
	return q, rows, generate.Judge(q, said)
}

// TestReviewDecides: a batch is open until its sample was looked at, refused as soon as too much is defective, and accepted otherwise; then
// its rows carry the review, the defective ones left out.
func TestReviewDecides(t *testing.T) {
	q, rows, v := review(t, 500, 0, 0)
	sample, accept := v.Plan.Sample, v.Plan.Accept
	if sample < 59 || sample > 200 || v.State != generate.Open || v.Bound != 500 || v.Plan.Risk > .05 || v.Plan.Power < .8 {
		t.Fatalf("%+v %+v", v, v.Plan)
	}
	for i := range q.Items {
		if it := &q.Items[i]; len(it.Options) != 1 || it.Options[0].Text != "ham" || it.Row == nil || len(it.Row.Modes) > 0 {
			t.Fatalf("%+v", it)
		}
	}
	if _, _, v = review(t, 500, sample-1, 0); v.State != generate.Open || generate.Reviewed(rows, v) != nil {
		t.Errorf("before the end: %+v", v)
	}
	if _, _, v = review(t, 500, 30, accept+1); v.State != generate.Refused || generate.Reviewed(rows, v) != nil || !strings.Contains(v.Says, "None of its rows is trained on") {
		t.Errorf("too many defects: %+v", v)
	}
	_, rows, v = review(t, 500, sample, accept)
	got := generate.Reviewed(rows, v)
	if v.State != generate.Accepted || len(got) != 500-accept || v.Accepted != len(got) || v.Bound < accept || float64(v.Bound) > .05*500 {
		t.Fatalf("%d rows, %+v", len(got), v)
	}
	for i := range got {
		if ok, _ := generate.Allowed(&got[i]); !ok || got[i].Generated.Review != v.Review || got[i].Modes[0] != "format" {
			t.Fatalf("%+v", got[i])
		}
	}
	if rows[0].Generated.Review != "" {
		t.Error("the batch itself was marked")
	}
	if len(v.Reviewers) != 1 || v.Reviewers[0].Looked != sample || v.Reviewers[0].Seconds != float64(3*sample) {
		t.Errorf("%+v", v.Reviewers)
	}
}

// TestSplitReviewersDoNotPass: what reviewers disagree on counts as defective until it is settled.
func TestSplitReviewersDoNotPass(t *testing.T) {
	q, _, v := review(t, 40, 0, 0)
	var said []rung.Rating
	for i := range q.Items {
		for n, who := range []string{"ada", "ben"} {
			word := generate.Good
			if i < v.Plan.Accept+1 && n == 1 {
				word = generate.Defective
			}
			said = append(said, rung.Rating{Item: q.Items[i].ID, Example: q.Items[i].Example, Rater: who, Role: rung.AsRater, Label: json.RawMessage(fmt.Sprintf("%q", word))})
		}
	}
	if v = generate.Judge(q, said); v.State != generate.Open || v.Unsettled != v.Plan.Accept+1 || !strings.Contains(v.Says, "adjudicate") {
		t.Errorf("%+v", v)
	}
	settled := rung.Rating{Item: q.Items[0].ID, Example: q.Items[0].Example, Rater: "lead", Role: rung.AsAdjudicator, Label: json.RawMessage(`"good"`)}
	if v = generate.Judge(q, append(said, settled)); v.State != generate.Accepted || v.Defects != v.Plan.Accept {
		t.Errorf("%+v", v)
	}
}

// TestReadBatch: only generated rows that nobody has reviewed are a batch.
func TestReadBatch(t *testing.T) {
	good := batch(t, 3)
	for name, content := range map[string][]byte{
		"holds no row":       nil,
		"is no row":          []byte("{"),
		"was not generated":  []byte(`{"id":"a","input":{},"output":1}`),
		"reviewed already":   []byte(`{"id":"a","input":{},"output":1,"generated":{"by":"m","prompt":"","review":"r"}}`),
		"id of an earlier":   append(bytes.Clone(good), good...),
		"no id, input or ou": []byte(`{"generated":{"by":"m","prompt":""}}`),
	} {
		if _, _, err := generate.ReadBatch("b", content); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := generate.Plan("d", 10, &generate.ReviewOptions{Tolerable: 2}); rung.CodeOf(err) != rung.CodeUsage {
		t.Errorf("%v", err)
	}
}
