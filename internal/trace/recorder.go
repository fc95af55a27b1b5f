// Package trace takes the traces of requests off the hot path and brings them to the store: in batches, redacted, bounded, with
// what was dropped counted. It keeps the store within its retention and exports traces as examples.
package trace

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
)

// Config says how a recorder works. The zero value of a field is its default.
type Config struct {
	Queue int           // traces that may wait for the store: 65,536. More are dropped and counted
	Bytes int64         // bytes of memory that they may take: 128 MiB
	Batch int           // traces written at once: 256
	Every time.Duration // how long a trace waits at most for others: 200 ms
	Wait  time.Duration // how long one write may take: 15 s
	// Redact goes over every text before it is written. Nil: texts are written as they are.
	Redact Redactor
	Log    *slog.Logger // of what goes wrong; nil: slog.Default()
}

func (c Config) withDefaults() Config {
	set(&c.Queue, 65_536)
	set(&c.Bytes, 128<<20)
	set(&c.Batch, 256)
	set(&c.Every, 200*time.Millisecond)
	set(&c.Wait, 15*time.Second)
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}

func set[T int | int64 | time.Duration](v *T, byDefault T) {
	if *v <= 0 {
		*v = byDefault
	}
}

// Stats is what a recorder has done since it was made. Recorded = Written + Dropped + Queued.
type Stats struct {
	Recorded  int64 `json:"recorded"`
	Written   int64 `json:"written"`
	Dropped   int64 `json:"dropped"`   // because the queue was full, the store refused them, or the recorder was closed
	Queued    int64 `json:"queued"`    // not written yet
	Stripped  int64 `json:"stripped"`  // written without their texts, because they could not be redacted
	Failures  int64 `json:"failures"`  // writes that failed, repeated ones each
	Available bool  `json:"available"` // the last write went well
}

// traceBytes is what a trace takes in memory beside its texts, about.
const traceBytes = 1 << 10

func sizeOf(t *rung.Trace) int64 { return int64(len(t.Input)+len(t.Output)) + traceBytes }

// Recorder brings traces to a store. It is safe for concurrent use.
type Recorder struct {
	store store.Serving
	cfg   Config

	mu     sync.Mutex
	queue  []*rung.Trace // waiting for the writer
	bytes  int64         // of the queue and of what is being written
	stats  Stats
	closed bool

	full    chan struct{} // says that a batch is there; holds one
	closing chan struct{} // closed by Close
	stop    context.CancelFunc
	done    chan struct{} // closed when the writer has ended
}

// NewRecorder makes a recorder and starts it. Close ends it; the store is the caller's to close after that.
func NewRecorder(s store.Serving, cfg Config) *Recorder {
	ctx, stop := context.WithCancel(context.Background())
	r := &Recorder{store: s, cfg: cfg.withDefaults(), stats: Stats{Available: true}, full: make(chan struct{}, 1), closing: make(chan struct{}),
		stop: stop, done: make(chan struct{})}
	go r.run(ctx)
	return r
}

// Record hands over a trace, which is the recorder's from then on. It never blocks: a trace for which there is no room is dropped
// and counted.
func (r *Recorder) Record(t *rung.Trace) {
	size := sizeOf(t)
	r.mu.Lock()
	r.stats.Recorded++
	if r.closed || r.stats.Queued >= int64(r.cfg.Queue) || r.bytes+size > r.cfg.Bytes {
		r.stats.Dropped++
		r.mu.Unlock()
		return
	}
	r.queue = append(r.queue, t)
	r.bytes += size
	r.stats.Queued++
	enough := len(r.queue) == r.cfg.Batch // once per batch: the writer takes as many as there are
	r.mu.Unlock()
	if enough {
		select {
		case r.full <- struct{}{}:
		default:
		}
	}
}

// Stats says what has been done.
func (r *Recorder) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stats
}

// Close writes what is queued and ends the recorder. When ctx ends first the rest is dropped and counted, and the error says how
// many traces that were.
func (r *Recorder) Close(ctx context.Context) error {
	r.mu.Lock()
	if !r.closed {
		r.closed = true
		close(r.closing)
	}
	r.mu.Unlock()
	defer r.stop()
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
	}
	r.stop()
	<-r.done
	return r.dropRest()
}

// dropRest counts what the writer left behind as dropped.
func (r *Recorder) dropRest() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	lost := r.stats.Queued
	r.stats.Dropped += lost
	r.stats.Queued, r.queue, r.bytes = 0, nil, 0
	if lost == 0 {
		return nil
	}
	return &rung.Error{Code: rung.CodeStore, What: fmt.Sprintf("%d traces were not written in time and are lost", lost), Do: "see why the store was slow or away"}
}
