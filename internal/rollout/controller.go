package rollout

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rung-dev/rung"
)

// Store is what a controller needs of store.Serving.
type Store interface {
	Aliases(ctx context.Context, task string) ([]rung.AliasMove, error)
	Rollouts(ctx context.Context, task string, active bool) ([]rung.Rollout, error)
	EndRollout(ctx context.Context, r rung.Rollout, move *rung.AliasMove) (rung.Rollout, error)
	PutMoments(ctx context.Context, rollout, gateway string, m map[string]map[string]rung.Moments) error
	Moments(ctx context.Context, rollout string) (map[string]map[string]rung.Moments, error)
	Revision(ctx context.Context) (int64, error)
}

// Config is how a controller runs. Zero values mean the defaults.
type Config struct {
	Gateway string           // name of this gateway
	Every   time.Duration    // between two turns of the loop; 250 ms
	Timeout time.Duration    // of one call to the store; 5 s
	Log     *slog.Logger     // what was decided and what failed; none
	Now     func() time.Time // time.Now
	Changed func()           // called after aliases or rollouts have changed, from the loop
}

// Controller routes this gateway's requests and watches its rollouts. Route and Observe are for every request and touch no store;
// Run does the rest. Where the store fails, routing goes on as it was.
type Controller struct {
	store  Store
	config Config
	// gateway names this process in the store: what an earlier start has observed stands under its own name, so it is neither
	// overwritten nor counted twice.
	gateway string
	now     atomic.Pointer[snapshot]
	turn    sync.Mutex // one turn at a time
}

// New reads where the aliases point and which rollouts are active. Errors are those of the store.
func New(ctx context.Context, st Store, config Config) (*Controller, error) {
	if config.Every <= 0 {
		config.Every = 250 * time.Millisecond
	}
	if config.Timeout <= 0 {
		config.Timeout = 5 * time.Second
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	start := make([]byte, 8)
	_, _ = rand.Read(start) // it never fails (crypto/rand)
	c := &Controller{store: st, config: config, gateway: config.Gateway + "/" + hex.EncodeToString(start)}
	c.now.Store(&snapshot{revision: -1})
	return c, c.Refresh(ctx)
}

// Run takes a turn every Config.Every until ctx ends, then flushes once more.
func (c *Controller) Run(ctx context.Context) {
	tick := time.NewTicker(c.config.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.config.Timeout)
			defer cancel()
			c.note(c.Flush(last))
			return
		case <-tick.C:
			if err := c.Turn(ctx); ctx.Err() == nil {
				c.note(err)
			}
		}
	}
}

func (c *Controller) note(err error) {
	if err != nil {
		c.config.Log.Error("the rollouts could not be brought up to date; routing goes on as it was", "error", err)
	}
}

// Turn takes in changes of the store, gives it what this gateway has observed, and judges. One rollout's failure does not keep
// the others from their turn.
func (c *Controller) Turn(ctx context.Context) error {
	if err := c.Refresh(ctx); err != nil {
		return err
	}
	errs := []error{c.Flush(ctx)}
	for _, l := range c.now.Load().byID {
		errs = append(errs, c.judge(ctx, &l.rollout))
	}
	return errors.Join(errs...)
}

// Observe takes in what a request showed: metric → value. Feedback may come long after; what comes after the end of the rollout
// is ignored, and so are unknown metrics and rollouts. values is not kept.
func (c *Controller) Observe(rollout, arm string, values map[string]float64) {
	l := c.now.Load().byID[rollout]
	switch {
	case l == nil:
	case arm == l.tally.arms[1]:
		l.tally.Observe(true, values)
	case arm == Baseline:
		l.tally.Observe(false, values)
	}
}

// ObserveShadow takes in a request that the shadow answered too: metrics of both, and whether the answers are the same.
func (c *Controller) ObserveShadow(rollout string, baseline, shadow map[string]float64, same bool) {
	if l := c.now.Load().byID[rollout]; l != nil && l.rollout.Mode == rung.Shadow {
		l.tally.observeBoth(baseline, shadow, same)
	}
}

// Refresh takes in what has changed in the store.
func (c *Controller) Refresh(ctx context.Context) error {
	c.turn.Lock()
	defer c.turn.Unlock()
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	// The revision is read first: a change while the rest is read is taken in once more in the next turn.
	revision, err := c.store.Revision(ctx)
	if err != nil || revision == c.now.Load().revision {
		return err
	}
	aliases, err := c.store.Aliases(ctx, "")
	if err != nil {
		return err
	}
	rollouts, err := c.store.Rollouts(ctx, "", true)
	if err != nil {
		return err
	}
	c.now.Store(c.take(revision, aliases, rollouts))
	if c.config.Changed != nil {
		c.config.Changed()
	}
	return nil
}

// take makes the next snapshot; rollouts that go on keep their tallies.
func (c *Controller) take(revision int64, aliases []rung.AliasMove, rollouts []rung.Rollout) *snapshot {
	before := c.now.Load()
	s := &snapshot{revision: revision, aliases: map[aliasKey]string{}, active: map[aliasKey]*live{}, byID: map[string]*live{}}
	for _, a := range aliases {
		if a.Version != "" {
			s.aliases[aliasKey{a.Task, a.Alias}] = a.Version
		}
	}
	for _, r := range rollouts {
		l := &live{rollout: r}
		if old := before.byID[r.ID]; old != nil {
			l.tally, l.keys = old.tally, old.keys
			l.tally.shareChanged(&r)
		} else {
			l.tally = NewTally(&r)
			if r.Mode == rung.AB {
				l.keys = &seenKeys{}
			}
		}
		s.byID[r.ID] = l
		// Somebody moved the alias by hand while the rollout ran: their word counts, and judge ends the rollout.
		if at := (aliasKey{r.Task, r.Alias}); s.aliases[at] == r.Baseline {
			s.active[at] = l
		}
	}
	return s
}

// Flush gives the store what this gateway has observed since it did last.
func (c *Controller) Flush(ctx context.Context) error {
	var errs []error
	for id, l := range c.now.Load().byID {
		errs = append(errs, c.flush(ctx, id, l.tally))
	}
	return errors.Join(errs...)
}

func (c *Controller) flush(ctx context.Context, id string, t *Tally) error {
	m, mark := t.fresh()
	if m == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	if err := c.store.PutMoments(ctx, id, c.gateway, m); err != nil {
		return err
	}
	t.keep(mark)
	return nil
}
