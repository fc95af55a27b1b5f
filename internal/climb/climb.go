// Package climb decides: in which order rungs are tried, what each scorecard says against the bar, when to stop, and why.
// It makes no call and reads no file; building and scoring are given to it.
package climb

import (
	"context"
	"fmt"
	"slices"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/recipe"
	"github.com/rung-dev/rung/internal/stats"
)

// Plan is what a climb is to do.
type Plan struct {
	Bar     rung.Bar
	Rungs   []rung.Rung // that may be tried; the others are skipped with that reason
	Models  []rung.ModelRef
	Alpha   float64               // error rate of the whole climb
	Weights map[rung.Rung]float64 // how α is spent; nil: equally
	All     bool                  // score every rung, also after one has passed
	// Heldout is the number of held-out examples, and Largest that of their largest group. With Full every rung is asked all of them;
	// else a rung stops as soon as its verdict is clear.
	Heldout int
	Largest int
	Full    bool
	// MayNotDecide says why the bar's metric may not decide alone, such as a judge that was never held against people; empty when it
	// may. A rung that would pass is inconclusive then.
	MayNotDecide string
}

// Scored is a candidate's result on the held-out examples.
type Scored struct {
	Card rung.Scorecard
	Bar  stats.Estimate // of the bar's metric, at the level of the rung
	Stop *rung.Stop     // where it stopped before the end of the held-out set
}

// Steps do the work of a climb.
type Steps interface {
	// Inapplicable says why a rung cannot be tried for a model at all; empty when it can. It looks at the task only, since
	// the number of rungs that can pass must be known before the first one is scored.
	Inapplicable(r rung.Rung, ref rung.ModelRef) string
	Build(ctx context.Context, r rung.Rung, ref rung.ModelRef) (*recipe.Built, error)
	// Score asks a candidate the held-out examples. It may stop as stopping says, which is nil when every example is to be asked;
	// level is that of the intervals where it does not stop.
	Score(ctx context.Context, c *rung.Candidate, level float64, stopping *Stopping) (Scored, error)
	// Compare compares b with a, both scored before, on the bar's metric.
	Compare(ctx context.Context, a, b rung.Digest, level float64) (rung.Comparison, error)
	// Outcome is told every outcome as it comes, so that a stopped climb has something to show.
	Outcome(o rung.Outcome)
}

// attempt is one rung with one model.
type attempt struct {
	rung  rung.Rung
	model rung.ModelRef
	alpha float64 // its share
	why   string  // why it cannot be tried
}

// attempts lists every rung with every model, cheapest rung first and models in the task's order, and spends α over those
// that can be tried: each has one chance to pass wrongly, and together they have α (a union bound).
func (p Plan) attempts(steps Steps) []attempt {
	var list []attempt
	var open []int
	var weights []float64
	for _, r := range rung.Ladder {
		for _, m := range p.Models {
			a := attempt{rung: r, model: m, why: "it was not asked for (rungs in the task file, or --rungs)"}
			if slices.Contains(p.Rungs, r) {
				a.why = steps.Inapplicable(r, m)
			}
			if a.why == "" {
				open = append(open, len(list))
				weights = append(weights, p.weight(r))
			}
			list = append(list, a)
		}
	}
	for i, alpha := range stats.Spend(p.Alpha, len(open), weights) {
		list[open[i]].alpha = alpha
	}
	return list
}

func (p Plan) weight(r rung.Rung) float64 {
	if w, ok := p.Weights[r]; ok {
		return w
	}
	return 1
}

// Level is the level of the intervals when α is spent equally and no rung stops, for a reader of the whole report.
func (p Plan) Level(steps Steps) float64 {
	for _, a := range p.attempts(steps) {
		if a.why == "" {
			return p.level(a.alpha)
		}
	}
	return p.level(p.Alpha)
}

// level is that of the intervals of a rung with the given share of α that was asked every example.
func (p Plan) level(alpha float64) float64 {
	if s := p.stopping(alpha); s != nil {
		return s.EndLevel()
	}
	return 1 - alpha
}

// Stops says whether rungs of the climb may stop before the last held-out example.
func (p Plan) Stops() bool { return p.stopping(p.Alpha) != nil }

// stopping is how a rung with the given share of α may stop; nil when it may not, or has too few examples to.
func (p Plan) stopping(alpha float64) *Stopping {
	if p.Full || p.Heldout <= firstLook {
		return nil
	}
	return &Stopping{Bar: p.Bar, Alpha: alpha, Total: p.Heldout, Largest: p.Largest}
}

// Run climbs. It returns the outcomes of all rungs and the decision. An error leaves the outcomes so far.
func Run(ctx context.Context, p Plan, steps Steps) ([]rung.Outcome, rung.Decision, error) {
	c := climber{plan: p, steps: steps, comparisonLevel: 1 - p.Alpha}
	for _, a := range p.attempts(steps) {
		if err := c.try(ctx, a); err != nil {
			return c.outcomes, rung.Decision{}, err
		}
	}
	c.adjust()
	return c.outcomes, c.decide(), nil
}

