package app

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/climb"
	"github.com/rung-dev/rung/internal/grade"
	"github.com/rung-dev/rung/internal/judge"
	"github.com/rung-dev/rung/internal/recipe"
	"github.com/rung-dev/rung/internal/stats"
)

// calibrationStep is where the store keeps what is known of a judge. Another prompt, model or criterion is another judge.
func calibrationStep(d rung.Digest, criterion string) string {
	return "judge calibration/" + string(d) + "/" + criterion
}

// Calibration is what is known of a judge's figure, criterion "" being the whole metric; nil where nothing is.
func (p *Project) Calibration(ctx context.Context, j *judge.Judge, criterion string) (*judge.Calibration, error) {
	b, found, err := p.Store.Step(ctx, calibrationStep(j.Digest(), criterion))
	if err != nil || !found {
		return nil, err
	}
	var c judge.Calibration
	if json.Unmarshal(b, &c) != nil {
		return nil, nil // of another version of rung: calibrate again
	}
	return &c, nil
}

// Judge is the judge that a metric of the task is, by the metric's name or by that of one of its criteria.
func (p *Project) Judge(ctx context.Context, metric string) (j *judge.Judge, criterion string, err error) {
	name, criterion, _ := strings.Cut(metric, ".")
	spec := p.metric(name)
	if spec == nil || spec.Judge == nil {
		return nil, "", nil
	}
	j, err = p.outside.judge(ctx, spec)
	return j, criterion, err
}

// JudgeNames are the metrics of the task that judges give, criteria included.
func (p *Project) JudgeNames() []string {
	var names []string
	for _, m := range p.Task.Metrics {
		if m.Judge == nil {
			continue
		}
		names = append(names, m.Name)
		if !m.Judge.Pairwise && len(m.Judge.Criteria) > 1 {
			for _, c := range m.Judge.Criteria {
				names = append(names, m.Name+"."+c.Name)
			}
		}
	}
	return names
}

// JudgeInfo says how far a metric's figures can be trusted; nil for a metric that is no judge's.
func (p *Project) JudgeInfo(ctx context.Context, metric string) (*rung.JudgeInfo, *judge.Calibration, error) {
	j, criterion, err := p.Judge(ctx, metric)
	if err != nil || j == nil {
		return nil, nil, err
	}
	c, err := p.Calibration(ctx, j, criterion)
	if err != nil {
		return nil, nil, err
	}
	info := &rung.JudgeInfo{Metric: metric, Model: j.Spec().Model, Prompt: j.Prompt(), Digest: j.Digest(), MayDecide: j.Spec().MayDecide}
	if c == nil {
		info.Says = "UNCALIBRATED JUDGE: its scores were never held against people's, so nobody knows what they are worth."
		return info, nil, nil
	}
	info.Calibrated, info.People, info.Rated = c.OK, c.Raters, c.Rated
	info.MayDecide = info.MayDecide || c.OK
	for _, f := range c.Agreement {
		info.Agreement = append(info.Agreement, rung.Agreement{Measure: f.Name, Interval: f.Interval})
	}
	for _, b := range c.Biases {
		if b.Name == "level" && b.Missing == "" {
			info.Bias = &b.Figure
		}
	}
	info.Says = strings.Join(c.Says, " ")
	if !c.OK {
		info.Says = "UNCALIBRATED JUDGE: " + info.Says
	}
	return info, c, nil
}

// judged says of each judge's figure of a scorecard how far it can be trusted, and gives it with the judge's bias taken out.
func (p *Project) judged(ctx context.Context, tally *grade.Tally, card *rung.Scorecard, level float64) error {
	for _, name := range p.JudgeNames() {
		if _, there := card.Metrics[name]; !there {
			continue
		}
		info, c, err := p.JudgeInfo(ctx, name)
		if err != nil {
			return err
		}
		if e, ok := corrected(tally, card.Candidate, name, c, level); ok {
			iv := rung.Interval(e.Interval)
			info.Corrected = &iv
		}
		card.Judges = append(card.Judges, *info)
		if iv := card.Metrics[name]; !info.Calibrated {
			iv.Method += uncalibrated
			card.Metrics[name] = iv
		}
	}
	return nil
}

// uncalibrated is added to the method of figures that nobody has held against people, wherever they are shown.
const uncalibrated = "; uncalibrated judge"

