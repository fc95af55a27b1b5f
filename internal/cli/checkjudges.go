package cli

import (
	"fmt"
	"time"

	"github.com/rung-dev/rung"
)

// checkJudge is what a judge of the task will be asked, before anything is.
type checkJudge struct {
	Metric    string        `json:"metric"`
	Model     rung.ModelRef `json:"model"`
	PerAnswer int           `json:"calls_per_answer"`
	Heldout   int           `json:"heldout_calls"`     // for each rung that is scored on all held-out examples
	Dev       bool          `json:"on_dev"`            // it is the bar's metric, so every option that is tried on dev is judged too
	Seconds   float64       `json:"seconds_estimated"` // of the held-out calls
}

// A verdict in tokens: what the judge reads besides the example, and what it writes. The local model reads and writes so many tokens a
// second on two cores (docs/judges.md); a hosted one takes some two seconds, with eight calls at once.
const (
	judgeReads, judgeWrites   = 350, 60
	localReads, localWrites   = 650., 110.
	hostedSeconds, hostedLane = 2., 8.
)

// judgeCosts are the judges of a task with what each rung will ask them.
func judgeCosts(t *rung.Task, d *checkData) []checkJudge {
	var out []checkJudge
	for _, m := range t.Metrics {
		if m.Judge == nil {
			continue
		}
		j := checkJudge{Metric: m.Name, Model: m.Judge.Model, PerAnswer: max(1, len(m.Judge.Criteria)), Dev: ofMetric(t.Bar.Metric, m.Name)}
		if m.Judge.Pairwise {
			j.PerAnswer = 2 // both orders
		}
		j.Heldout = j.PerAnswer * d.Heldout
		reads := float64(judgeReads + d.Input.P50 + 2*d.Output.P50)
		each := hostedSeconds / hostedLane
		if j.Model.Local() {
			each = reads/localReads + judgeWrites/localWrites
		}
		j.Seconds = each * float64(j.Heldout)
		out = append(out, j)
	}
	return out
}

// ofMetric says whether a metric is a judge's, or one of its criteria.
func ofMetric(metric, judge string) bool {
	return metric == judge || len(metric) > len(judge) && metric[:len(judge)+1] == judge+"."
}

func (j *checkJudge) words(heldout int) string {
	calls := fmt.Sprintf("%s of %s: %s per answer, %s on %d held-out examples for every rung that is scored, roughly %s", j.Metric, j.Model,
		counted(j.PerAnswer, "call"), counted(j.Heldout, "call"), heldout, time.Duration(j.Seconds*float64(time.Second)).Round(time.Second))
	switch {
	case j.Dev:
		return calls + "; and as many per example for every option that is tried on dev"
	case j.Model.Local():
		return calls + "; it explains and does not decide, so a smaller or hosted model may do"
	}
	return calls
}
