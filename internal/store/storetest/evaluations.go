package storetest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
)

func evaluation(id string, hour int) store.Evaluation {
	return store.Evaluation{ID: id, Task: "t", Subject: "cand", Suite: "set", Document: json.RawMessage(`{"id":"` + id + `"}`),
		Started: time.Unix(1_700_000_000, 0).UTC().Add(time.Duration(hour) * time.Hour)}
}

func evaluations(t *testing.T, open Opener) {
	again := evaluation("ab12", 1)
	again.Document = json.RawMessage(`{"id":"ab12","verdict":"pass"}`)
	in(t, open, func(s store.Store) {
		_, err := s.Evaluation(t.Context(), "latest")
		wantCode(t, err, rung.CodeNotFound)
		for _, e := range []store.Evaluation{evaluation("ab12", 1), evaluation("ab34", 3), evaluation("c", 2), again} {
			must(t, s.PutEvaluation(t.Context(), e))
		}
	})
	in(t, open, func(s store.Store) {
		got, err := s.Evaluations(t.Context(), 0)
		must(t, err)
		same(t, "the evaluations differ", []store.Evaluation{evaluation("ab34", 3), evaluation("c", 2), again}, got)
		got, err = s.Evaluations(t.Context(), 1)
		must(t, err)
		same(t, "the newest evaluation differs", []store.Evaluation{evaluation("ab34", 3)}, got)
		for id, want := range map[string]store.Evaluation{"latest": evaluation("ab34", 3), "ab1": again, "ab12": again, "c": evaluation("c", 2)} {
			got, err := s.Evaluation(t.Context(), id)
			must(t, err)
			same(t, "evaluation "+id, want, got)
		}
		for _, id := range []string{"", "ab", "nope", "%", "AB12"} {
			_, err := s.Evaluation(t.Context(), id)
			wantCode(t, err, rung.CodeNotFound)
		}
	})
}
