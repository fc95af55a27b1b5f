package report

import (
	"context"
	"encoding/json"
	"math"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/stats"
)

// Diff is two candidates compared: their recipes, their figures, and their answers example by example.
type Diff struct {
	Run      string           `json:"run"`
	Task     string           `json:"task"`
	Heldout  rung.HeldoutInfo `json:"heldout"`
	Bar      rung.BarInfo     `json:"bar"`
	A        DiffSide         `json:"a"`
	B        DiffSide         `json:"b"`
	Recipe   []RecipeChange   `json:"recipe"`
	Metrics  []MetricChange   `json:"metrics"`
	Counts   DiffCounts       `json:"counts"`
	Examples []ExampleChange  `json:"examples"`
}

// DiffSide is one of the two candidates.
type DiffSide struct {
	Candidate rung.Digest   `json:"candidate"`
	Rung      rung.Rung     `json:"rung"`
	Model     rung.ModelRef `json:"model"`
	About     string        `json:"about,omitempty"`
}

// RecipeChange is one part of the recipe that differs. An empty side has no such part.
type RecipeChange struct {
	Part string `json:"part"`
	A    string `json:"a"`
	B    string `json:"b"`
}

// MetricChange is one metric of both candidates, with the paired difference B − A where the metric is a mean over examples.
type MetricChange struct {
	Metric     string           `json:"metric"`
	A          rung.Interval    `json:"a"`
	B          rung.Interval    `json:"b"`
	Comparison *rung.Comparison `json:"comparison,omitempty"`
}

// DiffCounts says how the success of examples changed.
type DiffCounts struct {
	Fixed     int `json:"fixed"`
	Broken    int `json:"broken"`
	BothWrong int `json:"both_wrong"`
	BothRight int `json:"both_right"`
	Otherwise int `json:"wrong_otherwise"` // of BothWrong, those whose answers differ
}

// The changes of an example from A to B.
const (
	Fixed     = "fixed"
	Broken    = "broken"
	BothWrong = "both_wrong"
	BothRight = "both_right"
)

// ExampleChange is one example with both answers.
type ExampleChange struct {
	Example  string          `json:"example"`
	Change   string          `json:"change"`
	Same     bool            `json:"same_answer"`
	Input    json.RawMessage `json:"input,omitempty"`
	Expected json.RawMessage `json:"expected,omitempty"`
	A        AnswerSide      `json:"a"`
	B        AnswerSide      `json:"b"`
}

// AnswerSide is one candidate's answer.
type AnswerSide struct {
	Right   bool            `json:"right"`
	Answer  json.RawMessage `json:"answer,omitempty"` // parsed
	Text    string          `json:"text"`
	Mistake string          `json:"mistake,omitempty"`
}

// DiffOf compares two scored rungs of a run. With all, examples that both got right, or wrong in the same words, are in it
// too; the recipes are compared when both candidates are stored.
func DiffOf(ctx context.Context, doc *rung.Document, a, b *rung.Outcome, src Source, all bool) (*Diff, error) {
	pair := *doc
	pair.Rungs = []rung.Outcome{*a, *b}
	d, err := Load(ctx, &pair, src)
	if err != nil {
		return nil, err
	}
	out := &Diff{Run: doc.Run, Task: doc.Task, Heldout: doc.Heldout, Bar: doc.Bar, A: sideOf(a), B: sideOf(b), Examples: []ExampleChange{}}
	first, second := d.Ladder[0], d.Ladder[1]
	if first.Candidate != nil && second.Candidate != nil {
		out.Recipe = recipeChanges(first.Candidate, second.Candidate)
	}
	out.metrics(d, a, b)
	out.examples(d, all)
	return out, nil
}

func sideOf(o *rung.Outcome) DiffSide {
	return DiffSide{o.Candidate, o.Rung, o.Model, describe(o)}
}

// recipeLeaves bounds how many parts of a candidate are compared one by one.
const recipeLeaves = 10_000

