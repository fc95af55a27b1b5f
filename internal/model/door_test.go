package model_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/model/modeltest"
)

func TestPaidForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c modeltest.Call) modeltest.Reply {
			return modeltest.Reply{Text: fmt.Sprint("answer ", c.N), In: 1000, CachedIn: 400, Out: 10, Delay: time.Second}
		})
		d := r.door(model.Options{})
		first, cached := r.must(d, question("a"))
		if cached {
			t.Error("the first call was cached")
		}
		want := rung.Completion{Key: first.Key, Model: "openai/gpt-4o-mini", Request: first.Request, Text: "answer 1", Finish: "stop", Served: "gpt-4o-mini",
			Usage: rung.Usage{In: 1000, CachedIn: 400, Out: 10}, CostUSD: (600*.15 + 400*.075 + 10*.6) / 1e6, Latency: time.Second, Attempts: 1, At: time.Now().UTC()}
		if diff := cmp.Diff(want, first); diff != "" {
			t.Error("the completion differs (-want +got):\n" + diff)
		}
		again, cached := r.must(d, question("a"))
		later, laterCached := r.must(r.door(model.Options{}), question("a"))
		if !cached || !laterCached || r.server.Calls() != 1 {
			t.Errorf("asked %d times", r.server.Calls())
		}
		if diff := cmp.Diff(first, again) + cmp.Diff(first, later); diff != "" {
			t.Error("the stored completion differs:\n" + diff)
		}
		if c := d.Counts(); c.Made != 1 || c.Cached != 1 || c.TokensIn != 2000 || c.TokensOut != 20 || c.InFlight != 0 {
			t.Errorf("counts %+v", c)
		}
	})
}

func TestFreshPaysAgainOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c modeltest.Call) modeltest.Reply { return modeltest.Reply{Text: fmt.Sprint(c.N)} })
		r.must(r.door(model.Options{}), question("a"))
		time.Sleep(time.Second)
		fresh := r.door(model.Options{Fresh: true})
		for i, wantCached := range []bool{false, true, true} {
			if c, cached := r.must(fresh, question("a")); cached != wantCached || c.Text != "2" {
				t.Errorf("call %d: cached %t, text %s", i, cached, c.Text)
			}
		}
		if c, cached := r.must(r.door(model.Options{}), question("a")); !cached || c.Text != "2" {
			t.Errorf("afterwards: cached %t, text %s", cached, c.Text)
		}
	})
}

func TestKeyHoldsWhatShapesTheAnswer(t *testing.T) {
	base := question("a")
	key := model.Key(base, "http://x")
	changes := map[string]func(*model.Request){
		"model":       func(r *model.Request) { r.Model = "openai/other" },
		"weights":     func(r *model.Request) { r.Weights = "w" },
		"role":        func(r *model.Request) { r.Messages = []model.Message{{Role: "system", Content: "a"}} },
		"schema":      func(r *model.Request) { r.Schema = []byte(`{}`) },
		"choices":     func(r *model.Request) { r.Choices = []string{"x"} },
		"temperature": func(r *model.Request) { r.Temperature = .1 },
		"max tokens":  func(r *model.Request) { r.MaxTokens++ },
		"seed":        func(r *model.Request) { r.Seed++ },
		"stop":        func(r *model.Request) { r.Stop = []string{"x"} },
		"adapter":     func(r *model.Request) { r.Adapter = "x" },
		"sample":      func(r *model.Request) { r.Sample++ },
	}
	seen := map[rung.Digest]string{key: "nothing", model.Key(base, "http://y"): "base URL"}
	if len(seen) != 2 {
		t.Error("the base URL is not in the key")
	}
	for name, change := range changes {
		changed := base
		change(&changed)
		k := model.Key(changed, "http://x")
		if other, ok := seen[k]; ok {
			t.Errorf("changing %s gives the key of changing %s", name, other)
		}
		seen[k] = name
	}
	hinted := base
	hinted.Affinity, hinted.Timeout = "x", time.Hour
	if model.Key(hinted, "http://x") != key {
		t.Error("hints change the key")
	}
}

func TestDuplicatesInFlightAreOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(modeltest.Call) modeltest.Reply { return modeltest.Reply{Text: "x", Delay: time.Second} })
		d := r.door(model.Options{})
		var wg sync.WaitGroup
		var made atomic.Int64
		for range 10 {
			wg.Go(func() {
				if _, cached := r.must(d, question("a")); !cached {
					made.Add(1)
				}
			})
		}
		wg.Wait()
		if r.server.Calls() != 1 || made.Load() != 1 {
			t.Errorf("%d calls, %d of them said to be made", r.server.Calls(), made.Load())
		}
		if c := d.Counts(); c.Made != 1 || c.Cached != 9 {
			t.Errorf("counts %+v", c)
		}
	})
}

func TestLeaderLeavesFollowersGetTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(modeltest.Call) modeltest.Reply { return modeltest.Reply{Text: "x", Delay: time.Minute} })
		d := r.door(model.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		led := make(chan struct{})
		go func() {
			defer close(led)
			// The call ends well for the others, so whether its leader gets the answer or an interruption does not matter.
			_, _, _ = d.Complete(ctx, question("a"))
		}()
		synctest.Wait()
		got := make(chan error)
		go func() {
			_, cached, err := d.Complete(t.Context(), question("a"))
			if err == nil && !cached {
				err = errors.New("not cached")
			}
			got <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-got; err != nil {
			t.Error(err)
		}
		<-led
		if r.server.Calls() != 1 {
			t.Errorf("%d calls", r.server.Calls())
		}
	})
}

func TestNobodyWaitsTheCallEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, modeltest.Sequence(modeltest.Reply{Fault: modeltest.Hang}, modeltest.Reply{Text: "second"}))
		d := r.door(model.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		errs := make(chan error, 2)
		for range 2 {
			go func() {
				_, _, err := d.Complete(ctx, question("a"))
				errs <- err
			}()
		}
		synctest.Wait()
		start := time.Now()
		cancel()
		for range 2 {
			if err := <-errs; rung.CodeOf(err) != rung.CodeInterrupted || !model.Fatal(err) {
				t.Errorf("got %v", err)
			}
		}
		if time.Since(start) != 0 {
			t.Errorf("it took %s to end", time.Since(start))
		}
		if c, _ := r.must(d, question("a")); c.Text != "second" {
			t.Errorf("the next caller got %q", c.Text)
		}
		if c := d.Counts(); c.Failed != 0 || c.InFlight != 0 {
			t.Errorf("counts %+v", c)
		}
	})
}

func TestCauseOfCancellationIsTold(t *testing.T) {
	r := newRig(t, modeltest.Echo)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(&rung.Error{Code: rung.CodeBudget, What: "budget.wall is used up"})
	if _, _, err := r.door(model.Options{}).Complete(ctx, question("a")); rung.CodeOf(err) != rung.CodeBudget {
		t.Errorf("got %v", err)
	}
}

func TestConcurrencyIsBounded(t *testing.T) {
	for name, limit := range map[string]int{"the task's": 3, "the provider's own": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var now, most atomic.Int64
				r := newRig(t, nil)
				r.server.Script = func(modeltest.Call) modeltest.Reply {
					most.Store(max(most.Load(), now.Add(1)))
					time.Sleep(time.Second)
					now.Add(-1)
					return modeltest.Reply{Text: "x"}
				}
				want := limit
				if want == 0 {
					p, err := r.provider("openai")
					if err != nil {
						t.Fatal(err)
					}
					want = p.Can("openai/m").Concurrency
				}
				d := r.door(model.Options{Limits: rung.Limits{Concurrency: limit}})
				var wg sync.WaitGroup
				for i := range 30 {
					wg.Go(func() { r.must(d, question(fmt.Sprint(i))) })
				}
				wg.Wait()
				if most.Load() != int64(want) {
					t.Errorf("%d calls at once, want %d", most.Load(), want)
				}
			})
		})
	}
}

