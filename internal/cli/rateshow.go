package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung/internal/rating"
	"github.com/rung-dev/rung/internal/report"
)

type rateShowOptions struct {
	queue    string
	markdown bool
	without  []string
	level    float64
	seed     uint64
}

func newRateShowCommand(s *settings) *cobra.Command {
	var o rateShowOptions
	c := &cobra.Command{
		Use:   "show QUEUE",
		Short: "What the ratings of a queue come to: preferences, agreement, raters",
		Long: `Show writes what people said: how often each candidate is preferred and how strong it is (or its means on each criterion), how far
raters agree (Krippendorff's α, Fleiss' and Cohen's κ), and how each rater did: attention checks, side, drift, pace. Every figure has
its interval, n and method. Ratings of checks are in no figure but those about raters.`,
		Example: "  rung rate show answers\n  rung rate show answers --without ben --markdown > ratings.md",
		Args:    exactArgs(1, "one queue"),
		RunE: func(c *cobra.Command, args []string) error {
			o.queue = args[0]
			return runRateShow(c.Context(), s, &o)
		},
	}
	c.Flags().BoolVar(&o.markdown, "markdown", false, "write Markdown")
	c.Flags().StringSliceVar(&o.without, "without", nil, "leave these raters out")
	c.Flags().Float64Var(&o.level, "level", .95, "level of the intervals")
	c.Flags().Uint64Var(&o.seed, "seed", 1, "seed of resampling")
	return c
}

func runRateShow(ctx context.Context, s *settings, o *rateShowOptions) (err error) {
	if !(o.level >= .5 && o.level < 1) {
		return usage("--level lies between .5 and 1, it is %g", o.level)
	}
	st, err := readStore(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	q, err := st.RatingQueue(ctx, o.queue)
	if err != nil {
		return err
	}
	result, err := rating.Read(ctx, st, q, rating.ResultOptions{Level: o.level, Seed: o.seed, Without: o.without})
	if err != nil {
		return err
	}
	switch {
	case s.json:
		return s.printJSON(result)
	case o.markdown:
		return result.Markdown(s.Out)
	}
	return s.printResult(result)
}

func (s *settings) printResult(r *rating.Result) error {
	width, color := report.Look(s.Out)
	bold := func(text string) string {
		if color {
			return "\x1b[1m" + text + "\x1b[0m"
		}
		return text
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", strings.Join(report.Paragraph(r.Head(), width), "\n"))
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "\n%s\n", strings.Join(report.Paragraph("Note: "+n, width), "\n"))
	}
	for _, section := range r.Sections() {
		fmt.Fprintf(&b, "\n%s\n%s\n", bold(section.Title), strings.Join(report.Columns(section.Rows), "\n"))
		for _, f := range section.Footer {
			fmt.Fprintf(&b, "%s\n", strings.Join(report.Paragraph(f, width), "\n"))
		}
	}
	_, err := fmt.Fprint(s.Out, b.String())
	return err
}
