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
	Task     string          `json:"task"`
	Rung     rung.Rung       `json:"rung"`
	Model    rung.ModelRef   `json:"model"`
	Metric   string          `json:"metric"`
	Suite    rung.SuiteInfo  `json:"suite"`
	Points   []CurvePoint    `json:"points"`
	Law      *stats.PowerLaw `json:"law,omitempty"` // error = a + b·n^−c, in the metric's unit
	Noise    float64         `json:"noise,omitempty"`
	Extra    int             `json:"extra"`
	Now      *rung.Interval  `json:"now,omitempty"`
	Then     *rung.Interval  `json:"then,omitempty"`
	Gain     *rung.Interval  `json:"gain,omitempty"`
	Foretold *Foretold       `json:"foretold,omitempty"` // how the curve does where the truth is known; five sizes or more
	MinGain  float64         `json:"min_gain"`
	Says     CurveVerdict    `json:"says"`
	Reason   string          `json:"reason"`
	Notes    []string        `json:"notes"`
}

// Foretold is a test of the extrapolation: the curve fitted without the largest size, held to what was measured there.
type Foretold struct {
	From     int           `json:"from"` // the largest size that it was fitted on
	At       int           `json:"at"`   // the largest size
	Said     rung.Interval `json:"said"`
	Measured float64       `json:"measured"` // by the same scores as the curve
	Slack    float64       `json:"slack"`    // that one measurement lies off by chance: twice the noise of a size
	Held     bool          `json:"held"`     // it lies within the interval, give or take the slack
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
	for i, n := range o.Sizes {
		draws := o.Draws
		if n == len(p.Data.Building.Train) {
			draws = 1
		}
		for draw := range draws {
			what := fmt.Sprintf("size %d of %d: what %d train examples give", i+1, len(o.Sizes), n)
			if draws > 1 {
				what += fmt.Sprintf(", draw %d of %d", draw+1, draws)
			}
			point, skipped, err := p.curvePoint(ctx, &o, suite, base, n, draw, what)
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
func (p *Project) curvePoint(ctx context.Context, o *CurveOptions, suite *Suite, base *rung.Candidate, n, draw int, what string) (*CurvePoint, string, error) {
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
	sub.Name = what // for who watches; documents have the candidate's own name
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
	opt := stats.CurveOptions{Clusters: c.Points[0].clusters, Top: top, Extra: o.Extra, Level: o.Level, Seed: seed}
	fit, _ := stats.LearningCurve(points, opt)
	now, then, gain := rung.Interval(fit.Now), rung.Interval(fit.Then), rung.Interval(fit.Gain)
	c.Law, c.Noise, c.Now, c.Then, c.Gain = &fit.Law, fit.Noise, &now, &then, &gain
	for i := range c.Points {
		at := slices.IndexFunc(points, func(p stats.CurvePoint) bool { return p.N == c.Points[i].N })
		c.Points[i].Fitted = &fit.Fitted[at]
	}
	c.foretell(points, opt)
	c.judge(o, fit.N)
}

// foretell fits the curve without its largest size and holds it to that size, where the truth was measured.
func (c *LearningCurve) foretell(points []stats.CurvePoint, opt stats.CurveOptions) {
	last := &points[len(points)-1]
	earlier := points[:len(points)-1]
	if len(earlier) < stats.MinCurveSizes {
		return
	}
	from := earlier[len(earlier)-1].N
	opt.Extra = last.N - from
	fit, ok := stats.LearningCurve(earlier, opt)
	if !ok {
		return
	}
	f := &Foretold{From: from, At: last.N, Said: rung.Interval(fit.Then), Slack: 2 * c.Noise}
	for _, draw := range last.Draws {
		f.Measured += average(draw) / float64(len(last.Draws))
	}
	f.Held = f.Measured >= f.Said.Low-f.Slack && f.Measured <= f.Said.High+f.Slack
	c.Foretold = f
}

// judge turns the interval of the gain into a sentence. A curve that did not foretell its own largest size decides nothing.
func (c *LearningCurve) judge(o *CurveOptions, largest int) {
	g := c.Gain
	figure := fmt.Sprintf("Another %d train examples (%d instead of %d) are expected to buy %+.3f %s (%g %% interval %+.3f to %+.3f, n=%d)", o.Extra, largest+o.Extra, largest, g.Value, c.Metric, 100*g.Level, g.Low, g.High, c.Suite.N)
	minGain := fmt.Sprintf("the smallest gain worth having (min_gain %g)", c.MinGain)
	switch {
	case c.Foretold != nil && !c.Foretold.Held:
		c.Says, c.Reason = CannotTell, figure+fmt.Sprintf(", if the errors go on falling as they did. They do not fall that way: the curve of the sizes up to %d says %.3f for %d, and %.3f was measured. So it cannot tell. Measure more sizes near %d (--sizes) or several draws of each (--draws).",
			c.Foretold.From, c.Foretold.Said.Value, c.Foretold.At, c.Foretold.Measured, largest)
	case g.Low >= c.MinGain && c.MinGain > 0:
		c.Says, c.Reason = WorthIt, figure+": at least "+minGain+" over the whole interval."
	case g.High < c.MinGain:
		c.Says, c.Reason = NotWorthIt, figure+": less than "+minGain+" over the whole interval. Look for another rung, or for examples of another kind."
	default:
		c.Says, c.Reason = CannotTell, figure+": on both sides of "+minGain+", so it cannot tell. More held-out examples, more sizes (--sizes) or more draws (--draws) narrow it."
	}
	c.Notes = append(c.Notes, fmt.Sprintf("%d train examples are more than were measured: the figure is read off the curve, and its interval holds only if the errors go on falling by the same law, and the new examples are of the kind of the old ones.", largest+o.Extra))
	if o.Extra > largest {
		c.Notes = append(c.Notes, fmt.Sprintf("%d further examples are more than the %d there are: that far beyond what was measured a curve is little more than a guess.", o.Extra, largest))
	}
	if off := c.Points[len(c.Points)-1].own() - c.Points[len(c.Points)-1].Score.Value; math.Abs(off) > .02 {
		c.Notes = append(c.Notes, fmt.Sprintf("The curve is fitted to the mean of the examples' own scores, which at the largest size lies %+.3f from %s over all of them: read its gains, and not its heights.", off, c.Metric))
	}
}

// own is the mean of the examples' own scores.
func (p *CurvePoint) own() float64 { return average(p.series) }

func average(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v / float64(len(values))
	}
	return sum
}
