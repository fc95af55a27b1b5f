package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/batch"
	"github.com/rung-dev/rung/internal/generate"
	"github.com/rung-dev/rung/internal/label"
	"github.com/rung-dev/rung/internal/rating"
	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/store/sqlite"
)

type dataReviewOptions struct {
	generate.ReviewOptions
	rate       rateOptions
	people     rateMakeOptions
	file, out  string
	task       string
	guidelines string
	dry        bool
}

func newDataReviewCommand(s *settings) *cobra.Command {
	var o dataReviewOptions
	c := &cobra.Command{
		Use:   "review FILE",
		Short: "Have people look at a sample of generated rows before any of them is trained on",
		Long: `Review is acceptance sampling of a batch, the file that rung data generate wrote. The first time it draws a sample, as large as it must be so
that a batch with more than --tolerable defective rows is refused with --confidence, and makes a queue of it. With --rater NAME (and
--terminal) somebody looks at it: good or defective. Without, it says how the review stands. Once the sample was looked at, the batch is
accepted or refused; the rows of an accepted one are written with the mark of their review, the defective ones that were found left out,
and a record says who looked at how much.

Rows without that mark are never trained on: rung data build and a task's examples leave them out and say so. A batch has one review.`,
		Example: "  rung data review made.jsonl --task task.yaml --dry-run\n  rung data review made.jsonl --task task.yaml --rater ada\n  rung data review made.jsonl --task task.yaml",
		Args:    exactArgs(1, "a file of generated rows"),
		RunE: func(c *cobra.Command, args []string) error {
			o.file = args[0]
			return runDataReview(c.Context(), s, &o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.task, "task", "", "the task that the rows are for")
	f.Float64Var(&o.Tolerable, "tolerable", .05, "share of defective rows that may be trained on")
	f.Float64Var(&o.Confidence, "confidence", .95, "with which a worse batch is refused")
	f.Float64Var(&o.Expected, "expected", 0, "share of defective rows with which a batch should pass (default: a fifth of --tolerable)")
	f.Float64Var(&o.Power, "power", .8, "probability that such a batch passes")
	f.StringVar(&o.guidelines, "guidelines", "", "Markdown file that reviewers can read at any time (default: the task's instructions)")
	f.StringVar(&o.people.raters, "reviewers", "1", "how many share the sample, or their names with commas")
	f.IntVar(&o.PerItem, "per-item", 2, "reviewers of an overlapping row")
	f.StringVar(&o.people.overlap, "overlap", "auto", "rows that --per-item reviewers look at: a number, all, or auto")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of the sample")
	f.BoolVar(&o.dry, "dry-run", false, "show the plan and make nothing")
	f.StringVar(&o.out, "out", "", "write the reviewed rows to this file (default: beside FILE, ending in .reviewed.jsonl)")
	o.rate.flags(c)
	return c
}

// reviewed is what rung data review --json prints.
type reviewed struct {
	File    string            `json:"file"`
	Made    bool              `json:"made"` // the queue, now
	Verdict *generate.Verdict `json:"verdict"`
	Record  string            `json:"record,omitempty"`
}

func runDataReview(ctx context.Context, s *settings, o *dataReviewOptions) (err error) {
	if o.task == "" {
		return usage("name the task that the rows are for with --task")
	}
	if err := o.people.readRaters(); err != nil {
		return err
	}
	content, err := os.ReadFile(o.file)
	if err != nil {
		return &rung.Error{Code: rung.CodeInput, Place: o.file, What: "cannot be read: " + err.Error(), Err: err}
	}
	rows, digest, err := generate.ReadBatch(o.file, content)
	if err != nil {
		return err
	}
	l, err := openLabelling(ctx, s, o.task)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.store.Close()) }()
	if o.dry {
		plan, err := generate.Plan(digest, len(rows), &o.ReviewOptions)
		if err != nil {
			return err
		}
		if s.json {
			return s.printJSON(plan)
		}
		_, err = fmt.Fprintln(s.Out, strings.Join(append(generate.PlanLines(plan), "Nothing was made; leave --dry-run out to make it."), "\n"))
		return err
	}
	q, made, err := reviewQueue(ctx, l, rows, digest, o)
	if err != nil {
		return err
	}
	if o.rate.rater != "" || o.rate.terminal || o.rate.open {
		o.rate.queue = q.Name
		if err := runReviewing(ctx, s, l.store, q, o); err != nil {
			return err
		}
	}
	return s.concludeReview(ctx, l.store, q, rows, made, o)
}

