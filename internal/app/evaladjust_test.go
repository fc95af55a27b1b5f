package app

import (
	"math"
	"testing"

	"github.com/rung-dev/rung"
)

// TestEveryFamilyOfAComparisonIsAdjusted: the deciding metric, the other metrics, the segments and the failure modes are four families of Holm's over
// all pairs, and what a judge may not decide is in none.
func TestEveryFamilyOfAComparisonIsAdjusted(t *testing.T) {
	shift := func(p float64) rung.Contrast {
		return rung.Contrast{P: p, PHolm: p, Difference: rung.Interval{Value: .2, Low: .1, High: .3}}
	}
	pair := func(p float64) rung.Pair {
		return rung.Pair{Deciding: shift(p), Others: []rung.Contrast{shift(p), {P: 1e-9, Undecided: "nobody rated"}, shift(1)},
			Segments: []rung.SegmentShift{{Shift: shift(p)}, {Shift: shift(1)}, {Shift: shift(1)}}, Modes: []rung.ModeShift{{Shift: shift(p)}, {Shift: shift(.9)}}}
	}
	m := &rung.Matchup{Alpha: .05, Pairs: []rung.Pair{pair(.02), pair(.04)}}
	adjust(m)
	first := &m.Pairs[0]
	for _, c := range []struct {
		what   string
		got    rung.Contrast
		family int
		holm   float64
	}{
		{"deciding", first.Deciding, 2, .04}, {"other metric", first.Others[0], 4, .08},
		{"segment", first.Segments[0].Shift, 6, .12}, {"failure mode", first.Modes[0].Shift, 4, .08},
	} {
		if c.got.Family != c.family || math.Abs(c.got.PHolm-c.holm) > 1e-12 || c.got.Significant != (c.holm < .05) {
			t.Errorf("%s: %+v, want %v in a family of %d", c.what, c.got, c.holm, c.family)
		}
	}
	wide := &rung.Matchup{Alpha: .05, Pairs: []rung.Pair{{A: "a", B: "b", Deciding: rung.Contrast{P: 1e-4, Difference: rung.Interval{Value: .2, Low: -.1, High: .3}}}}}
	adjust(wide)
	if d := wide.Pairs[0].Deciding; d.Significant || finding(&wide.Pairs[0], wide) != "no difference is shown, and neither that there is none" {
		t.Errorf("a small p beside an interval that holds 0: %+v, %s", d, finding(&wide.Pairs[0], wide))
	}
	if u := first.Others[1]; u.Significant || u.Family != 0 {
		t.Errorf("what may not decide was adjusted: %+v", u)
	}
}
