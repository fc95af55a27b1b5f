package gateway

import (
	"sync"

	"github.com/rung-dev/rung/internal/rollout"
)

// recent remembers to which arm the last requests of rollouts went, so that feedback that comes soon counts before the trace is
// written, and without reading the store.
type recent struct {
	mu   sync.Mutex
	arms map[string]rollout.Assignment
	ring [1 << 14]string
	next int
}

// remember keeps the arm of a request.
func (g *Gateway) remember(trace string, to rollout.Assignment) {
	if !to.Judged() {
		return
	}
	r := &g.recent
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.arms == nil {
		r.arms = map[string]rollout.Assignment{}
	}
	delete(r.arms, r.ring[r.next])
	r.ring[r.next] = trace
	r.next = (r.next + 1) % len(r.ring)
	r.arms[trace] = to
}

func (g *Gateway) armOf(trace string) (rollout.Assignment, bool) {
	g.recent.mu.Lock()
	defer g.recent.mu.Unlock()
	to, ok := g.recent.arms[trace]
	return to, ok
}
