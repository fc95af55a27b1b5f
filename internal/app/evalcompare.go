package app

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/grade"
	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/stats"
)

// Match sets evaluations of one suite side by side; the first is the one that the others are compared with. metric is what the
// comparisons are about; empty: the bar's.
func (p *Project) Match(ctx context.Context, all []*Evaluated, metric, version string) (*rung.Matchup, error) {
	if metric == "" {
		metric = p.Task.Bar.Metric
	}
	if !slices.Contains(p.Grader.Names(), metric) {
		return nil, &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("the task has no metric %q", metric), Do: "use a metric of its scorecards"}
	}
	first := all[0].Doc
	m := &rung.Matchup{Task: p.Task.Name, Suite: first.Suite, Metric: metric, MinGain: p.minGain(metric), Alpha: p.Task.Alpha,
		Level: 1 - p.Task.Alpha, Started: time.Now().UTC(), Version: version}
	for _, e := range all {
		if e.Doc.Suite.Digest != first.Suite.Digest {
			return nil, &rung.Error{Code: rung.CodeInput, Place: e.Doc.Subject.Name, What: "was not evaluated on the same suite as " + first.Subject.Name, Do: "evaluate both on one suite"}
		}
		own := *e.Doc
		own.Segments = segments(e.Tally, e.Examples, rung.Bar{Metric: metric}, m.Level)
		if metric != e.Doc.Metric { // the scorecard was judged by another metric, and its bar is that one's
			own.Verdict, own.Reason, own.NeededN, own.AtLeast = "", "", 0, 0
		}
		if err := report.SettleEvaluation(ctx, p.Store, &own); err != nil {
			return nil, err
		}
		m.Subjects = append(m.Subjects, own)
	}
	for _, e := range all[1:] {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		pair, err := p.pair(ctx, all[0], e, metric, p.Grader.Names())
		if err != nil {
			return nil, err
		}
		if err := pairModes(pair, all[0], e, m.Level); err != nil {
			return nil, err
		}
		m.Pairs = append(m.Pairs, *pair)
	}
	adjust(m)
	for i := range m.Pairs {
		m.Pairs[i].Finding = finding(&m.Pairs[i], m)
	}
	m.Methods = matchMethods(m, all[0].Examples)
	m.Notes = append(m.Notes, matchNotes(all, p.Grader.Outsiders())...)
	return m, nil
}

// pair compares b with a on the named metrics, which both must have, and on every segment.
func (p *Project) pair(ctx context.Context, a, b *Evaluated, metric string, names []string) (*rung.Pair, error) {
	level, gain := 1-p.Task.Alpha, p.minGain(metric)
	out := &rung.Pair{A: a.Doc.Subject.Name, B: b.Doc.Subject.Name}
	for _, name := range names {
		c, err := p.contrast(ctx, a.side(), b.side(), name, level, gain)
		if err != nil {
			return nil, err
		}
		c.Practical = c.Practical && metric == p.Task.Bar.Metric
		if name == metric {
			out.Deciding, out.N = c, c.Difference.N
			continue
		}
		c.Practical = false // min_gain is in the unit of the bar's metric
		out.Others = append(out.Others, c)
	}
	if gain > 0 && out.Deciding.Undecided == "" {
		var err error
		if out.Equivalence, err = p.equivalence(ctx, a.side(), b.side(), metric, gain); err != nil {
			return nil, err
		}
	}
	if err := p.pairSegments(ctx, out, a, b, metric, level); err != nil {
		return nil, err
	}
	countShifts(out, a.Tally.Successes(), b.Tally.Successes())
	return out, nil
}

// minGain is the smallest gain worth having by a metric: the task says it in the unit of the bar's, and of no other.
func (p *Project) minGain(metric string) float64 {
	if metric != p.Task.Bar.Metric {
		return 0
	}
	return p.Task.Bar.MinGain
}

func (e *Evaluated) side() side { return side{e.Doc.Subject.Digest, e.Tally} }

// difference is the estimate of b − a, of a judge's metric with its lean taken out.
func (p *Project) difference(ctx context.Context, a, b side, metric string, level float64) (stats.Estimate, error) {
	e, _, _, err := grade.Difference(a.tally, b.tally, metric, level, seed)
	if err != nil {
		return e, err
	}
	j, err := p.judgeDifference(ctx, a, b, metric, level)
	if err == nil && j != nil && j.undecided == "" {
		return j.estimate, nil
	}
	return e, err
}

