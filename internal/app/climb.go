package app

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/climb"
	"github.com/rung-dev/rung/internal/grade"
	"github.com/rung-dev/rung/internal/recipe"
	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/store"
)

// Climb climbs the ladder for an open project. The document is stored as it grows; it is returned also with an error that
// stopped the climb after something was scored, such as the end of the budget.
// With full every rung that is tried is asked every held-out example; else it stops as soon as its verdict is clear.
func (p *Project) Climb(ctx context.Context, all, full bool, version string) (*rung.Document, error) {
	ctx, cancel := p.WithWall(ctx)
	defer cancel()
	if err := p.Terms.Strictly(p.Task); err != nil {
		return nil, err
	}
	if err := p.judgesReady(p.Grader); err != nil {
		return nil, err
	}
	kit, err := p.buildingKit(ctx)
	if err != nil {
		return nil, err
	}
	plan := climb.Plan{
		Bar: p.Task.Bar, Rungs: p.Task.Rungs, Models: p.Task.Models,
		Alpha: p.Task.Alpha, Weights: p.Task.AlphaWeights, All: all, Full: full || p.corrects(p.Task.Bar.Metric),
		Heldout: p.Data.Heldout.Len(), Largest: rung.LargestGroup(p.Data.Heldout.Examples()), MayNotDecide: p.mayNotDecide(p.Task.Bar.Metric),
	}
	s := &steps{Project: p, kit: kit, tallies: make(map[rung.Digest]*grade.Tally)}
	kit.Observer = s
	s.start(plan, version)
	if err := s.freeze(ctx); err != nil {
		return nil, err
	}
	if err := s.save(ctx, store.Running); err != nil {
		return nil, err
	}
	outcomes, decision, err := climb.Run(ctx, plan, s)
	s.doc.Rungs, s.doc.Decision = outcomes, decision
	return s.end(ctx, err)
}

// WithWall bounds the work by budget.wall.
func (p *Project) WithWall(ctx context.Context) (context.Context, context.CancelFunc) {
	wall := p.Task.Budget.Wall
	if wall <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, wall, &rung.Error{
		Code: rung.CodeBudget, Place: "budget.wall", What: fmt.Sprintf("the time of %s is used up", wall),
		Do: "run the same command again to go on, or raise it",
	})
}

// steps does the work of a climb on a project. Its methods are called one after another.
type steps struct {
	*Project
	kit *recipe.Kit
	doc rung.Document

	mu      sync.Mutex
	rung    rung.Rung
	tallies map[rung.Digest]*grade.Tally
}

func (s *steps) start(plan climb.Plan, version string) {
	bar := plan.Bar
	s.doc = rung.Document{
		Run: newRunID(), Task: s.Task.Name, Started: time.Now().UTC(), Version: version,
		Heldout: rung.HeldoutInfo{N: s.Data.Heldout.Len(), Digest: s.Data.Heldout.Digest()},
		Bar: rung.BarInfo{
			Metric: bar.Metric, AtLeast: bar.AtLeast, MinGain: bar.MinGain, Guards: bar.Guards,
			MaxP95Millis: float64(bar.MaxP95Latency) / float64(time.Millisecond), MaxCostPerSuccess: bar.MaxCostPerSuccess,
			Alpha: plan.Alpha, Level: plan.Level(s), Stopping: plan.Stops(),
		},
		Decision: rung.Decision{Verdict: rung.Inconclusive, Reasons: []string{"The climb has not ended."}},
	}
	s.doc.Data, s.doc.Terms = s.Terms.Data, s.Terms.Terms()
	for _, n := range s.Data.Notes {
		s.note(n)
	}
	if n := s.Terms.Unsaid(s.Task.Rungs); n != "" {
		s.note(n)
	}
}

// newRunID sorts by time and does not repeat.
func newRunID() string {
	var b [3]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return time.Now().UTC().Format("20060102-150405-") + hex.EncodeToString(b[:])
}

// note tells the reader of the report as well as the person who waits.
func (s *steps) note(text string) {
	s.doc.Notes = append(s.doc.Notes, text)
	s.opt.Observe.Note(text)
}

// freeze records the held-out set before the first rung is built, and says so when it is not the one of the last climb.
func (s *steps) freeze(ctx context.Context) error {
	now := store.Frozen{Task: s.Task.Name, File: s.Task.File, Digest: s.doc.Heldout.Digest, N: s.doc.Heldout.N, At: s.doc.Started}
	before, err := s.Store.Freeze(ctx, now)
	if err != nil {
		return err
	}
	if err := s.Store.PutStep(ctx, taskFileStep(s.doc.Run), []byte(s.Task.File)); err != nil {
		return err
	}
	if err := report.KeepExamples(ctx, s.Store, s.Data.Heldout); err != nil || before == nil {
		return err
	}
	s.note(fmt.Sprintf("The held-out set has changed since %s: it was %s with %d examples and is %s with %d. Earlier scores of this task do not compare with these.",
		before.At.Format(time.DateTime), before.Digest.Short(), before.N, now.Digest.Short(), now.N))
	return nil
}

func (s *steps) save(ctx context.Context, status store.Status) error {
	doc, err := json.Marshal(&s.doc)
	if err != nil {
		return err
	}
	run := store.Run{ID: s.doc.Run, Task: s.doc.Task, Status: status, Document: doc, Started: s.doc.Started}
	if status != store.Running {
		run.Ended = time.Now().UTC()
	}
	return s.Store.PutRun(ctx, run)
}

