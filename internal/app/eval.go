package app

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/climb"
	"github.com/rung-dev/rung/internal/grade"
	"github.com/rung-dev/rung/internal/recipe"
	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/store"
)

// EvalOptions say how a subject is evaluated on a suite. The zero value asks every example once, stops early, and holds the bar's
// metric to the task's bar.
type EvalOptions struct {
	Full    bool   // ask every example, also after the verdict is clear
	Answers int    // per example; 0 and 1 are one
	Version string // of the program, for the document
	// Grader scores instead of the task's own, for suites that measure something else. Metric and AtLeast go with it.
	Grader  *grade.Grader
	Metric  string // instead of the bar's
	AtLeast *float64
	// NoBar: nothing is decided and every example is asked; for suites whose figures are read and not held to the bar.
	NoBar bool
	// Apart keeps the scores under a set of their own, so that those of an earlier evaluation of the same subject stay.
	Apart bool
}

// bar is what the evaluation is held to. Another metric than the task's has no guards and limits, and nothing to reach unless the
// caller says what: at least 0 would pass whatever was answered.
func (o *EvalOptions) bar(p *Project) (bar rung.Bar, held bool) {
	bar, held = p.Task.Bar, true
	if o.Metric != "" && o.Metric != bar.Metric || o.Grader != nil && o.Grader != p.Grader {
		bar, held = rung.Bar{Metric: o.Metric}, false
	}
	if o.AtLeast != nil {
		bar.AtLeast, held = *o.AtLeast, true
	}
	return bar, held
}

// Evaluated is an evaluation with its scores at hand, for comparisons.
type Evaluated struct {
	Doc      *rung.Evaluation
	Tally    *grade.Tally
	Examples []rung.Example
}

// EvaluateOn scores a subject on a suite, keeps its scores and the evaluation in the store, and gives the document. A failed call is
// a score of zero; the error is for what ends the work, and everything answered until then is in the store.
func (p *Project) EvaluateOn(ctx context.Context, sub *Subject, suite *Suite, opt EvalOptions) (*rung.Evaluation, error) {
	e, err := p.Evaluate(ctx, sub, suite, opt)
	if err != nil {
		return nil, err
	}
	return e.Doc, nil
}

// Evaluate is EvaluateOn with the scores at hand.
func (p *Project) Evaluate(ctx context.Context, sub *Subject, suite *Suite, opt EvalOptions) (*Evaluated, error) {
	if opt.Grader == nil {
		opt.Grader = p.Grader
	}
	opt.Answers = max(1, opt.Answers)
	bar, held := opt.bar(p)
	if !opt.NoBar && !slices.Contains(opt.Grader.Names(), bar.Metric) {
		return nil, &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("there is no metric %q here", bar.Metric), Do: "use one of " + strings.Join(opt.Grader.Names(), ", ")}
	}
	if err := p.judgesReady(opt.Grader); err != nil {
		return nil, err
	}
	doc := p.newEvaluation(sub, suite, &opt, bar)
	if !held && !opt.NoBar {
		opt.NoBar = true
		doc.Notes = append(doc.Notes, fmt.Sprintf("Nothing is decided: the task's bar is about %s, and nothing says what %s is to reach.", p.Task.Bar.Metric, bar.Metric))
	}
	if err := p.keepSubject(ctx, sub, suite); err != nil {
		return nil, err
	}
	e, err := p.run(ctx, sub, suite, &opt, bar, doc)
	if err != nil {
		return nil, ended(ctx, err)
	}
	return e, p.keepEvaluation(ctx, doc)
}

func (p *Project) newEvaluation(sub *Subject, suite *Suite, opt *EvalOptions, bar rung.Bar) *rung.Evaluation {
	doc := &rung.Evaluation{
		ID: newRunID(), Task: p.Task.Name, Subject: sub.Info(), Suite: suite.Info(), Scores: suite.Digest,
		Answers: opt.Answers, Metric: bar.Metric, AtLeast: bar.AtLeast, Alpha: p.Task.Alpha,
		Started: time.Now().UTC(), Version: opt.Version, Notes: slices.Clone(suite.Notes),
	}
	if opt.Apart {
		doc.Scores = rung.DigestOf([]any{"evaluation", suite.Digest, doc.ID})
	}
	return doc
}

