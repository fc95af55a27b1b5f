package postgres

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
)

// errSame ends a change that would change nothing.
var errSame = errors.New("it is there already")

// PutRelease records a release.
func (s *gateways) PutRelease(ctx context.Context, r rung.ReleaseLine) error {
	body, err := json.Marshal(r)
	if err != nil {
		return s.failed(err)
	}
	err = s.change(ctx, func(ctx context.Context, tx pgx.Tx) error {
		var there rung.Digest
		err := tx.QueryRow(ctx, "SELECT digest FROM rung_releases WHERE task = $1 AND version = $2", r.Task, r.Version).Scan(&there)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			_, err = tx.Exec(ctx, "INSERT INTO rung_releases (task, version, digest, at_ns, body) VALUES ($1,$2,$3,$4,$5)", r.Task, r.Version, string(r.Digest), nanos(r.At), body)
			return err
		case err != nil:
			return err
		case there != r.Digest:
			return store.ReleaseExists(r, there)
		}
		return errSame
	})
	if errors.Is(err, errSame) {
		return nil
	}
	return err
}

// Releases gives the releases of a task, or of all tasks, newest first.
func (s *gateways) Releases(ctx context.Context, task string) ([]rung.ReleaseLine, error) {
	return bodies[rung.ReleaseLine](ctx, s, "SELECT body FROM rung_releases WHERE $1 = '' OR task = $1 ORDER BY at_ns DESC, seq DESC", task)
}

// NextVersion is the next free version of the form v1, v2, ….
func (s *gateways) NextVersion(ctx context.Context, task string) (string, error) {
	versions, err := query(ctx, s, pgx.RowTo[string], "SELECT version FROM rung_releases WHERE task = $1", task)
	return store.NextVersion(versions), err
}

// MoveAlias points an alias at a version, provided that it points at m.From now.
func (s *gateways) MoveAlias(ctx context.Context, m rung.AliasMove) error {
	return s.change(ctx, func(ctx context.Context, tx pgx.Tx) error { return move(ctx, tx, m) })
}

func move(ctx context.Context, tx pgx.Tx, m rung.AliasMove) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	var now string
	err = tx.QueryRow(ctx, "SELECT version FROM rung_moves WHERE task = $1 AND alias = $2 ORDER BY seq DESC LIMIT 1", m.Task, m.Alias).Scan(&now)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	if now != m.From {
		return store.AliasMoved(m, now)
	}
	if err := mayPoint(ctx, tx, m.Task, m.Version, m.Alias); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "INSERT INTO rung_moves (task, alias, version, body) VALUES ($1,$2,$3,$4)", m.Task, m.Alias, m.Version, body)
	return err
}

// Aliases gives the last move of every alias that points somewhere.
func (s *gateways) Aliases(ctx context.Context, task string) ([]rung.AliasMove, error) {
	return bodies[rung.AliasMove](ctx, s, `SELECT body FROM rung_moves WHERE seq IN (SELECT max(seq) FROM rung_moves WHERE $1 = '' OR task = $1 GROUP BY task, alias)
		AND version <> '' ORDER BY task, alias`, task)
}

// AliasHistory gives the moves of a task's aliases, newest first.
func (s *gateways) AliasHistory(ctx context.Context, task string, limit int) ([]rung.AliasMove, error) {
	return bodies[rung.AliasMove](ctx, s, "SELECT body FROM rung_moves WHERE task = $1 ORDER BY seq DESC LIMIT nullif(greatest($2::bigint, 0), 0)", task, limit)
}
