package trace

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/store/sqlite"
)

// faulty is a real store that can be made to fail, to wait, and to count.
type faulty struct {
	store.Serving
	before func(ctx context.Context, ts []rung.Trace) error // called before each PutTraces; an error is what it gives
	calls  atomic.Int64
}

func (f *faulty) PutTraces(ctx context.Context, ts []rung.Trace) error {
	f.calls.Add(1)
	if f.before != nil {
		if err := f.before(ctx, ts); err != nil {
			return err
		}
	}
	return f.Serving.PutTraces(ctx, ts)
}

func newStore(t testing.TB) *faulty {
	t.Helper()
	s, err := sqlite.OpenServing(context.Background(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &faulty{Serving: s}
}

var quiet = slog.New(slog.DiscardHandler)

func one(i int) *rung.Trace {
	at := time.Unix(1_700_000_000+int64(i), 0).UTC()
	return &rung.Trace{ID: fmt.Sprintf("%08x%024x", at.Unix(), i), At: at, Task: "a", Version: "v1", Status: 200, Segment: "de",
		Input: json.RawMessage(fmt.Sprintf(`{"text":"input %d"}`, i)), Output: json.RawMessage(fmt.Sprintf(`"output %d"`, i))}
}

func kept(t *testing.T, s store.Serving) []rung.Trace {
	t.Helper()
	var out []rung.Trace
	for got, err := range s.Traces(t.Context(), store.TraceFilter{Oldest: true}) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, got)
	}
	return out
}

func wantStats(t *testing.T, r *Recorder, want Stats) {
	t.Helper()
	if got := r.Stats(); got != want {
		t.Errorf("stats are %+v, want %+v", got, want)
	}
}

func finish(t *testing.T, r *Recorder, s store.Serving) {
	t.Helper()
	if err := errors.Join(r.Close(context.Background()), s.Close()); err != nil {
		t.Error(err)
	}
}

func TestTracesAreWrittenInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		r := NewRecorder(s, Config{Log: quiet})
		for i := range 10 {
			r.Record(one(i))
		}
		wantStats(t, r, Stats{Recorded: 10, Queued: 10, Available: true})
		time.Sleep(200 * time.Millisecond) // the bubble's clock: no time passes
		synctest.Wait()
		wantStats(t, r, Stats{Recorded: 10, Written: 10, Available: true})
		if n := s.calls.Load(); n != 1 {
			t.Errorf("%d writes", n)
		}
		for i := range 600 { // two batches at once, the rest at the next tick
			r.Record(one(100 + i))
		}
		synctest.Wait()
		wantStats(t, r, Stats{Recorded: 610, Written: 10 + 512, Queued: 88, Available: true})
		finish(t, r, s)
		wantStats(t, r, Stats{Recorded: 610, Written: 610, Available: true})
	})
}

func TestCloseWritesTheRest(t *testing.T) {
	s := newStore(t)
	r := NewRecorder(s, Config{Every: time.Hour, Log: quiet})
	for i := range 1000 {
		r.Record(one(i))
	}
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.Record(one(2000)) // too late
	wantStats(t, r, Stats{Recorded: 1001, Written: 1000, Dropped: 1, Available: true})
	got := kept(t, s)
	if len(got) != 1000 {
		t.Fatalf("%d traces are kept", len(got))
	}
	for i := range got {
		if got[i].ID != one(i).ID {
			t.Fatalf("trace %d is %s", i, got[i].ID)
		}
	}
	finish(t, r, s)
}

func TestStoreThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		var away atomic.Bool
		var tries atomic.Int64
		away.Store(true)
		s.before = func(context.Context, []rung.Trace) error {
			if away.Load() {
				tries.Add(1)
				return &rung.Error{Code: rung.CodeStore, What: "away"}
			}
			return nil
		}
		var log strings.Builder
		r := NewRecorder(s, Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
		for i := range 300 {
			r.Record(one(i))
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		wantStats(t, r, Stats{Recorded: 300, Queued: 300, Failures: tries.Load()})
		if n := tries.Load(); n < 8 || n > 14 { // 0.1, 0.2, … 3.2, then every 5 s
			t.Errorf("%d tries in half a minute", n)
		}
		if n := strings.Count(log.String(), "\n"); n != 1 {
			t.Errorf("the log has %d lines:\n%s", n, log.String())
		}
		away.Store(false)
		time.Sleep(6 * time.Second)
		synctest.Wait()
		wantStats(t, r, Stats{Recorded: 300, Written: 300, Failures: tries.Load(), Available: true})
		if got := kept(t, s); len(got) != 300 {
			t.Errorf("%d traces are kept", len(got))
		}
		if !strings.Contains(log.String(), "written again") {
			t.Errorf("the log does not tell the end:\n%s", log.String())
		}
		finish(t, r, s)
	})
}

// TestLostAnswer: a write of which nobody knows whether it went well is repeated, and what it wrote is there once.
func TestLostAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		lost := 2
		s.before = func(ctx context.Context, ts []rung.Trace) error {
			if lost--; lost >= 0 {
				return errors.Join(s.Serving.PutTraces(ctx, ts), &rung.Error{Code: rung.CodeInterrupted, What: "the connection broke"})
			}
			return nil
		}
		r := NewRecorder(s, Config{Log: quiet})
		for i := range 50 {
			r.Record(one(i))
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got := kept(t, s); len(got) != 50 {
			t.Errorf("%d traces are kept, want each of 50 once", len(got))
		}
		finish(t, r, s)
	})
}

func TestSlowStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		s.before = func(ctx context.Context, _ []rung.Trace) error {
			select {
			case <-time.After(time.Minute): // longer than a write may take
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		r := NewRecorder(s, Config{Queue: 20, Wait: time.Second, Log: quiet})
		before := time.Now()
		for i := range 50 {
			r.Record(one(i))
		}
		if took := time.Since(before); took != 0 {
			t.Errorf("recording waited %s", took)
		}
		wantStats(t, r, Stats{Recorded: 50, Dropped: 30, Queued: 20, Available: true})
		time.Sleep(10 * time.Second)
		if got := r.Stats(); got.Failures < 3 || got.Written != 0 || got.Queued != 20 {
			t.Errorf("stats are %+v", got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		before = time.Now()
		err := r.Close(ctx)
		if rung.CodeOf(err) != rung.CodeStore || !strings.Contains(err.Error(), "20 traces") {
			t.Errorf("closing said %v", err)
		}
		if took := time.Since(before); took > 4*time.Second {
			t.Errorf("closing took %s", took)
		}
		if got := r.Stats(); got.Recorded != 50 || got.Dropped != 50 || got.Queued != 0 {
			t.Errorf("stats are %+v", got)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		r := NewRecorder(s, Config{Bytes: 100 << 10, Log: quiet})
		big := func(i int) *rung.Trace {
			x := one(i)
			x.Input = json.RawMessage(`"` + strings.Repeat("x", 30<<10) + `"`)
			return x
		}
		for i := range 5 {
			r.Record(big(i))
		}
		wantStats(t, r, Stats{Recorded: 5, Dropped: 2, Queued: 3, Available: true})
		time.Sleep(time.Second)
		synctest.Wait()
		for i := range 3 { // what was written gives its room back
			r.Record(big(10 + i))
		}
		wantStats(t, r, Stats{Recorded: 8, Written: 3, Dropped: 2, Queued: 3, Available: true})
		finish(t, r, s)
	})
}

// TestBadTraceHarmsNoOther: the store refuses one for what it is; the others of its batch are kept.
func TestBadTraceHarmsNoOther(t *testing.T) {
	s := newStore(t)
	r := NewRecorder(s, Config{Every: time.Hour, Log: quiet})
	for i := range 10 {
		x := one(i)
		if i == 4 {
			x.ID = "no ID"
		}
		r.Record(x)
	}
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := r.Stats()
	if got.Written != 9 || got.Dropped != 1 || got.Queued != 0 || len(kept(t, s)) != 9 {
		t.Errorf("stats are %+v, %d kept", got, len(kept(t, s)))
	}
	finish(t, r, s)
}

func TestRecordFromManySides(t *testing.T) {
	s := newStore(t)
	r := NewRecorder(s, Config{Log: quiet})
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 500 {
				r.Record(one(w*1000 + i))
				r.Stats()
			}
		})
	}
	wg.Wait()
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantStats(t, r, Stats{Recorded: 4000, Written: 4000, Available: true})
	if got := kept(t, s); len(got) != 4000 {
		t.Errorf("%d traces are kept", len(got))
	}
	finish(t, r, s)
}

func TestRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		put := func(i int, at time.Time) {
			x := one(i)
			x.At = at
			if err := s.PutTraces(t.Context(), []rung.Trace{*x}); err != nil {
				t.Fatal(err)
			}
		}
		put(1, time.Now().Add(-50*time.Hour))
		put(2, time.Now().Add(-30*time.Hour))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			Retain(ctx, s, Retention{Age: 48 * time.Hour, Every: time.Hour, Log: quiet})
			close(ended)
		}()
		synctest.Wait()
		if got := kept(t, s); len(got) != 1 || got[0].ID != one(2).ID {
			t.Errorf("at once %d are left", len(got))
		}
		time.Sleep(19 * time.Hour)
		synctest.Wait()
		if got := kept(t, s); len(got) != 0 {
			t.Errorf("after 19 hours %d are left", len(got))
		}
		cancel()
		<-ended
		put(3, time.Now().AddDate(-10, 0, 0))
		for _, p := range []Retention{{Age: -1}, {Age: -1, Bytes: -1}} { // no limits, or only a size that is not reached
			if n, err := p.Drop(t.Context(), s, time.Now()); n != 0 || err != nil {
				t.Errorf("%+v dropped %d, %v", p, n, err)
			}
		}
		if n, err := (Retention{Bytes: 1, Age: -1}).Drop(t.Context(), s, time.Now()); n != 1 || err != nil {
			t.Errorf("by size %d, %v", n, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestIDs(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	seen := map[string]bool{}
	for range 10_000 {
		id := NewID(at)
		if len(id) != 32 || id[:8] != fmt.Sprintf("%08x", at.Unix()) || strings.Trim(id, "0123456789abcdef") != "" || seen[id] {
			t.Fatalf("%q, seen %t", id, seen[id])
		}
		seen[id] = true
	}
	if a, b := NewID(at), NewID(at.Add(time.Second)); a >= b {
		t.Errorf("%s is not before %s", a, b)
	}
}

// nowhere takes traces and keeps none, so that what the recorder costs is measured alone.
type nowhere struct{ store.Serving }

func (nowhere) PutTraces(context.Context, []rung.Trace) error { return nil }

// BenchmarkRecord is what the hot path and the writer pay beside the store; the trace itself is the caller's. None is dropped.
func BenchmarkRecord(b *testing.B) {
	r := NewRecorder(nowhere{}, Config{Log: quiet, Queue: 1 << 30, Bytes: 1 << 50})
	t := one(1)
	b.ReportAllocs()
	for b.Loop() {
		r.Record(t)
	}
	b.StopTimer()
	if err := r.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
	if d := r.Stats().Dropped; d != 0 {
		b.Fatalf("%d were dropped", d)
	}
}

func BenchmarkNewID(b *testing.B) {
	b.ReportAllocs()
	at := time.Now()
	for b.Loop() {
		NewID(at)
	}
}
