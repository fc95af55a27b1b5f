package storetest

import (
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
)

func modes(t *testing.T, open Opener) {
	at := time.Unix(1_700_000_000, 7).UTC()
	label := func(candidate, example, mode, by string, status rung.ModeStatus, after time.Duration) rung.ModeLabel {
		return rung.ModeLabel{Candidate: rung.Digest(candidate), Set: "s1", Example: example, Mode: mode, Status: status, By: by, At: at.Add(after),
			Note: "n", Wrong: "Grüße \x00"}
	}
	first, second := label("c1", "e1", "format", "clustering", rung.ModeProposed, 0), label("c1", "e2", "refused", "ann", rung.ModeConfirmed, 1)
	other := label("c2", "e1", "format", "ann", rung.ModeRejected, 2)
	in(t, open, func(s store.Store) {
		must(t, s.PutModes(t.Context(), nil))
		must(t, s.PutModes(t.Context(), []rung.ModeLabel{second, first, other}))
		changed := first
		changed.Note = "again"
		must(t, s.PutModes(t.Context(), []rung.ModeLabel{changed}))
		bad := label("c1", "e3", "format", "ann", "guessed", 0)
		if s.PutModes(t.Context(), []rung.ModeLabel{label("c1", "e4", "format", "ann", rung.ModeConfirmed, 0), bad}) == nil {
			t.Error("a status that there is not was kept")
		}
	})
	first.Note = "again"
	in(t, open, func(s store.Store) {
		got, err := s.Modes(t.Context(), "c1", "s1")
		must(t, err)
		same(t, "the labels of one candidate differ", []rung.ModeLabel{first, second}, got)
		got, err = s.Modes(t.Context(), "", "")
		must(t, err)
		same(t, "all labels differ", []rung.ModeLabel{first, second, other}, got)
		got, err = s.Modes(t.Context(), "c1", "s2")
		must(t, err)
		same(t, "another set has labels", nil, got)
	})
}
