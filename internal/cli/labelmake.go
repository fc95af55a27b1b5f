package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/data"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/grade"
	"github.com/rung-dev/rung/internal/label"
	"github.com/rung-dev/rung/internal/rating"
	"github.com/rung-dev/rung/internal/rows"
	"github.com/rung-dev/rung/internal/store/sqlite"
	"github.com/rung-dev/rung/internal/task"
)

type labelMakeOptions struct {
	label.Options
	people     rateMakeOptions // raters, overlap
	task       string
	rows       []string
	mistakes   string
	suite      string
	known      []string
	subjects   []string
	guidelines string
	gold       string
	choose     string
	again      bool
	dry        bool
	seconds    float64
}

// labelPlan is what rung label make --json prints.
type labelPlan struct {
	Queue   string          `json:"queue"`
	Made    bool            `json:"made"` // false with --dry-run
	Plan    rating.Plan     `json:"plan"`
	Pool    *rung.LabelPool `json:"pool"`
	Skipped int             `json:"skipped"` // rows that are labelled already, here or in the task's examples
	Notes   []string        `json:"notes,omitempty"`
	lines   []string
}

func newLabelMakeCommand(s *settings) *cobra.Command {
	var o labelMakeOptions
	c := &cobra.Command{
		Use:   "make QUEUE TASK",
		Short: "Choose rows to label and make a queue of them",
		Long: `Make chooses rows that people are to label, and fixes who labels which, in which order. The rows come from --rows FILE (JSON lines, CSV,
TSV, Parquet: {"input": …} or flat rows with the task's input fields; labels in them are not shown), or are a subject's mistakes
(--mistakes SUBJECT), which people correct: a correction is a counter-example. Rows that are labelled already are left out.

--choose says by what: uncertainty (a small model trained on what is labelled so far; several answers to one input or a stated
confidence where the store has them), disagreement (subjects of the store that answered an input differently), coverage (failure
modes in turns, then typical rows of groups of inputs without a label), random, or mix. A part is always drawn at random, and
shares and accuracies are estimated from that part alone.

So many items are given to --per-item labellers that Krippendorff's α will be known to about ± .1. --checks hides rows whose label is known
(train examples of the task, or --gold FILE): each labeller's accuracy is measured on them.`,
		Example: "  rung label make q1 task.yaml --rows inbox.jsonl --items 100 --raters ada,ben --guidelines guide.md\n  rung label make q2 task.yaml --rows inbox.jsonl --items 50 --choose uncertainty\n  rung label make fixes task.yaml --mistakes rag --suite dev",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 2 {
				return nil
			}
			return &rung.Error{Code: rung.CodeUsage, What: "rung label make takes the name of the queue and a task file", Do: "see rung label make --help"}
		},
		RunE: func(c *cobra.Command, args []string) error {
			o.Name, o.task = args[0], args[1]
			return runLabelMake(c.Context(), s, &o)
		},
	}
	o.flags(c)
	return c
}

func (o *labelMakeOptions) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringSliceVar(&o.rows, "rows", nil, "files with rows to choose from")
	f.StringVar(&o.mistakes, "mistakes", "", "correct the mistakes of this subject: a rung, RUN:RUNG, an evaluation, a candidate's digest")
	f.StringVar(&o.suite, "suite", "", "of the mistakes: only scores on this suite, such as dev")
	f.StringSliceVar(&o.known, "known", nil, "files with rows that are labelled already, beside the task's examples and earlier queues")
	f.StringSliceVar(&o.subjects, "subjects", nil, "subjects whose answers in the store say what is uncertain or disagreed on (default: all)")
	f.StringVar(&o.choose, "choose", string(label.Mix), "by what rows are chosen: uncertainty, disagreement, coverage, random or mix")
	f.Float64Var(&o.Random, "random", .2, "share of the items that is drawn at random, .05 at least")
	f.StringVar(&o.guidelines, "guidelines", "", "Markdown file that labellers can read at any time (default: the task's instructions)")
	f.StringVar(&o.Question, "question", "", "what labellers are asked")
	f.IntVar(&o.Items, "items", 0, "choose so many rows (0: all)")
	f.StringVar(&o.people.raters, "raters", "1", "how many labellers, or their names with commas")
	f.IntVar(&o.PerItem, "per-item", 2, "labellers of an overlapping item")
	f.StringVar(&o.people.overlap, "overlap", "auto", "items that --per-item labellers label: a number, all, or auto")
	f.Float64Var(&o.Checks, "checks", .1, "checks per item asked: rows whose label is known, and repeats (0: none)")
	f.StringVar(&o.gold, "gold", "", "file of rows whose label is known, for checks (default: train examples of the task)")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of the choice, the order and the shares")
	f.StringVar(&o.By, "by", "", "who makes it (default: the name of the user)")
	f.Float64Var(&o.seconds, "seconds", 20, "seconds that an item takes, for the plan")
	f.BoolVar(&o.again, "again", false, "also choose rows that were labelled in earlier queues")
	f.BoolVar(&o.dry, "dry-run", false, "show the plan and make nothing")
}

