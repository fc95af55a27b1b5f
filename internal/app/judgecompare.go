package app

import (
	"context"
	"fmt"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/judge"
	"github.com/rung-dev/rung/internal/recipe"
	"github.com/rung-dev/rung/internal/stats"
)

// JudgeMatch is what a pairwise judge says of two subjects' answers to the same examples.
type JudgeMatch struct {
	Metric    string           `json:"metric"`
	A         rung.SubjectInfo `json:"a"`
	B         rung.SubjectInfo `json:"b"`
	Suite     rung.SuiteInfo   `json:"suite"`
	Wins      rung.Interval    `json:"wins_of_b"` // share of the examples on which B's answer is better, ties half
	Corrected *rung.Interval   `json:"corrected,omitempty"`
	Position  *judge.Bias      `json:"position,omitempty"`
	Order     *judge.Bias      `json:"order,omitempty"`
	Equal     int              `json:"equal"`     // examples with the same answer: a tie, not asked
	FailedA   int              `json:"failed_a"`  // A gave no answer that could be read
	FailedB   int              `json:"failed_b"`  //
	NoVerdict int              `json:"undecided"` // the judge gave no verdict: a tie
	Judge     rung.JudgeInfo   `json:"judge"`
	CostUSD   float64          `json:"cost_usd"` // of the judge's verdicts
}

// JudgePairs has a pairwise judge of the task compare the answers of two subjects, in both orders. Who gives no answer loses; two equal
// answers are a tie.
func (p *Project) JudgePairs(ctx context.Context, metric string, suite *Suite, a, b *Subject) (*JudgeMatch, error) {
	j, err := p.judgeToCalibrate(ctx, metric)
	if err != nil {
		return nil, err
	}
	if !j.Spec().Pairwise {
		return nil, &rung.Error{Code: rung.CodeUsage, Place: j.Metric(), What: "the judge gives scores and does not compare", Do: "name a judge with pairwise: true, or use rung compare"}
	}
	first, err := p.answersOf(ctx, a, suite)
	if err != nil {
		return nil, err
	}
	second, err := p.answersOf(ctx, b, suite)
	if err != nil {
		return nil, err
	}
	out := &JudgeMatch{Metric: j.Metric(), A: a.Info(), B: b.Info(), Suite: suite.Info()}
	obs := make([]judge.Observation, len(suite.Examples))
	var asked []int
	var work []toJudge
	for i := range suite.Examples {
		ex := &suite.Examples[i]
		obs[i] = judge.Observation{Example: ex.ID, Group: ex.Group, Judge: .5}
		if out.settled(&first[i], &second[i], &obs[i]) {
			continue
		}
		asked = append(asked, i)
		// B is the first of the pair: the figure is its share of wins.
		work = append(work, toJudge{item: j.ItemOf(ex.Input, nil, nil), first: judge.Plain(second[i].Value), second: judge.Plain(first[i].Value)})
	}
	verdicts, err := p.judgeAll(ctx, j, work)
	if err != nil {
		return nil, ended(ctx, err)
	}
	for k, i := range asked {
		obs[i] = obs[i].Judged(verdicts[k], "")
		out.CostUSD += verdicts[k].CostUSD
		if obs[i].Failed != "" {
			obs[i].Judge = .5
			out.NoVerdict++
		}
	}
	return out, p.sumUp(ctx, out, obs)
}

// settled decides what needs no judge: an answer that is missing, or equal to the other.
func (m *JudgeMatch) settled(a, b *rung.Answer, o *judge.Observation) bool {
	noA, noB := a.Problem != rung.NoProblem, b.Problem != rung.NoProblem
	if noA {
		m.FailedA++
	}
	if noB {
		m.FailedB++
	}
	switch {
	case noA && !noB:
		o.Judge = 1
	case noB && !noA:
		o.Judge = 0
	case !noA && string(a.Value) != string(b.Value):
		return false
	default:
		m.Equal++
	}
	return true
}

// sumUp fills in the figures.
func (p *Project) sumUp(ctx context.Context, out *JudgeMatch, obs []judge.Observation) error {
	values, clusters := make([]float64, len(obs)), judge.Clusters(obs)
	for i := range obs {
		values[i] = obs[i].Judge
	}
	level := 1 - p.Task.Alpha
	out.Wins = rung.Interval(stats.Mean(values, clusters, stats.Options{Level: level, Seed: seed}).Interval)
	for _, b := range judge.OrderBiases(obs, judge.Settings{Pairwise: true, Level: level, Seed: seed}) {
		switch b.Name {
		case "position":
			out.Position = &b
		case "order":
			out.Order = &b
		}
	}
	info, c, err := p.JudgeInfo(ctx, out.Metric)
	if err != nil {
		return err
	}
	out.Judge = *info
	if c != nil && c.OK {
		iv := rung.Interval(c.Correct(nil, obs, level, seed).Interval)
		out.Corrected = &iv
	} else {
		out.Wins.Method += uncalibrated
	}
	return nil
}

// answersOf are a subject's answers to the examples of a suite, in their order.
func (p *Project) answersOf(ctx context.Context, sub *Subject, suite *Suite) ([]rung.Answer, error) {
	p.opt.Observe.Phase(sub.Rung(), fmt.Sprintf("asking %s for its answers on %s", sub.Name, suite.Name))
	answers := make([]rung.Answer, len(suite.Examples))
	_, _, err := recipe.Evaluate(ctx, sub.Answerer, suite.Examples, recipe.Evaluation{
		Grader: p.Grader.Inside(), Concurrency: sub.Concurrency, Progress: p.opt.Observe.Progress,
		Keep: func(_ context.Context, batch []recipe.IndexedScore) error {
			for i := range batch {
				answers[batch[i].Index] = batch[i].Score.Answer
			}
			return nil
		},
	})
	return answers, ended(ctx, err)
}