// end stores what became of the climb. A budget that is used up is an end with a document; anything else that stopped the
// climb leaves the outcomes so far in the store.
func (s *steps) end(ctx context.Context, err error) (*rung.Document, error) {
	s.priceNotes()
	status := store.Done
	if err != nil {
		status = store.Stopped
		s.stopped(err)
	}
	// The context may be what ended; the record must be written all the same.
	keep, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	if saveErr := s.save(keep, status); saveErr != nil {
		return nil, errors.Join(err, saveErr)
	}
	if err != nil && rung.CodeOf(err) != rung.CodeBudget {
		return nil, err
	}
	return &s.doc, err
}

// stopped fills the document of a climb that did not come to its end: the rungs that were not reached, and why.
func (s *steps) stopped(err error) {
	done := make(map[rung.Rung]map[rung.ModelRef]bool)
	for _, o := range s.doc.Rungs {
		if done[o.Rung] == nil {
			done[o.Rung] = make(map[rung.ModelRef]bool)
		}
		done[o.Rung][o.Model] = true
	}
	for _, r := range rung.Ladder {
		for _, m := range s.Task.Models {
			if !done[r][m] {
				s.doc.Rungs = append(s.doc.Rungs, rung.Outcome{Rung: r, Model: m, Status: rung.Skipped, Reason: "not reached: " + err.Error()})
			}
		}
	}
	s.doc.Decision = rung.Decision{Verdict: rung.Inconclusive, Reasons: []string{"The climb stopped before its end: " + err.Error() + "."}}
}

func (s *steps) priceNotes() {
	if n := s.Door.Counts().Unpriced; n > 0 {
		s.note(fmt.Sprintf("The price of %d calls is unknown and was counted as zero; name a price file with --prices.", n))
	}
}

// Inapplicable implements climb.Steps.
func (s *steps) Inapplicable(r rung.Rung, ref rung.ModelRef) string {
	return s.kit.Inapplicable(r, ref)
}

// Build implements climb.Steps.
func (s *steps) Build(ctx context.Context, r rung.Rung, ref rung.ModelRef) (*recipe.Built, error) {
	s.mu.Lock()
	s.rung = r
	s.mu.Unlock()
	b, err := s.kit.Build(ctx, r, ref)
	if err != nil || b.Candidate == nil {
		return b, ended(ctx, err)
	}
	for _, n := range b.Notes {
		s.note(n)
	}
	_, err = s.Store.PutCandidate(ctx, b.Candidate)
	return b, err
}

// ended prefers the reason why ctx ended to the error that followed from it.
func ended(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// seed makes every interval of a report repeatable.
const seed = 1

// Score implements climb.Steps: the held-out set is read here, once per candidate.
func (s *steps) Score(ctx context.Context, c *rung.Candidate, level float64, stopping *climb.Stopping) (climb.Scored, error) {
	s.Step("scoring on held-out")
	r, err := s.kit.Runner(ctx, *c)
	if err != nil {
		return climb.Scored{}, ended(ctx, err)
	}
	card := store.Card{Candidate: c.Digest(), Split: rung.HeldoutIs, Set: s.Data.Heldout.Digest()}
	out, tally, err := scoring{
		answerer: r, examples: s.Data.Heldout.Examples(), set: card.Set, grader: s.Grader, concurrency: s.kit.Concurrency(c.Model),
		progress: s.Progress, keep: s.keeper(card), metric: s.Task.Bar.Metric, level: level, stopping: stopping,
		judged: s.judging(card.Candidate, s.Task.Bar.Metric),
	}.run(ctx)
	if err != nil {
		return climb.Scored{}, ended(ctx, err)
	}
	s.tallies[card.Candidate] = tally
	out.Card.Candidate, out.Card.Split = card.Candidate, card.Split
	for _, n := range judgeNotes(&out.Card) {
		if !slices.Contains(s.doc.Notes, n) {
			s.note(n)
		}
	}
	return out, nil
}

// Compare implements climb.Steps.
func (s *steps) Compare(ctx context.Context, a, b rung.Digest, level float64) (rung.Comparison, error) {
	c, err := s.contrast(ctx, side{a, s.tallies[a]}, side{b, s.tallies[b]}, s.Task.Bar.Metric, level, s.Task.Bar.MinGain)
	return rung.Comparison{Metric: c.Metric, Difference: c.Difference, P: c.P, PHolm: c.P, Test: c.Test, Significant: c.Undecided == "" && c.P < 1-level,
		Practical: c.Practical, Raw: c.Raw, Undecided: c.Undecided}, err
}

// Outcome implements climb.Steps.
func (s *steps) Outcome(o rung.Outcome) {
	s.doc.Rungs = append(s.doc.Rungs, o)
	if o.Status == rung.Scored {
		s.opt.Observe.Note(fmt.Sprintf("%s: %s, %s", o.Rung, o.Verdict, o.Reason))
	} else {
		s.opt.Observe.Note(fmt.Sprintf("%s: skipped, %s", o.Rung, o.Reason))
	}
	if err := s.save(context.Background(), store.Running); err != nil {
		s.log.Warn("the outcome is not stored yet", "error", err)
	}
}

// Step implements recipe.Observer.
func (s *steps) Step(text string) {
	s.mu.Lock()
	r := s.rung
	s.mu.Unlock()
	s.opt.Observe.Phase(r, text)
}

// Progress implements recipe.Observer; it shows the cost of the whole climb.
func (s *steps) Progress(done, total int, _ float64) {
	s.opt.Observe.Progress(done, total, s.budget.Spent())
}

// Note implements recipe.Observer.
func (s *steps) Note(text string) { s.note(text) }
