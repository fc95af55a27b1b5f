package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung/internal/app"
)

type judgeCompareOptions struct {
	metric, suite, prices string
	cost                  float64
}

func newJudgeCompareCommand(s *settings) *cobra.Command {
	var o judgeCompareOptions
	c := &cobra.Command{
		Use:   "compare TASK.yaml A B",
		Short: "Have a pairwise judge say which of two subjects answers better",
		Long: `Compare asks two subjects every example of a suite (what is stored is not paid for again) and has a pairwise judge of the task say
which answer is better, in both orders. It prints B's share of the wins, ties half, with its interval; with the judge's bias taken
out where the judge is calibrated; and how far the order of the answers decided. Subjects are named as for rung eval.`,
		Example: "  rung judge compare task.yaml latest:prompt latest:fewshot\n  rung judge compare task.yaml tickets@production build:prompt --metric wins --suite dev",
		Args:    exactArgs(3, "a task file and two subjects"),
		RunE: func(c *cobra.Command, args []string) error {
			out, err := runJudgeCompare(c, s, &o, args)
			if err != nil {
				return err
			}
			if s.json {
				return s.printJSON(out)
			}
			printJudgeMatch(s.Out, out)
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&o.metric, "metric", "", "the judge's metric, where the task has several")
	f.StringVar(&o.suite, "suite", "heldout", "what is asked: heldout, dev, train, or a file of examples")
	f.StringVar(&o.prices, "prices", "", "price file that overrides the built-in table")
	f.Float64Var(&o.cost, "budget", 0, "spend at most so many USD, instead of the task's budget.cost")
	return c
}

func runJudgeCompare(c *cobra.Command, s *settings, o *judgeCompareOptions, args []string) (out *app.JudgeMatch, err error) {
	opt := app.Options{File: args[0], Store: s.store, Prices: o.prices}
	if c.Flags().Changed("budget") {
		opt.Cost = &o.cost
	}
	err = s.withProject(c.Context(), opt, func(p *app.Project) error {
		suite, err := p.Suite(c.Context(), o.suite)
		if err != nil {
			return err
		}
		a, err := p.Subject(c.Context(), args[1])
		if err != nil {
			return err
		}
		b, err := p.Subject(c.Context(), args[2])
		if err != nil {
			return err
		}
		out, err = p.JudgePairs(c.Context(), o.metric, suite, a, b)
		return err
	})
	return out, err
}

func printJudgeMatch(w io.Writer, m *app.JudgeMatch) {
	fmt.Fprintf(w, "%s  %s, prompt %s, judge %s\n", m.Metric, m.Judge.Model, m.Judge.Prompt, m.Judge.Digest.Short())
	fmt.Fprintln(w, wrapped("", "", m.Judge.Says))
	fmt.Fprintf(w, "\nA  %s\nB  %s\non %s, %d examples\n\n", m.A.Name, m.B.Name, m.Suite.Name, m.Suite.N)
	line := func(what string, value, low, high, level float64, n int, method string) {
		fmt.Fprintln(w, wrapped("", "  ", fmt.Sprintf("%s %s [%s, %s] (%g %% interval, n=%d, %s)", what, three(value), three(low), three(high), 100*level, n, method)))
	}
	line("B wins", m.Wins.Value, m.Wins.Low, m.Wins.High, m.Wins.Level, m.Wins.N, m.Wins.Method)
	if c := m.Corrected; c != nil {
		line("B wins, the judge's bias taken out", c.Value, c.Low, c.High, c.Level, c.N, c.Method)
	}
	for _, b := range []string{biasSays(m, true), biasSays(m, false)} {
		if b != "" {
			fmt.Fprintln(w, wrapped("", "  ", b))
		}
	}
	fmt.Fprintf(w, "%d examples with equal answers are ties; A gave no answer on %d, B on %d; the judge gave no verdict on %d (a tie).\n", m.Equal, m.FailedA, m.FailedB, m.NoVerdict)
	if m.CostUSD > 0 {
		fmt.Fprintf(w, "The verdicts cost $%.4f, those from the store included.\n", m.CostUSD)
	}
}

func biasSays(m *app.JudgeMatch, position bool) string {
	b := m.Order
	if position {
		b = m.Position
	}
	if b == nil {
		return ""
	}
	return b.Says
}
