package app

import (
	"context"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/report"
)

// MatchDetails reads the answers of a matchup's subjects, example by example, from the store.
func (p *Project) MatchDetails(ctx context.Context, m *rung.Matchup, all []*Evaluated) (*report.MatchDetails, error) {
	examples := all[0].Examples
	d := &report.MatchDetails{Doc: m, Rows: make([]report.MatchRow, len(examples))}
	at := make(map[string]int, len(examples))
	for i := range examples {
		at[examples[i].ID] = i
		d.Rows[i] = report.MatchRow{Example: examples[i], Scores: make([]*rung.Score, len(all))}
	}
	for k, e := range all {
		asked := e.Tally.Successes() // what an earlier, longer evaluation kept is not part of this one
		for score, err := range p.Store.Scores(ctx, e.Doc.Subject.Digest, e.Doc.Scores) {
			if err != nil {
				return nil, err
			}
			_, mine := asked[score.Example]
			if i, known := at[score.Example]; known && mine {
				d.Rows[i].Scores[k] = &score
			}
		}
	}
	return d, nil
}
