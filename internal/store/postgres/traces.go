package postgres

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/store/blocks"
)

const insertBlock = `INSERT INTO rung_blocks (first, low, high, from_ns, to_ns, bytes, head, body) VALUES ($1,$2,$3,$4,$5,$6,$7,$8)
	ON CONFLICT (first) DO NOTHING`

// PutTraces keeps traces, all or none, in one round trip. It does not wait for the server's disk: a crash of the server may take
// the traces of its last half second, a crash of a gateway none that were written.
func (s *gateways) PutTraces(ctx context.Context, ts []rung.Trace) error {
	made, err := blocks.Make(s.pack, ts)
	if err != nil || len(made) == 0 {
		return err
	}
	return s.again(ctx, func(ctx context.Context) error {
		var b pgx.Batch // one implicit transaction
		b.Queue("SELECT set_config('synchronous_commit', 'off', true), pg_advisory_xact_lock($1, $2)", lockSpace, lockTraces)
		for i := range made {
			m := &made[i]
			b.Queue(insertBlock, m.First[:], m.Low[:], m.High[:], m.From, m.To, m.Bytes(), m.Head, m.Body)
		}
		return s.pool.SendBatch(ctx, &b).Close()
	})
}

// Trace finds a trace by its ID or a prefix of it that only one has.
func (s *gateways) Trace(ctx context.Context, id string) (rung.Trace, error) {
	return s.reader().Find(ctx, id)
}

// Traces gives the traces that match.
func (s *gateways) Traces(ctx context.Context, f store.TraceFilter) iter.Seq2[rung.Trace, error] {
	return s.reader().Traces(ctx, f)
}

const (
	headsByID = "SELECT id, head FROM rung_blocks WHERE low <= $1 AND high >= $2 AND id > $3 AND id < $4 ORDER BY id LIMIT $5"
	headsUp   = "SELECT id, head FROM rung_blocks WHERE id > $1 AND id < $2 AND from_ns <= $3 AND to_ns >= $4 ORDER BY id LIMIT $5"
	headsDown = "SELECT id, head FROM rung_blocks WHERE id > $1 AND id < $2 AND from_ns <= $3 AND to_ns >= $4 ORDER BY id DESC LIMIT $5"
)

// Heads is part of blocks.Source.
func (s *gateways) Heads(ctx context.Context, r blocks.Range, limit int) ([]blocks.Numbered, error) {
	text, args := headsDown, []any{r.Above, r.Below, r.To, r.From, limit}
	switch {
	case r.OfIDs:
		text, args = headsByID, []any{r.High[:], r.Low[:], r.Above, r.Below, limit}
	case r.Oldest:
		text = headsUp
	}
	return query(ctx, s, pgx.RowToStructByPos[blocks.Numbered], text, args...)
}

// Block is part of blocks.Source.
func (s *gateways) Block(ctx context.Context, n int64) (head, body []byte, ok bool, err error) {
	type row struct{ Head, Body []byte }
	rows, err := query(ctx, s, pgx.RowToStructByPos[row], "SELECT head, body FROM rung_blocks WHERE id = $1", n)
	if err != nil || len(rows) == 0 {
		return nil, nil, false, err
	}
	return rows[0].Head, rows[0].Body, true, nil
}

// Damaged is part of blocks.Source.
func (s *gateways) Damaged(err error) error { return s.damaged(err) }

// Told is part of blocks.Source.
func (s *gateways) Told(ctx context.Context, low, high blocks.ID) ([]blocks.ID, error) {
	raw, err := query(ctx, s, pgx.RowTo[[]byte], "SELECT DISTINCT trace FROM rung_feedback WHERE trace >= $1 AND trace <= $2", low[:], high[:])
	return ids(raw), err
}

func ids(raw [][]byte) []blocks.ID {
	out := make([]blocks.ID, len(raw))
	for i, b := range raw {
		copy(out[i][:], b)
	}
	return out
}

// DropTraces deletes traces by age and then by size.
func (s *gateways) DropTraces(ctx context.Context, before time.Time, maxBytes int64) (int64, error) {
	return blocks.Drop(ctx, s, before, maxBytes)
}

// Older is part of blocks.Dropper.
func (s *gateways) Older(ctx context.Context, before int64) ([]int64, error) {
	return query(ctx, s, pgx.RowTo[int64], "SELECT id FROM rung_blocks WHERE from_ns < $1 ORDER BY id", before)
}

// Beyond is part of blocks.Dropper.
func (s *gateways) Beyond(ctx context.Context, maxBytes int64) ([]int64, error) {
	return query(ctx, s, pgx.RowTo[int64],
		"SELECT id FROM (SELECT id, sum(bytes) OVER (ORDER BY id DESC) AS kept FROM rung_blocks) AS b WHERE kept > $1 ORDER BY id", maxBytes)
}

// Bytes is part of blocks.Dropper.
func (s *gateways) Bytes(ctx context.Context) (int64, error) {
	sums, err := query(ctx, s, pgx.RowTo[int64], "SELECT coalesce(sum(bytes), 0)::bigint FROM rung_blocks")
	if err != nil {
		return 0, err
	}
	return sums[0], nil
}

// Shrink is part of blocks.Dropper.
func (s *gateways) Shrink(ctx context.Context, ns []int64, before int64) (dropped int64, err error) {
	err = s.again(ctx, func(ctx context.Context) error {
		dropped = 0
		return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			for _, n := range ns {
				d, err := s.shrink(ctx, tx, n, before)
				if err != nil {
					return err
				}
				dropped += int64(d)
			}
			return nil
		})
	})
	return dropped, err
}

func (s *gateways) shrink(ctx context.Context, tx pgx.Tx, n, before int64) (dropped int, err error) {
	var low, high, head, body []byte
	err = tx.QueryRow(ctx, "SELECT low, high, head, body FROM rung_blocks WHERE id = $1 FOR UPDATE", n).Scan(&low, &high, &head, &body)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	rows, err := tx.Query(ctx, "SELECT DISTINCT trace FROM rung_feedback WHERE trace >= $1 AND trace <= $2 AND corrects", low, high)
	if err != nil {
		return 0, err
	}
	corrected, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	if err != nil {
		return 0, err
	}
	left, err := blocks.Shrink(s.pack, head, body, blocks.NewDropping(before, ids(corrected)))
	switch {
	case err != nil:
		return 0, s.damaged(err)
	case left.Dropped == 0:
		return 0, nil
	case left.Empty:
		_, err = tx.Exec(ctx, "DELETE FROM rung_blocks WHERE id = $1", n)
		return left.Dropped, err
	}
	b := &left.Block
	_, err = tx.Exec(ctx, "UPDATE rung_blocks SET low=$1, high=$2, from_ns=$3, to_ns=$4, bytes=$5, head=$6, body=$7 WHERE id = $8",
		b.Low[:], b.High[:], b.From, b.To, b.Bytes(), b.Head, b.Body, n)
	return left.Dropped, err
}

// Forget is part of blocks.Dropper.
func (s *gateways) Forget(ctx context.Context, before int64) error {
	return s.exec(ctx, "DELETE FROM rung_feedback WHERE at_ns < $1 AND NOT corrects", before)
}
