package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/gateway"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/model/modeltest"
	"github.com/rung-dev/rung/internal/model/openai"
	"github.com/rung-dev/rung/internal/recipe"
	"github.com/rung-dev/rung/internal/retrieve"
	"github.com/rung-dev/rung/internal/rollout"
	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/store/sqlite"
	"github.com/rung-dev/rung/internal/trace"
)

// street is a real gateway over a real store, before a model server in which each release answers from its own examples, and
// callers who say by feedback whether the answer was right.
type street struct {
	data     *dataSet
	versions map[string]*release
	models   *model.Live
	store    store.Serving
	rollouts *rollout.Controller
	gateway  *gateway.Gateway
	url      string
	stops    []func() error
}

// outcome is what became of a rollout through the gateway.
type outcome struct {
	Ended    rung.Rollout
	Requests int // until it ended
	Target   int // of them, answered by the target
	After    int // requests begun after the gateway had ended it
	Wrong    int // of them, those that went to the release that lost; after a promotion, of those begun a second later or more
	Took     time.Duration
}

func (o outcome) String() string {
	return fmt.Sprintf("%s → %s: %s after %d requests (%d of the target) in %.1f s; of %d requests begun after that %d went to the wrong release\n  %s",
		o.Ended.Baseline, o.Ended.Target, o.Ended.State, o.Requests, o.Target, o.Took.Seconds(), o.After, o.Wrong, o.Ended.Why)
}

// newStreet opens the street over the store in dir, or over one that is gone afterwards. v1 is in production at first.
func newStreet(ctx context.Context, dir string, d *dataSet) (s *street, err error) {
	versions := map[string]*release{"v1": newRelease(d.pool[:1500]), "v2": newRelease(d.pool[:300]), "v3": newRelease(d.pool)}
	s = &street{data: d, versions: versions}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if dir == "" {
		if dir, err = os.MkdirTemp("", "rung-street-"); err != nil {
			return s, err
		}
		s.stops = append(s.stops, func() error { return os.RemoveAll(dir) })
	}
	up, stop, err := modeltest.New(s.answer).Listen()
	if err != nil {
		return s, err
	}
	s.stops = append(s.stops, func() error { stop(); return nil })
	provider, err := openai.New(openai.Config{Name: "openai", BaseURL: up + "/v1", Key: "k"})
	if err != nil {
		return s, err
	}
	s.models = model.NewLive(model.Options{Provider: func(string) (model.Provider, error) { return provider, nil }, Limits: rung.Limits{Concurrency: 64, Timeout: 20 * time.Second}})
	if s.store, err = sqlite.OpenServing(ctx, dir); err != nil {
		return s, err
	}
	s.stops = append(s.stops, s.store.Close)
	if err := s.release(ctx); err != nil {
		return s, err
	}
	return s, s.open(ctx)
}

// answer is the model: the system prompt says which release asks.
func (s *street) answer(c modeltest.Call) modeltest.Reply {
	version := strings.TrimSpace(strings.TrimPrefix(c.Messages[0].Content, "Release"))
	r := s.versions[version]
	if r == nil {
		return modeltest.Reply{Fault: modeltest.ServerError}
	}
	return modeltest.Reply{Text: r.answer(c.Last())}
}

func (s *street) candidate(version string) rung.Candidate {
	return rung.Candidate{Rung: rung.Prompt, Model: "openai/words", Instructions: "Release " + version, Input: []rung.Field{{Name: "text", Type: "string"}},
		Output:   rung.Output{Kind: rung.Labels, Labels: s.data.labels},
		Template: rung.Template{Name: "t", Version: 1, System: "{{.Instructions}}", User: "{{.Input}}"}, Decoding: rung.Decoding{MaxTokens: 32, Seed: 1}}
}

func (s *street) release(ctx context.Context) error {
	for version := range s.versions {
		c := s.candidate(version)
		if err := s.store.PutRelease(ctx, rung.ReleaseLine{Task: s.data.name, Version: version, Digest: rung.DigestOf(version), Candidate: c.Digest(), Model: c.Model, By: "replay", At: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}); err != nil {
			return err
		}
	}
	aliases, err := s.store.Aliases(ctx, s.data.name)
	if err != nil || len(aliases) > 0 {
		return err
	}
	return s.store.MoveAlias(ctx, rung.AliasMove{Task: s.data.name, Alias: rung.Production, Version: "v1", By: "replay", Why: "the first", At: time.Now().UTC()})
}

// Release implements gateway.Source.
func (s *street) Release(_ context.Context, line rung.ReleaseLine) (*gateway.Release, error) {
	c := s.candidate(line.Version)
	f, err := form.New(c.Output)
	if err != nil {
		return nil, err
	}
	runner, err := recipe.NewRunner(c, recipe.Parts{Door: s.models, Form: f})
	if err != nil {
		return nil, err
	}
	return &gateway.Release{Line: line, Runner: runner, Form: f}, nil
}

