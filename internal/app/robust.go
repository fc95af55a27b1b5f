package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/perturb"
	"github.com/rung-dev/rung/internal/stats"
)

// Perturbed is a copy of a suite with changed inputs. Its examples keep their ids and their order, so that scores on both can be
// paired.
func (p *Project) Perturbed(suite *Suite, kind perturb.Kind) (changed *Suite, n int) {
	examples, n := perturb.Examples(suite.Examples, kind, p.Task.Input)
	out := NewSuite(suite.Name+" with "+string(kind), examples)
	if n < len(examples) {
		out.Notes = append(out.Notes, fmt.Sprintf("%d of %d inputs could not be changed and are the same in both.", len(examples)-n, len(examples)))
	}
	return out, n
}

// Robustness evaluates a subject on a suite and on changed copies of it, and compares each copy with the suite, example by example.
// metric is what is compared; empty: the bar's.
func (p *Project) Robustness(ctx context.Context, sub *Subject, suite *Suite, kinds []perturb.Kind, metric, version string) (*rung.Robustness, error) {
	if metric == "" {
		metric = p.Task.Bar.Metric
	}
	if !slices.Contains(p.Grader.Names(), metric) {
		return nil, &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("the task has no metric %q", metric), Do: "use one of " + strings.Join(p.Grader.Names(), ", ")}
	}
	level := 1 - p.Task.Alpha
	opt := EvalOptions{Full: true, Metric: metric, Version: version}
	base, err := p.Evaluate(ctx, sub, suite, opt)
	if err != nil {
		return nil, err
	}
	doc := &rung.Robustness{Task: p.Task.Name, Subject: sub.Info(), Suite: suite.Info(), Metric: metric, Original: base.Doc.Scorecard.Metrics[metric],
		Alpha: p.Task.Alpha, Of: base.Doc.ID, Started: time.Now().UTC(), Version: version}
	for _, kind := range kinds {
		r, err := p.robust(ctx, sub, suite, base, kind, opt, level)
		if err != nil {
			return nil, err
		}
		doc.Changes = append(doc.Changes, *r)
	}
	holm(doc.Changes, p.Task.Alpha)
	doc.Notes = append(doc.Notes, "Words that an expected output holds are not changed. One copy of each input is asked; another copy may do better or worse.")
	return doc, nil
}

func (p *Project) robust(ctx context.Context, sub *Subject, suite *Suite, base *Evaluated, kind perturb.Kind, opt EvalOptions, level float64) (*rung.Robust, error) {
	copied, n := p.Perturbed(suite, kind)
	e, err := p.Evaluate(ctx, sub, copied, opt)
	if err != nil {
		return nil, err
	}
	r := &rung.Robust{Kind: string(kind), Says: kind.Says(), Changed: n, Figure: e.Doc.Scorecard.Metrics[opt.Metric], Evaluation: e.Doc.ID}
	if r.Contrast, err = plainContrast(base.side(), e.side(), opt.Metric, level, 0); err != nil {
		return nil, err
	}
	r.Contrast.Practical = false // a loss has no smallest gain worth having
	var pair rung.Pair
	countShifts(&pair, base.Tally.Successes(), e.Tally.Successes())
	r.Broken, r.Fixed = pair.Broken, pair.Fixed
	return r, nil
}

// holm adjusts the p-values over the kinds of changes.
func holm(changes []rung.Robust, alpha float64) {
	raw := make([]float64, len(changes))
	for i := range changes {
		raw[i] = changes[i].Contrast.P
	}
	for i, p := range stats.Holm(raw) {
		c := &changes[i].Contrast
		c.PHolm, c.Family, c.Significant = p, len(changes), p < alpha
	}
}
