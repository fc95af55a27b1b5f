package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/rung-dev/rung"
)

//go:embed migrations/*.sql gateway/*.sql
var migrations embed.FS

// schema is a directory of migrations with the number of the last one. A test compares them.
type schema struct {
	dir     string
	version int64
}

var (
	climbs   = schema{"migrations", 4}
	gateways = schema{"gateway", 3}
)

// migrate brings the schema up to date. Two processes may do it at once: each migration is a transaction, the one that comes
// second fails on it, looks again and finds it done. While a file turns to its write-ahead log, or the last one closes it, SQLite
// says that it is busy without waiting for as long as it was told to, so the waiting is done here.
func (s *file) migrate(ctx context.Context, to schema, busy time.Duration) error {
	for deadline := time.Now().Add(busy); ; {
		err := s.migrateNow(ctx, to)
		if !isBusy(err) || time.Now().After(deadline) {
			return s.failed(err)
		}
		select {
		case <-ctx.Done():
			return s.failed(ctx.Err())
		case <-time.After(time.Duration(1+rand.IntN(20)) * time.Millisecond):
		}
	}
}

func (s *file) migrateNow(ctx context.Context, to schema) error {
	var err error
	for range 5 {
		var have int64
		if have, err = s.version(ctx); err != nil {
			return err
		}
		if have == to.version {
			return nil
		}
		if have > to.version {
			return &rung.Error{Code: rung.CodeStore, Place: s.path,
				What: fmt.Sprintf("the store was written by a newer rung (its schema is %d, this one knows %d)", have, to.version),
				Do:   "upgrade rung, or choose another directory"}
		}
		if err = s.up(ctx, to); err == nil {
			return nil
		}
	}
	return err
}

// version reads the schema's version without goose, which would look at every migration each time a store is opened.
func (s *file) version(ctx context.Context) (int64, error) {
	var name string
	err := s.write.QueryRowContext(ctx, "SELECT name FROM sqlite_schema WHERE name = 'goose_db_version'").Scan(&name)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	var v sql.NullInt64
	err = s.write.QueryRowContext(ctx, "SELECT max(version_id) FROM goose_db_version WHERE is_applied").Scan(&v)
	return v.Int64, err
}

func (s *file) up(ctx context.Context, to schema) error {
	files, err := fs.Sub(migrations, to.dir)
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, s.write, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}
