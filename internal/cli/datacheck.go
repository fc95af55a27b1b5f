package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/datacheck"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/formats"
	"github.com/rung-dev/rung/internal/task"
)

type dataCheckOptions struct {
	readFlags
	files    []string
	task     string
	near     float64
	tokens   int
	examples int
	failOn   string
	all      bool
}

func newDataCheckCommand(s *settings) *cobra.Command {
	var o dataCheckOptions
	c := &cobra.Command{
		Use:   "check FILE|FOLDER…",
		Short: "Look at rows before anybody trains on them",
		Long: `Check reads rows of any format that rung data convert reads, found in the same way, and says what they hold and what is wrong with them, the
worst first, each finding with how many rows, how they were counted, examples with their place, and what to do. It looks at fields and their types, ids, the output form (with --task),
empty and cut answers, lengths, languages, labels, constants, words and fields that give the label away, near-equal inputs answered otherwise,
leaks between splits (rows name their split, or their file does: train.jsonl, test.jsonl), and whether there are enough of them.

docs/data-check.md has the rules with their measured precision and recall. Nothing is changed; rung data build takes rows out.

Exit status 0; with --fail-on warn or --fail-on error 9 when there is such a finding or a worse one.`,
		Example: "  rung data check train.jsonl test.jsonl --task task.yaml\n  rung data check raw.csv --fail-on error --json",
		Args:    someFiles,
		RunE: func(c *cobra.Command, args []string) error {
			o.files = args
			return o.run(c.Context(), s)
		},
	}
	f := c.Flags()
	f.StringVar(&o.task, "task", "", "task file whose fields, output form and bar the rows are held to")
	f.Float64Var(&o.near, "near", datacheck.DefaultNear, "similarity from which inputs are near-equal, .4 to 1; 0 looks for none")
	f.IntVar(&o.tokens, "max-tokens", 0, "estimated tokens that input and output may have together (0: no limit)")
	f.IntVar(&o.examples, "examples", 3, "examples of each finding")
	f.StringVar(&o.failOn, "fail-on", "", "end with status 9 on findings of this severity or worse: warn or error")
	o.add(f)
	f.BoolVar(&o.all, "all", false, "show notes with their examples too, and the checks that found nothing")
	return c
}

// checkDocument is what rung data check --json prints.
type checkDocument struct {
	Files []formats.FileReport `json:"files"`
	*datacheck.Report
}

func (o *dataCheckOptions) run(ctx context.Context, s *settings) error {
	if o.failOn != "" && o.failOn != string(datacheck.Warn) && o.failOn != string(datacheck.Bad) {
		return usage("--fail-on is warn or error, it is %q", o.failOn)
	}
	opt := datacheck.Options{Near: o.near, MaxTokens: o.tokens, Examples: o.examples}
	if o.near == 0 {
		opt.Near = -1
	}
	if err := o.forTask(&opt); err != nil {
		return err
	}
	read, err := o.options()
	if err != nil {
		return err
	}
	read.OwnIDs = true // ids that were made of equal rows would be called ids that rows share
	if opt.Task != nil {
		read.Fields = fieldNames(opt.Task)
	}
	var found *formats.Report
	report, err := datacheck.Check(ctx, func(ctx context.Context, take func(*rung.DatasetRow, rung.Origin) error, broken func(rung.RemovedRow) error) (err error) {
		found, err = formats.Read(ctx, o.files, read, take, broken)
		return err
	}, opt)
	if err != nil {
		return err
	}
	if s.json {
		err = s.printJSON(checkDocument{found.Files, report})
	} else {
		printDataCheck(s.Out, report, found.Files, o.all)
	}
	if err == nil && o.failOn != "" && report.Reaches(datacheck.Severity(o.failOn)) {
		return &rung.Error{Code: rung.CodeFailed, Place: strings.Join(o.files, ", "), What: fmt.Sprintf("the rows have findings of severity %s or worse: %s", o.failOn, severities(report.Counts)), Do: "correct them, worst first"}
	}
	return err
}

// forTask fills in what a task says.
func (o *dataCheckOptions) forTask(opt *datacheck.Options) error {
	if o.task == "" {
		return nil
	}
	f, err := task.Open(o.task)
	if err != nil {
		return err
	}
	if opt.Form, err = form.New(f.Task.Output); err != nil {
		return err
	}
	opt.Task, opt.Rungs = f.Task, max(1, len(applicable(f.Task)))
	if g, err := app.Grader(f, opt.Form); err == nil {
		opt.PassFail, _ = g.PassFail(f.Task.Bar.Metric)
	}
	return nil
}

func severities(counts map[datacheck.Severity]int) string {
	var parts []string
	for _, s := range []datacheck.Severity{datacheck.Bad, datacheck.Warn, datacheck.Note} {
		if n := counts[s]; n > 0 {
			word := map[datacheck.Severity]string{datacheck.Bad: "error", datacheck.Warn: "warning", datacheck.Note: "note"}[s]
			parts = append(parts, counted(n, word))
		}
	}
	if len(parts) == 0 {
		return "no findings"
	}
	return strings.Join(parts, ", ")
}
