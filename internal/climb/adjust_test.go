package climb

import (
	"math"
	"slices"
	"testing"

	"github.com/rung-dev/rung"
)

// TestComparisonsOfAClimbAreAdjustedTogether: all p-values of a climb are one family of Holm's, a difference is significant by the adjusted one alone,
// and a gain matters when its whole interval lies above min_gain, not when its value does.
func TestComparisonsOfAClimbAreAdjustedTogether(t *testing.T) {
	l := newLadder(t, 200, 1, nil)
	first := func(right, fixed int) []bool { // the first are right, and so many of the last; one that was right is not
		out := make([]bool, 200)
		for i := range out {
			out[i] = i < right || i >= 200-fixed
		}
		if fixed > 0 {
			out[0] = false
		}
		return out
	}
	l.tossed = map[rung.Rung][]bool{rung.Prompt: first(100, 0), rung.FewShot: first(100, 9), rung.RAG: first(100, 9), rung.LoRA: first(100, 90), rung.RAGLoRA: first(100, 90)}
	p := plan()
	p.All, p.Bar.AtLeast = true, .1
	outcomes, _ := l.run(p)
	var all []rung.Comparison
	for _, o := range outcomes {
		all = append(all, o.Comparisons...)
	}
	if len(all) != 7 {
		t.Fatalf("%d comparisons", len(all))
	}
	byP := slices.Clone(all)
	slices.SortStableFunc(byP, func(a, b rung.Comparison) int { return int(math.Copysign(1, a.P-b.P)) })
	adjusted := map[float64]float64{}
	for i, most := 0, 0.0; i < len(byP); i++ { // Holm 1979: the i-th smallest of m times m−i, never less than the one before
		most = max(most, min(1, byP[i].P*float64(len(byP)-i)))
		adjusted[byP[i].P] = max(adjusted[byP[i].P], most)
	}
	alone, gains := 0, 0
	for _, c := range all {
		if math.Abs(c.PHolm-adjusted[c.P]) > 1e-12 || c.Significant != (c.PHolm < p.Alpha && !c.Difference.HoldsZero()) {
			t.Errorf("against %s: p %v, adjusted %v (want %v), significant %v", c.With, c.P, c.PHolm, adjusted[c.P], c.Significant)
		}
		if c.P < p.Alpha && !c.Significant {
			alone++
		}
		if c.Practical != (c.Difference.Low > p.Bar.MinGain) {
			t.Errorf("against %s: practical %v at %+v", c.With, c.Practical, c.Difference)
		}
		if c.Difference.Value > p.Bar.MinGain && !c.Practical {
			gains++
		}
	}
	if alone == 0 || gains == 0 {
		t.Errorf("%d of the comparisons would be significant by themselves only, %d have a gain that is not shown: nothing is tested", alone, gains)
	}
}
