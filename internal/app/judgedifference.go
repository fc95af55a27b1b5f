package app

import (
	"context"
	"fmt"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/grade"
	"github.com/rung-dev/rung/internal/judge"
	"github.com/rung-dev/rung/internal/stats"
)

// side is one subject of a comparison.
type side struct {
	candidate rung.Digest
	tally     *grade.Tally
}

// judgedDifference is the paired difference of a judge's metric. Nil: the metric is no judge's, or the task lets the judge decide by its
// own scores.
type judgedDifference struct {
	estimate  stats.Estimate // what people would say of b − a
	p         float64
	undecided string // why there is no estimate, and the judge's own difference decides nothing
}

// judgedTest names the p-value of a corrected difference.
const judgedTest = "the corrected interval, inverted"

// judgeDifference takes a judge's lean out of a paired difference, where people rated both subjects' answers to enough of the same
// examples. A lean that was measured on other answers would be taken out of either side alike, and say nothing of a judge that likes one
// of the two better than people do: then nothing is decided.
func (p *Project) judgeDifference(ctx context.Context, a, b side, metric string, level float64) (*judgedDifference, error) {
	j, _, err := p.Judge(ctx, metric)
	if err != nil || j == nil {
		return nil, err
	}
	_, c, err := p.JudgeInfo(ctx, metric)
	if err != nil {
		return nil, err
	}
	may := j.Spec().MayDecide
	if c == nil || !c.OK {
		if may {
			return nil, nil
		}
		return &judgedDifference{undecided: "the judge is not calibrated, so its scores decide nothing (rung judge calibrate, or may_decide: true)"}, nil
	}
	rated, others := judgedPairs(c, a, b, metric)
	switch {
	case len(rated) < judge.EnoughRated && may:
		return nil, nil
	case len(rated) < judge.EnoughRated:
		return &judgedDifference{undecided: fmt.Sprintf("people rated both answers to %d examples, and %d are needed to tell what they think from what the judge leans to (rung rate, then rung judge calibrate)", len(rated), judge.EnoughRated)}, nil
	case a.tally.Stopped() || b.tally.Stopped():
		return &judgedDifference{undecided: "one of the two stopped early, and a corrected difference does not hold at a stop (evaluate with --full)"}, nil
	}
	e, pValue := judge.Difference(rated, others, level, seed)
	return &judgedDifference{estimate: e.Estimate, p: pValue}, nil
}

// judgedPairs are the examples that both answered, as differences b − a: those of which people rated both answers, and the others.
func judgedPairs(c *judge.Calibration, a, b side, metric string) (rated, others []judge.Observation) {
	second := meanVerdicts(b.tally, metric)
	examples := map[string]bool{}
	for id := range second {
		examples[id] = true
	}
	peopleA, peopleB := ratedOf(c, a.candidate, examples), ratedOf(c, b.candidate, examples)
	for id, one := range meanVerdicts(a.tally, metric) {
		two, both := second[id]
		if !both {
			continue
		}
		o := judge.Observation{Example: id, Group: one.Group, Judge: two.Judge - one.Judge}
		was, ratedA := peopleA[id]
		is, ratedB := peopleB[id]
		if !ratedA || !ratedB {
			others = append(others, o)
			continue
		}
		o.Judge, o.People = is.Judge-was.Judge, []float64{is.Human() - was.Human()}
		rated = append(rated, o)
	}
	return judge.InOrder(rated), judge.InOrder(others)
}

// meanVerdicts are the judge's scores of a tally by example, the mean of several answers.
func meanVerdicts(t *grade.Tally, metric string) map[string]judge.Observation {
	out, count := map[string]judge.Observation{}, map[string]float64{}
	for _, v := range verdictsOf(t, metric) {
		o, n := out[v.Example], count[v.Example]
		v.Judge = (o.Judge*n + v.Judge) / (n + 1)
		out[v.Example], count[v.Example] = v, n+1
	}
	return out
}

func ratedOf(c *judge.Calibration, candidate rung.Digest, examples map[string]bool) map[string]judge.Observation {
	own, _ := ownRated(c, candidate, examples)
	out := make(map[string]judge.Observation, len(own))
	for _, o := range own {
		out[o.Example] = o
	}
	return out
}

// contrast is the paired difference of two subjects by one metric, of a judge's metric with its lean taken out.
func (p *Project) contrast(ctx context.Context, a, b side, metric string, level, gain float64) (rung.Contrast, error) {
	c, err := plainContrast(a, b, metric, level, gain)
	if err != nil {
		return c, err
	}
	j, err := p.judgeDifference(ctx, a, b, metric, level)
	switch {
	case err != nil || j == nil:
		return c, err
	case j.undecided != "":
		c.Undecided, c.Practical = j.undecided, false
		c.Difference.Method += ownScores
		return c, nil
	}
	raw := c.Difference
	raw.Method += ownScores
	c.Raw, c.Difference, c.P, c.PHolm, c.Test, c.Practical = &raw, rung.Interval(j.estimate.Interval), j.p, j.p, judgedTest, j.estimate.Low > gain
	return c, nil
}

// plainContrast is the paired difference of own scores, a judge's too: what one judge says of one subject's answers now and then, or to
// changed inputs, leans the same way on either side.
func plainContrast(a, b side, metric string, level, gain float64) (rung.Contrast, error) {
	e, pValue, test, err := grade.Difference(a.tally, b.tally, metric, level, seed)
	return rung.Contrast{Metric: metric, Difference: rung.Interval(e.Interval), P: pValue, PHolm: pValue, Family: 1, Test: test, Practical: e.Low > gain}, err
}

// ownScores is added to the method of a difference that is the judge's own and not what people would say.
const ownScores = "; the judge's own scores"
