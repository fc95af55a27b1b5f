package sqlite

import (
	"context"
	"strings"

	"github.com/rung-dev/rung/internal/store"
)

const putEvaluation = `INSERT INTO evaluations (id, task, subject, suite, document, started_ns) VALUES (?,?,?,?,?,?)
	ON CONFLICT (id) DO UPDATE SET task=excluded.task, subject=excluded.subject, suite=excluded.suite,
	document=excluded.document, started_ns=excluded.started_ns`

// PutEvaluation keeps e under its ID.
func (s *Store) PutEvaluation(ctx context.Context, e store.Evaluation) error {
	body := s.pack.Pack(e.Document)
	return s.put(ctx, func(t *tx) error {
		return t.exec(putEvaluation, e.ID, e.Task, string(e.Subject), string(e.Suite), body, nanos(e.Started))
	})
}

// Evaluations gives the newest evaluations first.
func (s *Store) Evaluations(ctx context.Context, limit int) ([]store.Evaluation, error) {
	if limit <= 0 {
		limit = -1 // SQLite's word for all
	}
	return s.evaluations(ctx, "ORDER BY started_ns DESC, id DESC LIMIT ?", limit)
}

// Evaluation finds an evaluation by its ID, a prefix of it, or "latest".
func (s *Store) Evaluation(ctx context.Context, id string) (store.Evaluation, error) {
	var found []store.Evaluation
	var err error
	if id == "latest" {
		found, err = s.Evaluations(ctx, 1)
	} else {
		found, err = s.evaluations(ctx, "WHERE id = ? OR substr(id, 1, ?) = ? ORDER BY id = ? DESC LIMIT 2", id, len([]rune(id)), id, id)
	}
	switch {
	case err != nil:
		return store.Evaluation{}, err
	case len(found) == 0 || strings.TrimSpace(id) == "":
		return store.Evaluation{}, notFound("evaluation", id, "rung eval TASK SUBJECT makes one, rung eval --list lists them")
	case len(found) > 1 && found[0].ID != id:
		return store.Evaluation{}, ambiguous("evaluation", id)
	}
	return found[0], nil
}

func (s *Store) evaluations(ctx context.Context, clause string, args ...any) ([]store.Evaluation, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT id, task, subject, suite, document, started_ns FROM evaluations "+clause, args...)
	if err != nil {
		return nil, s.failed(err)
	}
	defer rows.Close()
	var out []store.Evaluation
	for rows.Next() {
		var e store.Evaluation
		var body []byte
		var started int64
		if err := rows.Scan(&e.ID, &e.Task, &e.Subject, &e.Suite, &body, &started); err != nil {
			return nil, s.failed(err)
		}
		doc, err := s.pack.Unpack(body)
		if err != nil {
			return nil, s.damaged(err)
		}
		if len(doc) > 0 {
			e.Document = doc
		}
		e.Started = fromNanos(started)
		out = append(out, e)
	}
	return out, s.failed(rows.Err())
}
