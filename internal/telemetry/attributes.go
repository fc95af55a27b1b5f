package telemetry

import (
	"cmp"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"

	"github.com/rung-dev/rung"
)

// operation is the GenAI name of what was asked for.
func operation(t *rung.Trace) string {
	if t.API == "embeddings" {
		return "embeddings"
	}
	return "chat"
}

func rootName(t *rung.Trace) string {
	if t.Task == "" {
		return operation(t) + " " + Other // models that callers name are not for span names: there is no end to them
	}
	return operation(t) + " " + t.Task
}

// errorType is low in cardinality, as the convention asks for.
func errorType(t *rung.Trace) string {
	return cmp.Or(string(t.Code), string(t.Problem), statusLabel(t.Status))
}

func rootAttributes(t *rung.Trace) []attribute.KeyValue {
	attrs := append(modelAttributes(t),
		semconv.HTTPResponseStatusCode(t.Status), attribute.String("rung.gateway", t.Gateway), attribute.String("rung.api", t.API),
		attribute.Float64("rung.cost_usd", t.CostUSD))
	for _, a := range []struct{ key, value string }{
		{"rung.task", t.Task}, {"rung.release", t.Version}, {"rung.rollout", t.Rollout}, {"rung.arm", t.Arm}, {"rung.key", t.Key},
		{"rung.segment", cut(t.Segment, 128)}, {"rung.problem", string(t.Problem)}, {"rung.guard", acted(t.Guards)},
		{"rung.parent_trace", parentTrace(t)}, {"rung.trace", t.ID},
	} {
		if a.value != "" {
			attrs = append(attrs, attribute.String(a.key, a.value))
		}
	}
	if t.Fallback > 0 {
		attrs = append(attrs, attribute.Int("rung.fallback", t.Fallback))
	}
	if t.Retries > 0 {
		attrs = append(attrs, attribute.Int("rung.retries", t.Retries))
	}
	if t.Repaired {
		attrs = append(attrs, attribute.Bool("rung.repaired", true))
	}
	if t.Cached {
		attrs = append(attrs, attribute.Bool("rung.cached", true))
	}
	return attrs
}

// modelAttributes are those of the GenAI convention.
func modelAttributes(t *rung.Trace) []attribute.KeyValue {
	attrs := []attribute.KeyValue{semconv.GenAIOperationNameKey.String(operation(t)), semconv.GenAIRequestModel(cut(t.Model, 256))}
	if t.Upstream != "" {
		attrs = append(attrs, semconv.GenAIProviderNameKey.String(t.Upstream.Provider()), semconv.GenAIResponseModel(t.Upstream.Name()))
	}
	if t.Usage.In > 0 {
		attrs = append(attrs, semconv.GenAIUsageInputTokens(t.Usage.In))
	}
	if t.Usage.CachedIn > 0 {
		attrs = append(attrs, semconv.GenAIUsageCacheReadInputTokens(t.Usage.CachedIn))
	}
	if t.Usage.Out > 0 {
		attrs = append(attrs, semconv.GenAIUsageOutputTokens(t.Usage.Out))
	}
	if t.Stream {
		attrs = append(attrs, semconv.GenAIRequestStream(true))
	}
	if t.First > 0 {
		attrs = append(attrs, semconv.GenAIResponseTimeToFirstChunk(t.First.Seconds()))
	}
	return attrs
}

// parentTrace is the caller's trace where the spans are not part of it.
func parentTrace(t *rung.Trace) string {
	if t.ParentSpan != "" || len(t.Parent) != 32 {
		return ""
	}
	return t.Parent
}
