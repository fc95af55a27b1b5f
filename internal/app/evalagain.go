package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/grade"
	"github.com/rung-dev/rung/internal/recipe"
	"github.com/rung-dev/rung/internal/stats"
)

// AgainOptions say how an evaluation is repeated.
type AgainOptions struct {
	Repeat  int // examples that are answered a second time now, to measure chance; 0: DefaultRepeat; negative: none
	Version string
}

// DefaultRepeat is how many examples are answered twice to measure how much answers differ by chance.
const DefaultRepeat = 100

// Again makes an evaluation once more: the same subject, the same examples, answers asked for anew. The project must have been
// opened with Fresh. What differs from then is the model underneath, or chance; Drift tells them apart.
func (p *Project) Again(ctx context.Context, id string, opt AgainOptions) (*Evaluated, error) {
	old, err := EvaluationDoc(ctx, p.Store, id)
	if err != nil {
		return nil, err
	}
	if old.Task != p.Task.Name {
		return nil, &rung.Error{Code: rung.CodeInput, Place: "evaluation " + old.ID, What: "is of the task " + old.Task, Do: "name that task's file"}
	}
	then, err := p.Reread(ctx, old)
	if err != nil {
		return nil, err
	}
	sub, err := p.subjectOf(ctx, old)
	if err != nil {
		return nil, err
	}
	kept := then.Tally.Successes()
	var asked []rung.Example
	for i := range then.Examples { // in the frozen order, so that both tallies have one
		if _, ok := kept[then.Examples[i].ID]; ok {
			asked = append(asked, then.Examples[i])
		}
	}
	suite := &Suite{Name: old.Suite.Name, Split: old.Suite.Split, Digest: old.Suite.Digest, Examples: then.Examples}
	part := *suite
	part.Examples = asked
	evalOpt := EvalOptions{Full: true, Answers: old.Answers, Metric: old.Metric, AtLeast: &old.AtLeast, Apart: true, Version: opt.Version,
		NoBar: old.Verdict == ""}
	now, err := p.repeat(ctx, sub, &part, &evalOpt, old)
	if err != nil {
		return nil, err
	}
	if now.Doc.Drift, err = p.drift(ctx, then, now, sub, asked, opt.Repeat); err != nil {
		return nil, err
	}
	return now, p.keepEvaluation(ctx, now.Doc)
}

// repeat evaluates on the examples that the old evaluation holds, and keeps the examples of the whole suite under its digest.
func (p *Project) repeat(ctx context.Context, sub *Subject, part *Suite, opt *EvalOptions, old *rung.Evaluation) (*Evaluated, error) {
	opt.Grader = p.Grader
	bar, _ := opt.bar(p)
	if !slices.Contains(p.Grader.Names(), bar.Metric) {
		return nil, &rung.Error{Code: rung.CodeInput, Place: "evaluation " + old.ID, What: "was judged by the metric " + bar.Metric + ", which the task has no more", Do: "evaluate anew"}
	}
	doc := p.newEvaluation(sub, part, opt, bar)
	doc.Of, doc.Suite = old.ID, old.Suite
	e, err := p.run(ctx, sub, part, opt, bar, doc)
	return e, ended(ctx, err)
}

// subjectOf finds the subject of an evaluation again, and refuses another one of the same name.
func (p *Project) subjectOf(ctx context.Context, old *rung.Evaluation) (*Subject, error) {
	var sub *Subject
	var err error
	switch {
	case old.Subject.URL != "":
		sub, err = p.Subject(ctx, old.Subject.Ref)
	case old.Subject.Release != "":
		sub, err = p.Subject(ctx, old.Subject.Release)
	default:
		var c *rung.Candidate
		if c, err = p.Store.Candidate(ctx, string(old.Subject.Digest)); err == nil {
			sub, err = p.CandidateSubject(ctx, c, old.Subject.Ref)
		}
	}
	if err != nil {
		return nil, err
	}
	if sub.Digest != old.Subject.Digest {
		return nil, &rung.Error{Code: rung.CodeConflict, Place: old.Subject.Name, What: "is not what was evaluated then: " + sub.Digest.Short() + ", not " + old.Subject.Digest.Short(),
			Do: "evaluate it anew and compare the two with rung compare"}
	}
	return sub, nil
}

