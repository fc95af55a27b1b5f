package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/report"
)

// evalOptions are what every command that evaluates takes.
type evalOptions struct {
	task    string
	suite   string
	prices  string
	fresh   bool
	cost    float64
	wall    time.Duration
	metric  string
	answers int
}

func (o *evalOptions) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.suite, "suite", "heldout", "what to evaluate on: heldout, dev, train, or a file of examples")
	f.StringVar(&o.metric, "metric", "", "metric that decides, instead of the bar's")
	f.StringVar(&o.prices, "prices", "", "price file that overrides the built-in table")
	f.BoolVar(&o.fresh, "fresh", false, "pay for every call again instead of using stored answers")
	f.Float64Var(&o.cost, "budget", 0, "spend at most so many USD, instead of the task's budget.cost")
	f.DurationVar(&o.wall, "wall", 0, "take at most so long, instead of the task's budget.wall")
}

// open opens the project for work, with a status line until done is called.
func (o *evalOptions) open(c *cobra.Command, s *settings) (p *app.Project, ctx context.Context, done func(), err error) {
	opt := app.Options{File: o.task, Store: s.store, Prices: o.prices, Fresh: o.fresh}
	if c.Flags().Changed("budget") {
		opt.Cost = &o.cost
	}
	if c.Flags().Changed("wall") {
		opt.Wall = &o.wall
	}
	status := report.NewStatus(s.Err, isTerminal(s.Err))
	opt.Observe = status
	if p, err = app.Open(c.Context(), opt); err != nil {
		status.Done()
		return nil, nil, nil, err
	}
	ctx, cancel := p.WithWall(c.Context())
	return p, ctx, func() { cancel(); status.Done() }, nil
}

type evalCommand struct {
	evalOptions
	subject string
	full    bool
	again   string
	repeat  int
	list    bool
	bins    bool
	atLeast float64
}

func newEvalCommand(s *settings) *cobra.Command {
	var o evalCommand
	c := &cobra.Command{
		Use:     "eval TASK.yaml SUBJECT",
		GroupID: "climb",
		Short:   "Evaluate a candidate, a release or an endpoint on any examples",
		Long: `Eval asks a subject the examples of a suite and holds what it scores to the task's bar. It stops as soon as the verdict is clear;
with --full it asks every example. The subject is one of

  a candidate        its digest, or the beginning of it
  a rung of a run    latest:rag, RUN:lora, or rag alone for the latest run
  a release          task@v3, task@production
  an endpoint        http://localhost:8080/v1#model (any OpenAI-compatible server; its key in RUNG_ENDPOINT_API_KEY)
  build:RUNG         a rung built now from the task file, such as build:prompt

--again EVALUATION asks the same candidate the same examples once more, past the stored answers, and says whether the model
underneath has drifted, apart from what answers differ by chance. --answers K asks every example K times at the candidate's own
temperature and splits the variance between examples and answers.`,
		Example: "  rung eval task.yaml latest:rag\n  rung eval task.yaml tickets@production --suite regressions.jsonl --full\n  rung eval task.yaml http://localhost:8080/v1#small --answers 5\n  rung eval task.yaml --again 20261122-185501-a1b2c3",
		Args:    atMost(2, "a task file and a subject"),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.task = args[0]
			}
			if len(args) > 1 {
				o.subject = args[1]
			}
			return o.run(c, s)
		},
	}
	o.flags(c)
	f := c.Flags()
	f.BoolVar(&o.full, "full", false, "ask every example, also when the verdict is clear")
	f.IntVar(&o.answers, "answers", 1, "answers to each example")
	f.Float64Var(&o.atLeast, "at-least", 0, "what the metric must reach, instead of the bar's")
	f.StringVar(&o.again, "again", "", "evaluation to repeat: its ID, the beginning of it, or latest")
	f.IntVar(&o.repeat, "repeat", app.DefaultRepeat, "with --again: examples that are asked twice, to measure chance; -1 for none")
	f.BoolVar(&o.bins, "bins", false, "also print how often answers are right by how sure they say they are (metrics of stated confidence)")
	f.BoolVar(&o.list, "list", false, "list the kept evaluations, newest first")
	return c
}

