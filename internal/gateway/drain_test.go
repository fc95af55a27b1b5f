package gateway_test

import (
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model/modeltest"
)

// The end does not wait for shadows as long as a request may take.
func TestShadowsEndWithTheGateway(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{script: byModel(map[string]modeltest.Reply{"m": {Text: "red"}, "second": {Fault: modeltest.Hang}}), prepare: func(r *rig) {
		r.release("x", "v1", fixture{cand: candidate(labelsOut)})
		r.release("x", "v2", fixture{cand: on(candidate(labelsOut), "openai/second")})
		if _, err := r.store.PutRollout(t.Context(), rolloutOf(rung.Shadow, 1)); err != nil {
			t.Fatal(err)
		}
	}})
	stop := r.another(&slowly{})
	if got := r.post("/v1/chat/completions", chat("x", "in")); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	r.eventually("the shadow is asked", func() bool {
		for _, call := range r.seen() {
			if call.Model == "second" {
				return true
			}
		}
		return false
	})
	start := time.Now()
	stop()
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("it took %s", took)
	}
	if err := r.rollouts.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if m, err := r.store.Moments(t.Context(), "r1"); err != nil || len(m) > 0 {
		t.Errorf("a shadow that was cut off was held against its release: %v, %v", m, err)
	}
}
