package model

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/rung-dev/rung"
)

// CompletionStore keeps completions by their key. A completion that PutCompletion acknowledged is there after a SIGKILL.
type CompletionStore interface {
	// Completion finds a completion; false when there is none.
	Completion(ctx context.Context, key rung.Digest) (rung.Completion, bool, error)
	// PutCompletion keeps c under c.Key, in place of an older one.
	PutCompletion(ctx context.Context, c rung.Completion) error
}

// Options are what a door needs.
type Options struct {
	Store CompletionStore
	// Provider finds a provider by the part of a model reference before the slash. It is asked once per name.
	Provider func(name string) (Provider, error)
	Limits   rung.Limits // Retries 0: none; Timeout 0: DefaultTimeout; Concurrency 0: the provider's default
	Prices   *Prices     // nil: the built-in table
	Budget   *Budget     // nil: no limit
	// Fresh ignores answers that are older than the door, so that each call is paid for again, once.
	Fresh bool
	Rand  func() float64 // between 0 and 1, for the jitter of retries; nil: random
}

// DefaultTimeout bounds one attempt where neither the task nor the request says otherwise. It is long because a local
// server that is short of processor time answers a hundred times slower than usual.
const DefaultTimeout = 5 * time.Minute

// Door is the one door to every model. It is safe for concurrent use.
type Door struct {
	opt     Options
	budget  *Budget
	prices  *Prices
	created time.Time
	count   counters

	mu      sync.Mutex
	lanes   map[string]*lane
	flights map[rung.Digest]*flight
	paid    map[[16]byte]struct{} // keys whose cost is in the budget already; half a digest is enough and keeps it small
	slowest map[rung.ModelRef]time.Duration
}

// NewDoor opens a door. Its time of creation is what Fresh measures against.
func NewDoor(opt Options) *Door {
	d := &Door{opt: opt, budget: opt.Budget, prices: opt.Prices, created: time.Now(),
		lanes: map[string]*lane{}, flights: map[rung.Digest]*flight{}, paid: map[[16]byte]struct{}{},
		slowest: map[rung.ModelRef]time.Duration{}}
	if d.budget == nil {
		d.budget = NewBudget(0)
	}
	if d.prices == nil {
		d.prices = BuiltinPrices()
	}
	if d.opt.Rand == nil {
		d.opt.Rand = rand.Float64
	}
	return d
}

// flight is one call that several callers may wait for. It has a context of its own, so that one caller's cancellation
// does not take the answer from the others; it is cancelled when nobody waits any more.
type flight struct {
	done    chan struct{}
	ctx     context.Context
	cancel  context.CancelFunc
	waiters int
	answer  rung.Completion
	cached  bool
	err     error
}

// Complete answers req: from the store if it was answered before, else from its provider. cached says that this call was not
// paid for now. Before it returns without an error the answer is stored durably. Errors are *rung.Error; see Fatal.
func (d *Door) Complete(ctx context.Context, req Request) (c rung.Completion, cached bool, err error) {
	if ctx.Err() != nil {
		return rung.Completion{}, false, interrupted(ctx)
	}
	l, err := d.laneOf(req.Model)
	if err != nil {
		return rung.Completion{}, false, err
	}
	req.BaseURL = l.provider.BaseURL()
	asked, err := json.Marshal(req)
	if err != nil {
		return rung.Completion{}, false, &rung.Error{Code: rung.CodeInput, Place: string(req.Model),
			What: "the request has no JSON form", Do: "check the output schema", Err: err}
	}
	cl := call{req: req, asked: asked, key: rung.DigestBytes(asked)}
	f, leads := d.join(ctx, cl.key)
	if leads {
		d.lead(ctx, f, l, cl)
	} else {
		select {
		case <-f.done:
		case <-ctx.Done():
			d.leave(cl.key, f)
			return rung.Completion{}, false, interrupted(ctx)
		}
	}
	if f.err != nil && ctx.Err() != nil {
		return rung.Completion{}, false, interrupted(ctx)
	}
	d.tally(f, leads)
	return f.answer, f.cached || !leads, f.err
}

// call is a request on its way.
type call struct {
	req   Request
	asked json.RawMessage // the request's JSON
	key   rung.Digest     // its digest
}

// Key is the digest under which the answer to req is kept when it is sent to a server at baseURL.
func Key(req Request, baseURL string) rung.Digest {
	req.BaseURL = baseURL
	return rung.DigestOf(req)
}

func (d *Door) join(ctx context.Context, key rung.Digest) (f *flight, leads bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f, ok := d.flights[key]; ok {
		f.waiters++
		return f, false
	}
	f = &flight{done: make(chan struct{}), waiters: 1}
	f.ctx, f.cancel = context.WithCancel(context.WithoutCancel(ctx))
	d.flights[key] = f
	return f, true
}

// lead makes the call in the goroutine of the caller who came first: a new goroutine for each would spend a twelfth of an
// evaluation's time on growing its stack. A leader whose context ends stays until the call ends, if others wait for it.
func (d *Door) lead(ctx context.Context, f *flight, l *lane, c call) {
	stop := context.AfterFunc(ctx, func() { d.leave(c.key, f) })
	f.answer, f.cached, f.err = d.fetch(f.ctx, l, c)
	stop()
	d.mu.Lock()
	if d.flights[c.key] == f {
		delete(d.flights, c.key)
	}
	d.mu.Unlock()
	f.cancel()
	close(f.done)
}

