package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/label"
	"github.com/rung-dev/rung/internal/rating"
	"github.com/rung-dev/rung/internal/store/sqlite"
)

type labelShowOptions struct {
	rateShowOptions
	watch time.Duration
}

// labelShown is what rung label show --json prints.
type labelShown struct {
	*rating.Result
	Rows *label.Labelled `json:"labelled"`
	Pool *rung.LabelPool `json:"pool,omitempty"`
}

func newLabelShowCommand(s *settings) *cobra.Command {
	var o labelShowOptions
	c := &cobra.Command{
		Use:   "show QUEUE",
		Short: "How far labellers are and agree, and what the labels come to, at any time",
		Long: `Show writes what is labelled so far: how far labellers agree (Krippendorff's α, κ of each pair, for JSON outputs by field), each
labeller's accuracy on rows whose label is known, pace and drift, and how often each label was given. Every figure has its
interval, n and method. It can be asked while people are labelling; --watch asks again and again.`,
		Example: "  rung label show q1\n  rung label show q1 --watch 10s\n  rung label show q1 --without ben --markdown > labels.md",
		Args:    exactArgs(1, "one queue"),
		RunE: func(c *cobra.Command, args []string) error {
			o.queue = args[0]
			return runLabelShow(c.Context(), s, &o)
		},
	}
	c.Flags().BoolVar(&o.markdown, "markdown", false, "write Markdown")
	c.Flags().StringSliceVar(&o.without, "without", nil, "leave these labellers out")
	c.Flags().Float64Var(&o.level, "level", .95, "level of the intervals")
	c.Flags().Uint64Var(&o.seed, "seed", 1, "seed of resampling")
	c.Flags().DurationVar(&o.watch, "watch", 0, "write it anew as often as this whenever something was said, until all is labelled or Ctrl-C")
	return c
}

func runLabelShow(ctx context.Context, s *settings, o *labelShowOptions) (err error) {
	if !(o.level >= .5 && o.level < 1) {
		return usage("--level lies between .5 and 1, it is %g", o.level)
	}
	if o.watch != 0 && (o.watch < time.Second || s.json || o.markdown) {
		return usage("--watch takes a second or more, and writes text")
	}
	st, err := readStore(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	q, err := labelQueue(ctx, st, o.queue)
	if err != nil {
		return err
	}
	for said := -1; ; {
		out, err := labelsShown(ctx, st, q, o)
		if err != nil {
			return err
		}
		n := 0
		for _, r := range out.Raters {
			n += r.Done
		}
		if n != said {
			if err := s.printLabels(out, q, o); err != nil {
				return err
			}
			said = n
		}
		if o.watch == 0 || out.Rows.Open == 0 && out.Disagreements.Open == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(o.watch):
		}
	}
}

func labelsShown(ctx context.Context, st *sqlite.Store, q *rung.RatingQueue, o *labelShowOptions) (*labelShown, error) {
	if err := keepModes(ctx, st, q); err != nil {
		return nil, err
	}
	result, err := rating.Read(ctx, st, q, rating.ResultOptions{Level: o.level, Seed: o.seed, Without: o.without})
	if err != nil {
		return nil, err
	}
	ratings, err := ratingsOf(ctx, st, q.Name)
	if err != nil {
		return nil, err
	}
	return &labelShown{Result: result, Rows: label.RowsOf(q, ratings, o.without), Pool: q.Labels.Pool}, nil
}

func (s *settings) printLabels(out *labelShown, q *rung.RatingQueue, o *labelShowOptions) error {
	if q.Labels.Batch == nil {
		out.Notes = append(out.Notes, labelledLine(out.Rows))
	}
	switch {
	case s.json:
		return s.printJSON(out)
	case o.markdown:
		return out.Markdown(s.Out)
	}
	return s.printResult(out.Result)
}

// labelledLine says which rows there are.
func labelledLine(l *label.Labelled) string {
	parts := []string{fmt.Sprintf("%d by two labellers or more who agree, %d by one alone, %d settled", l.Agreeing, l.Single, l.Settled)}
	if l.Right > 0 {
		parts = append(parts, fmt.Sprintf("%d shown answers were right as they were", l.Right))
	}
	if l.Counter > 0 {
		parts = append(parts, fmt.Sprintf("%d are counter-examples", l.Counter))
	}
	line := fmt.Sprintf("%s can be exported (rung label export): %s.", many(l.N, "row"), strings.Join(parts, "; "))
	if l.Split > 0 {
		line += fmt.Sprintf(" On %s labellers are split.", many(l.Split, "row"))
	}
	return line
}

type labelExportOptions struct {
	queue, format, out string
	without            []string
	blind, config      bool
}

// labelExported is what rung label export --json prints when it writes a file.
type labelExported struct {
	Queue  string `json:"queue"`
	Format string `json:"format"`
	File   string `json:"file"`
	*label.Labelled
}

