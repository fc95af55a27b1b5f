package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/judge"
	"github.com/rung-dev/rung/internal/report"
)

func newJudgeCommand(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use:     "judge",
		GroupID: "read",
		Short:   "See how far judges agree with people, and how they are biased",
		Long: `Judges are models that score answers (metrics with judge: in the task file). Before its scores count, a judge is held against
people: calibrate asks it about answers that people rated, and keeps what comes out for every report. agree does the same for
verdicts that are recorded in a file. compare has a pairwise judge say which of two subjects answers better. show says which judges
a task has, with their prompts and what is known of them.`,
		Args: exactArgs(0, "a subcommand: show, calibrate, agree or compare"),
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newJudgeShowCommand(s), newJudgeCalibrateCommand(s), newJudgeAgreeCommand(s), newJudgeCompareCommand(s))
	return c
}

// ratingFlags say how a file of ratings is read.
type ratingFlags struct {
	fields string
	scale  string
}

func (r *ratingFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&r.fields, "map", "", "where fields stand in the file, such as first=response1,human=scores.quality")
	c.Flags().StringVar(&r.scale, "scale", "1-5", "lowest and highest score that people gave, for scores")
}

func (r *ratingFlags) format(pairwise bool) (judge.Format, error) {
	f := judge.Format{Pairwise: pairwise}
	low, high, ok := strings.Cut(r.scale, "-")
	var errLow, errHigh error
	f.Low, errLow = strconv.ParseFloat(strings.TrimSpace(low), 64)
	f.High, errHigh = strconv.ParseFloat(strings.TrimSpace(high), 64)
	if !ok || errLow != nil || errHigh != nil || !(f.Low < f.High) {
		return f, &rung.Error{Code: rung.CodeUsage, Place: "--scale", What: fmt.Sprintf("%q is no scale", r.scale), Do: "write LOWEST-HIGHEST, such as 1-5 or 0-1"}
	}
	var err error
	f.Map, err = judge.ParseMap(r.fields)
	return f, err
}

type calibrateOptions struct {
	task    string
	ratings string
	metric  string
	limit   int
	pretend int
	prices  string
	cost    float64
	ratingFlags
}

