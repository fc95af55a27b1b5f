package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
)

// PutRollout makes or changes a rollout.
func (s *gateway) PutRollout(ctx context.Context, r rung.Rollout) (rung.Rollout, error) {
	return s.EndRollout(ctx, r, nil)
}

// EndRollout changes a rollout and moves its alias: both happen or neither.
func (s *gateway) EndRollout(ctx context.Context, r rung.Rollout, move *rung.AliasMove) (rung.Rollout, error) {
	next := r
	next.Revision++
	body, err := json.Marshal(next)
	if err != nil {
		return r, s.failed(err)
	}
	err = s.change(ctx, func(t *tx) error {
		if r.Revision == 0 && r.Mode != rung.Shadow { // its answers reach callers from now on
			if err := t.mayPoint(r.Task, r.Target, r.Alias); err != nil {
				return err
			}
		}
		if err := t.swapRollout(&r, body); err != nil || move == nil {
			return err
		}
		return t.move(*move)
	})
	if err != nil {
		return r, err
	}
	return next, nil
}

// swapRollout replaces the rollout that has r's revision by body.
func (t *tx) swapRollout(r *rung.Rollout, body []byte) error {
	var now int64
	err := t.queryRow("SELECT revision FROM rollouts WHERE id = ?", []any{r.ID}, &now)
	missing := errors.Is(err, sql.ErrNoRows)
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
		err := t.queryRow("SELECT id FROM rollouts WHERE task = ? AND alias = ? AND state = 'active' AND id <> ?", []any{r.Task, r.Alias, r.ID}, &other)
		if err == nil {
			return store.RolloutActive(*r, other)
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
	}
	return t.exec(`INSERT INTO rollouts (id, task, alias, state, revision, body) VALUES (?,?,?,?,?,?)
		ON CONFLICT (id) DO UPDATE SET task=excluded.task, alias=excluded.alias, state=excluded.state, revision=excluded.revision, body=excluded.body`,
		r.ID, r.Task, r.Alias, string(r.State), r.Revision+1, body)
}

// Rollouts gives rollouts, newest first.
func (s *gateway) Rollouts(ctx context.Context, task string, active bool) ([]rung.Rollout, error) {
	return bodies[rung.Rollout](ctx, s, "SELECT body FROM rollouts WHERE (?1 = '' OR task = ?1) AND (NOT ?2 OR state = 'active') ORDER BY seq DESC", task, active)
}

// PutMoments replaces what one gateway has observed in a rollout.
func (s *gateway) PutMoments(ctx context.Context, rollout, gateway string, m map[string]map[string]rung.Moments) error {
	body, err := json.Marshal(m)
	if err != nil {
		return s.failed(err)
	}
	return s.put(ctx, func(t *tx) error {
		return t.exec("INSERT INTO moments (rollout, gateway, body) VALUES (?,?,?) ON CONFLICT (rollout, gateway) DO UPDATE SET body=excluded.body", rollout, gateway, body)
	})
}

// Moments gives what all gateways have observed in a rollout.
func (s *gateway) Moments(ctx context.Context, rollout string) (map[string]map[string]rung.Moments, error) {
	all, err := bodies[map[string]map[string]rung.Moments](ctx, s, "SELECT body FROM moments WHERE rollout = ? ORDER BY gateway", rollout)
	out := map[string]map[string]rung.Moments{}
	for _, one := range all {
		store.MergeMoments(out, one)
	}
	return out, err
}
