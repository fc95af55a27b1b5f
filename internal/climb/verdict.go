package climb

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/stats"
)

// power is the chance that the needed number of examples is promised to settle the verdict with.
const power = .8

type judgement struct {
	verdict rung.Verdict
	reason  string
	needed  int
}

// Judge holds one scorecard against the plan's bar, outside a climb.
func (p Plan) Judge(s *Scored) (v rung.Verdict, reason string, needed int) {
	j := p.judge(s)
	return j.verdict, j.reason, j.needed
}

// Judging is how one subject alone is evaluated: all of α is its own. stopping is nil when every example is to be asked.
func (p Plan) Judging() (level float64, stopping *Stopping) {
	return p.level(p.Alpha), p.stopping(p.Alpha)
}

// judge holds a scorecard against the plan's bar.
func (p Plan) judge(s *Scored) judgement { return judge(p.Bar, s, p.MayNotDecide) }

// judge holds a scorecard against the bar. The bar's metric must be shown to be there: its whole interval at or above
// at_least. Guards must not be broken: their observed value at or above their threshold, and they fail only when their
// whole interval is below. Limits on latency and cost are held against what was measured. mayNot, unless empty, says why the bar's
// metric may not decide alone: then it gives neither a pass nor a fail, and only limits and guards can fail.
func judge(bar rung.Bar, s *Scored, mayNot string) judgement {
	j := judgement{}
	switch s.Bar.Verdict(bar.AtLeast) {
	case stats.Pass:
		j.verdict = rung.Pass
		j.reason = fmt.Sprintf("%s is %s, at or above %s over the whole interval", bar.Metric, figure(s.Bar), num(bar.AtLeast))
	case stats.Fail:
		j.verdict = rung.Fail
		j.reason = fmt.Sprintf("%s is %s, below %s over the whole interval", bar.Metric, figure(s.Bar), num(bar.AtLeast))
	default:
		j.verdict = rung.Inconclusive
		j.needed = s.Bar.NeededN(bar.AtLeast, power)
		j.reason = fmt.Sprintf("%s is %s, and %s lies inside the interval; about %d held-out examples would settle it", bar.Metric, figure(s.Bar), num(bar.AtLeast), j.needed)
		if j.needed >= stats.MostNeeded {
			j.reason = fmt.Sprintf("%s is %s, too close to %s for any number of examples to settle it", bar.Metric, figure(s.Bar), num(bar.AtLeast))
		}
		if s.Stop != nil {
			j.needed = 0
			j.reason = fmt.Sprintf("%s is %s, and %s", bar.Metric, figure(s.Bar), s.Stop.Reason)
		}
	}
	if mayNot != "" && j.verdict != rung.Inconclusive {
		j.verdict, j.reason = rung.Inconclusive, j.reason+"; but "+mayNot
	}
	if s.Stop != nil {
		if s.Stop.Why == rung.StopFutility {
			j.verdict = worse(j.verdict, rung.Inconclusive)
		}
		j.reason += fmt.Sprintf("; stopped after %d of %d", s.Stop.N, s.Stop.Of)
	}
	for _, broken := range limits(bar, &s.Card) {
		j.verdict, j.reason = worse(j.verdict, broken.verdict), j.reason+"; but "+broken.reason
		if j.verdict == rung.Fail {
			j.needed = 0
		}
	}
	return j
}

// worse orders fail before inconclusive before pass.
func worse(a, b rung.Verdict) rung.Verdict {
	if a == rung.Fail || b == rung.Fail {
		return rung.Fail
	}
	if a == rung.Inconclusive || b == rung.Inconclusive {
		return rung.Inconclusive
	}
	return rung.Pass
}

// limits lists what else stands between a card and the bar.
func limits(bar rung.Bar, card *rung.Scorecard) []judgement {
	var out []judgement
	names := make([]string, 0, len(bar.Guards))
	for name := range bar.Guards {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		iv, least := card.Metrics[name], bar.Guards[name]
		if iv.Value >= least {
			continue
		}
		j := judgement{verdict: rung.Inconclusive, reason: fmt.Sprintf("the guard %s is %s, under %s", name, plain(iv), num(least))}
		if iv.High < least {
			j.verdict = rung.Fail
		}
		out = append(out, j)
	}
	if most := bar.MaxP95Latency; most > 0 && card.P95Millis > float64(most)/float64(time.Millisecond) {
		out = append(out, judgement{verdict: rung.Fail, reason: fmt.Sprintf("its p95 latency is %.0f ms, over the limit of %.0f ms", card.P95Millis, float64(most)/float64(time.Millisecond))})
	}
	if most := bar.MaxCostPerSuccess; most > 0 {
		switch {
		case card.CostPerSuccess == nil:
			out = append(out, judgement{verdict: rung.Fail, reason: "nothing succeeded, so no cost per success is within the limit"})
		case *card.CostPerSuccess > most:
			out = append(out, judgement{verdict: rung.Fail, reason: fmt.Sprintf("it costs $%.6f per success, over the limit of $%g", *card.CostPerSuccess, most)})
		}
	}
	return out
}

// figure shows an estimate as people read it: .72 [.63–.80] (99 % interval, n=100). Its method stands in the scorecard.
func figure(e stats.Estimate) string { return plain(rung.Interval(e.Interval)) }

func plain(iv rung.Interval) string {
	return fmt.Sprintf("%s [%s–%s] (%s %% interval, n=%d)", num(iv.Value), num(iv.Low), num(iv.High), num(100*iv.Level), iv.N)
}

// num shows a figure with as many digits as its size deserves, and no leading zero.
func num(x float64) string {
	s := fmt.Sprintf("%.3f", x)
	if x >= 10 || x <= -10 {
		s = fmt.Sprintf("%.1f", x)
	}
	s = strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
	if s == "-0" || s == "" {
		return "0"
	}
	if rest, ok := strings.CutPrefix(s, "0."); ok {
		return "." + rest
	}
	if rest, ok := strings.CutPrefix(s, "-0."); ok {
		return "−." + rest
	}
	return strings.Replace(s, "-", "−", 1)
}
