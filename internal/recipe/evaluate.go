package recipe

import (
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"
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
	// Keep is given every batch of scores, in no order; it may be nil. It is not called concurrently.
	Keep func(ctx context.Context, scores []IndexedScore) error
	// Progress is told how many examples are done, of how many, and what they cost; it may be nil.
	Progress func(done, total int, costUSD float64)
}

// IndexedScore is a score with the example's place in the frozen order.
type IndexedScore struct {
	Index int
	Score rung.Score
}

// keepBatch is the number of scores handed to Keep at once: enough for one transaction to be cheap, few enough to hold.
const keepBatch = 256

// Evaluate answers and scores every example. A failed answer is a score of zero; the error is for what ends the work, and
// then everything answered so far is in the store, so that the next run goes on from there.
func Evaluate(ctx context.Context, r Answerer, examples []rung.Example, ev Evaluation) (*grade.Tally, time.Duration, error) {
	start := time.Now()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	tally := ev.Grader.NewTally(len(examples))
	e := evaluation{Evaluation: ev, runner: r, examples: examples, tally: tally, cancel: cancel}
	var wg sync.WaitGroup
	for range max(min(ev.Concurrency, len(examples)), 1) {
		wg.Go(func() { e.work(ctx) })
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, time.Since(start), err
	}
	if err := e.flush(ctx, 1); err != nil {
		return nil, time.Since(start), err
	}
	return tally, time.Since(start), nil
}

type evaluation struct {
	Evaluation
	runner   Answerer
	examples []rung.Example
	tally    *grade.Tally
	cancel   context.CancelCauseFunc
	next     atomic.Int64

	mu      sync.Mutex
	done    int
	cost    float64
	pending []IndexedScore
}

func (e *evaluation) work(ctx context.Context) {
	for ctx.Err() == nil {
		i := int(e.next.Add(1)) - 1
		if i >= len(e.examples) {
			return
		}
		ans, err := e.runner.Answer(ctx, e.examples[i].Input)
		if err == nil {
			err = e.Grader.Ask(ctx, &e.examples[i], &ans)
		}
		if err == nil {
			err = e.add(ctx, i, &ans)
		}
		if err != nil {
			e.cancel(err)
			return
		}
	}
}

func (e *evaluation) add(ctx context.Context, i int, ans *rung.Answer) error {
	score := e.tally.Add(i, &e.examples[i], ans)
	e.mu.Lock()
	e.done++
	e.cost += ans.CostUSD
	done, cost := e.done, e.cost
	if e.Keep != nil {
		e.pending = append(e.pending, IndexedScore{i, score})
	}
	e.mu.Unlock()
	if e.Progress != nil {
		e.Progress(done, len(e.examples), cost)
	}
	return e.flush(ctx, keepBatch)
}

// flush hands the pending scores on once there are at least n.
func (e *evaluation) flush(ctx context.Context, n int) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.pending) < n {
		return nil
	}
	batch := e.pending
	e.pending = make([]IndexedScore, 0, cap(batch))
	return e.Keep(ctx, batch)
}
