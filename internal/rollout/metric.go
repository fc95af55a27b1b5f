// Package rollout moves traffic from one release to another and says when the evidence is enough to promote or roll back. Judge
// is pure; Controller runs inside each gateway. docs/rollouts.md says what may be claimed and why.
package rollout

import (
	"math"

	"github.com/rung-dev/rung"
)

// The arms of a rollout, as in rung.Trace, and Pairs, under which the differences by which it is judged are kept beside them.
const (
	Baseline  = "baseline"
	Target    = "target"
	ShadowArm = "shadow" // the target of a shadow rollout
	Pairs     = "pairs"
)

// The metrics of traffic. All but the last two lie between 0 and 1.
const (
	Success      = "success"       // 1: answered, fits the schema, no guard stopped it
	Failure      = "error"         // 1: the request ended with an error of ours or the provider's
	SchemaValid  = "schema_valid"  // 1: the answer fits the output form, repair included
	GuardBlocked = "guard_blocked" // 1: a guard stopped it
	Feedback     = "feedback"      // thumbs down 0, up 1, or the score
	Agreement    = "agreement"     // shadow only: 1 where both releases answered the same
	LatencyMS    = "latency_ms"
	CostUSD      = "cost_usd"
)

// Metric is what rollouts know about a metric.
type Metric struct {
	Name       string
	LowerWins  bool
	Open       bool // has no natural bound: a rule gives one
	Unit       string
	comparable bool // may be a rule: it is observed on both arms
}

// Metrics are all metrics, in the order of reports.
var Metrics = []Metric{
	{Name: Success, comparable: true}, {Name: Failure, LowerWins: true, comparable: true}, {Name: SchemaValid, comparable: true},
	{Name: GuardBlocked, LowerWins: true, comparable: true}, {Name: Feedback, comparable: true}, {Name: Agreement},
	{Name: LatencyMS, LowerWins: true, Open: true, Unit: "ms", comparable: true},
	{Name: CostUSD, LowerWins: true, Open: true, Unit: "USD", comparable: true},
}

const metricCount = 8

// metricIndex is the place of a metric in Metrics, −1 for a name that is none. It is on the way of every request.
func metricIndex(name string) int {
	switch name {
	case Success:
		return 0
	case Failure:
		return 1
	case SchemaValid:
		return 2
	case GuardBlocked:
		return 3
	case Feedback:
		return 4
	case Agreement:
		return 5
	case LatencyMS:
		return 6
	case CostUSD:
		return 7
	}
	return -1
}

// boundsOverMargin is the bound of an open metric in margins, where the rule gives none. A difference of one margin is found in
// some hundreds of pairs then, whatever the rare slow request costs.
const boundsOverMargin = 50

// boundOf is the most that a value of the rule's metric counts.
func boundOf(r rung.RolloutRule) float64 {
	i := metricIndex(r.Metric)
	switch {
	case i < 0 || !Metrics[i].Open:
		return 1
	case r.Bound > 0:
		return r.Bound
	}
	return boundsOverMargin * r.Margin
}

// cut brings a value to [0, bound]; what is no number is no value.
func cut(x, bound float64) (float64, bool) {
	if math.IsNaN(x) {
		return 0, false
	}
	return min(bound, max(0, x)), true
}

// targetArm is the arm of the release on trial.
func targetArm(mode rung.RolloutMode) string {
	if mode == rung.Shadow {
		return ShadowArm
	}
	return Target
}