// leave stops waiting. The last one out cancels the call and forgets it, so that nobody joins a call that is ending.
func (d *Door) leave(key rung.Digest, f *flight) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f.waiters--
	if f.waiters > 0 {
		return
	}
	if d.flights[key] == f {
		delete(d.flights, key)
	}
	f.cancel()
}

func (d *Door) tally(f *flight, leads bool) {
	switch {
	case f.err != nil:
		d.count.failed.Add(1)
		return
	case f.cached || !leads:
		d.count.cached.Add(1)
	default:
		d.count.made.Add(1)
	}
	d.count.in.Add(int64(f.answer.Usage.In))
	d.count.out.Add(int64(f.answer.Usage.Out))
}

// fetch answers one call, from the store or by making it.
func (d *Door) fetch(ctx context.Context, l *lane, c call) (rung.Completion, bool, error) {
	old, ok, err := d.opt.Store.Completion(ctx, c.key)
	if err != nil {
		if ctx.Err() != nil {
			return rung.Completion{}, false, interrupted(ctx)
		}
		return rung.Completion{}, false, err
	}
	if ok && !(d.opt.Fresh && old.At.Before(d.created)) {
		d.charge(c.key, 0, old.CostUSD)
		return old, true, nil
	}
	done, err := d.make(ctx, l, c)
	return done, false, err
}

// make pays for a call and stores its answer.
func (d *Door) make(ctx context.Context, l *lane, c call) (rung.Completion, error) {
	price, err := d.priceOf(l, c.req.Model)
	if err != nil {
		return rung.Completion{}, err
	}
	estimate := price.estimate(c, d.slow(c.req.Model))
	if err := d.budget.reserve(ctx, estimate); err != nil {
		return rung.Completion{}, err
	}
	d.count.inflight.Add(1)
	resp, attempts, err := d.answer(ctx, l, c.req)
	d.count.inflight.Add(-1)
	d.count.retries.Add(int64(max(0, attempts-1)))
	if err != nil {
		d.budget.settle(estimate, 0)
		return rung.Completion{}, err
	}
	done := rung.Completion{Key: c.key, Model: c.req.Model, Request: c.asked, Text: resp.Text, Finish: resp.Finish,
		Usage: resp.Usage, CostUSD: price.cost(resp.Usage, resp.Latency), Latency: resp.Latency, Attempts: attempts,
		At: time.Now().UTC(), Served: resp.Served}
	d.count.nanoUSD.Add(int64(done.CostUSD * 1e9))
	if price.Unknown {
		d.count.unpriced.Add(1)
	}
	d.noteLatency(c.req.Model, resp.Latency)
	d.charge(c.key, estimate, done.CostUSD)
	// It is paid for, so it is kept, even if the caller has just gone.
	if err := d.opt.Store.PutCompletion(context.WithoutCancel(ctx), done); err != nil {
		return rung.Completion{}, err
	}
	return done, nil
}

// charge ends a reservation and counts the cost of an answer, once per key.
func (d *Door) charge(key rung.Digest, reserved, cost float64) {
	var half [16]byte
	if _, err := hex.Decode(half[:], []byte(key[:2*len(half)])); err != nil {
		half = [16]byte([]byte(key[:16]))
	}
	d.mu.Lock()
	_, again := d.paid[half]
	d.paid[half] = struct{}{}
	d.mu.Unlock()
	if again && reserved == 0 {
		return
	}
	d.budget.settle(reserved, cost)
}

// Can says what the provider of a model is able to do.
func (d *Door) Can(ref rung.ModelRef) (Can, error) {
	l, err := d.laneOf(ref)
	if err != nil {
		return Can{}, err
	}
	return l.provider.Can(ref), nil
}

// Check says before any call is made what would stop the first one: an unknown provider, a key that is missing, or a budget
// that cannot be kept because a model's price is unknown. It makes no call. The error is a rung.Errors.
func (d *Door) Check(models ...rung.ModelRef) error {
	var all rung.Errors
	for _, ref := range models {
		l, err := d.laneOf(ref)
		if err == nil {
			_, err = d.priceOf(l, ref)
		}
		if r, ok := l.ready(); err == nil && ok {
			err = r.Ready(ref)
		}
		if err != nil {
			var known *rung.Error
			if errors.As(asError(Request{Model: ref}, err), &known) {
				all = append(all, known)
			}
		}
	}
	return all.Or()
}

// Priced reports whether the price of a model is known.
func (d *Door) Priced(ref rung.ModelRef) bool {
	l, err := d.laneOf(ref)
	return err == nil && !d.prices.Of(ref, l.provider.BaseURL()).Unknown
}

func (d *Door) slow(ref rung.ModelRef) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.slowest[ref]
}

func (d *Door) noteLatency(ref rung.ModelRef, took time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.slowest[ref] = max(d.slowest[ref], took)
}
