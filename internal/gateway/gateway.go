// Package gateway answers real traffic: it speaks the OpenAI and Anthropic APIs, renders with the climb's own code, holds callers to
// their keys and limits, and leaves a trace of each request. It decides nothing about rollouts, keeps no traces and guards nothing
// itself: those are parts that it is given.
package gateway

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/guard"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/recipe"
	"github.com/rung-dev/rung/internal/rollout"
	"github.com/rung-dev/rung/internal/store"
)

// Release is a release that is ready to answer. Its runner's door is the gateway's.
type Release struct {
	Line   rung.ReleaseLine
	Runner *recipe.Runner
	Form   *form.Form
	Guards *guard.Set // nil: none
}

// Source makes releases ready. It may take long, as when an engine must be started.
type Source interface {
	Release(ctx context.Context, line rung.ReleaseLine) (*Release, error)
}

// Router shares traffic between releases and learns how they fared; rollout.Controller is one.
type Router interface {
	Route(task, alias, key string, random float64) rollout.Assignment
	Observe(rollout, arm string, values map[string]float64)
	ObserveShadow(rollout string, baseline, shadow map[string]float64, same bool)
	// Refresh reads what has changed in the store.
	Refresh(ctx context.Context) error
}

// Recorder keeps traces and feedback, redacted. Record never blocks and takes the trace over; Feedback is durable when it returns.
type Recorder interface {
	Record(t *rung.Trace)
	Feedback(ctx context.Context, task string, f rung.Feedback) error
}

// Meter counts requests for those who watch.
type Meter interface {
	Observe(t *rung.Trace)
	Handler() http.Handler
}

// Upstream is a provider that requests are passed through to as they are.
type Upstream struct {
	Base   string // as its SDK would have it
	Header http.Header
	API    string // "openai" or "anthropic"
	Prices func(name string) model.Price
}

// Options are what a gateway is made of.
type Options struct {
	Config   *Config
	Store    store.Serving
	Releases Source
	Models   *model.Live
	// Upstream finds a provider to pass through to; nil: none.
	Upstream func(provider string) (*Upstream, error)
	// WithGroups puts the caller's access groups where retrieval looks for them.
	WithGroups func(ctx context.Context, groups []string) context.Context
	Router     Router   // nil: aliases alone
	Recorder   Recorder // nil: no traces
	Meter      Meter    // nil: no metrics
	Tasks      []string // those that are served; empty: all
	Name       string   // of this instance
	Log        *slog.Logger
	Transport  http.RoundTripper // nil: a tuned transport of its own
}

// Gateway is the handler. It is safe for concurrent use.
type Gateway struct {
	opt       Options
	log       *slog.Logger
	config    atomic.Pointer[Config]
	state     atomic.Pointer[state]
	releases  *releases
	admit     *admission
	bodies    bodies
	accounts  *accounts
	transport http.RoundTripper
	upstreams sync.Map // provider → *upstream
	shadows   chan struct{}
	ending    context.Context // ends when Run does: shadows are nobody's, so they are cut off
	end       context.CancelFunc
	recent    recent
	draining  atomic.Bool
	handling  atomic.Int64 // requests for answers
	public    atomic.Bool  // it listens beyond this machine
	wait      sync.WaitGroup
}

// maxShadows bounds how many shadow answers are made at a time; beyond it they are left out.
const maxShadows = 16

// New makes a gateway and reads the store once. It waits for no release: /readyz says when those are ready that it starts with.
func New(ctx context.Context, opt Options) (*Gateway, error) {
	if opt.WithGroups == nil {
		return nil, &rung.Error{Code: rung.CodeInternal, Place: "gateway", What: "no way to tell retrieval the caller's groups was given"}
	}
	g := &Gateway{opt: opt, log: opt.Log, admit: newAdmission(), transport: opt.Transport, shadows: make(chan struct{}, maxShadows)}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	if g.transport == nil {
		g.transport = newTransport()
	}
	g.ending, g.end = context.WithCancel(context.WithoutCancel(ctx))
	g.releases = newReleases(g.ending, opt.Releases)
	g.accounts = newAccounts(opt.Store, g.log)
	g.SetConfig(opt.Config)
	if err := g.refresh(ctx); err != nil {
		return nil, err
	}
	g.sayUnknownNames()
	return g, nil
}

// SetConfig takes another configuration; requests on their way end with the one they began with.
func (g *Gateway) SetConfig(c *Config) {
	g.config.Store(c)
	g.admit.resize(c.Limits.Concurrency, c.Limits.Queue)
}

// Config is the configuration in force.
func (g *Gateway) Config() *Config { return g.config.Load() }

// Run follows the store until ctx ends, then cuts off shadows and writes what keys have spent.
func (g *Gateway) Run(ctx context.Context) {
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	spend := time.NewTicker(spendEvery)
	defer spend.Stop()
	for {
		select {
		case <-poll.C:
			g.follow(ctx)
		case <-spend.C:
			g.accounts.settle(ctx, false)
		case <-ctx.Done():
			g.finish(context.WithoutCancel(ctx))
			return
		}
	}
}

// finishTimeout bounds each writing of what keys have spent at the end, and the wait for shadows that were cut off.
const finishTimeout = 10 * time.Second

// finish cuts off shadows. What keys have spent is written before they are waited for, and again for what those had spent.
func (g *Gateway) finish(ctx context.Context) {
	g.end()
	g.settle(ctx, false)
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.wait.Wait()
	}()
	select {
	case <-done:
	case <-time.After(finishTimeout):
		g.log.Warn("shadows did not end though they were cut off; the gateway does not wait for them")
	}
	g.settle(ctx, true)
}

func (g *Gateway) settle(ctx context.Context, end bool) {
	ctx, cancel := context.WithTimeout(ctx, finishTimeout)
	defer cancel()
	g.accounts.settle(ctx, end)
}

// InFlight is how many requests are worked on, Queued how many wait.
func (g *Gateway) InFlight() int { n, _ := g.admit.counts(); return n }

// Queued is how many requests wait for a place.
func (g *Gateway) Queued() int { _, n := g.admit.counts(); return n }

// Tasks are the tasks that are served, and Open says that no key is asked for.
func (g *Gateway) Tasks() []string { return g.state.Load().names }

// Open reports whether requests need no key.
func (g *Gateway) Open() bool { return !g.state.Load().anyKeys && !g.public.Load() }

// Drain makes readyz say no, so that whoever shares traffic sends none here.
func (g *Gateway) Drain() { g.draining.Store(true) }

// ServeHTTP finds the API of a path.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 {
		// net/http reads what is left of a body before it answers, also for a request that is refused unread: nobody may make
		// it wait without end.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(g.config.Load().Limits.Read)) // a recorder of a test has none
	}
	switch r.URL.Path {
	case "/v1/chat/completions":
		g.answer(w, r, chatAPI)
	case "/v1/responses":
		g.answer(w, r, responsesAPI)
	case "/v1/messages":
		g.answer(w, r, messagesAPI)
	case "/v1/embeddings":
		g.answer(w, r, embeddingsAPI)
	case "/v1/feedback":
		g.feedback(w, r)
	case "/v1/models":
		g.models(w, r, "")
	case "/healthz":
		plain(w, http.StatusOK, "ok\n")
	case "/readyz":
		g.ready(w)
	case "/metrics":
		g.metrics(w, r)
	default:
		g.other(w, r)
	}
}
