package storetest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
)

func feedback(t *testing.T, open ServingOpener) {
	half := 0.5
	scored := rung.Feedback{ID: "f3", Trace: traceID(1), Score: &half, At: epoch.Add(2 * time.Minute)}
	bulky := correction("f4", traceID(1), 3)
	bulky.Comment = strings.Repeat("more ", 1000)
	serving(t, open, func(s store.Serving) {
		must(t, s.PutTraces(t.Context(), someTraces(0, 3)))
		for _, f := range []rung.Feedback{scored, said("f1", traceID(1), 0), said("f2", traceID(1), 1), said("other", traceID(2), 0), bulky} {
			must(t, s.PutFeedback(t.Context(), f))
		}
		again := said("f1", traceID(1), 0)
		again.Comment = "changed"
		must(t, s.PutFeedback(t.Context(), again))
		for _, id := range []string{"", "x", traceID(1)[:20], strings.ToUpper(traceID(1))} {
			wantCode(t, s.PutFeedback(t.Context(), said("bad", id, 0)), rung.CodeInput)
		}
		broken := correction("broken", traceID(1), 0)
		broken.Correction = json.RawMessage(`{"cut":`)
		wantCode(t, s.PutFeedback(t.Context(), broken), rung.CodeInput)
	})
	serving(t, open, func(s store.Serving) {
		got, err := s.Feedback(t.Context(), traceID(1))
		must(t, err)
		same(t, "the feedback", []rung.Feedback{said("f1", traceID(1), 0), said("f2", traceID(1), 1), scored, bulky}, got)
		for _, id := range []string{traceID(0), "", "nothing"} {
			got, err = s.Feedback(t.Context(), id)
			must(t, err)
			same(t, "feedback of "+id, nil, got)
		}
	})
}

func feedbackBeforeTrace(t *testing.T, open ServingOpener) {
	serving(t, open, func(s store.Serving) {
		must(t, s.PutFeedback(t.Context(), correction("c1", traceID(1), 0)))
		for p, err := range s.Proposals(t.Context(), "") {
			must(t, err)
			t.Errorf("a proposal without a trace: %+v", p)
		}
	})
	serving(t, open, func(s store.Serving) {
		must(t, s.PutTraces(t.Context(), someTraces(0, 3)))
		got, err := s.Feedback(t.Context(), traceID(1))
		must(t, err)
		same(t, "the feedback", []rung.Feedback{correction("c1", traceID(1), 0)}, got)
		wantIDs(t, "with feedback", someTraces(1, 2), list(t, s, store.TraceFilter{Feedback: true}))
		n := 0
		for p, err := range s.Proposals(t.Context(), "") {
			must(t, err)
			same(t, "the proposal's trace", traceID(1), p.Trace)
			n++
		}
		same(t, "proposals", 1, n)
	})
}

func proposals(t *testing.T, open ServingOpener) {
	all := someTraces(0, 100)
	all[7].Task = "b"
	all[8].Input = nil
	var want []rung.Proposal
	serving(t, open, func(s store.Serving) {
		must(t, s.PutTraces(t.Context(), all))
		for i := 99; i >= 0; i-- { // told in another order than that of their times
			f := correction(fmt.Sprintf("c%02d", i), all[i].ID, i/2)
			must(t, s.PutFeedback(t.Context(), f))
		}
		must(t, s.PutFeedback(t.Context(), said("thumb", all[0].ID, 0)))
	})
	for i := range all {
		if i != 8 {
			f := correction(fmt.Sprintf("c%02d", i), all[i].ID, i/2)
			want = append(want, rung.Proposal{ID: f.ID, Task: all[i].Task, Input: all[i].Input, Output: f.Correction, Trace: all[i].ID, At: f.At, Segment: "de"})
		}
	}
	serving(t, open, func(s store.Serving) {
		for _, task := range []string{"", "a", "b", "c"} {
			var of, got []rung.Proposal
			for _, p := range want {
				if task == "" || p.Task == task {
					of = append(of, p)
				}
			}
			for p, err := range s.Proposals(t.Context(), task) {
				must(t, err)
				got = append(got, p)
			}
			same(t, "the proposals of "+task, of, got)
		}
	})
}
