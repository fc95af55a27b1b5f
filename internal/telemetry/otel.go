package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/rung-dev/rung"
)

// Spans exports traces to an OpenTelemetry collector by OTLP over HTTP, with the GenAI semantic conventions. Where it goes and
// with which headers, time-outs, sampling and resource say the standard variables OTEL_*. Texts of requests are not exported.
type Spans struct {
	queue   chan *rung.Trace
	unsent  atomic.Int64
	tracer  trace.Tracer
	provide *sdktrace.TracerProvider
	done    chan struct{}
	mu      sync.RWMutex // closed and queue
	closed  bool
}

// spanQueue is how many traces wait for the collector; further ones are dropped and counted.
const spanQueue = 4096

// SpansAsked reports whether the environment asks for an export: a collector is named, and nothing says that there is to be none.
func SpansAsked() bool {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || strings.EqualFold(os.Getenv("OTEL_TRACES_EXPORTER"), "none") {
		return false
	}
	return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

// NewSpans starts the export. log hears of failures, once a minute at most. The caller closes it.
func NewSpans(ctx context.Context, version string, log *slog.Logger) (*Spans, error) {
	exporter, err := newOTLP(version)
	if err != nil {
		return nil, err
	}
	// What the user's variables say about the resource comes last and wins.
	about, err := resource.New(ctx, resource.WithAttributes(semconv.ServiceName("rung"), semconv.ServiceVersion(version)), resource.WithTelemetrySDK(), resource.WithHost(), resource.WithFromEnv())
	if err != nil {
		return nil, &rung.Error{Code: rung.CodeInput, Place: "OTEL_RESOURCE_ATTRIBUTES", What: "the resource attributes cannot be read: " + err.Error(), Do: "write key=value,key=value", Err: err}
	}
	s := &Spans{queue: make(chan *rung.Trace, spanQueue), done: make(chan struct{})}
	// The processor may block the one goroutine that feeds it: what is too much is dropped at our own queue, where it is counted.
	s.provide = sdktrace.NewTracerProvider(sdktrace.WithResource(about), sdktrace.WithIDGenerator(givenIDs{}),
		sdktrace.WithBatcher(&counting{exporter: exporter, spans: s, log: log}, sdktrace.WithBlocking()))
	s.tracer = s.provide.Tracer("github.com/rung-dev/rung", trace.WithInstrumentationVersion(version), trace.WithSchemaURL(semconv.SchemaURL))
	go s.run()
	return s, nil
}

// Observe takes a trace for export. It never blocks. What is exported of the trace must not change afterwards. A nil *Spans
// exports nothing.
func (s *Spans) Observe(t *rung.Trace) {
	if s == nil {
		return
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		s.unsent.Add(1)
		return
	}
	select {
	case s.queue <- t:
	default:
		s.unsent.Add(1)
	}
}

// Unsent counts the traces that were not exported.
func (s *Spans) Unsent() int64 {
	if s == nil {
		return 0
	}
	return s.unsent.Load()
}

// Close sends what waits, as long as ctx allows.
func (s *Spans) Close(ctx context.Context) error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.queue)
	}
	s.mu.Unlock()
	select {
	case <-s.done:
	case <-ctx.Done():
	}
	if err := s.provide.Shutdown(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return &rung.Error{Code: rung.CodeUnreachable, What: "the last spans could not be exported: " + err.Error(), Do: "see whether the collector runs", Err: err}
	}
	return nil
}

func (s *Spans) run() {
	defer close(s.done)
	for t := range s.queue {
		s.export(t)
	}
}

// export makes a trace's spans: the request, and its steps under it.
func (s *Spans) export(t *rung.Trace) {
	id, err := trace.TraceIDFromHex(t.ID)
	if err != nil {
		s.unsent.Add(1)
		return
	}
	ctx := context.WithValue(context.Background(), idKey{}, id)
	if span, err := trace.SpanIDFromHex(t.ParentSpan); err == nil { // the caller's own spans are in its trace, and ours belong under them
		if theirs, err := trace.TraceIDFromHex(t.Parent); err == nil {
			ctx = trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{TraceID: theirs, SpanID: span, TraceFlags: trace.FlagsSampled, Remote: true}))
		}
	}
	ctx, root := s.tracer.Start(ctx, rootName(t), trace.WithTimestamp(t.At), trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(rootAttributes(t)...))
	if t.Status >= 500 || t.Code != "" && t.Status >= 400 {
		root.SetStatus(codes.Error, string(t.Code))
		root.SetAttributes(semconv.ErrorTypeKey.String(errorType(t)))
	}
	for i := range t.Spans {
		s.step(ctx, t, &t.Spans[i])
	}
	root.End(trace.WithTimestamp(t.At.Add(t.Latency)))
}

// noted are the steps whose note says what was done. That of others, such as a fallback, may quote an answer or an error about it.
var noted = map[string]bool{"request": true, "guard": true, "model": true, "parse": true, "repair": true}

func (s *Spans) step(ctx context.Context, t *rung.Trace, step *rung.Span) {
	name, kind := step.Name, trace.SpanKindInternal
	var attrs []attribute.KeyValue
	if step.Note != "" && noted[name] {
		attrs = append(attrs, attribute.String("rung.note", cut(step.Note, 256)))
	}
	if name == "model" {
		name, kind = operation(t)+" "+t.Upstream.Name(), trace.SpanKindClient
		attrs = append(attrs, modelAttributes(t)...)
	}
	at := t.At.Add(step.Start)
	_, span := s.tracer.Start(ctx, name, trace.WithTimestamp(at), trace.WithSpanKind(kind), trace.WithAttributes(attrs...))
	span.End(trace.WithTimestamp(at.Add(step.Took)))
}

// counting counts the spans whose export failed for good, by the requests among them.
type counting struct {
	exporter sdktrace.SpanExporter
	spans    *Spans
	log      *slog.Logger
	said     time.Time
}

func (c *counting) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := c.exporter.ExportSpans(ctx, spans)
	if err == nil {
		return nil
	}
	c.spans.unsent.Add(lost(spans, err))
	if c.log != nil && time.Since(c.said) > time.Minute {
		c.said = time.Now()
		c.log.Warn("spans could not be exported to OpenTelemetry; requests are not affected", "error", err)
	}
	return nil // it is reported here, once; the SDK would print it on every batch
}

// lost is how many requests of a batch were not exported; where the collector refused some of its spans, that many at most.
func lost(spans []sdktrace.ReadOnlySpan, err error) (n int64) {
	for _, s := range spans {
		if s.SpanKind() == trace.SpanKindServer {
			n++
		}
	}
	if p := (*partialSuccess)(nil); errors.As(err, &p) {
		return min(n, max(0, p.rejected))
	}
	return n
}

func (c *counting) Shutdown(ctx context.Context) error { return c.exporter.Shutdown(ctx) }

// givenIDs gives a request's spans the id of its trace where its caller has none, so that the exemplars and rung traces lead to
// them; else the attribute rung.trace does.
type givenIDs struct{}

type idKey struct{}

func (givenIDs) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	id, _ := ctx.Value(idKey{}).(trace.TraceID)
	return id, spanID()
}

func (givenIDs) NewSpanID(context.Context, trace.TraceID) trace.SpanID { return spanID() }

func spanID() (id trace.SpanID) {
	for !id.IsValid() {
		x := rand.Uint64()
		for i := range id {
			id[i] = byte(x >> (8 * i))
		}
	}
	return id
}
