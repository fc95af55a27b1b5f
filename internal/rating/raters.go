package rating

import (
	"fmt"
	"math"
	"slices"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/stats"
	"github.com/rung-dev/rung/internal/stats/dist"
)

// Rater is how one rater did.
type Rater struct {
	Rater    string  `json:"rater"`
	Done     int     `json:"done"`
	Asked    int     `json:"asked"` // 0 where the ratings came from a file
	Skipped  int     `json:"skipped"`
	Comments int     `json:"comments"`
	Seconds  float64 `json:"seconds"` // median per item
	// Gold is the share of items with a known rating that were rated so, Repeats that of repeated items that were rated as before.
	Gold    *rung.Interval `json:"gold,omitempty"`
	Repeats *rung.Interval `json:"repeats,omitempty"`
	// Left is the share of the left answer among preferences: sides are balanced, so it should be a half.
	Left *rung.Interval `json:"left,omitempty"`
	// Others is how far the rater goes with the others on the same items: the share of their preferences that are the same, or by how
	// many points the rater's values lie above theirs.
	Others  *rung.Interval `json:"others,omitempty"`
	Drift   *Drift         `json:"drift,omitempty"`
	Failing bool           `json:"failing"` // fails the checks
	Why     []string       `json:"why,omitempty"`
}

// Drift compares the second half of a rater's items with the first, by Others.
type Drift struct {
	Early rung.Interval `json:"early"`
	Late  rung.Interval `json:"late"`
	Shift rung.Interval `json:"shift"` // late − early
	P     float64       `json:"p"`
	PHolm float64       `json:"p_holm"` // over the raters
	There bool          `json:"there"`  // p_holm < 1 − level
}

// attentive is the share of checks that an attentive rater passes at least: of known ratings, and of repeats.
const (
	attentiveGold   = .8
	attentiveRepeat = .6
	checkError      = .05
)

// raters are the figures of each rater, by name.
func (b *builder) raters() []Rater {
	by := map[string][]rung.Rating{}
	var names []string
	for _, r := range b.ratings {
		if r.Role != rung.AsRater {
			continue
		}
		if by[r.Rater] == nil {
			names = append(names, r.Rater)
		}
		by[r.Rater] = append(by[r.Rater], r)
	}
	slices.Sort(names)
	out := make([]Rater, 0, len(names))
	for _, name := range names {
		out = append(out, b.rater(name, by[name]))
	}
	b.holm(out)
	return out
}

func (b *builder) rater(name string, rs []rung.Rating) Rater {
	out := Rater{Rater: name}
	if seat, ok := b.seats[name]; ok {
		out.Asked = len(Seat(b.q, seat))
	}
	var seconds []float64
	by := map[string]*rung.Rating{}
	lefts, prefers := 0, 0
	for i := range rs {
		r := &rs[i]
		by[r.Item] = r
		if r.Comment != "" {
			out.Comments++
		}
		if r.Skipped {
			out.Skipped++
			continue
		}
		out.Done++
		seconds = append(seconds, r.Seconds)
		if r.Check == rung.NoCheck && (r.Preference == rung.PrefersFirst || r.Preference == rung.PrefersSecond) {
			prefers++
			if choice(r.Preference, r.Swapped) == "left" {
				lefts++
			}
		}
	}
	out.Seconds = median(seconds)
	b.checks(&out, rs, by)
	if prefers > 0 && b.sided {
		out.Left = b.share(lefts, prefers)
	}
	b.withOthers(&out, rs)
	return out
}

func (b *builder) share(k, n int) *rung.Interval {
	low, high := stats.Wilson(k, n, b.o.Level)
	return &rung.Interval{Value: float64(k) / float64(n), Low: low, High: high, N: n, Level: b.o.Level, Method: "Wilson"}
}

// checks counts the passed checks and says whether an attentive rater would pass as few.
func (b *builder) checks(out *Rater, rs []rung.Rating, by map[string]*rung.Rating) {
	var gold, golds, same, repeats int
	for i := range rs {
		r := &rs[i]
		item := b.items[r.Item]
		if item == nil || r.Skipped {
			continue
		}
		switch item.Check {
		case rung.GoldCheck:
			golds++
			if passes(item.Gold, r) {
				gold++
			}
		case rung.RepeatCheck:
			if first := by[item.Of]; first != nil && !first.Skipped {
				repeats++
				if !Disagree([]rung.Rating{*first, *r}) {
					same++
				}
			}
		}
	}
	if golds > 0 {
		out.Gold = b.share(gold, golds)
		out.fails(gold, golds, attentiveGold, "known ratings")
	}
	if repeats > 0 {
		out.Repeats = b.share(same, repeats)
		out.fails(same, repeats, attentiveRepeat, "repeats")
	}
}

