package model

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/rung-dev/rung"
)

// A lane is the way to one provider: its limits are shared by all calls to it.
type lane struct {
	provider Provider
	slots    chan struct{}
	requests *rate.Limiter // per request; nil: no limit
	tokens   *rate.Limiter // per token; nil: no limit
	resume   atomic.Int64  // Unix nanoseconds before which the provider asked not to be called
}

const (
	defaultConcurrency = 4
	backoffBase        = 500 * time.Millisecond
	backoffCap         = 30 * time.Second
	// A server that asks for more patience than this is told to the user and not waited for.
	maxRetryAfter = 2 * time.Minute
)

func (d *Door) laneOf(ref rung.ModelRef) (*lane, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	name := ref.Provider()
	if l, ok := d.lanes[name]; ok {
		return l, nil
	}
	p, err := d.opt.Provider(name)
	if err != nil {
		return nil, err
	}
	l := newLane(p, ref, d.opt.Limits)
	d.lanes[name] = l
	return l, nil
}

func newLane(p Provider, ref rung.ModelRef, limits rung.Limits) *lane {
	n := limits.Concurrency
	if n <= 0 {
		n = p.Can(ref).Concurrency
	}
	if n <= 0 {
		n = defaultConcurrency
	}
	l := &lane{provider: p, slots: make(chan struct{}, n)}
	if limits.RPM > 0 {
		// A burst of one second's worth keeps the flow even; servers count by windows shorter than a minute.
		l.requests = rate.NewLimiter(rate.Limit(limits.RPM/60), int(math.Max(1, limits.RPM/60)))
	}
	if limits.TPM > 0 {
		l.tokens = rate.NewLimiter(rate.Limit(limits.TPM/60), int(math.Max(1, limits.TPM/6)))
	}
	return l
}

// ready is the lane's provider, if it can say before a call that it lacks something, such as a key.
func (l *lane) ready() (interface{ Ready(rung.ModelRef) error }, bool) {
	if l == nil {
		return nil, false
	}
	r, ok := l.provider.(interface{ Ready(rung.ModelRef) error })
	return r, ok
}

// admit waits until an attempt may start and takes a slot, which the caller gives back with l.release.
func (l *lane) admit(ctx context.Context, req Request) error {
	if err := sleepUntil(ctx, time.Unix(0, l.resume.Load())); err != nil {
		return err
	}
	if l.requests != nil {
		if err := l.requests.Wait(ctx); err != nil {
			return err
		}
	}
	if l.tokens != nil {
		if err := waitTokens(ctx, l.tokens, tokensUpTo(req)); err != nil {
			return err
		}
	}
	select {
	case l.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *lane) release() { <-l.slots }

// pause keeps all calls of the lane back: a rate limit that one call met holds for all of them.
func (l *lane) pause(d time.Duration) {
	until := time.Now().Add(d).UnixNano()
	for {
		old := l.resume.Load()
		if old >= until || l.resume.CompareAndSwap(old, until) {
			return
		}
	}
}

// waitTokens takes n tokens in parts, since a limiter gives no more than its burst at once.
func waitTokens(ctx context.Context, lim *rate.Limiter, n int) error {
	for n > 0 {
		part := min(n, lim.Burst())
		if err := lim.WaitN(ctx, part); err != nil {
			return err
		}
		n -= part
	}
	return nil
}

func sleepUntil(ctx context.Context, at time.Time) error {
	wait := time.Until(at)
	if wait <= 0 {
		return nil
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// answer makes attempts at a completion.
func (d *Door) answer(ctx context.Context, l *lane, req Request) (resp Response, attempts int, err error) {
	attempts, err = d.attempts(ctx, l, req, func(ctx context.Context) (err error) {
		resp, err = l.provider.Complete(ctx, req)
		return err
	})
	return resp, attempts, err
}

// attempts calls do until it succeeds, fails for good, or has been called often enough. It gives the number of calls.
func (d *Door) attempts(ctx context.Context, l *lane, req Request, do func(context.Context) error) (int, error) {
	for n := 1; ; n++ {
		if err := l.admit(ctx, req); err != nil {
			return n - 1, interrupted(ctx)
		}
		err := d.attempt(ctx, req, do)
		l.release()
		if err == nil {
			return n, nil
		}
		if ctx.Err() != nil {
			return n, interrupted(ctx)
		}
		var t *Transient
		if !errors.As(err, &t) || n > d.opt.Limits.Retries {
			return n, afterAttempts(asError(req, err), n, "")
		}
		if t.RetryAfter > maxRetryAfter {
			return n, afterAttempts(asError(req, err), n, fmt.Sprintf(
				"the server asks to wait %s, longer than the %s that rung waits", t.RetryAfter.Round(time.Second), maxRetryAfter))
		}
		if t.RetryAfter > 0 {
			l.pause(t.RetryAfter) // which the next attempt waits for, and all others with it
		}
		if err := sleepUntil(ctx, time.Now().Add(d.backoff(n))); err != nil {
			return n, interrupted(ctx)
		}
	}
}

// backoff is exponential with full jitter: uniform between nothing and a bound that doubles.
func (d *Door) backoff(attempt int) time.Duration {
	bound := backoffCap
	if attempt < 7 { // 500 ms · 2⁶ is past the cap
		bound = min(bound, backoffBase<<(attempt-1))
	}
	return time.Duration(d.opt.Rand() * float64(bound))
}

func (d *Door) attempt(ctx context.Context, req Request, do func(context.Context) error) error {
	limit := req.Timeout
	if limit <= 0 {
		limit = d.opt.Limits.Timeout
	}
	if limit <= 0 {
		limit = DefaultTimeout
	}
	own, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := do(own)
	if err != nil && own.Err() == context.DeadlineExceeded && ctx.Err() == nil {
		return lateError(req, limit, err)
	}
	return err
}
