package cli

import (
	"fmt"
	"math"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/stats"
	"github.com/rung-dev/rung/internal/task"
)

// planPower is the power that is planned with.
const planPower = stats.PlanPower

// fewForPower are examples below which the normal approximation of the power says nothing.
const fewForPower = 10

// checkPower says what the held-out examples are enough for. Differences and half-widths are in the metric's unit.
type checkPower struct {
	N          int     `json:"n"` // independent held-out examples
	Alpha      float64 `json:"alpha"`
	Rungs      int     `json:"rungs"`
	Level      float64 `json:"level"` // of one rung's interval
	Power      float64 `json:"power"`
	Detectable float64 `json:"detectable_difference"`
	MinGain    float64 `json:"min_gain"`
	NeededN    int     `json:"needed_heldout_for_min_gain"`
	NeededAll  int     `json:"needed_examples_for_min_gain"`
	HalfWidth  float64 `json:"half_width_at_bar"`
	ToPass     float64 `json:"must_measure_to_pass"` // 0 when no score can pass
	Method     string  `json:"method"`
	PassFail   bool    `json:"pass_fail"`

	unit   float64
	models int
}

func powerOf(t *rung.Task, d *checkData, passFail bool) *checkPower {
	rungs := applicable(t)
	p := &checkPower{N: d.Clusters, Alpha: t.Alpha, Rungs: max(1, len(rungs)), Power: planPower, MinGain: t.Bar.MinGain, PassFail: passFail, unit: 1, models: len(t.Models)}
	if m, ok := task.Standard(t.Bar.Metric); ok {
		p.unit = m.Max
	}
	a := smallestShare(t, rungs)
	p.Level = 1 - a
	gain := p.MinGain / p.unit
	if passFail {
		p.Method = fmt.Sprintf("paired, pass/fail; assumes that two candidates disagree on %.0f %% of the examples", stats.PlanDiscordance*100)
		p.Detectable = stats.PairedDetectable(stats.PlanDiscordance, p.N, a, planPower) * p.unit
		if gain > 0 {
			p.NeededN = stats.PairedSampleSize(stats.PlanDiscordance, gain, a, planPower)
		}
	} else {
		noise := stats.Noise{Difference: stats.PlanVariance}
		p.Method = "paired, graded; assumes a variance of the differences of 1/9"
		p.Detectable = stats.MinimumDetectable(noise, p.N, a, planPower) * p.unit
		if gain > 0 {
			p.NeededN = stats.SampleSize(noise, gain, a, planPower)
		}
	}
	if p.N < fewForPower {
		p.Detectable = p.unit
	}
	p.Detectable = min(p.Detectable, p.unit)
	p.NeededAll = int(math.Ceil(float64(p.NeededN) / t.Split.Heldout))
	p.atBar(t.Bar.AtLeast / p.unit)
	return p
}

// applicable are the rungs that the climb tries, once for each model that it tries them with: not without documents what retrieves,
// and not with a model elsewhere what trains. Those that need what is not installed are rung doctor's business.
func applicable(t *rung.Task) []rung.Rung {
	var out []rung.Rung
	for _, level := range t.Rungs {
		if len(t.Documents) == 0 && level.Retrieves() {
			continue
		}
		for _, m := range t.Models {
			if m.Local() || !level.Trains() {
				out = append(out, level)
			}
		}
	}
	return out
}

// chances are what α is spent over: rungs, each with each model that it is tried with.
func (p *checkPower) chances() string {
	if p.models > 1 {
		return counted(p.Rungs, "pair") + " of rung and model"
	}
	return counted(p.Rungs, "rung")
}

// smallestShare is the error rate of the rung that gets the least of alpha.
func smallestShare(t *rung.Task, rungs []rung.Rung) float64 {
	var weights []float64
	for _, level := range rungs {
		if t.AlphaWeights != nil {
			weights = append(weights, t.AlphaWeights[level])
		}
	}
	least := t.Alpha
	for _, a := range stats.Spend(t.Alpha, max(1, len(rungs)), weights) {
		if a > 0 {
			least = min(least, a)
		}
	}
	return least
}

// atBar finds how wide the interval is at the bar, and the smallest measured value whose interval lies above it. Wilson's
// interval is exact enough for pass/fail; graded scores between the same bounds vary less, so for them it is an upper limit.
func (p *checkPower) atBar(bar float64) {
	k := int(math.Round(bar * float64(p.N)))
	low, high := stats.Wilson(k, p.N, p.Level)
	p.HalfWidth = (high - low) / 2 * p.unit
	for ; k <= p.N; k++ {
		if low, _ := stats.Wilson(k, p.N, p.Level); low >= bar {
			p.ToPass = float64(k) / float64(p.N) * p.unit
			return
		}
	}
}

func (p *checkPower) warnings(t *rung.Task) []string {
	var out []string
	if p.ToPass == 0 {
		out = append(out, fmt.Sprintf("with %s no candidate can pass: even a perfect score leaves the bar of %s inside its interval. Add examples, lower the bar, or climb fewer rungs",
			counted(p.N, "independent held-out example"), fraction(t.Bar.AtLeast)))
	}
	return out
}
