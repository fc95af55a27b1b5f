package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/judge"
)

// judgeShown is one judge as rung judge show prints it.
type judgeShown struct {
	rung.JudgeInfo
	Pairwise     bool                `json:"pairwise"`
	Reference    bool                `json:"reference"`
	Criteria     []rung.Criterion    `json:"criteria,omitempty"`
	System       string              `json:"system"`
	Ask          string              `json:"ask"`
	Calibrations []judge.Calibration `json:"calibrations,omitempty"`
}

func newJudgeShowCommand(s *settings) *cobra.Command {
	var prompts bool
	c := &cobra.Command{
		Use:     "show TASK.yaml",
		Short:   "Show the judges of a task, and what is known of them",
		Long:    `Show lists the judges of a task with model, prompt version and criteria, and whether they are calibrated. It calls no model.`,
		Example: "  rung judge show task.yaml\n  rung judge show task.yaml --prompts",
		Args:    exactArgs(1, "one task file"),
		RunE: func(c *cobra.Command, args []string) error {
			var list []judgeShown
			err := s.withProject(c.Context(), app.Options{File: args[0], Store: s.store}, func(p *app.Project) (err error) {
				list, err = judgesOf(c, p)
				return err
			})
			if err != nil {
				return err
			}
			if s.json {
				return s.printJSON(map[string]any{"judges": list})
			}
			printJudges(s.Out, list, prompts)
			return nil
		},
	}
	c.Flags().BoolVar(&prompts, "prompts", false, "write the prompts too")
	return c
}

func judgesOf(c *cobra.Command, p *app.Project) ([]judgeShown, error) {
	list := []judgeShown{}
	for _, name := range p.JudgeNames() {
		info, known, err := p.JudgeInfo(c.Context(), name)
		if err != nil {
			return nil, err
		}
		j, criterion, err := p.Judge(c.Context(), name)
		if err != nil {
			return nil, err
		}
		if criterion == "" {
			spec := j.Spec()
			one := judgeShown{JudgeInfo: *info, Pairwise: spec.Pairwise, Reference: spec.Reference, Criteria: spec.Criteria}
			one.System, one.Ask = j.Text()
			list = append(list, one)
		}
		if known != nil {
			shown := *known
			shown.Kept = nil // what they rest on is in the store
			last := &list[len(list)-1]
			last.Calibrations = append(last.Calibrations, shown)
		}
	}
	return list, nil
}

func printJudges(w io.Writer, list []judgeShown, prompts bool) {
	if len(list) == 0 {
		fmt.Fprintln(w, "The task has no judge.")
	}
	for i, j := range list {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s  %s, prompt %s, judge %s\n", j.Metric, j.Model, j.Prompt, j.Digest.Short())
		fmt.Fprintln(w, wrapped("  ", "  ", j.Says))
		if j.MayDecide {
			fmt.Fprintln(w, "  It may decide a climb.")
		} else {
			fmt.Fprintln(w, "  It may not decide a climb: a pass by it alone stays inconclusive.")
		}
		for _, c := range j.Criteria {
			fmt.Fprintf(w, "  %s: %s\n", c.Name, c.Question)
			for score := 1; score <= 5; score++ {
				if a := c.Anchors[score]; a != "" {
					fmt.Fprintf(w, "    %d %s\n", score, a)
				}
			}
		}
		if prompts {
			fmt.Fprintf(w, "  system:\n    %s\n  ask:\n    %s\n", strings.ReplaceAll(j.System, "\n", "\n    "), j.Ask)
		}
	}
}

// printCalibrated writes what a calibration found, the whole metric first.
func printCalibrated(w io.Writer, out *app.Calibrated) {
	for i := range out.Calibrations {
		if i > 0 {
			fmt.Fprintln(w)
		}
		printCalibration(w, &out.Calibrations[i])
	}
	if p := out.Pretended; p != nil {
		printPretended(w, p)
	}
	for _, note := range out.Notes {
		fmt.Fprintln(w, "\n"+wrapped("", "", note))
	}
	if out.CostUSD > 0 {
		fmt.Fprintf(w, "\nThe judge's answers cost $%.4f, those from the store included.\n", out.CostUSD)
	}
}

func printCalibration(w io.Writer, c *judge.Calibration) {
	name := c.Metric
	if c.Criterion != "" {
		name += "." + c.Criterion
	}
	if c.Model != "" {
		name += fmt.Sprintf("  %s, prompt %s, judge %s", c.Model, c.Prompt, c.Digest.Short())
	}
	fmt.Fprintln(w, name)
	mark := "CALIBRATED"
	if !c.OK {
		mark = "NOT CALIBRATED"
	}
	fmt.Fprintf(w, "%s: %d answers with %d ratings by up to %d people, %d more judged only, from %s.\n", mark, c.Rated, c.Ratings, c.Raters, c.Judged, c.Source)
	for _, line := range c.Says {
		fmt.Fprintln(w, wrapped("  ", "  ", line))
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\n\tvalue\tinterval\tn\tmethod")
	for _, f := range c.Agreement {
		intervalRow(t, f.Name, f.Interval)
	}
	if c.Among != nil {
		intervalRow(t, c.Among.Name, c.Among.Interval)
	}
	what := "mean score, 0 to 1"
	if c.Pairwise {
		what = "first answer preferred"
	}
	intervalRow(t, what+": people alone", c.People)
	intervalRow(t, what+": the judge alone", c.Raw)
	intervalRow(t, what+": corrected", c.Corrected)
	for _, b := range c.Biases {
		if b.Missing == "" {
			intervalRow(t, biasNames[b.Name], b.Figure)
		}
	}
	_ = t.Flush() // to the same place as all before
	for _, b := range c.Biases {
		if b.Missing != "" {
			fmt.Fprintln(w, b.Says)
		}
	}
}

// biasNames say what the figure of a bias is.
var biasNames = map[string]string{
	"level": "judge − people", "position": "the answer shown first wins (even: .5)", "order": "the order changes the verdict",
	"length": "gain of twice the length", "self": "gain of its own model",
}

func intervalRow(w io.Writer, name string, iv rung.Interval) {
	fmt.Fprintf(w, "%s\t%s\t%s to %s (%g %%)\t%d\t%s\n", name, three(iv.Value), three(iv.Low), three(iv.High), 100*iv.Level, iv.N, short(iv.Method))
}

// three shows a figure with three decimals and no leading zero.
func three(x float64) string {
	s := strings.Replace(fmt.Sprintf("%.3f", x), "-", "−", 1)
	return strings.Replace(strings.TrimPrefix(s, "0"), "−0.", "−.", 1)
}

// short leaves out of a long method what stands in the document.
func short(method string) string {
	const most = 70
	if runes := []rune(method); len(runes) > most {
		return string(runes[:slices.Index(append(runes, ':'), ':')])
	}
	return method
}

func printPretended(w io.Writer, p *judge.Coverage) {
	text := fmt.Sprintf("Had only %d of these been rated, picked at random (%d draws): the corrected mean's %g %% interval would have held what all people say (%s) in %.1f %% of the draws, "+
		"being %s wide on average; that of the %d ratings alone in %.1f %%, being %s wide. The judge alone says %s.",
		p.Rated, p.Draws, 100*p.Level, three(p.Truth), 100*p.Held, three(p.Width), p.Rated, 100*p.Alone, three(p.AloneWide), three(p.Raw))
	fmt.Fprintln(w, "\n"+wrapped("", "", text))
}
