package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/rung-dev/rung/internal/store"
)

// Freeze records which held-out set a task has, and gives the last record if it was of another set.
func (s *Store) Freeze(ctx context.Context, f store.Frozen) (*store.Frozen, error) {
	var previous *store.Frozen
	err := s.put(ctx, func(t *tx) error {
		previous = nil
		last := store.Frozen{Task: f.Task, File: f.File}
		var at int64
		err := t.queryRow("SELECT digest, n, at_ns FROM heldouts WHERE task = ? AND file = ? ORDER BY id DESC LIMIT 1",
			[]any{f.Task, f.File}, &last.Digest, &last.N, &at)
		switch {
		case err == nil && last.Digest == f.Digest:
			return nil
		case err == nil:
			last.At = fromNanos(at)
			previous = &last
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		return t.exec("INSERT INTO heldouts (task, file, digest, n, at_ns) VALUES (?,?,?,?,?)", f.Task, f.File, string(f.Digest), f.N, nanos(f.At))
	})
	if err != nil {
		return nil, err
	}
	return previous, nil
}

const putRun = `INSERT INTO runs (id, task, status, document, started_ns, ended_ns) VALUES (?,?,?,?,?,?)
	ON CONFLICT (id) DO UPDATE SET task=excluded.task, status=excluded.status, document=excluded.document,
	started_ns=excluded.started_ns, ended_ns=excluded.ended_ns`

// PutRun keeps r under its ID.
func (s *Store) PutRun(ctx context.Context, r store.Run) error {
	body := s.pack.Pack(r.Document)
	return s.put(ctx, func(t *tx) error {
		return t.exec(putRun, r.ID, r.Task, string(r.Status), body, nanos(r.Started), nanos(r.Ended))
	})
}

// Runs gives the newest runs first.
func (s *Store) Runs(ctx context.Context, limit int) ([]store.Run, error) {
	if limit <= 0 {
		limit = -1 // SQLite's word for all
	}
	return s.runs(ctx, "ORDER BY started_ns DESC, id DESC LIMIT ?", limit)
}

// Run finds a run by its ID, a prefix of it, or "latest".
func (s *Store) Run(ctx context.Context, id string) (store.Run, error) {
	if id == "latest" {
		rs, err := s.Runs(ctx, 1)
		if err == nil && len(rs) == 0 {
			err = notFound("run", id, "rung climb TASK makes one")
		}
		if err != nil {
			return store.Run{}, err
		}
		return rs[0], nil
	}
	rs, err := s.runs(ctx, "WHERE id = ? OR substr(id, 1, ?) = ? ORDER BY id = ? DESC LIMIT 2", id, len([]rune(id)), id, id)
	switch {
	case err != nil:
		return store.Run{}, err
	case len(rs) == 0 || strings.TrimSpace(id) == "":
		return store.Run{}, notFound("run", id, "rung runs lists them")
	case len(rs) > 1 && rs[0].ID != id:
		return store.Run{}, ambiguous("run", id)
	}
	return rs[0], nil
}

func (s *Store) runs(ctx context.Context, clause string, args ...any) ([]store.Run, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT id, task, status, document, started_ns, ended_ns FROM runs "+clause, args...)
	if err != nil {
		return nil, s.failed(err)
	}
	defer rows.Close()
	var out []store.Run
	for rows.Next() {
		var r store.Run
		var body []byte
		var started, ended int64
		if err := rows.Scan(&r.ID, &r.Task, &r.Status, &body, &started, &ended); err != nil {
			return nil, s.failed(err)
		}
		doc, err := s.pack.Unpack(body)
		if err != nil {
			return nil, s.damaged(err)
		}
		if len(doc) > 0 {
			r.Document = doc
		}
		r.Started, r.Ended = fromNanos(started), fromNanos(ended)
		out = append(out, r)
	}
	return out, s.failed(rows.Err())
}
