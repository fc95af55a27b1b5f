package gateway

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/guard"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/rollout"
)

// learn tells the rollout how the release fared that the request was routed to, whoever answered in the end. A caller who was at
// fault, or went away, says nothing about a release.
func (j *job) learn() {
	j.g.remember(j.trace.ID, j.to)
	if j.g.opt.Router == nil || !j.to.Judged() || j.to.Shadow != "" {
		return
	}
	if values := j.main.values(); values != nil {
		j.g.opt.Router.Observe(j.to.Rollout, j.to.Arm, values)
	}
}

// values are the metrics of an outcome; nil where it says nothing.
func (o *outcome) values() map[string]float64 {
	v := map[string]float64{rollout.Success: 1, rollout.Failure: 0, rollout.GuardBlocked: 0, rollout.SchemaValid: 1,
		rollout.LatencyMS: float64(o.took) / float64(time.Millisecond), rollout.CostUSD: o.usd}
	if o.err == nil {
		return v
	}
	v[rollout.Success] = 0
	var fall *guard.FallbackError
	switch code := rung.CodeOf(o.err); {
	case errors.As(o.err, &fall), code == rung.CodeBlocked:
		v[rollout.GuardBlocked] = 1
		delete(v, rollout.SchemaValid)
	case code == rung.CodeInput, code == rung.CodeInterrupted, errors.Is(o.err, context.Canceled):
		return nil
	case o.problem == rung.NotJSON, o.problem == rung.BreaksSchema, o.problem == rung.UnknownLabel, o.problem == rung.EmptyAnswer, o.problem == rung.Truncated:
		v[rollout.SchemaValid] = 0
	default:
		v[rollout.Failure] = 1
		delete(v, rollout.SchemaValid)
	}
	return v
}

// shadow lets the shadow's release answer too, when the caller has its answer. There are at most maxShadows at a time; one that finds
// no place is left out. It answers requests that the baseline failed at too: left out, the baseline would never fail. The end of
// the gateway cuts shadows off, which says nothing about a release.
func (j *job) shadow() {
	if j.to.Shadow == "" || j.g.ending.Err() != nil {
		return
	}
	main := j.main.values()
	if main == nil {
		return
	}
	select {
	case j.g.shadows <- struct{}{}:
	default:
		return
	}
	ctx := context.WithoutCancel(j.r.Context())
	given := j.value
	parent, limit := j.trace.ID, j.cfg.Limits.Request
	start := time.Now()
	s := &job{task: j.task, conf: j.conf, ask: j.ask, history: j.history, last: j.last, to: j.to, call: &call{g: j.g, w: discard{}, r: j.r, api: j.api, cfg: j.cfg, state: j.state,
		start: start, groups: j.groups, env: envelope{model: j.trace.Model}}}
	s.trace = &rung.Trace{ID: newTraceID(), Parent: parent, At: start.UTC(), Gateway: j.g.opt.Name, API: j.api.name, Task: j.trace.Task, Model: j.trace.Model,
		Key: j.trace.Key, Segment: j.trace.Segment, Status: http.StatusOK, Rollout: j.to.Rollout, Arm: rollout.ShadowArm}
	j.g.wait.Go(func() {
		defer func() { <-j.g.shadows }()
		var cancel context.CancelFunc
		s.ctx, cancel = context.WithTimeout(model.WithPurse(ctx, &s.bill), limit)
		defer cancel()
		defer context.AfterFunc(j.g.ending, cancel)()
		s.answerShadow(given, main)
	})
}

func (j *job) answerShadow(given []byte, main map[string]float64) {
	defer func() {
		if p := recover(); p != nil {
			j.g.log.Error("a shadow failed by a defect", "trace", j.trace.ID, "panic", p)
		}
	}()
	_, out := j.run(leg{version: j.to.Shadow})
	if out.err != nil {
		f := failureOf(out.err, true)
		j.trace.Status, j.trace.Code, j.trace.Error = f.status, f.code, errText(out.err)
	}
	j.trace.Latency = out.took
	j.g.observe(j.trace)
	if values := out.values(); values != nil && j.to.Judged() {
		j.g.opt.Router.ObserveShadow(j.to.Rollout, main, values, given != nil && bytes.Equal(given, j.value))
	}
}

// discard is the answer of a shadow: nobody gets it.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}
