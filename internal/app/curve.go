package app

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/recipe"
	"github.com/rung-dev/rung/internal/stats"
	"github.com/rung-dev/rung/internal/task"
)

// CurveOptions say which learning curve is measured.
type CurveOptions struct {
	Rung    rung.Rung
	Model   rung.ModelRef // empty: the task's first
	Sizes   []int         // of the train set; empty: the whole, halved as often as leaves enough
	Draws   int           // of each size but the whole; 0: 1
	Extra   int           // further examples whose worth is asked for; 0: 100
	Search  bool          // choose the recipe anew at each size, as a climb would
	Suite   string        // empty: heldout
	Metric  string        // empty: the bar's
	Level   float64       // of the intervals; 0: .95
	Version string
}

// LearningCurve is what was measured at several sizes of the train set, and what further examples are expected to buy.
type LearningCurve struct {
	Task    string          `json:"task"`
	Rung    rung.Rung       `json:"rung"`
	Model   rung.ModelRef   `json:"model"`
	Metric  string          `json:"metric"`
	Suite   rung.SuiteInfo  `json:"suite"`
	Points  []CurvePoint    `json:"points"`
	Law     *stats.PowerLaw `json:"law,omitempty"` // error = a + b·n^−c, in the metric's unit
	Noise   float64         `json:"noise,omitempty"`
	Extra   int             `json:"extra"`
	Now     *rung.Interval  `json:"now,omitempty"`
	Then    *rung.Interval  `json:"then,omitempty"`
	Gain    *rung.Interval  `json:"gain,omitempty"`
	MinGain float64         `json:"min_gain"`
	Says    CurveVerdict    `json:"says"`
	Reason  string          `json:"reason"`
	Notes   []string        `json:"notes"`
}

// CurveVerdict is what a learning curve says of further examples.
type CurveVerdict string

// The verdicts.
const (
	WorthIt    CurveVerdict = "worth_it"     // the whole interval of the gain lies at min_gain or above
	NotWorthIt CurveVerdict = "not_worth_it" // the whole interval lies below it
	CannotTell CurveVerdict = "cannot_tell"
)

// CurvePoint is one candidate of the curve.
type CurvePoint struct {
	N          int           `json:"n"` // train examples
	Draw       int           `json:"draw"`
	Candidate  rung.Digest   `json:"candidate"`
	Evaluation string        `json:"evaluation"`
	Score      rung.Interval `json:"score"`
	Calls      rung.Calls    `json:"calls"`
	Fitted     *float64      `json:"fitted,omitempty"` // by the curve

	series   []float64
	clusters []int
}

// Curve measures a learning curve: the rung is built from nested parts of the train set, each candidate is asked the whole suite through
// the door, so that nothing is paid for twice, and a power law is fitted to the scores.
func (p *Project) Curve(ctx context.Context, o CurveOptions) (*LearningCurve, error) {
	if err := o.complete(p); err != nil {
		return nil, err
	}
	suite, err := p.Suite(ctx, o.Suite)
	if err != nil {
		return nil, err
	}
	doc := &LearningCurve{Task: p.Task.Name, Rung: o.Rung, Model: o.Model, Metric: o.Metric, Suite: suite.Info(), Extra: o.Extra, MinGain: p.Task.Bar.MinGain, Notes: []string{}}
	base, err := p.wholeCandidate(ctx, &o)
	if err != nil {
		return nil, err
	}
	for _, n := range o.Sizes {
		draws := o.Draws
		if n == len(p.Data.Building.Train) {
			draws = 1
		}
		for draw := range draws {
			point, skipped, err := p.curvePoint(ctx, &o, suite, base, n, draw)
			if err != nil {
				return nil, ended(ctx, err)
			}
			if skipped != "" {
				doc.Notes = append(doc.Notes, fmt.Sprintf("%d train examples are left out: %s", n, skipped))
				continue
			}
			doc.Points = append(doc.Points, *point)
		}
	}
	doc.fit(&o, top(o.Metric))
	return doc, nil
}

