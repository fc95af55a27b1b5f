package rating

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/stats"
	"github.com/rung-dev/rung/internal/store"
)

// Plan says what a queue asks of its raters and what it will be able to tell.
type Plan struct {
	Kind       rung.RatingKind `json:"kind"`
	Items      int             `json:"items"` // that somebody rates, checks left out
	Examples   int             `json:"examples"`
	Same       int             `json:"same"`    // pairs of equal answers, ties that nobody is asked
	Raters     int             `json:"raters"`  // seats
	Asks       []int           `json:"asks"`    // per seat, checks included
	Overlap    int             `json:"overlap"` // items that several raters rate
	PerItem    int             `json:"per_item"`
	Gold       int             `json:"gold"` // checks, over all seats
	Repeats    int             `json:"repeats"`
	Minutes    float64         `json:"minutes"`              // of the longest seat
	AlphaHalf  float64         `json:"alpha_half,omitempty"` // half the interval of Krippendorff's α to expect, at α .6
	Detectable float64         `json:"detectable"`           // share preferred (from .5), or points of difference, found with power .8
}

// PlanOf is the plan of a queue, an item taking so many seconds.
func PlanOf(q *rung.RatingQueue, seconds float64) Plan {
	p := Plan{Kind: q.Kind, Raters: len(q.Seats)}
	items, raters := Items(q), map[string]int{}
	for _, seat := range q.Seats {
		p.Asks = append(p.Asks, len(seat.Asks))
		for _, ask := range seat.Asks {
			switch items[ask.Item].Check {
			case rung.GoldCheck:
				p.Gold++
			case rung.RepeatCheck:
				p.Repeats++
			default:
				raters[ask.Item]++
			}
		}
	}
	examples := map[string]bool{}
	for i := range q.Items {
		item := &q.Items[i]
		if item.Check == rung.NoCheck && Same(item) {
			p.Same++
		}
		if n := raters[item.ID]; n > 0 {
			p.Items++
			examples[item.Example] = true
			if n > 1 {
				p.Overlap++
				p.PerItem = max(p.PerItem, n)
			}
		}
	}
	p.Examples = len(examples)
	if len(p.Asks) > 0 { // ratings from a file have no seats
		p.Minutes = float64(slices.Max(p.Asks)) * seconds / 60
	}
	p.foresee(q)
	return p
}

// ratingSD is the spread of the difference of two answers' ratings on one input that the plan reckons with, in points.
const ratingSD = 1.2

func (p *Plan) foresee(q *rung.RatingQueue) {
	if p.Overlap > 1 {
		for half := .01; half < 1; half += .01 {
			if stats.AgreementSampleSize(plannedAlpha, half, categories(q), p.PerItem, .95) <= p.Overlap {
				p.AlphaHalf = math.Round(half*100) / 100
				break
			}
		}
	}
	if p.Kind == rung.Labelled {
		return
	}
	if p.Kind == rung.Pairwise {
		pairs := max(1, len(q.Candidates)*(len(q.Candidates)-1)/2)
		p.Detectable = min(.5, stats.MinimumDetectable(stats.Noise{Difference: .25}, max((p.Items+p.Same)/pairs, 2), .05, .8))
	} else {
		p.Detectable = stats.MinimumDetectable(stats.Noise{Difference: ratingSD * ratingSD}, max(p.Examples, 2), .05, .8)
	}
}

// Lines are the plan for a person.
func (p *Plan) Lines() []string {
	what := map[rung.RatingKind]string{rung.Pairwise: "pairs of answers", rung.Rubric: "answers", rung.Labelled: "items"}[p.Kind]
	out := []string{fmt.Sprintf("%d %s to %s, for %s: %s items each, about %s for the longest.", p.Items, what, count(p.Examples, "input"), count(p.Raters, "rater"), spread(p.Asks), duration(p.Minutes))}
	if p.Same > 0 {
		out = append(out, fmt.Sprintf("%s of equal answers are ties that nobody is asked.", count(p.Same, "pair")))
	}
	if p.Gold+p.Repeats > 0 {
		out = append(out, fmt.Sprintf("Hidden among them, over all raters: %s with a known right rating and %s of earlier items.", count(p.Gold, "item"), count(p.Repeats, "repeat")))
	}
	switch {
	case p.Raters < 2:
		out = append(out, "One rater alone says nothing about agreement: have a second one, even for a part.")
	case p.AlphaHalf > 0:
		out = append(out, fmt.Sprintf("%d items have %d raters each: Krippendorff's α will be known to about ±%s (expected at α %s).", p.Overlap, p.PerItem, trim(p.AlphaHalf), trim(plannedAlpha)))
	case p.Overlap > 1:
		out = append(out, fmt.Sprintf("%d items have %d raters each: too few to know agreement by (Krippendorff's α).", p.Overlap, p.PerItem))
	default:
		out = append(out, "Hardly any item has several raters: agreement will not be known.")
	}
	if p.Kind == rung.Labelled {
		return out
	}
	if p.Kind == rung.Pairwise {
		out = append(out, fmt.Sprintf("A share of preferences of %s can be told from a half for each two candidates (power .8, α .05).", trim(.5+p.Detectable)))
	} else {
		out = append(out, fmt.Sprintf("Two candidates %s points apart can be told from each other (power .8, α .05, if their ratings differ with a spread of %g).", trim(p.Detectable), ratingSD))
	}
	return out
}

func spread(asks []int) string {
	low, high := slices.Min(asks), slices.Max(asks)
	if low == high {
		return fmt.Sprint(low)
	}
	return fmt.Sprintf("%d to %d", low, high)
}

func duration(minutes float64) string {
	switch {
	case minutes < 1.5:
		return "a minute"
	case minutes < 90:
		return fmt.Sprintf("%.0f minutes", minutes)
	}
	return fmt.Sprintf("%.1f hours", minutes/60)
}

func count(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// trim writes a figure with two digits and without a leading zero.
func trim(v float64) string {
	s := fmt.Sprintf("%.2f", v)
	if s == "-0.00" {
		s = "0.00"
	}
	if rest, ok := strings.CutPrefix(s, "0."); ok {
		return "." + rest
	}
	if rest, ok := strings.CutPrefix(s, "-0."); ok {
		return "-." + rest
	}
	return s
}

// Progress is how far a queue's raters are.
type Progress struct {
	Items int `json:"items"`
	Asked int `json:"asked"` // items times the raters who are planned for each
	Done  int `json:"done"`
	Open  int `json:"open"` // disagreements that nobody has settled
}

// ProgressOf reads how far a queue's raters are.
func ProgressOf(ctx context.Context, st store.Ratings, q *rung.RatingQueue) (Progress, error) {
	p := PlanOf(q, 0)
	out := Progress{Items: p.Items}
	for _, n := range p.Asks {
		out.Asked += n
	}
	said, settled := map[string][]rung.Rating{}, map[string]bool{}
	for r, err := range st.Ratings(ctx, store.RatingFilter{Queue: q.Name}) {
		switch {
		case err != nil:
			return out, err
		case r.Skipped:
		case r.Role == rung.AsAdjudicator:
			settled[r.Item] = true
		default:
			out.Done++
			if r.Check == rung.NoCheck {
				said[r.Item] = append(said[r.Item], r)
			}
		}
	}
	for item, rs := range said {
		if Disagree(rs) && !settled[item] {
			out.Open++
		}
	}
	return out, nil
}
