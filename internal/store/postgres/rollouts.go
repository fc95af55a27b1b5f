package postgres

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
)

// PutRollout makes or changes a rollout.
func (s *gateways) PutRollout(ctx context.Context, r rung.Rollout) (rung.Rollout, error) {
	return s.EndRollout(ctx, r, nil)
}

// EndRollout changes a rollout and moves its alias: both happen or neither.
func (s *gateways) EndRollout(ctx context.Context, r rung.Rollout, to *rung.AliasMove) (rung.Rollout, error) {
	next := r
	next.Revision++
	body, err := json.Marshal(next)
	if err != nil {
		return r, s.failed(err)
	}
	err = s.change(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if r.Revision == 0 && r.Mode != rung.Shadow { // its answers reach callers from now on
			if err := mayPoint(ctx, tx, r.Task, r.Target, r.Alias); err != nil {
				return err
			}
		}
		if err := swapRollout(ctx, tx, &r, body); err != nil || to == nil {
			return err
		}
		return move(ctx, tx, *to)
	})
	if err != nil {
		return r, err
	}
	return next, nil
}

// swapRollout replaces the rollout that has r's revision by body.
func swapRollout(ctx context.Context, tx pgx.Tx, r *rung.Rollout, body []byte) error {
	var now int64
	err := tx.QueryRow(ctx, "SELECT revision FROM rung_rollouts WHERE id = $1", r.ID).Scan(&now)
	missing := errors.Is(err, pgx.ErrNoRows)
	switch {
	case err != nil && !missing:
		return err
	case missing && r.Revision != 0:
		return store.NoRollout(r.ID)
	case now != r.Revision:
		return store.RolloutChanged(*r, now)
	}
	if r.State == rung.Active {
		var other string
		err := tx.QueryRow(ctx, "SELECT id FROM rung_rollouts WHERE task = $1 AND alias = $2 AND state = 'active' AND id <> $3", r.Task, r.Alias, r.ID).Scan(&other)
		if err == nil {
			return store.RolloutActive(*r, other)
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
	}
	_, err = tx.Exec(ctx, `INSERT INTO rung_rollouts (id, task, alias, state, revision, body) VALUES ($1,$2,$3,$4,$5,$6)
		ON CONFLICT (id) DO UPDATE SET task=excluded.task, alias=excluded.alias, state=excluded.state, revision=excluded.revision, body=excluded.body`,
		r.ID, r.Task, r.Alias, string(r.State), r.Revision+1, body)
	return err
}

// Rollouts gives rollouts, newest first.
func (s *gateways) Rollouts(ctx context.Context, task string, active bool) ([]rung.Rollout, error) {
	return bodies[rung.Rollout](ctx, s, "SELECT body FROM rung_rollouts WHERE ($1 = '' OR task = $1) AND (NOT $2::boolean OR state = 'active') ORDER BY seq DESC", task, active)
}

// PutMoments replaces what one gateway has observed in a rollout.
func (s *gateways) PutMoments(ctx context.Context, rollout, gateway string, m map[string]map[string]rung.Moments) error {
	body, err := json.Marshal(m)
	if err != nil {
		return s.failed(err)
	}
	return s.exec(ctx, "INSERT INTO rung_moments (rollout, gateway, body) VALUES ($1,$2,$3) ON CONFLICT (rollout, gateway) DO UPDATE SET body=excluded.body", rollout, gateway, body)
}

// Moments gives what all gateways have observed in a rollout.
func (s *gateways) Moments(ctx context.Context, rollout string) (map[string]map[string]rung.Moments, error) {
	all, err := bodies[map[string]map[string]rung.Moments](ctx, s, "SELECT body FROM rung_moments WHERE rollout = $1 ORDER BY gateway", rollout)
	out := map[string]map[string]rung.Moments{}
	for _, one := range all {
		store.MergeMoments(out, one)
	}
	return out, err
}
