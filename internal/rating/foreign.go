package rating

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/rung-dev/rung"
)

// queueOf makes a queue of a file that did not come from here: an item per record, the candidates named after the fields.
func (o *ImportOptions) queueOf(recs []record) (*rung.RatingQueue, error) {
	if err := CheckName(o.Name); err != nil {
		return nil, err
	}
	q := &rung.RatingQueue{Name: o.Name, Task: o.Task, Kind: rung.Pairwise, Question: DefaultQuestion(rung.Pairwise), Candidates: map[rung.Digest]string{},
		Seats: []rung.RatingSeat{}, By: o.By, Made: o.Made.UTC()}
	left, right, answer := o.field(fieldLeft), o.field(fieldRight), o.field(fieldAnswer)
	seen := map[string]bool{}
	for i := range recs {
		rec := &recs[i]
		if rec.item == "" || seen[rec.item] {
			rec.item = fmt.Sprintf("r%06d", i+1)
		}
		seen[rec.item] = true
		input, err := json.Marshal(rec.fields[o.field(fieldInput)])
		if err != nil {
			return nil, o.fault(err.Error(), err)
		}
		item := rung.RatingItem{ID: rec.item, Example: rec.item, Input: input}
		l, isLeft := rec.fields[left]
		r, isRight := rec.fields[right]
		a, isAnswer := rec.fields[answer]
		switch {
		case isLeft && isRight:
			item.Options = []rung.RatingOption{{Candidate: rung.Digest(left), Text: l}, {Candidate: rung.Digest(right), Text: r}}
		case isAnswer:
			q.Kind = rung.Rubric
			item.Options = []rung.RatingOption{{Candidate: rung.Digest(answer), Text: a}}
		default:
			return nil, &rung.Error{Code: rung.CodeInput, Place: o.File, What: fmt.Sprintf("record %d has neither the fields %q and %q nor %q, but %q", i+1, left, right, answer, slices.Sorted(maps.Keys(rec.fields))),
				Do: "say which fields are meant with --field left=NAME --field right=NAME, or --field answer=NAME"}
		}
		for _, op := range item.Options {
			q.Candidates[op.Candidate] = string(op.Candidate)
		}
		q.Items = append(q.Items, item)
	}
	if q.Kind == rung.Rubric {
		q.Question, q.Criteria = DefaultQuestion(rung.Rubric), criteriaOf(recs)
	}
	return q, nil
}

func (o *ImportOptions) field(name string) string { return cmp.Or(o.Fields[name], name) }

// criteriaOf are the criteria that values are of.
func criteriaOf(recs []record) []rung.Criterion {
	names := map[string]bool{}
	for _, rec := range recs {
		for _, s := range rec.said {
			for name := range s.Values {
				names[name] = true
			}
		}
	}
	var out []rung.Criterion
	for _, name := range slices.Sorted(maps.Keys(names)) {
		out = append(out, rung.Criterion{Name: name, Question: name})
	}
	return out
}

// row is a line of what people said elsewhere: an example, its answers, and a rating per person.
type row struct {
	Example string          `json:"example"`
	Group   string          `json:"group"`
	Input   json.RawMessage `json:"input"`
	Answers []struct {
		Candidate string          `json:"candidate"`
		Text      json.RawMessage `json:"text"` // a text, or any other value
	} `json:"answers"`
	Ratings []struct {
		Rater   string         `json:"rater"`
		Prefer  *int           `json:"prefer"` // 1, 2, or 0 for a tie
		Values  map[string]int `json:"values"`
		Comment string         `json:"comment"`
	} `json:"ratings"`
}

// fromRows reads ratings that people gave elsewhere and makes a queue of them.
func (o *ImportOptions) fromRows(content []byte) (*Imported, error) {
	if o.Queue != nil {
		return nil, &rung.Error{Code: rung.CodeConflict, Place: o.Queue.Name, What: "there is a queue of this name, and rows make one of their own", Do: "choose another name with --queue"}
	}
	if err := CheckName(o.Name); err != nil {
		return nil, err
	}
	lines, err := rowsOf(content)
	if err != nil {
		return nil, o.fault(err.Error(), err)
	}
	out := &Imported{Queue: &rung.RatingQueue{Name: o.Name, Task: o.Task, Candidates: map[rung.Digest]string{}, Seats: []rung.RatingSeat{}, By: o.By, Made: o.Made.UTC()}}
	criteria := map[string]bool{}
	for i, line := range lines {
		if err := o.addRow(out, i, line, criteria); err != nil {
			return nil, &rung.Error{Code: rung.CodeInput, Place: fmt.Sprintf("%s: row %d", o.File, i+1), What: err.Error(), Do: "see docs/rating.md for the form of rows", Err: err}
		}
	}
	out.Queue.Question = DefaultQuestion(out.Queue.Kind)
	for _, name := range slices.Sorted(maps.Keys(criteria)) {
		out.Queue.Criteria = append(out.Queue.Criteria, rung.Criterion{Name: name, Question: name})
	}
	return out, nil
}

func (o *ImportOptions) addRow(out *Imported, i int, line json.RawMessage, criteria map[string]bool) error {
	var r row
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil {
		return fmt.Errorf("is not of the form of rows: %w", err)
	}
	q := out.Queue
	kind := rung.Pairwise
	if len(r.Answers) == 1 {
		kind = rung.Rubric
	}
	if q.Kind == "" {
		q.Kind = kind
	}
	if len(r.Answers) < 1 || len(r.Answers) > 2 || kind != q.Kind || r.Example == "" {
		return fmt.Errorf("must have an example and one answer, or two, as all other rows")
	}
	item := rung.RatingItem{ID: fmt.Sprintf("r%06d", i+1), Example: r.Example, Group: r.Group, Input: r.Input}
	if len(item.Input) == 0 {
		item.Input = json.RawMessage(`""`)
	}
	for _, a := range r.Answers {
		item.Options = append(item.Options, rung.RatingOption{Candidate: rung.Digest(a.Candidate), Text: TextOf(a.Text)})
		q.Candidates[rung.Digest(a.Candidate)] = a.Candidate
	}
	q.Items = append(q.Items, item)
	for _, said := range r.Ratings {
		one := rung.Rating{Queue: q.Name, Task: q.Task, Item: item.ID, Example: r.Example, Rater: said.Rater, Role: rung.AsRater, Candidates: optionsOf(&item),
			Values: said.Values, Comment: said.Comment, At: o.Made.UTC()}
		if kind == rung.Pairwise {
			if said.Prefer == nil || *said.Prefer < 0 || *said.Prefer > 2 {
				return fmt.Errorf(`"prefer" must be 1, 2, or 0 for a tie`)
			}
			one.Preference = []rung.Preference{rung.PrefersNone, rung.PrefersFirst, rung.PrefersSecond}[*said.Prefer]
		}
		for name, v := range said.Values {
			criteria[name] = true
			if v < 1 || v > 5 || !plain(name, 40) {
				return fmt.Errorf("%q is %d: values run from 1 to 5", name, v)
			}
		}
		if err := CheckRater(said.Rater); err != nil {
			return err
		}
		out.Ratings = append(out.Ratings, one)
	}
	return nil
}
