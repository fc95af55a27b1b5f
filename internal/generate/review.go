package generate

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/batch"
	"github.com/rung-dev/rung/internal/label"
	"github.com/rung-dev/rung/internal/rating"
	"github.com/rung-dev/rung/internal/stats"
)

// What a reviewer says of a row.
const (
	Good      = "good"
	Defective = "defective"
)

// Defects are what a reviewer may mark as the reasons. They are failure modes of rows and not of answers.
func Defects() []rung.FailureMode {
	return []rung.FailureMode{
		{Name: "wrong_output", Means: "The output is not the right one for the input."},
		{Name: "unnatural_input", Means: "Nobody would write this input."},
		{Name: "off_task", Means: "The row belongs to another task."},
		{Name: "unsafe", Means: "The row says something that a model must not learn."},
	}
}

// ReviewOptions say how a batch is reviewed.
type ReviewOptions struct {
	rating.Options         // Raters, PerItem, Overlap, Seed, By, Made
	Tolerable      float64 // share of defective rows that may be trained on; default .05
	Expected       float64 // share with which a batch should pass; default a fifth of Tolerable
	Confidence     float64 // with which a worse batch is refused; default .95
	Power          float64 // with which one with the expected share is accepted; default .8
	Guidelines     string
}

// ReadBatch reads a file of generated rows. A row that is none, or that was generated and reviewed before, is an error.
func ReadBatch(file string, content []byte) ([]rung.DatasetRow, rung.Digest, error) {
	var rows []rung.DatasetRow
	lines := bufio.NewScanner(bytes.NewReader(content))
	lines.Buffer(nil, 16<<20)
	seen := map[string]bool{}
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		fault := func(what string) error {
			return &rung.Error{Code: rung.CodeInput, Place: fmt.Sprintf("%s:%d", file, n), What: what, Do: "name a file that rung data generate wrote"}
		}
		var row rung.DatasetRow
		switch err := json.Unmarshal(lines.Bytes(), &row); {
		case err != nil:
			return nil, "", fault("is no row: " + err.Error())
		case row.Generated == nil:
			return nil, "", fault("was not generated: a batch under review holds generated rows alone")
		case row.Generated.Review != "":
			return nil, "", fault("was reviewed already, in " + row.Generated.Review)
		case len(row.Input) == 0 || len(row.Output) == 0 || row.ID == "":
			return nil, "", fault("has no id, input or output")
		case seen[row.ID]:
			return nil, "", fault("has the id of an earlier row")
		}
		seen[row.ID] = true
		rows = append(rows, row)
	}
	if err := lines.Err(); err != nil {
		return nil, "", &rung.Error{Code: rung.CodeInput, Place: file, What: "cannot be read: " + err.Error(), Err: err}
	}
	if len(rows) == 0 {
		return nil, "", &rung.Error{Code: rung.CodeInput, Place: file, What: "holds no row", Do: "generate rows first: rung data generate"}
	}
	return rows, rung.DigestBytes(content), nil
}

// ReviewName is the name of the review of a batch: a batch has one, and its rows carry it.
func ReviewName(digest rung.Digest) string { return batch.Name(digest) }

// Plan is the sampling plan of a batch.
func Plan(digest rung.Digest, rows int, o *ReviewOptions) (*rung.ReviewPlan, error) {
	set := func(v *float64, usual float64) {
		if *v == 0 {
			*v = usual
		}
	}
	set(&o.Tolerable, .05)
	set(&o.Expected, o.Tolerable/5)
	set(&o.Confidence, .95)
	set(&o.Power, .8)
	for name, v := range map[string]float64{"--tolerable": o.Tolerable, "--confidence": o.Confidence, "--power": o.Power} {
		if !(v > 0 && v < 1) {
			return nil, &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("%s lies between 0 and 1, it is %g", name, v)}
		}
	}
	if !(o.Expected >= 0 && o.Expected <= o.Tolerable) {
		return nil, &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("the expected share of defects (%g) lies between 0 and the tolerable one (%g)", o.Expected, o.Tolerable)}
	}
	p := stats.AcceptanceSampling(rows, o.Tolerable, o.Expected, o.Confidence, o.Power)
	return &rung.ReviewPlan{Batch: digest, Rows: rows, Tolerable: o.Tolerable, Confidence: o.Confidence, Sample: p.Sample, Accept: p.Accept, Risk: p.Risk, Expected: o.Expected, Power: p.Power}, nil
}