// drift compares now with then. Under the claim that the model underneath is the same, the answers to an example then and now are
// exchangeable, whatever the sampling noise: so the paired tests hold it in by themselves. The share of answers that changed is held
// against the share that changes when the same examples are asked again now.
func (p *Project) drift(ctx context.Context, then, now *Evaluated, sub *Subject, asked []rung.Example, repeat int) (*rung.Drift, error) {
	d := &rung.Drift{With: then.Doc.ID, At: then.Doc.Started, N: len(asked), Alpha: p.Task.Alpha, PChanged: 1}
	level := 1 - p.Task.Alpha
	var pBar float64
	for _, name := range p.Grader.Names() {
		e, pValue, test, err := grade.Difference(then.Tally, now.Tally, name, level, seed)
		if err != nil {
			return nil, err
		}
		c := rung.Comparison{Candidate: sub.Digest, With: sub.Rung(), Metric: name, Difference: rung.Interval(e.Interval), P: pValue, PHolm: pValue, Test: test}
		if name == now.Doc.Metric {
			pBar = pValue
			d.Quality = append([]rung.Comparison{c}, d.Quality...)
			continue
		}
		d.Quality = append(d.Quality, c)
	}
	if err := p.changes(ctx, d, then, now, sub, asked, repeat); err != nil {
		return nil, err
	}
	both := stats.Holm([]float64{pBar, d.PChanged})
	others := d.Quality[1:]
	ps := make([]float64, len(others))
	for i := range others {
		ps[i] = others[i].P
	}
	for i, adjusted := range stats.Holm(ps) {
		others[i].PHolm, others[i].Significant = adjusted, adjusted < p.Task.Alpha && !others[i].Difference.HoldsZero()
	}
	d.Quality[0].PHolm, d.Quality[0].Significant = both[0], both[0] < p.Task.Alpha && !d.Quality[0].Difference.HoldsZero()
	d.PChangedHolm = both[1]
	if !slices.Equal(then.Doc.Served, now.Doc.Served) {
		d.Served = then.Doc.Served
	}
	d.Found = d.Quality[0].Significant || both[1] < p.Task.Alpha
	d.Reason = driftReason(d, now.Doc)
	return d, nil
}

func driftReason(d *rung.Drift, now *rung.Evaluation) string {
	q := d.Quality[0]
	var parts []string
	switch {
	case q.Significant && q.Difference.Value < 0:
		parts = append(parts, q.Metric+" has fallen")
	case q.Significant:
		parts = append(parts, q.Metric+" has risen")
	default:
		parts = append(parts, "no change of "+q.Metric+" is shown")
	}
	switch {
	case d.Noise == nil:
		parts = append(parts, "how much answers differ by chance was not measured")
	case d.PChangedHolm < d.Alpha:
		parts = append(parts, "more answers changed than change by chance")
	default:
		parts = append(parts, "no more answers changed than change by chance")
	}
	if d.Served != nil {
		parts = append(parts, fmt.Sprintf("the server reports %s, then %s", orNothing(now.Served), orNothing(d.Served)))
	}
	return strings.Join(parts, "; ")
}

func orNothing(names []string) string {
	if len(names) == 0 {
		return "no model name"
	}
	return strings.Join(names, ", ")
}

// changes counts answers that are not word for word those of then, and how many are not when the same is asked twice now.
func (p *Project) changes(ctx context.Context, d *rung.Drift, then, now *Evaluated, sub *Subject, asked []rung.Example, repeat int) error {
	before, err := p.answers(ctx, then.Doc)
	if err != nil {
		return err
	}
	first, err := p.answers(ctx, now.Doc)
	if err != nil {
		return err
	}
	changed := make([]float64, 0, len(asked))
	for i := range asked {
		changed = append(changed, differs(before[asked[i].ID], first[asked[i].ID]))
	}
	plan := stoppedPlan(then)
	d.Changed = shareOf(changed, asked, plan, d.Alpha)
	sampler, ok := sub.Answerer.(recipe.Sampler)
	if repeat == 0 {
		repeat = DefaultRepeat
	}
	if !ok || repeat < 0 {
		return nil
	}
	places := firstAsked(then, asked, repeat)
	twice, again := make([]rung.Example, len(places)), make([]float64, len(places))
	for k, i := range places {
		twice[k], again[k] = asked[i], changed[i]
	}
	second, err := p.second(ctx, sampler, sub, twice, now.Doc.Answers)
	if err != nil {
		return err
	}
	noise := make([]float64, len(twice))
	for i := range twice {
		noise[i] = differs(first[twice[i].ID], second[i])
	}
	d.Noise = shareOf(noise, twice, plan, d.Alpha)
	d.Noise.Method += ", the same examples asked twice now"
	d.PChanged, d.TestChanged = changeTest(again, noise, clustersOf(twice), plan)
	return nil
}

// stoppedPlan is what was known of the suite where an evaluation stopped early; nil where it did not.
func stoppedPlan(e *Evaluated) *stats.AnytimePlan {
	if e.Doc.Stopped == nil {
		return nil
	}
	return &stats.AnytimePlan{Total: len(e.Examples), Largest: rung.LargestGroup(e.Examples)}
}

