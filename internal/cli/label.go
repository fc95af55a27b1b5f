package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/label"
	"github.com/rung-dev/rung/internal/rating"
	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/store/sqlite"
)

func newLabelCommand(s *settings) *cobra.Command {
	var o rateOptions
	c := &cobra.Command{
		Use:     "label QUEUE",
		GroupID: "task",
		Short:   "Label rows blind, in the browser or in the terminal",
		Long: `Label shows one person rows to label: a label is chosen by its number, a text is written or corrected, JSON is held to the task's schema.
Nobody sees what others said, which rows are checks, or why a row was chosen. Every label is on the disk before the next row is
shown; a closed page or a killed process loses nothing, and rung label QUEUE goes on where it was left.

A lead makes a queue with rung label make; each labeller joins it under a name of their own. The page is served to this machine
only, at an address that nobody can guess; Ctrl-C ends it. rung label export writes what was said as rows of a dataset.`,
		Example: "  rung label make q1 task.yaml --rows inbox.jsonl --items 100 --raters ada,ben\n  rung label q1 --rater ada\n  rung label q1 --rater ben --terminal\n  rung label show q1\n  rung label export q1 -o labelled.jsonl",
		Args:    exactArgs(1, "one queue"),
		RunE: func(c *cobra.Command, args []string) error {
			o.queue = args[0]
			return runRate(c.Context(), s, &o, rung.AsRater, keepModes)
		},
	}
	o.flags(c)
	c.AddCommand(newLabelMakeCommand(s), newLabelListCommand(s), newLabelShowCommand(s), newLabelAdjudicateCommand(s), newLabelExportCommand(s), newLabelImportCommand(s))
	return c
}

func newLabelAdjudicateCommand(s *settings) *cobra.Command {
	var o rateOptions
	c := &cobra.Command{
		Use:   "adjudicate QUEUE",
		Short: "Settle the rows on which labellers disagree",
		Long: `Adjudicate shows the rows on which labellers of a queue disagree, with what they said but not who said it. The label is kept
beside theirs and never in their place.`,
		Example: "  rung label adjudicate q1 --rater lead",
		Args:    exactArgs(1, "one queue"),
		RunE: func(c *cobra.Command, args []string) error {
			o.queue = args[0]
			return runRate(c.Context(), s, &o, rung.AsAdjudicator, keepModes)
		},
	}
	o.flags(c)
	return c
}

// keepModes puts the failure modes that labellers marked where rung modes and climbs find them.
func keepModes(ctx context.Context, st *sqlite.Store, q *rung.RatingQueue) error {
	ratings, err := ratingsOf(ctx, st, q.Name)
	if err != nil {
		return err
	}
	if labels := label.ModeLabels(q, ratings); len(labels) > 0 {
		return st.PutModes(ctx, labels)
	}
	return nil
}

// labelQueue finds a queue of labels.
func labelQueue(ctx context.Context, st *sqlite.Store, name string) (*rung.RatingQueue, error) {
	q, err := st.RatingQueue(ctx, name)
	if err == nil && (q.Kind != rung.Labelled || q.Labels == nil) {
		return nil, &rung.Error{Code: rung.CodeUsage, Place: name, What: "is a queue of ratings and not of labels", Do: "see rung rate show " + name}
	}
	return q, err
}

func newLabelListCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "list [TASK]",
		Short: "List the queues of labels and reviews, newest first, with how far people are",
		Args:  atMostOne("a task's name"),
		RunE:  func(c *cobra.Command, args []string) error { return runLabelList(c.Context(), s, first(args, "")) },
	}
}

// labelLine is one queue in what rung label list --json prints.
type labelLine struct {
	Queue  string    `json:"queue"`
	Task   string    `json:"task"`
	What   string    `json:"what"`
	Items  int       `json:"items"`
	Done   int       `json:"done"`
	Asked  int       `json:"asked"`
	Open   int       `json:"disagreements_open"`
	Choose string    `json:"choose,omitempty"`
	Made   time.Time `json:"made"`
	By     string    `json:"by,omitempty"`
}

func runLabelList(ctx context.Context, s *settings, task string) (err error) {
	st, err := readStore(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	queues, err := st.RatingQueues(ctx, task)
	if err != nil {
		return err
	}
	out := struct {
		Queues []labelLine `json:"queues"`
	}{[]labelLine{}}
	for _, q := range queues {
		if q.Kind != rung.Labelled || q.Labels == nil {
			continue
		}
		p, err := rating.ProgressOf(ctx, st, q)
		if err != nil {
			return err
		}
		line := labelLine{Queue: q.Name, Task: q.Task, What: whatOf(q), Items: p.Items, Done: p.Done, Asked: p.Asked, Open: p.Open, Made: q.Made, By: q.By}
		if q.Labels.Pool != nil {
			line.Choose = q.Labels.Pool.Choose
		}
		out.Queues = append(out.Queues, line)
	}
	if s.json {
		return s.printJSON(out)
	}
	if len(out.Queues) == 0 {
		_, err := fmt.Fprintln(s.Out, "No queue of labels yet; rung label make QUEUE TASK --rows FILE makes one.")
		return err
	}
	rows := [][]string{{"queue", "task", "what", "done", "to settle", "made"}}
	for _, l := range out.Queues {
		rows = append(rows, []string{l.Queue, l.Task, l.What, fmt.Sprintf("%d of %d", l.Done, l.Asked), strconv.Itoa(l.Open), l.Made.Local().Format("2006-01-02 15:04")})
	}
	_, err = fmt.Fprint(s.Out, strings.Join(report.Columns(rows), "\n")+"\n")
	return err
}

func whatOf(q *rung.RatingQueue) string {
	switch {
	case q.Labels.Batch != nil:
		return "review"
	case q.Labels.Set != "":
		return "corrections"
	}
	return string(q.Labels.Output.Kind)
}