// complete fills in what was not said.
func (o *CurveOptions) complete(p *Project) error {
	o.Extra, o.Draws, o.Level = cmp.Or(o.Extra, 100), max(1, o.Draws), cmp.Or(o.Level, .95)
	o.Suite, o.Metric = cmp.Or(o.Suite, "heldout"), cmp.Or(o.Metric, p.Task.Bar.Metric)
	if o.Model == "" {
		o.Model = p.Task.Models[0]
	}
	if o.Rung != rung.FewShot && !o.Rung.Trains() {
		return &rung.Error{Code: rung.CodeUsage, Place: string(o.Rung), What: "this rung does not learn from train examples", Do: "name fewshot, lora or rag+lora"}
	}
	n := len(p.Data.Building.Train)
	if len(o.Sizes) == 0 {
		least := 5
		if o.Rung.Trains() {
			least = 16
		}
		for size := n; size >= least && len(o.Sizes) < 6; size /= 2 {
			o.Sizes = append(o.Sizes, size)
		}
	}
	slices.Sort(o.Sizes)
	o.Sizes = slices.Compact(o.Sizes)
	switch {
	case len(o.Sizes) < stats.MinCurveSizes:
		return &rung.Error{Code: rung.CodeInput, Place: p.Task.File, What: fmt.Sprintf("%d sizes of the train set (%d examples) are too few for a curve", len(o.Sizes), n), Do: fmt.Sprintf("give at least %d sizes with --sizes, or add train examples", stats.MinCurveSizes)}
	case o.Sizes[0] < 2 || o.Sizes[len(o.Sizes)-1] > n:
		return &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("the sizes must lie between 2 and the %d train examples", n), Do: "correct --sizes"}
	}
	return nil
}

// wholeCandidate is the rung built from the whole train set, whose recipe the other sizes follow.
func (p *Project) wholeCandidate(ctx context.Context, o *CurveOptions) (*rung.Candidate, error) {
	kit := p.kit()
	kit.Observer = building{p, o.Rung}
	b, err := kit.Build(ctx, o.Rung, o.Model)
	if err != nil {
		return nil, ended(ctx, err)
	}
	if b.Candidate == nil {
		return nil, &rung.Error{Code: rung.CodeInput, Place: string(o.Rung), What: "cannot be built: " + b.Skipped, Do: "name another rung"}
	}
	return b.Candidate, nil
}

// curvePoint builds from a part of train and evaluates.
func (p *Project) curvePoint(ctx context.Context, o *CurveOptions, suite *Suite, base *rung.Candidate, n, draw int) (*CurvePoint, string, error) {
	c := base
	if n < len(p.Data.Building.Train) {
		kit := p.kit()
		kit.Observer = building{p, o.Rung}
		kit.Building.Train = nested(p.Data.Building.Train, n, draw)
		b, err := kit.Refit(ctx, base)
		if o.Search {
			b, err = kit.Build(ctx, o.Rung, o.Model)
		}
		if err != nil || b.Candidate == nil {
			return nil, skippedBy(b), err
		}
		c = b.Candidate
	}
	sub, err := p.CandidateSubject(ctx, c, fmt.Sprintf("%s from %d train examples", o.Rung, n))
	if err != nil {
		return nil, "", err
	}
	e, err := p.Evaluate(ctx, sub, suite, EvalOptions{Full: true, NoBar: true, Metric: o.Metric, Version: o.Version})
	if err != nil {
		return nil, "", err
	}
	return pointOf(e, o, n, draw)
}

func skippedBy(b *recipe.Built) string {
	if b == nil {
		return ""
	}
	return b.Skipped
}

func pointOf(e *Evaluated, o *CurveOptions, n, draw int) (*CurvePoint, string, error) {
	series, clusters, ok := e.Tally.Series(o.Metric)
	estimate, known := e.Tally.Estimate(o.Metric, o.Level, seed)
	if !ok || !known {
		return nil, "", &rung.Error{Code: rung.CodeUsage, Place: o.Metric, What: "has no score of each example, so there is no curve of it", Do: "name another with --metric"}
	}
	return &CurvePoint{N: n, Draw: draw, Candidate: e.Doc.Subject.Digest, Evaluation: e.Doc.ID, Score: rung.Interval(estimate.Interval), Calls: e.Doc.Scorecard.Calls, series: series, clusters: clusters}, "", nil
}

