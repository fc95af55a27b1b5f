package report

import (
	"fmt"
	"html/template"
	"strings"

	"github.com/rung-dev/rung"
)

// view is what the page's template shows: words, figures already written, and pictures.
type view struct {
	Task, Run, Started, Version string
	Headline, Score, Bar        string
	Verdict                     rung.Verdict
	Mark                        string
	Reasons, Advice, Notes      []string
	Metric                      string
	StripAxis                   template.HTML
	Ladder                      []ladderRow
	Free                        bool // every call cost nothing
	Metrics                     metricTable
	Planes                      []template.HTML
	Comparisons                 []comparisonRow
	DiffLevel                   string
	Mistakes                    mistakeTable
	Modes                       modeTable
	Classes                     *classTable
	Curves                      []curveView
	Efforts                     []effortRow
	Search                      []searchRow
	SearchNotes                 bool
	Methods                     []string
	Totals                      string
	Digest                      string
	N                           int
	Examples                    string // how many rows the table of examples has, in words
	HasExamples                 bool
	LeftOut                     []string
	Recipes                     []recipe
}

type ladderRow struct {
	Rung, Candidate, Model, About, Figure string
	Strip                                 template.HTML
	P50, P95, In, Out, Cost, Calls        string
	Verdict, Class, Mark                  string
	Reason                                string
	Violations                            []string
	Chosen, Skipped                       bool
}

type metricTable struct {
	Rungs []string
	Rows  []metricRow
}

type metricRow struct {
	Name  string
	Bar   bool
	Guard string // "≥ .99" for a guard
	Cells []string

	Marked bool // its name says that it is of an uncalibrated judge
}

type comparisonRow struct {
	What, Difference, P, PHolm, Test, N, Words string
	Strip                                      template.HTML
	Class                                      string
}

type mistakeTable struct {
	Rungs []string
	Rows  []mistakeRow
	Right []string
}

type mistakeRow struct {
	Kind  string
	Cells []mistakeCell
}

type mistakeCell struct {
	Rung  string
	Count int
	Share int // of the largest count, 0–20, for the bar behind it
}

type classTable struct {
	Rung     string
	Rows     []classRow
	Confused []string // most frequent confusions, in words
	More     int      // classes not shown
}

type classRow struct{ Label, Precision, Recall, F1, Support string }

type curveView struct {
	Rung, Unit string
	Picture    template.HTML
}

type effortRow struct{ Rung, Calls, Tokens, Cost, Wall string }

type searchRow struct {
	Rung, Label, Value, N, Cost, Note string
	Chosen                            bool
}

func newView(d *Details, e *embedded) *view {
	doc := d.Doc
	f := figuresFor(doc, false)
	v := &view{
		Task: clean(doc.Task), Run: doc.Run, Version: doc.Version, Headline: headline(doc), Score: scoreWords(doc, f), Bar: barLine(doc, f),
		Verdict: doc.Decision.Verdict, Reasons: doc.Decision.Reasons, Advice: doc.Decision.Advice, Notes: doc.Notes,
		Metric: doc.Bar.Metric, Free: totalsOf(doc).CostUSD == 0, Methods: methods(doc), Totals: totalsOf(doc).sentence(),
		Digest: string(doc.Heldout.Digest), N: doc.Heldout.N,
	}
	if !doc.Started.IsZero() {
		v.Started = doc.Started.UTC().Format("2 January 2006, 15:04 UTC")
	}
	v.ladder(doc, f)
	v.metrics(d, f)
	v.planes(d, f)
	v.comparisons(doc, f)
	v.mistakes(d)
	v.modes(d, f)
	v.classes(doc, f)
	for _, s := range d.Ladder {
		v.building(s.Outcome, f)
	}
	v.Recipes = recipes(d)
	v.leftOut(d, e)
	return v
}

var verdictWords = map[rung.Verdict][2]string{
	rung.Pass: {"✓", "pass"}, rung.Fail: {"✗", "fail"}, rung.Inconclusive: {"?", "inconclusive"},
}