// run asks, scores and fills in the document.
func (p *Project) run(ctx context.Context, sub *Subject, suite *Suite, opt *EvalOptions, bar rung.Bar, doc *rung.Evaluation) (*Evaluated, error) {
	p.opt.Observe.Phase(sub.Rung(), fmt.Sprintf("evaluating %s on %s", sub.Name, suite.Name))
	served := &servedNames{store: p.Store}
	card := store.Card{Candidate: sub.Digest, Split: suite.Split, Set: doc.Scores}
	keep := p.keeper(card)
	s := scoring{answerer: sub.Answerer, examples: suite.Examples, set: suite.Digest, grader: opt.Grader, concurrency: sub.Concurrency,
		answers: opt.Answers, progress: p.opt.Observe.Progress, metric: bar.Metric, judged: p.judging(sub.Digest, bar.Metric),
		keep: func(ctx context.Context, batch []recipe.IndexedScore) error {
			served.add(ctx, batch)
			return keep(ctx, batch)
		}}
	plan := climb.Plan{Bar: bar, Alpha: p.Task.Alpha, Full: opt.Full || opt.NoBar || p.corrects(bar.Metric), Heldout: len(suite.Examples),
		Largest: rung.LargestGroup(suite.Examples), MayNotDecide: p.mayNotDecide(bar.Metric)}
	s.level, s.stopping = plan.Judging()
	if s.stopping != nil {
		s.stopping.Answers = opt.Answers
	}
	out, tally, err := s.run(ctx)
	if err != nil {
		return nil, err
	}
	doc.Scorecard, doc.Stopped = out.Card, out.Stop
	doc.Scorecard.Candidate, doc.Scorecard.Split = sub.Digest, suite.Split
	doc.Notes = append(doc.Notes, judgeNotes(&doc.Scorecard)...)
	if !opt.NoBar {
		doc.Verdict, doc.Reason, doc.NeededN = plan.Judge(&out)
	}
	doc.Variance, doc.Served = tally.Split(), served.names()
	doc.Segments = segments(tally, suite.Examples, bar, out.Bar.Level)
	return &Evaluated{doc, tally, suite.Examples}, nil
}

// segments are the bar's metric and its guards on each segment, where there are two or more.
func segments(t *grade.Tally, examples []rung.Example, bar rung.Bar, level float64) []rung.SegmentScore {
	names := segmentNames(examples)
	if len(names) < 2 || bar.Metric == "" {
		return nil
	}
	var out []rung.SegmentScore
	for _, name := range names {
		s := rung.SegmentScore{Segment: name, Metrics: map[string]rung.Interval{}}
		sub := t.Part(inSegment(examples, name))
		for _, m := range append([]string{bar.Metric}, slices.Sorted(maps.Keys(bar.Guards))...) {
			if e, ok := sub.Estimate(m, level, seed); ok {
				s.Metrics[m], s.N = rung.Interval(e.Interval), e.N
			}
		}
		out = append(out, s)
	}
	return out
}

// keepSubject keeps what a reader of the scores needs: the examples and the candidate.
func (p *Project) keepSubject(ctx context.Context, sub *Subject, suite *Suite) error {
	if sub.Candidate != nil {
		if _, err := p.Store.PutCandidate(ctx, sub.Candidate); err != nil {
			return err
		}
	}
	return report.KeepExamples(ctx, p.Store, rung.Freeze(suite.Examples, suite.Digest))
}

// keeper hands batches of scores to the store. The second and later answers to an example are kept under a set of their own each.
func (p *Project) keeper(card store.Card) func(ctx context.Context, batch []recipe.IndexedScore) error {
	return func(ctx context.Context, batch []recipe.IndexedScore) error {
		bySample := map[int][]rung.Score{}
		for i := range batch {
			bySample[batch[i].Sample] = append(bySample[batch[i].Sample], batch[i].Score)
		}
		for sample, scores := range bySample {
			one := card
			one.Set = sampleSet(card.Set, sample)
			if err := p.Store.PutScores(ctx, one, scores); err != nil {
				return err
			}
		}
		return nil
	}
}

// sampleSet is the set under which the scores of the sample-th answers to the examples of a set are kept.
func sampleSet(set rung.Digest, sample int) rung.Digest {
	if sample == 0 {
		return set
	}
	return rung.DigestOf([]any{"sample", set, sample})
}

// keepEvaluation keeps the document, also when ctx has just ended: what was paid for is written down.
func (p *Project) keepEvaluation(ctx context.Context, doc *rung.Evaluation) error {
	b, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	keep, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	return p.Store.PutEvaluation(keep, store.Evaluation{
		ID: doc.ID, Task: doc.Task, Subject: doc.Subject.Digest, Suite: doc.Suite.Digest, Document: b, Started: doc.Started})
}
