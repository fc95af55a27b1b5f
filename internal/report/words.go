package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
)

// comparisonWords says what a paired comparison shows. Not finding a difference is never put as finding none.
func comparisonWords(c rung.Comparison, b rung.BarInfo, f figures) string {
	gain := f.of(b.Metric).score(b.MinGain)
	switch {
	case c.Undecided != "":
		return "decides nothing: " + c.Undecided
	case !c.Significant && c.PHolm < b.Alpha && c.Difference.HoldsZero():
		return "no difference is shown: the test finds one, but the interval, which holds for scores of any kind, does not exclude none"
	case !c.Significant && c.P < b.Alpha && c.PHolm > c.P:
		return "no difference found once all comparisons are counted; that does not show that they are the same"
	case !c.Significant:
		return "no difference found; that does not show that they are the same"
	case c.Difference.Value < 0:
		return "worse than " + string(c.With)
	case c.Metric != b.Metric: // the gain worth having is in the bar's unit
		return "better than " + string(c.With)
	case c.Practical:
		return fmt.Sprintf("better than %s, by more than the gain worth having (%s)", c.With, gain)
	default:
		return fmt.Sprintf("better than %s, but the gain may be smaller than %s, the least worth having", c.With, gain)
	}
}

// scoreWords is the decided candidate's score in a sentence: figure, interval, n, bar.
func scoreWords(d *rung.Document, f figures) string {
	o := decided(d)
	if o == nil {
		return ""
	}
	m, ok := o.Metrics[d.Bar.Metric]
	if !ok {
		return ""
	}
	g := f.of(d.Bar.Metric)
	out := fmt.Sprintf("%s %s with %s, %s interval %s to %s, on %s; the bar is %s.", d.Bar.Metric, g.score(m.Value), o.Model,
		percent(m.Level), g.score(m.Low), g.score(m.High), plural(m.N, "held-out example"), g.score(d.Bar.AtLeast))
	return out
}

// methods are the distinct ways in which the figures of a document were found, for its notes.
func methods(d *rung.Document) []string {
	var intervals, tests []string
	for _, o := range d.Rungs {
		for _, name := range sortedKeys(o.Metrics) {
			if m := o.Metrics[name].Method; m != "" && !slices.Contains(intervals, m) {
				intervals = append(intervals, m)
			}
		}
		for _, c := range o.Comparisons {
			for _, m := range []string{c.Test, c.Difference.Method} {
				if m != "" && !slices.Contains(tests, m) {
					tests = append(tests, m)
				}
			}
		}
	}
	scored := 0
	for _, o := range d.Rungs {
		if o.Status == rung.Scored {
			scored++
		}
	}
	b := d.Bar
	out := []string{heldoutWords(d),
		fmt.Sprintf("The examples were split by content and frozen before the first rung was built; digest %s. Code that builds candidates sees train and dev only.", d.Heldout.Digest.Short()),
		fmt.Sprintf("The error rate of the whole climb is at most α = %s: each rung has one chance to pass wrongly, so α is spent over the rungs and intervals are at level %s%s.", f2(b.Alpha), percent(b.Level), looksWords(&b)),
		"Pass: the lower bound reaches the bar. Fail: the upper bound is below it. Otherwise inconclusive, with the number of held-out examples that would settle it.",
	}
	if len(intervals) > 0 {
		sentence := "Intervals: " + strings.Join(intervals, "; ") + "."
		if strings.Contains(sentence, "CR0") {
			sentence += " Clustered intervals assume independent groups and have no small-sample factor."
		}
		out = append(out, sentence)
	}
	if len(tests) > 0 {
		out = append(out, "Comparisons are paired, on the same examples: "+strings.Join(tests, "; ")+". Holm's adjustment over all comparisons of the run. Tests are two-sided.")
	}
	out = append(out, "Success, for the cost per success, is an example's own score reaching the task's threshold; cost counts every call, re-asks included.")
	if scored > 0 {
		out = append(out, "Latency is measured at the client under the climb's own load, over all calls of an answer; it is no promise for another load or machine.")
	}
	return out
}

// looksWords say what is spent on stopping early.
func looksWords(b *rung.BarInfo) string {
	if !b.Stopping {
		return ""
	}
	return " where every example was asked: a tenth of each rung's share is spent on the looks at which it may stop"
}

// heldoutWords say which examples the figures are over.
func heldoutWords(d *rung.Document) string {
	const failures = "A call that failed, timed out or could not be read counts as a score of zero"
	var early []string
	for i := range d.Rungs {
		if o := &d.Rungs[i]; stoppedEarly(o) {
			early = append(early, fmt.Sprintf("%s after %d of %d", o.Rung, o.Stopped.N, o.Stopped.Of))
		}
	}
	if len(early) == 0 {
		return fmt.Sprintf("Every figure of quality is over all %s. %s, so n is the same for every rung.", plural(d.Heldout.N, "held-out example"), failures)
	}
	return fmt.Sprintf("The %s are asked in a fixed random order, and a rung stops when its verdict is clear or a pass is out of reach: %s. Its figures are over those examples, with intervals and tests that hold at any stop. %s.",
		plural(d.Heldout.N, "held-out example"), strings.Join(early, ", "), failures)
}

// f2 writes a rate such as α without its leading zero.
func f2(v float64) string {
	s := fmt.Sprintf("%.4f", v)
	s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	return strings.TrimPrefix(s, "0")
}

// byCount are the keys by falling count, equal counts by name.
func byCount(counts map[string]int) []string {
	keys := sortedKeys(counts)
	slices.SortStableFunc(keys, func(a, b string) int { return counts[b] - counts[a] })
	return keys
}
