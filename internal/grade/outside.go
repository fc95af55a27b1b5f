package grade

import (
	"context"
	"maps"
	"slices"

	"github.com/rung-dev/rung"
)

// Outside gives the values of metrics from outside the process: judges and the user's programs. It is asked before an answer is
// scored. What cannot be had is a value with its Failed set; the error is for what ends the work.
type Outside interface {
	Values(ctx context.Context, ex *rung.Example, ans *rung.Answer, metrics []string) (map[string]rung.OutsideValue, error)
}

// outsideNo is the mistake of an answer that a metric from outside thinks too little of.
const outsideNo = "scored too low by "

// Connect gives the grader the source of its metrics from outside. Before it, and where an answer was never sent there, these
// metrics score 0, with that as the reason.
func (g *Grader) Connect(o Outside) { g.source = o }

// Outsiders are the task's metrics whose values come from outside.
func (g *Grader) Outsiders() []string { return slices.Clone(g.outsiders) }

// Deciding is the grader with those metrics from outside only that the bar's metric needs, for choosing among candidates: the
// others are not asked there, and stay 0.
func (g *Grader) Deciding() *Grader {
	out := *g
	out.outsiders = nil
	if g.bar >= 0 && g.metrics[g.bar].source != "" {
		out.outsiders = []string{g.metrics[g.bar].source}
	}
	return &out
}

// Ask has an answer judged by the metrics from outside, and puts what they say into it. An answer that scores 0 anyway is not
// sent, and one that has its values keeps them. The error ends the work.
func (g *Grader) Ask(ctx context.Context, ex *rung.Example, ans *rung.Answer) error {
	if len(g.outsiders) == 0 || g.source == nil || g.read(ex, ans).failed {
		return nil
	}
	var missing []string
	for _, name := range g.outsiders {
		if _, there := ans.Outside[name]; !there {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	values, err := g.source.Values(ctx, ex, ans, missing)
	if err != nil {
		return err
	}
	all := make(map[string]rung.OutsideValue, len(ans.Outside)+len(values))
	for name, v := range ans.Outside {
		all[name] = v
	}
	for name, v := range values {
		all[name] = v
	}
	ans.Outside = all
	return nil
}

// outsideMetrics are the columns of a metric from outside: its own, and for a judge of several criteria one for each.
func outsideMetrics(spec rung.MetricSpec) []metric {
	k := graded
	if spec.PassFail {
		k = passFail
	}
	out := []metric{outsideMetric(spec.Name, spec.Name, "", k)}
	if spec.Judge == nil || spec.Judge.Pairwise || len(spec.Judge.Criteria) < 2 {
		return out
	}
	for _, c := range spec.Judge.Criteria {
		out = append(out, outsideMetric(spec.Name+"."+c.Name, spec.Name, c.Name, graded))
	}
	return out
}

func outsideMetric(name, source, part string, k kind) metric {
	return metric{name: name, kind: k, bounds: unit, missed: outsideNo + name, source: source,
		grade: func(r *reading, _ []float64) float64 {
			v, there := r.ans.Outside[source]
			value := v.Value
			if part != "" && v.Failed == "" {
				value, there = v.Parts[part]
			}
			switch {
			case !there:
				r.faults = append(r.faults, fault{name, name + " was not asked"})
				return 0
			case v.Failed != "":
				r.faults = append(r.faults, fault{name, source + ": " + clip(v.Failed)})
				return 0
			}
			return value
		}}
}

// Own is one answer's own score of a metric.
type Own struct {
	Example string
	Group   string
	Score   float64
}

// Judged are the own scores of a metric so far, in the frozen order; several of an example that was answered several times. ok is false
// for an unknown metric.
func (t *Tally) Judged(metric string) (scores []Own, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i, ok := t.g.index[metric]
	if !ok {
		return nil, false
	}
	for _, row := range t.rows() {
		scores = append(scores, Own{t.ids[row], t.groups[row], t.columns[i].own[row]})
	}
	return scores, true
}

// Try gives one metric's own score of one answer. failed says why it could not judge, where it is one that can fail (an expression, a
// program, a judge); the score is 0 then. The error ends the work.
func (g *Grader) Try(ctx context.Context, metric string, ex *rung.Example, ans *rung.Answer) (score float64, failed string, err error) {
	if err := g.Ask(ctx, ex, ans); err != nil {
		return 0, "", err
	}
	i, ok := g.index[metric]
	if !ok {
		return 0, "there is no such metric", nil
	}
	m := &g.metrics[i]
	r := g.read(ex, ans)
	score = m.score(r, make([]float64, m.width))
	if m.source == "" && m.missed != expressionNo {
		return score, "", nil
	}
	if v := ans.Outside[m.source]; m.source != "" && v.Failed != "" {
		return 0, v.Failed, nil
	}
	for _, f := range r.faults {
		if f.metric == metric {
			return 0, f.why, nil
		}
	}
	return score, "", nil
}

// hear remembers who gave the values of an answer.
func (t *Tally) hear(ans *rung.Answer) {
	for name, v := range ans.Outside {
		if t.by == nil {
			t.by = map[string]map[rung.Digest]bool{}
		}
		if t.by[name] == nil {
			t.by[name] = map[rung.Digest]bool{}
		}
		t.by[name][v.By] = true
	}
}

// By are the judges or programs, by digest, that gave a metric's values. More than one measured with several measures.
func (t *Tally) By(metric string) []rung.Digest {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Sorted(maps.Keys(t.by[metric]))
}

// Inside is the grader without its metrics from outside: they are not asked, and stay 0.
func (g *Grader) Inside() *Grader {
	out := *g
	out.outsiders = nil
	return &out
}
