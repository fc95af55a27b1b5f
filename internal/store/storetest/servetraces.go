package storetest

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
)

// traceID is the i-th of a row of different IDs: a second of the time, and then what looks random.
func traceID(i int) string {
	var id [16]byte
	binary.BigEndian.PutUint32(id[:], uint32(epoch.Unix()+int64(i/10)))
	r := rand.NewPCG(uint64(i), 7)
	binary.BigEndian.PutUint64(id[4:], r.Uint64())
	binary.BigEndian.PutUint32(id[12:], uint32(r.Uint64()))
	return hex.EncodeToString(id[:])
}

// Trace makes the i-th of a row of different traces, a second apart.
func Trace(i int) rung.Trace {
	t := rung.Trace{ID: traceID(i), At: epoch.Add(time.Duration(i) * time.Second), Gateway: "gw1", API: "chat", Task: "a", Version: "v1", Model: "a", Upstream: "local/m",
		Rollout: "r1", Arm: []string{"baseline", "target"}[i%2], Key: fmt.Sprint("k", i%3), Segment: "de", Status: 200, Usage: rung.Usage{In: i, Out: 2, CachedIn: 1}, CostUSD: 1e-7 * float64(i),
		Latency: time.Duration(i+1) * time.Millisecond, Guards: []rung.GuardVerdict{{Kind: "pii", Stage: rung.GuardInput, Action: rung.Redact, Score: 0.5, Found: []string{"EMAIL"}, Elapsed: 12}},
		Spans: []rung.Span{{Name: "render", Start: 10, Took: 20}, {Name: "model", Start: 30, Took: 40, Note: "wait \"x\" é"}}, Passages: []string{"p1", "p2"}, Cited: []string{"p2"},
		Input: json.RawMessage(fmt.Sprintf(`{"text":"Grüße %d <&> \u0000"}`, i)), Output: json.RawMessage(fmt.Sprintf(`"answer %d"`, i))}
	if i%5 == 4 {
		t.Code, t.Status, t.Error, t.Output = rung.CodeTimeout, 504, "no answer", nil
	}
	if i%5 == 3 {
		t.Problem = rung.BreaksSchema
	}
	return t
}

func someTraces(from, to int) []rung.Trace {
	var out []rung.Trace
	for i := from; i < to; i++ {
		out = append(out, Trace(i))
	}
	return out
}

func said(id, trace string, minute int) rung.Feedback {
	return rung.Feedback{ID: id, Trace: trace, Thumb: 1, Comment: "fine", By: "ben", At: epoch.Add(time.Duration(minute) * time.Minute)}
}

func correction(id, trace string, minute int) rung.Feedback {
	f := said(id, trace, minute)
	f.Thumb, f.Correction = -1, json.RawMessage(`{"right":"`+id+`"}`)
	return f
}

func list(t *testing.T, s store.Serving, f store.TraceFilter) []rung.Trace {
	t.Helper()
	var out []rung.Trace
	for got, err := range s.Traces(t.Context(), f) {
		must(t, err)
		out = append(out, got)
	}
	return out
}

func reversed(ts []rung.Trace) []rung.Trace {
	out := slices.Clone(ts)
	slices.Reverse(out)
	return out
}

// wantIDs compares lists of traces by their IDs, so that a failure can be read.
func wantIDs(t *testing.T, what string, want, got []rung.Trace) {
	t.Helper()
	ids := func(ts []rung.Trace) (out []string) {
		for i := range ts {
			out = append(out, fmt.Sprintf("%s at %s", ts[i].ID[:12], ts[i].At.Format("15:04:05")))
		}
		return out
	}
	same(t, what, ids(want), ids(got))
}

func traces(t *testing.T, open ServingOpener) {
	const n = 700 // more than two blocks
	all := someTraces(0, n)
	big := Trace(n)
	big.Input = json.RawMessage(`"` + strings.Repeat("lots ", 600_000) + `"`)
	bare := rung.Trace{ID: traceID(n + 1)}
	all = append(all, big, bare)
	serving(t, open, func(s store.Serving) {
		same(t, "an empty store has traces", nil, list(t, s, store.TraceFilter{}))
		must(t, s.PutTraces(t.Context(), nil))
		must(t, s.PutTraces(t.Context(), all[:600]))
		must(t, s.PutTraces(t.Context(), all[600:]))
	})
	serving(t, open, func(s store.Serving) {
		same(t, "the traces, oldest first", all, list(t, s, store.TraceFilter{Oldest: true}))
		same(t, "the traces, newest first", reversed(all), list(t, s, store.TraceFilter{}))
		for _, want := range []rung.Trace{all[0], all[255], all[256], all[599], all[600], big, bare} {
			got, err := s.Trace(t.Context(), want.ID)
			must(t, err)
			same(t, "trace "+want.ID, want, got)
		}
	})
}

