package sqlite

import (
	"context"

	"github.com/rung-dev/rung"
)

const putMode = `INSERT INTO mode_labels (candidate, set_digest, example, mode, status, said_by, at_ns, note, wrong) VALUES (?,?,?,?,?,?,?,?,?)
	ON CONFLICT (candidate, set_digest, example, mode, said_by) DO UPDATE SET status=excluded.status, at_ns=excluded.at_ns, note=excluded.note,
	wrong=excluded.wrong`

// PutModes keeps failure-mode labels, all or none.
func (s *Store) PutModes(ctx context.Context, labels []rung.ModeLabel) error {
	return s.put(ctx, func(t *tx) error {
		for _, l := range labels {
			err := t.exec(putMode, string(l.Candidate), string(l.Set), l.Example, l.Mode, string(l.Status), l.By, nanos(l.At), l.Note, l.Wrong)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

const getModes = `SELECT candidate, set_digest, example, mode, status, said_by, at_ns, note, wrong FROM mode_labels
	WHERE (? = '' OR candidate = ?) AND (? = '' OR set_digest = ?) ORDER BY at_ns, example, mode, said_by`

// Modes gives failure-mode labels, oldest first.
func (s *Store) Modes(ctx context.Context, candidate, set rung.Digest) ([]rung.ModeLabel, error) {
	st, err := s.reading(ctx, getModes)
	if err != nil {
		return nil, s.failed(err)
	}
	rows, err := st.QueryContext(ctx, string(candidate), string(candidate), string(set), string(set))
	if err != nil {
		return nil, s.failed(err)
	}
	defer rows.Close()
	var out []rung.ModeLabel
	for rows.Next() {
		var l rung.ModeLabel
		var at int64
		if err := rows.Scan(&l.Candidate, &l.Set, &l.Example, &l.Mode, &l.Status, &l.By, &at, &l.Note, &l.Wrong); err != nil {
			return nil, s.failed(err)
		}
		l.At = fromNanos(at)
		out = append(out, l)
	}
	return out, s.failed(rows.Err())
}
