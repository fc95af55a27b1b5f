package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/data"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/model/anthropic"
	"github.com/rung-dev/rung/internal/model/openai"
	"github.com/rung-dev/rung/internal/stats"
	"github.com/rung-dev/rung/internal/task"
)

func newCheckCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:     "check TASK.yaml",
		GroupID: "task",
		Short:   "Check a task with its files, and say what its examples can show",
		Long: `Check reads the task file, its schema, examples and documents, and lists everything that is wrong with file and line. It
calls no model. It reports the data: counts by split and label, lengths, duplicates, contradictions, and which differences the
held-out examples are enough to see.

Exit status 2 when something is wrong, 0 when there are warnings only.`,
		Example: "  rung check task.yaml\n  rung check task.yaml --json",
		Args:    exactArgs(1, "one task file"),
		RunE: func(c *cobra.Command, args []string) error {
			report, err := runCheck(c.Context(), args[0])
			if err != nil {
				return err
			}
			return printCheck(s, report)
		},
	}
}

func printCheck(s *settings, report *checkReport) error {
	if s.json {
		if err := s.printJSON(report); err != nil {
			return err
		}
		return report.faults.Or()
	}
	if report.Name != "" {
		report.print(s.Out)
	}
	return report.faults.Or()
}

// checkReport is what rung check found; its JSON is the command's document.
type checkReport struct {
	File     string       `json:"file"`
	Name     string       `json:"task,omitempty"`
	OK       bool         `json:"ok"`
	Errors   []checkItem  `json:"errors"`
	Warnings []string     `json:"warnings"`
	Data     *checkData   `json:"data,omitempty"`
	Power    *checkPower  `json:"power,omitempty"`
	Judges   []checkJudge `json:"judges,omitempty"`
	Terms    *checkTerms  `json:"terms,omitempty"`

	task   *rung.Task
	faults rung.Errors
	summed bool // the bar's metric is a figure of summed counts
}

type checkItem struct {
	Place string `json:"place"`
	What  string `json:"what"`
	Do    string `json:"do"`
}

// checkData describes the examples and documents.
type checkData struct {
	Rows           int                  `json:"rows"`
	Broken         int                  `json:"break_output_form"`
	Train          int                  `json:"train"`
	Dev            int                  `json:"dev"`
	Heldout        int                  `json:"heldout"`
	LeftOut        int                  `json:"left_out"`
	Clusters       int                  `json:"heldout_clusters"`
	HeldoutDigest  rung.Digest          `json:"heldout_digest"`
	Labels         []data.LabelCount    `json:"labels,omitempty"`
	Input          data.Lengths         `json:"input_tokens_estimated"`
	Output         data.Lengths         `json:"output_tokens_estimated"`
	Duplicates     data.Duplicates      `json:"duplicates"`
	Contradictions []data.Contradiction `json:"contradictions,omitempty"`
	Contradicting  int                  `json:"contradicting"`
	Documents      int                  `json:"documents"`
	DocumentBytes  int64                `json:"document_bytes"`
}

// runCheck finds everything that can be found without calling a model. Its error is for what stops the check itself.
func runCheck(ctx context.Context, path string) (*checkReport, error) {
	r := &checkReport{File: path, Errors: []checkItem{}, Warnings: []string{}}
	f, err := task.Open(path)
	if err != nil {
		r.fail(err)
		return r, nil
	}
	r.task, r.Name = f.Task, f.Task.Name
	output, err := form.New(f.Task.Output)
	if err != nil {
		r.fail(f.Fault("output", plainWhat(err), "correct it"))
		return r, nil
	}
	passFail := r.metrics(f, output)
	if err := r.ownMetrics(ctx, f.Task, output); err != nil {
		return nil, err
	}
	r.models(f)
	if err := r.data(ctx, output); err != nil {
		return nil, err
	}
	if r.Data != nil {
		r.Power = powerOf(f.Task, r.Data, passFail)
		if n := r.Data.Clusters; r.summed && n < stats.EnoughForAsymptotics {
			r.Warnings = append(r.Warnings, fmt.Sprintf("%s is a figure of summed counts: while a rung is being asked it is shown to pass or fail from %d independent examples on, and there are %d held out; a rung can be given up early, and that is all that stopping will save",
				f.Task.Bar.Metric, stats.EnoughForAsymptotics, n))
		}
		r.Judges = judgeCosts(f.Task, r.Data)
		r.Warnings = append(r.Warnings, r.Power.warnings(f.Task)...)
	}
	if err := r.terms(); err != nil {
		return nil, err
	}
	r.OK = len(r.faults) == 0
	return r, nil
}

// plainWhat is the sentence of an error without its place.
func plainWhat(err error) string {
	var e *rung.Error
	if errors.As(err, &e) {
		return e.What
	}
	return err.Error()
}

// fail adds an error, or several.
func (r *checkReport) fail(err error) {
	var all rung.Errors
	if !errors.As(err, &all) {
		var one *rung.Error
		if !errors.As(err, &one) {
			one = &rung.Error{Code: rung.CodeInput, Place: r.File, What: err.Error(), Err: err}
		}
		all = rung.Errors{one}
	}
	for _, e := range all {
		r.faults = append(r.faults, e)
		r.Errors = append(r.Errors, checkItem{e.Place, e.What, e.Do})
	}
}

