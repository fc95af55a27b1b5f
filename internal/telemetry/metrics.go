// Package telemetry tells those who watch a gateway how it fares: Prometheus metrics, OpenTelemetry spans, a log line for each
// request. All of it is made from rung.Trace, none of it blocks a request, and none of it carries text of a request.
package telemetry

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/rung-dev/rung"
)

// Sources are figures that somebody else keeps; nil leaves one out. They are read when the metrics are.
type Sources struct {
	InFlight func() int   // requests inside
	Queued   func() int   // requests that wait for a place
	Dropped  func() int64 // traces that were not kept
	Unsent   func() int64 // traces that were not exported
	Version  string       // of the program
}

// Metrics counts requests. It is safe for concurrent use; Observe takes about a microsecond.
type Metrics struct {
	registry *prometheus.Registry
	names    names

	requests, tokens, cost *prometheus.CounterVec
	fallbacks, retries     *prometheus.CounterVec
	verdicts, guardSeconds *prometheus.CounterVec
	latency, first         *prometheus.HistogramVec

	outcomes sync.Map // outcomeKey → prometheus.Counter
	streams  sync.Map // streamKey → *stream
	guards   sync.Map // guardKey → *guardCounters
}

// The bounds of the histograms in seconds: a mock upstream's milliseconds to a slow model's two minutes.
var (
	latencyBounds = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120}
	firstBounds   = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
)

// NewMetrics makes the metrics with a registry of their own.
func NewMetrics(s Sources) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	histogram := func(name, help string, bounds []float64, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: bounds}, labels)
	}
	m := &Metrics{
		registry:     prometheus.NewRegistry(),
		requests:     counter("rung_requests_total", "Requests answered.", "task", "release", "arm", "api", "status", "code"),
		tokens:       counter("rung_tokens_total", "Tokens read (in), read from the provider's cache (cached_in, a part of in) and written (out).", "task", "release", "model", "kind"),
		cost:         counter("rung_cost_usd_total", "Cost of the model calls.", "task", "release", "model"),
		fallbacks:    counter("rung_fallbacks_total", "Requests that another release of the fallback chain answered.", "task", "release"),
		retries:      counter("rung_retries_total", "Further attempts of model calls, and re-asks.", "task", "release"),
		verdicts:     counter("rung_guard_verdicts_total", "What guards said: what was done about a finding, none, or failed.", "guard", "stage", "action"),
		guardSeconds: counter("rung_guard_seconds_total", "Time spent in guards.", "guard", "stage"),
		latency:      histogram("rung_request_seconds", "Time from the request to the last byte of its answer.", latencyBounds, "task", "release", "arm"),
		first:        histogram("rung_first_token_seconds", "Time from the request to the first byte of a streamed answer.", firstBounds, "task", "release", "arm"),
	}
	m.registry.MustRegister(m.requests, m.tokens, m.cost, m.fallbacks, m.retries, m.verdicts, m.guardSeconds, m.latency, m.first,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.register(s)
	return m
}

func (m *Metrics) register(s Sources) {
	gauge := func(name, help string, read func() int) {
		if read != nil {
			m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(read()) }))
		}
	}
	counter := func(name, help string, read func() int64) {
		if read != nil {
			m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(read()) }))
		}
	}
	gauge("rung_requests_in_flight", "Requests that are being answered.", s.InFlight)
	gauge("rung_requests_queued", "Requests that wait for a place.", s.Queued)
	counter("rung_traces_dropped_total", "Traces that were not kept, because the store could not keep up or failed.", s.Dropped)
	counter("rung_spans_dropped_total", "Traces that were not exported to OpenTelemetry, because its collector could not keep up or failed.", s.Unsent)
	info := prometheus.NewGauge(prometheus.GaugeOpts{Name: "rung_build_info", Help: "1, with the version of rung.", ConstLabels: prometheus.Labels{"version": s.Version}})
	info.Set(1)
	m.registry.MustRegister(info)
}

// Handler serves the metrics: OpenMetrics, with exemplars, to those who ask for it.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{EnableOpenMetrics: true, MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
}

// stream is the series of one task's release on one arm.
type stream struct {
	latency, first        histogram
	in, cached, out, cost prometheus.Counter
	fallbacks, retries    prometheus.Counter
}

