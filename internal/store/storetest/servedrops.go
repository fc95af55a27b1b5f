package storetest

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
)

func dropByAge(t *testing.T, open ServingOpener) {
	serving(t, open, func(s store.Serving) {
		must(t, s.PutTraces(t.Context(), someTraces(0, 200)))
		must(t, s.PutTraces(t.Context(), append(someTraces(300, 310), someTraces(20, 30)...))) // some took long
		must(t, s.PutFeedback(t.Context(), said("old", traceID(1), 0)))
		must(t, s.PutFeedback(t.Context(), said("new", traceID(1), 60)))
		n, err := s.DropTraces(t.Context(), time.Time{}, 0)
		must(t, err)
		same(t, "dropped without a limit", 0, int(n))
		n, err = s.DropTraces(t.Context(), Trace(150).At, 0)
		must(t, err)
		same(t, "dropped", 160, int(n))
	})
	serving(t, open, func(s store.Serving) {
		wantIDs(t, "what is left", append(someTraces(150, 200), someTraces(300, 310)...), list(t, s, store.TraceFilter{Oldest: true}))
		_, err := s.Trace(t.Context(), traceID(149))
		wantCode(t, err, rung.CodeNotFound)
		got, err := s.Trace(t.Context(), traceID(150))
		must(t, err)
		same(t, "the first that is left", Trace(150), got)
		told, err := s.Feedback(t.Context(), traceID(1))
		must(t, err)
		same(t, "feedback that is left", []rung.Feedback{said("new", traceID(1), 60)}, told)
		n, err := s.DropTraces(t.Context(), Trace(150).At, 0)
		must(t, err)
		same(t, "dropped again", 0, int(n))
		must(t, s.PutTraces(t.Context(), someTraces(400, 401))) // tailing goes on after what has shrunk
		wantIDs(t, "after the last", someTraces(400, 401), list(t, s, store.TraceFilter{After: traceID(309)}))
	})
}

func dropBySize(t *testing.T, open ServingOpener) {
	serving(t, open, func(s store.Serving) {
		for i := range 40 {
			must(t, s.PutTraces(t.Context(), noisy(10*i, 10*i+10)))
		}
		before := len(list(t, s, store.TraceFilter{}))
		for _, limit := range []int64{1 << 30, 100_000, 50_000, 10_000, 1} {
			n, err := s.DropTraces(t.Context(), time.Time{}, limit)
			must(t, err)
			left := list(t, s, store.TraceFilter{Oldest: true})
			if len(left)+int(n) != before {
				t.Errorf("limit %d: %d of %d dropped, %d left", limit, n, before, len(left))
			}
			wantIDs(t, "the newest are left", noisy(400-len(left), 400), left)
			// A noisy trace takes between 500 and 1500 bytes, packed or not.
			if most := int(limit / 500); len(left) > most || limit < 1<<30 && len(left) < int(limit/1500)-10 {
				t.Errorf("limit %d: %d traces are left", limit, len(left))
			}
			before = len(left)
		}
		if before != 0 {
			t.Errorf("%d traces fit into one byte", before)
		}
	})
}

// noisy are traces with text that does not pack.
func noisy(from, to int) []rung.Trace {
	out := someTraces(from, to)
	for i := range out {
		r := rand.New(rand.NewPCG(uint64(from+i), 1))
		b := make([]byte, 500)
		for j := range b {
			b[j] = byte(r.Uint32())
		}
		out[i].Input = json.RawMessage(`"` + hex.EncodeToString(b) + `"`)
	}
	return out
}

func dropKeepsProposals(t *testing.T, open ServingOpener) {
	kept := []int{3, 57, 300}
	serving(t, open, func(s store.Serving) {
		must(t, s.PutTraces(t.Context(), someTraces(0, 100)))
		must(t, s.PutTraces(t.Context(), someTraces(100, 400)))
		for _, i := range kept {
			must(t, s.PutFeedback(t.Context(), correction(fmt.Sprint("c", i), traceID(i), i)))
		}
		must(t, s.PutFeedback(t.Context(), said("thumb", traceID(5), 0)))
		n, err := s.DropTraces(t.Context(), Trace(200).At, 0)
		must(t, err)
		same(t, "dropped by age", 198, int(n))
		_, err = s.DropTraces(t.Context(), time.Time{}, 1)
		must(t, err)
	})
	serving(t, open, func(s store.Serving) {
		same(t, "what is left", []rung.Trace{Trace(3), Trace(57), Trace(300)}, list(t, s, store.TraceFilter{Oldest: true}))
		n := 0
		for _, err := range s.Proposals(t.Context(), "a") {
			must(t, err)
			n++
		}
		same(t, "proposals", len(kept), n)
		_, err := s.DropTraces(t.Context(), epoch.AddDate(1, 0, 0), 1) // nothing more can go, and it ends
		must(t, err)
		same(t, "traces", len(kept), len(list(t, s, store.TraceFilter{})))
	})
}

// dropBesideReader reads while blocks shrink under it: what is there all the time is seen, nothing is damaged.
func dropBesideReader(t *testing.T, open ServingOpener) {
	a, b := open(t), open(t)
	for i := range 80 {
		must(t, a.PutTraces(t.Context(), someTraces(10*i, 10*i+10)))
		must(t, a.PutFeedback(t.Context(), correction(fmt.Sprint(i), traceID(10*i+3), i)))
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range 40 {
			if _, err := a.DropTraces(t.Context(), Trace(20*i).At, 0); err != nil {
				t.Error(err)
			}
		}
	})
	for range 20 {
		corrected := 0
		for got, err := range b.Traces(t.Context(), store.TraceFilter{}) {
			must(t, err)
			if strings.Contains(string(got.Input), "3 <&>") {
				corrected++
			}
		}
		if corrected < 80 {
			t.Errorf("%d of 80 traces were seen", corrected)
		}
	}
	wg.Wait()
	must(t, errors.Join(a.Close(), b.Close()))
}
