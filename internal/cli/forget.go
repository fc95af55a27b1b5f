package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/report"
)

type forgetOptions struct {
	task   string
	fresh  bool
	atMost float64
	prices string
	app.ForgetOptions
}

func newForgettingCommand(s *settings) *cobra.Command {
	var o forgetOptions
	c := &cobra.Command{
		Use:     "forgetting TASK.yaml [SUBJECT] --prompts FILE.jsonl",
		GroupID: "climb",
		Short:   "Measure what a trained adapter has unlearned: instructions followed before and after",
		Long: `Forgetting asks the model with and without a candidate's adapter the same prompts, bare, without the task's instructions, and checks
which of the verifiable instructions in them are followed ("no commas", "at least 300 words", "two responses"): all 25 kinds of
IFEval, strict and loose, by prompt and by instruction. What fell is forgetting, reported as a paired difference.

SUBJECT is a rung of a run (lora, RUN:rag+lora), a candidate's digest or a release; without one it is what the latest run decided for.
FILE.jsonl holds rows {"id", "prompt", "instruction_ids", "kwargs"} as IFEval's do.

With --at-most the exit status is 0 when the share of prompts that are followed whole (strict) fell by at most so much over the whole
interval, 9 when it fell by more, and 10 when that is not settled.`,
		Example: "  rung forgetting task.yaml lora --prompts ifeval.jsonl\n  rung forgetting task.yaml lora --prompts ifeval.jsonl -n 541 --at-most 0.05 --json",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 1 || len(args) == 2 {
				return nil
			}
			return &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("%s takes a task file and perhaps what to look at, got %d arguments", c.CommandPath(), len(args)), Do: "see " + c.CommandPath() + " --help"}
		},
		RunE: func(c *cobra.Command, args []string) error {
			o.task = args[0]
			if len(args) == 2 {
				o.Subject = args[1]
			}
			return runForgetting(c, s, &o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.File, "prompts", "", "JSON lines file of prompts with verifiable instructions")
	f.IntVarP(&o.N, "n", "n", 0, fmt.Sprintf("prompts to ask (default %d for local models, all for others; -1 is all)", app.DefaultPrompts))
	f.IntVar(&o.MaxTokens, "max-tokens", app.DefaultAnswer, "longest answer in tokens")
	f.Float64Var(&o.atMost, "at-most", 0, "loss that is tolerated, between 0 and 1; the exit status says whether it holds")
	f.BoolVar(&o.fresh, "fresh", false, "pay for every call again instead of using stored answers")
	f.StringVar(&o.prices, "prices", "", "price file that overrides the built-in table")
	return c
}

func runForgetting(c *cobra.Command, s *settings, o *forgetOptions) error {
	if o.File == "" {
		return usage("name the prompts with --prompts FILE.jsonl")
	}
	if c.Flags().Changed("at-most") {
		if o.atMost < 0 || o.atMost > 1 {
			return usage("--at-most %g is no loss; write a number between 0 and 1", o.atMost)
		}
		o.AtMost = &o.atMost
	}
	o.Version = Version
	status := report.NewStatus(s.Err, isTerminal(s.Err))
	defer status.Done()
	p, err := app.Open(c.Context(), app.Options{File: o.task, Store: s.store, Prices: o.prices, Fresh: o.fresh, Observe: status})
	if err != nil {
		return err
	}
	doc, err := p.Forgetting(c.Context(), o.ForgetOptions)
	err = errors.Join(err, p.Close())
	status.Done()
	if err != nil {
		return err
	}
	if s.json {
		err = s.printJSON(doc)
	} else {
		err = writeForgetting(s.Out, doc)
	}
	return errors.Join(err, settled(doc.Verdict, doc.Reason))
}

func writeForgetting(w io.Writer, doc *app.ForgettingReport) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Instructions followed by %s of %s and by the model without its adapter: %d of %d prompts.\n\n",
		report.Line(doc.Subject.Name, 120), report.Line(doc.Task, 120), doc.Suite.N, doc.Of)
	rows := [][]string{{"measure", "n", "base", "tuned", "lost", "p"}}
	for _, m := range doc.Measures {
		rows = append(rows, []string{m.Measure, fmt.Sprint(m.Base.N), rate(m.Base), rate(m.Tuned), change(m.Lost), fmt.Sprintf("%.2g", m.P)})
	}
	writeColumns(&b, rows)
	first, last := &doc.Measures[0], &doc.Measures[len(doc.Measures)-1]
	fmt.Fprintf(&b, "\n  %.3g %% intervals (prompts: %s, instructions: %s); lost: base less tuned, prompt by prompt (%s);\n", 100*doc.Level, first.Base.Method, last.Base.Method, first.Lost.Method)
	fmt.Fprintf(&b, "  p: %s for prompts, %s for instructions, not adjusted.\n\n", first.Test, last.Test)
	rows = [][]string{{"instruction", "n", "base", "tuned"}}
	for _, k := range doc.Kinds {
		rows = append(rows, []string{k.Kind, fmt.Sprint(k.N), fmt.Sprint(k.Base), fmt.Sprint(k.Tuned)})
	}
	writeColumns(&b, rows)
	b.WriteString("\n  counts of instructions followed (strict); too few of a kind to compare kinds.\n\n")
	if doc.Verdict != "" {
		fmt.Fprintf(&b, "%s: %s.\n", strings.ToUpper(string(doc.Verdict[:1]))+string(doc.Verdict[1:]), doc.Reason)
	}
	if doc.Cut[0]+doc.Cut[1] > 0 {
		fmt.Fprintf(&b, "%d answers of the base and %d of the tuned model were cut off at %d tokens and checked as they are.\n", doc.Cut[0], doc.Cut[1], doc.MaxTokens)
	}
	fmt.Fprintf(&b, "%d calls made now, %d answered from the store, %d failed; $%.4g; %.0f s. Evaluations %s and %s, suite %s.\n",
		doc.Calls.Made, doc.Calls.Cached, doc.Calls.Failed, doc.CostUSD, doc.Wall, doc.Evaluations[0], doc.Evaluations[1], doc.Suite.Digest.Short())
	_, err := io.WriteString(w, b.String())
	return err
}

func writeColumns(b *strings.Builder, rows [][]string) {
	for _, line := range report.Columns(rows) {
		b.WriteString("  " + line + "\n")
	}
}