// Review makes the queue in which people look at a random sample of a batch, and enters into the plan which rows the batch holds. The same
// batch and options make the same queue.
func Review(task string, rows []rung.DatasetRow, plan *rung.ReviewPlan, o ReviewOptions) (_ *rung.RatingQueue, err error) {
	if plan.Members, err = batch.Members(rows); err != nil {
		return nil, err
	}
	pool := make([]label.Row, len(rows))
	for i := range rows {
		row := rows[i]
		row.Modes = nil // of the answers that it should help with, and no business of the reviewer
		pool[i] = label.Row{DatasetRow: row, Answer: &rung.RatingOption{Candidate: plan.Batch, Text: rating.TextOf(row.Output)}, Doubt: math.NaN(), Apart: math.NaN()}
	}
	rng := rand.New(rand.NewPCG(o.Seed, 0x5a3b1e))
	rng.Shuffle(len(pool), func(i, j int) { pool[i], pool[j] = pool[j], pool[i] })
	lo := label.Options{Options: o.Options, Guidelines: o.Guidelines, Output: rung.Output{Kind: rung.Labels, Labels: []string{Good, Defective}}, Modes: Defects(), Choose: label.Random, Batch: plan}
	lo.Name, lo.Task, lo.Items, lo.Checks = ReviewName(plan.Batch), task, plan.Sample, 0
	lo.Question = "May a model be trained on this row? No person wrote it."
	return label.Make(pool, nil, lo)
}

// Verdict is what became of a batch: the record that is written beside the reviewed rows. It says who looked at how much.
type Verdict struct {
	Review    string           `json:"review"` // Generated.Review of the rows
	Plan      *rung.ReviewPlan `json:"plan"`
	Reviewers []Reviewer       `json:"reviewers"`
	Looked    int              `json:"looked"`    // rows of the sample that somebody has looked at
	Defects   int              `json:"defects"`   // of these, defective; where reviewers are split and nobody settled it, too
	Unsettled int              `json:"unsettled"` // of these, split
	// Bound is the largest number of defective rows that the batch can have, found ones included, at the plan's confidence (exact, one-sided,
	// hypergeometric).
	Bound    int            `json:"at_most_defective"`
	Why      map[string]int `json:"why,omitempty"` // marked reasons
	Notes    []string       `json:"notes,omitempty"`
	State    string         `json:"state"` // open, accepted or refused
	Says     string         `json:"says"`
	Found    []string       `json:"found,omitempty"`  // ids of the defective rows: they leave the batch
	Settled  time.Time      `json:"settled,omitzero"` // when the last word was said
	File     string         `json:"file,omitempty"`
	Accepted int            `json:"accepted"` // rows that may be trained on
}

// Reviewer is who looked and at how much.
type Reviewer struct {
	Name    string  `json:"name"`
	Looked  int     `json:"looked"`
	Seconds float64 `json:"seconds"` // all in all
	Settled int     `json:"settled"` // as adjudicator
}

// The states of a review.
const (
	Open     = "open"
	Accepted = batch.Accepted
	Refused  = "refused"
)

// Judge says what the words of reviewers come to. A batch is refused as soon as more rows are defective than the plan allows, and accepted
// when the whole sample was looked at.
func Judge(q *rung.RatingQueue, ratings []rung.Rating) *Verdict {
	plan := q.Labels.Batch
	v := &Verdict{Review: q.Name, Plan: plan, Why: map[string]int{}, Reviewers: reviewers(ratings), State: Open}
	for _, j := range rating.JudgedItems(q, ratings, nil) {
		v.Looked++
		word, ok := j.Label()
		if !ok {
			v.Unsettled++
		}
		if !ok || rating.TextOf(word) != Good {
			v.Defects++
			v.Found = append(v.Found, j.Item.Example)
			for _, m := range j.FailureModes() {
				v.Why[m]++
			}
		}
	}
	for i := range ratings {
		if ratings[i].At.After(v.Settled) {
			v.Settled = ratings[i].At
		}
	}
	slices.Sort(v.Found)
	v.Bound = plan.Rows
	if v.Looked > 0 {
		v.Bound = stats.DefectBound(v.Defects, v.Looked, plan.Rows, plan.Confidence)
	}
	for _, r := range v.Reviewers {
		if r.Looked >= fewHasty && r.Seconds < hasty*float64(r.Looked) {
			v.Notes = append(v.Notes, fmt.Sprintf("%s spent %.1f seconds on each of %d rows: nobody reads a row in that time.", r.Name, r.Seconds/float64(r.Looked), r.Looked))
		}
	}
	v.settle()
	return v
}

