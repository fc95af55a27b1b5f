package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/grade"
	"github.com/rung-dev/rung/internal/judge"
	"github.com/rung-dev/rung/internal/program"
)

// outside asks the task's judges and programs. They are made when first asked: a task that has judges can be read without them.
type outside struct {
	p    *Project
	anew bool // programs are run also where the store has their scores

	mu       sync.Mutex
	judges   map[string]*judge.Judge
	programs map[string]*program.Program
}

func newOutside(p *Project) *outside {
	return &outside{p: p, judges: map[string]*judge.Judge{}, programs: map[string]*program.Program{}}
}

// Values implements grade.Outside.
func (o *outside) Values(ctx context.Context, ex *rung.Example, ans *rung.Answer, metrics []string) (map[string]rung.OutsideValue, error) {
	out := make(map[string]rung.OutsideValue, len(metrics))
	for _, name := range metrics {
		v, err := o.value(ctx, ex, ans, name)
		if err != nil {
			return nil, ended(ctx, err)
		}
		out[name] = v
	}
	return out, nil
}

func (o *outside) value(ctx context.Context, ex *rung.Example, ans *rung.Answer, name string) (rung.OutsideValue, error) {
	spec := o.p.metric(name)
	switch {
	case spec == nil:
		return rung.OutsideValue{}, fmt.Errorf("the task has no metric %s", name)
	case spec.Program != nil:
		p, err := o.program(spec)
		if err != nil {
			return rung.OutsideValue{}, err
		}
		v, err := p.Score(ctx, program.Row{ID: ex.ID, Input: ex.Input, Output: ans.Value, Expected: ex.Expected()})
		v.By = p.Digest()
		return v, err
	}
	j, err := o.judge(ctx, spec)
	if err != nil {
		return rung.OutsideValue{}, err
	}
	v, err := j.Values(ctx, j.ItemOf(ex.Input, ex.Output, ans.Value))
	v.By = j.Digest()
	return v, err
}

// metric is a metric of the task's own; nil where there is none of that name.
func (p *Project) metric(name string) *rung.MetricSpec {
	i := slices.IndexFunc(p.Task.Metrics, func(m rung.MetricSpec) bool { return m.Name == name })
	if i < 0 {
		return nil
	}
	return &p.Task.Metrics[i]
}

func (o *outside) program(spec *rung.MetricSpec) (*program.Program, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p := o.programs[spec.Name]; p != nil {
		return p, nil
	}
	c := program.Config{Metric: spec.Name, Spec: *spec.Program, PassFail: spec.PassFail, Dir: o.p.Task.Dir}
	if !o.anew {
		c.Store = o.p.Store
	}
	p, err := program.New(c)
	if err == nil {
		o.programs[spec.Name] = p
	}
	return p, err
}

func (o *outside) judge(ctx context.Context, spec *rung.MetricSpec) (*judge.Judge, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if j := o.judges[spec.Name]; j != nil {
		return j, nil
	}
	c := judge.Config{Metric: spec.Name, Spec: *spec.Judge, Instructions: o.p.Task.Instructions, Fields: o.p.Task.Input,
		Door: o.p.Door, Can: o.p.can(spec.Judge.Model)}
	if spec.Judge.Model.Local() {
		_, digest, err := o.p.Engine.Weights(ctx, spec.Judge.Model)
		if err != nil {
			return nil, err
		}
		c.Weights = digest
	}
	j, err := judge.New(c)
	if err == nil {
		o.judges[spec.Name] = j
	}
	return j, err
}

// Close ends the programs.
func (o *outside) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	var errs []error
	for name, p := range o.programs {
		errs = append(errs, p.Close())
		delete(o.programs, name)
	}
	return errors.Join(errs...)
}

// JudgeModels are the models of the task's judges.
func JudgeModels(t *rung.Task) []rung.ModelRef {
	var models []rung.ModelRef
	for _, m := range t.Metrics {
		if m.Judge != nil && !slices.Contains(models, m.Judge.Model) {
			models = append(models, m.Judge.Model)
		}
	}
	return models
}

// JudgesReady is judgesReady for the task's own grader, for commands that build a subject before they evaluate it.
func (p *Project) JudgesReady() error { return p.judgesReady(p.Grader) }

// judgesReady checks, before anything is asked, that the models of a grader's judges could be: a key that is missing would else show
// after the first answers were paid for.
func (p *Project) judgesReady(g *grade.Grader) error {
	var models []rung.ModelRef
	for _, name := range g.Outsiders() {
		if spec := p.metric(name); spec != nil && spec.Judge != nil {
			models = append(models, spec.Judge.Model)
		}
	}
	return p.Door.Check(models...)
}
