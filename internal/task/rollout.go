package task

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
)

// rolloutMetrics are the metrics of traffic that a rollout can be judged by, those that take a bound at the end.
var rolloutMetrics = []string{"success", "error", "schema_valid", "guard_blocked", "feedback", "latency_ms", "cost_usd"}

var rolloutModes = []string{string(rung.Canary), string(rung.AB), string(rung.Shadow)}

// rollout reads how rollouts of the task are judged. What is left out stays zero: rung rollout start has the defaults.
func (r *reader) rollout(s section) rung.RolloutSpec {
	o := r.section(s.get("rollout"), "rollout", "rollout")
	spec := rung.RolloutSpec{
		Share: o.number("share", bounds{low: 0, high: 1, above: true}, 0),
		Alpha: o.number("alpha", bounds{low: 0, high: .5, above: true}, 0),
		MinN:  o.whole("min_n", 1, math.MaxInt32, 0),
		MaxN:  o.whole("max_n", 1, math.MaxInt32, 0),
		Rules: r.rolloutRules(o),
	}
	if mode := o.text("mode", "write "+strings.Join(rolloutModes, ", ")); mode != "" {
		spec.Mode = rung.RolloutMode(mode)
		if !slices.Contains(rolloutModes, mode) {
			r.fail(o.get("mode").at, fmt.Sprintf("there is no mode %q", mode), "write one of "+strings.Join(rolloutModes, ", "))
		}
	}
	if spec.MaxN > 0 && spec.MaxN < spec.MinN {
		r.fail(o.get("max_n").at, fmt.Sprintf("rollout.max_n is %d, below min_n", spec.MaxN), "write more than min_n")
	}
	if n := o.get("share"); n != nil && spec.Share == 1 && spec.Mode != rung.Shadow {
		r.fail(n.at, "with a share of 1 nothing is left to compare with", "write less than 1, or mode: shadow")
	}
	spec.Manual = o.get("auto") != nil && !o.flag("auto")
	return spec
}

func (r *reader) rolloutRules(o section) []rung.RolloutRule {
	const do = "list the metrics with how much worse they may be, such as: metrics: [{metric: success, margin: 0.02}]"
	n := o.get("metrics")
	if n == nil {
		return nil
	}
	if n.kind != listKind {
		r.fail(n.at, "rollout.metrics is "+string(n.kind), do)
		return nil
	}
	if len(n.items) == 0 {
		r.fail(n.at, "rollout.metrics is an empty list", do)
	}
	var rules []rung.RolloutRule
	for i, it := range n.items {
		path := fmt.Sprintf("rollout.metrics[%d]", i)
		r.at[path] = it.at
		m := r.section(it, path, "rollout.metrics[]")
		if it.kind != mappingKind {
			continue
		}
		rule := r.rolloutRule(m)
		if slices.ContainsFunc(rules, func(o rung.RolloutRule) bool { return o.Metric == rule.Metric }) && rule.Metric != "" {
			r.fail(it.at, rule.Metric+" is listed twice", "keep it once")
		}
		rules = append(rules, rule)
	}
	return rules
}

func (r *reader) rolloutRule(m section) rung.RolloutRule {
	do := "the metrics here are " + strings.Join(rolloutMetrics, ", ")
	m.need("metric", do)
	rule := rung.RolloutRule{Metric: m.text("metric", do)}
	place := slices.Index(rolloutMetrics, rule.Metric)
	if place < 0 && rule.Metric != "" {
		hint := do
		if guess := nearest(rule.Metric, rolloutMetrics); guess != "" {
			hint = fmt.Sprintf("did you mean %q?", guess)
		}
		r.fail(m.get("metric").at, fmt.Sprintf("there is no metric %q to judge a rollout by", rule.Metric), hint)
	}
	open := place >= len(rolloutMetrics)-2
	most := bounds{low: 0, high: 1, above: true}
	if open {
		most.high = math.Inf(1)
	}
	m.need("margin", "write how much worse the metric may be, in its unit, such as: margin: 0.02")
	rule.Margin = m.number("margin", most, 0)
	rule.Gain = m.number("gain", most, 0)
	rule.Bound = m.number("bound", bounds{low: 0, high: math.Inf(1), above: true}, 0)
	switch n := m.get("bound"); {
	case n == nil:
	case !open:
		r.fail(n.at, rule.Metric+" lies between 0 and 1 and takes no bound", "take it out; latency_ms and cost_usd have one")
	case rule.Bound <= max(rule.Margin, rule.Gain):
		r.fail(n.at, fmt.Sprintf("the bound of %s is %v, no more than its margin or gain", rule.Metric, rule.Bound), "write the most that one request counts")
	}
	return rule
}
