package rating

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/stats"
	"github.com/rung-dev/rung/internal/store"
)

// ResultOptions say how ratings are read.
type ResultOptions struct {
	Level     float64  // of the intervals; default .95
	Resamples int      // default 10,000; 1,000 for strengths
	Seed      uint64   // of resampling
	Without   []string // raters who are left out
}

// Result is what the ratings of a queue come to: the one document of rung rate show --json. Every figure has its n, interval and method.
type Result struct {
	Queue         string          `json:"queue"`
	Task          string          `json:"task"`
	Kind          rung.RatingKind `json:"kind"`
	Question      string          `json:"question"`
	Items         int             `json:"items"`   // that raters are asked, checks left out
	Rated         int             `json:"rated"`   // of these, by one rater at least
	Same          int             `json:"same"`    // pairs of equal answers: ties that nobody is asked
	Ratings       int             `json:"ratings"` // that the figures rest on
	Without       []string        `json:"without,omitempty"`
	Raters        []Rater         `json:"raters"`
	Agreement     []Agreement     `json:"agreement"`
	Shares        []Share         `json:"shares,omitempty"`
	Strengths     []Strength      `json:"strengths,omitempty"`
	Tie           float64         `json:"tie_parameter,omitempty"` // ν of Davidson's model
	Means         []Mean          `json:"means,omitempty"`
	Differences   []Difference    `json:"differences,omitempty"`
	Labels        []LabelShare    `json:"labels,omitempty"`
	Settled       int             `json:"settled,omitempty"` // of labels: items that have one, by a majority or an adjudicator
	Disagreements Disagreements   `json:"disagreements"`
	Notes         []string        `json:"notes,omitempty"`
}

// Disagreements counts the items on which raters disagree.
type Disagreements struct {
	Items   int `json:"items"`
	Settled int `json:"settled"` // by an adjudicator
	Open    int `json:"open"`
}

// Share is how often one candidate's answer is preferred to another's, half of a tie counted.
type Share struct {
	Candidate rung.Digest   `json:"candidate"`
	Name      string        `json:"name"`
	Over      rung.Digest   `json:"over"`
	OverName  string        `json:"over_name"`
	Share     rung.Interval `json:"share"`
	Wins      int           `json:"wins"` // items by their settled or majority preference
	Ties      int           `json:"ties"`
	Losses    int           `json:"losses"`
	Split     int           `json:"split"` // items without a majority that nobody settled
	P         float64       `json:"p"`     // two-sided, of the test named in Test, that the share is a half
	PHolm     float64       `json:"p_holm"`
	Test      string        `json:"test"`
}

// Strength is a candidate's Bradley–Terry strength in log odds, the mean of all candidates being 0.
type Strength struct {
	Candidate rung.Digest   `json:"candidate"`
	Name      string        `json:"name"`
	Strength  rung.Interval `json:"strength"`
}

// Mean is a candidate's mean rating on a criterion, from 1 to 5.
type Mean struct {
	Criterion string        `json:"criterion"`
	Candidate rung.Digest   `json:"candidate"`
	Name      string        `json:"name"`
	Mean      rung.Interval `json:"mean"`
}

// Difference is by how many points a candidate is rated above another on the same inputs.
type Difference struct {
	Criterion  string        `json:"criterion"`
	Candidate  rung.Digest   `json:"candidate"`
	Name       string        `json:"name"`
	Over       rung.Digest   `json:"over"`
	OverName   string        `json:"over_name"`
	Difference rung.Interval `json:"difference"`
	P          float64       `json:"p"`
	PHolm      float64       `json:"p_holm"`
	Test       string        `json:"test"`
}

// Read collects what the store has about a queue and makes its result.
func Read(ctx context.Context, st store.Ratings, q *rung.RatingQueue, o ResultOptions) (*Result, error) {
	seats, err := st.RatingSeats(ctx, q.Name)
	if err != nil {
		return nil, err
	}
	var ratings []rung.Rating
	for r, err := range st.Ratings(ctx, store.RatingFilter{Queue: q.Name}) {
		if err != nil {
			return nil, err
		}
		ratings = append(ratings, r)
	}
	return ResultOf(q, seats, ratings, o), nil
}