func newJudgeCalibrateCommand(s *settings) *cobra.Command {
	var o calibrateOptions
	c := &cobra.Command{
		Use:   "calibrate TASK.yaml",
		Short: "Hold a judge against what people said, and keep the result",
		Long: `Calibrate asks a judge of the task about answers that people rated: those of rung rate in the store, or of a file (--ratings;
JSON lines or CSV). It measures agreement, bias by position, length and self-preference, and the mean with the judge's bias
taken out; every figure has its interval. Calls are stored: the same calibration costs nothing the next time.

A row of a file has id, input, answer (or first and second, for a pairwise judge) and human: one rating, a list of several
people's, or these for each criterion; reference, group, model, first_model and second_model may be there. Rows without human
are judged only and make the corrected mean sharper.`,
		Example: "  rung judge calibrate task.yaml\n  rung judge calibrate task.yaml --metric quality --ratings rated.jsonl\n  rung judge calibrate task.yaml --ratings rated.csv --map answer=summary,human=score --scale 0-1",
		Args:    exactArgs(1, "one task file"),
		RunE: func(c *cobra.Command, args []string) error {
			o.task = args[0]
			return runJudgeCalibrate(c, s, &o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.ratings, "ratings", "", "file of ratings (default: those of rung rate in the store)")
	f.StringVar(&o.metric, "metric", "", "the judge's metric, where the task has several")
	f.IntVar(&o.limit, "limit", 0, "ask about so many answers at most (0: all)")
	f.IntVar(&o.pretend, "pretend", 0, "also pretend that only so many were rated, and see whether the corrected mean still holds")
	f.StringVar(&o.prices, "prices", "", "price file that overrides the built-in table")
	f.Float64Var(&o.cost, "budget", 0, "spend at most so many USD, instead of the task's budget.cost")
	o.add(c)
	return c
}

func runJudgeCalibrate(c *cobra.Command, s *settings, o *calibrateOptions) error {
	if o.limit < 0 || o.pretend < 0 {
		return usage("--limit and --pretend cannot be negative")
	}
	opt := app.Options{File: o.task, Store: s.store, Prices: o.prices}
	if c.Flags().Changed("budget") {
		opt.Cost = &o.cost
	}
	var out *app.Calibrated
	err := s.withProject(c.Context(), opt, func(p *app.Project) (err error) {
		run := app.CalibrateOptions{Metric: o.metric, File: o.ratings, Limit: o.limit, Pretend: o.pretend}
		if run.Format, err = o.format(p.Pairwise(o.metric)); err != nil {
			return err
		}
		out, err = p.Calibrate(c.Context(), run)
		return err
	})
	if err != nil {
		return err
	}
	if s.json {
		return s.printJSON(out)
	}
	printCalibrated(s.Out, out)
	return nil
}

// withProject opens a task for work that shows its progress.
func (s *settings) withProject(ctx context.Context, opt app.Options, work func(*app.Project) error) error {
	status := report.NewStatus(s.Err, isTerminal(s.Err))
	defer status.Done()
	opt.Observe = status
	p, err := app.Open(ctx, opt)
	if err != nil {
		return err
	}
	err = work(p)
	return errors.Join(err, p.Close())
}

type agreeOptions struct {
	file     string
	pairwise bool
	model    string
	pretend  int
	ratingFlags
}

func newJudgeAgreeCommand(s *settings) *cobra.Command {
	var o agreeOptions
	c := &cobra.Command{
		Use:   "agree FILE",
		Short: "Hold the recorded verdicts of a judge against what people said",
		Long: `Agree reads rows that hold both people's ratings (human) and a judge's verdict (judge), and measures what rung judge calibrate
measures. It calls no model and keeps nothing. A row whose judge is missing or null is one on which the judge gave no verdict.

Scores are on one scale (--scale) for both. With --pairwise, ratings and verdicts are first, second or tie (or 1, 2 and 0), of
the answers first and second.`,
		Example: "  rung judge agree rated.jsonl\n  rung judge agree pairs.jsonl --pairwise --map first=response1,second=response2,human=annotators,judge=judges.a --pretend 100",
		Args:    exactArgs(1, "one file"),
		RunE: func(_ *cobra.Command, args []string) error {
			o.file = args[0]
			out, err := runJudgeAgree(&o)
			if err != nil {
				return err
			}
			if s.json {
				return s.printJSON(out)
			}
			printCalibrated(s.Out, out)
			return nil
		},
	}
	c.Flags().BoolVar(&o.pairwise, "pairwise", false, "the rows are pairs of answers")
	c.Flags().StringVar(&o.model, "model", "", "the judge's name among model, first_model and second_model, for its preference for itself")
	c.Flags().IntVar(&o.pretend, "pretend", 0, "also pretend that only so many were rated, and see whether the corrected mean still holds")
	o.add(c)
	return c
}

func runJudgeAgree(o *agreeOptions) (*app.Calibrated, error) {
	f, err := o.format(o.pairwise)
	if err != nil {
		return nil, err
	}
	rows, err := judge.ReadFile(o.file, f)
	if err != nil {
		return nil, err
	}
	obs := judge.Recorded(rows, o.model, o.pairwise)
	settings := judge.Settings{Pairwise: o.pairwise, Seed: 1}
	if f.Low == 1 && f.High == 5 {
		settings.Scale = 5
	}
	c := judge.Calibrate(obs, settings)
	c.Metric, c.Source = "recorded", o.file
	if c.Rated == 0 {
		return nil, &rung.Error{Code: rung.CodeInput, Place: o.file, What: "no row has a rating by a person", Do: "say with --map where they stand, such as human=annotators"}
	}
	out := &app.Calibrated{Metric: c.Metric, Calibrations: []judge.Calibration{c}}
	if o.pretend > 0 && o.pretend < c.Rated {
		cover := judge.Rehearse(obs, o.pretend, 200, settings)
		out.Pretended = &cover
	}
	return out, nil
}
