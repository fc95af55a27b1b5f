package label

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/modes"
	"github.com/rung-dev/rung/internal/rating"
)

// Labelled are the rows that have a label now, in the queue's order, and how many do not, by why.
type Labelled struct {
	Rows     []rung.DatasetRow `json:"-"`
	N        int               `json:"rows"`
	Counter  int               `json:"counter_examples"` // of these, corrections of wrong answers
	Open     int               `json:"open"`             // nobody has labelled them
	Split    int               `json:"split"`            // labellers are split and nobody has settled it
	Right    int               `json:"right,omitempty"`  // shown answers that were right as they were: no counter-examples
	Settled  int               `json:"settled"`          // by an adjudicator
	Agreeing int               `json:"agreeing"`         // by two labellers or more
	Single   int               `json:"single"`           // by one labeller alone
}

// RowsOf are what people said, as rows of a dataset. A label is that of the adjudicator, else of more than half of the labellers; where they
// are split the row has none and stays out. A correction of a shown answer is a counter-example of its example; one that says that the
// answer was right is not among the rows.
func RowsOf(q *rung.RatingQueue, ratings []rung.Rating, without []string) *Labelled {
	out := &Labelled{}
	judged := rating.JudgedItems(q, ratings, without)
	for i := range q.Items {
		if q.Items[i].Check == rung.NoCheck {
			out.Open++
		}
	}
	out.Open -= len(judged)
	for i := range judged {
		j := &judged[i]
		label, ok := j.Label()
		switch {
		case !ok:
			out.Split++
			continue
		case j.Adjudicated != nil:
			out.Settled++
		case len(j.Ratings) > 1:
			out.Agreeing++
		default:
			out.Single++
		}
		row := rowOf(q, j, label)
		if row == nil {
			out.Right++
			continue
		}
		if row.Counter != "" {
			out.Counter++
		}
		out.Rows = append(out.Rows, *row)
	}
	out.N = len(out.Rows)
	return out
}

func rowOf(q *rung.RatingQueue, j *rating.Judged, label json.RawMessage) *rung.DatasetRow {
	row := rung.DatasetRow{ID: j.Item.Example, Input: j.Item.Input}
	if j.Item.Row != nil {
		row = *j.Item.Row
	}
	row.Input, row.Output = Plain(row.Input), Plain(label)
	if len(j.Item.Options) == 0 || q.Labels.Batch != nil {
		return &row
	}
	if Same(label, j.Item.Options[0].Text) {
		return nil
	}
	// The example may be in the data with its own output: the counter-example is a row beside it.
	// It is marked for no split: a mark of one row for dev would keep all unmarked rows out of it, and rows of one input lie together.
	row.Counter, row.ID, row.Split = row.ID, "counter-"+row.ID, ""
	row.Modes = slices.Compact(slices.Sorted(slices.Values(slices.Concat(row.Modes, j.FailureModes()))))
	return &row
}

// Same reports that a label and an answer's text say the same.
func Same(label json.RawMessage, answer string) bool {
	if rating.TextOf(label) == answer {
		return true
	}
	var a, b any
	if json.Unmarshal(label, &a) != nil || json.Unmarshal([]byte(answer), &b) != nil {
		return false
	}
	x, err := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err == nil && err2 == nil && bytes.Equal(x, y)
}

// Plain is JSON without white space, its signs as people read them: the bytes by which inputs and outputs are compared.
func Plain(raw json.RawMessage) json.RawMessage {
	v := jsontext.Value(slices.Clone(raw))
	if len(raw) == 0 || v.Format(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) != nil {
		return raw
	}
	return json.RawMessage(v)
}

// Key names an input by what it says.
func Key(input json.RawMessage) rung.Digest { return rung.DigestBytes(Plain(input)) }

// ModeLabels are what people said of failure modes, for the store: each labeller's modes are confirmed, and one who corrected an answer and
// named none has seen it. Putting them again changes nothing.
func ModeLabels(q *rung.RatingQueue, ratings []rung.Rating) []rung.ModeLabel {
	if q.Labels == nil || q.Labels.Set == "" || q.Labels.Batch != nil {
		return nil
	}
	var out []rung.ModeLabel
	items := rating.Items(q)
	for i := range ratings {
		r := &ratings[i]
		item := items[r.Item]
		if item == nil || r.Skipped || r.Check != rung.NoCheck || len(item.Options) == 0 {
			continue
		}
		one := rung.ModeLabel{Candidate: item.Options[0].Candidate, Set: q.Labels.Set, Example: item.Example, Status: rung.ModeConfirmed, By: r.Rater, At: r.At, Note: r.Comment, Wrong: item.Options[0].Text}
		for _, m := range r.Modes {
			one.Mode = m
			out = append(out, one)
		}
		if len(r.Modes) == 0 {
			one.Mode, one.Status = modes.Seen, rung.ModeRejected
			out = append(out, one)
		}
	}
	return out
}

// Lines are rows as JSON lines.
func Lines(rows []rung.DatasetRow) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for i := range rows {
		if err := enc.Encode(&rows[i]); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}
