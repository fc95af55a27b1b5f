package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/store/blocks"
)

// gateway is what gateways keep, in DIR/gateway.db: a file of its own, so that a busy gateway and a climb never wait for each
// other.
type gateway struct{ *file }

var (
	_ store.Serving    = (*gateway)(nil)
	_ blocks.Source    = (*gateway)(nil)
	_ blocks.Dropper   = (*gateway)(nil)
	_ blocks.Corrector = (*gateway)(nil)
)

const servingName = "gateway.db"

// OpenServing opens what gateways keep in dir, and makes it where there is none. Only the user may read it.
func OpenServing(ctx context.Context, dir string) (store.Serving, error) {
	return openServing(ctx, dir, busyMillis)
}

func openServing(ctx context.Context, dir string, busy int, pragmas ...string) (*gateway, error) {
	path, err := makeFile(dir, servingName)
	if err != nil {
		return nil, err
	}
	f, err := openPath(ctx, path, gateways, busy, pragmas...)
	if err != nil {
		return nil, err
	}
	return &gateway{f}, nil
}

// change is put for what gateways watch: the revision grows with it.
func (s *gateway) change(ctx context.Context, do func(*tx) error) error {
	return s.put(ctx, func(t *tx) error {
		if err := do(t); err != nil {
			return err
		}
		return t.exec("UPDATE revision SET n = n + 1")
	})
}

// Revision grows with every change of releases, aliases, rollouts and keys.
func (s *gateway) Revision(ctx context.Context) (int64, error) {
	st, err := s.reading(ctx, "SELECT n FROM revision")
	if err != nil {
		return 0, s.failed(err)
	}
	var n int64
	err = st.QueryRowContext(ctx).Scan(&n)
	return n, s.failed(err)
}

// PutKey makes or changes a key.
func (s *gateway) PutKey(ctx context.Context, k rung.APIKey) error {
	body, err := json.Marshal(k)
	if err != nil {
		return s.failed(err)
	}
	return s.change(ctx, func(t *tx) error {
		var other string
		err := t.queryRow("SELECT id FROM keys WHERE hash = ? AND id <> ?", []any{k.Hash, k.ID}, &other)
		if err == nil {
			return store.KeyExists(k, other)
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		return t.exec("INSERT INTO keys (id, hash, body) VALUES (?,?,?) ON CONFLICT (id) DO UPDATE SET hash=excluded.hash, body=excluded.body",
			k.ID, nonNil(k.Hash), body)
	})
}

// nonNil is b, which the driver would make NULL of if it were nil.
func nonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// Keys gives all keys, the oldest first.
func (s *gateway) Keys(ctx context.Context) ([]rung.APIKey, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT hash, body FROM keys ORDER BY rowid")
	if err != nil {
		return nil, s.failed(err)
	}
	defer rows.Close()
	var out []rung.APIKey
	for rows.Next() {
		var k rung.APIKey
		var hash, body []byte
		if err := rows.Scan(&hash, &body); err != nil {
			return nil, s.failed(err)
		}
		if err := json.Unmarshal(body, &k); err != nil {
			return nil, s.damaged(err)
		}
		k.Hash = hash
		out = append(out, k)
	}
	return out, s.failed(rows.Err())
}

// Spend adds to what a key has cost in a month.
func (s *gateway) Spend(ctx context.Context, key, month string, usd float64) (float64, error) {
	var sum float64
	if usd == 0 {
		err := s.read.QueryRowContext(ctx, "SELECT usd FROM spend WHERE key = ? AND month = ?", key, month).Scan(&sum)
		if errors.Is(err, sql.ErrNoRows) {
			err = nil
		}
		return sum, s.failed(err)
	}
	err := s.put(ctx, func(t *tx) error { return t.spend(key, month, usd, &sum) })
	return sum, err
}

func (t *tx) spend(key, month string, usd float64, sum *float64) error {
	return t.queryRow("INSERT INTO spend (key, month, usd) VALUES (?,?,?) ON CONFLICT (key, month) DO UPDATE SET usd = usd + excluded.usd RETURNING usd",
		[]any{key, month, usd}, sum)
}

// Lease sets aside what a gateway may spend of a key's budget.
func (s *gateway) Lease(ctx context.Context, l store.Lease) (spent, granted float64, err error) {
	err = s.put(ctx, func(t *tx) error {
		if err := t.spend(l.Key, l.Month, l.Spent, &spent); err != nil {
			return err
		}
		now := time.Now()
		var others float64
		if err := t.queryRow("SELECT total(usd) FROM leases WHERE key = ? AND month = ? AND gateway <> ? AND until_ns > ?",
			[]any{l.Key, l.Month, l.Gateway, now.UnixNano()}, &others); err != nil {
			return err
		}
		if granted = l.Grant(spent, others); granted == 0 {
			return t.exec("DELETE FROM leases WHERE key = ? AND gateway = ?", l.Key, l.Gateway)
		}
		return t.exec(`INSERT INTO leases (key, gateway, month, usd, until_ns) VALUES (?,?,?,?,?)
			ON CONFLICT (key, gateway) DO UPDATE SET month=excluded.month, usd=excluded.usd, until_ns=excluded.until_ns`,
			l.Key, l.Gateway, l.Month, granted, now.Add(l.For).UnixNano())
	})
	return spent, granted, err
}

// bodies reads rows of one column, a JSON body.
func bodies[T any](ctx context.Context, s *gateway, query string, args ...any) ([]T, error) {
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, s.failed(err)
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		var v T
		var body []byte
		if err := rows.Scan(&body); err != nil {
			return nil, s.failed(err)
		}
		if err := json.Unmarshal(body, &v); err != nil {
			return nil, s.damaged(err)
		}
		out = append(out, v)
	}
	return out, s.failed(rows.Err())
}

func (s *gateway) reader() blocks.Reader { return blocks.Reader{Source: s, Pack: s.pack} }
