package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/rung-dev/rung"
)

//go:embed migrations/*.sql
var migrations embed.FS

const (
	schemaVersion = 3 // the number of the last file in migrations; a test compares them
	schemaTable   = "rung_schema"

	// Locks of this database, by numbers that nothing else is likely to use: "rung" in hex, and which of ours.
	lockSpace  = 0x72756e67
	lockSchema = 1
	lockTraces = 2

	migrateTimeout = 2 * time.Minute
)

// migrate brings the schema up to date, on connections of its own. Gateways that start together take turns.
func (s *gateways) migrate(ctx context.Context, to *pgx.ConnConfig) error {
	ctx, cancel := context.WithTimeout(ctx, migrateTimeout)
	defer cancel()
	db := stdlib.OpenDB(*to)
	defer db.Close()
	if done, err := s.migrated(ctx, db); err != nil || done {
		return err
	}
	lock, err := db.Conn(ctx)
	if err != nil {
		return s.failed(err)
	}
	defer lock.Close() // gives the lock back
	if _, err := lock.ExecContext(ctx, "SELECT pg_advisory_lock($1, $2)", lockSpace, lockSchema); err != nil {
		return s.failed(err)
	}
	if done, err := s.migrated(ctx, db); err != nil || done {
		return errors.Join(err, s.unlock(ctx, lock))
	}
	return errors.Join(s.failed(up(ctx, db)), s.unlock(ctx, lock))
}

func (s *gateways) unlock(ctx context.Context, lock *sql.Conn) error {
	_, err := lock.ExecContext(ctx, "SELECT pg_advisory_unlock($1, $2)", lockSpace, lockSchema)
	return s.failed(err)
}

// migrated says that the schema is the one that this rung knows.
func (s *gateways) migrated(ctx context.Context, db *sql.DB) (bool, error) {
	var have sql.NullInt64
	var there bool
	err := db.QueryRowContext(ctx, "SELECT to_regclass($1) IS NOT NULL", schemaTable).Scan(&there)
	if err == nil && there {
		err = db.QueryRowContext(ctx, "SELECT max(version_id) FROM "+schemaTable+" WHERE is_applied").Scan(&have)
	}
	if err != nil {
		return false, s.failed(err)
	}
	if have.Int64 > schemaVersion {
		return false, &rung.Error{Code: rung.CodeStore, Place: s.place,
			What: fmt.Sprintf("the store was written by a newer rung (its schema is %d, this one knows %d)", have.Int64, schemaVersion),
			Do:   "upgrade rung, or choose another database"}
	}
	return have.Int64 == schemaVersion, nil
}

func up(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithDisableGlobalRegistry(true), goose.WithTableName(schemaTable))
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}
