// Package postgres keeps what gateways share in a Postgres database, for several gateways on one store. Changes of releases,
// aliases, rollouts and keys take turns on the row of the revision; batches of traces take turns on a lock, so that the order of
// their numbers is the order in which readers see them.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/store/blocks"
	"github.com/rung-dev/rung/internal/store/pack"
)

// gateways is what gateways keep, in one database.
type gateways struct {
	pool     *pgxpool.Pool
	pack     *pack.Packer
	place    string // host and database, for errors
	password string // is taken out of what drivers say
}

var (
	_ store.Serving    = (*gateways)(nil)
	_ blocks.Source    = (*gateways)(nil)
	_ blocks.Dropper   = (*gateways)(nil)
	_ blocks.Corrector = (*gateways)(nil)
)

const (
	connections    = 8
	connectTimeout = 5 * time.Second
	callTimeout    = 15 * time.Second // of one call, waiting for others included
)

// Open opens the store in the database that a URL or a list of key=value names, as libpq takes them, and makes its tables where
// there are none. The pool may be set with pool_max_conns (8). No error holds the password.
func Open(ctx context.Context, url string) (store.Serving, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil { // the cause may quote the URL, and so the password
		return nil, &rung.Error{Code: rung.CodeUsage, Place: "database URL", What: "it cannot be read",
			Do: "write it as postgres://USER:PASSWORD@HOST:PORT/DATABASE, with %XX for signs in the password that URLs do not allow"}
	}
	to := cfg.ConnConfig
	if to.ConnectTimeout <= 0 || to.ConnectTimeout > time.Minute { // libpq's default is to wait for ever, pgx's two minutes
		to.ConnectTimeout = connectTimeout
	}
	if to.RuntimeParams["application_name"] == "" {
		to.RuntimeParams["application_name"] = "rung"
	}
	if !strings.Contains(url, "pool_max_conns") {
		cfg.MaxConns = connections
	}
	s := &gateways{pack: pack.New(), place: fmt.Sprintf("postgres %s:%d/%s", to.Host, to.Port, to.Database), password: to.Password}
	if err := s.migrate(ctx, to); err != nil {
		return nil, err
	}
	if s.pool, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		return nil, s.failed(err)
	}
	return s, nil
}

// Close ends the connections. Calls that come later fail.
func (s *gateways) Close() error {
	s.pool.Close()
	return nil
}

// call runs do within the time of a call. What may be done twice is done again when the connection was lost.
func (s *gateways) call(ctx context.Context, twice bool, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, callTimeout, errSlow)
	defer cancel()
	err := do(ctx)
	if err != nil && ctx.Err() == nil && (safeToRetry(err) || twice && lost(err)) {
		err = do(ctx)
	}
	if err != nil && errors.Is(context.Cause(ctx), errSlow) {
		err = errSlow
	}
	return s.failed(err)
}

// again is a call that may be done twice; once is one that may not, as a second time would find its own change in the way.
func (s *gateways) again(ctx context.Context, do func(context.Context) error) error {
	return s.call(ctx, true, do)
}

func (s *gateways) once(ctx context.Context, do func(context.Context) error) error {
	return s.call(ctx, false, do)
}

// change does in one transaction what gateways watch. The revision grows with it, and its row makes changes take turns.
func (s *gateways) change(ctx context.Context, do func(context.Context, pgx.Tx) error) error {
	return s.once(ctx, func(ctx context.Context) error {
		return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "UPDATE rung_revision SET n = n + 1"); err != nil {
				return err
			}
			return do(ctx, tx)
		})
	})
}

// exec runs one statement that may be done twice.
func (s *gateways) exec(ctx context.Context, query string, args ...any) error {
	return s.again(ctx, func(ctx context.Context) error {
		_, err := s.pool.Exec(ctx, query, args...)
		return err
	})
}

// query reads rows, each with scan.
func query[T any](ctx context.Context, s *gateways, scan pgx.RowToFunc[T], text string, args ...any) (out []T, err error) {
	err = s.again(ctx, func(ctx context.Context) error {
		rows, err := s.pool.Query(ctx, text, args...)
		if err != nil {
			return err
		}
		out, err = pgx.CollectRows(rows, scan)
		return err
	})
	if len(out) == 0 {
		out = nil
	}
	return out, err
}

func (s *gateways) reader() blocks.Reader { return blocks.Reader{Source: s, Pack: s.pack} }
