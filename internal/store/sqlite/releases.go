package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
)

// errSame ends a change that would change nothing.
var errSame = errors.New("it is there already")

// PutRelease records a release.
func (s *gateway) PutRelease(ctx context.Context, r rung.ReleaseLine) error {
	body, err := json.Marshal(r)
	if err != nil {
		return s.failed(err)
	}
	err = s.change(ctx, func(t *tx) error {
		var there rung.Digest
		err := t.queryRow("SELECT digest FROM releases WHERE task = ? AND version = ?", []any{r.Task, r.Version}, &there)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return t.exec("INSERT INTO releases (task, version, digest, at_ns, body) VALUES (?,?,?,?,?)", r.Task, r.Version, string(r.Digest), nanos(r.At), body)
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
func (s *gateway) Releases(ctx context.Context, task string) ([]rung.ReleaseLine, error) {
	return bodies[rung.ReleaseLine](ctx, s, "SELECT body FROM releases WHERE ?1 = '' OR task = ?1 ORDER BY at_ns DESC, seq DESC", task)
}

// NextVersion is the next free version of the form v1, v2, ….
func (s *gateway) NextVersion(ctx context.Context, task string) (string, error) {
	lines, err := s.Releases(ctx, task)
	if err != nil {
		return "", err
	}
	var versions []string
	for _, r := range lines {
		if r.Task == task {
			versions = append(versions, r.Version)
		}
	}
	return store.NextVersion(versions), nil
}

// MoveAlias points an alias at a version, provided that it points at m.From now.
func (s *gateway) MoveAlias(ctx context.Context, m rung.AliasMove) error {
	return s.change(ctx, func(t *tx) error { return t.move(m) })
}

func (t *tx) move(m rung.AliasMove) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	var now string
	err = t.queryRow("SELECT version FROM moves WHERE task = ? AND alias = ? ORDER BY seq DESC LIMIT 1", []any{m.Task, m.Alias}, &now)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if now != m.From {
		return store.AliasMoved(m, now)
	}
	if err := t.mayPoint(m.Task, m.Version, m.Alias); err != nil {
		return err
	}
	return t.exec("INSERT INTO moves (task, alias, version, body) VALUES (?,?,?,?)", m.Task, m.Alias, m.Version, body)
}

// Aliases gives the last move of every alias that points somewhere.
func (s *gateway) Aliases(ctx context.Context, task string) ([]rung.AliasMove, error) {
	return bodies[rung.AliasMove](ctx, s, `SELECT body FROM moves WHERE seq IN (SELECT max(seq) FROM moves WHERE ?1 = '' OR task = ?1 GROUP BY task, alias)
		AND version <> '' ORDER BY task, alias`, task)
}

// AliasHistory gives the moves of a task's aliases, newest first.
func (s *gateway) AliasHistory(ctx context.Context, task string, limit int) ([]rung.AliasMove, error) {
	if limit <= 0 {
		limit = -1 // SQLite's word for all
	}
	return bodies[rung.AliasMove](ctx, s, "SELECT body FROM moves WHERE task = ? ORDER BY seq DESC LIMIT ?", task, limit)
}