func (v *view) ladder(doc *rung.Document, f figures) {
	s := scoreScale(append(bounds(doc), doc.Bar.AtLeast), 8, 252)
	v.StripAxis = stripAxis(s, f)
	p := printer{doc: doc}
	for i := range doc.Rungs {
		o := &doc.Rungs[i]
		row := ladderRow{Rung: string(o.Rung), Reason: o.Reason}
		if o.Status == rung.Skipped {
			row.Skipped = true
			v.Ladder = append(v.Ladder, row)
			continue
		}
		m := o.Metrics[doc.Bar.Metric]
		mark := verdictWords[o.Verdict]
		row.Mark, row.Verdict, row.Class = mark[0], mark[1], string(o.Verdict)
		if o.NeededN > doc.Heldout.N {
			row.Verdict += fmt.Sprintf("; n = %s would settle it", count(o.NeededN))
		}
		if o.Stopped != nil {
			row.Verdict += fmt.Sprintf("; stopped after %d of %d (%s intervals)", o.Stopped.N, o.Stopped.Of, percent(m.Level))
		}
		row.Candidate, row.Model, row.About = o.Candidate.Short(), string(o.Model), describe(o)
		row.Figure, row.Strip = f.of(doc.Bar.Metric).interval(m), strip(m, doc.Bar.AtLeast, s, string(o.Verdict))
		row.P50, row.P95 = millis(o.P50Millis), millis(o.P95Millis)
		row.In, row.Out = count(tokensIn(o)), count(tokensOut(o))
		row.Cost, row.Calls = usdOr(o.CostPerSuccess, "nothing succeeded"), callWords(o.Calls)
		row.Violations, row.Chosen = violations(doc, o, f), p.chosen(o)
		v.Ladder = append(v.Ladder, row)
	}
}

// bounds are the ends of every interval of the bar's metric.
func bounds(doc *rung.Document) []float64 {
	var out []float64
	for _, o := range doc.Rungs {
		if m, ok := o.Metrics[doc.Bar.Metric]; ok {
			out = append(out, m.Low, m.High)
		}
	}
	return out
}

func tokensOut(o *rung.Outcome) int {
	t, c := o.Tokens, o.Calls
	if o.Scorecard != nil {
		t, c = o.Scorecard.Tokens, o.Scorecard.Calls
	}
	return perCall(rung.Tokens{In: t.Out}, c)
}

func callWords(c rung.Calls) string {
	out := fmt.Sprintf("%s made, %s from the store", count(c.Made), count(c.Cached))
	if c.Failed > 0 {
		out += fmt.Sprintf(", %s failed", count(c.Failed))
	}
	return out
}

func (v *view) metrics(d *Details, f figures) {
	names := map[string]bool{}
	for _, s := range d.Ladder {
		v.Metrics.Rungs = append(v.Metrics.Rungs, string(s.Outcome.Rung))
		for name := range s.Outcome.Metrics {
			names[name] = true
		}
	}
	for _, name := range sortedKeys(names) {
		row := metricRow{Name: name, Bar: name == d.Doc.Bar.Metric}
		if limit, ok := d.Doc.Bar.Guards[name]; ok {
			row.Guard = f.of(name).score(limit)
		}
		for _, s := range d.Ladder {
			cell := f.none()
			if m, ok := s.Outcome.Metrics[name]; ok {
				cell = f.of(name).interval(m)
				row.judged(s.Outcome.Scorecard)
			}
			row.Cells = append(row.Cells, cell)
		}
		if row.Bar {
			v.Metrics.Rows = append([]metricRow{row}, v.Metrics.Rows...)
		} else {
			v.Metrics.Rows = append(v.Metrics.Rows, row)
		}
	}
}

// judged marks a figure of a judge that nobody has held against people.
func (r *metricRow) judged(card *rung.Scorecard) {
	if card == nil || r.Marked {
		return
	}
	for _, j := range card.Judges {
		if j.Metric == r.Name && !j.Calibrated {
			r.Name += " (uncalibrated judge)"
			r.Marked = true
			return
		}
	}
}