// recipeChanges are the parts of two candidates that differ, in the order of the first, then what only the second has.
func recipeChanges(a, b *rung.Candidate) []RecipeChange {
	left, right := joined(leaves(jsonBytes(a), recipeLeaves)), joined(leaves(jsonBytes(b), recipeLeaves))
	have := map[string]string{}
	for _, f := range right {
		have[f.Path] = f.Text
	}
	out := []RecipeChange{}
	seen := map[string]bool{}
	for _, f := range left {
		seen[f.Path] = true
		if other, there := have[f.Path]; !there || other != f.Text {
			out = append(out, RecipeChange{f.Path, f.Text, other})
		}
	}
	for _, f := range right {
		if !seen[f.Path] {
			out = append(out, RecipeChange{Part: f.Path, B: f.Text})
		}
	}
	return out
}

// joined writes the items of a list of plain values as one part, and fixed demonstrations by their ids.
func joined(fs []field) []field {
	var out []field
	for _, f := range fs {
		if strings.HasPrefix(f.Path, "demos.fixed[") {
			at, isID := strings.CutSuffix(f.Path, "].id")
			if !isID {
				continue
			}
			f.Path = at + "]"
		}
		base, item, ok := strings.Cut(f.Path, "[")
		if ok && strings.HasSuffix(item, "]") && strings.Count(item, "]") == 1 {
			if n := len(out); n > 0 && out[n-1].Path == base {
				out[n-1].Text += " " + f.Text
				continue
			}
			f.Path = base
		}
		out = append(out, f)
	}
	return out
}

func (x *Diff) metrics(d *Details, a, b *rung.Outcome) {
	for _, name := range sortedKeys(a.Metrics) {
		other, ok := b.Metrics[name]
		if !ok {
			continue
		}
		m := MetricChange{Metric: name, A: a.Metrics[name], B: other, Comparison: decidedBy(a, b, name)}
		if m.Comparison == nil {
			m.Comparison = pairedBy(d, name)
			undecide(m.Comparison, a, b)
		}
		if name == d.Doc.Bar.Metric {
			x.Metrics = append([]MetricChange{m}, x.Metrics...)
		} else {
			x.Metrics = append(x.Metrics, m)
		}
	}
	adjustOthers(x.Metrics, d.Doc.Bar)
}

// adjustOthers adjusts the p-values of the metrics that are not the bar's by Holm's method, as rung compare does: of many metrics some differ by
// chance. What a judge's own scores say is in no family, for it decides nothing.
func adjustOthers(metrics []MetricChange, bar rung.BarInfo) {
	var family []*rung.Comparison
	var ps []float64
	for i := range metrics {
		if c := metrics[i].Comparison; c != nil && c.Undecided == "" && metrics[i].Metric != bar.Metric {
			family, ps = append(family, c), append(ps, c.P)
		}
	}
	for i, adjusted := range stats.Holm(ps) {
		family[i].PHolm, family[i].Significant = adjusted, adjusted < 1-bar.Level && !family[i].Difference.HoldsZero()
	}
}

// undecide marks a difference of a judge's own scores. What people would say of it takes their ratings, which rung compare asks for. A task
// that lets an uncalibrated judge decide has its scores as they are.
func undecide(c *rung.Comparison, sides ...*rung.Outcome) {
	if c == nil {
		return
	}
	for _, o := range sides {
		if o.Scorecard == nil {
			continue
		}
		for _, j := range o.Scorecard.Judges {
			if j.Metric == c.Metric && (j.Calibrated || !j.MayDecide) {
				c.Difference.Method += "; the judge's own scores"
				c.Undecided, c.Significant, c.Practical = "these are the judge's own scores; rung compare says what people would say, where they rated enough", false, false
				return
			}
		}
	}
}

// decidedBy is the comparison that the climb itself made of the two, nil when it made none.
func decidedBy(a, b *rung.Outcome, metric string) *rung.Comparison {
	for _, c := range b.Comparisons {
		if c.Candidate == a.Candidate && c.Metric == metric {
			return &c
		}
	}
	return nil
}

