package gateway_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/gateway"
	"github.com/rung-dev/rung/internal/guard"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/recipe"
	"github.com/rung-dev/rung/internal/retrieve"
	"github.com/rung-dev/rung/internal/rollout"
	"github.com/rung-dev/rung/internal/store/sqlite"
	"github.com/rung-dev/rung/internal/telemetry"
	"github.com/rung-dev/rung/internal/trace"
)

// instant is a provider that answers at once, so that what is measured is the gateway's.
type instant struct{ text string }

func (p instant) Complete(context.Context, model.Request) (model.Response, error) {
	return model.Response{Text: p.text, Finish: "stop", Usage: rung.Usage{In: 40, Out: 2}, Served: "m", Latency: time.Microsecond}, nil
}

func (p instant) Stream(_ context.Context, _ model.Request, delta func(string) error) (model.Response, error) {
	for _, piece := range []string{"one ", "two ", "three"} {
		if err := delta(piece); err != nil {
			return model.Response{}, err
		}
	}
	return model.Response{Text: "one two three", Finish: "stop", Usage: rung.Usage{In: 40, Out: 3}, Served: "m", Latency: time.Microsecond}, nil
}

func (instant) Can(rung.ModelRef) model.Can {
	return model.Can{Concurrency: 64, Schema: true, Choices: true}
}
func (instant) BaseURL() string { return "http://127.0.0.1:1/v1" }

// RoundTrip answers what is passed through.
func (p instant) RoundTrip(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body) // it is in memory
	body := `{"choices":[{"message":{"role":"assistant","content":"` + p.text + `"}}],"usage":{"prompt_tokens":40,"completion_tokens":2}}`
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader([]byte(body))), Request: r}, nil
}

type fixtures map[string]fixture

// benchSource makes releases ready before the provider.
type benchSource struct {
	live *model.Live
	all  fixtures
}

func (s benchSource) Release(_ context.Context, line rung.ReleaseLine) (*gateway.Release, error) {
	x := s.all[line.Task]
	f, err := form.New(x.cand.Output)
	if err != nil {
		return nil, err
	}
	runner, err := recipe.NewRunner(x.cand, recipe.Parts{Door: s.live, Form: f})
	if err != nil {
		return nil, err
	}
	out := &gateway.Release{Line: line, Runner: runner, Form: f}
	if len(x.guards) > 0 {
		out.Guards, err = guard.New(x.guards, guard.Env{System: runner.System(), Form: f})
	}
	return out, err
}

// silent is an answer that nobody reads.
type silent struct {
	header http.Header
	status int
}

func (w *silent) Header() http.Header         { return w.header }
func (w *silent) Write(b []byte) (int, error) { return len(b), nil }
func (w *silent) WriteHeader(status int)      { w.status = status }
func (w *silent) Flush()                      {}

func (w *silent) SetReadDeadline(time.Time) error  { return nil }
func (w *silent) SetWriteDeadline(time.Time) error { return nil }

// benchGateway is a gateway with all that rung serve gives it, its traces written to SQLite.
func benchGateway(b *testing.B, all fixtures) http.Handler {
	b.Helper()
	st, err := sqlite.OpenServing(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	for task, x := range all {
		if err := st.PutRelease(b.Context(), rung.ReleaseLine{Task: task, Version: "v1", Digest: rung.DigestOf(task), Candidate: x.cand.Digest(), Model: x.cand.Model, At: time.Now()}); err != nil {
			b.Fatal(err)
		}
		if err := st.MoveAlias(b.Context(), rung.AliasMove{Task: task, Alias: rung.Production, Version: "v1", By: "bench", At: time.Now()}); err != nil {
			b.Fatal(err)
		}
	}
	p := instant{"red"}
	live := model.NewLive(model.Options{Provider: func(string) (model.Provider, error) { return p, nil }, Limits: rung.Limits{Concurrency: 64, Timeout: time.Minute}})
	rollouts, err := rollout.New(b.Context(), st, rollout.Config{Gateway: "g"})
	if err != nil {
		b.Fatal(err)
	}
	recorder := trace.NewRecorder(st, trace.Config{Redact: guard.Redactor(nil)})
	b.Cleanup(func() {
		if err := recorder.Close(context.Background()); err != nil {
			b.Error(err)
		}
		if err := st.Close(); err != nil {
			b.Error(err)
		}
	})
	c := gateway.Default()
	c.Pass = []string{"*"}
	g, err := gateway.New(b.Context(), gateway.Options{Config: c, Store: st, Releases: benchSource{live, all}, Models: live, WithGroups: retrieve.WithGroups, Router: rollouts, Recorder: recorder,
		Meter: telemetry.NewMetrics(telemetry.Sources{}), Name: "g", Transport: p, Upstream: func(string) (*gateway.Upstream, error) {
			return &gateway.Upstream{Base: "http://127.0.0.1:1/v1", API: "openai", Header: http.Header{"Authorization": {"Bearer k"}}, Prices: price}, nil
		}})
	if err != nil {
		b.Fatal(err)
	}
	return g
}

// BenchmarkRequest is what the gateway itself takes for a request, from the parsed header to the last byte of the answer, with its
// trace on the way to the disk. net/http's own work is not in it.
func BenchmarkRequest(b *testing.B) {
	all := fixtures{"text": {cand: candidate(textOut)}, "labels": {cand: candidate(labelsOut)}, "json": {cand: candidate(jsonOut)},
		"guarded": {cand: candidate(labelsOut), guards: []rung.GuardSpec{{Kind: "injection", Action: rung.Annotate}, {Kind: "secrets"}, {Kind: "pii", Entities: []string{"EMAIL"}}}}}
	g := benchGateway(b, all)
	for _, c := range []struct{ name, body string }{
		{"pass", chat("openai/m", "Where is my parcel? It was sent a week ago.")},
		{"text", chat("text", "Where is my parcel? It was sent a week ago.")},
		{"labels", chat("labels", "Where is my parcel? It was sent a week ago.")},
		{"guarded", chat("guarded", "Where is my parcel? It was sent a week ago.")},
		{"streamed", chat("text", "Where is my parcel? It was sent a week ago.", `"stream":true`)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			body := []byte(c.body)
			for b.Loop() {
				w := &silent{header: http.Header{}}
				r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "http://localhost/v1/chat/completions", bytes.NewReader(body))
				if err != nil {
					b.Fatal(err)
				}
				r.RemoteAddr = "127.0.0.1:9"
				g.ServeHTTP(w, r)
				if w.status != 0 && w.status != 200 {
					b.Fatalf("status %d", w.status)
				}
			}
		})
	}
}
