package gateway_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rung-dev/rung"
)

func (r *rig) readyz() reply {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, r.url+"/readyz", http.NoBody)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.do(req)
}

// TestAGatewayListensWhileItsReleasesLoad: it is there at once, says that it is not ready, loads several releases at a time, answers
// with those that are ready, and lets requests for the others wait.
func TestAGatewayListensWhileItsReleasesLoad(t *testing.T) {
	t.Parallel()
	gold := rung.SegmentAlias(rung.Production, "gold")
	r := newRig(t, setup{prepare: func(r *rig) {
		for i := range 6 {
			r.release(fmt.Sprint("t", i), "v1", fixture{cand: candidate(textOut)})
		}
		r.release("t5", "v2", fixture{cand: candidate(textOut)})
		r.point("t5", gold, "v2", "")
	}})
	held := map[string]chan struct{}{"t0@v1": make(chan struct{}), "t1@v1": make(chan struct{}), "t5@v2": make(chan struct{})}
	source := &slowly{hold: held}
	start := time.Now()
	r.another(source)
	if took := time.Since(start); took > time.Second {
		t.Errorf("it listens after %s", took)
	}
	if got := r.readyz(); got.status != 503 || !strings.Contains(got.body, "loaded") || strings.Contains(got.body, "t0") {
		t.Errorf("%d %q", got.status, got.body)
	}
	r.eventually("three releases are loading together", func() bool {
		return source.tried("t0@v1")+source.tried("t1@v1")+source.tried("t5@v2") == 3
	})
	r.answers("t3", "v1")
	waiting := make(chan string, 2)
	go func() { waiting <- r.post("/v1/chat/completions", chat("t0", "hi")).header.Get("X-Rung-Release") }()
	go func() {
		waiting <- r.post("/v1/chat/completions", chat("t5", "hi"), "X-Rung-Segment", "gold").header.Get("X-Rung-Release")
	}()
	r.key(rung.APIKey{ID: "1", Name: "a"}) // the state is read again while they wait
	r.eventually("a key is asked for", func() bool { return r.post("/v1/chat/completions", chat("t3", "hi")).status == 401 })
	for _, c := range held {
		close(c)
	}
	got := map[string]bool{<-waiting: true, <-waiting: true}
	if !got["t0@v1"] || !got["t5@v2"] { // the segment's requests waited for its own release
		t.Errorf("answered by %v", got)
	}
	r.eventually("it is ready", func() bool { return r.readyz().status == 200 })
}

// TestARolloutGoesOnWhereAGatewayStarts: callers who had the target have it from a gateway that was started again, though it is still
// loading there.
func TestARolloutGoesOnWhereAGatewayStarts(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{prepare: func(r *rig) {
		r.release("x", "v1", fixture{cand: candidate(textOut)})
		r.release("x", "v2", fixture{cand: candidate(textOut)})
		if _, err := r.store.PutRollout(t.Context(), rolloutOf(rung.AB, 1)); err != nil {
			t.Fatal(err)
		}
	}})
	held := make(chan struct{})
	source := &slowly{hold: map[string]chan struct{}{"x@v2": held}}
	r.another(source)
	if got := r.readyz(); got.status != 503 {
		t.Errorf("%d %q", got.status, got.body)
	}
	answer := make(chan reply, 1)
	go func() { answer <- r.post("/v1/chat/completions", chat("x", "hi")) }()
	r.eventually("its request waits", func() bool { return source.tried("x@v2") == 1 })
	close(held)
	if got := <-answer; got.header.Get("X-Rung-Release") != "x@v2" || got.header.Get("X-Rung-Arm") != "target" {
		t.Errorf("%d, %v", got.status, got.header)
	}
}

// TestAStartWithoutAnyRelease: where no release can be loaded the gateway is not ready, and nothing is said to stay where it was; where
// one can it is ready, and says that others are not.
func TestAStartWithoutAnyRelease(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{prepare: func(r *rig) {
		r.release("x", "v1", fixture{cand: candidate(textOut)})
		r.release("y", "v1", fixture{cand: candidate(textOut)})
	}})
	r.another(&slowly{fail: map[string]int{"x@v1": 9, "y@v1": 9}})
	if got := r.readyz(); got.status != 503 || !strings.Contains(got.body, "no release") {
		t.Errorf("%d %q", got.status, got.body)
	}
	if log := r.log.String(); strings.Contains(log, "stays") || !strings.Contains(log, "the disk is away") {
		t.Errorf("the log says %s", log)
	}
	if got := r.post("/v1/chat/completions", chat("x", "hi")); got.status != 503 {
		t.Errorf("%d %s", got.status, got.body)
	}
	r.another(&slowly{fail: map[string]int{"x@v1": 9}})
	if got := r.readyz(); got.status != 200 || !strings.Contains(got.body, "1 of 2") || strings.Contains(got.body, "x@") {
		t.Errorf("%d %q", got.status, got.body)
	}
	r.answers("y", "v1")
}