// shareOf is the share of ones over examples, with the interval of a sequence where the number of examples came from a stop.
func shareOf(ones []float64, examples []rung.Example, plan *stats.AnytimePlan, alpha float64) *rung.Interval {
	o := stats.Options{Level: 1 - alpha, PassFail: true, Seed: seed}
	e := stats.Estimate{}
	if plan == nil {
		e = stats.Mean(ones, clustersOf(examples), o)
	} else {
		e = stats.NewAnytime(ones, clustersOf(examples), 0, *plan, o).Interval(alpha / 2)
	}
	iv := rung.Interval(e.Interval)
	return &iv
}

// firstAsked are the places in asked of the n that were asked first, in the order of asking: of an evaluation that stopped, only a
// beginning of it is a sample that a sequence holds for.
func firstAsked(then *Evaluated, asked []rung.Example, n int) []int {
	at := make(map[string]int, len(asked))
	for i := range asked {
		at[asked[i].ID] = i
	}
	var out []int
	for _, i := range rung.Order(then.Doc.Suite.Digest, then.Examples) {
		if place, ok := at[then.Examples[i].ID]; ok && len(out) < n {
			out = append(out, place)
		}
	}
	return out
}

// changeTest is one-sided, against "no more answers changed since then than change when asked twice": exact McNemar, sign flips where
// examples form groups, and the betting sequence on the differences where then stopped early, since what was answered then decided how
// many examples there are.
func changeTest(changed, noise []float64, clusters []int, plan *stats.AnytimePlan) (float64, string) {
	diff, sum := make([]float64, len(noise)), 0.0
	for i := range diff {
		diff[i] = changed[i] - noise[i]
		sum += diff[i]
	}
	switch {
	case plan != nil:
		atMost, _ := stats.NewAnytime(diff, clusters, 0, *plan, stats.Options{Bounds: stats.Bounds{Low: -1, High: 1}}).OneSided(0)
		return atMost, "betting, valid at any stop, one-sided"
	case clusters == nil:
		return stats.McNemar(stats.Discordant(noise, changed)).More, "exact McNemar, one-sided"
	}
	p := stats.SignFlip(diff, clusters, stats.Resamples, seed) // symmetric, so either side has half of it
	if sum <= 0 {
		return 1 - p/2, "sign flips by cluster, one-sided"
	}
	return p / 2, "sign flips by cluster, one-sided"
}

// second asks each example once more, past what the evaluation asked, a few at a time.
func (p *Project) second(ctx context.Context, s recipe.Sampler, sub *Subject, examples []rung.Example, sample int) ([]rung.Answer, error) {
	p.opt.Observe.Phase(sub.Rung(), "asking again to measure chance")
	out := make([]rung.Answer, len(examples))
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	next := 0
	take := func() int {
		mu.Lock()
		defer mu.Unlock()
		if failed != nil || next >= len(examples) || ctx.Err() != nil {
			return -1
		}
		next++
		return next - 1
	}
	for range max(1, sub.Concurrency) {
		wg.Go(func() {
			for i := take(); i >= 0; i = take() {
				ans, err := s.Sample(ctx, examples[i].Input, sample)
				out[i] = ans
				if err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
				}
				p.opt.Observe.Progress(i+1, len(examples), p.budget.Spent())
			}
		})
	}
	wg.Wait()
	if failed == nil {
		failed = ctx.Err()
	}
	return out, ended(ctx, failed)
}

// answers are the kept first answers of an evaluation by example.
func (p *Project) answers(ctx context.Context, doc *rung.Evaluation) (map[string]rung.Answer, error) {
	out := map[string]rung.Answer{}
	for score, err := range p.Store.Scores(ctx, doc.Subject.Digest, doc.Scores) {
		if err != nil {
			return nil, err
		}
		out[score.Example] = score.Answer
	}
	return out, nil
}

// differs is 1 where two answers are not the same: their values where both have one, else their texts and problems.
func differs(a, b rung.Answer) float64 {
	same := a.Text == b.Text && a.Problem == b.Problem
	if a.Value != nil && b.Value != nil {
		same = string(a.Value) == string(b.Value)
	}
	if same {
		return 0
	}
	return 1
}

// clustersOf are the cluster numbers of examples; nil when each stands alone.
func clustersOf(examples []rung.Example) []int {
	if rung.LargestGroup(examples) == 1 {
		return nil
	}
	groups := make([]string, len(examples))
	for i := range examples {
		groups[i] = examples[i].Group
	}
	return stats.Clusters(groups)
}