// builder makes a result.
type builder struct {
	q       *rung.RatingQueue
	o       ResultOptions
	seats   map[string]int
	ratings []rung.Rating
	items   map[string]*rung.RatingItem
	judged  []Judged
	byItem  map[string][]rung.Rating
	sided   bool // the sides were chosen here, and balanced
}

// ResultOf is what ratings, in the order in which they were given, come to. seats are those that raters took.
func ResultOf(q *rung.RatingQueue, seats map[string]int, ratings []rung.Rating, o ResultOptions) *Result {
	o.Level = cmp.Or(o.Level, .95)
	b := &builder{q: q, o: o, seats: seats, ratings: ratings, items: Items(q), judged: JudgedItems(q, ratings, o.Without), byItem: map[string][]rung.Rating{}}
	b.sided = slices.ContainsFunc(q.Seats, func(s rung.RatingSeat) bool { return len(s.Asks) > 0 })
	plan := PlanOf(q, 0)
	out := &Result{Queue: q.Name, Task: q.Task, Kind: q.Kind, Question: q.Question, Items: plan.Items, Same: plan.Same, Without: o.Without, Agreement: []Agreement{}}
	for i := range b.judged {
		j := &b.judged[i]
		b.byItem[j.Item.ID] = j.Ratings
		out.Ratings += len(j.Ratings)
		if !j.Same {
			out.Rated++
		}
		if Disagree(j.Ratings) {
			out.Disagreements.Items++
			if j.Adjudicated != nil {
				out.Disagreements.Settled++
			}
		}
	}
	out.Items = max(out.Items, out.Rated)
	out.Disagreements.Open = out.Disagreements.Items - out.Disagreements.Settled
	out.Raters = b.raters()
	b.agreement(out)
	switch q.Kind {
	case rung.Pairwise:
		b.preferences(out)
	case rung.Labelled:
		b.labels(out)
	default:
		b.values(out)
	}
	b.notes(out)
	return out
}

func (b *builder) agreement(out *Result) {
	if b.q.Kind == rung.Labelled {
		out.Agreement = append(out.Agreement, b.labelAgreements()...)
		return
	}
	if b.q.Kind == rung.Pairwise {
		out.Agreement = append(out.Agreement, agreements(b.judged, "", b.q, b.o)...)
		return
	}
	for _, c := range b.q.Criteria {
		out.Agreement = append(out.Agreement, agreements(b.judged, c.Name, b.q, b.o)...)
	}
}

// candidates are those that were rated, in the order of their names.
func (b *builder) candidates() []rung.Digest {
	seen := map[rung.Digest]bool{}
	var out []rung.Digest
	for i := range b.judged {
		for o := range b.judged[i].Item.Options {
			for _, c := range candidatesOf(&b.judged[i].Item.Options[o]) {
				if !seen[c] {
					seen[c] = true
					out = append(out, c)
				}
			}
		}
	}
	slices.SortFunc(out, func(x, y rung.Digest) int { return cmp.Or(cmp.Compare(b.name(x), b.name(y)), cmp.Compare(x, y)) })
	return out
}

func (b *builder) name(c rung.Digest) string {
	return cmp.Or(b.q.Candidates[c], c.Short())
}

// flips of the sign-flip test.
const flips = 10_000

func (b *builder) options(low, high float64) stats.Options {
	return stats.Options{Level: b.o.Level, Seed: b.o.Seed, Resamples: b.o.Resamples, Bounds: stats.Bounds{Low: low, High: high}}
}

// preferences fills in the shares of each pair of candidates, and the strengths.
func (b *builder) preferences(out *Result) {
	cs := b.candidates()
	var ps []float64
	for i := range cs {
		for j := i + 1; j < len(cs); j++ {
			if s, ok := b.shareOf(cs[i], cs[j]); ok {
				out.Shares = append(out.Shares, s)
				ps = append(ps, s.P)
			}
		}
	}
	for i, p := range stats.Holm(ps) {
		out.Shares[i].PHolm = p
	}
	if len(out.Shares) > 0 {
		b.strengths(out, cs)
	}
}

