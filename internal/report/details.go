package report

import (
	"context"

	"github.com/rung-dev/rung"
)

// Details are the stored scores of a document's scored rungs, example by example.
type Details struct {
	Doc      *rung.Document
	Examples []rung.Example
	Kept     bool     // the examples are stored with their inputs, expected outputs and groups
	Ladder   []Scored // the scored rungs in ladder order
}

// Scored is one scored rung with its candidate and scores.
type Scored struct {
	Outcome   *rung.Outcome
	Candidate *rung.Candidate // nil when it is not stored
	Scores    []*rung.Score   // in the order of Details.Examples; nil where there is none
}

// Load reads the details of doc. Missing examples or candidates leave gaps, which the report names; other errors are
// returned.
func Load(ctx context.Context, doc *rung.Document, src Source) (*Details, error) {
	d := &Details{Doc: doc}
	examples, err := Examples(ctx, src, doc.Heldout.Digest)
	if err != nil {
		return nil, err
	}
	d.Examples, d.Kept = examples, len(examples) > 0
	at := make(map[string]int, len(examples))
	for i, ex := range examples {
		at[ex.ID] = i
	}
	for i := range doc.Rungs {
		o := &doc.Rungs[i]
		if o.Status != rung.Scored {
			continue
		}
		s, err := d.load(ctx, o, src, at)
		if err != nil {
			return nil, err
		}
		d.Ladder = append(d.Ladder, s)
	}
	if err := SettleDocument(ctx, src, doc); err != nil {
		return nil, err
	}
	for i := range d.Ladder { // examples known only from later scores made the list longer
		s := &d.Ladder[i]
		s.Scores = append(s.Scores, make([]*rung.Score, len(d.Examples)-len(s.Scores))...)
	}
	return d, nil
}

func (d *Details) load(ctx context.Context, o *rung.Outcome, src Source, at map[string]int) (Scored, error) {
	out := Scored{Outcome: o}
	c, err := src.Candidate(ctx, string(o.Candidate))
	if err != nil && !gone(err) {
		return out, err
	}
	if err == nil {
		out.Candidate = c
	}
	out.Scores = make([]*rung.Score, len(d.Examples))
	asked := d.askedOf(o)
	for score, err := range src.Scores(ctx, o.Candidate, d.Doc.Heldout.Digest) {
		if gone(err) {
			break
		}
		if err != nil {
			return out, err
		}
		i, known := at[score.Example]
		if asked != nil && !asked[score.Example] {
			continue // of another, longer evaluation
		}
		if !known {
			i = len(d.Examples)
			at[score.Example] = i
			d.Examples = append(d.Examples, rung.Example{ID: score.Example})
			out.Scores = append(out.Scores, make([]*rung.Score, len(d.Examples)-len(out.Scores))...)
		}
		out.Scores[i] = &score
	}
	return out, nil
}

// askedOf are the examples that a rung was asked before it stopped; nil when it was asked all.
func (d *Details) askedOf(o *rung.Outcome) map[string]bool {
	if o.Stopped == nil || !d.Kept {
		return nil
	}
	asked := map[string]bool{}
	for _, i := range rung.Order(d.Doc.Heldout.Digest, d.Examples)[:min(o.Stopped.N, len(d.Examples))] {
		asked[d.Examples[i].ID] = true
	}
	return asked
}

// Chosen is the index in Ladder of the rung that the decision names, -1 when there is none.
func (d *Details) Chosen() int {
	for i, s := range d.Ladder {
		if o := decided(d.Doc); o != nil && s.Outcome.Candidate == o.Candidate && s.Outcome.Rung == o.Rung {
			return i
		}
	}
	return -1
}

// Shift is how the success of examples changed from one candidate to another.
type Shift struct {
	Fixed, Broken, BothWrong, BothRight []int // indexes of examples
}

// ShiftOf compares the scores of a with those of b, over the examples that both answered.
func ShiftOf(a, b []*rung.Score) Shift {
	var s Shift
	for i := range min(len(a), len(b)) {
		switch {
		case a[i] == nil || b[i] == nil:
		case !a[i].Success && b[i].Success:
			s.Fixed = append(s.Fixed, i)
		case a[i].Success && !b[i].Success:
			s.Broken = append(s.Broken, i)
		case a[i].Success:
			s.BothRight = append(s.BothRight, i)
		default:
			s.BothWrong = append(s.BothWrong, i)
		}
	}
	return s
}
