package app

import (
	"context"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/climb"
	"github.com/rung-dev/rung/internal/grade"
	"github.com/rung-dev/rung/internal/recipe"
)

// scoring asks and scores one answerer on one list of examples: what a climb and an evaluation share.
type scoring struct {
	answerer    recipe.Answerer
	examples    []rung.Example
	set         rung.Digest // of the examples; it fixes the order in which they are asked
	grader      *grade.Grader
	concurrency int
	answers     int // to each example; 0 is 1
	progress    func(done, total int, costUSD float64)
	keep        func(ctx context.Context, batch []recipe.IndexedScore) error
	metric      string
	level       float64         // of the intervals where it does not stop
	stopping    *climb.Stopping // nil: every example is asked
	judged      func(ctx context.Context, tally *grade.Tally, out *climb.Scored) error
}

func (s scoring) run(ctx context.Context) (climb.Scored, *grade.Tally, error) {
	var stop *rung.Stop
	var looks *recipe.Looks
	if s.stopping != nil {
		looks = &recipe.Looks{Order: rung.Order(s.set, s.examples), Next: s.stopping.NextLook,
			Look: func(t *grade.Tally, n int, places []int) bool {
				stop = s.stopping.Look(s.stopping.See(t, n, places))
				return stop != nil
			}}
	}
	tally, wall, err := recipe.Evaluate(ctx, s.answerer, s.examples, recipe.Evaluation{
		Grader: s.grader, Concurrency: s.concurrency, Answers: s.answers, Looks: looks, Keep: s.keep, Progress: s.progress,
	})
	if err != nil {
		return climb.Scored{}, nil, err
	}
	level := s.level
	if stop != nil {
		level = s.stopping.StopLevel()
		tally.Stop(s.stopping.Plan())
	}
	out := climb.Scored{Card: tally.Scorecard(level, seed), Stop: stop}
	out.Card.WallSeconds = wall.Seconds()
	out.Bar, _ = tally.Estimate(s.metric, level, seed)
	if s.judged != nil {
		err = s.judged(ctx, tally, &out)
	}
	return out, tally, err
}
