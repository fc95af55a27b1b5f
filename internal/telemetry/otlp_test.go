package telemetry

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/rung-dev/rung"
)

// someSpans have something in every field that OTLP has, and every kind of attribute.
func someSpans() []sdktrace.ReadOnlySpan {
	at := func(id byte, remote bool) trace.SpanContext {
		return trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1, id}, SpanID: trace.SpanID{2, id}, TraceFlags: trace.FlagsSampled, Remote: remote})
	}
	state, _ := trace.ParseTraceState("vendor=7")
	begin := time.Unix(1_700_000_000, 123)
	attrs := []attribute.KeyValue{
		attribute.Bool("b", true), attribute.Int("i", -3), attribute.Float64("f", .1), attribute.String("s", "ä"), attribute.BoolSlice("bs", []bool{true, false}),
		attribute.IntSlice("is", []int{1, 2}), attribute.Float64Slice("fs", []float64{1, .5}), attribute.StringSlice("ss", []string{"x", ""}), attribute.StringSlice("none", nil),
		{Key: "y", Value: attribute.ByteSliceValue([]byte{0, 1})}, {Key: "m", Value: attribute.MapValue(attribute.Int("in", 1))},
		{Key: "v", Value: attribute.SliceValue(attribute.IntValue(1), attribute.StringValue("two"))}, {Key: "e"},
	}
	one := resource.NewWithAttributes("https://example.com/schema", attribute.String("service.name", "one"), attribute.Int("n", 1))
	scope := instrumentation.Scope{Name: "ours", Version: "1", SchemaURL: "https://example.com/scope", Attributes: attribute.NewSet(attribute.Bool("x", true))}
	stubs := tracetest.SpanStubs{
		{Name: "root", SpanContext: at(1, false).WithTraceState(state), Parent: at(9, true), SpanKind: trace.SpanKindServer, StartTime: begin, EndTime: begin.Add(time.Second),
			Attributes: attrs, Status: sdktrace.Status{Code: codes.Error, Description: "no"}, DroppedAttributes: 3, DroppedEvents: 4, DroppedLinks: 5,
			Events:   []sdktrace.Event{{Name: "happened", Time: begin, Attributes: attrs[:2], DroppedAttributeCount: 1}},
			Links:    []sdktrace.Link{{SpanContext: at(8, true), Attributes: attrs[2:3], DroppedAttributeCount: 2}, {SpanContext: at(7, false)}},
			Resource: one, InstrumentationScope: scope},
		{Name: "old", SpanContext: at(2, false), StartTime: time.Unix(-5, 0), EndTime: time.Unix(-4, 0), DroppedLinks: -1, Resource: one},
		{Name: "of another", SpanContext: at(3, false), Parent: at(1, false), SpanKind: trace.SpanKindClient, Status: sdktrace.Status{Code: codes.Ok}, Resource: resource.NewSchemaless(attribute.String("service.name", "two"))},
		{Name: "produces", SpanContext: at(4, false), SpanKind: trace.SpanKindProducer, Resource: one, InstrumentationScope: scope},
		{Name: "consumes", SpanContext: at(5, false), SpanKind: trace.SpanKindConsumer, Resource: one, InstrumentationScope: scope},
		{Name: "inside", SpanContext: at(6, false), SpanKind: trace.SpanKindInternal, Resource: resource.Empty(), InstrumentationScope: scope},
	}
	return stubs.Snapshots()
}

// sent is one request that a collector got.
type sent struct {
	path    string
	header  http.Header
	message *collector.ExportTraceServiceRequest
}

// listen is a collector that keeps what it is sent, and answers as answer says (200 where it is nil).
func listen(t *testing.T, answer func(n int, w http.ResponseWriter)) (s *httptest.Server, got func() []sent) {
	t.Helper()
	var mu sync.Mutex
	var all []sent
	s = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" && err == nil {
			var unzip *gzip.Reader
			if unzip, err = gzip.NewReader(bytes.NewReader(b)); err == nil {
				b, err = io.ReadAll(unzip)
			}
		}
		message := &collector.ExportTraceServiceRequest{}
		if err = errors.Join(err, proto.Unmarshal(b, message)); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, sent{r.URL.RequestURI(), r.Header, message})
		if answer != nil {
			answer(len(all)-1, w)
		}
	}))
	t.Cleanup(s.Close)
	return s, func() []sent {
		mu.Lock()
		defer mu.Unlock()
		return append([]sent(nil), all...)
	}
}

