package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/grade"
)

// MetricResult is what became of one test of a metric.
type MetricResult struct {
	Metric string  `json:"metric"`
	Kind   string  `json:"kind"`
	Place  string  `json:"place"`
	OK     bool    `json:"ok"`
	Score  float64 `json:"score"`
	Failed string  `json:"failed,omitempty"` // why the metric gave no score
	Want   string  `json:"want"`
	What   string  `json:"what,omitempty"` // what is wrong, when not OK
	Note   string  `json:"note,omitempty"` // what a judge or program said
}

// TestMetrics runs the tests that stand beside the task's metrics; an empty name is all of them. Programs are run anew, judges are
// asked through the store.
func (p *Project) TestMetrics(ctx context.Context, name string) (results []MetricResult, err error) {
	if name != "" && p.metric(name) == nil {
		return nil, &rung.Error{Code: rung.CodeUsage, Place: "--metric", What: fmt.Sprintf("the task defines no metric %q", name), Do: "name one of those under metrics"}
	}
	source := newOutside(p)
	source.anew = true
	defer func() { err = errors.Join(err, source.Close()) }()
	for _, spec := range p.Task.Metrics {
		if name != "" && spec.Name != name {
			continue
		}
		p.opt.Observe.Phase("", fmt.Sprintf("testing the metric %s", spec.Name))
		one, err := TestMetric(ctx, p.Task, p.Form, spec, source)
		if err != nil {
			return nil, err
		}
		results = append(results, one...)
	}
	return results, nil
}

// TestMetric runs the tests of one metric. source answers for programs and judges; it may be nil for the others.
func TestMetric(ctx context.Context, t *rung.Task, output *form.Form, spec rung.MetricSpec, source grade.Outside) ([]MetricResult, error) {
	alone := *t
	alone.Metrics, alone.Bar = []rung.MetricSpec{spec}, rung.Bar{}
	g, err := grade.New(&alone, output)
	if err != nil {
		return nil, err
	}
	if source != nil {
		g.Connect(source)
	}
	results := make([]MetricResult, 0, len(spec.Tests))
	for i := range spec.Tests {
		test := &spec.Tests[i]
		ex := rung.Example{ID: fmt.Sprintf("%s test %d", spec.Name, i+1), Input: orEmpty(test.Input), Output: json.RawMessage("null")}
		if len(test.Expected) > 0 {
			ex.Output, ex.Alternatives = test.Expected[0], test.Expected[1:]
		}
		ans := rung.Answer{Text: string(test.Output), Value: test.Output}
		score, failed, err := g.Try(ctx, spec.Name, &ex, &ans)
		if err != nil {
			return nil, err
		}
		r := MetricResult{Metric: spec.Name, Kind: spec.Kind, Place: test.Place, Score: score, Failed: failed, Note: ans.Outside[spec.Name].Note}
		r.hold(test)
		results = append(results, r)
	}
	return results, nil
}

// orEmpty is an input, an empty one where the test has none.
func orEmpty(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return json.RawMessage("{}")
	}
	return raw
}

// hold holds a result against what the test wants.
func (r *MetricResult) hold(t *rung.MetricTest) {
	const slack = 1e-9
	switch {
	case t.Fails:
		r.Want = "no score"
		r.OK = r.Failed != ""
	case t.Score != nil:
		r.Want = fmt.Sprintf("%v", *t.Score)
		if t.Within > 0 {
			r.Want += fmt.Sprintf(" ± %v", t.Within)
		}
		r.OK = r.Failed == "" && math.Abs(r.Score-*t.Score) <= t.Within+slack
	default:
		r.OK = r.Failed == ""
	}
	if t.Low != nil {
		r.Want = strings.TrimSpace(r.Want + fmt.Sprintf(" at least %v", *t.Low))
		r.OK = r.OK && r.Score >= *t.Low-slack
	}
	if t.High != nil {
		r.Want = strings.TrimSpace(r.Want + fmt.Sprintf(" at most %v", *t.High))
		r.OK = r.OK && r.Score <= *t.High+slack
	}
	switch {
	case r.OK:
	case r.Failed != "":
		r.What = "it gave no score: " + r.Failed
	default:
		r.What = fmt.Sprintf("it gave %v", r.Score)
	}
}