// equivalence makes the two one-sided tests of a difference. Where every example was asked, the p-value is not less than that of the
// interval which decides: the normal approximation says more where scores hardly vary.
func (p *Project) equivalence(ctx context.Context, a, b side, metric string, margin float64) (*rung.Equivalence, error) {
	e, err := p.difference(ctx, a, b, metric, 1-2*p.Task.Alpha)
	if err != nil {
		return nil, err
	}
	q := stats.Equivalent(e, margin)
	if !a.tally.Stopped() && !b.tally.Stopped() {
		q.P = max(q.P, stats.EquivalenceP(func(level float64) stats.Interval {
			at, failed := p.difference(ctx, a, b, metric, level)
			if failed != nil && err == nil {
				err = failed
			}
			return at.Interval
		}, margin))
	}
	return &rung.Equivalence{Margin: margin, Interval: rung.Interval(q.Interval), P: q.P, Shown: q.Shown}, err
}

func (p *Project) pairSegments(ctx context.Context, out *rung.Pair, a, b *Evaluated, metric string, level float64) error {
	names := segmentNames(a.Examples)
	if len(names) < 2 {
		return nil
	}
	for _, name := range names {
		in := inSegment(a.Examples, name)
		left, right := a.side(), b.side()
		left.tally, right.tally = left.tally.Part(in), right.tally.Part(in)
		if left.tally.Len() == 0 || right.tally.Len() == 0 {
			continue // neither figure nor n: an early stop came before it
		}
		c, err := p.contrast(ctx, left, right, metric, level, p.minGain(metric))
		if rung.CodeOf(err) == rung.CodeInput { // nothing in common there
			continue
		}
		if err != nil {
			return err
		}
		out.Segments = append(out.Segments, rung.SegmentShift{Segment: name, N: c.Difference.N, Shift: c})
	}
	return nil
}

// pairModes are the failure modes found by rule. What people said is about the answers that they looked at, which are others for
// either subject, so it is not compared.
func pairModes(out *rung.Pair, a, b *Evaluated, level float64) error {
	all, err := grade.ModeDifferences(a.Tally, b.Tally, level, seed)
	for _, d := range all {
		out.Modes = append(out.Modes, rung.ModeShift{Mode: d.Mode, A: rung.Interval(d.A.Interval), B: rung.Interval(d.B.Interval),
			Shift: rung.Contrast{Metric: d.Mode, Difference: rung.Interval(d.Difference.Interval), P: d.P, PHolm: d.P, Family: 1, Test: d.Test}})
	}
	return err
}

func countShifts(out *rung.Pair, a, b map[string]bool) {
	for id, was := range a {
		is, both := b[id]
		switch {
		case !both:
		case was && is:
			out.BothRight++
		case was:
			out.Broken++
		case is:
			out.Fixed++
		default:
			out.BothWrong++
		}
	}
}

// adjust corrects p-values by Holm's method in four families, since they answer four questions: the deciding metric over all pairs,
// the other metrics over all pairs, the segments over all pairs, and the failure modes over all pairs.
func adjust(m *rung.Matchup) {
	var deciding, others, segments, modes []*rung.Contrast
	for i := range m.Pairs {
		p := &m.Pairs[i]
		deciding = append(deciding, &p.Deciding)
		for j := range p.Others {
			others = append(others, &p.Others[j])
		}
		for j := range p.Segments {
			segments = append(segments, &p.Segments[j].Shift)
		}
		for j := range p.Modes {
			modes = append(modes, &p.Modes[j].Shift)
		}
	}
	for _, family := range [][]*rung.Contrast{deciding, others, segments, modes} {
		family = slices.DeleteFunc(family, func(c *rung.Contrast) bool { return c.Undecided != "" })
		ps := make([]float64, len(family))
		for i, c := range family {
			ps[i] = c.P
		}
		for i, adjusted := range stats.Holm(ps) {
			family[i].PHolm, family[i].Family, family[i].Significant = adjusted, len(family), adjusted < m.Alpha && !family[i].Difference.HoldsZero()
		}
	}
}