// fails marks the rater where somebody who passes a check with probability p would pass so few with probability under checkError.
func (r *Rater) fails(k, n int, p float64, what string) {
	if chance := (dist.Binomial{N: float64(n), P: p}).CDF(float64(k)); chance < checkError {
		r.Failing = true
		r.Why = append(r.Why, fmt.Sprintf("passed %d of %d %s (an attentive rater would pass so few with probability %.3f)", k, n, what, chance))
	}
}

func passes(g *rung.RatingGold, r *rung.Rating) bool {
	if g == nil {
		return true
	}
	if g.Preference != "" && r.Preference != g.Preference || len(g.Label) > 0 && string(r.Label) != string(g.Label) {
		return false
	}
	for name, among := range g.Values {
		if v := r.Values[name]; v < among[0] || v > among[1] {
			return false
		}
	}
	return true
}

// enoughForDrift is how many shared items each half must have.
const enoughForDrift = 8

// withOthers compares the rater with the others on the items they share, over all of them and early against late.
func (b *builder) withOthers(out *Rater, rs []rung.Rating) {
	var values []float64
	for i := range rs {
		if v, ok := b.against(&rs[i]); ok {
			values = append(values, v)
		}
	}
	if len(values) < 2 {
		return
	}
	all := b.withOthersMean(values)
	out.Others = &all
	half := len(values) / 2
	if half < enoughForDrift {
		return
	}
	out.Drift = drift(values[:half], values[len(values)-half:], b.o.Level)
}

// against is how one rating stands to those of others on the item.
func (b *builder) against(r *rung.Rating) (float64, bool) {
	if r.Check != rung.NoCheck || r.Skipped {
		return 0, false
	}
	sum, n := 0.0, 0
	for _, o := range b.byItem[r.Item] {
		if o.Rater == r.Rater {
			continue
		}
		if b.q.Kind != rung.Rubric {
			n++
			if o.Preference == r.Preference && string(o.Label) == string(r.Label) {
				sum++
			}
			continue
		}
		for name, v := range r.Values {
			if w, ok := o.Values[name]; ok {
				sum += float64(v - w)
				n++
			}
		}
	}
	return sum / float64(max(n, 1)), n > 0
}

// withOthersMean is a share of agreement for preferences, which lies between 0 and 1 and is not sure because all agreed so far,
// and a distance in points for a rubric.
func (b *builder) withOthersMean(values []float64) rung.Interval {
	if b.q.Kind != rung.Rubric {
		o := b.options(0, 1)
		o.PassFail = true
		return rung.Interval(stats.Mean(values, nil, o).Interval)
	}
	return meanOf(values, b.o.Level)
}

func meanOf(values []float64, level float64) rung.Interval {
	m, v := moments(values)
	n := float64(len(values))
	half := dist.StudentsT{Nu: n - 1}.Quantile((1+level)/2) * math.Sqrt(v/n)
	return rung.Interval{Value: m, Low: m - half, High: m + half, N: len(values), Level: level, Method: "Student's t over shared items"}
}

func moments(values []float64) (mean, variance float64) {
	for _, v := range values {
		mean += v
	}
	mean /= float64(len(values))
	for _, v := range values {
		variance += (v - mean) * (v - mean)
	}
	return mean, variance / float64(len(values)-1)
}

// drift is Welch's comparison of the two halves.
func drift(early, late []float64, level float64) *Drift {
	m1, v1 := moments(early)
	m2, v2 := moments(late)
	n1, n2 := float64(len(early)), float64(len(late))
	se2 := v1/n1 + v2/n2
	out := &Drift{Early: meanOf(early, level), Late: meanOf(late, level), P: 1}
	out.Shift = rung.Interval{Value: m2 - m1, Low: m2 - m1, High: m2 - m1, N: len(early) + len(late), Level: level, Method: "Welch's t, late half less early half"}
	if se2 == 0 {
		out.Shift.Method += " (no spread)"
		return out
	}
	t := dist.StudentsT{Nu: se2 * se2 / (v1*v1/(n1*n1*(n1-1)) + v2*v2/(n2*n2*(n2-1)))}
	half := t.Quantile((1+level)/2) * math.Sqrt(se2)
	out.Shift.Low, out.Shift.High = m2-m1-half, m2-m1+half
	out.P = 2 * t.CDF(-math.Abs(m2-m1)/math.Sqrt(se2))
	return out
}

// holm corrects the tests of drift over the raters.
func (b *builder) holm(rs []Rater) {
	var ps []float64
	var of []*Drift
	for i := range rs {
		if d := rs[i].Drift; d != nil {
			ps, of = append(ps, d.P), append(of, d)
		}
	}
	for i, p := range stats.Holm(ps) {
		of[i].PHolm, of[i].There = p, p < 1-b.o.Level
	}
}