// corrected is a judge's figure with its bias taken out; false where the judge is not calibrated, and where the evaluation stopped early:
// the corrected interval is not one of a sequence. n is the number of examples.
func corrected(tally *grade.Tally, candidate rung.Digest, metric string, c *judge.Calibration, level float64) (stats.Estimate, bool) {
	if c == nil || !c.OK || tally.Stopped() {
		return stats.Estimate{}, false
	}
	answers := verdictsOf(tally, metric)
	if len(answers) == 0 {
		return stats.Estimate{}, false
	}
	examples := map[string]bool{}
	for i := range answers {
		examples[answers[i].Example] = true
	}
	own, rated := ownRated(c, candidate, examples)
	others := answers
	if len(own) >= judge.EnoughRated {
		others = slices.DeleteFunc(answers, func(o judge.Observation) bool { return rated[o.Example] })
	}
	e := c.Correct(own, others, level, seed)
	if e.Lambda > 0 { // else what people said of the rated ones is all there is
		e.N = len(examples)
	}
	return e.Estimate, true
}

// verdictsOf are the judge's scores of a tally as observations that nobody rated.
func verdictsOf(tally *grade.Tally, metric string) []judge.Observation {
	scores, _ := tally.Judged(metric)
	out := make([]judge.Observation, len(scores))
	for i, s := range scores {
		out[i] = judge.Observation{Example: s.Example, Group: recipe.GroupOf(s.Example, s.Group), Judge: s.Score}
	}
	return out
}

// ownRated are the observations of a candidate's answers to the named examples that people rated, one for each.
func ownRated(c *judge.Calibration, candidate rung.Digest, examples map[string]bool) (own []judge.Observation, rated map[string]bool) {
	rated = map[string]bool{}
	for _, o := range c.Kept {
		if o.By(candidate) && !rated[o.Example] && examples[o.Example] {
			rated[o.Example] = true
			own = append(own, o)
		}
	}
	return own, rated
}

// judging fills in what is known of the judges of a result. Where the metric that decides is a calibrated judge's, its figure decides
// with the bias taken out.
func (p *Project) judging(candidate rung.Digest, metric string) func(context.Context, *grade.Tally, *climb.Scored) error {
	if len(p.JudgeNames()) == 0 {
		return nil
	}
	return func(ctx context.Context, tally *grade.Tally, out *climb.Scored) error {
		out.Card.Candidate = candidate
		if err := p.judged(ctx, tally, &out.Card, out.Bar.Level); err != nil {
			return err
		}
		_, c, err := p.JudgeInfo(ctx, metric)
		if e, ok := corrected(tally, candidate, metric, c, out.Bar.Level); ok && err == nil {
			out.Bar = e
		}
		return err
	}
}

// corrects says that a metric is a calibrated judge's. Its figure decides with the judge's bias taken out, which is known to no
// sequence, so every example is asked.
func (p *Project) corrects(metric string) bool {
	info, _, err := p.JudgeInfo(context.Background(), metric)
	return err == nil && info != nil && info.Calibrated
}

// mayNotDecide says why a metric may not decide alone: a judge that was never held against people. Empty when it may.
func (p *Project) mayNotDecide(metric string) string {
	info, _, err := p.JudgeInfo(context.Background(), metric)
	switch {
	case err != nil:
		return fmt.Sprintf("nothing is known of its judge: %v", err)
	case info == nil || info.MayDecide:
		return ""
	}
	return fmt.Sprintf("%s is the figure of a judge that is not calibrated against people, which cannot decide alone (rung judge calibrate, or may_decide: true in the task file)", metric)
}

// judgeNotes say of each judge of a scorecard what its figures are worth.
func judgeNotes(card *rung.Scorecard) []string {
	var notes []string
	for _, info := range card.Judges {
		if strings.Contains(info.Metric, ".") {
			continue // said of the whole judge
		}
		note := fmt.Sprintf("The metric %s is the judgement of %s (prompt %s). %s", info.Metric, info.Model, info.Prompt, info.Says)
		if !info.Calibrated {
			note += " Hold it against people with rung judge calibrate."
		}
		notes = append(notes, note)
	}
	return notes
}

// matchNotes say of the judges and programs of a comparison what their figures are worth, and whether all subjects had the same.
func matchNotes(all []*Evaluated, outsiders []string) []string {
	var notes []string
	for _, e := range all {
		for _, n := range judgeNotes(&e.Doc.Scorecard) {
			if !slices.Contains(notes, n) {
				notes = append(notes, n)
			}
		}
	}
	for _, name := range outsiders {
		by := map[rung.Digest]bool{}
		for _, e := range all {
			for _, d := range e.Tally.By(name) {
				by[d] = true
			}
		}
		if len(by) > 1 {
			notes = append(notes, fmt.Sprintf("The metric %s was not measured by one judge or program: its definition has changed between these evaluations. Its figures do not compare; evaluate again.", name))
		}
	}
	return notes
}

// Pairwise says whether the judge of a metric compares pairs; an empty name is the only judge.
func (p *Project) Pairwise(metric string) bool {
	for _, m := range p.Task.Metrics {
		if m.Judge != nil && (m.Name == metric || metric == "") {
			return m.Judge.Pairwise
		}
	}
	return false
}