// ours is the exporter of the environment, with pauses that a test can wait for.
func ours(t *testing.T) *otlpExporter {
	t.Helper()
	e, err := newOTLP("v9")
	if err != nil {
		t.Fatal(err)
	}
	e.pause, e.longest = time.Millisecond, 2*time.Millisecond
	t.Cleanup(func() { _ = e.Shutdown(context.Background()) })
	return e
}

// both sends spans with the official exporter and with ours, and gives the two requests.
func both(t *testing.T, got func() []sent) (official, our sent) {
	t.Helper()
	theirs, err := otlptracehttp.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = theirs.Shutdown(t.Context()) }()
	before := len(got())
	for _, e := range []sdktrace.SpanExporter{theirs, ours(t)} {
		if err := e.ExportSpans(t.Context(), someSpans()); err != nil {
			t.Fatal(err)
		}
	}
	all := got()[before:]
	if len(all) != 2 {
		t.Fatalf("%d requests", len(all))
	}
	return all[0], all[1]
}

// TestOTLPMessageIsTheOfficialOne: field for field what the official exporter sends, by the same way.
func TestOTLPMessageIsTheOfficialOne(t *testing.T) {
	noOTEL(t)
	s, got := listen(t, nil)
	s.Start()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", s.URL)
	for name, set := range map[string]map[string]string{
		"plain":            {},
		"gzip":             {"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"},
		"not gzip":         {"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip", "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "none"},
		"path":             {"OTEL_EXPORTER_OTLP_ENDPOINT": s.URL + "/base/"},
		"path of traces":   {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": s.URL + "/at/traces"},
		"no path":          {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": s.URL},
		"headers":          {"OTEL_EXPORTER_OTLP_HEADERS": "x-key=a%20b%2C , X-Other= y=z"},
		"headers of these": {"OTEL_EXPORTER_OTLP_HEADERS": "x-key=1,x-one=1", "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "x-key=2"},
		"protocol":         {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf", "OTEL_EXPORTER_OTLP_TIMEOUT": "5000"},
	} {
		t.Run(name, func(t *testing.T) {
			for k, v := range set {
				t.Setenv(k, v)
			}
			official, our := both(t, got)
			byName := protocmp.SortRepeated(func(a, b *otlp.ResourceSpans) bool { return a.String() < b.String() }) // the official one's order is chance
			if diff := gocmp.Diff(official.message, our.message, protocmp.Transform(), byName); diff != "" {
				t.Errorf("-official +ours:\n%s", diff)
			}
			for _, h := range []http.Header{official.header, our.header} {
				h.Del("User-Agent")
				h.Del("Content-Length")
				if h.Get("Accept-Encoding") != "gzip" {
					t.Error(h)
				}
			}
			if diff := gocmp.Diff(official.header, our.header); diff != "" || official.path != our.path {
				t.Errorf("%s, ours %s; -official +ours:\n%s", official.path, our.path, diff)
			}
		})
	}
}

// TestOTLPTriesAgain: what a collector refuses for a while arrives whole, and what it refuses for good is tried once.
func TestOTLPTriesAgain(t *testing.T) {
	noOTEL(t)
	for _, c := range []struct {
		name     string
		statuses []int // the last one stays
		after    string
		attempts int
		fails    string
	}{
		{name: "passing", statuses: []int{429, 502, 503, 504, 200}, attempts: 5},
		{name: "passing, with a wish", statuses: []int{503, 200}, after: "0", attempts: 2},
		{name: "wrong", statuses: []int{400}, attempts: 1, fails: `400 Bad Request: "as it \"is\""`},
		{name: "broken", statuses: []int{500}, attempts: 1, fails: "500 Internal"},
		{name: "elsewhere", statuses: []int{307}, attempts: 1, fails: "redirects are not followed"},
		{name: "much later", statuses: []int{503}, after: "3600", attempts: 1, fails: "given up after 1 attempts"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s *httptest.Server
			s, got := listen(t, func(n int, w http.ResponseWriter) {
				if c.after != "" {
					w.Header().Set("Retry-After", c.after)
				}
				w.Header().Set("Location", s.URL+"/elsewhere")
				w.WriteHeader(c.statuses[min(n, len(c.statuses)-1)])
				_, _ = io.WriteString(w, `as it "is"`)
			})
			s.Start()
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", s.URL)
			err := ours(t).ExportSpans(t.Context(), someSpans())
			if (err != nil) != (c.fails != "") || err != nil && !strings.Contains(err.Error(), c.fails) {
				t.Error(err)
			}
			all := got()
			if len(all) != c.attempts {
				t.Fatalf("%d attempts", len(all))
			}
			for _, one := range all {
				if !proto.Equal(one.message, all[0].message) || len(one.message.ResourceSpans) != 3 || one.path != "/v1/traces" {
					t.Errorf("%s: %d resources", one.path, len(one.message.ResourceSpans))
				}
			}
		})
	}
}

// TestOTLPTriesAreBounded: by the time that the exporter allows itself, by the caller's context, and by Shutdown.
func TestOTLPTriesAreBounded(t *testing.T) {
	noOTEL(t)
	shut := make(chan struct{}, 1)
	s, got := listen(t, func(_ int, w http.ResponseWriter) {
		w.WriteHeader(503)
		select {
		case shut <- struct{}{}:
		default:
		}
	})
	s.Start()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", s.URL)
	e := ours(t)
	e.most = 20 * time.Millisecond
	if err := e.ExportSpans(t.Context(), someSpans()); err == nil || !strings.Contains(err.Error(), "given up after") || len(got()) < 2 {
		t.Errorf("%d attempts, %v", len(got()), err)
	}
	e.most, e.pause, e.longest = time.Hour, time.Minute, time.Minute
	<-shut
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the caller has enough")
	go func() { <-shut; cancel(why) }()
	if err := e.ExportSpans(ctx, someSpans()); !errors.Is(err, why) && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	go func() { <-shut; _ = e.Shutdown(context.Background()) }()
	if err := e.ExportSpans(t.Context(), someSpans()); !errors.Is(err, errStopped) && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	before := len(got())
	if err := e.ExportSpans(t.Context(), someSpans()); err == nil || len(got()) != before {
		t.Errorf("a stopped exporter sends: %v", err)
	}
}

func TestOTLPBackoffGrowsAndIsBounded(t *testing.T) {
	e := &otlpExporter{pause: 5 * time.Second, longest: 30 * time.Second}
	for attempt, middle := range []float64{5, 7.5, 11.25, 16.875, 25.3125, 30, 30} {
		for range 200 {
			if s := e.backoff(attempt).Seconds(); s < .5*middle || s > 1.5*middle {
				t.Fatalf("%v seconds after attempt %d", s, attempt)
			}
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-7": 0, "99999999999999999999": 0, "soon": 0,
		"Fri, 02 Jan 2026 03:04:35 GMT": 30 * time.Second, "Fri, 02 Jan 2026 03:04:00 GMT": 0,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}

// TestOTLPPartialSuccess: what a collector refused of a batch that it took is said, and counted as far as it says.
func TestOTLPPartialSuccess(t *testing.T) {
	noOTEL(t)
	const asProtobuf, asJSON = "application/x-protobuf", "application/json"
	message := func(n int64, text string) string {
		b, err := proto.Marshal(&collector.ExportTraceServiceResponse{PartialSuccess: &collector.ExportTracePartialSuccess{RejectedSpans: n, ErrorMessage: text}})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for _, c := range []struct {
		name, kind, reply, says string
		lost                    int64
	}{
		{"nothing", asProtobuf, "", "", 0},
		{"all taken", asProtobuf, message(0, ""), "", 0},
		{"some refused", asProtobuf, message(3, "too old"), `refused 3 of its spans: "too old"`, 1},
		{"a warning", asProtobuf, message(0, "be slower"), `refused 0 of its spans: "be slower"`, 0},
		{"less than none", asProtobuf, message(-4, ""), `refused -4`, 0},
		{"JSON", asJSON + "; charset=utf-8", `{"partialSuccess":{"rejectedSpans":"2","errorMessage":"x"}}`, `refused 2 of its spans: "x"`, 1},
		{"JSON with a number", asJSON, `{"partialSuccess":{"rejectedSpans":2}}`, `refused 2`, 1},
		{"broken", asProtobuf, message(3, "too old")[:5], "", 0},
		{"broken JSON", asJSON, `{"partialSuccess":{"rej`, "", 0},
		{"neither", "text/html", "<html>", "", 0},
		{"without end", asProtobuf, message(1, strings.Repeat("x", 2*mostReply)), "", 0},
		{"long", asProtobuf, message(1, strings.Repeat("x", 2000)), `refused 1 of its spans: "` + strings.Repeat("x", 300) + `"`, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, _ := listen(t, func(_ int, w http.ResponseWriter) {
				w.Header().Set("Content-Type", c.kind)
				_, _ = io.WriteString(w, c.reply)
			})
			s.Start()
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", s.URL)
			spans := &Spans{}
			err := ours(t).ExportSpans(t.Context(), someSpans())
			if (err != nil) != (c.says != "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Error(err)
			}
			if err := (&counting{exporter: ours(t), spans: spans}).ExportSpans(t.Context(), someSpans()); err != nil || spans.Unsent() != c.lost {
				t.Errorf("%d unsent, %v", spans.Unsent(), err)
			}
		})
	}
}

// TestOTLPWithCertificates: the collector's certificate is checked against the one named, and the client's is shown.
func TestOTLPWithCertificates(t *testing.T) {
	noOTEL(t)
	client, clientKey, clientPool := selfSigned(t)
	s, got := listen(t, nil)
	s.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clientPool}
	s.Config.ErrorLog = nil
	s.StartTLS()
	server := filepath.Join(t.TempDir(), "server.pem")
	if err := os.WriteFile(server, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", s.URL)
	if err := ours(t).ExportSpans(t.Context(), someSpans()); err == nil {
		t.Error("a collector that nobody vouches for is believed")
	}
	t.Setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", server)
	if err := ours(t).ExportSpans(t.Context(), someSpans()); err == nil {
		t.Error("the server takes a client without a certificate, so this test shows nothing")
	}
	t.Setenv("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", client)
	t.Setenv("OTEL_EXPORTER_OTLP_CLIENT_KEY", clientKey)
	if err := ours(t).ExportSpans(t.Context(), someSpans()); err != nil || len(got()) != 1 {
		t.Errorf("%d requests, %v", len(got()), err)
	}
}

// selfSigned is a client's certificate and key as files, and the pool that vouches for it.
func selfSigned(t *testing.T) (certificate, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, about, about, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certificate, key = filepath.Join(t.TempDir(), "client.pem"), filepath.Join(t.TempDir(), "key.pem")
	for path, block := range map[string]*pem.Block{certificate: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AddCert(parsed)
	return certificate, key, pool
}

// TestOTLPWrongVariables: each is an error at its place, and no error quotes a secret.
func TestOTLPWrongVariables(t *testing.T) {
	noOTEL(t)
	certificate, key, _ := selfSigned(t)
	const general, traces = "OTEL_EXPORTER_OTLP_", "OTEL_EXPORTER_OTLP_TRACES_"
	for _, set := range []map[string]string{ // the first name of each, in order, is the place
		{general + "PROTOCOL": "grpc"},
		{traces + "PROTOCOL": "http/json"},
		{general + "ENDPOINT": "localhost:4318"},
		{general + "ENDPOINT": "127.0.0.1:4318"},
		{general + "ENDPOINT": "ftp://user:secret@host"},
		{general + "ENDPOINT": "http://user:secret@host:port"},
		{traces + "ENDPOINT": "unix:///secret"},
		{general + "HEADERS": "no header secret"},
		{general + "HEADERS": "a b=secret"},
		{general + "HEADERS": "=secret"},
		{traces + "HEADERS": "a=secret%"},
		{traces + "HEADERS": "a=secret%0d%0aHost: b"},
		{general + "TIMEOUT": "10s"},
		{traces + "TIMEOUT": "0"},
		{general + "COMPRESSION": "zstd"},
		{general + "CERTIFICATE": "/no/such/file"},
		{general + "CERTIFICATE": key},
		{general + "CERTIFICATE": t.TempDir()},
		{general + "CLIENT_CERTIFICATE": certificate},
		{general + "CLIENT_CERTIFICATE": certificate, general + "CLIENT_KEY": certificate},
		{general + "ENDPOINT": "http://localhost", traces + "CERTIFICATE": certificate},
	} {
		t.Run("", func(t *testing.T) {
			t.Setenv(general+"ENDPOINT", "https://localhost:4318")
			for k, v := range set {
				t.Setenv(k, v)
			}
			_, err := newOTLP("v9")
			failed := (*rung.Error)(nil)
			if !errors.As(err, &failed) || failed.Code != rung.CodeInput || failed.Do == "" {
				t.Fatalf("%v: %v", set, err)
			}
			if _, named := set[failed.Place]; !named {
				t.Errorf("%v: the place is %s", set, failed.Place)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("a secret is quoted: %v", err)
			}
		})
	}
}