func (o *labelMakeOptions) check() error {
	o.Choose = label.Strategy(o.choose)
	switch {
	case !slices.Contains(label.Strategies, o.Choose):
		return usage("--choose is uncertainty, disagreement, coverage, random or mix, and not %q", o.choose)
	case len(o.rows) == 0 == (o.mistakes == ""):
		return usage("name the rows to choose from with --rows FILE, or a subject with --mistakes SUBJECT")
	case !(o.Random >= .05 && o.Random <= 1):
		return usage("--random lies between .05 and 1: without rows drawn at random nothing can be estimated; it is %g", o.Random)
	case o.Checks < 0 || o.Checks > 1 || o.Items < 0 || o.PerItem < 1:
		return usage("--checks lies between 0 and 1, --items is not negative, and --per-item is 1 or more")
	}
	if err := rating.CheckName(o.Name); err != nil {
		return err
	}
	if err := o.people.readRaters(); err != nil {
		return err
	}
	o.Raters, o.Overlap = o.people.Raters, o.people.Overlap
	o.By = cmp.Or(o.By, raterName())
	return nil
}

// labelling is a task with what a queue of labels is made of.
type labelling struct {
	file   *task.File
	grader *grade.Grader
	form   *form.Form
	store  *sqlite.Store
	known  []rung.DatasetRow    // with an output, held-out left out
	train  []rung.DatasetRow    // of the task
	taken  map[rung.Digest]bool // inputs that are labelled already, held-out among them
	notes  []string
}

func runLabelMake(ctx context.Context, s *settings, o *labelMakeOptions) (err error) {
	if err := o.check(); err != nil {
		return err
	}
	l, err := openLabelling(ctx, s, o.task)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.store.Close()) }()
	if err := l.read(ctx, o); err != nil {
		return err
	}
	pool, skipped, err := l.pool(ctx, o)
	if err != nil {
		return err
	}
	o.Guidelines = l.file.Task.Instructions
	if o.guidelines != "" {
		if o.Guidelines, err = readText(o.guidelines); err != nil {
			return err
		}
	}
	o.Task, o.Output, o.Modes, o.Made = l.file.Task.Name, l.file.Task.Output, l.grader.Modes(), time.Now()
	q, err := label.Make(pool, l.known, o.Options)
	if err != nil {
		return err
	}
	out := labelPlan{Queue: q.Name, Made: !o.dry, Plan: rating.PlanOf(q, o.seconds), Pool: q.Labels.Pool, Skipped: skipped, Notes: l.notes, lines: label.PlanLines(q)}
	if !o.dry {
		if err := l.store.PutRatingQueue(ctx, q); err != nil {
			return err
		}
	}
	if s.json {
		return s.printJSON(out)
	}
	_, err = fmt.Fprint(s.Out, out.text())
	return err
}