// finding says in a sentence what a pair shows, and never more.
func finding(p *rung.Pair, m *rung.Matchup) string {
	d := &p.Deciding
	same := p.Equivalence != nil && p.Equivalence.Shown
	switch {
	case d.Undecided != "":
		return fmt.Sprintf("nothing is decided between %s and %s: %s", p.B, p.A, d.Undecided)
	case d.Significant && d.Difference.Value > 0 && m.MinGain == 0:
		return fmt.Sprintf("%s is better than %s", p.B, p.A)
	case d.Significant && d.Difference.Value > 0 && d.Practical:
		return fmt.Sprintf("%s is better than %s, by more than min_gain %g", p.B, p.A, m.MinGain)
	case d.Significant && d.Difference.Value > 0 && same:
		return fmt.Sprintf("%s is better than %s, and by less than min_gain %g: in practice they are the same", p.B, p.A, m.MinGain)
	case d.Significant && d.Difference.Value > 0:
		return fmt.Sprintf("%s is better than %s; that it is by more than min_gain %g is not shown", p.B, p.A, m.MinGain)
	case d.Significant && same:
		return fmt.Sprintf("%s is worse than %s, by less than min_gain %g", p.B, p.A, m.MinGain)
	case d.Significant:
		return fmt.Sprintf("%s is worse than %s", p.B, p.A)
	case same:
		return fmt.Sprintf("%s and %s are shown to be the same within min_gain %g", p.B, p.A, m.MinGain)
	}
	return "no difference is shown, and neither that there is none"
}

// matchMethods say how the figures of a matchup came about.
func matchMethods(m *rung.Matchup, examples []rung.Example) []string {
	out := []string{
		fmt.Sprintf("Every subject was asked the same examples of %s (n = %d, digest %s); a call that failed or an answer that cannot be read scores 0 and stays in n.", m.Suite.Name, m.Suite.N, m.Suite.Digest.Short()),
		fmt.Sprintf("Differences are paired, example by example: B − A. Intervals are two-sided at level %g, each by itself; their methods stand beside them.", m.Level),
		fmt.Sprintf("p-values are two-sided and adjusted by Holm's method within four families: %s over all pairs, the other metrics over all pairs, the segments over all pairs, the failure modes over all pairs. Significant means: adjusted p below %g, and an interval that does not hold 0 (intervals are widened for what few examples cannot show, tests are not).", m.Metric, m.Alpha),
	}
	if m.MinGain > 0 && len(m.Pairs) > 1 {
		out = append(out, fmt.Sprintf("“By more than min_gain” means, besides, that the whole interval of that pair lies above %g; the interval is not adjusted for the number of pairs.", m.MinGain))
	}
	if m.MinGain > 0 {
		out = append(out, fmt.Sprintf("“The same” means two one-sided tests at ±%g (min_gain), each at %g: the interval of the difference at level %g lies within the margin. It is not adjusted for the number of pairs.", m.MinGain, m.Alpha, 1-2*m.Alpha))
	}
	for i := range m.Subjects {
		if s := m.Subjects[i].Stopped; s != nil {
			out = append(out, fmt.Sprintf("%s stopped early, after %d of %d examples: its intervals and its comparisons are of confidence sequences, which hold at any stop, on the examples that both were asked.", m.Subjects[i].Subject.Name, s.N, s.Of))
		}
	}
	return append(out, "Bootstraps and sign flips draw 10,000 times, from a fixed seed: the same answers give the same figures.",
		"Latency (p95 by nearest rank) and cost are what was measured on these answers; they have no interval.",
		clusterWords(examples)+" Each example stands for the traffic it was drawn from; nothing is claimed about other traffic.")
}

// clusterWords say how many independent units there are.
func clusterWords(examples []rung.Example) string {
	clusters := map[string]bool{}
	alone := 0
	for i := range examples {
		if g := examples[i].Group; g != "" {
			clusters[g] = true
		} else {
			alone++
		}
	}
	n, most := len(clusters)+alone, rung.LargestGroup(examples)
	if most == 1 {
		return fmt.Sprintf("Each of the %d examples stands alone: no two share a group or are copies of each other.", len(examples))
	}
	return fmt.Sprintf("Examples that share a group, and copies of each other, count as one cluster: the %d examples are %d clusters, the largest of %d.", len(examples), n, most)
}
