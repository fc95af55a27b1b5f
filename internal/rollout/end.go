package rollout

import (
	"context"
	"fmt"
	"time"

	"github.com/rung-dev/rung"
)

// judge ends a rollout that has lost its sense and, where it is to run by itself, one for which the evidence of all gateways asks.
func (c *Controller) judge(ctx context.Context, r *rung.Rollout) error {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	if end := c.overtaken(r); end != "" {
		return c.end(ctx, r, rung.Cancelled, end)
	}
	if !r.Auto {
		return nil
	}
	seen, err := c.store.Moments(ctx, r.ID)
	if err != nil {
		return err
	}
	switch Decide(r, seen) {
	case Promote:
		return c.end(ctx, r, rung.Promoted, Judge(r, seen).Reason)
	case RollBack:
		return c.end(ctx, r, rung.RolledBack, Judge(r, seen).Reason)
	}
	return nil
}

// overtaken says why a rollout has lost its sense: somebody has moved its alias.
func (c *Controller) overtaken(r *rung.Rollout) string {
	now := c.now.Load().aliases[aliasKey{r.Task, r.Alias}]
	if now == r.Baseline {
		return ""
	}
	return fmt.Sprintf("%s was moved from %s to %s while the rollout ran", r.Alias, r.Baseline, orNone(now))
}

func orNone(version string) string {
	if version == "" {
		return "nothing"
	}
	return version
}

// end ends a rollout. A conflict means that another gateway or a person did it first. Either way the next request of this gateway
// goes by what the store says now.
func (c *Controller) end(ctx context.Context, r *rung.Rollout, state rung.RolloutState, why string) error {
	_, err := End(ctx, c.store, *r, state, "rollout "+r.ID, why, c.config.Now())
	if err == nil {
		c.config.Log.Warn("rollout ended", "rollout", r.ID, "task", r.Task, "target", r.Target, "state", state, "why", why)
	} else if rung.CodeOf(err) != rung.CodeConflict {
		return err
	}
	return c.Refresh(ctx)
}

// Ender ends rollouts; a part of Store.
type Ender interface {
	EndRollout(ctx context.Context, r rung.Rollout, move *rung.AliasMove) (rung.Rollout, error)
}

// End ends a rollout as promoted (its alias moves to the target), rolled back or cancelled (the alias stays at the baseline). A
// CodeConflict means that it was changed in the meantime. The reason it was started for stays before the one it ended for.
func End(ctx context.Context, st Ender, r rung.Rollout, state rung.RolloutState, by, why string, at time.Time) (rung.Rollout, error) {
	r.State, r.Ended = state, at.UTC()
	if r.Why == "" {
		r.Why = why
	} else if why != "" {
		r.Why += "; ended: " + why
	}
	if state != rung.Promoted {
		return st.EndRollout(ctx, r, nil)
	}
	return st.EndRollout(ctx, r, &rung.AliasMove{Task: r.Task, Alias: r.Alias, Version: r.Target, From: r.Baseline, By: by, Why: why, At: r.Ended})
}
