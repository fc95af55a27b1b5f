package rollout

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/stats"
)

// Action is what the evidence asks for.
type Action string

// The actions.
const (
	GoOn     Action = "go_on"
	Promote  Action = "promote"
	RollBack Action = "roll_back"
)

// Observed are the moments of a rollout: arm → metric → moments, the differences under the arm Pairs.
type Observed = map[string]map[string]rung.Moments

// Judgement is what the traffic says about a rollout.
type Judgement struct {
	Action    Action          `json:"action"`
	Undecided bool            `json:"undecided,omitempty"` // max_n is reached without an answer
	Reason    string          `json:"reason"`
	BaselineN int64           `json:"baseline_n"` // requests
	TargetN   int64           `json:"target_n"`
	Rules     []RuleJudgement `json:"rules"`
}

// RuleJudgement is what the traffic says about one rule.
type RuleJudgement struct {
	rung.RolloutRule
	Unit     string        `json:"unit,omitempty"`
	Baseline rung.Interval `json:"baseline"`
	Target   rung.Interval `json:"target"`
	// Difference is target − baseline. Its N counts pairs. Its bounds hold at every look: the one towards worse at the rollback's
	// share of alpha, the other at the promotion's.
	Difference rung.Interval `json:"difference"`
	Worse      bool          `json:"worse"`     // by more than Margin, beyond doubt
	NotWorse   bool          `json:"not_worse"` // by more than Margin, beyond doubt
	Gained     bool          `json:"gained"`    // by at least Gain, beyond doubt; true without a gain
	// Needed is about how many requests of the target settle the rule if the rest are like those seen; 0 when it is settled or
	// no end is in sight.
	Needed int `json:"needed"`
}

// Settled reports whether the rule stands in the way of nothing any more.
func (r *RuleJudgement) Settled() bool { return r.Worse || r.NotWorse && r.Gained }

// Judge says what the traffic so far asks for. It may be asked after every request: the chance that a rollout is ever wrongly
// rolled back or wrongly promoted stays at r.Alpha. Half of alpha is for each. The rollback's half is shared by the rules, since
// any of them can cause it; a promotion needs all of them, so the wrong one among them has to be wrong alone and each may use
// the whole half (intersection–union test, Berger 1982).
func Judge(r *rung.Rollout, seen Observed) Judgement {
	j := Judgement{Action: Decide(r, seen), BaselineN: requests(seen[Baseline]), TargetN: requests(seen[targetArm(r.Mode)])}
	for _, rule := range r.Rules {
		j.Rules = append(j.Rules, judgeRule(r, rule, seen))
	}
	if min(j.BaselineN, j.TargetN) < int64(r.MinN) {
		j.Reason = fmt.Sprintf("%d requests per arm are needed before anything is judged; baseline %d, target %d", r.MinN, j.BaselineN, j.TargetN)
		for i := range j.Rules {
			j.Rules[i].Worse, j.Rules[i].NotWorse, j.Rules[i].Gained = false, false, false
		}
		return j
	}
	j.explain(r)
	return j
}

// Decide is Judge without its figures: a gateway asks it several times a second.
func Decide(r *rung.Rollout, seen Observed) Action {
	target := requests(seen[targetArm(r.Mode)])
	if min(requests(seen[Baseline]), target) < int64(r.MinN) {
		return GoOn
	}
	good := true
	for _, rule := range r.Rules {
		w := weigh(r, rule, seen[Pairs][rule.Metric])
		if w.worse {
			return RollBack
		}
		good = good && w.notWorse && w.gained
	}
	switch {
	case good:
		return Promote
	case r.MaxN > 0 && target >= int64(r.MaxN):
		return RollBack
	}
	return GoOn
}

// explain gives the action its reason.
func (j *Judgement) explain(r *rung.Rollout) {
	var open, shown []string
	for i := range j.Rules {
		rule := &j.Rules[i]
		if rule.Worse {
			j.Reason = rule.worseReason()
			return
		}
		if !rule.Settled() {
			open = append(open, rule.Metric)
		}
		shown = append(shown, rule.betterReason())
	}
	switch j.Action {
	case Promote:
		j.Reason = strings.Join(shown, "; ")
	case RollBack:
		j.Undecided = true
		j.Reason = fmt.Sprintf("undecided after %d requests of the target (max_n %d): %s could be shown neither worse nor good enough", j.TargetN, r.MaxN, strings.Join(open, ", "))
	default:
		j.Reason = "not decided yet: " + strings.Join(open, ", ")
	}
}

// requests of an arm: every metric is observed at most once per request.
func requests(metrics map[string]rung.Moments) (n int64) {
	for _, m := range metrics {
		n = max(n, m.N)
	}
	return n
}

// weighed is the evidence about one rule.
type weighed struct {
	better                  stats.Running // of how much better the target is
	worse, notWorse, gained bool
	back, forth             float64 // error of a rollback and of a promotion by this rule
}

