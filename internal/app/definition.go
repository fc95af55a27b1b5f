package app

import (
	"context"
	"strings"

	"github.com/rung-dev/rung"
)

// gradingVersion is part of every metric's definition. It goes up when rung's own code scores the same answer otherwise.
const gradingVersion = 1

// definitions say how each metric of the task is defined, in the order of its names, by all that shapes its values but the answers: its
// specification, the output form, a judge's model and prompt, a program and the files it reads. Scores by other definitions do not compare.
func (p *Project) definitions(ctx context.Context) ([]rung.Digest, error) {
	form := p.Task.Output
	form.MaxWords = 0 // the model is told; no metric reads it
	names := p.Grader.Names()
	out := make([]rung.Digest, len(names))
	for i, name := range names {
		var outside rung.Digest
		spec, err := p.definedAs(ctx, name, &outside)
		if err != nil {
			return nil, err
		}
		out[i] = rung.DigestOf([]any{"metric", gradingVersion, name, form, spec, outside})
	}
	return out, nil
}

// definedAs is the specification of a metric of the task's own, or of the judge whose criterion it is, without what shapes no value; nil
// for one that rung brings. outside is set to what gives its values.
func (p *Project) definedAs(ctx context.Context, name string, outside *rung.Digest) (*rung.MetricSpec, error) {
	judge, _, _ := strings.Cut(name, ".")
	for i := range p.Task.Metrics {
		m := &p.Task.Metrics[i]
		if m.Name != name && (m.Name != "" || m.Kind != name) && (m.Judge == nil || m.Name != judge) {
			continue
		}
		spec := *m
		spec.Tests, spec.Program, spec.Judge = nil, nil, nil
		switch {
		case m.Judge != nil:
			j, err := p.outside.judge(ctx, m)
			if err != nil {
				return nil, err
			}
			*outside = j.Digest()
		case m.Program != nil:
			prog, err := p.outside.program(m)
			if err != nil {
				return nil, err
			}
			*outside = prog.Digest()
		}
		return &spec, nil
	}
	return nil, nil
}