type (
	outcomeKey struct {
		task, release, arm, api string
		status                  int
		code                    rung.Code
	}
	streamKey struct{ task, release, arm, model string }
	guardKey  struct {
		guard  string
		stage  rung.GuardStage
		action string
	}
)

// Observe counts a request. It keeps nothing of t but its id, as the exemplar of a bucket.
func (m *Metrics) Observe(t *rung.Trace) {
	task, release, model := m.names.of(t)
	arm := armLabel(t.Arm)
	m.outcome(outcomeKey{task, release, arm, apiLabel(t.API), t.Status, t.Code}).Inc()
	s := m.stream(streamKey{task, release, arm, model})
	s.latency.observe(t.Latency, t)
	if t.First > 0 {
		s.first.observe(t.First, t)
	}
	add(s.in, t.Usage.In)
	add(s.cached, t.Usage.CachedIn)
	add(s.out, t.Usage.Out)
	if t.CostUSD > 0 {
		s.cost.Add(t.CostUSD)
	}
	if t.Fallback > 0 {
		s.fallbacks.Inc()
	}
	add(s.retries, t.Retries)
	for i := range t.Guards {
		m.guard(&t.Guards[i])
	}
}

func add(c prometheus.Counter, n int) {
	if n > 0 {
		c.Add(float64(n))
	}
}

// histogram gives a bucket a new exemplar at most once in exemplarEvery: it costs as much as the rest of Observe.
type histogram struct {
	prometheus.Observer
	last *atomic.Int64 // nanoseconds since start of the last exemplar
}

const exemplarEvery = 100 * time.Millisecond

var start = time.Now()

func (h histogram) observe(d time.Duration, t *rung.Trace) {
	now, last := int64(time.Since(start)), h.last.Load()
	if t.ID == "" || last != 0 && now-last < int64(exemplarEvery) || !h.last.CompareAndSwap(last, now) {
		h.Observe(d.Seconds())
		return
	}
	h.Observer.(prometheus.ExemplarObserver).ObserveWithExemplar(d.Seconds(), prometheus.Labels{"trace_id": cut(t.ID, 64)})
}

func (m *Metrics) outcome(k outcomeKey) prometheus.Counter {
	if c, ok := m.outcomes.Load(k); ok {
		return c.(prometheus.Counter)
	}
	c := m.requests.WithLabelValues(k.task, k.release, k.arm, k.api, statusLabel(k.status), string(k.code))
	m.outcomes.Store(k, c)
	return c
}

func (m *Metrics) stream(k streamKey) *stream {
	if s, ok := m.streams.Load(k); ok {
		return s.(*stream)
	}
	s := &stream{
		latency: histogram{m.latency.WithLabelValues(k.task, k.release, k.arm), new(atomic.Int64)},
		first:   histogram{m.first.WithLabelValues(k.task, k.release, k.arm), new(atomic.Int64)},
		in:      m.tokens.WithLabelValues(k.task, k.release, k.model, "in"), cached: m.tokens.WithLabelValues(k.task, k.release, k.model, "cached_in"),
		out: m.tokens.WithLabelValues(k.task, k.release, k.model, "out"), cost: m.cost.WithLabelValues(k.task, k.release, k.model),
		fallbacks: m.fallbacks.WithLabelValues(k.task, k.release), retries: m.retries.WithLabelValues(k.task, k.release),
	}
	m.streams.Store(k, s)
	return s
}

type guardCounters struct{ verdicts, seconds prometheus.Counter }

func (m *Metrics) guard(v *rung.GuardVerdict) {
	k := guardKey{v.Kind, v.Stage, "none"}
	switch {
	case v.Failed != "":
		k.action = "failed"
	case v.Action != "":
		k.action = string(v.Action)
	}
	c, ok := m.guards.Load(k)
	if !ok {
		c = &guardCounters{m.verdicts.WithLabelValues(k.guard, string(k.stage), k.action), m.guardSeconds.WithLabelValues(k.guard, string(k.stage))}
		m.guards.Store(k, c)
	}
	g := c.(*guardCounters)
	g.verdicts.Inc()
	if v.Elapsed > 0 {
		g.seconds.Add(time.Duration(v.Elapsed).Seconds())
	}
}
