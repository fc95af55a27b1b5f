package tune

import (
	"time"

	"github.com/rung-dev/rung"
)

// AllLinear are the seven projections of a llama block.
var AllLinear = []string{"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}

// attentionPair is LoRA's classical choice, and the starting point.
var attentionPair = []string{"q_proj", "v_proj"}

// DefaultGrid is what to try for a base model of so many parameters within wall: a race of up to four configurations, with
// the one that did best on models of that size first, because a job without time for a race trains that one.
//
// Small models need far higher rates than the usual advice for 7B (2e-4): at 135M parameters 2e-4 learned little, 2e-3 with
// all projections did best (DESIGN.md). The rate falls with the cube root of the size in between: 2e-3 at 135M, 5e-4 at
// 7B. MaxRank of zero is no limit.
func DefaultGrid(parameters int64, wall time.Duration, maxRank int) []rung.AdapterParams {
	rate := scaledRate(parameters)
	params := func(rank int, targets []string, lr float64) rung.AdapterParams {
		if maxRank > 0 {
			rank = min(rank, maxRank)
		}
		return rung.AdapterParams{Rank: rank, Alpha: 2 * rank, Dropout: 0.05, Targets: targets, LearningRate: lr,
			Epochs: epochs(wall), BatchSize: 4, Seed: 1}
	}
	best := params(16, AllLinear, rate)
	best.Alpha = best.Rank
	start := params(8, attentionPair, 1.5*rate)
	if wall < 3*time.Minute { // no time to compare
		return []rung.AdapterParams{best}
	}
	slower := best
	slower.LearningRate = rate / 2
	if wall < 8*time.Minute {
		return []rung.AdapterParams{best, start}
	}
	faster := best
	faster.LearningRate = 2 * rate
	return []rung.AdapterParams{best, slower, faster, start}
}

// epochs is an upper limit; the schedule ends sooner when the time does.
func epochs(wall time.Duration) float64 {
	if wall < 3*time.Minute {
		return 2
	}
	return 3
}

// scaledRate is 2e-3 · (135M / parameters)^(1/3), in steps that a person would write, within [1e-4, 2e-3].
func scaledRate(parameters int64) float64 {
	switch {
	case parameters < 250e6:
		return 2e-3
	case parameters < 800e6:
		return 1.5e-3
	case parameters < 2e9:
		return 1e-3
	case parameters < 20e9:
		return 5e-4
	}
	return 2e-4
}
