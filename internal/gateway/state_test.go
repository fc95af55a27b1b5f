package gateway_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/gateway"
	"github.com/rung-dev/rung/internal/retrieve"
)

// slowly makes the rig's releases ready; those of hold when their channel is closed, and those of fail as often not at all.
type slowly struct {
	*rig
	hold map[string]chan struct{}

	mu    sync.Mutex
	fail  map[string]int
	tries map[string]int
}

func (s *slowly) Release(ctx context.Context, line rung.ReleaseLine) (*gateway.Release, error) {
	name := line.Task + "@" + line.Version
	s.mu.Lock()
	s.tries[name]++
	fails := s.fail[name] >= s.tries[name]
	s.mu.Unlock()
	if fails {
		return nil, &rung.Error{Code: rung.CodeStore, Place: name, What: "the disk is away"}
	}
	if held := s.hold[name]; held != nil {
		select {
		case <-held:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return s.rig.Release(ctx, line)
}

func (s *slowly) tried(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tries[name]
}

// another starts another gateway on the rig's store, to which the rig's requests go from then on. stop ends what runs beside it.
func (r *rig) another(source *slowly) (stop func()) {
	r.t.Helper()
	source.rig, source.tries = r, map[string]int{}
	g, err := gateway.New(r.t.Context(), gateway.Options{Config: r.gw.Config(), Store: r.store, Releases: source, Models: r.live, WithGroups: retrieve.WithGroups,
		Router: r.rollouts, Recorder: r.recorder, Name: "g2", Log: slog.New(slog.NewTextHandler(r.log, nil))})
	if err != nil {
		r.t.Fatal(err)
	}
	server := httptest.NewServer(g)
	r.url = server.URL
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		g.Run(ctx)
	}()
	stop = func() {
		cancel()
		<-ended
	}
	r.t.Cleanup(func() {
		server.Close()
		stop()
	})
	if len(source.hold) == 0 {
		r.eventually("the releases are loaded", r.loaded)
	}
	return stop
}

// answers waits until a task's requests are answered by a version, and fails if that took more than a second.
func (r *rig) answers(task, version string, headers ...string) {
	r.t.Helper()
	start := time.Now()
	r.eventually(task+" is answered by "+version, func() bool {
		return r.post("/v1/chat/completions", chat(task, "hi"), headers...).header.Get("X-Rung-Release") == task+"@"+version
	})
	if took := time.Since(start); took > time.Second {
		r.t.Errorf("%s is answered by %s after %s", task, version, took)
	}
}

func TestALoadThatTakesLongHoldsUpNothingElse(t *testing.T) {
	t.Parallel()
	keys := map[string]string{}
	r := newRig(t, setup{prepare: func(r *rig) {
		for _, task := range []string{"x", "y"} {
			r.release(task, "v1", fixture{cand: candidate(textOut)})
			r.release(task, "v2", fixture{cand: candidate(textOut)})
		}
		r.point("x", "old", "v2", "")
		keys["1"], keys["2"] = r.key(rung.APIKey{ID: "1", Name: "a"}), r.key(rung.APIKey{ID: "2", Name: "b"})
	}})
	held := make(chan struct{})
	source := &slowly{hold: map[string]chan struct{}{"y@v2": held}}
	r.another(source)
	auth := []string{"Authorization", "Bearer " + keys["1"]}
	r.point("y", rung.Production, "v2", "v1")
	r.eventually("y@v2 is loading", func() bool { return source.tried("y@v2") == 1 })
	r.point("x", rung.Production, "v2", "v1")
	r.answers("x", "v2", auth...)
	r.point("x", rung.Production, "v1", "v2")
	r.answers("x", "v1", auth...)
	r.answers("y", "v1", auth...)
	start := time.Now()
	if err := r.store.PutKey(t.Context(), rung.APIKey{ID: "2", Name: "b", Hash: gateway.HashKey(keys["2"]), Scopes: []string{gateway.ScopeServe}, Created: time.Now().UTC(), Revoked: time.Now().UTC()}); err != nil {
		t.Fatal(err)
	}
	r.eventually("the revoked key is refused", func() bool {
		return r.post("/v1/chat/completions", chat("x", "hi"), "Authorization", "Bearer "+keys["2"]).status == 401
	})
	if took := time.Since(start); took > time.Second {
		t.Errorf("the key was refused after %s", took)
	}
	close(held)
	r.answers("y", "v2", auth...)
	if n := source.tried("y@v2"); n != 1 {
		t.Errorf("it was loaded %d times", n)
	}
}

// A segment's first own release takes over when it is ready; until then the segment is answered as before.
func TestASegmentWaitsForNoRelease(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{prepare: func(r *rig) {
		r.release("x", "v1", fixture{cand: candidate(textOut)})
		r.release("x", "v2", fixture{cand: candidate(textOut)})
	}})
	held := make(chan struct{})
	source := &slowly{hold: map[string]chan struct{}{"x@v2": held}}
	r.another(source)
	r.point("x", rung.SegmentAlias(rung.Production, "gold"), "v2", "")
	r.eventually("x@v2 is loading", func() bool { return source.tried("x@v2") == 1 })
	r.answers("x", "v1", "X-Rung-Segment", "gold")
	close(held)
	r.answers("x", "v2", "X-Rung-Segment", "gold")
	r.answers("x", "v1")
}

func TestAReleaseThatFailedIsTriedAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{prepare: func(r *rig) {
		r.release("x", "v1", fixture{cand: candidate(textOut)})
		r.release("x", "v2", fixture{cand: candidate(textOut)})
	}})
	source := &slowly{fail: map[string]int{"x@v2": 1}}
	r.another(source)
	r.point("x", rung.Production, "v2", "v1")
	r.eventually("the log says so", func() bool { return strings.Contains(r.log.String(), "the disk is away") })
	r.answers("x", "v1")
	for deadline := time.Now().Add(15 * time.Second); source.tried("x@v2") < 2; {
		if time.Now().After(deadline) {
			t.Fatal("it was not tried again")
		}
		<-time.After(20 * time.Millisecond)
	}
	r.answers("x", "v2")
}
