package climb

import (
	"fmt"
	"strings"

	"github.com/rung-dev/rung"
)

// decide names the candidate and says why that one and none cheaper.
func (c *climber) decide() rung.Decision {
	chosen := c.cheapestPass()
	if chosen == nil {
		return c.nothingPasses()
	}
	d := rung.Decision{Rung: chosen.Rung, Candidate: chosen.Candidate, Verdict: rung.Pass}
	d.Reasons = append(d.Reasons, fmt.Sprintf("%s meets the bar: %s.", c.name(chosen), chosen.Reason))
	d.Reasons = append(d.Reasons, c.others(chosen)...)
	d.Reasons = append(d.Reasons, c.gains(chosen)...)
	return d
}

func (c *climber) cheapestPass() *rung.Outcome {
	for _, i := range c.scored {
		if c.outcomes[i].Verdict == rung.Pass {
			return &c.outcomes[i]
		}
	}
	return nil
}

// others says of every other rung why it was not chosen, in the order of the climb.
func (c *climber) others(chosen *rung.Outcome) []string {
	var out []string
	for i := range c.outcomes {
		o := &c.outcomes[i]
		switch {
		case o == chosen:
		case o.Status == rung.Skipped:
			out = append(out, fmt.Sprintf("%s was skipped: %s.", c.name(o), o.Reason))
		case o.Verdict == rung.Pass:
			out = append(out, fmt.Sprintf("%s meets the bar too, and costs more to own: %s.", c.name(o), o.Reason))
		case o.Verdict == rung.Inconclusive:
			out = append(out, fmt.Sprintf("%s is not settled: %s.", c.name(o), o.Reason))
		default:
			out = append(out, fmt.Sprintf("%s does not meet the bar: %s.", c.name(o), o.Reason))
		}
	}
	return out
}

// gains says what the chosen rung won over those it was compared with.
func (c *climber) gains(o *rung.Outcome) []string {
	var out []string
	for _, cmp := range o.Comparisons {
		out = append(out, fmt.Sprintf("Against %s, on the same examples: %s.", cmp.With, c.gain(cmp)))
	}
	return out
}

func (c *climber) gain(cmp rung.Comparison) string {
	d := cmp.Difference
	s := fmt.Sprintf("%s %s [%s–%s] (%s %% interval, n=%d), %s, p %s after Holm",
		cmp.Metric, signed(d.Value), num(d.Low), num(d.High), num(100*d.Level), d.N, cmp.Test, pValue(cmp.PHolm))
	gain := num(c.plan.Bar.MinGain)
	switch {
	case cmp.Undecided != "":
		return fmt.Sprintf("%s %s [%s–%s] (%s %% interval, n=%d) by the judge's own scores, which decides nothing: %s",
			cmp.Metric, signed(d.Value), num(d.Low), num(d.High), num(100*d.Level), d.N, cmp.Undecided)
	case cmp.Practical && cmp.Significant:
		return s + "; the gain is significant and larger than min_gain " + gain
	case cmp.Significant && d.Value > 0:
		return s + "; the gain is significant, but not shown to be larger than min_gain " + gain
	case cmp.Significant:
		return s + "; it is significantly worse"
	}
	if cmp.PHolm < c.plan.Alpha && d.HoldsZero() {
		return s + "; no difference is shown: the test finds one, but the interval, which holds for scores of any kind, does not exclude none"
	}
	return s + "; no difference was found, which does not show that there is none"
}

func pValue(p float64) string {
	if p < .001 {
		return "< .001"
	}
	return "= " + num(p)
}

func signed(x float64) string {
	if x >= 0 {
		return "+" + num(x)
	}
	return num(x)
}

// nothingPasses names the best candidate, how far it is from the bar, what it still gets wrong, and what to try.
func (c *climber) nothingPasses() rung.Decision {
	best := c.best()
	if best == nil {
		d := rung.Decision{Verdict: rung.Inconclusive, Reasons: []string{"No rung could be scored."}}
		d.Reasons = append(d.Reasons, c.others(nil)...)
		return d
	}
	iv := best.Metrics[c.plan.Bar.Metric]
	d := rung.Decision{Rung: best.Rung, Candidate: best.Candidate, Verdict: best.Verdict}
	d.Reasons = append(d.Reasons, fmt.Sprintf("No rung is shown to meet the bar. The best is %s: %s.", c.name(best), best.Reason))
	if short := c.plan.Bar.AtLeast - iv.Value; short > 0 {
		d.Reasons = append(d.Reasons, shortOf(iv, c.plan.Bar))
	}
	if even := c.even(best); len(even) > 0 {
		d.Reasons = append(d.Reasons, fmt.Sprintf("As high as that: %s. It is named since it is the cheapest of them.", strings.Join(even, ", ")))
	}
	d.Reasons = append(d.Reasons, c.others(best)...)
	d.Reasons = append(d.Reasons, c.gains(best)...)
	d.Reasons = append(d.Reasons, remaining(best)...)
	d.Advice = c.advice(best)
	return d
}

