package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/gateway"
	"github.com/rung-dev/rung/internal/guard"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/model/anthropic"
	"github.com/rung-dev/rung/internal/model/modeltest"
	"github.com/rung-dev/rung/internal/model/openai"
	"github.com/rung-dev/rung/internal/recipe"
	"github.com/rung-dev/rung/internal/retrieve"
	"github.com/rung-dev/rung/internal/rollout"
	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/store/sqlite"
	"github.com/rung-dev/rung/internal/trace"
)

// rig is a gateway with its real parts before a model server that is told what to do.
type rig struct {
	t        *testing.T
	upstream *modeltest.Server
	store    store.Serving
	live     *model.Live
	recorder *trace.Recorder
	rollouts *rollout.Controller
	gw       *gateway.Gateway
	url      string
	up       string // URL of the model server
	log      *lockedBuffer

	mu       sync.Mutex
	calls    []modeltest.Call
	releases map[string]fixture // task@version
}

// fixture is a release that the rig makes ready.
type fixture struct {
	cand   rung.Candidate
	guards []rung.GuardSpec
	index  *retrieve.Index
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

type setup struct {
	script  modeltest.Script
	config  string
	tune    func(*gateway.Config)
	prepare func(*rig) // before the gateway reads the store
	prices  string     // a file; models without a price are hosted then, and have none
	batch   int        // traces written at once; 0: 1, so that tests see them soon
}

func newRig(t *testing.T, s setup) *rig {
	t.Helper()
	r := &rig{t: t, releases: map[string]fixture{}, log: &lockedBuffer{}}
	if s.script == nil {
		s.script = modeltest.Echo
	}
	r.upstream = modeltest.New(func(c modeltest.Call) modeltest.Reply {
		r.mu.Lock()
		r.calls = append(r.calls, c)
		r.mu.Unlock()
		return s.script(c)
	})
	up, stop, err := r.upstream.Listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	r.up = up
	if r.store, err = sqlite.OpenServing(t.Context(), t.TempDir()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.check(r.store.Close()) })
	prices, err := model.LoadPrices(s.prices)
	if err != nil {
		t.Fatal(err)
	}
	r.live = model.NewLive(model.Options{Prices: prices, Provider: func(name string) (model.Provider, error) {
		p, err := provider(name, up)
		if o, ok := p.(*openai.Provider); ok && s.prices != "" {
			return hosted{o}, err
		}
		return p, err
	},
		Limits: rung.Limits{Concurrency: 64, Timeout: 20 * time.Second}})
	if s.prepare != nil {
		s.prepare(r)
	}
	config, err := gateway.ParseConfig("gateway.yaml", []byte(s.config))
	if err != nil {
		t.Fatal(err)
	}
	if s.tune != nil {
		s.tune(config)
	}
	r.start(config, up, max(s.batch, 1))
	return r
}

func (r *rig) start(config *gateway.Config, up string, batch int) {
	var err error
	log := slog.New(slog.NewTextHandler(r.log, nil))
	if r.rollouts, err = rollout.New(r.t.Context(), r.store, rollout.Config{Gateway: "g1", Log: log}); err != nil {
		r.t.Fatal(err)
	}
	r.recorder = trace.NewRecorder(r.store, trace.Config{Batch: batch, Log: log})
	r.gw, err = gateway.New(r.t.Context(), gateway.Options{Config: config, Store: r.store, Releases: r, Models: r.live, WithGroups: retrieve.WithGroups,
		Router: r.rollouts, Recorder: r.recorder, Name: "g1", Log: log, Upstream: func(name string) (*gateway.Upstream, error) { return passTo(name, up) }})
	if err != nil {
		r.t.Fatal(err)
	}
	server := httptest.NewServer(r.gw)
	r.url = server.URL
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.gw.Run(ctx)
	}()
	r.t.Cleanup(func() {
		server.Close()
		cancel()
		<-ended
		r.check(r.recorder.Close(context.Background()))
	})
	r.eventually("the releases are loaded", r.loaded)
}

// loaded reports whether the gateway has done with the releases that it starts with.
func (r *rig) loaded() bool {
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, r.url+"/readyz", http.NoBody)
	if err != nil {
		r.t.Fatal(err)
	}
	return !strings.Contains(r.do(req).body, "being loaded")
}

func (r *rig) check(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Error(err)
	}
}

func provider(name, url string) (model.Provider, error) {
	if name == "anthropic" {
		return anthropic.New(anthropic.Config{BaseURL: url, Key: "up-key"})
	}
	return openai.New(openai.Config{Name: name, BaseURL: url + "/v1", Key: "up-key"})
}

func passTo(name, url string) (*gateway.Upstream, error) {
	p, err := provider(name, url)
	if err != nil {
		return nil, err
	}
	up := &gateway.Upstream{API: "openai", Prices: price}
	if name == "anthropic" {
		up.API = "anthropic"
	}
	up.Base, up.Header = p.(interface{ Endpoint() (string, http.Header) }).Endpoint()
	return up, nil
}