// planes are two pictures: against the cost per success and the latency, or, where all is free, against the latency and
// the tokens that each call reads.
func (v *view) planes(d *Details, f figures) {
	latency := plane{title: "p95 latency", unit: millis, limit: d.Doc.Bar.MaxP95Millis}
	tokens := plane{title: "tokens in per call", unit: func(n float64) string { return count(int(n)) }}
	money := plane{title: "cost per success, USD", unit: usd, limit: d.Doc.Bar.MaxCostPerSuccess}
	chosen := d.Chosen()
	for i, s := range d.Ladder {
		o := s.Outcome
		m, ok := o.Metrics[d.Doc.Bar.Metric]
		if !ok {
			continue
		}
		dot := dotted{name: string(o.Rung), score: m, class: string(o.Verdict), bold: i == chosen}
		latency.dots = append(latency.dots, dot.at(o.P95Millis))
		tokens.dots = append(tokens.dots, dot.at(float64(tokensIn(o))))
		if o.CostPerSuccess != nil {
			money.dots = append(money.dots, dot.at(*o.CostPerSuccess))
		}
	}
	pair := []plane{money, latency}
	if v.Free {
		pair = []plane{latency, tokens}
	}
	for _, p := range pair {
		p.metric, p.bar = d.Doc.Bar.Metric, d.Doc.Bar.AtLeast
		if len(p.dots) > 0 {
			v.Planes = append(v.Planes, p.draw(f))
		}
	}
}

func (t dotted) at(cost float64) dotted {
	t.cost = cost
	return t
}

func (v *view) comparisons(doc *rung.Document, f figures) {
	low, high := 0.0, doc.Bar.MinGain
	for _, o := range doc.Rungs {
		for _, c := range o.Comparisons {
			low, high = min(low, c.Difference.Low), max(high, c.Difference.High)
		}
	}
	s := scale{low: low - .05*(high-low), high: high + .05*(high-low), from: 8, to: 232}
	g := f.of(doc.Bar.Metric)
	for _, o := range doc.Rungs {
		for _, c := range o.Comparisons {
			v.DiffLevel = percent(c.Difference.Level)
			class := "inconclusive"
			if c.Significant {
				class = map[bool]string{true: "pass", false: "fail"}[c.Difference.Value > 0]
			}
			v.Comparisons = append(v.Comparisons, comparisonRow{
				What: fmt.Sprintf("%s against %s", o.Rung, c.With), Difference: g.change(c.Difference), P: f.pvalue(c.P), PHolm: f.pvalue(c.PHolm),
				Test: c.Test, N: count(c.Difference.N), Words: comparisonWords(c, doc.Bar, f), Strip: difference(c, doc.Bar.MinGain, s, class), Class: class,
			})
		}
	}
}

func (v *view) mistakes(d *Details) {
	counts := map[string][]int{}
	totals := map[string]int{}
	for r, s := range d.Ladder {
		v.Mistakes.Rungs = append(v.Mistakes.Rungs, string(s.Outcome.Rung))
		card := s.Outcome.Scorecard
		if card == nil {
			v.Mistakes.Right = append(v.Mistakes.Right, "–")
			continue
		}
		v.Mistakes.Right = append(v.Mistakes.Right, fmt.Sprintf("%s of %s", count(card.Successes), count(card.N)))
		for _, m := range card.Mistakes {
			if counts[m.Kind] == nil {
				counts[m.Kind] = make([]int, len(d.Ladder))
			}
			counts[m.Kind][r] = m.Count
			totals[m.Kind] += m.Count
		}
	}
	largest := 1
	for _, row := range counts {
		for _, n := range row {
			largest = max(largest, n)
		}
	}
	for _, kind := range byCount(totals) {
		row := mistakeRow{Kind: kind}
		for r, n := range counts[kind] {
			row.Cells = append(row.Cells, mistakeCell{Rung: v.Mistakes.Rungs[r], Count: n, Share: (n*20 + largest - 1) / largest})
		}
		v.Mistakes.Rows = append(v.Mistakes.Rows, row)
	}
}