func tracePrefixes(t *testing.T, open ServingOpener) {
	serving(t, open, func(s store.Serving) {
		must(t, s.PutTraces(t.Context(), someTraces(0, 300)))
		must(t, s.PutTraces(t.Context(), someTraces(300, 310)))
	})
	serving(t, open, func(s store.Serving) {
		for _, i := range []int{0, 7, 299, 305} {
			for _, length := range []int{16, 20, 21, 32} {
				got, err := s.Trace(t.Context(), traceID(i)[:length])
				must(t, err)
				same(t, "the trace", Trace(i), got)
			}
		}
		for _, bad := range []string{"", "x", "%", "_", strings.Repeat("0", 32), strings.Repeat("f", 33), strings.ToUpper(traceID(3)), traceID(3) + "0", traceID(1000)} {
			_, err := s.Trace(t.Context(), bad)
			wantCode(t, err, rung.CodeNotFound)
		}
		_, err := s.Trace(t.Context(), traceID(3)[:8]) // ten have this second
		wantCode(t, err, rung.CodeNotFound)
		if !strings.Contains(fmt.Sprint(err), "several") {
			t.Errorf("got %v", err)
		}
	})
}

func traceFilters(t *testing.T, open ServingOpener) {
	all := someTraces(0, 520)
	for i := range all {
		if i%7 == 0 {
			all[i].Task, all[i].Version = "b", "v9"
		}
	}
	at := func(i int) time.Time { return Trace(i).At }
	serving(t, open, func(s store.Serving) {
		must(t, s.PutTraces(t.Context(), all[:100]))
		must(t, s.PutTraces(t.Context(), all[100:]))
		for _, i := range []int{3, 300, 301} {
			must(t, s.PutFeedback(t.Context(), said(fmt.Sprint("f", i), all[i].ID, 0)))
		}
	})
	failed := func(x *rung.Trace) bool { return x.Code != "" || x.Problem != "" }
	told := func(x *rung.Trace) bool { return x.ID == all[3].ID || x.ID == all[300].ID || x.ID == all[301].ID }
	for name, c := range map[string]struct {
		f    store.TraceFilter
		want func(*rung.Trace) bool
	}{
		"task":          {store.TraceFilter{Task: "b"}, func(x *rung.Trace) bool { return x.Task == "b" }},
		"unknown task":  {store.TraceFilter{Task: "c"}, func(*rung.Trace) bool { return false }},
		"version":       {store.TraceFilter{Version: "v9"}, func(x *rung.Trace) bool { return x.Version == "v9" }},
		"arm and key":   {store.TraceFilter{Arm: "target", Key: "k1"}, func(x *rung.Trace) bool { return x.Arm == "target" && x.Key == "k1" }},
		"since":         {store.TraceFilter{Since: at(400)}, func(x *rung.Trace) bool { return !x.At.Before(at(400)) }},
		"until":         {store.TraceFilter{Until: at(40)}, func(x *rung.Trace) bool { return x.At.Before(at(40)) }},
		"between":       {store.TraceFilter{Since: at(90), Until: at(120)}, func(x *rung.Trace) bool { return !x.At.Before(at(90)) && x.At.Before(at(120)) }},
		"errors":        {store.TraceFilter{Errors: true}, failed},
		"feedback":      {store.TraceFilter{Feedback: true}, told},
		"all of it":     {store.TraceFilter{Task: "a", Version: "v1", Errors: true, Since: at(100), Feedback: true}, func(x *rung.Trace) bool { return told(x) && failed(x) && x.Task == "a" && !x.At.Before(at(100)) }},
		"after a trace": {store.TraceFilter{After: all[99].ID, Arm: "target"}, func(x *rung.Trace) bool { return x.At.After(at(99)) && x.Arm == "target" }},
	} {
		t.Run(name, func(t *testing.T) {
			var want []rung.Trace
			for i := range all {
				if c.want(&all[i]) {
					want = append(want, all[i])
				}
			}
			serving(t, open, func(s store.Serving) {
				first := c.f
				first.Oldest = true
				wantIDs(t, "oldest first", want, list(t, s, first))
				first.Limit = 5
				wantIDs(t, "the first five", want[:min(5, len(want))], list(t, s, first))
				if c.f.After == "" {
					wantIDs(t, "newest first", reversed(want), list(t, s, c.f))
				}
			})
		})
	}
}

func tracesAgain(t *testing.T, open ServingOpener) {
	serving(t, open, func(s store.Serving) {
		for range 3 {
			must(t, s.PutTraces(t.Context(), someTraces(0, 400)))
		}
		changed := someTraces(0, 2)
		changed[0].Model = "another"
		must(t, s.PutTraces(t.Context(), changed))
		same(t, "the traces", someTraces(0, 400), list(t, s, store.TraceFilter{Oldest: true}))
	})
}