// A reviewer who spends less than this many seconds on a row, over so many rows, has not read them.
const (
	hasty    = 1.5
	fewHasty = 5
)

func (v *Verdict) settle() {
	p := v.Plan
	share := func(n int) string { return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(p.Rows)) }
	bound := fmt.Sprintf("at most %d of the %d rows (%s) are defective, with confidence %g (exact, hypergeometric, one-sided)", v.Bound, p.Rows, share(v.Bound), p.Confidence)
	switch {
	case v.Defects-v.Unsettled > p.Accept:
		v.State = Refused
		v.Says = fmt.Sprintf("Refused: %d of the %d rows that were looked at are defective, and the plan allows %d. None of its rows is trained on.", v.Defects, v.Looked, p.Accept)
	case v.Looked < p.Sample:
		v.Says = fmt.Sprintf("Open: %d of %d rows of the sample have been looked at, %d are defective (the plan allows %d).", v.Looked, p.Sample, v.Defects, p.Accept)
	case v.Defects > p.Accept:
		v.Says = fmt.Sprintf("Open: reviewers are split on %d rows, and the batch hangs on them: rung label adjudicate %s.", v.Unsettled, v.Review)
	default:
		v.State, v.Accepted = Accepted, p.Rows-v.Defects
		v.Says = fmt.Sprintf("Accepted: %d of %d rows that were looked at are defective, and the plan allows %d; %s. The defective ones that were found leave it.", v.Defects, v.Looked, p.Accept, bound)
	}
}

func reviewers(ratings []rung.Rating) []Reviewer {
	by := map[string]*Reviewer{}
	var names []string
	for i := range ratings {
		r := &ratings[i]
		if r.Skipped {
			continue
		}
		if by[r.Rater] == nil {
			by[r.Rater] = &Reviewer{Name: r.Rater}
			names = append(names, r.Rater)
		}
		one := by[r.Rater]
		one.Seconds += r.Seconds
		if r.Role == rung.AsAdjudicator {
			one.Settled++
		} else {
			one.Looked++
		}
	}
	slices.Sort(names)
	out := []Reviewer{}
	for _, n := range names {
		out = append(out, *by[n])
	}
	return out
}

// Record is the verdict as it is held to rows: what package batch asks of it.
func (v *Verdict) Record() (*batch.Record, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("the record of %s: %w", v.Review, err)
	}
	var r batch.Record
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("the record of %s: %w", v.Review, err)
	}
	return &r, nil
}

// Reviewed are the rows of an accepted batch that may be trained on, each marked with its review; none of a batch that is not accepted.
func Reviewed(rows []rung.DatasetRow, v *Verdict) []rung.DatasetRow {
	if v.State != Accepted {
		return nil
	}
	var out []rung.DatasetRow
	for i := range rows {
		if slices.Contains(v.Found, rows[i].ID) {
			continue
		}
		row := rows[i]
		made := *row.Generated
		made.Review = v.Review
		row.Generated = &made
		out = append(out, row)
	}
	return out
}

// PlanLines are the plan for a person.
func PlanLines(p *rung.ReviewPlan) []string {
	if p.Sample >= p.Rows {
		return []string{fmt.Sprintf("All %d rows are looked at: a smaller sample cannot show that at most %.1f %% are defective. Accepted with at most %d defective.", p.Rows, 100*p.Tolerable, p.Accept)}
	}
	return []string{
		fmt.Sprintf("%d of the %d rows, drawn at random, are looked at; the batch is accepted with at most %d defective among them.", p.Sample, p.Rows, p.Accept),
		fmt.Sprintf("A batch with more than %.1f %% defective rows is accepted with probability %.3f at most, one with %.1f %% with probability %.2f (hypergeometric, exact).", 100*p.Tolerable, p.Risk, 100*p.Expected, p.Power),
	}
}