func TestRateLimits(t *testing.T) {
	cases := map[string]struct {
		limits rung.Limits
		least  time.Duration
		most   time.Duration
	}{
		"requests": {rung.Limits{RPM: 60, Concurrency: 10}, 19 * time.Second, 20 * time.Second},
		// Each request counts (3000 + schema)/3 + 100 = 1100 tokens; 20 of them are 22,000, of which 6,000/6 may come at once.
		"tokens": {rung.Limits{TPM: 6000, Concurrency: 10}, 209 * time.Second, 211 * time.Second},
		"none":   {rung.Limits{Concurrency: 10}, 0, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, modeltest.Text("x"))
				d := r.door(model.Options{Limits: c.limits})
				start := time.Now()
				var wg sync.WaitGroup
				for i := range 20 {
					wg.Go(func() { r.must(d, question(fmt.Sprintf("%02d", i)+strings.Repeat("x", 2998))) })
				}
				wg.Wait()
				if took := time.Since(start); took < c.least || took > c.most {
					t.Errorf("20 calls took %s, want between %s and %s", took, c.least, c.most)
				}
			})
		})
	}
}

func TestStoreThatFailsEndsTheClimb(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.server.Script = func(modeltest.Call) modeltest.Reply {
			if err := r.store.Close(); err != nil { // while the answer is on its way
				t.Error(err)
			}
			return modeltest.Reply{Text: "x"}
		}
		d := r.door(model.Options{})
		for range 2 {
			if _, _, err := d.Complete(t.Context(), question("a")); rung.CodeOf(err) != rung.CodeStore || !model.Fatal(err) {
				t.Errorf("got %v", err)
			}
		}
	})
}

func TestRequestWithoutJSONIsRefused(t *testing.T) {
	r := newRig(t, modeltest.Echo)
	req := question("a")
	req.Schema = []byte(`{"type":`)
	if _, _, err := r.door(model.Options{}).Complete(t.Context(), req); rung.CodeOf(err) != rung.CodeInput {
		t.Errorf("got %v", err)
	}
}

func TestPriceFile(t *testing.T) {
	var path string
	write := func(s string) { path = writePrices(t, s) }
	write(`{"date":"2026-11-01","models":{"openai/gpt-4o-mini":{"in":1,"out":2},"acme/m":{"in":3,"out":4},"local":{"per_hour":0.5}}}`)
	p, err := model.LoadPrices(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Of("openai/gpt-4o-mini", "https://x"); got.In != 1 || got.Date != "2026-11-01" {
		t.Errorf("the user's price is not used: %+v", got)
	}
	if got := p.Of("openai/gpt-4o-2024-08-06", "https://x"); got.In != 2.5 || got.Source == "" {
		t.Errorf("a dated model's price: %+v", got)
	}
	if got := p.Of("openai/gpt-4o-2024-05-13", "https://x"); got.In != 5 {
		t.Errorf("a dated model that has its own price: %+v", got)
	}
	for _, base := range []string{"", "http://localhost:1", "http://127.0.0.1:9/v1", "http://192.168.1.2/v1", "http://[::1]:80/v1"} {
		if got := p.Of("acme/unlisted", base); got.PerHour != .5 || got.Unknown {
			t.Errorf("a model at %q: %+v", base, got)
		}
	}
	if got := p.Of("ollama/x", "https://far.example"); got.PerHour != .5 {
		t.Errorf("ollama far away: %+v", got)
	}
	for _, base := range []string{"https://api.acme.example", "http://8.8.8.8/v1", "::"} {
		if !p.Of("acme/unlisted", base).Unknown {
			t.Errorf("the price at %s is known", base)
		}
	}
	for _, bad := range []string{`{"models":[]}`, `{"models":{"a/b":{"in":-1}}}`, `nothing`} {
		write(bad)
		if _, err := model.LoadPrices(path); rung.CodeOf(err) != rung.CodeInput || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if _, err := model.LoadPrices(filepath.Join(t.TempDir(), "none")); rung.CodeOf(err) != rung.CodeInput {
		t.Errorf("a missing file: %v", err)
	}
}

func writePrices(t *testing.T, content string) (path string) {
	path = filepath.Join(t.TempDir(), "prices.json")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
