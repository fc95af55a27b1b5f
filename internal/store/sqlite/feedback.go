package sqlite

import (
	"context"
	"encoding/json"
	"iter"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store/blocks"
)

// PutFeedback keeps feedback.
func (s *gateway) PutFeedback(ctx context.Context, f rung.Feedback) error {
	trace, ok := blocks.ParseID(f.Trace)
	if !ok {
		return blocks.NoID(f.Trace)
	}
	body, err := json.Marshal(f)
	if err != nil {
		return blocks.BadFeedback(f, err)
	}
	return s.put(ctx, func(t *tx) error {
		return t.exec("INSERT INTO feedback (id, trace, at_ns, corrects, body) VALUES (?,?,?,?,?) ON CONFLICT (id) DO NOTHING",
			f.ID, trace[:], nanos(f.At), len(f.Correction) > 0, s.pack.Pack(body))
	})
}

// Feedback gives what was said about a trace, oldest first.
func (s *gateway) Feedback(ctx context.Context, trace string) ([]rung.Feedback, error) {
	id, ok := blocks.ParseID(trace)
	if !ok {
		return nil, nil
	}
	return s.feedback(ctx, "SELECT body FROM feedback WHERE trace = ? ORDER BY at_ns, rowid", id[:])
}

func (s *gateway) feedback(ctx context.Context, query string, args ...any) ([]rung.Feedback, error) {
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, s.failed(err)
	}
	defer rows.Close()
	var out []rung.Feedback
	for rows.Next() {
		var body []byte
		if err := rows.Scan(&body); err != nil {
			return nil, s.failed(err)
		}
		text, err := s.pack.Unpack(body)
		if err != nil {
			return nil, s.damaged(err)
		}
		var f rung.Feedback
		if err := json.Unmarshal(text, &f); err != nil {
			return nil, s.damaged(err)
		}
		out = append(out, f)
	}
	return out, s.failed(rows.Err())
}

// Corrections is part of blocks.Corrector.
func (s *gateway) Corrections(ctx context.Context, after blocks.Place, limit int) ([]rung.Feedback, error) {
	return s.feedback(ctx, "SELECT body FROM feedback WHERE corrects AND (at_ns, id) > (?, ?) ORDER BY at_ns, id LIMIT ?", after.At, after.ID, limit)
}

// Proposals gives the examples that corrections propose, oldest first.
func (s *gateway) Proposals(ctx context.Context, task string) iter.Seq2[rung.Proposal, error] {
	return s.reader().Proposals(ctx, s, task)
}
