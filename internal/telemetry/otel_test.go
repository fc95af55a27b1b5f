package telemetry

import (
	"compress/gzip"
	"context"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/rung-dev/rung"
)

// collect is an OTLP collector that hands over the spans that it is sent.
func collect(t *testing.T) (url string, got chan *otlp.ResourceSpans) {
	t.Helper()
	got = make(chan *otlp.ResourceSpans, 100)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body io.Reader = r.Body
		if r.Header.Get("Content-Encoding") == "gzip" {
			body, _ = gzip.NewReader(r.Body)
		}
		b, err := io.ReadAll(body)
		var req collector.ExportTraceServiceRequest
		if err != nil || proto.Unmarshal(b, &req) != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL, err)
		}
		for _, rs := range req.ResourceSpans {
			got <- rs
		}
	}))
	t.Cleanup(s.Close)
	return s.URL, got
}

func plain(attrs []*common.KeyValue) map[string]any {
	out := map[string]any{}
	for _, a := range attrs {
		switch v := a.Value.Value.(type) {
		case *common.AnyValue_StringValue:
			out[a.Key] = v.StringValue
		case *common.AnyValue_IntValue:
			out[a.Key] = v.IntValue
		case *common.AnyValue_DoubleValue:
			out[a.Key] = v.DoubleValue
		case *common.AnyValue_BoolValue:
			out[a.Key] = v.BoolValue
		}
	}
	return out
}

// noOTEL unsets what the machine's own environment may ask for.
func noOTEL(t *testing.T) {
	t.Helper()
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "OTEL_") {
			t.Setenv(name, "") // put back at the end
			os.Unsetenv(name)
		}
	}
}

func TestSpansAreExported(t *testing.T) {
	noOTEL(t)
	if SpansAsked() {
		t.Fatal("an export without being asked")
	}
	url, got := collect(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=my-gateway")
	if !SpansAsked() {
		t.Fatal("no export although one is asked for")
	}
	s, err := NewSpans(t.Context(), "v9", nil)
	if err != nil {
		t.Fatal(err)
	}
	sent := aTrace()
	sent.Input = []byte(`"my secret"`)
	sent.Parent, sent.ParentSpan = "0af7651916cd43dd8448eb211c80319c", "00f067aa0ba902b7"
	sent.Spans = append(sent.Spans, rung.Span{Name: "fallback", Note: "the answer \"my secret\" was stopped"})
	s.Observe(sent)
	bad := aTrace()
	bad.ID = "no trace id"
	s.Observe(bad)
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.Unsent() != 1 {
		t.Errorf("%d unsent", s.Unsent())
	}
	rs := <-got
	if name := plain(rs.Resource.Attributes)["service.name"]; name != "my-gateway" {
		t.Errorf("service.name is %v", name)
	}
	checkSpans(t, rs.ScopeSpans[0].Spans)
}

func checkSpans(t *testing.T, spans []*otlp.Span) {
	t.Helper()
	if len(spans) != 5 {
		t.Fatalf("%d spans", len(spans))
	}
	byName := map[string]*otlp.Span{}
	for _, s := range spans {
		byName[s.Name] = s
		if hex.EncodeToString(s.TraceId) != "0af7651916cd43dd8448eb211c80319c" {
			t.Errorf("%s has the trace id %x, which is not the caller's", s.Name, s.TraceId)
		}
		if strings.Contains(s.String(), "secret") {
			t.Errorf("text of the request is exported: %s", s)
		}
	}
	root, call := byName["chat tickets"], byName["chat gpt-4o-mini"]
	if root == nil || call == nil || byName["render"] == nil || byName["parse"] == nil {
		t.Fatalf("spans %v", byName)
	}
	if string(root.ParentSpanId) != "\x00\xf0\x67\xaa\x0b\xa9\x02\xb7" || string(call.ParentSpanId) != string(root.SpanId) {
		t.Errorf("parents %x, %x", root.ParentSpanId, call.ParentSpanId)
	}
	if root.Kind != otlp.Span_SPAN_KIND_SERVER || call.Kind != otlp.Span_SPAN_KIND_CLIENT || root.EndTimeUnixNano-root.StartTimeUnixNano != 420e6 || call.StartTimeUnixNano-root.StartTimeUnixNano != 2e6 {
		t.Errorf("%v %v, %d, %d", root.Kind, call.Kind, root.EndTimeUnixNano-root.StartTimeUnixNano, call.StartTimeUnixNano-root.StartTimeUnixNano)
	}
	model := map[string]any{
		"gen_ai.operation.name": "chat", "gen_ai.request.model": "tickets", "gen_ai.provider.name": "openai", "gen_ai.response.model": "gpt-4o-mini",
		"gen_ai.usage.input_tokens": int64(300), "gen_ai.usage.cache_read.input_tokens": int64(100), "gen_ai.usage.output_tokens": int64(20),
		"gen_ai.request.stream": true, "gen_ai.response.time_to_first_chunk": .09,
	}
	if diff := cmp.Diff(model, plain(call.Attributes)); diff != "" {
		t.Errorf("the model's span (-want +got):\n%s", diff)
	}
	for k, v := range map[string]any{"rung.task": "tickets", "rung.release": "v2", "rung.rollout": "r1", "rung.arm": "target", "rung.cost_usd": .0004,
		"rung.retries": int64(1), "rung.trace": "4bf92f3577b34da6a3ce929d0e0e4736", "rung.guard": "pii:redact", "http.response.status_code": int64(200)} {
		if got := plain(root.Attributes)[k]; got != v {
			t.Errorf("%s is %v", k, got)
		}
	}
}

// TestSpansNeverBlock: a collector that does not answer costs requests nothing, and what is lost is counted.
func TestSpansNeverBlock(t *testing.T) {
	noOTEL(t)
	hang := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer close(hang)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	s, err := NewSpans(t.Context(), "v9", nil)
	if err != nil {
		t.Fatal(err)
	}
	const requests = 20_000
	begin := time.Now()
	for range requests {
		s.Observe(aTrace())
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("%d requests waited %v for the collector", requests, took)
	}
	// The SDK holds 2,048 spans and one batch of 512; four spans make a trace.
	if n := s.Unsent(); n < requests-spanQueue-4096 {
		t.Errorf("%d of %d dropped, so more than the bound is held", n, requests)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = s.Close(ctx) // it cannot send the rest, and must not wait for it
	s.Observe(aTrace())
}

func TestSpansAskedIsSwitchedOff(t *testing.T) {
	noOTEL(t)
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:1/v1/traces")
	if !SpansAsked() {
		t.Error("the endpoint for traces alone is enough")
	}
	t.Setenv("OTEL_TRACES_EXPORTER", "none")
	if SpansAsked() {
		t.Error("OTEL_TRACES_EXPORTER=none switches it off")
	}
	t.Setenv("OTEL_TRACES_EXPORTER", "otlp")
	t.Setenv("OTEL_SDK_DISABLED", "true")
	if SpansAsked() {
		t.Error("OTEL_SDK_DISABLED=true switches it off")
	}
}

func BenchmarkSpansObserve(b *testing.B) {
	s := &Spans{queue: make(chan *rung.Trace, spanQueue)}
	go func() {
		for range s.queue {
		}
	}()
	t := aTrace()
	b.ReportAllocs()
	for b.Loop() {
		s.Observe(t)
	}
	close(s.queue)
}
