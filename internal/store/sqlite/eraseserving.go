package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/store/blocks"
)

var _ blocks.Eraser = (*gateway)(nil)

// Erase deletes traces and feedback for what they hold.
func (s *gateway) Erase(ctx context.Context, e store.Erasure) (store.Erased, error) {
	out, err := blocks.EraseAll(ctx, s, &e)
	if err != nil || e.Dry {
		return out, err
	}
	return out, s.compact(ctx)
}

// All is part of blocks.Eraser.
func (s *gateway) All(ctx context.Context) ([]int64, error) {
	return s.numbers(ctx, "SELECT id FROM blocks WHERE id > ? ORDER BY id", -1)
}

// Take is part of blocks.Eraser.
func (s *gateway) Take(ctx context.Context, ns []int64, e *store.Erasure) (traces, feedback int, err error) {
	err = s.put(ctx, func(t *tx) error {
		traces, feedback = 0, 0
		for _, n := range ns {
			d, f, err := s.take(t, n, e)
			if err != nil {
				return err
			}
			traces, feedback = traces+d, feedback+f
		}
		return nil
	})
	return traces, feedback, err
}

func (s *gateway) take(t *tx, n int64, e *store.Erasure) (traces, feedback int, err error) {
	var head, body []byte
	err = t.queryRow("SELECT head, body FROM blocks WHERE id = ?", []any{n}, &head, &body)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, err
	}
	left, gone, err := blocks.Erase(s.pack, head, body, e.Holds)
	if err != nil {
		return 0, 0, s.damaged(err)
	}
	for _, id := range gone {
		var k int
		if err := t.queryRow("SELECT count(*) FROM feedback WHERE trace = ?", []any{id[:]}, &k); err != nil {
			return 0, 0, err
		}
		feedback += k
		if k > 0 && !e.Dry {
			if err := t.exec("DELETE FROM feedback WHERE trace = ?", id[:]); err != nil {
				return 0, 0, err
			}
		}
	}
	switch {
	case left.Dropped == 0 || e.Dry:
		return left.Dropped, feedback, nil
	case left.Empty:
		return left.Dropped, feedback, t.exec("DELETE FROM blocks WHERE id = ?", n)
	}
	b := &left.Block
	return left.Dropped, feedback, t.exec("UPDATE blocks SET low=?, high=?, from_ns=?, to_ns=?, bytes=?, head=?, body=? WHERE id = ?",
		b.Low[:], b.High[:], b.From, b.To, b.Bytes(), b.Head, b.Body, n)
}

// TakeFeedback is part of blocks.Eraser.
func (s *gateway) TakeFeedback(ctx context.Context, e *store.Erasure) (n int, err error) {
	err = s.put(ctx, func(t *tx) error {
		rows, err := t.query("SELECT id, body FROM feedback")
		if err != nil {
			return err
		}
		gone, err := s.holding(rows, e)
		n = len(gone)
		if err != nil || e.Dry {
			return err
		}
		for _, id := range gone {
			if err := t.exec("DELETE FROM feedback WHERE id = ?", id); err != nil {
				return err
			}
		}
		return nil
	})
	return n, err
}

func (s *gateway) holding(rows *sql.Rows, e *store.Erasure) (ids []string, err error) {
	defer rows.Close()
	for rows.Next() {
		var id string
		var body []byte
		if err := rows.Scan(&id, &body); err != nil {
			return nil, err
		}
		text, err := s.pack.Unpack(body)
		if err != nil {
			return nil, s.damaged(err)
		}
		if e.Holds(text) {
			ids = append(ids, id)
		}
	}
	return ids, rows.Err()
}
