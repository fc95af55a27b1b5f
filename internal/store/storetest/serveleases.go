package storetest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/rung-dev/rung/internal/store"
)

// leases holds what gateways set aside to the budget: what one has, another cannot get, until it is given back or has run out.
func leases(t *testing.T, open ServingOpener) {
	a, b := open(t), open(t)
	for i, c := range []struct {
		by                     store.Serving
		gateway, month         string
		spent, want            float64
		hold                   time.Duration
		wantSpent, wantGranted float64
	}{
		{a, "g1", "2026-11", 0, 6, time.Hour, 0, 6},
		{b, "g2", "2026-11", 0, 6, time.Hour, 0, 4},    // the rest
		{b, "g2", "2026-11", 1, 6, time.Hour, 1, 3},    // in place of the 4, less the 1 that is spent
		{a, "g1", "2026-11", 2, 1, time.Hour, 3, 1},    // part of it is given back
		{b, "g2", "2026-11", 0, 9, time.Hour, 3, 6},    // and there for another
		{a, "g1", "2026-12", 0, 9, time.Hour, 0, 9},    // another month has its own
		{a, "g1", "2026-11", 0, 0, time.Hour, 3, 0},    // nothing is wanted: all is given back
		{b, "g2", "2026-11", 0, 7, -time.Second, 3, 7}, // has run out at once
		{a, "g1", "2026-11", 0, 9, time.Hour, 3, 7},    // so all of it is free
		{a, "g1", "2026-11", 20, 9, time.Hour, 23, 0},  // more was spent than there is
	} {
		spent, granted, err := c.by.Lease(t.Context(), store.Lease{Key: "k1", Month: c.month, Gateway: c.gateway, Spent: c.spent, Want: c.want, Limit: 10, For: c.hold})
		if err != nil || spent != c.wantSpent || granted != c.wantGranted {
			t.Errorf("step %d: %g spent and %g granted, %v; want %g and %g", i+1, spent, granted, err, c.wantSpent, c.wantGranted)
		}
	}
	must(t, errors.Join(a.Close(), b.Close()))
}

// leaseRaces has two gateways take and spend at the same time until nothing is left: together they spend the budget and no more.
func leaseRaces(t *testing.T, open ServingOpener) {
	const limit, each = 20, .5
	var wg sync.WaitGroup
	for name, s := range map[string]store.Serving{"g1": open(t), "g2": open(t)} {
		wg.Go(func() {
			spent := 0.0
			for {
				_, granted, err := s.Lease(t.Context(), store.Lease{Key: "k1", Month: "2026-11", Gateway: name, Spent: spent, Want: each, Limit: limit, For: time.Hour})
				if err != nil {
					t.Error(err)
				}
				if spent = each; err != nil || granted < each {
					break
				}
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	s := open(t)
	got, err := s.Spend(t.Context(), "k1", "2026-11", 0)
	must(t, err)
	same(t, "what was spent", float64(limit), got)
	must(t, s.Close())
}