// pairedBy compares the two candidates by one metric, with the tests of STATISTICS.md. Nil when some example lacks a score of
// its own or the figure is no mean of them, as with BLEU of a corpus or macro F1, or when the examples' groups are unknown.
func pairedBy(d *Details, metric string) *rung.Comparison {
	if !d.Kept {
		return nil
	}
	first, okA := ownScores(d.Ladder[0], metric)
	second, okB := ownScores(d.Ladder[1], metric)
	if !okA || !okB {
		return nil
	}
	clusters := clustersOf(d.Examples)
	e := stats.MeanDifference(first, second, clusters, stats.Options{Level: d.Doc.Bar.Level, Bounds: boundsOf(first, second), Seed: 1})
	c := &rung.Comparison{With: d.Ladder[0].Outcome.Rung, Candidate: d.Ladder[0].Outcome.Candidate, Metric: metric, Difference: rung.Interval(e.Interval)}
	c.P, c.Test = pairedTest(first, second, clusters)
	c.PHolm = c.P
	c.Significant = c.P < 1-d.Doc.Bar.Level && !c.Difference.HoldsZero()
	c.Practical = c.Difference.Low > d.Doc.Bar.MinGain
	return c
}

func pairedTest(first, second []float64, clusters []int) (p float64, test string) {
	differences, passFail := make([]float64, len(first)), true
	for i := range first {
		differences[i] = second[i] - first[i]
		passFail = passFail && isPassFail(first[i]) && isPassFail(second[i])
	}
	switch {
	case clusters != nil:
		return stats.SignFlip(differences, clusters, stats.Resamples, 1), "sign flips by cluster"
	case passFail:
		return stats.McNemar(stats.Discordant(first, second)).P, "exact McNemar"
	}
	return stats.Wilcoxon(differences).P, "Wilcoxon signed-rank"
}

func isPassFail(v float64) bool { return v == 0 || v == 1 }

// boundsOf is the range of a metric's scores: 0 to 1, or 0 to 100 where some are greater.
func boundsOf(first, second []float64) stats.Bounds {
	for _, v := range append(append([]float64{}, first...), second...) {
		if v > 1 {
			return stats.Bounds{Low: 0, High: 100}
		}
	}
	return stats.Bounds{Low: 0, High: 1}
}

// ownScores are the examples' own scores of a metric, false when they do not make up the rung's figure.
func ownScores(s Scored, metric string) ([]float64, bool) {
	out := make([]float64, len(s.Scores))
	sum := 0.0
	for i, score := range s.Scores {
		if score == nil {
			return nil, false
		}
		v, ok := score.Values[metric]
		if !ok {
			return nil, false
		}
		out[i], sum = v, sum+v
	}
	n := len(out)
	return out, n > 0 && math.Abs(sum/float64(n)-s.Outcome.Metrics[metric].Value) < 1e-6
}

// clustersOf numbers the groups of examples; nil when every example stands alone.
func clustersOf(examples []rung.Example) []int {
	groups, grouped := make([]string, len(examples)), false
	for i, ex := range examples {
		groups[i] = ex.Group
		grouped = grouped || ex.Group != ""
	}
	if !grouped {
		return nil
	}
	return stats.Clusters(groups)
}

func (x *Diff) examples(d *Details, all bool) {
	first, second := d.Ladder[0].Scores, d.Ladder[1].Scores
	shift := ShiftOf(first, second)
	x.Counts = DiffCounts{Fixed: len(shift.Fixed), Broken: len(shift.Broken), BothWrong: len(shift.BothWrong), BothRight: len(shift.BothRight)}
	for _, g := range []struct {
		change string
		rows   []int
	}{{Fixed, shift.Fixed}, {Broken, shift.Broken}, {BothWrong, shift.BothWrong}, {BothRight, shift.BothRight}} {
		for _, i := range g.rows {
			e := ExampleChange{Example: d.Examples[i].ID, Change: g.change, Input: d.Examples[i].Input, Expected: d.Examples[i].Output,
				A: answerSide(first[i]), B: answerSide(second[i])}
			e.Same = AnswerText(&first[i].Answer) == AnswerText(&second[i].Answer)
			if g.change == BothWrong && !e.Same {
				x.Counts.Otherwise++
			}
			if all || g.change == Fixed || g.change == Broken || g.change == BothWrong && !e.Same {
				x.Examples = append(x.Examples, e)
			}
		}
	}
}

func answerSide(s *rung.Score) AnswerSide {
	return AnswerSide{s.Success, s.Answer.Value, s.Answer.Text, s.Mistake}
}