func (p *labelPlan) text() string {
	lines := slices.Concat(p.Plan.Lines(), p.lines, p.Notes)
	if p.Skipped > 0 {
		lines = append(lines, fmt.Sprintf("%s labelled already and left out.", rowsAre(p.Skipped)))
	}
	if p.Made {
		lines = append(lines, fmt.Sprintf("Made. Each labeller starts with: rung label %s --rater NAME", p.Queue))
	} else {
		lines = append(lines, "Nothing was made; leave --dry-run out to make it.")
	}
	return strings.Join(lines, "\n") + "\n"
}

func rowsAre(n int) string {
	if n == 1 {
		return "1 row is"
	}
	return fmt.Sprintf("%d rows are", n)
}

// openLabelling opens a task and its store, which is made where there is none: people may label before anything is measured.
func openLabelling(ctx context.Context, s *settings, path string) (*labelling, error) {
	f, g, err := graderOf(path)
	if err != nil {
		return nil, err
	}
	l := &labelling{file: f, grader: g, taken: map[rung.Digest]bool{}}
	if l.form, err = form.New(f.Task.Output); err != nil {
		return nil, err
	}
	dir := cmp.Or(s.store, filepath.Join(f.Task.Dir, storeName))
	if isDir(dir) {
		if err := notOther(dir); err != nil {
			return nil, err
		}
	}
	l.store, err = sqlite.Open(ctx, dir)
	return l, err
}

// read gathers what is labelled already: the task's examples, files, and earlier queues.
func (l *labelling) read(ctx context.Context, o *labelMakeOptions) error {
	set, err := data.Load(ctx, l.file.Task, l.form)
	if err != nil {
		l.notes = append(l.notes, "The task's examples cannot be split yet ("+oneLine(err)+"): none of them is used to choose or to check.")
	} else {
		for _, e := range set.Heldout.Examples() {
			l.taken[label.Key(e.Input)] = true
		}
		l.train = rowsOfExamples(set.Building.Train)
		l.add(slices.Concat(l.train, rowsOfExamples(set.Building.Dev)))
	}
	for _, path := range o.known {
		rows, err := taskRows(ctx, l.file.Task, []string{path})
		if err != nil {
			return err
		}
		l.add(rows)
	}
	queues, err := l.store.RatingQueues(ctx, l.file.Task.Name)
	if err != nil {
		return err
	}
	for _, q := range queues {
		if q.Kind != rung.Labelled || q.Labels == nil || q.Labels.Batch != nil {
			continue
		}
		ratings, err := ratingsOf(ctx, l.store, q.Name)
		if err != nil {
			return err
		}
		l.add(label.RowsOf(q, ratings, nil).Rows)
		for i := range q.Items {
			if !o.again && q.Items[i].Check == rung.NoCheck {
				l.taken[label.Key(q.Items[i].Input)] = true
			}
		}
	}
	if o.gold != "" {
		o.Gold, err = taskRows(ctx, l.file.Task, []string{o.gold})
		return err
	}
	o.Gold = l.train
	return nil
}

func oneLine(err error) string {
	first, _, _ := strings.Cut(err.Error(), "\n")
	return first
}

func (l *labelling) add(rows []rung.DatasetRow) {
	for i := range rows {
		if len(rows[i].Output) > 0 {
			l.known = append(l.known, rows[i])
			l.taken[label.Key(rows[i].Input)] = true
		}
	}
}

func rowsOfExamples(list []rung.Example) []rung.DatasetRow {
	out := make([]rung.DatasetRow, len(list))
	for i := range list {
		e := &list[i]
		out[i] = rung.DatasetRow{ID: e.ID, Input: e.Input, Output: e.Output, Alternatives: e.Alternatives, Segment: e.Segment, Group: e.Group, Split: e.Split, Counter: e.Counter, Generated: e.Generated}
	}
	return out
}