// building shows how a rung was built: what was tried on dev, and the learning curve.
func (v *view) building(o *rung.Outcome, f figures) {
	if e := o.Building; e != nil {
		v.Efforts = append(v.Efforts, effortRow{string(o.Rung), callWords(e.Calls), count(e.Tokens.In) + " / " + count(e.Tokens.Out), usd(e.CostUSD), seconds(e.WallSeconds)})
	}
	for _, t := range o.Search {
		v.SearchNotes = v.SearchNotes || t.Note != ""
		v.Search = append(v.Search, searchRow{string(o.Rung), t.Label, f.score(t.Value), count(t.N), usd(t.CostUSD), t.Note, t.Chosen})
	}
	if len(o.Curve) > 1 {
		v.Curves = append(v.Curves, curveView{string(o.Rung), o.Curve[0].Unit, curve(string(o.Rung), o.Curve, f)})
	}
}

// leftOut says what the page does not hold, and the command that shows it.
func (v *view) leftOut(d *Details, e *embedded) {
	v.HasExamples = len(d.Examples) > 0
	v.Examples = plural(len(d.Examples)-e.leftRows, "example")
	if !v.HasExamples {
		v.LeftOut = append(v.LeftOut, "The store has no scores of this run, so there is nothing to show example by example.")
	}
	if v.HasExamples && !d.Kept {
		v.LeftOut = append(v.LeftOut, "The store has no inputs and expected outputs of this held-out set, only the answers.")
	}
	if e.leftRows > 0 {
		v.LeftOut = append(v.LeftOut, fmt.Sprintf("%s left out to keep the page small, most of them right on every rung. To see all: rung diff A B --all.", examplesWere(e.leftRows)))
	}
	if e.leftCalls > 0 {
		v.LeftOut = append(v.LeftOut, fmt.Sprintf("%s of %s completions left out to keep the page small, those of right answers first. To see one: rung show KEY, with the key that stands by the answer.", count(e.leftCalls), count(e.leftCalls+e.shownCalls)))
	}
	if e.lostCalls > 0 {
		v.LeftOut = append(v.LeftOut, fmt.Sprintf("%s are no longer in the store.", plural(e.lostCalls, "completion")))
	}
}

func examplesWere(n int) string {
	if n == 1 {
		return "1 example was"
	}
	return count(n) + " examples were"
}

func (v *view) classes(doc *rung.Document, f figures) {
	o := decided(doc)
	if o == nil || o.Scorecard == nil || len(o.Scorecard.Classes) == 0 {
		return
	}
	t := &classTable{Rung: string(o.Rung)}
	for _, c := range o.Scorecard.Classes {
		t.Rows = append(t.Rows, classRow{clean(c.Label), f.score(c.Precision), f.score(c.Recall), f.score(c.F1), count(c.Support)})
	}
	t.Confused = confusions(o.Scorecard.Confusion, 15)
	v.Classes = t
}

// confusions are the most frequent wrong labels, in words.
func confusions(c *rung.Confusion, n int) []string {
	if c == nil {
		return nil
	}
	counts := map[string]int{}
	for i, row := range c.Counts {
		for j, k := range row {
			if i == j || k == 0 || i >= len(c.Labels) {
				continue
			}
			answered := "no label"
			if j < len(c.Labels) {
				answered = c.Labels[j]
			}
			counts[fmt.Sprintf("%s answered as %s", clean(c.Labels[i]), clean(answered))] = k
		}
	}
	var out []string
	for _, what := range byCount(counts) {
		if len(out) == n {
			break
		}
		out = append(out, fmt.Sprintf("%s: %s", what, count(counts[what])))
	}
	return out
}

// title is the page's title.
func (v *view) title() string { return strings.TrimSpace(v.Task + ": " + v.Headline) }

// recipe is a candidate in full.
type recipe struct{ Name, Text string }

func recipes(d *Details) []recipe {
	var out []recipe
	for _, s := range d.Ladder {
		if s.Candidate != nil {
			out = append(out, recipe{string(s.Outcome.Rung), clip(Recipe(s.Candidate), messageLimit)})
		}
	}
	return out
}
