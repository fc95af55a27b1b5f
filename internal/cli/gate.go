package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/report"
)

type gateCommand struct {
	evalOptions
	subject     string
	baseline    string
	write       bool
	bar         bool
	full        bool
	margin      float64
	junit       string
	markdown    string
	annotations bool
	tolerant    bool
}

func newGateCommand(s *settings) *cobra.Command {
	var o gateCommand
	c := &cobra.Command{
		Use:     "gate TASK.yaml SUBJECT",
		GroupID: "climb",
		Short:   "Hold a change to the bar and to a committed baseline, for CI",
		Long: `Gate evaluates a subject and holds it to the task's bar or, with --baseline, to the scores of an earlier evaluation, paired example
by example: it passes when the deciding metric is shown not to have fallen by more than --margin, fails when it is shown to
have fallen and not to be within the margin, and is inconclusive otherwise. --write writes the baseline instead: a file with
scores and without texts, made to be committed. No store is needed for the comparison. The subject is named as for rung eval;
"baseline" is the candidate that the baseline holds, which finds out whether the model underneath still answers as it did.

Exit status: 0 pass; 9 fail; 10 inconclusive; others as for every command (rung --help).`,
		Example: "  rung gate task.yaml latest:prompt --baseline rung-baseline.json --write\n  rung gate task.yaml build:prompt --baseline rung-baseline.json --junit gate.xml --annotations\n  rung gate task.yaml tickets@candidate",
		Args:    exactArgs(2, "a task file and a subject"),
		RunE: func(c *cobra.Command, args []string) error {
			o.task, o.subject = args[0], args[1]
			return o.run(c, s)
		},
	}
	o.flags(c)
	f := c.Flags()
	f.StringVar(&o.baseline, "baseline", "", "baseline file to compare with")
	f.BoolVar(&o.write, "write", false, "write the baseline file instead of comparing with it")
	f.BoolVar(&o.bar, "bar", false, "with a baseline, hold it to the bar as well")
	f.BoolVar(&o.full, "full", false, "without a baseline: ask every example, also when the verdict is clear")
	f.Float64Var(&o.margin, "margin", 0, "how much worse than the baseline will do (default: the bar's min_gain for the bar's metric, 0 for another)")
	f.StringVar(&o.junit, "junit", "", "file to write JUnit XML to")
	f.StringVar(&o.markdown, "markdown", "", "file to write Markdown to")
	f.BoolVar(&o.annotations, "annotations", false, "print GitHub annotations too")
	f.BoolVar(&o.tolerant, "allow-inconclusive", false, "exit with 0 when nothing is settled")
	return c
}

func (o *gateCommand) run(c *cobra.Command, s *settings) error {
	if o.write && o.baseline == "" {
		return usage("--write needs --baseline FILE")
	}
	if o.margin < 0 {
		return usage("--margin cannot be negative")
	}
	var base *rung.Baseline
	if o.baseline != "" && !o.write {
		var err error
		if base, err = app.ReadBaseline(o.baseline); err != nil {
			return err
		}
	}
	p, ctx, done, err := o.open(c, s)
	if err != nil {
		return err
	}
	if !c.Flags().Changed("margin") && (o.metric == "" || o.metric == p.Task.Bar.Metric) {
		o.margin = p.Task.Bar.MinGain // in the unit of the bar's metric
	}
	result, err := o.gate(ctx, p, base)
	err = errors.Join(err, p.Close())
	done()
	if err != nil {
		return err
	}
	if o.write {
		return s.printBaseline(o.baseline, result)
	}
	if err := o.print(s, result); err != nil {
		return err
	}
	return o.outcome(result)
}

