package cli

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/report"
)

type compareCommand struct {
	evalOptions
	subjects []string
	out      string
	formats  []string
}

func newCompareCommand(s *settings) *cobra.Command {
	var o compareCommand
	c := &cobra.Command{
		Use:     "compare TASK.yaml SUBJECT SUBJECT...",
		GroupID: "read",
		Short:   "Set two or more subjects side by side, paired, example by example",
		Long: `Compare asks every subject every example of a suite (answers that are stored are not paid for again) and compares the others with
the first one: the paired difference with its interval, a paired test adjusted for the number of comparisons, whether they are
shown to be the same within min_gain, every segment, and every example side by side. A subject is named as for rung eval;
eval:ID is a kept evaluation, of which no call is made. With -o the same is written as a page (.html), as Markdown (.md), or
as both into a directory.`,
		Example: "  rung compare task.yaml latest:prompt latest:fewshot\n  rung compare task.yaml tickets@production build:prompt -o comparison.html\n  rung compare task.yaml eval:20261122-1855 eval:20261123-0910 --json",
		Args:    cobra.MinimumNArgs(0),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) < 3 {
				return usage("rung compare takes a task file and two subjects or more; see rung compare --help")
			}
			if len(args) > maxCompared+1 {
				return usage("rung compare takes %d subjects at most", maxCompared)
			}
			o.task, o.subjects = args[0], args[1:]
			return o.run(c, s)
		},
	}
	o.flags(c)
	c.Flags().StringVarP(&o.out, "out", "o", "", "file (.html, .md) or directory to write the comparison to as well")
	c.Flags().StringSliceVar(&o.formats, "format", []string{"html", "md"}, "formats to write into a directory (html,md)")
	return c
}

// maxCompared bounds how many subjects stand side by side.
const maxCompared = 12

func (o *compareCommand) run(c *cobra.Command, s *settings) error {
	var targets []target
	if o.out != "" {
		var err error
		if targets, err = (&reportOptions{out: o.out, formats: o.formats}).named("comparison"); err != nil {
			return err
		}
	}
	p, ctx, done, err := o.open(c, s)
	if err != nil {
		return err
	}
	m, err := o.compare(ctx, p, targets, s.Out)
	err = errors.Join(err, p.Close())
	done()
	if m == nil || err != nil {
		return err
	}
	if err := s.printMatchup(m, targets); err != nil {
		return err
	}
	return nil
}

func (o *compareCommand) compare(ctx context.Context, p *app.Project, targets []target, stdout io.Writer) (*rung.Matchup, error) {
	suite, err := p.Suite(ctx, o.suite)
	if err != nil {
		return nil, err
	}
	var all []*app.Evaluated
	for _, ref := range o.subjects {
		e, err := o.evaluated(ctx, p, suite, ref)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	m, err := p.Match(ctx, all, o.metric, Version)
	if err != nil || len(targets) == 0 {
		return m, err
	}
	details, err := p.MatchDetails(ctx, m, all)
	if err != nil {
		return nil, err
	}
	for _, t := range targets {
		if err := t.write(stdout, func(w io.Writer) error {
			if t.format == "md" {
				return report.MatchMarkdown(w, m)
			}
			return report.MatchHTML(w, details)
		}); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// evaluated is a subject's evaluation: a kept one, or one made now in full.
func (o *compareCommand) evaluated(ctx context.Context, p *app.Project, suite *app.Suite, ref string) (*app.Evaluated, error) {
	if id, kept := strings.CutPrefix(ref, "eval:"); kept {
		doc, err := app.EvaluationDoc(ctx, p.Store, id)
		if err != nil {
			return nil, err
		}
		return p.Reread(ctx, doc)
	}
	if err := p.JudgesReady(); err != nil {
		return nil, err
	}
	sub, err := p.Subject(ctx, ref)
	if err != nil {
		return nil, err
	}
	return p.Evaluate(ctx, sub, suite, app.EvalOptions{Full: true, Version: Version})
}

func (s *settings) printMatchup(m *rung.Matchup, targets []target) error {
	for _, t := range targets {
		if t.path == "-" {
			return nil // it is on standard output
		}
	}
	if s.json {
		return s.printJSON(m)
	}
	width, color := report.Look(s.Out)
	if err := report.Match(s.Out, m, width, color); err != nil {
		return err
	}
	for _, t := range targets {
		if _, err := io.WriteString(s.Out, "\n"+t.path+"\n"); err != nil {
			return err
		}
	}
	return nil
}
