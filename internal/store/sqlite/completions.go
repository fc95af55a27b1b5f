package sqlite

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"time"

	"github.com/rung-dev/rung"
)

const putCompletion = `INSERT INTO completions
	(key, model, request, text, finish, tokens_in, tokens_out, cached_in, cost_usd, latency_ns, attempts, at_ns, served)
	VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)
	ON CONFLICT (key) DO UPDATE SET model=excluded.model, request=excluded.request, text=excluded.text, finish=excluded.finish,
	tokens_in=excluded.tokens_in, tokens_out=excluded.tokens_out, cached_in=excluded.cached_in, cost_usd=excluded.cost_usd,
	latency_ns=excluded.latency_ns, attempts=excluded.attempts, at_ns=excluded.at_ns, served=excluded.served`

// PutCompletion keeps c under c.Key.
func (s *Store) PutCompletion(ctx context.Context, c rung.Completion) error {
	key, err := keyBytes(c.Key)
	if err != nil {
		return err
	}
	request, text := s.pack.Pack(c.Request), s.pack.Pack([]byte(c.Text))
	return s.put(ctx, func(t *tx) error {
		return t.exec(putCompletion, key, string(c.Model), request, text, c.Finish, c.Usage.In, c.Usage.Out, c.Usage.CachedIn,
			c.CostUSD, int64(c.Latency), c.Attempts, nanos(c.At), c.Served)
	})
}

const getCompletion = `SELECT model, request, text, finish, tokens_in, tokens_out, cached_in, cost_usd, latency_ns, attempts, at_ns, served
	FROM completions WHERE key = ?`

// Completion finds a completion by its key.
func (s *Store) Completion(ctx context.Context, key rung.Digest) (rung.Completion, bool, error) {
	c := rung.Completion{Key: key}
	raw, err := keyBytes(key)
	if err != nil {
		return c, false, err
	}
	st, err := s.reading(ctx, getCompletion)
	if err != nil {
		return c, false, s.failed(err)
	}
	var at int64
	var req, txt []byte
	err = st.QueryRowContext(ctx, raw).Scan(&c.Model, &req, &txt, &c.Finish, &c.Usage.In, &c.Usage.Out, &c.Usage.CachedIn,
		&c.CostUSD, &c.Latency, &c.Attempts, &at, &c.Served)
	if errors.Is(err, sql.ErrNoRows) {
		return rung.Completion{}, false, nil
	}
	if err != nil {
		return c, false, s.failed(err)
	}
	c.At = fromNanos(at)
	if c.Request, err = s.pack.Unpack(req); err != nil {
		return c, false, s.damaged(err)
	}
	plainText, err := s.pack.Unpack(txt)
	if err != nil {
		return c, false, s.damaged(err)
	}
	c.Text = string(plainText)
	return c, true, nil
}

func keyBytes(d rung.Digest) ([]byte, error) {
	b, err := hex.DecodeString(string(d))
	if err != nil || len(b) != 32 {
		return nil, &rung.Error{Code: rung.CodeInternal, Place: string(d), What: "is no digest", Err: err}
	}
	return b, nil
}

// nanos is a time as the database has it: 0 for the zero time.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func fromNanos(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}