// Release implements gateway.Source with the runner of the climb.
func (r *rig) Release(_ context.Context, line rung.ReleaseLine) (*gateway.Release, error) {
	r.mu.Lock()
	x, ok := r.releases[line.Task+"@"+line.Version]
	r.mu.Unlock()
	if !ok {
		return nil, &rung.Error{Code: rung.CodeStore, Place: line.Version, What: "its content is damaged"}
	}
	f, err := form.New(x.cand.Output)
	if err != nil {
		return nil, err
	}
	parts := recipe.Parts{Door: r.live, Form: f}
	if x.index != nil {
		parts.Search = x.index.SearchRestricted
	}
	runner, err := recipe.NewRunner(x.cand, parts)
	if err != nil {
		return nil, err
	}
	out := &gateway.Release{Line: line, Runner: runner, Form: f}
	if len(x.guards) > 0 {
		out.Guards, err = guard.New(x.guards, guard.Env{System: runner.System(), Form: f})
	}
	return out, err
}

// release puts a release into the store, and points production at it when it is the task's first.
func (r *rig) release(task, version string, x fixture) {
	r.t.Helper()
	r.mu.Lock()
	r.releases[task+"@"+version] = x
	r.mu.Unlock()
	line := rung.ReleaseLine{Task: task, Version: version, Digest: rung.DigestOf(task + version), Candidate: x.cand.Digest(), Rung: x.cand.Rung, Model: x.cand.Model, By: "test", At: time.Now().UTC()}
	if err := r.store.PutRelease(r.t.Context(), line); err != nil {
		r.t.Fatal(err)
	}
	if version == "v1" {
		r.point(task, rung.Production, "v1", "")
	}
}

func (r *rig) point(task, alias, to, from string) {
	r.t.Helper()
	if err := r.store.MoveAlias(r.t.Context(), rung.AliasMove{Task: task, Alias: alias, Version: to, From: from, By: "test", Why: "test", At: time.Now().UTC()}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) seen() []modeltest.Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]modeltest.Call(nil), r.calls...)
}

func candidate(out rung.Output) rung.Candidate {
	return rung.Candidate{Rung: rung.Prompt, Model: "openai/m", Instructions: "Do the task.", Input: []rung.Field{{Name: "text", Type: "string"}}, Output: out,
		Template: rung.Template{Name: "t", Version: 1, System: "{{.Instructions}}", User: "{{template \"passages\" .}}{{.Input}}"}, Decoding: rung.Decoding{MaxTokens: 64, Reasks: 1, Seed: 1}}
}

var (
	textOut   = rung.Output{Kind: rung.Text}
	labelsOut = rung.Output{Kind: rung.Labels, Labels: []string{"red", "blue"}}
	jsonOut   = rung.Output{Kind: rung.JSONSchema, Schema: json.RawMessage(`{"type":"object","properties":{"colour":{"enum":["red","blue"]}},"required":["colour"],"additionalProperties":false}`)}
)

func index(t *testing.T, docs ...rung.Passage) *retrieve.Index {
	t.Helper()
	x, err := retrieve.Build(t.Context(), docs, retrieve.Settings{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// reply is an answer of the gateway.
type reply struct {
	status int
	header http.Header
	body   string
}

func (r *rig) post(path, body string, headers ...string) reply {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return r.do(req)
}

func (r *rig) do(req *http.Request) reply {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Error(err)
		return reply{}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		b = append(b, ("\n!!" + err.Error())...)
	}
	return reply{resp.StatusCode, resp.Header, string(b)}
}

func chat(model, text string, more ...string) string {
	b, _ := json.Marshal(text)
	extra := ""
	for _, m := range more {
		extra += "," + m
	}
	return fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":%s}]%s}`, model, b, extra)
}

// content is the text of a chat completion.
func (p reply) content(t *testing.T) string {
	t.Helper()
	var v struct {
		Choices []struct{ Message struct{ Content string } }
	}
	if err := json.Unmarshal([]byte(p.body), &v); err != nil || p.status != 200 || len(v.Choices) != 1 {
		t.Fatalf("status %d: %s (%v)", p.status, p.body, err)
	}
	return v.Choices[0].Message.Content
}

// trace waits for the trace of an answer.
func (r *rig) trace(p reply) rung.Trace {
	r.t.Helper()
	id := p.header.Get("X-Rung-Trace")
	for deadline := time.Now().Add(10 * time.Second); ; {
		tr, err := r.store.Trace(r.t.Context(), id)
		if err == nil {
			return tr
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("no trace %q: %v", id, err)
		}
		<-time.After(2 * time.Millisecond)
	}
}

// eventually waits until ok says so, for as long as a change may take to reach a gateway.
func (r *rig) eventually(what string, ok func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			r.t.Fatalf("not within 5 s: %s\n%s", what, r.log)
		}
		<-time.After(5 * time.Millisecond)
	}
}
