package rollout

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
)

// The defaults of a rollout.
const (
	DefaultMode   = rung.Canary
	DefaultShare  = .1
	DefaultAlpha  = .05
	DefaultMargin = .02
	DefaultMinN   = 20
	DefaultMaxN   = 20_000
)

// UsualMargin is the margin of a metric for which none is given; 0 for those without a natural bound, which have no usual one.
func UsualMargin(metric string) float64 {
	if i := metricIndex(metric); i >= 0 && Metrics[i].Open {
		return 0
	}
	return DefaultMargin
}

// Fill puts the defaults where r has zero values.
func Fill(r *rung.Rollout) {
	if r.Mode == "" {
		r.Mode = DefaultMode
	}
	if r.Alias == "" {
		r.Alias = rung.Production
	}
	if r.Share == 0 {
		r.Share = DefaultShare
	}
	if r.Alpha == 0 {
		r.Alpha = DefaultAlpha
	}
	if r.MinN == 0 {
		r.MinN = DefaultMinN
	}
	if r.MaxN == 0 {
		r.MaxN = DefaultMaxN
	}
	if len(r.Rules) == 0 {
		r.Rules = []rung.RolloutRule{{Metric: Success, Margin: DefaultMargin}}
	}
}

// Check names everything that is wrong with the settings of a rollout.
func Check(r *rung.Rollout) rung.Errors {
	var errs rung.Errors
	fail := func(what, do string) {
		errs = append(errs, &rung.Error{Code: rung.CodeUsage, What: what, Do: do})
	}
	if !slices.Contains([]rung.RolloutMode{rung.Canary, rung.AB, rung.Shadow}, r.Mode) {
		fail(fmt.Sprintf("there is no mode %q", r.Mode), "the modes are canary, ab and shadow")
	}
	if !(r.Share > 0 && r.Share < 1) && !(r.Mode == rung.Shadow && r.Share == 1) {
		fail(fmt.Sprintf("the share is %v", r.Share), "give a share above 0 and below 1, such as 10%; both releases must have traffic to be compared")
	}
	if !(r.Alpha > 0 && r.Alpha <= .5) {
		fail(fmt.Sprintf("alpha is %v", r.Alpha), "give the chance of a wrong promotion or rollback, above 0 and at most 0.5")
	}
	if r.MinN < 1 || r.MaxN < 0 || r.MaxN > 0 && r.MaxN < r.MinN {
		fail(fmt.Sprintf("min-n is %d and max-n %d", r.MinN, r.MaxN), "give a min-n of at least 1 and a max-n above it")
	}
	if r.Baseline == r.Target {
		fail(fmt.Sprintf("%s answers already", r.Target), "name another version")
	}
	seen := map[string]bool{}
	for _, rule := range r.Rules {
		if what, do := CheckRule(rule); what != "" {
			fail(what, do)
		} else if seen[rule.Metric] {
			fail(rule.Metric+" is given twice", "keep it once")
		}
		seen[rule.Metric] = true
	}
	return errs
}

// CheckRule says what is wrong with a rule and what to do about it; empty when nothing is.
func CheckRule(rule rung.RolloutRule) (what, do string) {
	i := metricIndex(rule.Metric)
	if i < 0 || !Metrics[i].comparable {
		return fmt.Sprintf("there is no metric %q to judge by", rule.Metric), "the metrics are " + strings.Join(RuleMetrics(), ", ")
	}
	bound := boundOf(rule)
	finite := !math.IsInf(rule.Margin, 0) && !math.IsInf(rule.Gain, 0) && !math.IsInf(bound, 0)
	switch {
	case !(rule.Margin > 0) || !finite:
		return fmt.Sprintf("the margin of %s is %v", rule.Metric, rule.Margin), "give how much worse it may be, above 0: no traffic can show a margin of 0"
	case rule.Margin >= bound:
		return fmt.Sprintf("the margin of %s is %v and a request counts at most %v", rule.Metric, rule.Margin, bound), "give a smaller margin or a larger bound"
	case rule.Gain < 0 || rule.Gain >= bound || math.IsNaN(rule.Gain):
		return fmt.Sprintf("the gain of %s is %v", rule.Metric, rule.Gain), fmt.Sprintf("give one from 0 to below %v", bound)
	case rule.Bound < 0 || math.IsNaN(rule.Bound):
		return fmt.Sprintf("the bound of %s is %v", rule.Metric, rule.Bound), "give the most that one request counts, above 0"
	case rule.Bound > 0 && !Metrics[i].Open:
		return rule.Metric + " lies between 0 and 1 and takes no bound", "take it out; latency_ms and cost_usd have one"
	}
	return "", ""
}

// RuleMetrics are the metrics that a rollout can be judged by.
func RuleMetrics() []string {
	var names []string
	for _, m := range Metrics {
		if m.comparable {
			names = append(names, m.Name)
		}
	}
	return names
}
