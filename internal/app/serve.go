package app

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/engine"
	"github.com/rung-dev/rung/internal/gateway"
	"github.com/rung-dev/rung/internal/guard"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/model/anthropic"
	"github.com/rung-dev/rung/internal/model/openai"
	"github.com/rung-dev/rung/internal/registry"
	"github.com/rung-dev/rung/internal/retrieve"
	"github.com/rung-dev/rung/internal/rollout"
	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/telemetry"
	"github.com/rung-dev/rung/internal/trace"
)

// ServeOptions say what a gateway serves and how.
type ServeOptions struct {
	Store    string // directory of the store, which holds the releases
	Database string // URL of a Postgres database that gateways share; empty: SQLite in Store
	Config   string // file; empty: the defaults
	Optional bool   // the file need not be there at the start
	Listen   string // instead of the configuration's
	Tasks    []string
	Prices   string
	Program  string // version of rung
	Log      *slog.Logger
	Ready    func(url string, g *gateway.Gateway) // told when it listens; may be nil
	Wake     <-chan struct{}                      // reads the configuration again
}

// Serve runs a gateway until ctx ends, and drains it.
func Serve(ctx context.Context, opt ServeOptions) (err error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	load := opt.loader()
	config, err := load()
	if err != nil {
		return err
	}
	s := &serving{opt: opt, config: config}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.open(ctx); err != nil {
		return err
	}
	server, err := s.gateway.Listen(ctx)
	if err != nil {
		return err
	}
	s.background(ctx, server, load)
	if opt.Ready != nil {
		opt.Ready(server.URL(), s.gateway)
	}
	return server.Serve(ctx)
}

// loader reads the configuration, with what the command line says put over it. An optional file may come later; once it was there
// it may not go.
func (o *ServeOptions) loader() func() (*gateway.Config, error) {
	seen := !o.Optional
	return func() (*gateway.Config, error) {
		c := gateway.Default()
		if _, err := os.Stat(o.Config); err == nil {
			seen = true
		}
		if o.Config != "" && seen {
			var err error
			if c, err = gateway.LoadConfig(o.Config); err != nil {
				return nil, err
			}
		}
		if o.Listen != "" {
			c.Listen = o.Listen
		}
		return c, nil
	}
}

// serving is a gateway with all its parts.
type serving struct {
	opt      ServeOptions
	config   *gateway.Config
	store    store.Serving
	layout   *registry.Layout
	engine   *engine.Engine
	live     *model.Live
	prices   *model.Prices
	recorder *trace.Recorder
	rollouts *rollout.Controller
	metrics  *telemetry.Metrics
	spans    *telemetry.Spans // nil: the environment names no OpenTelemetry collector
	gateway  *gateway.Gateway
	kept     kept
	tasks    sync.WaitGroup // what runs beside the server
	stop     context.CancelFunc
}

func (s *serving) open(ctx context.Context) error {
	var err error
	if s.store, err = OpenServing(ctx, s.opt.Store, s.opt.Database); err != nil {
		return err
	}
	if err := s.known(ctx); err != nil {
		return err
	}
	if s.layout, err = registry.Open(ReleasesDir(s.opt.Store)); err != nil {
		return err
	}
	if err := s.openModels(); err != nil {
		return err
	}
	name := instance()
	if s.rollouts, err = rollout.New(ctx, s.store, rollout.Config{Gateway: name, Log: s.opt.Log}); err != nil {
		return err
	}
	s.recorder = trace.NewRecorder(s.store, trace.Config{Redact: guard.Redactor(s.kept.entities), Log: s.opt.Log})
	if telemetry.SpansAsked() {
		if s.spans, err = telemetry.NewSpans(ctx, s.opt.Program, s.opt.Log); err != nil {
			return err
		}
	}
	s.metrics = telemetry.NewMetrics(telemetry.Sources{Version: s.opt.Program, Unsent: s.spans.Unsent,
		InFlight: func() int { return s.gateway.InFlight() }, Queued: func() int { return s.gateway.Queued() },
		Dropped: func() int64 { return s.recorder.Stats().Dropped }})
	s.gateway, err = gateway.New(ctx, gateway.Options{
		Config: s.config, Store: s.store, Releases: s, Models: s.live, Upstream: s.upstream, WithGroups: retrieve.WithGroups,
		Router: s.rollouts, Recorder: s.recorder, Meter: meter{s.metrics, telemetry.RequestLog{Logger: s.opt.Log}, s.spans}, Tasks: s.opt.Tasks, Name: name, Log: s.opt.Log,
	})
	return err
}

