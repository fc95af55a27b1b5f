package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/perturb"
	"github.com/rung-dev/rung/internal/report"
)

type robustCommand struct {
	evalOptions
	subject string
	kinds   []string
}

func newRobustCommand(s *settings) *cobra.Command {
	var o robustCommand
	c := &cobra.Command{
		Use:     "robust TASK SUBJECT",
		GroupID: "climb",
		Short:   "Measure what a subject loses when inputs are typed badly, reordered or reworded",
		Long: `Robust evaluates a subject on a suite and on changed copies of its inputs whose right answers stay the same, and says what it loses,
paired example by example. Words that an expected output holds are not changed. The same examples give the same copies.

  typos        typing errors in about one word of six
  case         lower case, no marks at the ends of sentences
  order        sentences in another order; within one sentence, neighbouring words exchanged
  paraphrase   other words for the same, from a small list (English)`,
		Example: "  rung robust task.yaml latest:rag\n  rung robust task.yaml tickets@production --with typos,case --suite dev",
		Args:    exactArgs(2, "a task file and a subject"),
		RunE: func(c *cobra.Command, args []string) error {
			o.task, o.subject = args[0], args[1]
			return o.run(c, s)
		},
	}
	o.flags(c)
	c.Flags().StringSliceVar(&o.kinds, "with", nil, "kinds of changes (default: all)")
	return c
}

func (o *robustCommand) run(c *cobra.Command, s *settings) error {
	kinds := perturb.Kinds
	if len(o.kinds) > 0 {
		kinds = nil
		for _, name := range o.kinds {
			if !slices.Contains(perturb.Kinds, perturb.Kind(name)) {
				return usage("there is no change %q; the changes are typos, case, order and paraphrase", name)
			}
			kinds = append(kinds, perturb.Kind(name))
		}
	}
	p, ctx, done, err := o.open(c, s)
	if err != nil {
		return err
	}
	doc, err := func() (*rung.Robustness, error) {
		suite, err := p.Suite(ctx, o.suite)
		if err != nil {
			return nil, err
		}
		sub, err := p.Subject(ctx, o.subject)
		if err != nil {
			return nil, err
		}
		return p.Robustness(ctx, sub, suite, kinds, o.metric, Version)
	}()
	err = errors.Join(err, p.Close())
	done()
	if err != nil {
		return err
	}
	if s.json {
		return s.printJSON(doc)
	}
	_, err = fmt.Fprint(s.Out, robustText(doc))
	return err
}

func robustText(d *rung.Robustness) string {
	var t strings.Builder
	fmt.Fprintf(&t, "%s on %s, n = %d: %s %s as it is (%.0f %% interval, %s)\n\n", report.Line(d.Subject.Name, 80), report.Line(d.Suite.Name, 60), d.Original.N,
		report.Line(d.Metric, 40), report.Share(d.Original), 100*d.Original.Level, d.Original.Method)
	rows := [][]string{{"inputs with", "changed", report.Line(d.Metric, 40), "difference, paired", "p, Holm", "broken", "fixed"}}
	methods := []string{}
	for _, r := range d.Changes {
		rows = append(rows, []string{r.Kind, fmt.Sprint(r.Changed), report.Share(r.Figure), report.Change(r.Contrast.Difference),
			report.P(r.Contrast.PHolm), fmt.Sprint(r.Broken), fmt.Sprint(r.Fixed)})
		if m := r.Contrast.Test + "; interval: " + r.Contrast.Difference.Method; !slices.Contains(methods, m) {
			methods = append(methods, m)
		}
	}
	t.WriteString(strings.Join(report.Columns(rows), "\n") + "\n\n")
	for _, r := range d.Changes {
		if r.Contrast.Significant {
			fmt.Fprintf(&t, "%s changes it beyond chance (%s).\n", r.Kind, r.Says)
		}
	}
	fmt.Fprintf(&t, "Tests: %s; n = %d pairs. What is not shown to differ is not shown to be the same.\n", strings.Join(methods, ", "), d.Original.N)
	for _, n := range d.Notes {
		t.WriteString(strings.Join(report.Paragraph(n, 100), "\n") + "\n")
	}
	return t.String()
}