type climber struct {
	plan            Plan
	steps           Steps
	comparisonLevel float64
	outcomes        []rung.Outcome
	scored          []int // places in outcomes
	passed          bool
}

func (c *climber) try(ctx context.Context, a attempt) error {
	o := rung.Outcome{Rung: a.rung, Model: a.model, Status: rung.Skipped}
	switch {
	case a.why != "":
		o.Reason = a.why
	case c.passed && !c.plan.All:
		o.Reason = "not needed, since a cheaper rung meets the bar"
	default:
		built, err := c.steps.Build(ctx, a.rung, a.model)
		if err != nil {
			return err
		}
		o.Search, o.Curve, o.Reason = built.Trials, built.Curve, built.Skipped
		o.Building = &built.Effort
		if built.Candidate != nil {
			if err := c.score(ctx, &o, built.Candidate, a.alpha); err != nil {
				return err
			}
		}
	}
	c.outcomes = append(c.outcomes, o)
	c.steps.Outcome(o)
	return nil
}

func (c *climber) score(ctx context.Context, o *rung.Outcome, cand *rung.Candidate, alpha float64) error {
	s, err := c.steps.Score(ctx, cand, c.plan.level(alpha), c.plan.stopping(alpha))
	if err != nil {
		return err
	}
	fill(o, &s.Card)
	o.Stopped = s.Stop
	j := c.plan.judge(&s)
	o.Verdict, o.Reason, o.NeededN = j.verdict, j.reason, j.needed
	if err := c.compare(ctx, o); err != nil {
		return err
	}
	c.scored = append(c.scored, len(c.outcomes))
	c.passed = c.passed || j.verdict == rung.Pass
	return nil
}

// fill copies a scorecard's figures to where readers of the document look for them.
func fill(o *rung.Outcome, card *rung.Scorecard) {
	o.Status, o.Candidate, o.Metrics, o.N = rung.Scored, card.Candidate, card.Metrics, card.N
	o.Calls, o.Tokens, o.Retries = card.Calls, card.Tokens, card.Retries
	o.CostUSD, o.CostPerSuccess = card.CostUSD, card.CostPerSuccess
	o.WallSeconds, o.P50Millis, o.P95Millis = card.WallSeconds, card.P50Millis, card.P95Millis
	o.Scorecard = card
}

// compare pairs a candidate with the rung below it and with the first one scored, the baseline.
func (c *climber) compare(ctx context.Context, o *rung.Outcome) error {
	if len(c.scored) == 0 {
		return nil
	}
	with := []int{c.scored[len(c.scored)-1]}
	if first := c.scored[0]; first != with[0] {
		with = append(with, first)
	}
	for _, i := range with {
		below := &c.outcomes[i]
		cmp, err := c.steps.Compare(ctx, below.Candidate, o.Candidate, c.comparisonLevel)
		if err != nil {
			return err
		}
		cmp.With, cmp.Candidate = below.Rung, below.Candidate
		cmp.Practical = cmp.Undecided == "" && cmp.Difference.Low > c.plan.Bar.MinGain
		o.Comparisons = append(o.Comparisons, cmp)
	}
	return nil
}

// adjust puts all the climb's comparisons on one table and corrects their p-values by Holm's method. A difference is significant when its
// interval says so too: intervals are widened for what few examples cannot show, and tests are not.
func (c *climber) adjust() {
	var all []*rung.Comparison
	var p []float64
	for i := range c.outcomes {
		for j := range c.outcomes[i].Comparisons {
			cmp := &c.outcomes[i].Comparisons[j]
			if cmp.Undecided != "" {
				cmp.Significant = false
				continue
			}
			all, p = append(all, cmp), append(p, cmp.P)
		}
	}
	for i, adjusted := range stats.Holm(p) {
		all[i].PHolm, all[i].Significant = adjusted, adjusted < c.plan.Alpha && !all[i].Difference.HoldsZero()
	}
}

// best is the scored outcome with the highest value of the bar's metric, the cheapest of equals.
func (c *climber) best() *rung.Outcome {
	if len(c.scored) == 0 {
		return nil
	}
	i := slices.MaxFunc(c.scored, func(a, b int) int {
		va, vb := c.value(a), c.value(b)
		switch {
		case va < vb:
			return -1
		case va > vb:
			return 1
		}
		return b - a
	})
	return &c.outcomes[i]
}

func (c *climber) value(i int) float64 { return c.outcomes[i].Metrics[c.plan.Bar.Metric].Value }

// name is how a rung is called in sentences: with its model when there are several.
func (c *climber) name(o *rung.Outcome) string {
	if len(c.plan.Models) > 1 {
		return fmt.Sprintf("%s with %s", o.Rung, o.Model)
	}
	return string(o.Rung)
}