func newLabelExportCommand(s *settings) *cobra.Command {
	var o labelExportOptions
	c := &cobra.Command{
		Use:   "export QUEUE",
		Short: "Write what was labelled as rows of a dataset, or all that was said",
		Long: `Export writes the rows that have a label, as JSON lines that rung data build and a task's examples take. A label is that of the
adjudicator, else of more than half of the labellers; rows on which they are split stay out. A corrected answer is a row with
counter_of: the example that was answered wrongly. A row of the task's held-out examples is never among them.

--format rung writes the queue with all that everybody said, for another machine. --format label-studio writes it as Label Studio's tasks:
each labeller's label is an annotation of its own, the adjudicator's and the known labels of gold rows are marked as ground truth. --blind
leaves all of that out, so that people can label there; --label-config writes the labelling interface for it. --format labels writes one
label a line, with who gave it, how long it took, and the known label beside it. rung label import takes each of the three back.`,
		Example: "  rung label export q1 -o labelled.jsonl\n  rung label export q1 --format rung -o q1.json\n  rung label export q1 --format label-studio --blind -o tasks.json\n  rung label export q1 --label-config > label.xml",
		Args:    exactArgs(1, "one queue"),
		RunE: func(c *cobra.Command, args []string) error {
			o.queue = args[0]
			return runLabelExport(c.Context(), s, &o)
		},
	}
	c.Flags().StringVar(&o.format, "format", "rows", "rows, labels, label-studio or rung")
	c.Flags().StringVarP(&o.out, "out", "o", "-", "file to write to; - is standard output")
	c.Flags().StringSliceVar(&o.without, "without", nil, "leave these labellers out")
	c.Flags().BoolVar(&o.blind, "blind", false, "with label-studio: leave out what was said, and which rows are checks")
	c.Flags().BoolVar(&o.config, "label-config", false, "write the labelling interface for Label Studio instead")
	return c
}

func runLabelExport(ctx context.Context, s *settings, o *labelExportOptions) (err error) {
	if o.format != "rows" && !slices.Contains(rating.WriteLabelFormats, rating.Format(o.format)) {
		return usage("--format is rows, labels, label-studio or rung, and not %q", o.format)
	}
	if o.blind && o.format != string(rating.LabelStudio) {
		return usage("--blind goes with --format label-studio")
	}
	st, err := readStore(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	q, err := labelQueue(ctx, st, o.queue)
	if err != nil {
		return err
	}
	if o.format == "rows" && q.Labels.Batch != nil {
		return &rung.Error{Code: rung.CodeUsage, Place: q.Name, What: "is the review of a generated batch, and not a queue of labels", Do: "rung data review writes the reviewed rows"}
	}
	if err := keepModes(ctx, st, q); err != nil {
		return err
	}
	ratings, err := ratingsOf(ctx, st, q.Name)
	if err != nil {
		return err
	}
	done := label.RowsOf(q, ratings, o.without)
	content, err := label.Lines(done.Rows)
	if err != nil {
		return err
	}
	if err := linesOnly(o.out); err != nil && o.format == "rows" && !o.config {
		return err
	}
	switch {
	case o.config:
		content = []byte(rating.LabelConfig(q))
	case o.format != "rows":
		seats, err := st.RatingSeats(ctx, q.Name)
		if err != nil {
			return err
		}
		ratings = slices.DeleteFunc(ratings, func(r rung.Rating) bool { return slices.Contains(o.without, r.Rater) })
		if content, err = rating.ExportLabels(q, seats, ratings, rating.Format(o.format), o.blind); err != nil {
			return err
		}
	}
	if o.out == "-" {
		_, err := s.Out.Write(content)
		return err
	}
	if err := os.WriteFile(o.out, content, 0o600); err != nil {
		return &rung.Error{Code: rung.CodeInput, Place: o.out, What: "cannot be written: " + err.Error(), Do: "name another place with -o", Err: err}
	}
	if s.json {
		return s.printJSON(labelExported{q.Name, o.format, o.out, done})
	}
	_, err = fmt.Fprintf(s.Out, "%s: %s\n", o.out, labelledLine(done))
	return err
}

func newLabelImportCommand(s *settings) *cobra.Command {
	var o rateImportOptions
	c := &cobra.Command{
		Use:   "import FILE",
		Short: "Read labels that were given on another machine, or in another tool",
		Long: `Import reads what rung label export wrote and adds the labels that are new; nothing is replaced. From the format rung the queue is made
where it is not there. Labels of Label Studio, and those of the format labels, go to the queue that they are of, which must be there: it says
what a label looks like. Every label is held to the form of the queue's task; known labels of gold rows are the queue's own and are not read.`,
		Example: "  rung label import q1.json\n  rung label import tasks.json --format label-studio",
		Args:    exactArgs(1, "one file"),
		RunE: func(c *cobra.Command, args []string) error {
			o.file = args[0]
			if !slices.Contains(rating.ReadLabelFormats, rating.Format(o.format)) {
				return usage("--format is rung, label-studio or labels, and not %q", o.format)
			}
			return runLabelImport(c.Context(), s, &o)
		},
	}
	c.Flags().StringVar(&o.format, "format", string(rating.RungFormat), "rung, label-studio or labels")
	c.Flags().StringVar(&o.queue, "queue", "", "queue that the labels belong to (default: the one that the file names)")
	return c
}