func (b *builder) shareOf(first, second rung.Digest) (Share, bool) {
	out := Share{Candidate: first, Name: b.name(first), Over: second, OverName: b.name(second), Test: "sign flips by example, two-sided"}
	var scores, apart []float64
	var names []string
	for i := range b.judged {
		j := &b.judged[i]
		a, z := j.Item.Options[0].Candidate, j.Item.Options[len(j.Item.Options)-1].Candidate
		if (a != first || z != second) && (a != second || z != first) {
			continue
		}
		v := j.First()
		p, settled := j.Preference()
		if a != first {
			v, p = 1-v, p.Other()
		}
		scores, apart, names = append(scores, v), append(apart, v-.5), append(names, cluster(j.Item))
		switch {
		case !settled:
			out.Split++
		case p == rung.PrefersFirst:
			out.Wins++
		case p == rung.PrefersSecond:
			out.Losses++
		default:
			out.Ties++
		}
	}
	if len(scores) == 0 {
		return out, false
	}
	clusters := stats.Clusters(names)
	out.Share = rung.Interval(stats.Mean(scores, clusters, b.options(0, 1)).Interval)
	out.P = stats.SignFlip(apart, clusters, flips, b.o.Seed)
	return out, true
}

// strengthResamples are those of the bootstrap by example.
const strengthResamples = 1000

func (b *builder) strengths(out *Result, cs []rung.Digest) {
	at := map[rung.Digest]int{}
	for i, c := range cs {
		at[c] = i
	}
	var prefs []stats.Preference
	var names []string
	for i := range b.judged {
		j := &b.judged[i]
		one := stats.Preference{First: at[j.Item.Options[0].Candidate], Second: at[j.Item.Options[1].Candidate], Result: j.First(), Weight: 1}
		if j.Adjudicated != nil || j.Same {
			prefs, names = append(prefs, one), append(names, cluster(j.Item))
			continue
		}
		for r := range j.Ratings {
			one.Result, one.Weight = points(j.Ratings[r].Preference), 1/float64(len(j.Ratings))
			prefs, names = append(prefs, one), append(names, cluster(j.Item))
		}
	}
	for i, c := range stats.Clusters(names) {
		prefs[i].Cluster = c
	}
	fit := stats.BradleyTerry(len(cs), prefs, stats.StrengthOptions{Level: b.o.Level, Resamples: cmp.Or(b.o.Resamples, strengthResamples), Seed: b.o.Seed, Prior: .5})
	for i, c := range cs {
		iv := rung.Interval(fit.Log[i])
		iv.N = len(b.judged) // items, and not ratings
		out.Strengths = append(out.Strengths, Strength{c, b.name(c), iv})
	}
	slices.SortStableFunc(out.Strengths, func(x, y Strength) int { return cmp.Compare(y.Strength.Value, x.Strength.Value) })
	out.Tie = fit.Tie
}

// values fills in the means of each candidate on each criterion, and the differences on the same inputs.
func (b *builder) values(out *Result) {
	cs := b.candidates()
	var ps []float64
	for _, c := range b.q.Criteria {
		byCandidate := b.valuesOf(c.Name)
		for _, d := range cs {
			scores, clusters := byCandidate[d].columns(nil)
			if len(scores) > 0 {
				out.Means = append(out.Means, Mean{c.Name, d, b.name(d), rung.Interval(stats.Mean(scores, clusters, b.options(1, 5)).Interval)})
			}
		}
		for i := range cs {
			for j := i + 1; j < len(cs); j++ {
				if d, ok := b.difference(c.Name, cs[i], cs[j], byCandidate); ok {
					out.Differences = append(out.Differences, d)
					ps = append(ps, d.P)
				}
			}
		}
	}
	for i, p := range stats.Holm(ps) {
		out.Differences[i].PHolm = p
	}
}

// column is one candidate's values on a criterion, by example.
type column struct {
	examples []string
	value    map[string]float64
	cluster  map[string]string
}

func (b *builder) valuesOf(criterion string) map[rung.Digest]*column {
	out := map[rung.Digest]*column{}
	for i := range b.judged {
		j := &b.judged[i]
		v, ok := j.Value(criterion)
		if !ok {
			continue
		}
		for _, c := range candidatesOf(&j.Item.Options[0]) {
			if out[c] == nil {
				out[c] = &column{value: map[string]float64{}, cluster: map[string]string{}}
			}
			if _, twice := out[c].value[j.Item.Example]; !twice {
				out[c].examples = append(out[c].examples, j.Item.Example)
			}
			out[c].value[j.Item.Example], out[c].cluster[j.Item.Example] = v, cluster(j.Item)
		}
	}
	return out
}

