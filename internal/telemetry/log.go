package telemetry

import (
	"context"
	"log/slog"

	"github.com/rung-dev/rung"
)

// RequestLog writes one structured line for each request: Info, from 400 Warn, from 500 Error. No text of the request is in it.
type RequestLog struct{ Logger *slog.Logger }

// Observe writes the line.
func (l RequestLog) Observe(t *rung.Trace) {
	level := slog.LevelInfo
	switch {
	case t.Status >= 500:
		level = slog.LevelError
	case t.Status >= 400:
		level = slog.LevelWarn
	}
	ctx := context.Background()
	if !l.Logger.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("trace", t.ID), slog.String("api", t.API), slog.Int("status", t.Status), slog.Duration("latency", t.Latency),
		slog.String("task", t.Task), slog.String("version", t.Version), slog.String("model", cut(t.Model, 128)),
		slog.Int("tokens_in", t.Usage.In), slog.Int("tokens_out", t.Usage.Out), slog.Float64("cost_usd", t.CostUSD),
	}
	for _, a := range []struct{ key, value string }{
		{"code", string(t.Code)}, {"problem", string(t.Problem)}, {"error", cut(t.Error, 500)}, {"rollout", t.Rollout}, {"arm", t.Arm}, {"key", t.Key},
		{"segment", cut(t.Segment, 128)}, {"guard", acted(t.Guards)},
	} {
		if a.value != "" {
			attrs = append(attrs, slog.String(a.key, a.value))
		}
	}
	if t.Stream {
		attrs = append(attrs, slog.Duration("first_token", t.First))
	}
	if t.Fallback > 0 {
		attrs = append(attrs, slog.Int("fallback", t.Fallback))
	}
	l.Logger.LogAttrs(ctx, level, "request", attrs...)
}

// acted names the first guard that did something.
func acted(verdicts []rung.GuardVerdict) string {
	for _, v := range verdicts {
		if v.Action != "" {
			return v.Kind + ":" + string(v.Action)
		}
	}
	return ""
}
