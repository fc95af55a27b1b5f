package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/generate"
	"github.com/rung-dev/rung/internal/judge"
	"github.com/rung-dev/rung/internal/label"
	"github.com/rung-dev/rung/internal/modes"
	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/rows"
)

type generateOptions struct {
	task, out   string
	model       string
	templates   string
	from, suite string
	modes       []string
	n, perCall  int
	shots       int
	temperature float64
	maxTokens   int
	judge       string
	least       int
	copies      float64
	seed        int
	cost        float64
	prices      string
	fresh       bool
}

func newDataGenerateCommand(s *settings) *cobra.Command {
	var o generateOptions
	c := &cobra.Command{
		Use:   "generate TASK",
		Short: "Have a model or templates make rows, seeded by real failures",
		Long: `Generate makes rows that no person wrote: a stronger model (--model) writes them, or templates (--templates FILE) whose slots are
filled from lists or from real rows. With --from SUBJECT they are seeded by that subject's mistakes on dev or train, failure modes in
turns; without it by train examples. Every row is marked as generated, by whom, from which request and which real rows.

Rows that break the task's form, copy a train or dev row, hold a held-out item, repeat each other or fail the judge (--judge MODEL) are
thrown out, each with its reason. The report says how diverse the rest is beside as many real rows. Calls are kept: the same command
pays for nothing twice.

Nothing is trained on until a person has reviewed the batch: rung data review.`,
		Example: "  rung data generate task.yaml --model openai/gpt-4o --n 200 --from rag --suite dev --judge openai/gpt-4o-mini --out made.jsonl\n  rung data generate task.yaml --templates templates.yaml --n 500 --out made.jsonl",
		Args:    exactArgs(1, "a task file"),
		RunE: func(c *cobra.Command, args []string) error {
			o.task = args[0]
			return runDataGenerate(c.Context(), s, &o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.model, "model", "", "model that writes the rows, as provider/name")
	f.StringVar(&o.templates, "templates", "", "YAML file of templates, instead of a model")
	f.IntVar(&o.n, "n", 100, "rows to make; fewer are left")
	f.StringVar(&o.from, "from", "", "subject whose mistakes seed the rows: a rung, RUN:RUNG, an evaluation, a candidate's digest")
	f.StringVar(&o.suite, "suite", "", "of the mistakes: only scores on this suite, such as dev")
	f.StringSliceVar(&o.modes, "mode", nil, "of the mistakes: only those that show this failure mode; may be repeated")
	f.IntVar(&o.perCall, "per-call", 5, "rows that one request asks for")
	f.IntVar(&o.shots, "shots", 3, "real rows that a request shows")
	f.Float64Var(&o.temperature, "temperature", 1, "sampling temperature of the model that writes")
	f.IntVar(&o.maxTokens, "max-tokens", 0, "of one answer (0: 400 for each row)")
	f.StringVar(&o.judge, "judge", "", "model that judges each row, as provider/name")
	f.IntVar(&o.least, "judge-least", 4, "lowest score, 1 to 5, that the judge may give a row on any criterion")
	f.Float64Var(&o.copies, "copy", generate.DefaultCopy, "likeness (Jaccard, character 5-grams) from which on a row copies another")
	f.IntVar(&o.seed, "seed", 1, "seed of requests and slots; another one makes other rows")
	f.Float64Var(&o.cost, "cost", -1, "spend at most this many USD, instead of the task's budget")
	f.StringVar(&o.prices, "prices", "", "price file that overrides the built-in table")
	f.BoolVar(&o.fresh, "fresh", false, "pay for every call again, once")
	f.StringVar(&o.out, "out", "", "write the rows to this file, as JSON lines; removed rows and a report stand beside it")
	return c
}

func (o *generateOptions) check() error {
	switch {
	case (o.model == "") == (o.templates == ""):
		return usage("name a model with --model, or a file with --templates")
	case o.out == "":
		return usage("say with --out FILE where the rows go")
	case o.n < 1 || o.n > 100_000 || o.perCall < 1 || o.perCall > 50 || o.shots < 0 || o.shots > 20:
		return usage("--n lies between 1 and 100,000, --per-call between 1 and 50, --shots between 0 and 20")
	case o.least < 1 || o.least > 5 || !(o.copies > 0 && o.copies <= 1) || !(o.temperature >= 0 && o.temperature <= 2):
		return usage("--judge-least lies between 1 and 5, --copy between 0 and 1, --temperature between 0 and 2")
	case filepath.Ext(o.out) != ".jsonl":
		return usage("--out names a file that ends in .jsonl")
	}
	return nil
}

func runDataGenerate(ctx context.Context, s *settings, o *generateOptions) (err error) {
	if err := o.check(); err != nil {
		return err
	}
	status := report.NewStatus(s.Err, isTerminal(s.Err))
	defer status.Done()
	opt := app.Options{File: o.task, Store: s.store, Prices: o.prices, Fresh: o.fresh, Observe: status}
	if o.cost >= 0 {
		opt.Cost = &o.cost
	}
	p, err := app.Open(ctx, opt)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	train := rowsOfExamples(p.Data.Building.Train)
	g := &generation{settings: s, o: o, p: p, train: train}
	g.progress = func(done, total int) { status.Progress(done, total, p.Door.Counts().SpentUSD) }
	status.Phase("", "rows are made")
	drafts, err := g.drafts(ctx)
	if err != nil {
		return err
	}
	filter := &generate.Filter{Real: slices.Concat(train, rowsOfExamples(p.Data.Building.Dev)), Heldout: p.Data.Heldout.Examples(), Copy: o.copies, Least: (float64(o.least) - 1) / 4}
	filter.Progress = g.progress
	if filter.Judge, filter.Workers, err = g.judge(ctx); err != nil {
		return err
	}
	status.Phase("", "rows are judged")
	batch, err := filter.Run(ctx, drafts)
	status.Done()
	if err != nil {
		return err
	}
	r := &batch.Report
	counts := p.Door.Counts()
	r.Task, r.By, r.Asked, r.Judge, r.CostUSD = p.Task.Name, cmp.Or(o.model, "template"), o.n, rung.ModelRef(o.judge), counts.SpentUSD
	r.Calls = rung.Calls{Made: counts.Made, Cached: counts.Cached, Failed: counts.Failed}
	r.Notes = append(r.Notes, g.notes...)
	if err := writeBatch(batch, o.out); err != nil {
		return err
	}
	if s.json {
		return s.printJSON(r)
	}
	width, _ := report.Look(s.Out)
	_, err = fmt.Fprint(s.Out, generatedText(r, o.task, width))
	return err
}

// generation is one while it is made.
type generation struct {
	*settings
	o        *generateOptions
	p        *app.Project
	train    []rung.DatasetRow
	notes    []string
	progress func(done, total int)
}

func (g *generation) drafts(ctx context.Context) ([]generate.Draft, error) {
	t, o := g.p.Task, g.o
	if o.templates != "" {
		content, err := readText(o.templates)
		if err != nil {
			return nil, err
		}
		templates, err := generate.ReadTemplates(o.templates, []byte(content), t.Input)
		if err != nil {
			return nil, err
		}
		return templates.Fill(o.n, g.train, t.Input, g.p.Form, uint64(o.seed))
	}
	asked, err := g.p.Asking(ctx, rung.ModelRef(o.model))
	if err != nil {
		return nil, err
	}
	seeds, err := g.seeds(ctx)
	if err != nil {
		return nil, err
	}
	w := &generate.Writer{Door: g.p.Door, Model: asked.Model, Weights: asked.Weights, Can: asked.Can, Instructions: t.Instructions, Fields: t.Input, Output: t.Output, Form: g.p.Form,
		PerCall: o.perCall, Progress: g.progress, Temperature: o.temperature, MaxTokens: cmp.Or(o.maxTokens, 400*o.perCall)}
	return w.Write(ctx, seeds, o.n, o.seed)
}

// mostSeeds are made of one subject's mistakes or of train.
const mostSeeds = 500

func (g *generation) seeds(ctx context.Context) ([]generate.Seed, error) {
	if g.o.from != "" {
		return g.failures(ctx)
	}
	if len(g.o.modes) > 0 {
		return nil, usage("--mode chooses among mistakes; name a subject with --from")
	}
	var out []generate.Seed
	for i := range min(mostSeeds, max(len(g.train), 1)) {
		out = append(out, generate.Seed{Rows: generate.Shots(g.train, g.o.shots, uint64(g.o.seed), i)})
	}
	return out, nil
}

// failures are a subject's mistakes by failure mode, modes in turns, what people confirmed before what is only proposed.
func (g *generation) failures(ctx context.Context) ([]generate.Seed, error) {
	scored, err := app.FindScored(ctx, g.p.Store, g.p.Task.Name, g.o.from, g.o.suite)
	if err != nil {
		return nil, err
	}
	b, err := app.OpenBoard(ctx, g.p.Store, g.p.Grader, scored, g.p.Task.Name)
	if err != nil {
		return nil, err
	}
	if _, err := b.MistakeRows(); err != nil { // held-out
		return nil, err
	}
	byID, means := mistakesByID(b), map[string]string{}
	for _, m := range b.Taxonomy {
		means[m.Name] = m.Means
	}
	byMode := map[string][]generate.Seed{}
	at := 0
	add := func(mode string, m *modes.Mistake) {
		if len(g.o.modes) > 0 && !slices.Contains(g.o.modes, mode) {
			return
		}
		seed := generate.Seed{Mode: mode, Means: means[mode], Wrong: m.Answer(), Rows: []rung.DatasetRow{rowsOfExamples([]rung.Example{m.Example})[0]}}
		seed.Rows = append(seed.Rows, generate.Shots(g.train, max(g.o.shots-1, 0), uint64(g.o.seed), at)...)
		at++
		byMode[mode] = append(byMode[mode], seed)
	}
	named := map[string]bool{}
	for _, st := range b.Standing() {
		if st.Status != rung.ModeRejected && byID[st.Example] != nil && len(byMode[st.Mode]) < mostSeeds {
			named[st.Example] = true
			add(st.Mode, byID[st.Example])
		}
	}
	for i := range b.Mistakes {
		if !named[b.Mistakes[i].Example.ID] && len(byMode[""]) < mostSeeds {
			add("", &b.Mistakes[i])
		}
	}
	out := generate.InTurns(byMode)
	if len(out) == 0 {
		return nil, &rung.Error{Code: rung.CodeInput, Place: b.Name, What: "it made no mistake there that shows these failure modes", Do: "see rung modes show"}
	}
	g.notes = append(g.notes, fmt.Sprintf("Seeded by %s of %s.", many(len(out), "mistake"), b.Name))
	return out, nil
}

// generatedCriteria are what a judge holds generated rows to.
var generatedCriteria = []rung.Criterion{
	{Name: "right", Question: "Is the answer right for the input, by the task's own instructions?", Anchors: map[int]string{1: "wrong", 3: "partly right", 5: "right and complete"}},
	{Name: "real", Question: "Is the input one that a real user of this task would send?", Anchors: map[int]string{1: "nobody would", 3: "stilted", 5: "just like a real one"}},
}

func (g *generation) judge(ctx context.Context) (*judge.Judge, int, error) {
	if g.o.judge == "" {
		g.notes = append(g.notes, "No judge was asked (--judge MODEL): nothing but form and likeness was checked.")
		return nil, 0, nil
	}
	asked, err := g.p.Asking(ctx, rung.ModelRef(g.o.judge))
	if err != nil {
		return nil, 0, err
	}
	if g.o.judge == g.o.model {
		g.notes = append(g.notes, "The judge is the model that wrote the rows: judges favour their own.")
	}
	j, err := judge.New(judge.Config{Metric: "generated", Spec: rung.JudgeSpec{Model: asked.Model, Criteria: generatedCriteria}, Instructions: g.p.Task.Instructions, Fields: g.p.Task.Input, Door: g.p.Door, Can: asked.Can, Weights: asked.Weights})
	return j, max(1, asked.Can.Concurrency), err
}

// beside is a file next to the rows.
func beside(out, ending string) string { return strings.TrimSuffix(out, ".jsonl") + ending }

// writeBatch writes the rows, the removed ones and the report.
func writeBatch(b *generate.Batch, out string) error {
	lines, err := label.Lines(b.Rows)
	if err != nil {
		return err
	}
	b.Report.File, b.Report.Removed, b.Report.Digest = out, beside(out, ".removed.jsonl"), rung.DigestBytes(lines)
	var removed strings.Builder
	enc := json.NewEncoder(&removed)
	enc.SetEscapeHTML(false)
	for i := range b.Removed {
		if err := enc.Encode(&b.Removed[i]); err != nil {
			return err
		}
	}
	text, err := json.MarshalIndent(&b.Report, "", "  ")
	if err != nil {
		return err
	}
	for path, content := range map[string][]byte{b.Report.Removed: []byte(removed.String()), beside(out, ".report.json"): append(text, '\n'), out: lines} {
		if err := writeLines(path, content); err != nil {
			return err
		}
	}
	return nil
}

// writeLines writes a file of lines that appears whole or not at all.
func writeLines(path string, content []byte) error {
	f, err := rows.Create(path)
	if err != nil {
		return err
	}
	defer f.Abandon()
	for line := range strings.Lines(string(content)) {
		if err := f.Line([]byte(strings.TrimSuffix(line, "\n"))); err != nil {
			return err
		}
	}
	return f.Finish()
}

func generatedText(r *generate.Report, task string, width int) string {
	var t strings.Builder
	paragraph := func(text string) { t.WriteString(strings.Join(report.Paragraph(text, width), "\n") + "\n") }
	paragraph(fmt.Sprintf("%s by %s: %d made of %d asked for, %d kept. None of them may be trained on before a person has reviewed the batch.", many(r.Kept, "row"), r.By, r.Made, r.Asked, r.Kept))
	if len(r.Reasons) > 0 {
		rows := [][]string{{"removed because", "rows"}}
		for _, x := range r.Reasons {
			rows = append(rows, []string{reasonWords[x.Reason], fmt.Sprint(x.Rows)})
		}
		t.WriteString("\n" + strings.Join(report.Columns(rows), "\n") + "\n")
	}
	if len(r.Modes) > 1 || len(r.Modes) == 1 && r.Modes[0].Mode != "" {
		rows := [][]string{{"seeded by failure mode", "made", "kept"}}
		for _, m := range r.Modes {
			rows = append(rows, []string{cmp.Or(m.Mode, "(none named)"), fmt.Sprint(m.Made), fmt.Sprint(m.Kept)})
		}
		t.WriteString("\n" + strings.Join(report.Columns(rows), "\n") + "\n")
	}
	if d := r.Diversity; d != nil {
		t.WriteString("\n" + diversityText(d, width))
	}
	for _, n := range r.Notes {
		t.WriteString("\n")
		paragraph("Note: " + n)
	}
	fmt.Fprintf(&t, "\n%s: %d calls made, %d from the store, %d failed; %.4f USD.\nRemoved rows with their reasons: %s\n", r.File, r.Calls.Made, r.Calls.Cached, r.Calls.Failed, r.CostUSD, r.Removed)
	if r.Kept == 0 {
		paragraph("Nothing is left to review: read what was removed, and name a stronger model, other templates or a lower --judge-least.")
	} else {
		fmt.Fprintf(&t, "Next: rung data review %s --task %s\n", r.File, task)
	}
	return t.String()
}

var reasonWords = map[string]string{
	generate.Unreadable: "nothing readable came back", generate.BreaksForm: "input or output is not in the task's form", generate.CopiesReal: "it copies a real row",
	generate.Heldout: "it holds a held-out item", generate.CopiesSelf: "it repeats an earlier generated row", generate.Judged: "the judge's score is too low", generate.Unjudged: "the judge gave no verdict",
}

func diversityText(d *generate.Diversity, width int) string {
	rows := [][]string{{"diversity of inputs", fmt.Sprintf("generated, n = %d", d.N), fmt.Sprintf("real, n = %d", d.RealN)}}
	for n, v := range d.Distinct {
		beside := "–"
		if d.DistinctReal != nil {
			beside = fmt.Sprintf("%.2f", d.DistinctReal[n])
		}
		rows = append(rows, []string{fmt.Sprintf("distinct word %d-grams", n+1), fmt.Sprintf("%.2f", v), beside})
	}
	figure := func(iv *rung.Interval) string {
		if iv == nil {
			return "–"
		}
		return fmt.Sprintf("%.2f [%.2f–%.2f]", iv.Value, iv.Low, iv.High)
	}
	rows = append(rows, []string{"likeness to the nearest of its own", figure(d.Nearest), figure(d.RealNearest)})
	rows = append(rows, []string{"likeness to the nearest real row", figure(d.NearestReal), ""})
	text := strings.Join(report.Columns(rows), "\n") + "\n"
	if d.Nearest != nil {
		text += strings.Join(report.Paragraph(fmt.Sprintf("Likeness: Jaccard of character 5-grams; means with 95 %% intervals (%s). Fewer distinct n-grams and more likeness than among real rows: the rows say the same again.", d.Nearest.Method), width), "\n") + "\n"
	}
	return text
}
