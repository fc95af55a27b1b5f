package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
)

type dataCurveOptions struct {
	evalOptions
	curve app.CurveOptions
	rung  string
	model string
}

func newDataCurveCommand(s *settings) *cobra.Command {
	var o dataCurveOptions
	c := &cobra.Command{
		Use:   "curve TASK.yaml RUNG",
		Short: "Measure what another 100 train examples would buy",
		Long: `Curve builds a rung (fewshot, lora or rag+lora) from nested parts of the train set, asks each candidate the whole held-out set, and fits
a power law with an offset to the errors: error = a + b·n^−c. It says what further train examples are expected to buy, with an interval, and
says so when it cannot tell. Every call goes through the store as in a climb: what was asked before is not paid for again.

fewshot keeps the recipe that was chosen with the whole train set, and changes what there is to demonstrate with; --search chooses it anew at
each size. Rungs that train are trained anew at each size, which takes as long as so many rungs of a climb. --draws takes several random
parts of each size, which narrows the interval most. docs/data-check.md has the method and how often its intervals hold.`,
		Example: "  rung data curve task.yaml fewshot\n  rung data curve task.yaml lora --sizes 50,100,200,400 --extra 200 --json",
		Args:    exactArgs(2, "a task file and a rung"),
		RunE: func(c *cobra.Command, args []string) error {
			o.task, o.rung = args[0], args[1]
			return o.run(c, s)
		},
	}
	o.flags(c)
	f := c.Flags()
	f.IntSliceVar(&o.curve.Sizes, "sizes", nil, "sizes of the train set, at least four (default: the whole, halved as often as leaves enough)")
	f.IntVar(&o.curve.Draws, "draws", 1, "random parts of each size but the whole")
	f.IntVar(&o.curve.Extra, "extra", 100, "further examples whose worth is asked for")
	f.BoolVar(&o.curve.Search, "search", false, "choose the recipe anew at each size")
	f.StringVar(&o.model, "model", "", "use this model instead of the task's first")
	return c
}

func (o *dataCurveOptions) run(c *cobra.Command, s *settings) error {
	if !slices.Contains(rung.Ladder, rung.Rung(o.rung)) {
		return usage("there is no rung %q; those that learn from train examples are fewshot, lora and rag+lora", o.rung)
	}
	if o.curve.Draws < 1 || o.curve.Draws > 20 || o.curve.Extra < 1 {
		return usage("--draws is from 1 to 20 and --extra at least 1")
	}
	p, ctx, done, err := o.open(c, s)
	if err != nil {
		return err
	}
	o.curve.Rung, o.curve.Model, o.curve.Suite, o.curve.Metric, o.curve.Version = rung.Rung(o.rung), rung.ModelRef(o.model), o.suite, o.metric, Version
	doc, err := p.Curve(ctx, o.curve)
	err = errors.Join(err, p.Close())
	done()
	if err != nil {
		return err
	}
	if s.json {
		return s.printJSON(doc)
	}
	printCurve(s.Out, doc)
	return nil
}

// printCurve is the curve as a table with bars, and what it says.
func printCurve(w io.Writer, c *app.LearningCurve) {
	fmt.Fprintf(w, "Learning curve of %s (%s): %s on %s, n=%d\n\n", c.Rung, c.Model, c.Metric, c.Suite.Name, c.Suite.N)
	fmt.Fprintf(w, "  %8s  %-22s %7s\n", "train", c.Metric, "curve")
	most := 1e-9
	for i := range c.Points {
		most = max(most, c.Points[i].Score.Value)
	}
	for i := range c.Points {
		p := &c.Points[i]
		fitted := "–"
		if p.Fitted != nil {
			fitted = fmt.Sprintf("%.3f", *p.Fitted)
		}
		figure := fmt.Sprintf("%.3f [%.3f–%.3f]", p.Score.Value, p.Score.Low, p.Score.High)
		fmt.Fprintf(w, "  %8d  %-22s %7s  %s\n", p.N, figure, fitted, strings.Repeat("█", int(30*max(0, p.Score.Value)/most+.5)))
	}
	if len(c.Points) > 0 {
		fmt.Fprintf(w, "  %g %% intervals, %s\n", 100*c.Points[0].Score.Level, c.Points[0].Score.Method)
	}
	if c.Law != nil {
		fmt.Fprintf(w, "\n  error = %.3f + %.3f·n^−%.2f; sizes scatter around it by %.3f\n", c.Law.A, c.Law.B, c.Law.C, c.Noise)
		last := c.Points[len(c.Points)-1].N
		fmt.Fprintf(w, "  at %d: %.3f [%.3f–%.3f]; at %d: %.3f [%.3f–%.3f] (%s)\n", last, c.Now.Value, c.Now.Low, c.Now.High, last+c.Extra, c.Then.Value, c.Then.Low, c.Then.High, c.Gain.Method)
	}
	fmt.Fprintf(w, "\n%s\n", wrapped("", "", c.Reason))
	for _, n := range c.Notes {
		fmt.Fprintln(w, wrapped("note: ", "  ", n))
	}
}
