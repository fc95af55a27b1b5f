package postgres

import (
	"context"
	"encoding/json"
	"iter"

	"github.com/jackc/pgx/v5"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store/blocks"
)

// PutFeedback keeps feedback; it is on the server's disk when this returns nil.
func (s *gateways) PutFeedback(ctx context.Context, f rung.Feedback) error {
	trace, ok := blocks.ParseID(f.Trace)
	if !ok {
		return blocks.NoID(f.Trace)
	}
	body, err := json.Marshal(f)
	if err != nil {
		return blocks.BadFeedback(f, err)
	}
	return s.exec(ctx, "INSERT INTO rung_feedback (id, trace, at_ns, corrects, body) VALUES ($1,$2,$3,$4,$5) ON CONFLICT (id) DO NOTHING",
		f.ID, trace[:], nanos(f.At), len(f.Correction) > 0, s.pack.Pack(body))
}

// Feedback gives what was said about a trace, oldest first.
func (s *gateways) Feedback(ctx context.Context, trace string) ([]rung.Feedback, error) {
	id, ok := blocks.ParseID(trace)
	if !ok {
		return nil, nil
	}
	return s.feedback(ctx, "SELECT body FROM rung_feedback WHERE trace = $1 ORDER BY at_ns, seq", id[:])
}

func (s *gateways) feedback(ctx context.Context, text string, args ...any) ([]rung.Feedback, error) {
	raw, err := query(ctx, s, pgx.RowTo[[]byte], text, args...)
	if err != nil || len(raw) == 0 {
		return nil, err
	}
	out := make([]rung.Feedback, len(raw))
	for i, body := range raw {
		b, err := s.pack.Unpack(body)
		if err == nil {
			err = json.Unmarshal(b, &out[i])
		}
		if err != nil {
			return nil, s.damaged(err)
		}
	}
	return out, nil
}

// Corrections is part of blocks.Corrector.
func (s *gateways) Corrections(ctx context.Context, after blocks.Place, limit int) ([]rung.Feedback, error) {
	return s.feedback(ctx, "SELECT body FROM rung_feedback WHERE corrects AND (at_ns, id) > ($1, $2) ORDER BY at_ns, id LIMIT $3", after.At, after.ID, limit)
}

// Proposals gives the examples that corrections propose, oldest first.
func (s *gateways) Proposals(ctx context.Context, task string) iter.Seq2[rung.Proposal, error] {
	return s.reader().Proposals(ctx, s, task)
}