func (s *street) open(ctx context.Context) error {
	var err error
	if s.rollouts, err = rollout.New(ctx, s.store, rollout.Config{Gateway: "street", Every: 50 * time.Millisecond}); err != nil {
		return err
	}
	recorder := trace.NewRecorder(s.store, trace.Config{})
	s.gateway, err = gateway.New(ctx, gateway.Options{Config: gateway.Default(), Store: s.store, Releases: s, Models: s.models, WithGroups: retrieve.WithGroups,
		Router: s.rollouts, Recorder: recorder, Name: "street"})
	if err != nil {
		return err
	}
	server := httptest.NewServer(s.gateway)
	s.url = server.URL
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var loops sync.WaitGroup
	loops.Go(func() { s.gateway.Run(running) })
	loops.Go(func() { s.rollouts.Run(running) })
	s.stops = append(s.stops, func() error {
		server.Close()
		cancel()
		loops.Wait()
		last, done := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer done()
		return recorder.Close(last)
	})
	return nil
}

// Close ends all parts, the last opened first.
func (s *street) Close() error {
	var errs []error
	for i := len(s.stops) - 1; i >= 0; i-- {
		errs = append(errs, s.stops[i]())
	}
	return errors.Join(errs...)
}

// roll starts a rollout from production to target and sends messages of the day, eight at a time, until it has ended and for some
// requests more. It gives up after most requests.
func (s *street) roll(ctx context.Context, id, target string, share, margin float64, most int) (out outcome, err error) {
	r := rung.Rollout{ID: id, Task: s.data.name, Baseline: s.rollouts.Route(s.data.name, rung.Production, "", 1).Version, Target: target, Share: share, Auto: true,
		State: rung.Active, By: "replay", Started: time.Now().UTC(), Rules: []rung.RolloutRule{{Metric: rollout.Feedback, Margin: margin}, {Metric: rollout.Failure, Margin: .02}}}
	rollout.Fill(&r)
	if r, err = s.store.PutRollout(ctx, r); err != nil {
		return out, err
	}
	if err := s.rollouts.Refresh(ctx); err != nil {
		return out, err
	}
	w := walk{street: s, target: target, begin: time.Now()}
	var walkers sync.WaitGroup
	for k := range walkersAtOnce {
		walkers.Go(func() { w.run(ctx, uint64(k), most) })
	}
	walkers.Wait()
	if err, _ := w.failed.Load().(error); err != nil {
		return out, err
	}
	all, err := s.store.Rollouts(ctx, s.data.name, false)
	if err != nil {
		return out, err
	}
	at, later := w.phases[1].Load(), w.phases[2].Load()
	out = outcome{Ended: all[0], Requests: int(w.phases[0].Load()), Target: int(w.targets[0].Load()), After: int(at + later), Took: time.Duration(w.took.Load())}
	// A rollback holds for the next request; a promotion waits for the gateway's next look at the aliases.
	out.Wrong = int(w.targets[1].Load() + w.targets[2].Load())
	if out.Ended.State == rung.Promoted {
		out.Wrong = int(later - w.targets[2].Load())
	}
	return out, nil
}

const (
	walkersAtOnce = 8
	walkOn        = 25 // requests of each after the end
)

// walk is what the callers of one rollout see together: in its three phases before the end, in the second after it, and later.
type walk struct {
	*street
	target          string
	begin           time.Time
	phases, targets [3]atomic.Int64 // requests, and those that the target answered
	took            atomic.Int64    // until the end
	failed          atomic.Value
}

func (w *walk) run(ctx context.Context, seed uint64, most int) {
	r := rand.New(rand.NewPCG(seed, 12))
	for left := walkOn; left > 0 && w.phases[0].Load() < int64(most) && w.failed.Load() == nil; {
		phase := 0
		if w.rollouts.Route(w.data.name, rung.Production, "", 0).Rollout == "" {
			w.took.CompareAndSwap(0, int64(time.Since(w.begin)))
			phase = 1
			if time.Since(w.begin)-time.Duration(w.took.Load()) >= time.Second {
				phase = 2
				left--
			}
		}
		version, err := w.ask(ctx, w.data.day[r.IntN(len(w.data.day))])
		if err != nil {
			w.failed.Store(err)
			return
		}
		w.phases[phase].Add(1)
		if version == w.target {
			w.targets[phase].Add(1)
		}
	}
}

// ask sends a message and says by feedback whether the answer was right.
func (s *street) ask(ctx context.Context, m message) (version string, err error) {
	body, err := json.Marshal(map[string]any{"model": s.data.name, "messages": []map[string]string{{"role": "user", "content": m.text}}})
	if err != nil {
		return "", err
	}
	var answer struct {
		Choices []struct{ Message struct{ Content string } }
	}
	header, err := s.post(ctx, "/v1/chat/completions", body, &answer)
	if err != nil || len(answer.Choices) == 0 {
		return "", errors.Join(err, errors.New("no answer"))
	}
	thumb := "down"
	if answer.Choices[0].Message.Content == m.label {
		thumb = "up"
	}
	_, err = s.post(ctx, "/v1/feedback", fmt.Appendf(nil, `{"trace_id": %q, "thumb": %q}`, header.Get("X-Rung-Trace"), thumb), nil)
	_, version, _ = strings.Cut(header.Get("X-Rung-Release"), "@")
	return version, err
}

func (s *street) post(ctx context.Context, path string, body []byte, into any) (http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s: %s: %s", path, resp.Status, b)
	}
	if into == nil {
		return resp.Header, nil
	}
	return resp.Header, json.Unmarshal(b, into)
}