func badTraces(t *testing.T, open ServingOpener) {
	serving(t, open, func(s store.Serving) {
		for _, id := range []string{"", "abc", strings.Repeat("g", 32), strings.Repeat("A", 32), traceID(1) + "0"} {
			bad := Trace(2)
			bad.ID = id
			wantCode(t, s.PutTraces(t.Context(), []rung.Trace{Trace(1), bad}), rung.CodeInternal)
		}
		same(t, "some of a batch that failed", nil, list(t, s, store.TraceFilter{}))
		odd := Trace(3)
		odd.Input, odd.Error = json.RawMessage(`{"cut":`), "bytes \xff\x00 that are no text"
		must(t, s.PutTraces(t.Context(), []rung.Trace{odd, Trace(4)}))
		got, err := s.Trace(t.Context(), odd.ID)
		must(t, err)
		same(t, "what is no JSON", `"{\"cut\":"`, string(got.Input))
		same(t, "what is no text", "bytes \ufffd\x00 that are no text", got.Error)
		got, err = s.Trace(t.Context(), Trace(4).ID)
		must(t, err)
		same(t, "its neighbour", Trace(4), got)
	})
}

func tail(t *testing.T, open ServingOpener) {
	a, b := open(t), open(t)
	late := Trace(2) // it began before the others, and took longer
	must(t, a.PutTraces(t.Context(), append(someTraces(10, 20), late)))
	wantIDs(t, "after the fifth", append(someTraces(15, 20), late), list(t, b, store.TraceFilter{After: traceID(14)}))
	wantIDs(t, "after the last", nil, list(t, b, store.TraceFilter{After: late.ID}))
	must(t, a.PutTraces(t.Context(), someTraces(20, 22)))
	must(t, b.PutTraces(t.Context(), someTraces(0, 1)))
	wantIDs(t, "new ones", append(someTraces(20, 22), Trace(0)), list(t, b, store.TraceFilter{After: late.ID}))
	wantIDs(t, "one new one", someTraces(20, 21), list(t, b, store.TraceFilter{After: late.ID, Limit: 1}))
	for _, err := range b.Traces(t.Context(), store.TraceFilter{After: traceID(999)}) {
		wantCode(t, err, rung.CodeNotFound)
	}
	must(t, errors.Join(a.Close(), b.Close()))
}

// tailOfMany follows several writers: a reader that always goes on after the last trace it saw must see every trace once.
func tailOfMany(t *testing.T, open ServingOpener) {
	const batches, each = 60, 40
	writers := []store.Serving{open(t), open(t), open(t), open(t)}
	reader := open(t)
	must(t, reader.PutTraces(t.Context(), someTraces(0, 1)))
	var wg sync.WaitGroup
	for w, s := range writers {
		wg.Go(func() {
			for i := range batches {
				from := 1 + (w*batches+i)*each
				if err := s.PutTraces(t.Context(), someTraces(from, from+each)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	written := make(chan struct{})
	go func() { wg.Wait(); close(written) }()
	seen, last := map[string]bool{}, traceID(0)
	for done := false; ; {
		for got, err := range reader.Traces(t.Context(), store.TraceFilter{After: last}) {
			must(t, err)
			if seen[got.ID] {
				t.Errorf("%s was seen twice", got.ID)
			}
			seen[got.ID], last = true, got.ID
		}
		if done {
			break
		}
		select {
		case <-written:
			done = true // and look once more
		default:
		}
	}
	if want := len(writers) * batches * each; len(seen) != want {
		t.Errorf("%d traces were seen, want %d", len(seen), want)
	}
	for _, s := range append(writers, reader) {
		must(t, s.Close())
	}
}

func tracesInALoop(t *testing.T, open ServingOpener) {
	serving(t, open, func(s store.Serving) {
		must(t, s.PutTraces(t.Context(), someTraces(0, 300)))
		n := 0
		for got, err := range s.Traces(t.Context(), store.TraceFilter{}) {
			must(t, err)
			if n++; n%50 == 0 { // what the loop does must not wait for the loop
				must(t, s.PutTraces(t.Context(), someTraces(1000+n, 1001+n)))
				must(t, s.PutFeedback(t.Context(), said(fmt.Sprint(n), got.ID, 0)))
				_, err := s.Trace(t.Context(), got.ID)
				must(t, err)
			}
		}
		if n != 300 {
			t.Errorf("%d traces, want the 300 that were there", n)
		}
		for range s.Traces(t.Context(), store.TraceFilter{}) {
			break
		}
	})
}
