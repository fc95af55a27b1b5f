package reporttest

import (
	"context"
	"encoding/json"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/store"
)

// Save puts the climb into st as a climb would have.
func (c *Climb) Save(ctx context.Context, st store.Store) error {
	if err := report.KeepExamples(ctx, st, c.Heldout); err != nil {
		return err
	}
	for _, comp := range c.Completions {
		if err := st.PutCompletion(ctx, comp); err != nil {
			return err
		}
	}
	for _, cand := range c.Candidates {
		digest, err := st.PutCandidate(ctx, cand)
		if err != nil {
			return err
		}
		card := store.Card{Candidate: digest, Split: rung.HeldoutIs, Set: c.Heldout.Digest()}
		if err := st.PutScores(ctx, card, c.Scores[digest]); err != nil {
			return err
		}
	}
	doc, err := json.Marshal(c.Doc)
	if err != nil {
		return err
	}
	return st.PutRun(ctx, store.Run{ID: c.Doc.Run, Task: c.Doc.Task, Status: store.Done, Document: doc, Started: c.Doc.Started, Ended: c.Doc.Started.Add(9 * time.Minute)})
}