// shortOf is how far a figure is from the bar, with what its interval leaves open.
func shortOf(iv rung.Interval, bar rung.Bar) string {
	least, most := bar.AtLeast-iv.High, bar.AtLeast-iv.Low
	if least <= 0 {
		return fmt.Sprintf("It is %s short of %s %s; by its interval from above it to %s short.", num(bar.AtLeast-iv.Value), bar.Metric, num(bar.AtLeast), num(most))
	}
	return fmt.Sprintf("It is %s short of %s %s; by its interval, between %s and %s.", num(bar.AtLeast-iv.Value), bar.Metric, num(bar.AtLeast), num(least), num(most))
}

// even are the other scored rungs whose value is that of the best.
func (c *climber) even(best *rung.Outcome) []string {
	var out []string
	for _, i := range c.scored {
		if o := &c.outcomes[i]; o != best && c.value(i) == best.Metrics[c.plan.Bar.Metric].Value {
			out = append(out, c.name(o))
		}
	}
	return out
}

// remaining names the commonest mistakes that are left.
func remaining(o *rung.Outcome) []string {
	if o.Scorecard == nil || len(o.Scorecard.Mistakes) == 0 {
		return nil
	}
	var parts []string
	for _, m := range o.Scorecard.Mistakes[:min(len(o.Scorecard.Mistakes), 5)] {
		parts = append(parts, fmt.Sprintf("%s (%d, such as %s)", m.Kind, m.Count, strings.Join(m.Examples[:min(len(m.Examples), 2)], ", ")))
	}
	return []string{"Mistakes that remain: " + strings.Join(parts, "; ") + "."}
}

// advice is what to try when nothing passes, from what was seen.
func (c *climber) advice(best *rung.Outcome) []string {
	var out []string
	if best.NeededN > best.N {
		out = append(out, fmt.Sprintf("Collect about %d more examples for the held-out set, so that %s can be settled.", best.NeededN-best.N, best.Rung))
	}
	card := best.Scorecard
	if n := card.Problems[rung.CallFailed] + card.Problems[rung.TimedOut]; n*10 > best.N {
		out = append(out, fmt.Sprintf("%d of %d calls ended without an answer: look at the server, and at limits.timeout and limits.retries, before the model.", n, best.N))
	}
	if n := card.Problems[rung.NotJSON] + card.Problems[rung.BreaksSchema] + card.Problems[rung.Truncated]; n*10 > best.N {
		out = append(out, fmt.Sprintf("%d of %d answers break the output form: a model with constrained decoding, a simpler schema, or a larger limits.max_tokens would help.", n, best.N))
	}
	out = append(out, c.untried()...)
	if falling(c.outcomes) {
		out = append(out, "The learning curve was still falling when training ended: more training time (training.wall) or more train examples should help.")
	}
	return append(out, "Read the mistakes side by side with rung report; wrong expected outputs and unclear instructions are the cheapest to mend. A stronger model in models: is the next step up.")
}

// untried turns the reasons why rungs were skipped into things to do.
func (c *climber) untried() []string {
	var out []string
	for i := range c.outcomes {
		o := &c.outcomes[i]
		if o.Status != rung.Skipped {
			continue
		}
		if o.Rung == rung.RAG && strings.Contains(o.Reason, "no documents") {
			out = append(out, "If the answers depend on facts, add documents: so that rag can be tried.")
		}
		if o.Rung == rung.LoRA {
			out = append(out, "lora was skipped: "+o.Reason+".")
		}
	}
	return out
}

// falling reports whether the last step of a dev-loss curve still fell by more than two per cent.
func falling(outcomes []rung.Outcome) bool {
	for i := range outcomes {
		if curve := outcomes[i].Curve; len(curve) >= 2 {
			last, before := curve[len(curve)-1].Value, curve[len(curve)-2].Value
			if last < .98*before {
				return true
			}
		}
	}
	return false
}
