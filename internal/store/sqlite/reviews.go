package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
)

// PutReview adds a revision of a review.
func (s *gateway) PutReview(ctx context.Context, r rung.Review) error {
	body, err := json.Marshal(r)
	if err != nil {
		return s.failed(err)
	}
	return s.change(ctx, func(t *tx) error {
		var last int
		if err := t.queryRow("SELECT coalesce(max(revision), 0) FROM reviews WHERE task = ? AND version = ?", []any{r.Task, r.Version}, &last); err != nil {
			return err
		}
		if r.Revision != last+1 {
			return store.ReviewExists(r)
		}
		return t.exec("INSERT INTO reviews (task, version, revision, body) VALUES (?,?,?,?)", r.Task, r.Version, r.Revision, body)
	})
}

// Reviews gives the newest revision of each review.
func (s *gateway) Reviews(ctx context.Context, task string) ([]rung.Review, error) {
	return bodies[rung.Review](ctx, s, `SELECT body FROM reviews WHERE seq IN (SELECT max(seq) FROM reviews WHERE ?1 = '' OR task = ?1 GROUP BY task, version)
		ORDER BY task, version`, task)
}

// mayPoint refuses an alias that demands a review which is not signed.
func (t *tx) mayPoint(task, version, alias string) error {
	if version == "" {
		return nil
	}
	var line rung.ReleaseLine
	if ok, err := t.body("SELECT body FROM releases WHERE task = ? AND version = ?", []any{task, version}, &line); !ok || err != nil || len(line.Review) == 0 {
		return err
	}
	var review rung.Review
	ok, err := t.body("SELECT body FROM reviews WHERE task = ? AND version = ? ORDER BY revision DESC LIMIT 1", []any{task, version}, &review)
	if err != nil {
		return err
	}
	if !ok {
		return store.MayPoint(&line, alias, nil, time.Now())
	}
	return store.MayPoint(&line, alias, &review, time.Now())
}

// body reads one JSON body; false where there is none.
func (t *tx) body(query string, args []any, into any) (bool, error) {
	var raw []byte
	err := t.queryRow(query, args, &raw)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, into)
	}
	return err == nil, err
}
