package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/report"
)

type climbOptions struct {
	task   string
	all    bool
	full   bool
	fresh  bool
	rungs  []string
	models []string
	prices string
	cost   float64
	wall   time.Duration
}

func newClimbCommand(s *settings) *cobra.Command {
	var o climbOptions
	c := &cobra.Command{
		Use:     "climb TASK.yaml",
		GroupID: "climb",
		Short:   "Climb the ladder and decide",
		Long: `Climb builds a candidate on each rung from the train and dev examples, scores it on the frozen held-out examples, and
stops at the cheapest rung that meets the bar. A rung is asked the held-out examples in a fixed random order, and no more of them
than its verdict needs (docs/statistics.md); with --full it is asked them all. Every model call is stored: after Ctrl-C, a crash or an empty budget the same
command goes on where it stopped and pays for nothing twice.

Progress and messages go to standard error. Standard output holds the table and the reasons or, with --json, one document.`,
		Example: "  rung climb task.yaml\n  rung climb task.yaml --all --json > decision.json\n  rung climb task.yaml --rungs prompt,fewshot --model openai/gpt-4o-mini",
		Args:    exactArgs(1, "one task file"),
		RunE: func(c *cobra.Command, args []string) error {
			o.task = args[0]
			return runClimb(c, s, &o)
		},
	}
	f := c.Flags()
	f.BoolVar(&o.all, "all", false, "score every rung, also after one has met the bar")
	f.BoolVar(&o.full, "full", false, "ask every held-out example on every rung, also when the verdict is clear")
	f.BoolVar(&o.fresh, "fresh", false, "pay for every call again instead of using stored answers")
	f.StringSliceVar(&o.rungs, "rungs", nil, "climb only these rungs (prompt,fewshot,rag,lora,rag+lora)")
	f.StringSliceVar(&o.models, "model", nil, "use these models instead of the task's")
	f.StringVar(&o.prices, "prices", "", "price file that overrides the built-in table")
	f.Float64Var(&o.cost, "budget", 0, "spend at most so many USD, instead of the task's budget.cost")
	f.DurationVar(&o.wall, "wall", 0, "take at most so long, instead of the task's budget.wall")
	return c
}

func runClimb(c *cobra.Command, s *settings, o *climbOptions) error {
	opt := app.Options{File: o.task, Store: s.store, Prices: o.prices, Fresh: o.fresh}
	if c.Flags().Changed("budget") {
		opt.Cost = &o.cost
	}
	if c.Flags().Changed("wall") {
		opt.Wall = &o.wall
	}
	if err := o.selection(&opt); err != nil {
		return err
	}
	status := report.NewStatus(s.Err, isTerminal(s.Err))
	defer status.Done()
	opt.Observe = status
	p, err := app.Open(c.Context(), opt)
	if err != nil {
		return err
	}
	doc, err := p.Climb(c.Context(), o.all, o.full, Version)
	err = errors.Join(err, p.Close())
	status.Done()
	if doc == nil {
		return err
	}
	return errors.Join(s.printClimb(doc), err)
}

// selection reads --rungs and --model.
func (o *climbOptions) selection(opt *app.Options) error {
	wanted := make(map[rung.Rung]bool)
	for _, name := range o.rungs {
		wanted[rung.Rung(name)] = true
	}
	for _, r := range rung.Ladder {
		if wanted[r] {
			opt.Rungs = append(opt.Rungs, r)
			delete(wanted, r)
		}
	}
	for name := range wanted {
		return usage("there is no rung %q; the rungs are prompt, fewshot, rag, lora and rag+lora", string(name))
	}
	for _, name := range o.models {
		ref := rung.ModelRef(name)
		if ref.Provider() == "" || ref.Name() == "" {
			return usage("the model %q is not provider/name, such as local/smollm2-135m or openai/gpt-4o-mini", name)
		}
		opt.Models = append(opt.Models, ref)
	}
	return nil
}

func (s *settings) printClimb(doc *rung.Document) error {
	if s.json {
		return s.printJSON(doc)
	}
	width, color := report.Look(s.Out)
	if err := report.Table(s.Out, doc, width, color); err != nil {
		return err
	}
	_, err := fmt.Fprintf(s.Err, "\nrung report %s writes this with every completion as a page.\n", doc.Run)
	return err
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}