func (o *gateCommand) gate(ctx context.Context, p *app.Project, base *rung.Baseline) (*rung.GateResult, error) {
	if o.metric != "" && o.metric != p.Task.Bar.Metric && (o.baseline == "" || o.bar) {
		return nil, usage("the bar says nothing about %s: hold it to a baseline alone, with --baseline FILE and without --bar", o.metric)
	}
	if err := p.JudgesReady(); err != nil {
		return nil, err
	}
	suite, err := p.Suite(ctx, o.suite)
	if err != nil {
		return nil, err
	}
	sub, err := o.find(ctx, p, base)
	if err != nil {
		return nil, err
	}
	e, err := p.Evaluate(ctx, sub, suite, app.EvalOptions{Full: o.full || o.baseline != "", Metric: o.metric, Version: Version})
	if err != nil {
		return nil, err
	}
	if o.write {
		b, err := p.NewBaseline(ctx, e, sub.Candidate)
		if err != nil {
			return nil, err
		}
		return &rung.GateResult{Evaluation: *e.Doc, Verdict: e.Doc.Verdict}, writeBaseline(o.baseline, b)
	}
	return p.Gate(ctx, e, app.GateOptions{Baseline: base, Margin: o.margin, Bar: o.bar, Version: Version})
}

// find is the subject: as for rung eval, or the candidate of the baseline.
func (o *gateCommand) find(ctx context.Context, p *app.Project, base *rung.Baseline) (*app.Subject, error) {
	if o.subject != "baseline" {
		return p.Subject(ctx, o.subject)
	}
	switch {
	case base == nil:
		return nil, usage("the subject baseline needs --baseline FILE")
	case base.Candidate == nil:
		return nil, usage("the baseline holds no candidate; name a subject")
	case base.Evaluation.Subject.URL != "":
		return p.Subject(ctx, base.Evaluation.Subject.Ref)
	}
	return p.CandidateSubject(ctx, base.Candidate, "baseline")
}

func writeBaseline(path string, b *rung.Baseline) error {
	t := target{format: "baseline", path: path}
	return t.write(nil, func(w io.Writer) error {
		// One example a line, so that a change of the file shows what changed.
		rows := b.Examples
		b.Examples = nil
		head, err := json.Marshal(b)
		b.Examples = rows
		if err != nil {
			return err
		}
		const empty = `"examples":null}`
		if _, err := fmt.Fprintf(w, "%s\"examples\":[", head[:len(head)-len(empty)]); err != nil {
			return err
		}
		for i := range rows {
			row, err := json.Marshal(&rows[i])
			if err != nil {
				return err
			}
			sep := ",\n"
			if i == 0 {
				sep = "\n"
			}
			if _, err := fmt.Fprintf(w, "%s%s", sep, row); err != nil {
				return err
			}
		}
		_, err = io.WriteString(w, "\n]}\n")
		return err
	})
}

// baselineWritten is what rung gate --write --json prints.
type baselineWritten struct {
	File       string          `json:"file"`
	Evaluation rung.Evaluation `json:"evaluation"`
}

func (s *settings) printBaseline(path string, r *rung.GateResult) error {
	if s.json {
		return s.printJSON(baselineWritten{path, r.Evaluation})
	}
	_, err := fmt.Fprintln(s.Out, path)
	return err
}

func (o *gateCommand) print(s *settings, r *rung.GateResult) error {
	files := []struct {
		path string
		fill func(io.Writer) error
	}{
		{o.junit, func(w io.Writer) error { return report.JUnit(w, r, o.tolerant) }},
		{o.markdown, func(w io.Writer) error { return report.GateMarkdown(w, r) }},
	}
	for _, f := range files {
		if f.path == "" {
			continue
		}
		if err := (target{path: f.path}).write(s.Out, f.fill); err != nil {
			return err
		}
	}
	if s.json {
		return s.printJSON(r)
	}
	width, color := report.Look(s.Out)
	if err := report.Gate(s.Out, r, width, color); err != nil {
		return err
	}
	if o.annotations {
		return report.Annotations(s.Out, r)
	}
	return nil
}

// outcome is the exit status: what CI goes by.
func (o *gateCommand) outcome(r *rung.GateResult) error {
	var reasons string
	for _, c := range r.Checks {
		if c.Verdict == r.Verdict {
			reasons = c.Name
			break
		}
	}
	switch {
	case r.Verdict == rung.Fail:
		return &rung.Error{Code: rung.CodeFailed, What: "the gate is closed: " + reasons, Do: "read the mistakes with rung compare, or write the baseline anew where the change is wanted"}
	case r.Verdict != rung.Pass && !o.tolerant:
		return &rung.Error{Code: rung.CodeUnsettled, What: "the gate cannot say: " + reasons, Do: "add examples, widen --margin, or pass --allow-inconclusive"}
	}
	return nil
}
