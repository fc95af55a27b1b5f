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

// printCurve says first what further examples would buy, then shows what that rests on.
func printCurve(w io.Writer, c *app.LearningCurve) {
	fmt.Fprintf(w, "Learning curve of %s (%s): %s on %s, n=%d\n\n%s\n\n", c.Rung, c.Model, c.Metric, c.Suite.Name, c.Suite.N, wrapped("", "", c.Reason))
	most := 1e-9
	for i := range c.Points {
		most = max(most, c.Points[i].Score.Value)
	}
	if c.Then != nil {
		most = max(most, c.Then.Value)
	}
	row := func(n string, figure, fitted string, bar string) {
		fmt.Fprintf(w, "  %8s  %-22s %-22s %s\n", n, figure, fitted, bar)
	}
	long := func(v float64, sign string) string { return strings.Repeat(sign, int(20*max(0, v)/most+.5)) }
	row("train", c.Metric, "the curve", "")
	for i := range c.Points {
		p := &c.Points[i]
		fitted := "–"
		if p.Fitted != nil {
			fitted = fmt.Sprintf("%.3f", *p.Fitted)
		}
		row(fmt.Sprint(p.N), interval3(&p.Score), fitted, long(p.Score.Value, "█"))
	}
	if c.Law != nil {
		last := c.Points[len(c.Points)-1].N
		row(fmt.Sprint(last+c.Extra), "not measured", interval3(c.Then), long(c.Then.Value, "░"))
	}
	fmt.Fprintln(w)
	if len(c.Points) > 0 {
		fmt.Fprintln(w, wrapped("", "", fmt.Sprintf("%s: %g %% intervals, %s.", c.Metric, 100*c.Points[0].Score.Level, c.Points[0].Score.Method)))
	}
	curveMethod(w, c)
	for _, n := range c.Notes {
		fmt.Fprintln(w, wrapped("note: ", "  ", n))
	}
}

// curveMethod says how the curve was fitted, whether it foretold what is known, and what was asked for it.
func curveMethod(w io.Writer, c *app.LearningCurve) {
	if c.Law != nil {
		fmt.Fprintln(w, wrapped("", "", fmt.Sprintf("The curve: error = %.3f + %.3f·n^−%.2f by least squares; sizes scatter around it by %.3f; interval: %s.", c.Law.A, c.Law.B, c.Law.C, c.Noise, c.Gain.Method)))
	}
	if f := c.Foretold; f != nil {
		word := "It held"
		if !f.Held {
			word = "It did not hold"
		}
		fmt.Fprintln(w, wrapped("", "", fmt.Sprintf("Tried where the truth is known: the curve of the sizes up to %d says %s for %d, where %.3f was measured. %s, with %.3f allowed for what chance moves a size.", f.From, interval3(&f.Said), f.At, f.Measured, word, f.Slack)))
	}
	var calls rung.Calls
	for i := range c.Points {
		calls.Made += c.Points[i].Calls.Made
		calls.Cached += c.Points[i].Calls.Cached
		calls.Failed += c.Points[i].Calls.Failed
	}
	if n := calls.Made + calls.Cached; n > 0 {
		fmt.Fprintf(w, "%s of a model: %d made now, %d answered from the store; %d failed and score 0.\n", many(n, "call"), calls.Made, calls.Cached, calls.Failed)
	}
}

func interval3(i *rung.Interval) string {
	return fmt.Sprintf("%.3f [%.3f–%.3f]", i.Value, i.Low, i.High)
}
