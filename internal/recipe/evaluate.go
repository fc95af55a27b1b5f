package recipe

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/grade"
)

// Answerer is what can be evaluated: a *Runner, or whatever else answers a task's inputs. A call that fails or an answer that cannot
// be read is an Answer with a Problem; the error is for what must end the work (model.Fatal). It is safe for concurrent use.
type Answerer interface {
	Answer(ctx context.Context, input json.RawMessage) (rung.Answer, error)
}

// Sampler is an Answerer that gives several answers to one input, numbered from 0, Answer's being the first.
type Sampler interface {
	Answerer
	Sample(ctx context.Context, input json.RawMessage, sample int) (rung.Answer, error)
}

// Evaluation says how to score one candidate on a set of examples.
type Evaluation struct {
	Grader      *grade.Grader
	Concurrency int
	// Answers is the number of answers to each example, 0 and 1 being one. With more, the answers to example i are the places
	// i·Answers and following of the tally, and the Answerer must be a Sampler.
	Answers int
	// Looks, if set, may end the evaluation before its last example.
	Looks *Looks
	// Keep is given every batch of scores, in no order; it may be nil. It is not called concurrently. Scores of answers beyond the
	// example at which an evaluation stopped are not among them.
	Keep func(ctx context.Context, scores []IndexedScore) error
	// Progress is told how many examples are done, of how many, and what they cost; it may be nil.
	Progress func(done, total int, costUSD float64)
}

// Looks say in which order examples are asked, and when it is enough. The answers are looked at in that order, whatever order they
// come in, so that what is decided does not depend on how long an answer took.
type Looks struct {
	Order []int // places of the examples, clusters in one piece
	// Next is the number of examples at which to look next, after n.
	Next func(n int) int
	// Look is given the places in the tally of the first n examples; true ends the evaluation. It is not called concurrently.
	Look func(t *grade.Tally, n int, places []int) bool

	N int // set by Evaluate: examples in the tally
}

// IndexedScore is a score with the example's place in the frozen order.
type IndexedScore struct {
	Index  int
	Sample int // which answer to the example, from 0
	Score  rung.Score
}

// keepBatch is the number of scores handed to Keep at once: enough for one transaction to be cheap, few enough to hold.
const keepBatch = 256

// Evaluate answers and scores every example. A failed answer is a score of zero; the error is for what ends the work, and
// then everything answered so far is in the store, so that the next run goes on from there.
func Evaluate(ctx context.Context, r Answerer, examples []rung.Example, ev Evaluation) (*grade.Tally, time.Duration, error) {
	start := time.Now()
	ev.Answers = max(1, ev.Answers)
	ask, err := sampling(r, ev.Answers)
	if err != nil {
		return nil, 0, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	tally := ev.Grader.NewTally(len(examples) * ev.Answers)
	tally.Repeated(ev.Answers)
	e := evaluation{Evaluation: ev, ask: ask, examples: examples, tally: tally, cancel: cancel}
	e.line = newLine(&ev, examples)
	var wg sync.WaitGroup
	for range max(min(ev.Concurrency, len(examples)*ev.Answers), 1) {
		wg.Go(func() { e.work(ctx) })
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, time.Since(start), err
	}
	if err := e.flush(ctx, 1); err != nil {
		return nil, time.Since(start), err
	}
	e.line.end(tally)
	return tally, time.Since(start), nil
}

// sampling is how an answerer is asked for one of several answers.
func sampling(r Answerer, answers int) (func(ctx context.Context, input json.RawMessage, sample int) (rung.Answer, error), error) {
	if s, ok := r.(Sampler); ok {
		return s.Sample, nil
	}
	if answers > 1 {
		return nil, &rung.Error{Code: rung.CodeUsage, What: "this subject gives one answer to an input, not several", Do: "evaluate it with one answer per example"}
	}
	return func(ctx context.Context, input json.RawMessage, _ int) (rung.Answer, error) {
		return r.Answer(ctx, input)
	}, nil
}

type evaluation struct {
	Evaluation
	ask      func(ctx context.Context, input json.RawMessage, sample int) (rung.Answer, error)
	examples []rung.Example
	tally    *grade.Tally
	cancel   context.CancelCauseFunc
	line     *line

	mu      sync.Mutex
	done    int
	cost    float64
	pending []IndexedScore
}

func (e *evaluation) work(ctx context.Context) {
	for ctx.Err() == nil {
		place, more := e.line.take(ctx)
		if !more {
			return
		}
		i, sample := place/e.Answers, place%e.Answers
		ans, err := e.ask(ctx, e.examples[i].Input, sample)
		if err == nil {
			err = e.Grader.Ask(ctx, &e.examples[i], &ans)
		}
		if err == nil {
			err = e.add(ctx, place, &ans)
		}
		if err != nil {
			e.cancel(err)
			e.line.wake()
			return
		}
	}
}

func (e *evaluation) add(ctx context.Context, place int, ans *rung.Answer) error {
	i, sample := place/e.Answers, place%e.Answers
	score := e.tally.Add(place, Repeated(&e.examples[i], e.Answers), ans)
	e.mu.Lock()
	e.done++
	e.cost += ans.CostUSD
	done, cost := e.done, e.cost
	if e.Keep != nil {
		e.pending = append(e.pending, IndexedScore{i, sample, score})
	}
	e.mu.Unlock()
	if e.Progress != nil {
		e.Progress(done/e.Answers, len(e.examples), cost)
	}
	e.line.answered(place, e.tally)
	return e.flush(ctx, keepBatch)
}

// Repeated is an example that is answered several times: its answers are one cluster.
func Repeated(ex *rung.Example, answers int) *rung.Example {
	if answers <= 1 || ex.Group != "" {
		return ex
	}
	one := *ex
	one.Group = answersTo + ex.ID
	return &one
}

const answersTo = "answers to "

// GroupOf is an example's own group where its answers may have been made one cluster by Repeated.
func GroupOf(example, group string) string {
	if group == answersTo+example {
		return ""
	}
	return group
}

// flush hands on the pending scores that are before every stop there can be, once there are at least n.
func (e *evaluation) flush(ctx context.Context, n int) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.pending) < n {
		return nil
	}
	batch, rest := e.line.settled(e.pending, e.Answers)
	if len(batch) < n {
		return nil
	}
	e.pending = rest
	return e.Keep(ctx, batch)
}
