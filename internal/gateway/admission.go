package gateway

import (
	"context"
	"sync"
	"time"

	"github.com/rung-dev/rung"
)

// admission bounds how many requests are worked on at a time and how many may wait: beyond that a caller is told to come back,
// at once, while those inside are still answered in time.
type admission struct {
	mu      sync.Mutex
	limit   int
	queue   int
	inside  int
	waiting []chan struct{} // in order of arrival; nil where a caller has given up
	gone    int             // of those in waiting
}

func newAdmission() *admission { return &admission{limit: 1} }

func (a *admission) resize(limit, queue int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.limit, a.queue = limit, queue
	for a.inside < a.limit && a.next() {
		a.inside++
	}
}

var errFull = &known{after: time.Second, err: &rung.Error{Code: rung.CodeLimited, What: "the gateway has as many requests as it can take", Do: "try again in a second"}}

// enter waits for a place, for at most patience. The caller leaves when it is done.
func (a *admission) enter(ctx context.Context, patience time.Duration) error {
	a.mu.Lock()
	if a.inside < a.limit && len(a.waiting) == a.gone {
		a.inside++
		a.mu.Unlock()
		return nil
	}
	if len(a.waiting)-a.gone >= a.queue {
		a.mu.Unlock()
		return errFull
	}
	place := make(chan struct{})
	a.waiting = append(a.waiting, place)
	a.mu.Unlock()
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-place:
		return nil
	case <-t.C:
	case <-ctx.Done():
	}
	return a.giveUp(ctx, place)
}

func (a *admission) giveUp(ctx context.Context, place chan struct{}) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	select {
	case <-place: // it was given at the same moment
		return nil
	default:
	}
	for i, w := range a.waiting {
		if w == place {
			a.waiting[i] = nil
			a.gone++
			break
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errFull
}

// leave hands the place to the one who has waited longest.
func (a *admission) leave() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.inside > a.limit || !a.next() {
		a.inside--
	}
}

// next lets the first of those who wait in; false when nobody waits.
func (a *admission) next() bool {
	for len(a.waiting) > 0 {
		first := a.waiting[0]
		a.waiting = a.waiting[1:]
		if first != nil {
			close(first)
			return true
		}
		a.gone--
	}
	a.waiting = nil
	return false
}

func (a *admission) counts() (inside, waiting int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.inside, len(a.waiting) - a.gone
}
