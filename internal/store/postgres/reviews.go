package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
)

// PutReview adds a revision of a review.
func (s *gateways) PutReview(ctx context.Context, r rung.Review) error {
	body, err := json.Marshal(r)
	if err != nil {
		return s.failed(err)
	}
	return s.change(ctx, func(ctx context.Context, tx pgx.Tx) error {
		var last int
		if err := tx.QueryRow(ctx, "SELECT coalesce(max(revision), 0) FROM rung_reviews WHERE task = $1 AND version = $2", r.Task, r.Version).Scan(&last); err != nil {
			return err
		}
		if r.Revision != last+1 {
			return store.ReviewExists(r)
		}
		_, err := tx.Exec(ctx, "INSERT INTO rung_reviews (task, version, revision, body) VALUES ($1,$2,$3,$4)", r.Task, r.Version, r.Revision, body)
		return err
	})
}

// Reviews gives the newest revision of each review.
func (s *gateways) Reviews(ctx context.Context, task string) ([]rung.Review, error) {
	return bodies[rung.Review](ctx, s, `SELECT body FROM rung_reviews WHERE seq IN (SELECT max(seq) FROM rung_reviews WHERE $1 = '' OR task = $1 GROUP BY task, version)
		ORDER BY task, version`, task)
}

// mayPoint refuses an alias that demands a review which is not signed.
func mayPoint(ctx context.Context, tx pgx.Tx, task, version, alias string) error {
	if version == "" {
		return nil
	}
	var line rung.ReleaseLine
	ok, err := one(ctx, tx, &line, "SELECT body FROM rung_releases WHERE task = $1 AND version = $2", task, version)
	if !ok || err != nil || len(line.Review) == 0 {
		return err
	}
	var review rung.Review
	ok, err = one(ctx, tx, &review, "SELECT body FROM rung_reviews WHERE task = $1 AND version = $2 ORDER BY revision DESC LIMIT 1", task, version)
	if err != nil {
		return err
	}
	if !ok {
		return store.MayPoint(&line, alias, nil, time.Now())
	}
	return store.MayPoint(&line, alias, &review, time.Now())
}

// one reads one JSON body; false where there is none.
func one(ctx context.Context, tx pgx.Tx, into any, text string, args ...any) (bool, error) {
	var raw []byte
	err := tx.QueryRow(ctx, text, args...).Scan(&raw)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, into)
	}
	return err == nil, err
}