// instance names this gateway among those of a store.
func instance() string {
	host, err := os.Hostname()
	if err != nil {
		host = "gateway"
	}
	var b [3]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return host + "-" + hex.EncodeToString(b[:])
}

func (s *serving) openModels() error {
	var err error
	if s.prices, err = model.LoadPrices(s.opt.Prices); err != nil {
		return err
	}
	s.engine, err = engine.New(engine.Options{
		Dir: filepath.Dir(s.opt.Store), Log: func(line string) { s.opt.Log.Info(line, "from", "engine") },
		ServerLog: func(line string) { s.opt.Log.Debug(line, "from", "engine") },
	})
	if err != nil {
		return err
	}
	l := s.config.Limits
	s.live = model.NewLive(model.Options{Provider: providers(s.engine), Prices: s.prices,
		Limits: rung.Limits{Concurrency: l.Upstream, Retries: l.Retries, Timeout: l.Attempt}})
	return nil
}

// Release implements gateway.Source.
func (s *serving) Release(ctx context.Context, line rung.ReleaseLine) (*gateway.Release, error) {
	l, err := LoadRelease(ctx, s.layout, line.Digest, LoadOptions{Door: s.live, Engine: s.engine, Embed: s.live.Embed})
	if err != nil {
		return nil, err
	}
	if err := s.live.Check(l.Release.Candidate.Model); err != nil {
		return nil, err
	}
	if err := s.start(ctx, &l.Release.Candidate); err != nil {
		return nil, err
	}
	s.kept.learn(line.Task, l.Release.Guards)
	out := &gateway.Release{Line: line, Runner: l.Runner, Form: l.Form}
	if len(l.Release.Guards) > 0 {
		marks, err := s.trainingMarks(ctx, l)
		if err != nil {
			return nil, err
		}
		out.Guards, err = guard.New(l.Release.Guards, guard.Env{System: l.Runner.System(), Training: trainingTexts(l), Marks: marks, Embed: s.topics(l), Form: l.Form})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// start has the engine's servers of a release run before it is called ready: the first request would wait for them.
func (s *serving) start(ctx context.Context, c *rung.Candidate) error {
	refs := []rung.ModelRef{c.Model}
	if c.Retrieval != nil {
		refs = append(refs, c.Retrieval.Embedder)
	}
	if c.Demos != nil {
		refs = append(refs, c.Demos.Embedder)
	}
	for _, ref := range refs {
		if !ref.Local() {
			continue
		}
		if err := s.engine.Start(ctx, ref); err != nil {
			return err
		}
	}
	return nil
}

// trainingMarks are those of the rows that the release's adapter was trained on, for the guard data_leak. A release from before
// there were any has none, which is said.
func (s *serving) trainingMarks(ctx context.Context, l *Loaded) ([]byte, error) {
	if l.Release.Candidate.Adapter == nil || !slices.ContainsFunc(l.Release.Guards, func(g rung.GuardSpec) bool { return g.Kind == "data_leak" }) {
		return nil, nil
	}
	marks, err := s.layout.Part(ctx, l.Release, registry.TrainingMarks)
	if err == nil && marks == nil {
		s.opt.Log.Warn("the release was made before releases carried marks of their training rows: its guard data_leak does not know them; release it again", "release", l.Release.Name())
	}
	return marks, err
}

// topics embeds texts for guards with the release's own embedder; nil where it has none.
func (s *serving) topics(l *Loaded) guard.EmbedFunc {
	c := &l.Release.Candidate
	var ref rung.ModelRef
	switch {
	case c.Retrieval != nil && c.Retrieval.Embedder != "":
		ref = c.Retrieval.Embedder
	case c.Demos != nil && c.Demos.Embedder != "":
		ref = c.Demos.Embedder
	default:
		return nil
	}
	return func(ctx context.Context, texts []string) ([][]float32, error) { return s.live.Embed(ctx, ref, texts) }
}

// trainingTexts are what a release shows its model: answers must not repeat it at length.
func trainingTexts(l *Loaded) []string {
	demos := l.Pool
	if d := l.Release.Candidate.Demos; d != nil {
		demos = append(demos[:len(demos):len(demos)], d.Fixed...)
	}
	shown := make([]rung.Example, 0, len(demos))
	for _, d := range demos {
		shown = append(shown, rung.Example{Input: d.Input, Output: d.Output})
	}
	return guard.TrainingTexts(shown)
}

// upstream is where requests are passed through to.
func (s *serving) upstream(name string) (*gateway.Upstream, error) {
	up := &gateway.Upstream{API: "openai"}
	var ready error
	if name == "anthropic" {
		p, err := anthropic.New(anthropic.Config{})
		if err != nil {
			return nil, err
		}
		up.API, ready = "anthropic", p.Ready(rung.ModelRef(name+"/any"))
		up.Base, up.Header = p.Endpoint()
	} else {
		p, err := openai.New(openai.Config{Name: name})
		if err != nil {
			return nil, err
		}
		ready = p.Ready(rung.ModelRef(name + "/any"))
		up.Base, up.Header = p.Endpoint()
	}
	if ready != nil {
		return nil, ready
	}
	base := up.Base
	up.Prices = func(m string) model.Price { return s.prices.Of(rung.ModelRef(name+"/"+m), base) }
	return up, nil
}

// known refuses a task that has no release: its name is more likely a slip than a plan.
func (s *serving) known(ctx context.Context) error {
	for _, task := range s.opt.Tasks {
		lines, err := s.store.Releases(ctx, task)
		if err != nil {
			return err
		}
		if len(lines) == 0 {
			return &rung.Error{Code: rung.CodeNotFound, Place: task, What: "the store has no release of this task", Do: "see rung releases, or make one with rung release"}
		}
	}
	return nil
}

// background starts what runs beside the server.
func (s *serving) background(ctx context.Context, server *gateway.Server, load func() (*gateway.Config, error)) {
	// It goes on while requests drain, and ends when the server has.
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.tasks.Go(func() { s.gateway.Run(ctx) })
	s.tasks.Go(func() { s.rollouts.Run(ctx) })
	age, size := s.config.Keep, s.config.KeepBytes
	if age == 0 {
		age = -1
	}
	if size == 0 {
		size = -1
	}
	s.tasks.Go(func() { trace.Retain(ctx, s.store, trace.Retention{Age: age, Bytes: size, Log: s.opt.Log}) })
	s.tasks.Go(func() {
		server.Watch(ctx, load, func(c *gateway.Config) []string {
			var files []string
			for _, f := range []string{s.opt.Config, c.Cert, c.Key} {
				if f != "" {
					files = append(files, f)
				}
			}
			return files
		}, s.opt.Wake)
	})
}

// closeLimit bounds how long the last traces may take to be written.
const closeLimit = 30 * time.Second

// spansLimit bounds how long a collector may take for the last spans.
const spansLimit = 5 * time.Second

func (s *serving) close() error {
	var errs []error
	if s.stop != nil {
		s.stop()
		s.tasks.Wait()
	}
	if s.recorder != nil {
		ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
		defer cancel()
		errs = append(errs, s.recorder.Close(ctx))
	}
	if s.spans != nil {
		ctx, cancel := context.WithTimeout(context.Background(), spansLimit)
		defer cancel()
		if err := s.spans.Close(ctx); err != nil {
			s.opt.Log.Warn(err.Error()) // nothing of the gateway's own is lost
		}
	}
	if s.engine != nil {
		errs = append(errs, s.engine.Close())
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	return errors.Join(errs...)
}

// meter counts, logs and exports.
type meter struct {
	*telemetry.Metrics
	log   telemetry.RequestLog
	spans *telemetry.Spans
}

func (m meter) Observe(t *rung.Trace) {
	m.Metrics.Observe(t)
	m.log.Observe(t)
	if m.spans != nil {
		own := *t // the recorder redacts its own in place
		own.Input, own.Output, own.Spans, own.Guards = nil, nil, slices.Clone(t.Spans), slices.Clone(t.Guards)
		m.spans.Observe(&own)
	}
}

func (m meter) Handler() http.Handler { return m.Metrics.Handler() }