// reviewQueue finds the queue of a batch, or makes it.
func reviewQueue(ctx context.Context, l *labelling, rows []rung.DatasetRow, digest rung.Digest, o *dataReviewOptions) (q *rung.RatingQueue, made bool, err error) {
	q, err = l.store.RatingQueue(ctx, generate.ReviewName(digest))
	if err == nil || rung.CodeOf(err) != rung.CodeNotFound {
		return q, false, err
	}
	plan, err := generate.Plan(digest, len(rows), &o.ReviewOptions)
	if err != nil {
		return nil, false, err
	}
	for i := range rows { // the batch must be of this task
		if err := l.form.Validate(rows[i].Output, rows[i].Input); err != nil {
			return nil, false, &rung.Error{Code: rung.CodeInput, Place: o.file, What: fmt.Sprintf("row %s is not in the form of the task: %v", rows[i].ID, err), Do: "name the task that the rows were made for"}
		}
	}
	o.Guidelines = l.file.Task.Instructions
	if o.guidelines != "" {
		if o.Guidelines, err = readText(o.guidelines); err != nil {
			return nil, false, err
		}
	}
	o.Raters, o.Overlap, o.By, o.Made = o.people.Raters, o.people.Overlap, raterName(), time.Now()
	if q, err = generate.Review(l.file.Task.Name, rows, plan, o.ReviewOptions); err != nil {
		return nil, false, err
	}
	return q, true, l.store.PutRatingQueue(ctx, q)
}

// runReviewing opens the session of one reviewer, in the browser or the terminal.
func runReviewing(ctx context.Context, s *settings, st *sqlite.Store, q *rung.RatingQueue, o *dataReviewOptions) error {
	session, err := o.rate.session(ctx, st, q, rung.AsRater)
	if err != nil {
		return err
	}
	if o.rate.terminal {
		return s.rateInTerminal(ctx, session)
	}
	return s.rateInBrowser(ctx, session, &o.rate)
}

// concludeReview says how the review stands, and writes the rows of an accepted batch.
func (s *settings) concludeReview(ctx context.Context, st *sqlite.Store, q *rung.RatingQueue, rows []rung.DatasetRow, made bool, o *dataReviewOptions) error {
	ctx = context.WithoutCancel(ctx) // the page is ended by Ctrl-C
	ratings, err := ratingsOf(ctx, st, q.Name)
	if err != nil {
		return err
	}
	out := reviewed{File: o.file, Made: made, Verdict: generate.Judge(q, ratings)}
	v := out.Verdict
	if v.State != generate.Open {
		if out.Record, err = writeReview(v, rows, o); err != nil {
			return err
		}
	}
	if s.json {
		return s.printJSON(out)
	}
	_, err = fmt.Fprint(s.Out, out.text(q, o))
	return err
}

// writeReview writes the rows of an accepted batch, and the record that vouches for them beside the batch and beside them.
func writeReview(v *generate.Verdict, rows []rung.DatasetRow, o *dataReviewOptions) (string, error) {
	if v.Plan.Members == nil { // an older rung made the queue; the rows are of the file that the review is named after
		plan, err := *v.Plan, error(nil)
		if plan.Members, err = batch.Members(rows); err != nil {
			return "", err
		}
		v.Plan = &plan
	}
	records := []string{beside(o.file, batch.RecordEnd)}
	if v.State == generate.Accepted {
		v.File = cmp.Or(o.out, beside(o.file, ".reviewed.jsonl"))
		lines, err := label.Lines(generate.Reviewed(rows, v))
		if err != nil {
			return "", err
		}
		if err := writeLines(v.File, lines); err != nil {
			return "", err
		}
		if o.out != "" && filepath.Dir(o.out) != filepath.Dir(o.file) {
			records = append(records, beside(o.out, batch.RecordEnd))
		}
	}
	record, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return "", err
	}
	for _, path := range records {
		if err := writeLines(path, append(record, '\n')); err != nil {
			return "", err
		}
	}
	return records[len(records)-1], nil
}

func (r *reviewed) text(q *rung.RatingQueue, o *dataReviewOptions) string {
	v := r.Verdict
	lines := append([]string{}, generate.PlanLines(v.Plan)...)
	lines = append(lines, v.Says)
	text := strings.Join(lines, "\n") + "\n"
	if len(v.Reviewers) > 0 {
		table := [][]string{{"reviewer", "looked at", "settled", "minutes"}}
		for _, p := range v.Reviewers {
			table = append(table, []string{p.Name, fmt.Sprint(p.Looked), fmt.Sprint(p.Settled), fmt.Sprintf("%.1f", p.Seconds/60)})
		}
		text += "\n" + strings.Join(report.Columns(table), "\n") + "\n"
	}
	for _, n := range v.Notes {
		text += "\nNote: " + n + "\n"
	}
	switch v.State {
	case generate.Open:
		plan := rating.PlanOf(q, 20)
		text += fmt.Sprintf("\n%s to look at, about %.0f minutes in all: rung data review %s --task %s --rater NAME\n", many(v.Plan.Sample-v.Looked, "row"), max(1, plan.Minutes*float64(len(plan.Asks))), o.file, o.task)
	case generate.Accepted:
		text += fmt.Sprintf("\n%s of %d may be trained on: %s\nThe record: %s\n", many(v.Accepted, "row"), v.Plan.Rows, v.File, r.Record)
	default:
		text += fmt.Sprintf("\nThe record: %s\n", r.Record)
	}
	return text
}
