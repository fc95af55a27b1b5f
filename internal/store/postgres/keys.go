package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/store/blocks"
)

func nanos(t time.Time) int64 { return blocks.Nanos(t) }

// bodies reads rows of one column, a JSON body.
func bodies[T any](ctx context.Context, s *gateways, text string, args ...any) ([]T, error) {
	raw, err := query(ctx, s, pgx.RowTo[[]byte], text, args...)
	if err != nil || len(raw) == 0 {
		return nil, err
	}
	out := make([]T, len(raw))
	for i, body := range raw {
		if err := json.Unmarshal(body, &out[i]); err != nil {
			return nil, s.damaged(err)
		}
	}
	return out, nil
}

// Revision grows with every change of releases, aliases, rollouts and keys.
func (s *gateways) Revision(ctx context.Context) (n int64, err error) {
	err = s.again(ctx, func(ctx context.Context) error {
		return s.pool.QueryRow(ctx, "SELECT n FROM rung_revision").Scan(&n)
	})
	return n, err
}

// PutKey makes or changes a key.
func (s *gateways) PutKey(ctx context.Context, k rung.APIKey) error {
	body, err := json.Marshal(k)
	if err != nil {
		return s.failed(err)
	}
	hash := append([]byte{}, k.Hash...) // nil would be NULL
	return s.change(ctx, func(ctx context.Context, tx pgx.Tx) error {
		var other string
		err := tx.QueryRow(ctx, "SELECT id FROM rung_keys WHERE hash = $1 AND id <> $2", hash, k.ID).Scan(&other)
		if err == nil {
			return store.KeyExists(k, other)
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		_, err = tx.Exec(ctx, "INSERT INTO rung_keys (id, hash, body) VALUES ($1,$2,$3) ON CONFLICT (id) DO UPDATE SET hash=excluded.hash, body=excluded.body", k.ID, hash, body)
		return err
	})
}

// Keys gives all keys, the oldest first.
func (s *gateways) Keys(ctx context.Context) ([]rung.APIKey, error) {
	type row struct{ Hash, Body []byte }
	rows, err := query(ctx, s, pgx.RowToStructByPos[row], "SELECT hash, body FROM rung_keys ORDER BY seq")
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	out := make([]rung.APIKey, len(rows))
	for i, r := range rows {
		if err := json.Unmarshal(r.Body, &out[i]); err != nil {
			return nil, s.damaged(err)
		}
		out[i].Hash = r.Hash
	}
	return out, nil
}

// Spend adds to what a key has cost in a month.
func (s *gateways) Spend(ctx context.Context, key, month string, usd float64) (sum float64, err error) {
	if usd == 0 {
		sums, err := query(ctx, s, pgx.RowTo[float64], "SELECT usd FROM rung_spend WHERE key = $1 AND month = $2", key, month)
		if err != nil || len(sums) == 0 {
			return 0, err
		}
		return sums[0], nil
	}
	err = s.once(ctx, func(ctx context.Context) error {
		return s.pool.QueryRow(ctx, addSpend, key, month, usd).Scan(&sum)
	})
	return sum, err
}

const addSpend = `INSERT INTO rung_spend AS s (key, month, usd) VALUES ($1,$2,$3)
	ON CONFLICT (key, month) DO UPDATE SET usd = s.usd + excluded.usd RETURNING usd`

// Lease sets aside what a gateway may spend of a key's budget. Leases of one key take turns on the row of what it has cost. The
// clock is the database's, one for all gateways.
func (s *gateways) Lease(ctx context.Context, l store.Lease) (spent, granted float64, err error) {
	err = s.once(ctx, func(ctx context.Context) error {
		return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			if err := tx.QueryRow(ctx, addSpend, l.Key, l.Month, l.Spent).Scan(&spent); err != nil {
				return err
			}
			var others float64
			err := tx.QueryRow(ctx, "SELECT coalesce(sum(usd), 0) FROM rung_leases WHERE key = $1 AND month = $2 AND gateway <> $3 AND until > clock_timestamp()",
				l.Key, l.Month, l.Gateway).Scan(&others)
			if err != nil {
				return err
			}
			if granted = l.Grant(spent, others); granted == 0 {
				_, err = tx.Exec(ctx, "DELETE FROM rung_leases WHERE key = $1 AND gateway = $2", l.Key, l.Gateway)
				return err
			}
			_, err = tx.Exec(ctx, `INSERT INTO rung_leases (key, gateway, month, usd, until) VALUES ($1,$2,$3,$4, clock_timestamp() + make_interval(secs => $5))
				ON CONFLICT (key, gateway) DO UPDATE SET month=excluded.month, usd=excluded.usd, until=excluded.until`, l.Key, l.Gateway, l.Month, granted, l.For.Seconds())
			return err
		})
	})
	return spent, granted, err
}