// metrics compiles the metrics, and reports whether the bar's is pass/fail.
func (r *checkReport) metrics(f *task.File, output *form.Form) (passFail bool) {
	g, err := app.Grader(f, output)
	if err != nil {
		r.fail(err)
		standard, _ := task.Standard(f.Task.Bar.Metric)
		return standard.PassFail
	}
	passFail, _ = g.PassFail(f.Task.Bar.Metric)
	r.summed = g.Summed(f.Task.Bar.Metric)
	return passFail
}

// models warns of keys that are missing here; the climb may run elsewhere.
func (r *checkReport) models(f *task.File) {
	refs := slices.Concat(f.Task.Models, app.JudgeModels(f.Task))
	if f.Task.Embedder != "" && !slices.Contains(refs, f.Task.Embedder) {
		refs = append(refs, f.Task.Embedder)
	}
	for i, ref := range refs {
		if slices.Contains(refs[:i], ref) {
			continue
		}
		if err := modelReady(ref); err != nil {
			var e *rung.Error
			if !errors.As(err, &e) {
				e = &rung.Error{What: err.Error()}
			}
			r.Warnings = append(r.Warnings, fmt.Sprintf("%s: %s; %s", ref, e.What, e.Do))
		}
	}
}

// modelReady asks a provider whether it could make a call, without making one. The local engine is rung doctor's business.
func modelReady(ref rung.ModelRef) error {
	switch ref.Provider() {
	case "local":
		return nil
	case "anthropic":
		p, err := anthropic.New(anthropic.Config{})
		if err != nil {
			return err
		}
		return p.Ready(ref)
	}
	p, err := openai.New(openai.Config{Name: ref.Provider()})
	if err != nil {
		return err
	}
	return p.Ready(ref)
}

// data imports and splits, and describes what is usable even when some rows are not.
func (r *checkReport) data(ctx context.Context, output *form.Form) error {
	im, err := data.Import(ctx, r.task, output)
	if err != nil {
		return err
	}
	if len(im.Faults) > 0 {
		r.fail(im.Faults)
	}
	if len(im.Examples) == 0 {
		return nil
	}
	rows, broken := im.Rows, im.Broken
	d, err := data.Freeze(ctx, r.task, im)
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		r.fail(err)
		return nil
	}
	r.Data = describeData(r.task, d)
	r.Data.Rows, r.Data.Broken = rows, broken
	r.Warnings = append(r.Warnings, sampleWarning(d)...)
	r.Warnings = append(r.Warnings, d.Notes...)
	r.Warnings = append(r.Warnings, labelWarnings(r.task, r.Data)...)
	return nil
}

func describeData(t *rung.Task, d *data.Dataset) *checkData {
	out := &checkData{
		Train: len(d.Building.Train), Dev: len(d.Building.Dev), Heldout: d.Heldout.Len(), LeftOut: d.LeftOut,
		Clusters: d.HeldoutClusters(), HeldoutDigest: d.Heldout.Digest(), Duplicates: d.Duplicates,
		Contradictions: d.Contradictions, Contradicting: d.Contradicting, Documents: len(t.Documents),
	}
	if t.Output.Kind == rung.Labels {
		out.Labels = d.Labels(t.Output.Labels)
	}
	out.Input, out.Output = d.Lengths()
	for _, path := range t.Documents {
		if info, err := os.Stat(path); err == nil {
			out.DocumentBytes += info.Size()
		}
	}
	return out
}

// sampleWarning says that the examples of rung init are still there.
func sampleWarning(d *data.Dataset) []string {
	n := 0
	d.EachSplit(func(_ rung.Split, e *rung.Example) {
		if e.Segment == sampleSegment {
			n++
		}
	})
	if n == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s written by rung init: replace them with your own", map[bool]string{true: "1 example was", false: fmt.Sprintf("%d examples were", n)}[n == 1])}
}

// labelWarnings are about labels that cannot be learned or measured, and bars that a constant answer meets.
func labelWarnings(t *rung.Task, d *checkData) []string {
	var untaught, unseen []string
	most := data.LabelCount{}
	for _, l := range d.Labels {
		if l.Train == 0 {
			untaught = append(untaught, l.Label)
		}
		if l.Heldout == 0 {
			unseen = append(unseen, l.Label)
		}
		if l.Heldout > most.Heldout {
			most = l
		}
	}
	var out []string
	if len(untaught) > 0 {
		out = append(out, "no train example has "+labelList(untaught)+": demonstrations and adapters cannot show it")
	}
	if len(unseen) > 0 {
		out = append(out, "no held-out example has "+labelList(unseen)+": the figures say nothing about it")
	}
	if share := float64(most.Heldout) / float64(max(1, d.Heldout)); t.Bar.Metric == "accuracy" && share >= t.Bar.AtLeast && d.Heldout >= fewForPower {
		out = append(out, fmt.Sprintf("always answering %q scores %s on the held-out examples, which meets the bar of %s: raise the bar, or use macro_f1", most.Label, fraction(share), fraction(t.Bar.AtLeast)))
	}
	return out
}

func labelList(labels []string) string {
	if len(labels) == 1 {
		return fmt.Sprintf("the label %q", labels[0])
	}
	if len(labels) > 5 {
		return fmt.Sprintf("%d of the labels (%q, %q, …)", len(labels), labels[0], labels[1])
	}
	out := "the labels "
	for i, l := range labels {
		if i > 0 {
			out += ", "
		}
		out += fmt.Sprintf("%q", l)
	}
	return out
}
