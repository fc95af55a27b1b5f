package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/store/blocks"
)

var _ blocks.Eraser = (*gateways)(nil)

// Erase deletes traces and feedback for what they hold, and has the server give up the rows' space.
func (s *gateways) Erase(ctx context.Context, e store.Erasure) (store.Erased, error) {
	out, err := blocks.EraseAll(ctx, s, &e)
	if err != nil || e.Dry || out.Total() == 0 {
		return out, err
	}
	for _, table := range []string{"rung_blocks", "rung_feedback"} {
		if _, err := s.pool.Exec(ctx, "VACUUM (FULL) "+table); err != nil {
			return out, s.failed(err)
		}
	}
	return out, nil
}

// All is part of blocks.Eraser.
func (s *gateways) All(ctx context.Context) ([]int64, error) {
	return query(ctx, s, pgx.RowTo[int64], "SELECT id FROM rung_blocks ORDER BY id")
}

// Take is part of blocks.Eraser.
func (s *gateways) Take(ctx context.Context, ns []int64, e *store.Erasure) (traces, feedback int, err error) {
	err = s.again(ctx, func(ctx context.Context) error {
		traces, feedback = 0, 0
		return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			for _, n := range ns {
				d, f, err := s.take(ctx, tx, n, e)
				if err != nil {
					return err
				}
				traces, feedback = traces+d, feedback+f
			}
			return nil
		})
	})
	return traces, feedback, err
}

func (s *gateways) take(ctx context.Context, tx pgx.Tx, n int64, e *store.Erasure) (traces, feedback int, err error) {
	var head, body []byte
	err = tx.QueryRow(ctx, "SELECT head, body FROM rung_blocks WHERE id = $1 FOR UPDATE", n).Scan(&head, &body)
	if errors.Is(err, pgx.ErrNoRows) {
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
		if err := tx.QueryRow(ctx, "SELECT count(*) FROM rung_feedback WHERE trace = $1", id[:]).Scan(&k); err != nil {
			return 0, 0, err
		}
		feedback += k
		if k > 0 && !e.Dry {
			if _, err := tx.Exec(ctx, "DELETE FROM rung_feedback WHERE trace = $1", id[:]); err != nil {
				return 0, 0, err
			}
		}
	}
	switch {
	case left.Dropped == 0 || e.Dry:
		return left.Dropped, feedback, nil
	case left.Empty:
		_, err = tx.Exec(ctx, "DELETE FROM rung_blocks WHERE id = $1", n)
		return left.Dropped, feedback, err
	}
	b := &left.Block
	_, err = tx.Exec(ctx, "UPDATE rung_blocks SET low=$1, high=$2, from_ns=$3, to_ns=$4, bytes=$5, head=$6, body=$7 WHERE id = $8",
		b.Low[:], b.High[:], b.From, b.To, b.Bytes(), b.Head, b.Body, n)
	return left.Dropped, feedback, err
}

// TakeFeedback is part of blocks.Eraser.
func (s *gateways) TakeFeedback(ctx context.Context, e *store.Erasure) (int, error) {
	type row struct {
		ID   string
		Body []byte
	}
	all, err := query(ctx, s, pgx.RowToStructByPos[row], "SELECT id, body FROM rung_feedback")
	if err != nil {
		return 0, err
	}
	n := 0
	for _, r := range all {
		text, err := s.pack.Unpack(r.Body)
		if err != nil {
			return n, s.damaged(err)
		}
		if !e.Holds(text) {
			continue
		}
		n++
		if e.Dry {
			continue
		}
		if err := s.exec(ctx, "DELETE FROM rung_feedback WHERE id = $1", r.ID); err != nil {
			return n, err
		}
	}
	return n, nil
}
