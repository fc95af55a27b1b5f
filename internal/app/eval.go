package app

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/rung-dev/rung"
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
	Metric  string
	AtLeast float64
	// NoBar: nothing is decided and every example is asked; for suites whose figures are read and not held to the bar.
	NoBar bool
}

func (o *EvalOptions) fill(p *Project) {
	o.Answers = max(o.Answers, 1)
	if o.Grader == nil {
		o.Grader, o.Metric, o.AtLeast = p.Grader, p.Task.Bar.Metric, p.Task.Bar.AtLeast
	}
	o.Full = o.Full || o.NoBar
}

// EvaluateOn scores a subject on a suite, keeps its scores and the evaluation in the store, and gives the document. A failed call is
// a score of zero; the error is for what ends the work, and everything answered until then is in the store.
func (p *Project) EvaluateOn(ctx context.Context, sub *Subject, suite *Suite, opt EvalOptions) (*rung.Evaluation, error) {
	opt.fill(p)
	doc := p.newEvaluation(sub, suite, &opt)
	card := store.Card{Candidate: sub.Digest, Split: suite.Split, Set: doc.Scores}
	if err := p.keepSubject(ctx, sub, suite); err != nil {
		return nil, err
	}
	p.opt.Observe.Phase(sub.Rung(), fmt.Sprintf("evaluating %s on %s", sub.Name, suite.Name))
	tally, wall, err := recipe.Evaluate(ctx, sub.Answerer, suite.Examples, recipe.Evaluation{
		Grader: opt.Grader, Concurrency: sub.Concurrency, Progress: p.opt.Observe.Progress, Keep: p.keeper(card),
	})
	if err != nil {
		return nil, ended(ctx, err)
	}
	doc.Scorecard = tally.Scorecard(1-doc.Alpha, seed)
	doc.Scorecard.Candidate, doc.Scorecard.Split, doc.Scorecard.WallSeconds = sub.Digest, suite.Split, wall.Seconds()
	return doc, p.keepEvaluation(ctx, doc)
}

func (p *Project) newEvaluation(sub *Subject, suite *Suite, opt *EvalOptions) *rung.Evaluation {
	return &rung.Evaluation{
		ID: newRunID(), Task: p.Task.Name, Subject: sub.Info(), Suite: suite.Info(), Scores: suite.Digest,
		Answers: opt.Answers, Metric: opt.Metric, AtLeast: opt.AtLeast, Alpha: p.Task.Alpha, Verdict: rung.Inconclusive,
		Started: time.Now().UTC(), Version: opt.Version, Notes: suite.Notes,
	}
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

// keeper hands batches of scores to the store.
func (p *Project) keeper(card store.Card) func(ctx context.Context, batch []recipe.IndexedScore) error {
	return func(ctx context.Context, batch []recipe.IndexedScore) error {
		scores := make([]rung.Score, len(batch))
		for i := range batch {
			scores[i] = batch[i].Score
		}
		return p.Store.PutScores(ctx, card, scores)
	}
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