// nested are the first n examples in a random order that follows from their groups (or ids) and the draw alone: the parts of one draw lie
// within each other, and a group comes as a whole but for the last.
func nested(train []rung.Example, n, draw int) []rung.Example {
	type ranked struct {
		at  int
		key [32]byte
	}
	order := make([]ranked, len(train))
	for i := range train {
		name := "group\n" + train[i].Group
		if train[i].Group == "" {
			name = "id\n" + train[i].ID
		}
		order[i] = ranked{i, sha256.Sum256(append(binary.BigEndian.AppendUint64(nil, uint64(draw)), name...))}
	}
	slices.SortFunc(order, func(a, b ranked) int { return cmp.Or(bytes.Compare(a.key[:], b.key[:]), a.at-b.at) })
	taken := make([]int, n)
	for i := range taken {
		taken[i] = order[i].at
	}
	slices.Sort(taken) // in the order of train, which candidates may follow
	out := make([]rung.Example, n)
	for i, at := range taken {
		out[i] = train[at]
	}
	return out
}

// top is the best value that a metric has.
func top(metric string) float64 {
	if m, ok := task.Standard(metric); ok {
		return m.Max
	}
	return 1
}

// fit says what the points say.
func (c *LearningCurve) fit(o *CurveOptions, top float64) {
	sizes := map[int]*stats.CurvePoint{}
	var points []stats.CurvePoint
	for i := range c.Points {
		pt := &c.Points[i]
		if sizes[pt.N] == nil {
			sizes[pt.N] = &stats.CurvePoint{N: pt.N}
		}
		sizes[pt.N].Draws = append(sizes[pt.N].Draws, pt.series)
	}
	for _, s := range sizes {
		points = append(points, *s)
	}
	slices.SortFunc(points, func(a, b stats.CurvePoint) int { return a.N - b.N })
	if len(points) < stats.MinCurveSizes {
		c.Says, c.Reason = CannotTell, fmt.Sprintf("only %d sizes were scored; a curve takes %d.", len(points), stats.MinCurveSizes)
		return
	}
	fit, _ := stats.LearningCurve(points, stats.CurveOptions{Clusters: c.Points[0].clusters, Top: top, Extra: o.Extra, Level: o.Level, Seed: seed})
	now, then, gain := rung.Interval(fit.Now), rung.Interval(fit.Then), rung.Interval(fit.Gain)
	c.Law, c.Noise, c.Now, c.Then, c.Gain = &fit.Law, fit.Noise, &now, &then, &gain
	for i := range c.Points {
		at := slices.IndexFunc(points, func(p stats.CurvePoint) bool { return p.N == c.Points[i].N })
		c.Points[i].Fitted = &fit.Fitted[at]
	}
	c.judge(o, fit.N)
}

// judge turns the interval of the gain into a sentence.
func (c *LearningCurve) judge(o *CurveOptions, largest int) {
	g := c.Gain
	figure := fmt.Sprintf("%.3f (%g %% interval %.3f to %.3f)", g.Value, 100*g.Level, g.Low, g.High)
	switch {
	case g.Low >= c.MinGain && c.MinGain > 0:
		c.Says, c.Reason = WorthIt, fmt.Sprintf("Another %d train examples are expected to buy %s: at least min_gain (%g) over the whole interval.", o.Extra, figure, c.MinGain)
	case g.High < c.MinGain:
		c.Says, c.Reason = NotWorthIt, fmt.Sprintf("Another %d train examples are expected to buy %s: less than min_gain (%g) over the whole interval. Look for another rung, or other examples.", o.Extra, figure, c.MinGain)
	default:
		c.Says, c.Reason = CannotTell, fmt.Sprintf("The curve cannot tell: another %d train examples are expected to buy %s, on both sides of min_gain (%g). More held-out examples, more sizes or more draws (--draws) narrow it.", o.Extra, figure, c.MinGain)
	}
	if o.Extra > largest {
		c.Notes = append(c.Notes, fmt.Sprintf("%d further examples are more than the %d there are: that far beyond what was measured a curve is little more than a guess.", o.Extra, largest))
	}
	if math.Abs(c.Points[len(c.Points)-1].Score.Value-c.Now.Value) > .1 {
		c.Notes = append(c.Notes, "The curve lies far from the score at the largest size; its figures are of the examples' own scores, and the metric may not be their mean.")
	}
}
