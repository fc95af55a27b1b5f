package rating

import (
	"fmt"
	"math"
	"slices"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/stats"
)

// Agreement is one figure of how far raters agree beyond chance.
type Agreement struct {
	Criterion string   `json:"criterion,omitempty"` // empty for preferences
	Measure   string   `json:"measure"`             // such as "Krippendorff's α, nominal"
	Raters    []string `json:"raters"`
	rung.Interval
}

// codes are preferences as ordered categories.
var codes = map[rung.Preference]float64{rung.PrefersSecond: 0, rung.PrefersNone: 1, rung.PrefersFirst: 2}

// table is one criterion's ratings: a row per item, a column per rater, NaN where there is none.
type table struct {
	raters   []string
	units    [][]float64
	clusters []string
	base     float64 // the lowest category
	k        int     // categories
}

// tableOf collects what raters (not adjudicators) said on a criterion, or of preferences.
func tableOf(judged []Judged, criterion string, kind rung.RatingKind) table {
	t := table{k: 3}
	if kind == rung.Rubric {
		t.base, t.k = 1, 5
	}
	t.fill(judged, func(r *rung.Rating) (float64, bool) {
		v, ok := codes[r.Preference]
		if kind == rung.Rubric {
			var whole int
			whole, ok = r.Values[criterion]
			v = float64(whole)
		}
		return v, ok
	})
	return t
}

// fill collects what code makes of ratings.
func (t *table) fill(judged []Judged, code func(*rung.Rating) (float64, bool)) {
	at := map[string]int{}
	for i := range judged {
		for r := range judged[i].Ratings {
			at[judged[i].Ratings[r].Rater] = 0
		}
	}
	for name := range at {
		t.raters = append(t.raters, name)
	}
	slices.Sort(t.raters)
	for i, name := range t.raters {
		at[name] = i
	}
	for i := range judged {
		row := slices.Repeat([]float64{math.NaN()}, len(t.raters))
		n := 0
		for r := range judged[i].Ratings {
			rating := &judged[i].Ratings[r]
			if v, ok := code(rating); ok {
				row[at[rating.Rater]] = v
				n++
			}
		}
		if n >= 2 {
			t.units = append(t.units, row)
			t.clusters = append(t.clusters, cluster(judged[i].Item))
		}
	}
}

// manyUnits is from how many items on fewer resamples do: the interval's own noise is small by then.
const manyUnits = 2000

func (t *table) options(o ResultOptions) stats.Options {
	out := stats.Options{Level: o.Level, Seed: o.Seed, Resamples: o.Resamples}
	if len(t.units) > manyUnits && out.Resamples == 0 {
		out.Resamples = 1000
	}
	return out
}

// agreements are the figures of one criterion, or of preferences.
func agreements(judged []Judged, criterion string, q *rung.RatingQueue, o ResultOptions) []Agreement {
	t := tableOf(judged, criterion, q.Kind)
	if len(t.units) == 0 {
		return nil
	}
	var out []Agreement
	add := func(measure string, raters []string, e stats.Estimate) {
		out = append(out, Agreement{criterion, measure, raters, rung.Interval(e.Interval)})
	}
	clusters, opt := stats.Clusters(t.clusters), t.options(o)
	if q.Kind == rung.Rubric {
		add("Krippendorff's α, ordinal", t.raters, stats.KrippendorffFigure(t.units, stats.Ordinal, clusters, opt))
		add("Krippendorff's α, interval", t.raters, stats.KrippendorffFigure(t.units, stats.Interv, clusters, opt))
	} else {
		add("Krippendorff's α, nominal", t.raters, stats.KrippendorffFigure(t.units, stats.Nominal, clusters, opt))
	}
	if len(t.raters) > 2 {
		add("Fleiss' κ", t.raters, stats.FleissFigure(t.counts(), clusters, opt))
	}
	return append(out, t.cohens(criterion, q.Kind, opt)...)
}

func (t *table) counts() [][]float64 {
	out := make([][]float64, len(t.units))
	for i, u := range t.units {
		out[i] = make([]float64, t.k)
		for _, v := range u {
			if !math.IsNaN(v) {
				out[i][int(v-t.base)]++
			}
		}
	}
	return out
}

const (
	// fewest items that two raters must share for a κ of their own.
	sharedForKappa = 10
	// mostPairs of raters have a κ of their own.
	mostPairs = 15
)

// cohens are κ of each pair of raters: of values with squared weights, of preferences without.
func (t *table) cohens(criterion string, kind rung.RatingKind, opt stats.Options) []Agreement {
	if n := len(t.raters); n*(n-1)/2 > mostPairs {
		return nil
	}
	weights, name := stats.Unweighted, "Cohen's κ"
	if kind == rung.Rubric {
		weights, name = stats.Quadratic, "Cohen's κ, squared weights"
	}
	var out []Agreement
	for a := range t.raters {
		for b := a + 1; b < len(t.raters); b++ {
			var first, second []int
			var names []string
			for i, u := range t.units {
				if !math.IsNaN(u[a] + u[b]) {
					first, second = append(first, int(u[a]-t.base)), append(second, int(u[b]-t.base))
					names = append(names, t.clusters[i])
				}
			}
			if len(first) < sharedForKappa {
				continue
			}
			e := stats.CohenFigure(first, second, t.k, weights, stats.Clusters(names), opt)
			out = append(out, Agreement{criterion, name, []string{t.raters[a], t.raters[b]}, rung.Interval(e.Interval)})
		}
	}
	return out
}

// String is the measure with its raters.
func (a *Agreement) String() string {
	if len(a.Raters) == 2 {
		return fmt.Sprintf("%s (%s, %s)", a.Measure, a.Raters[0], a.Raters[1])
	}
	return fmt.Sprintf("%s (%d raters)", a.Measure, len(a.Raters))
}
