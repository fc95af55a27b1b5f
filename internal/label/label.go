// Package label has people say what the output of a row is. It chooses which rows are asked next, makes the queue that the sessions of
// internal/rating go through, and turns what people said into rows of a dataset, counter-examples among them.
package label

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/rating"
)

// Row is a row that can be chosen, with what is known to choose it by.
type Row struct {
	rung.DatasetRow
	// Answer is a model's answer that is shown and corrected; nil where the row is labelled from nothing.
	Answer *rung.RatingOption
	Doubt  float64 // how unsure a model is of the row, larger is less sure; NaN where it is not known
	Apart  float64 // share of the pairs of subjects whose answers differ; NaN where it is not known
}

// Options say what a queue of labels is made of. Of rating.Options the fields Name, Task, Question, Items, Raters, PerItem, Overlap, Checks,
// Seed, By and Made are used.
type Options struct {
	rating.Options
	Guidelines string // Markdown
	Output     rung.Output
	Modes      []rung.FailureMode // that may be said of shown answers
	Scores     rung.Digest        // the set under which the scores of shown answers are kept
	Choose     Strategy
	Random     float64 // share of the items that is drawn at random; default .2
	Source     string  // where Doubt and Apart come from, for people
	Gold       []rung.DatasetRow
	Batch      *rung.ReviewPlan
}

// DefaultQuestion is what labellers are asked unless the lead says otherwise.
func DefaultQuestion(kind rung.OutputKind, shown bool) string {
	switch {
	case shown:
		return "What should the answer have been?"
	case kind == rung.Labels:
		return "Which label is right?"
	}
	return "What is the right output for this input?"
}

// mostGold is how many known rows are hidden among the items at most: labellers must not learn them by heart.
const mostGold = 40

// Make makes a queue of labels. known are rows whose output is known: what is chosen should be unlike them. The same rows and options make
// the same queue.
func Make(pool []Row, known []rung.DatasetRow, o Options) (*rung.RatingQueue, error) {
	if err := rating.CheckName(o.Name); err != nil {
		return nil, err
	}
	if len(pool) == 0 {
		return nil, &rung.Error{Code: rung.CodeInput, Place: o.Name, What: "there is no row to label", Do: "name files with rows that have no label yet, or other mistakes"}
	}
	f, err := form.New(o.Output)
	if err != nil {
		return nil, err
	}
	shown := slices.ContainsFunc(pool, func(r Row) bool { return r.Answer != nil })
	o.Question = cmp.Or(o.Question, DefaultQuestion(o.Output.Kind, shown))
	o.Kind = rung.Labelled
	q := &rung.RatingQueue{Name: o.Name, Task: o.Task, Kind: rung.Labelled, Question: o.Question, Candidates: map[rung.Digest]string{}, Seed: o.Seed, By: o.By, Made: o.Made.UTC().Round(0),
		Labels: &rung.LabelSpec{Guidelines: o.Guidelines, Output: o.Output, Set: o.Scores, Batch: o.Batch}}
	if shown {
		q.Labels.Modes = o.Modes
	}
	picks, notes := Choose(pool, known, &o)
	q.Labels.Pool = &rung.LabelPool{Rows: len(pool), Choose: string(o.Choose), Source: o.Source, Notes: notes}
	var asked []int
	for _, p := range picks {
		asked = append(asked, len(q.Items))
		q.Items = append(q.Items, itemOf(q, &pool[p.At], p.Why))
		if p.Why == AtRandom {
			q.Labels.Pool.Random++
		}
	}
	if o.Options.Gold, err = goldOf(f, o.Gold, o.Seed); err != nil {
		return nil, err
	}
	return q, rating.Assign(q, asked, o.Options)
}

func itemOf(q *rung.RatingQueue, r *Row, why string) rung.RatingItem {
	row := r.DatasetRow
	row.Output, row.Alternatives = nil, nil
	item := rung.RatingItem{ID: rating.NextID(q), Example: r.ID, Group: r.Group, Input: r.Input, Row: &row, Chosen: why}
	if r.Answer == nil {
		return item
	}
	item.Options = []rung.RatingOption{*r.Answer}
	if q.Labels.Output.Kind != rung.Labels { // a text is corrected where it is wrong; a label is chosen
		item.Start, _ = json.Marshal(r.Answer.Text) // a string always has JSON
	}
	return item
}

// goldOf are items whose label is known.
func goldOf(f *form.Form, rows []rung.DatasetRow, seed uint64) ([]rung.RatingItem, error) {
	var out []rung.RatingItem
	rng := rand.New(rand.NewPCG(seed, 0x601d))
	for _, i := range rng.Perm(len(rows)) {
		r := &rows[i]
		if len(out) == mostGold {
			break
		}
		label, err := rating.LabelOf(f, rating.TextOf(r.Output), r.Input, func(what string) (json.RawMessage, error) {
			return nil, &rung.Error{Code: rung.CodeInput, Place: r.ID, What: "the known output is none of the task's: " + what, Do: "correct the row, or leave it out"}
		})
		if err != nil {
			return nil, err
		}
		out = append(out, rung.RatingItem{Example: r.ID, Input: r.Input, Gold: &rung.RatingGold{Label: label}})
	}
	return out, nil
}

// PlanLines are what a lead should know of a queue beside the plan of its seats.
func PlanLines(q *rung.RatingQueue) []string {
	p, kinds := q.Labels.Pool, map[string]int{}
	for i := range q.Items {
		if q.Items[i].Check == rung.NoCheck {
			kinds[q.Items[i].Chosen]++
		}
	}
	var parts []string
	for _, why := range slices.Sorted(maps.Keys(kinds)) {
		parts = append(parts, fmt.Sprintf("%d by %s", kinds[why], why))
	}
	line := fmt.Sprintf("Chosen out of %d rows: %s.", p.Rows, strings.Join(parts, ", "))
	if p.Source != "" {
		line += " What is known of them: " + p.Source + "."
	}
	out := []string{line}
	if len(kinds) == 1 && kinds[string(Random)] > 0 {
		return append(out, p.Notes...) // too few rows to choose among
	}
	if p.Choose != string(Random) {
		half := 1.96 * math.Sqrt(.25/float64(max(p.Random, 1)))
		out = append(out, fmt.Sprintf("Shares and accuracies are estimated from the %d rows drawn at random alone (a share near a half to about ±%.2f): the others were chosen because they are hard or rare.", p.Random, half))
	}
	return append(out, p.Notes...)
}