// weigh is all that deciding needs, and cheap.
func weigh(r *rung.Rollout, rule rung.RolloutRule, pairs rung.Moments) weighed {
	i := metricIndex(rule.Metric)
	if i < 0 {
		return weighed{} // a rollout of a newer rung: the rule is never settled, so nothing is promoted
	}
	bound := boundOf(rule)
	w := weighed{better: running(pairs, -bound, bound), back: r.Alpha / 2 / float64(len(r.Rules)), forth: r.Alpha / 2}
	if Metrics[i].LowerWins {
		w.better.Sum = -w.better.Sum
	}
	w.worse = w.better.EvidenceBelow(-rule.Margin) >= -math.Log(w.back)
	w.notWorse = w.better.EvidenceAbove(-rule.Margin) >= -math.Log(w.forth)
	w.gained = rule.Gain == 0 || w.better.EvidenceAbove(rule.Gain) >= -math.Log(w.forth)
	return w
}

func judgeRule(r *rung.Rollout, rule rung.RolloutRule, seen Observed) RuleJudgement {
	out := RuleJudgement{RolloutRule: rule}
	i := metricIndex(rule.Metric)
	if i < 0 {
		return out
	}
	lowerWins, bound, pairs := Metrics[i].LowerWins, boundOf(rule), seen[Pairs][rule.Metric]
	w := weigh(r, rule, pairs)
	out.Worse, out.NotWorse, out.Gained = w.worse, w.notWorse, w.gained
	out.Bound, out.Unit = openBound(rule), Metrics[i].Unit
	out.Baseline = armInterval(seen[Baseline][rule.Metric], bound, r.Alpha)
	out.Target = armInterval(seen[targetArm(r.Mode)][rule.Metric], bound, r.Alpha)
	out.Needed = needed(&out, w, r)
	low, high := w.better.LowerBound(w.forth), w.better.UpperBound(w.back)
	if lowerWins {
		low, high = -high, -low
	}
	out.Difference = rung.Interval{N: int(pairs.N), Level: 1 - w.back - w.forth, Low: low, High: high, Method: stats.RunningMethod}
	if pairs.N > 0 {
		out.Difference.Value = pairs.Sum / float64(pairs.N)
	}
	return out
}

func openBound(rule rung.RolloutRule) float64 {
	if i := metricIndex(rule.Metric); i < 0 || !Metrics[i].Open {
		return 0
	}
	return boundOf(rule)
}

// needed turns pairs into requests of the target.
func needed(out *RuleJudgement, w weighed, r *rung.Rollout) int {
	if out.Settled() || w.better.N == 0 {
		return 0
	}
	_, block := blocks(r.Share, r.Mode)
	pairs := w.better.NeededBelow(-out.Margin, w.back)
	up := w.better.NeededAbove(-out.Margin, w.forth)
	if out.Gain > 0 {
		up = w.better.NeededAbove(out.Gain, w.forth)
	}
	if pairs == 0 || up > 0 && up < pairs {
		pairs = up
	}
	return max(0, (pairs-int(w.better.N))*block)
}

func running(m rung.Moments, low, high float64) stats.Running {
	return stats.Running{N: m.N, Sum: m.Sum, Squares: m.Squares, Low: low, High: high}
}

func armInterval(m rung.Moments, bound, alpha float64) rung.Interval {
	return rung.Interval(running(m, 0, bound).Interval(alpha))
}

// AgreementOf is the share of requests to which both releases of a shadow rollout answered the same.
func AgreementOf(seen Observed, alpha float64) rung.Interval {
	return armInterval(seen[ShadowArm][Agreement], 1, alpha)
}

func (r *RuleJudgement) worseReason() string {
	return fmt.Sprintf("%s is worse by more than %s beyond doubt: %s", r.Metric, withUnit(r.Margin, r.Unit), r.evidence())
}

func (r *RuleJudgement) betterReason() string {
	if r.Gain > 0 {
		return fmt.Sprintf("%s is better by at least %s: %s", r.Metric, withUnit(r.Gain, r.Unit), r.evidence())
	}
	return fmt.Sprintf("%s is not worse by more than %s: %s", r.Metric, withUnit(r.Margin, r.Unit), r.evidence())
}

// evidence is the interval in words.
func (r *RuleJudgement) evidence() string {
	d := r.Difference
	return fmt.Sprintf("target − baseline %s to %s (%d pairs, confidence sequence, level %.4g %%)", Signed(d.Low), signedUnit(d.High, r.Unit), d.N, 100*d.Level)
}

func withUnit(x float64, unit string) string {
	if unit == "" {
		return Figure(x)
	}
	return Figure(x) + " " + unit
}

func signedUnit(x float64, unit string) string {
	if unit == "" {
		return Signed(x)
	}
	return Signed(x) + " " + unit
}

// Signed is Figure with its sign.
func Signed(x float64) string {
	if x < 0 {
		return "−" + Figure(-x)
	}
	return "+" + Figure(x)
}

// Figure writes a number for a person: it has three significant digits and no exponent.
func Figure(x float64) string {
	digits := 3
	if x != 0 {
		digits = max(0, 2-int(math.Floor(math.Log10(math.Abs(x)))))
	}
	s := strconv.FormatFloat(x, 'f', digits, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}
