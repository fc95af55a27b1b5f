package trace

import (
	"context"
	"log/slog"
	"time"

	"github.com/rung-dev/rung/internal/store"
)

// Retention says how long traces are kept. A zero value has its default; a negative one means no limit.
type Retention struct {
	Age   time.Duration // 30 days
	Bytes int64         // on the disk: 1 GiB
	Every time.Duration // between two looks: 10 minutes
	Log   *slog.Logger  // nil: slog.Default()
}

// The defaults of a Retention.
const (
	DefaultAge   = 30 * 24 * time.Hour
	DefaultBytes = int64(1 << 30)
	defaultEvery = 10 * time.Minute
)

func (p Retention) withDefaults() Retention {
	if p.Age == 0 {
		p.Age = DefaultAge
	}
	if p.Bytes == 0 {
		p.Bytes = DefaultBytes
	}
	set(&p.Every, defaultEvery)
	if p.Log == nil {
		p.Log = slog.Default()
	}
	return p
}

// Retain drops traces that are too old or too many, at once and then again and again, until ctx ends. Several gateways on one store
// may each do it.
func Retain(ctx context.Context, s store.Serving, p Retention) {
	p = p.withDefaults()
	tick := time.NewTicker(p.Every)
	defer tick.Stop()
	for {
		n, err := p.Drop(ctx, s, time.Now())
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			p.Log.Warn("old traces could not be dropped; it is tried again", "after", p.Every, "error", err)
		case n > 0:
			p.Log.Info("old traces dropped", "traces", n)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Drop drops once, as of a time.
func (p Retention) Drop(ctx context.Context, s store.Serving, now time.Time) (int64, error) {
	p = p.withDefaults()
	var before time.Time
	if p.Age > 0 {
		before = now.Add(-p.Age)
	}
	return s.DropTraces(ctx, before, max(p.Bytes, 0))
}
