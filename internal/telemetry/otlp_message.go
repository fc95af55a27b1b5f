package telemetry

import (
	"math"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	about "go.opentelemetry.io/proto/otlp/resource/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
)

// resourceSpans are the spans as OTLP has them: by resource and by scope, in the order in which these first come.
func resourceSpans(spans []sdktrace.ReadOnlySpan) []*otlp.ResourceSpans {
	type scopeOf struct {
		resource attribute.Distinct
		scope    instrumentation.Scope
	}
	var all []*otlp.ResourceSpans
	resources, scopes := map[attribute.Distinct]*otlp.ResourceSpans{}, map[scopeOf]*otlp.ScopeSpans{}
	for _, s := range spans {
		if s == nil {
			continue
		}
		id := s.Resource().Equivalent()
		resource := resources[id]
		if resource == nil {
			resource = &otlp.ResourceSpans{Resource: &about.Resource{Attributes: keyValues(s.Resource().Attributes())}, SchemaUrl: s.Resource().SchemaURL()}
			resources[id], all = resource, append(all, resource)
		}
		key := scopeOf{id, s.InstrumentationScope()}
		scope := scopes[key]
		if scope == nil {
			scope = &otlp.ScopeSpans{Scope: instrumentationScope(key.scope), SchemaUrl: key.scope.SchemaURL}
			scopes[key], resource.ScopeSpans = scope, append(resource.ScopeSpans, scope)
		}
		scope.Spans = append(scope.Spans, otlpSpan(s))
	}
	return all
}

func instrumentationScope(s instrumentation.Scope) *common.InstrumentationScope {
	if s == (instrumentation.Scope{}) {
		return nil
	}
	return &common.InstrumentationScope{Name: s.Name, Version: s.Version, Attributes: keyValues(s.Attributes.ToSlice())}
}

func otlpSpan(s sdktrace.ReadOnlySpan) *otlp.Span {
	at, id, span := s.SpanContext(), s.SpanContext().TraceID(), s.SpanContext().SpanID()
	out := &otlp.Span{
		TraceId: id[:], SpanId: span[:], TraceState: at.TraceState().String(), Flags: spanFlags(at.TraceFlags(), s.Parent()),
		Name: s.Name(), Kind: spanKind(s.SpanKind()), Status: spanStatus(s.Status()),
		StartTimeUnixNano: nanoseconds(s.StartTime().UnixNano()), EndTimeUnixNano: nanoseconds(s.EndTime().UnixNano()),
		Attributes: keyValues(s.Attributes()), DroppedAttributesCount: count(s.DroppedAttributes()),
		DroppedEventsCount: count(s.DroppedEvents()), DroppedLinksCount: count(s.DroppedLinks()),
	}
	if parent := s.Parent().SpanID(); parent.IsValid() {
		out.ParentSpanId = parent[:]
	}
	for _, e := range s.Events() {
		out.Events = append(out.Events, &otlp.Span_Event{
			Name: e.Name, TimeUnixNano: nanoseconds(e.Time.UnixNano()),
			Attributes: keyValues(e.Attributes), DroppedAttributesCount: count(e.DroppedAttributeCount),
		})
	}
	for _, l := range s.Links() {
		id, span := l.SpanContext.TraceID(), l.SpanContext.SpanID()
		out.Links = append(out.Links, &otlp.Span_Link{
			TraceId: id[:], SpanId: span[:], Flags: spanFlags(l.SpanContext.TraceFlags(), l.SpanContext),
			Attributes: keyValues(l.Attributes), DroppedAttributesCount: count(l.DroppedAttributeCount),
		})
	}
	return out
}

// spanFlags are the flags of W3C, and whether the parent is another process's, which is always known here.
func spanFlags(flags trace.TraceFlags, parent trace.SpanContext) uint32 {
	out := uint32(flags) | uint32(otlp.SpanFlags_SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK)
	if parent.IsRemote() {
		out |= uint32(otlp.SpanFlags_SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK)
	}
	return out
}

func spanKind(kind trace.SpanKind) otlp.Span_SpanKind {
	switch kind {
	case trace.SpanKindInternal:
		return otlp.Span_SPAN_KIND_INTERNAL
	case trace.SpanKindClient:
		return otlp.Span_SPAN_KIND_CLIENT
	case trace.SpanKindServer:
		return otlp.Span_SPAN_KIND_SERVER
	case trace.SpanKindProducer:
		return otlp.Span_SPAN_KIND_PRODUCER
	case trace.SpanKindConsumer:
		return otlp.Span_SPAN_KIND_CONSUMER
	}
	return otlp.Span_SPAN_KIND_UNSPECIFIED
}

func spanStatus(s sdktrace.Status) *otlp.Status {
	out := &otlp.Status{Message: s.Description}
	switch s.Code {
	case codes.Ok:
		out.Code = otlp.Status_STATUS_CODE_OK
	case codes.Error:
		out.Code = otlp.Status_STATUS_CODE_ERROR
	}
	return out
}

// nanoseconds since 1970; what was before is 1970.
func nanoseconds(n int64) uint64 { return uint64(max(0, n)) }

func count(n int) uint32 { return uint32(min(max(0, int64(n)), math.MaxUint32)) }

func keyValues(attrs []attribute.KeyValue) []*common.KeyValue {
	var out []*common.KeyValue
	for _, a := range attrs {
		out = append(out, &common.KeyValue{Key: string(a.Key), Value: anyValue(a.Value)})
	}
	return out
}

func anyValue(v attribute.Value) *common.AnyValue {
	switch v.Type() {
	case attribute.BOOL:
		return &common.AnyValue{Value: &common.AnyValue_BoolValue{BoolValue: v.AsBool()}}
	case attribute.INT64:
		return &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: v.AsInt64()}}
	case attribute.FLOAT64:
		return &common.AnyValue{Value: &common.AnyValue_DoubleValue{DoubleValue: v.AsFloat64()}}
	case attribute.STRING:
		return &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: v.AsString()}}
	case attribute.BYTESLICE:
		return &common.AnyValue{Value: &common.AnyValue_BytesValue{BytesValue: v.AsByteSlice()}}
	case attribute.MAP:
		return &common.AnyValue{Value: &common.AnyValue_KvlistValue{KvlistValue: &common.KeyValueList{Values: keyValues(v.AsMap())}}}
	case attribute.BOOLSLICE:
		return arrayValue(v.AsBoolSlice(), attribute.BoolValue)
	case attribute.INT64SLICE:
		return arrayValue(v.AsInt64Slice(), attribute.Int64Value)
	case attribute.FLOAT64SLICE:
		return arrayValue(v.AsFloat64Slice(), attribute.Float64Value)
	case attribute.STRINGSLICE:
		return arrayValue(v.AsStringSlice(), attribute.StringValue)
	case attribute.SLICE:
		return arrayValue(v.AsSlice(), func(v attribute.Value) attribute.Value { return v })
	case attribute.EMPTY:
		return &common.AnyValue{}
	}
	return &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: "INVALID"}} // a kind that this does not know
}

func arrayValue[T any](values []T, value func(T) attribute.Value) *common.AnyValue {
	out := &common.ArrayValue{Values: make([]*common.AnyValue, len(values))}
	for i, v := range values {
		out.Values[i] = anyValue(value(v))
	}
	return &common.AnyValue{Value: &common.AnyValue_ArrayValue{ArrayValue: out}}
}
