package trace

import (
	"context"
	"errors"
	"time"

	"github.com/rung-dev/rung"
)

// A store that is away is asked again after firstPause, then after twice as long each time.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 5 * time.Second
)

// run is the writer. When a batch is full it writes full ones; at every tick, and when closing, all that there is.
func (r *Recorder) run(ctx context.Context) {
	defer close(r.done)
	tick := time.NewTicker(r.cfg.Every)
	defer tick.Stop()
	batch := make([]rung.Trace, 0, r.cfg.Batch)
	for {
		least, last := 1, false
		select {
		case <-r.full:
			least = r.cfg.Batch
		case <-tick.C:
		case <-r.closing:
			last = true
		}
		for {
			var size int64
			if batch, size = r.take(batch, least); len(batch) == 0 {
				break
			}
			r.redact(batch)
			if !r.write(ctx, batch) {
				return // stopped; Close counts what is left
			}
			r.free(size)
		}
		if last {
			return
		}
	}
}

// take moves up to a batch of traces from the queue, none if there are fewer than least. Size is what they take in memory.
func (r *Recorder) take(batch []rung.Trace, least int) (taken []rung.Trace, size int64) {
	clear(batch[:cap(batch)]) // what was written is nobody's any more
	batch = batch[:0]
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) < least {
		return batch, 0
	}
	n := min(len(r.queue), r.cfg.Batch)
	for _, t := range r.queue[:n] {
		batch = append(batch, *t)
		size += sizeOf(t)
	}
	rest := copy(r.queue, r.queue[n:])
	clear(r.queue[rest:])
	r.queue = r.queue[:rest]
	return batch, size
}

// write brings a batch to the store however long that is away; false when it was told to stop.
func (r *Recorder) write(ctx context.Context, batch []rung.Trace) bool {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		err := r.put(ctx, batch)
		switch {
		case err == nil:
			r.settle(int64(len(batch)), 0)
			return true
		case ctx.Err() != nil:
			return false
		case !passing(err) && len(batch) > 1:
			for i := range batch { // one of them is the reason: the others are kept
				if !r.write(ctx, batch[i:i+1]) {
					return false
				}
			}
			return true
		case !passing(err):
			r.cfg.Log.Error("a trace cannot be kept", "trace", batch[0].ID, "error", err)
			r.settle(0, 1)
			return true
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return false
		}
	}
}

// put tries once, and tells once when the store goes away and when it is back.
func (r *Recorder) put(ctx context.Context, batch []rung.Trace) error {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Wait)
	defer cancel()
	err := r.store.PutTraces(ctx, batch)
	r.mu.Lock()
	before := r.stats.Available
	r.stats.Available = err == nil || !passing(err)
	if err != nil {
		r.stats.Failures++
	}
	now, queued := r.stats.Available, r.stats.Queued
	r.mu.Unlock()
	switch {
	case before && !now:
		r.cfg.Log.Warn("traces cannot be written; they are kept in memory and written when the store is back", "queued", queued, "error", err)
	case now && !before:
		r.cfg.Log.Info("traces are written again", "queued", queued)
	}
	return err
}

// passing says that the same write may go well later: the store is the reason and not a trace.
func passing(err error) bool {
	var e *rung.Error
	return !errors.As(err, &e) || e.Code != rung.CodeInput && e.Code != rung.CodeInternal && e.Code != rung.CodeConflict
}

// settle counts traces as done.
func (r *Recorder) settle(written, dropped int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.Written += written
	r.stats.Dropped += dropped
	r.stats.Queued -= written + dropped
}

// free gives back the memory of a batch that is done.
func (r *Recorder) free(size int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bytes -= size
}
