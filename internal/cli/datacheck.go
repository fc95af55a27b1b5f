package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/datacheck"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/task"
)

type dataCheckOptions struct {
	files    []string
	task     string
	input    []string
	output   string
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
		Long: `Check reads rows of any format and says what they hold and what is wrong with them, the worst first, each finding with how many rows,
how they were counted, examples with their place, and what to do. It looks at fields and their types, ids, the output form (with --task),
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
	f.StringSliceVar(&o.input, "input", nil, "fields of the input, of rows that have no input of their own (default: those of the task, or all keys that are nothing else)")
	f.StringVar(&o.output, "output", "", "key of the output, of such rows (default: output, label, answer, completion, response, target or gold)")
	f.Float64Var(&o.near, "near", datacheck.DefaultNear, "similarity from which inputs are near-equal, .4 to 1; 0 looks for none")
	f.IntVar(&o.tokens, "max-tokens", 0, "estimated tokens that input and output may have together (0: no limit)")
	f.IntVar(&o.examples, "examples", 3, "examples of each finding")
	f.StringVar(&o.failOn, "fail-on", "", "end with status 9 on findings of this severity or worse: warn or error")
	f.BoolVar(&o.all, "all", false, "show notes with their examples too, and the checks that found nothing")
	return c
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
	files, err := dataFiles(o.files)
	if err != nil {
		return err
	}
	keys := rowKeys{input: o.input, output: o.output}
	if opt.Task != nil && len(o.input) == 0 {
		keys.input = fieldNames(opt.Task)
	}
	report, err := datacheck.Check(ctx, func(ctx context.Context, take func(*rung.DatasetRow, rung.Origin) error, broken func(rung.RemovedRow) error) error {
		return keys.files(ctx, files, take, broken)
	}, opt)
	if err != nil {
		return err
	}
	if s.json {
		err = s.printJSON(report)
	} else {
		printDataCheck(s.Out, report, files, o.all)
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

func fieldNames(t *rung.Task) []string {
	var names []string
	for _, f := range t.Input {
		names = append(names, f.Name)
	}
	return names
}

// datasetFiles are files of a dataset's folder that hold no rows of its splits.
var datasetFiles = []string{"dataset.json", "removed.jsonl", "origins.jsonl", "split.json"}

// dataFiles are the files to read: of a folder, those that hold rows.
func dataFiles(paths []string) ([]string, error) {
	var out []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil || !info.IsDir() {
			out = append(out, path) // a fault of a file is told by its reader
			continue
		}
		entries, err := os.ReadDir(path)
		if err != nil {
			return nil, &rung.Error{Code: rung.CodeInput, Place: path, What: "the folder cannot be read: " + err.Error(), Do: "check its rights", Err: err}
		}
		before := len(out)
		for _, e := range entries {
			name := e.Name()
			if e.Type().IsRegular() && !slices.Contains(datasetFiles, name) && !strings.HasSuffix(name, ".removed.jsonl") &&
				slices.Contains([]string{".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet"}, strings.ToLower(filepath.Ext(name))) {
				out = append(out, filepath.Join(path, name))
			}
		}
		if len(out) == before {
			return nil, &rung.Error{Code: rung.CodeInput, Place: path, What: "the folder holds no data files", Do: "name a folder with .jsonl, .json, .csv, .tsv or .parquet files in it"}
		}
	}
	return out, nil
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
