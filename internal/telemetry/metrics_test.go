package telemetry

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rung-dev/rung"
)

func aTrace() *rung.Trace {
	return &rung.Trace{
		ID: "4bf92f3577b34da6a3ce929d0e0e4736", At: time.Unix(1700000000, 0), Gateway: "g1", API: "chat", Task: "tickets", Version: "v2", Model: "tickets",
		Upstream: "openai/gpt-4o-mini", Rollout: "r1", Arm: "target", Status: 200, Usage: rung.Usage{In: 300, Out: 20, CachedIn: 100}, CostUSD: .0004,
		Latency: 420 * time.Millisecond, First: 90 * time.Millisecond, Retries: 1, Stream: true,
		Guards: []rung.GuardVerdict{{Kind: "pii", Stage: rung.GuardInput, Action: rung.Redact, Elapsed: 40_000}, {Kind: "schema", Stage: rung.GuardOutput, Elapsed: 9_000}},
		Spans:  []rung.Span{{Name: "render", Start: 1e6, Took: 1e6}, {Name: "model", Start: 2e6, Took: 400e6}, {Name: "parse", Start: 410e6, Took: 1e6, Note: "constrained"}},
	}
}

// scrape reads the metrics as Prometheus does when it asks for exemplars.
func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	server := httptest.NewServer(m.Handler())
	defer server.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status, err)
	}
	return string(body)
}

func TestMetrics(t *testing.T) {
	m := NewMetrics(Sources{InFlight: func() int { return 3 }, Queued: func() int { return 2 }, Dropped: func() int64 { return 7 }, Unsent: func() int64 { return 5 }, Version: "v9"})
	m.Observe(aTrace())
	failed := aTrace()
	failed.Status, failed.Code, failed.Arm, failed.Fallback = 502, rung.CodeProvider, "baseline", 1
	failed.Guards = []rung.GuardVerdict{{Kind: "pii", Stage: rung.GuardInput, Failed: "no model"}}
	m.Observe(failed)
	text := scrape(t, m)
	for _, line := range []string{
		`rung_requests_total{api="chat",arm="target",code="",release="v2",status="200",task="tickets"} 1.0`,
		`rung_requests_total{api="chat",arm="baseline",code="provider",release="v2",status="502",task="tickets"} 1.0`,
		`rung_request_seconds_bucket{arm="target",release="v2",task="tickets",le="0.5"} 1 # {trace_id="4bf92f3577b34da6a3ce929d0e0e4736"} 0.42`,
		`rung_first_token_seconds_bucket{arm="target",release="v2",task="tickets",le="0.1"} 1 # {trace_id="4bf92f3577b34da6a3ce929d0e0e4736"} 0.09`,
		`rung_tokens_total{kind="cached_in",model="openai/gpt-4o-mini",release="v2",task="tickets"} 200.0`,
		`rung_cost_usd_total{model="openai/gpt-4o-mini",release="v2",task="tickets"} 0.0008`,
		`rung_fallbacks_total{release="v2",task="tickets"} 1.0`,
		`rung_retries_total{release="v2",task="tickets"} 2.0`,
		`rung_guard_verdicts_total{action="redact",guard="pii",stage="input"} 1.0`,
		`rung_guard_verdicts_total{action="failed",guard="pii",stage="input"} 1.0`,
		`rung_guard_verdicts_total{action="none",guard="schema",stage="output"} 1.0`,
		`rung_guard_seconds_total{guard="pii",stage="input"} 4e-05`,
		"rung_requests_in_flight 3.0", "rung_requests_queued 2.0", "rung_traces_dropped_total 7.0", "rung_spans_dropped_total 5.0",
		`rung_build_info{version="v9"} 1.0`,
	} {
		if !strings.Contains(text, "\n"+line) {
			t.Errorf("not there: %s", line)
		}
	}
	if t.Failed() {
		t.Log(regexp.MustCompile(`(?m)^(rung_.*)$`).FindAllString(text, -1))
	}
}

// TestSeriesAreBounded: neither names that nobody answers for nor a great many that somebody does make series without end.
func TestSeriesAreBounded(t *testing.T) {
	m := NewMetrics(Sources{})
	for i := range 5000 {
		m.Observe(&rung.Trace{Task: fmt.Sprint("no such task ", i), Model: fmt.Sprint(i), Upstream: rung.ModelRef(fmt.Sprint("openai/", i)), API: fmt.Sprint(i), Arm: fmt.Sprint(i), Status: 404, Code: rung.CodeNotFound})
	}
	good := aTrace()
	m.Observe(good)
	text := scrape(t, m)
	if !strings.Contains(text, `task="tickets"`) {
		t.Error("unknown names have crowded a good one out")
	}
	if n := strings.Count(text, "\n"); n > 400 {
		t.Errorf("%d lines", n)
	}
	for i := range 2000 {
		good.Task, good.Upstream = fmt.Sprint("task ", i), rung.ModelRef(fmt.Sprint("openai/", i))
		m.Observe(good)
	}
	text = scrape(t, m)
	if n := strings.Count(text, "\nrung_requests_total{"); n > mostNames+20 {
		t.Errorf("%d series of requests", n)
	}
	if !strings.Contains(text, `release="other",status="200",task="other"`) {
		t.Error("what has no series of its own is not counted as other")
	}
}

// TestMetricsCountUnderLoad: nothing is lost between goroutines, a scrape in between included.
func TestMetricsCountUnderLoad(t *testing.T) {
	m := NewMetrics(Sources{})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 1000 {
				m.Observe(aTrace())
			}
		})
	}
	scrape(t, m)
	all.Wait()
	if text := scrape(t, m); !strings.Contains(text, `status="200",task="tickets"} 4000.0`) || !strings.Contains(text, `rung_request_seconds_count{arm="target",release="v2",task="tickets"} 4000`) {
		t.Error("requests were lost")
	}
}

func TestRequestLog(t *testing.T) {
	var b bytes.Buffer
	l := RequestLog{slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))}
	l.Observe(aTrace())
	bad := aTrace()
	bad.Status, bad.Code, bad.Input, bad.Stream, bad.Guards = 422, rung.CodeBlocked, []byte(`"my secret"`), false, nil
	l.Observe(bad)
	want := `level=INFO msg=request trace=4bf92f3577b34da6a3ce929d0e0e4736 api=chat status=200 latency=420ms task=tickets version=v2 model=tickets tokens_in=300 tokens_out=20 cost_usd=0.0004 rollout=r1 arm=target guard=pii:redact first_token=90ms
level=WARN msg=request trace=4bf92f3577b34da6a3ce929d0e0e4736 api=chat status=422 latency=420ms task=tickets version=v2 model=tickets tokens_in=300 tokens_out=20 cost_usd=0.0004 code=blocked rollout=r1 arm=target
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func BenchmarkObserve(b *testing.B) {
	m, t := NewMetrics(Sources{}), aTrace()
	b.ReportAllocs()
	for b.Loop() {
		m.Observe(t)
	}
}

func BenchmarkObserveParallel(b *testing.B) {
	m, t := NewMetrics(Sources{}), aTrace()
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			m.Observe(t)
		}
	})
}
