package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/task"
)

type initOptions struct {
	dir      string
	name     string
	output   string
	labels   []string
	model    string
	metric   string
	atLeast  float64
	examples string
	yes      bool
	force    bool
}

func newInitCommand(s *settings) *cobra.Command {
	var o initOptions
	c := &cobra.Command{
		Use:     "init [DIR]",
		GroupID: "task",
		Short:   "Write a new task: task file, schema and sample examples",
		Long: `Init writes a commented task.yaml, a schema or list of tools where the output form needs one, and twelve sample examples
that are to be replaced with your own. With --examples it reads a file that you have (JSONL, CSV, Parquet or OpenAI chat
fine-tuning JSONL) and finds the input fields, the output form and the labels or schema in it.

In a terminal it asks for what no flag says. It overwrites nothing without --force.`,
		Example: "  rung init\n  rung init tickets --output labels --labels billing,delivery,other --yes\n  rung init tickets --examples tickets.csv --model openai/gpt-4o-mini",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage("rung init takes at most one directory, got %d arguments; see rung init --help", len(args))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			o.dir = "."
			if len(args) == 1 {
				o.dir = args[0]
			}
			return runInit(c.Context(), s, &o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.name, "name", "", "name of the task (default: the directory's)")
	f.StringVar(&o.output, "output", "", "form of an answer: labels, json, text or tools (default: labels, or as in --examples)")
	f.StringSliceVar(&o.labels, "labels", nil, "the labels, for --output labels")
	f.StringVar(&o.model, "model", "", "the model, as provider/name (default: "+defaultModel+")")
	f.StringVar(&o.metric, "metric", "", "the metric that decides (default: what suits the output form)")
	f.Float64Var(&o.atLeast, "at-least", 0, "the value of the metric that is good enough")
	f.StringVar(&o.examples, "examples", "", "a file of examples that you have")
	f.BoolVarP(&o.yes, "yes", "y", false, "ask nothing; take the defaults for what no flag says")
	f.BoolVar(&o.force, "force", false, "overwrite files that are there")
	return c
}

const defaultModel = "local/smollm2-135m"

// outputKinds are the words of --output.
var outputKinds = map[string]rung.OutputKind{"labels": rung.Labels, "json": rung.JSONSchema, "json_schema": rung.JSONSchema, "text": rung.Text, "tools": rung.Tools}

// initPlan is what will be written.
type initPlan struct {
	Name         string
	Kind         rung.OutputKind
	Labels       []string
	Fields       []rung.Field
	Model        string
	Metric       string
	AtLeast      float64
	Examples     string // path in the task file
	Instructions string
	Notes        []string

	schema []byte
	sample bool // the examples are ours
	set    *sampleSet
}

// initResult is the command's document.
type initResult struct {
	Task  string   `json:"task"`
	Files []string `json:"files"`
	Notes []string `json:"notes,omitempty"`
	Next  string   `json:"next"`
}

func runInit(ctx context.Context, s *settings, o *initOptions) error {
	plan, err := o.plan(ctx)
	if err != nil {
		return err
	}
	if f, ok := s.In.(*os.File); ok && !o.yes && !s.json && isatty.IsTerminal(f.Fd()) {
		if err := askPlan(ctx, s, o, plan); err != nil {
			return err
		}
	}
	if err := plan.fill(o); err != nil {
		return err
	}
	files, err := plan.write(o)
	if err != nil {
		return err
	}
	res := initResult{Task: plan.Name, Files: files, Notes: plan.Notes, Next: "rung check " + files[0]}
	if s.json {
		return s.printJSON(res)
	}
	for _, file := range files {
		fmt.Fprintf(s.Out, "wrote %s\n", file)
	}
	for _, note := range plan.Notes {
		fmt.Fprintln(s.Out, wrapped("note: ", "      ", note))
	}
	fmt.Fprintf(s.Out, "next: %s\n", res.Next)
	return nil
}

// plan makes a plan of the flags and of the file of examples.
func (o *initOptions) plan(ctx context.Context) (*initPlan, error) {
	p := &initPlan{Name: o.name, Model: o.model, Metric: o.metric, AtLeast: o.atLeast}
	if o.output != "" {
		kind, ok := outputKinds[o.output]
		if !ok {
			return nil, usage("there is no output form %q; use labels, json, text or tools", o.output)
		}
		p.Kind = kind
	}
	if len(o.labels) > 0 {
		if p.Kind != "" && p.Kind != rung.Labels {
			return nil, usage("--labels is for --output labels")
		}
		p.Kind, p.Labels = rung.Labels, trimmed(o.labels)
	}
	if o.examples != "" {
		if err := p.infer(ctx, o); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func trimmed(list []string) []string {
	var out []string
	for _, s := range list {
		if s = strings.TrimSpace(s); s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

var notInName = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// fill puts defaults where neither flags, nor the file, nor the answers said anything, and checks the whole.
func (p *initPlan) fill(o *initOptions) error {
	if p.Name == "" {
		if abs, err := filepath.Abs(o.dir); err == nil {
			p.Name = strings.Trim(notInName.ReplaceAllString(filepath.Base(abs), "-"), "-._")
		}
	}
	if p.Name == "" {
		p.Name = "my-task"
	}
	if p.Kind == "" {
		p.Kind = rung.Labels
	}
	if p.Model == "" {
		p.Model = defaultModel
	}
	if o.examples == "" {
		p.samples()
	}
	if p.Kind == rung.Labels && len(p.Labels) < 2 {
		return usage("--output labels needs at least two labels; name them with --labels a,b")
	}
	if p.Metric == "" {
		p.Metric = map[rung.OutputKind]string{rung.Labels: "accuracy", rung.JSONSchema: "field_f1", rung.Text: "token_f1", rung.Tools: "exact_match"}[p.Kind]
	}
	m, ok := task.Standard(p.Metric)
	if !ok || !slices.Contains(m.Forms, p.Kind) || p.Metric == "regex" || p.Metric == "cel" {
		return usage("the metric %q does not suit the output form %s", p.Metric, p.Kind)
	}
	if p.AtLeast == 0 {
		p.AtLeast = defaultBar(m)
	}
	if p.AtLeast < 0 || p.AtLeast > m.Max {
		return usage("--at-least is %g; %s lies between 0 and %g", p.AtLeast, p.Metric, m.Max)
	}
	if !regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*/\S+$`).MatchString(p.Model) {
		return usage("%q is not the name of a model; write provider/name, such as %s", p.Model, defaultModel)
	}
	if notInName.MatchString(p.Name) {
		return usage("the name %q cannot be a file name; use letters, digits, - and _", p.Name)
	}
	return nil
}

func defaultBar(m task.Metric) float64 {
	switch {
	case m.Max == 100:
		return 30
	case m.PassFail:
		return .9
	case m.Name == "field_f1" || m.Name == "slot_f1":
		return .85
	}
	return .5
}

// write writes the files, the task file first in the result, or none of them.
func (p *initPlan) write(o *initOptions) ([]string, error) {
	type file struct {
		name string
		body []byte
	}
	files := []file{{"task.yaml", p.taskFile()}}
	if p.schema != nil {
		name := "schema.json"
		if p.Kind == rung.Tools {
			name = "tools.json"
		}
		files = append(files, file{name, p.schema})
	}
	if p.sample {
		files = append(files, file{"examples.jsonl", p.set.lines()})
	}
	paths := make([]string, len(files))
	var there []string
	for i, f := range files {
		paths[i] = filepath.Join(o.dir, f.name)
		if _, err := os.Lstat(paths[i]); err == nil && !o.force {
			there = append(there, paths[i])
		}
	}
	if len(there) > 0 {
		return nil, &rung.Error{Code: rung.CodeUsage, What: "there is already " + strings.Join(there, " and "), Do: "use another directory (rung init DIR), or --force to overwrite"}
	}
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return nil, writeError(o.dir, err)
	}
	for i, f := range files {
		if err := os.WriteFile(paths[i], f.body, 0o644); err != nil {
			return nil, writeError(paths[i], err)
		}
	}
	return paths, nil
}

func writeError(path string, err error) error {
	return &rung.Error{Code: rung.CodeStore, Place: path, What: "cannot be written: " + err.Error(), Do: "check the directory's rights and the disk", Err: err}
}

// lines are the samples as JSONL.
func (set *sampleSet) lines() []byte {
	var b bytes.Buffer
	for i, row := range set.rows {
		fmt.Fprintf(&b, `{"id": "sample-%d", "segment": %q, "input": %s, "output": %s}`+"\n", i+1, sampleSegment, row.input, row.output)
	}
	return b.Bytes()
}