func (o *evalCommand) run(c *cobra.Command, s *settings) error {
	switch {
	case o.list:
		return runEvalList(c.Context(), s, o.task)
	case o.task == "":
		return usage("rung eval takes a task file and a subject; see rung eval --help")
	case o.subject == "" && o.again == "":
		return usage("rung eval takes a subject, such as latest:prompt; see rung eval --help")
	case o.subject != "" && o.again != "":
		return usage("--again names the evaluation, and with it the subject: leave the subject out")
	case o.answers < 1 || o.answers > 1000:
		return usage("--answers must be between 1 and 1000, it is %d", o.answers)
	}
	o.fresh = o.fresh || o.again != ""
	p, ctx, done, err := o.open(c, s)
	if err != nil {
		return err
	}
	doc, err := o.evaluate(ctx, c, p)
	if doc != nil && err == nil {
		err = report.SettleEvaluation(ctx, p.Store, doc)
	}
	err = errors.Join(err, p.Close())
	done()
	if doc == nil || err != nil {
		return err
	}
	if err := s.printEvaluation(doc); err != nil || s.json || !o.bins {
		return err
	}
	return s.printBins(doc)
}

func (s *settings) printBins(doc *rung.Evaluation) error {
	width, color := report.Look(s.Out)
	return report.Bins(s.Out, doc.Scorecard.Calibrations, width, color)
}

func (o *evalCommand) evaluate(ctx context.Context, c *cobra.Command, p *app.Project) (*rung.Evaluation, error) {
	if o.again != "" {
		e, err := p.Again(ctx, o.again, app.AgainOptions{Repeat: o.repeat, Version: Version})
		if err != nil {
			return nil, err
		}
		return e.Doc, nil
	}
	if err := p.JudgesReady(); err != nil {
		return nil, err
	}
	suite, err := p.Suite(ctx, o.suite)
	if err != nil {
		return nil, err
	}
	sub, err := p.Subject(ctx, o.subject)
	if err != nil {
		return nil, err
	}
	opt := app.EvalOptions{Full: o.full, Answers: o.answers, Metric: o.metric, Version: Version}
	if c.Flags().Changed("at-least") {
		opt.AtLeast = &o.atLeast
	}
	return p.EvaluateOn(ctx, sub, suite, opt)
}

func (s *settings) printEvaluation(doc *rung.Evaluation) error {
	if s.json {
		return s.printJSON(doc)
	}
	width, color := report.Look(s.Out)
	return report.Evaluation(s.Out, doc, width, color)
}

// evaluationLine is what rung eval --list --json prints of each evaluation.
type evaluationLine struct {
	ID      string         `json:"id"`
	Task    string         `json:"task"`
	Subject string         `json:"subject"`
	Suite   string         `json:"suite"`
	Metric  string         `json:"metric"`
	Figure  *rung.Interval `json:"figure"`
	Verdict rung.Verdict   `json:"verdict"`
	Started time.Time      `json:"started"`
}

// runEvalList lists what the store beside the task file keeps or, without a task, the store in or above this directory.
func runEvalList(ctx context.Context, s *settings, file string) (err error) {
	beside := *s
	if file != "" && s.store == "" {
		beside.store = filepath.Join(filepath.Dir(file), storeName)
	}
	st, err := readStore(ctx, &beside)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	all, err := st.Evaluations(ctx, 0)
	if err != nil {
		return err
	}
	lines := []evaluationLine{}
	for i := range all {
		var e rung.Evaluation
		if err := json.Unmarshal(all[i].Document, &e); err != nil {
			return &rung.Error{Code: rung.CodeStore, Place: "evaluation " + all[i].ID, What: "its document cannot be read: " + err.Error(), Err: err}
		}
		l := evaluationLine{ID: e.ID, Task: e.Task, Subject: e.Subject.Name, Suite: e.Suite.Name, Metric: e.Metric, Verdict: e.Verdict, Started: e.Started}
		if iv, ok := e.Scorecard.Metrics[e.Metric]; ok {
			l.Figure = &iv
		}
		lines = append(lines, l)
	}
	if s.json {
		return s.printJSON(lines)
	}
	for _, l := range lines {
		figure := "no figure"
		if l.Figure != nil {
			figure = fmt.Sprintf("%s %s (%g %%, n=%d, %s)", l.Metric, report.Share(*l.Figure), 100*l.Figure.Level, l.Figure.N, l.Figure.Method)
		}
		fmt.Fprintln(s.Out, report.Line(fmt.Sprintf("%s  %s  %s on %s  %s  %s", l.ID, l.Task, l.Subject, l.Suite, figure, l.Verdict), 400))
	}
	return nil
}