// columns are the values on the examples that other has too, all of them without one.
func (c *column) columns(other *column) (values []float64, clusters []int) {
	if c == nil {
		return nil, nil
	}
	var names []string
	for _, ex := range c.examples {
		if other != nil {
			if _, ok := other.value[ex]; !ok {
				continue
			}
		}
		values, names = append(values, c.value[ex]), append(names, c.cluster[ex])
	}
	return values, stats.Clusters(names)
}

func (b *builder) difference(criterion string, first, second rung.Digest, by map[rung.Digest]*column) (Difference, bool) {
	x, y := by[first], by[second]
	if x == nil || y == nil {
		return Difference{}, false
	}
	values, clusters := x.columns(y)
	if len(values) == 0 {
		return Difference{}, false
	}
	others, d := make([]float64, 0, len(values)), make([]float64, 0, len(values))
	for _, ex := range x.examples {
		if w, ok := y.value[ex]; ok {
			others, d = append(others, w), append(d, x.value[ex]-w)
		}
	}
	out := Difference{Criterion: criterion, Candidate: first, Name: b.name(first), Over: second, OverName: b.name(second), Test: "sign flips by example, two-sided"}
	out.Difference = rung.Interval(stats.MeanDifference(others, values, clusters, b.options(1, 5)).Interval)
	out.P = stats.SignFlip(d, clusters, flips, b.o.Seed)
	return out, true
}

// weakAgreement is the α below which conclusions are not to be drawn (Krippendorff, Content Analysis, 4th ed., ch. 12).
const weakAgreement = .667

// notes say what a reader must know before the figures.
func (b *builder) notes(out *Result) {
	add := func(format string, args ...any) { out.Notes = append(out.Notes, fmt.Sprintf(format, args...)) }
	for i := range out.Raters {
		r := &out.Raters[i]
		if r.Failing && !slices.Contains(b.o.Without, r.Rater) {
			add("%s fails the attention checks (%s) and is in the figures; --without %s leaves the ratings out.", r.Rater, r.Why[0], r.Rater)
		}
		if r.Drift != nil && r.Drift.There {
			add("%s rates otherwise in the second half than in the first (shift %+.2f, p %.3g over all raters).", r.Rater, r.Drift.Shift.Value, r.Drift.PHolm)
		}
		if r.Left != nil && (r.Left.Low > .5 || r.Left.High < .5) {
			add("%s takes the left answer in %.0f %% of preferences, where sides are balanced.", r.Rater, 100*r.Left.Value)
		}
	}
	if len(out.Agreement) == 0 {
		add("No item has two raters: whether people agree is not known, and the figures rest on single opinions.")
	}
	for _, a := range out.Agreement {
		if (strings.HasSuffix(a.Measure, "nominal") || strings.HasSuffix(a.Measure, "ordinal")) && a.High < weakAgreement {
			add("Raters agree little%s (%s, at most %s): conclusions need an α of .667 or more; sharpen %s.", of(a.Criterion), a.Measure, trim(a.High), b.toSharpen())
		}
	}
	if out.Disagreements.Open > 0 {
		if b.q.Kind == rung.Labelled {
			add("%s wait to be settled: rung label adjudicate %s --rater NAME. Until then those without a majority have no label.", count(out.Disagreements.Open, "disagreement"), b.q.Name)
		} else {
			add("%s wait to be settled: rung rate adjudicate %s --rater NAME. Until then they count with the mean of their raters.", count(out.Disagreements.Open, "disagreement"), b.q.Name)
		}
	}
	if left := out.Items - out.Rated; left > 0 {
		add("%s of %d nobody has rated yet.", count(left, "item"), out.Items)
	}
	if out.Ratings > 0 {
		add("Intervals are over inputs, with these raters: they say nothing about other raters.")
	}
}

func (b *builder) toSharpen() string {
	if b.q.Kind == rung.Labelled {
		return "the guidelines"
	}
	return "the question or the anchors"
}

func of(criterion string) string {
	if criterion == "" {
		return ""
	}
	return " on " + criterion
}

// finite reports that a figure can be written.
func finite(iv rung.Interval) bool {
	return !math.IsNaN(iv.Value) && math.Abs(iv.Low) < math.MaxFloat64 && math.Abs(iv.High) < math.MaxFloat64
}