// pool are the rows that can be chosen, with what is known to choose them by.
func (l *labelling) pool(ctx context.Context, o *labelMakeOptions) (pool []label.Row, skipped int, err error) {
	if o.mistakes != "" {
		return l.mistakes(ctx, o)
	}
	rows, err := taskRows(ctx, l.file.Task, o.rows)
	if err != nil {
		return nil, 0, err
	}
	seen := map[rung.Digest]bool{}
	for i := range rows {
		d := label.Key(rows[i].Input)
		if l.taken[d] || seen[d] {
			skipped++
			continue
		}
		seen[d] = true
		pool = append(pool, label.Row{DatasetRow: rows[i], Doubt: math.NaN(), Apart: math.NaN()})
	}
	if len(pool) == 0 && skipped > 0 {
		return nil, 0, &rung.Error{Code: rung.CodeInput, Place: strings.Join(o.rows, ", "), What: fmt.Sprintf("all %d rows are labelled already or copies of each other", skipped), Do: "name other rows, or label again with --again"}
	}
	names, err := app.Doubtful(ctx, l.store, l.file.Task, o.subjects, pool)
	if err != nil {
		return nil, 0, err
	}
	if len(names) > 0 {
		o.Source = "answers of " + strings.Join(names[:min(3, len(names))], ", ")
		if len(names) > 3 {
			o.Source += fmt.Sprintf(" and %d more", len(names)-3)
		}
	}
	return pool, skipped, l.doubt(pool, o)
}

// doubt has a small model say of which rows it is unsure, where the store says nothing and the task has labels.
func (l *labelling) doubt(pool []label.Row, o *labelMakeOptions) error {
	stored := slices.ContainsFunc(pool, func(r label.Row) bool { return r.Doubt > 0 })
	if stored || l.file.Task.Output.Kind != rung.Labels || o.Choose == label.Random || o.Choose == label.Coverage {
		return nil
	}
	c, err := label.TrainClassifier(l.known, o.Seed)
	if err != nil || c == nil {
		return err
	}
	c.Doubts(pool)
	by := fmt.Sprintf("uncertainty of a small model of the %d labelled rows", len(l.known))
	if o.Source != "" {
		by = o.Source + "; " + by
	}
	o.Source = by
	return nil
}

func (l *labelling) mistakes(ctx context.Context, o *labelMakeOptions) ([]label.Row, int, error) {
	scored, err := app.FindScored(ctx, l.store, l.file.Task.Name, o.mistakes, o.suite)
	if err != nil {
		return nil, 0, err
	}
	b, err := app.OpenBoard(ctx, l.store, l.grader, scored, l.file.Task.Name)
	if err != nil {
		return nil, 0, err
	}
	pool, err := b.MistakeRows()
	if err != nil {
		return nil, 0, err
	}
	if len(pool) == 0 {
		return nil, 0, &rung.Error{Code: rung.CodeInput, Place: b.Name, What: "it made no mistakes there", Do: "name another subject or suite"}
	}
	o.Scores, o.Gold, o.Checks = b.Scores, nil, 0 // a known row without an answer would stand out among corrections
	if _, err := app.Doubtful(ctx, l.store, l.file.Task, o.subjects, pool); err != nil {
		return nil, 0, err
	}
	return pool, 0, nil
}

// mostPool rows are held in memory and compared with each other.
const mostPool = 200_000

// taskRows reads rows of files with the fields of the task: {"input": …} or flat rows. What does not fit is an error with its place.
func taskRows(ctx context.Context, t *rung.Task, paths []string) (out []rung.DatasetRow, err error) {
	set, err := rows.Open(ctx, paths, "")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, set.Close()) }()
	err = set.Each(ctx, func(_ int, r rows.Row) error {
		row, what := label.ReadRow(r.Raw, t.Input)
		if what != "" {
			return &rung.Error{Code: rung.CodeInput, Place: set.Where(r.Place.File, r.Line), What: what, Do: `write {"input": {…}} or the task's input fields; rung data convert reads other forms`}
		}
		if out = append(out, row); len(out) > mostPool {
			return &rung.Error{Code: rung.CodeInput, Place: strings.Join(paths, ", "), What: fmt.Sprintf("holds more than %d rows", mostPool), Do: "choose from a sample of them"}
		}
		return nil
	})
	return out, err
}

// readText reads a file that a flag names.
func readText(path string) (string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", &rung.Error{Code: rung.CodeInput, Place: path, What: "cannot be read: " + err.Error(), Err: err}
	}
	return string(bytes.ToValidUTF8(content, []byte("\ufffd"))), nil
}
