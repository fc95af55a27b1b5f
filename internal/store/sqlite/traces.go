package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"iter"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/store/blocks"
)

// PutTraces keeps traces, all or none.
func (s *gateway) PutTraces(ctx context.Context, ts []rung.Trace) error {
	made, err := blocks.Make(s.pack, ts)
	if err != nil || len(made) == 0 {
		return err
	}
	return s.put(ctx, func(t *tx) error {
		for i := range made {
			if err := t.insertBlock(&made[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *tx) insertBlock(b *blocks.Block) error {
	return t.exec("INSERT INTO blocks (first, low, high, from_ns, to_ns, bytes, head, body) VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (first) DO NOTHING",
		b.First[:], b.Low[:], b.High[:], b.From, b.To, b.Bytes(), b.Head, b.Body)
}

// Trace finds a trace by its ID or a prefix of it that only one has.
func (s *gateway) Trace(ctx context.Context, id string) (rung.Trace, error) {
	return s.reader().Find(ctx, id)
}

// Traces gives the traces that match.
func (s *gateway) Traces(ctx context.Context, f store.TraceFilter) iter.Seq2[rung.Trace, error] {
	return s.reader().Traces(ctx, f)
}

// The planner would read every long row in the order of its number; these look through a short index first. A look-up by ID goes
// through the IDs, all else through the times.
const (
	headsByID = `SELECT id, head FROM blocks WHERE id IN (SELECT id FROM blocks INDEXED BY blocks_ids
		WHERE low <= ? AND high >= ? AND id > ? AND id < ? ORDER BY id LIMIT ?) ORDER BY id`
	headsUp = `SELECT id, head FROM blocks WHERE id IN (SELECT id FROM blocks INDEXED BY blocks_range
		WHERE id > ? AND id < ? AND from_ns <= ? AND to_ns >= ? ORDER BY id LIMIT ?) ORDER BY id`
	headsDown = `SELECT id, head FROM blocks WHERE id IN (SELECT id FROM blocks INDEXED BY blocks_range
		WHERE id > ? AND id < ? AND from_ns <= ? AND to_ns >= ? ORDER BY id DESC LIMIT ?) ORDER BY id DESC`
)

// Heads is part of blocks.Source.
func (s *gateway) Heads(ctx context.Context, r blocks.Range, limit int) ([]blocks.Numbered, error) {
	query, args := headsDown, []any{r.Above, r.Below, r.To, r.From, limit}
	switch {
	case r.OfIDs:
		query, args = headsByID, []any{r.High[:], r.Low[:], r.Above, r.Below, limit}
	case r.Oldest:
		query = headsUp
	}
	st, err := s.reading(ctx, query)
	if err != nil {
		return nil, s.failed(err)
	}
	rows, err := st.QueryContext(ctx, args...)
	if err != nil {
		return nil, s.failed(err)
	}
	defer rows.Close()
	var out []blocks.Numbered
	for rows.Next() {
		var b blocks.Numbered
		if err := rows.Scan(&b.N, &b.Head); err != nil {
			return nil, s.failed(err)
		}
		out = append(out, b)
	}
	return out, s.failed(rows.Err())
}

// Block is part of blocks.Source.
func (s *gateway) Block(ctx context.Context, n int64) (head, body []byte, ok bool, err error) {
	st, err := s.reading(ctx, "SELECT head, body FROM blocks WHERE id = ?")
	if err != nil {
		return nil, nil, false, s.failed(err)
	}
	err = st.QueryRowContext(ctx, n).Scan(&head, &body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil, false, nil
	}
	return head, body, err == nil, s.failed(err)
}

// Damaged is part of blocks.Source.
func (s *gateway) Damaged(err error) error { return s.damaged(err) }

// Told is part of blocks.Source.
func (s *gateway) Told(ctx context.Context, low, high blocks.ID) ([]blocks.ID, error) {
	st, err := s.reading(ctx, "SELECT DISTINCT trace FROM feedback WHERE trace >= ? AND trace <= ?")
	if err != nil {
		return nil, s.failed(err)
	}
	rows, err := st.QueryContext(ctx, low[:], high[:])
	if err != nil {
		return nil, s.failed(err)
	}
	return s.ids(rows)
}

func (s *file) ids(rows *sql.Rows) ([]blocks.ID, error) {
	defer rows.Close()
	var out []blocks.ID
	for rows.Next() {
		var raw []byte
		if err := rows.Scan(&raw); err != nil {
			return nil, s.failed(err)
		}
		out = append(out, blocks.ID(append(raw, make([]byte, 16)...)[:16]))
	}
	return out, s.failed(rows.Err())
}

// DropTraces deletes traces by age and then by size.
func (s *gateway) DropTraces(ctx context.Context, before time.Time, maxBytes int64) (int64, error) {
	return blocks.Drop(ctx, s, before, maxBytes)
}

// Older is part of blocks.Dropper.
func (s *gateway) Older(ctx context.Context, before int64) ([]int64, error) {
	return s.numbers(ctx, "SELECT id FROM blocks WHERE from_ns < ? ORDER BY id", before)
}

// Beyond is part of blocks.Dropper.
func (s *gateway) Beyond(ctx context.Context, maxBytes int64) ([]int64, error) {
	return s.numbers(ctx, "SELECT id FROM (SELECT id, sum(bytes) OVER (ORDER BY id DESC) AS kept FROM blocks) WHERE kept > ? ORDER BY id", maxBytes)
}

func (s *gateway) numbers(ctx context.Context, query string, arg int64) ([]int64, error) {
	rows, err := s.read.QueryContext(ctx, query, arg)
	if err != nil {
		return nil, s.failed(err)
	}
	defer rows.Close()
	var out []int64
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return nil, s.failed(err)
		}
		out = append(out, n)
	}
	return out, s.failed(rows.Err())
}

// Bytes is part of blocks.Dropper.
func (s *gateway) Bytes(ctx context.Context) (n int64, err error) {
	err = s.read.QueryRowContext(ctx, "SELECT coalesce(sum(bytes), 0) FROM blocks").Scan(&n)
	return n, s.failed(err)
}

// Shrink is part of blocks.Dropper.
func (s *gateway) Shrink(ctx context.Context, ns []int64, before int64) (dropped int64, err error) {
	err = s.put(ctx, func(t *tx) error {
		dropped = 0
		for _, n := range ns {
			d, err := s.shrink(t, n, before)
			if err != nil {
				return err
			}
			dropped += int64(d)
		}
		return nil
	})
	return dropped, err
}

func (s *gateway) shrink(t *tx, n, before int64) (dropped int, err error) {
	var low, high, head, body []byte
	err = t.queryRow("SELECT low, high, head, body FROM blocks WHERE id = ?", []any{n}, &low, &high, &head, &body)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	rows, err := t.query("SELECT DISTINCT trace FROM feedback WHERE trace >= ? AND trace <= ? AND corrects", low, high)
	if err != nil {
		return 0, err
	}
	corrected, err := s.ids(rows)
	if err != nil {
		return 0, err
	}
	left, err := blocks.Shrink(s.pack, head, body, blocks.NewDropping(before, corrected))
	switch {
	case err != nil:
		return 0, s.damaged(err)
	case left.Dropped == 0:
		return 0, nil
	case left.Empty:
		return left.Dropped, t.exec("DELETE FROM blocks WHERE id = ?", n)
	}
	b := &left.Block
	return left.Dropped, t.exec("UPDATE blocks SET low=?, high=?, from_ns=?, to_ns=?, bytes=?, head=?, body=? WHERE id = ?",
		b.Low[:], b.High[:], b.From, b.To, b.Bytes(), b.Head, b.Body, n)
}

// Forget is part of blocks.Dropper.
func (s *gateway) Forget(ctx context.Context, before int64) error {
	return s.put(ctx, func(t *tx) error { return t.exec("DELETE FROM feedback WHERE at_ns < ? AND NOT corrects", before) })
}
