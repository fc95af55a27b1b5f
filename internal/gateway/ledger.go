package gateway

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/store"
)

// A key's budget is kept by reservations. Before a call its upper estimate is set aside, and the real cost takes its place
// afterwards: what is on its way cannot exceed the budget together. Each gateway reserves from its lease, a part of the budget that
// it has set aside in the store, where what all gateways spent and hold together never exceeds the budget. It asks for more when
// its lease does not suffice, and gives back each second what it does not need.

const (
	// leaseFor is how long a lease holds unless it is renewed, which happens at half of it: as long a gateway that was killed
	// keeps its part from the others.
	leaseFor = 30 * time.Second
	// leaseTimeout bounds the wait for the store while requests wait for it.
	leaseTimeout = 5 * time.Second
	// refusedFor is how long a refusal holds for requests that would cost as much, without the store being asked for each.
	refusedFor = time.Second
	// leastCost stands for calls that cost nothing: a budget that is used up refuses those too.
	leastCost = 1e-9
)

// ledger is what a key has spent and set aside. All accounts of one key share it: a request that began before the keys were read
// again spends on the account that it has, and that must count as well. Amounts are in USD.
type ledger struct {
	key    string
	holder string
	store  store.Serving
	asking sync.Mutex // held while the store is asked

	mu       sync.Mutex
	limit    float64 // 0: no budget
	month    string  // in which the rest was counted
	total    float64 // spent over all gateways, as the store last said
	pending  float64 // spent here and not written yet
	writing  float64 // of pending, on its way to the store
	reserved float64 // by calls on their way
	peak     float64 // the most that was pending and reserved together since the last settling
	lease    float64 // set aside in the store: pending, writing and reserved come out of it
	until    time.Time
	refused  time.Time // when the store last granted less than was asked for
	short    float64   // the amount that was refused then
}

func (l *ledger) limitTo(usd float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.limit != usd {
		l.limit, l.lease, l.refused = usd, 0, time.Time{} // what was granted under another limit is asked for again
	}
}

// usedUp refuses a key that is known to have nothing left.
func (l *ledger) usedUp(now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.limit <= 0 || l.month != monthOf(now) || l.total+l.pending < l.limit {
		return nil
	}
	return l.refusal(leastCost)
}

// refusal says why so much cannot be set aside. Where it is for calls on their way, here or in other gateways, it may be there soon.
func (l *ledger) refusal(usd float64) error {
	left := l.limit - l.total - l.pending - l.writing
	k := &known{final: true, err: &rung.Error{Code: rung.CodeLimited, What: fmt.Sprintf("the key's budget of %g USD for this month is used up", l.limit), Do: "raise it, or wait for the next month"}}
	switch {
	case left < leastCost:
	case usd > left:
		k.err = &rung.Error{Code: rung.CodeLimited, What: fmt.Sprintf("the request may cost up to %.2g USD, and %.2g are left of the key's budget of %g for this month", usd, left, l.limit),
			Do: "ask for fewer tokens, or raise the budget"}
	default:
		k = &known{after: time.Second, err: &rung.Error{Code: rung.CodeLimited, What: "what is left of the key's budget is set aside for requests on their way", Do: "try again when they have ended"}}
	}
	return k
}

// reserve sets usd aside, or says why not. settle or spend ends that.
func (l *ledger) reserve(ctx context.Context, usd float64) error {
	if ok, err := l.take(usd, time.Now()); ok || err != nil {
		return err
	}
	l.asking.Lock()
	defer l.asking.Unlock()
	if ok, err := l.take(usd, time.Now()); ok || err != nil { // somebody else has asked in the meantime
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseTimeout)
	defer cancel()
	err := l.exchange(ctx, func() float64 { return l.reserved + usd + l.ahead(usd) })
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil && l.fits(usd, time.Now()) {
		l.add(usd)
		return nil
	}
	l.refused, l.short = time.Now(), usd
	if err != nil {
		l.short = 0
		return errNoStore(err)
	}
	return l.refusal(usd)
}

// errNoStore refuses what the budget may not have: nobody knows what other gateways spend.
func errNoStore(err error) error {
	return &known{after: refusedFor, err: &rung.Error{Code: rung.CodeStore, What: "the key has a budget, and what is left of it cannot be read", Do: "try again", Err: err}}
}

// take takes usd from the lease. The error is that of a refusal which still holds.
func (l *ledger) take(usd float64, now time.Time) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.limit <= 0 || l.fits(usd, now):
		l.add(usd)
		return true, nil
	case now.Sub(l.refused) > refusedFor || usd < l.short:
		return false, nil
	case l.short == 0:
		return false, errNoStore(nil)
	}
	return false, l.refusal(usd)
}

func (l *ledger) fits(usd float64, now time.Time) bool {
	return l.month == monthOf(now) && now.Before(l.until) && l.pending+l.writing+l.reserved+usd <= l.lease
}

func (l *ledger) add(usd float64) {
	l.reserved += usd
	l.peak = max(l.peak, l.pending+l.reserved)
}

// ahead is what is asked for beside what is needed now, so that not every request waits for the store: a little of what is left,
// since other gateways need some too.
func (l *ledger) ahead(usd float64) float64 {
	left := max(0, l.limit-l.total)
	return min(max(16*usd, l.peak, left/1000), left/4)
}

// spend ends a reservation with what the call has cost.
func (l *ledger) spend(reserved, cost float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reserved -= reserved; l.reserved < leastCost/2 { // sums of floats do not come back to zero by themselves
		l.reserved = 0
	}
	l.pending += cost
}

// settle writes what was spent, and asks for as much as was needed since the last time.
func (l *ledger) settle(ctx context.Context, end bool) error {
	l.asking.Lock()
	defer l.asking.Unlock()
	l.mu.Lock()
	now := time.Now()
	want := l.reserved
	if !end {
		want = max(want, l.peak)
	}
	l.peak = l.reserved
	spare := l.lease - l.pending - want // more than is needed
	idle := l.pending == 0 && (l.lease == 0 || spare <= 0 && now.Add(leaseFor/2).Before(l.until))
	l.mu.Unlock()
	if idle {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, leaseTimeout) // requests wait for asking
	defer cancel()
	return l.exchange(ctx, func() float64 { return max(want, l.reserved) })
}

// exchange writes what is pending and takes the lease anew. The caller holds asking. While the store is asked, no more is taken
// than what the new lease will have.
func (l *ledger) exchange(ctx context.Context, want func() float64) error {
	l.mu.Lock()
	now := time.Now()
	month, before, limit := monthOf(now), l.month, l.limit
	next := store.Lease{Key: l.key, Gateway: l.holder, Month: month, Spent: l.pending, Limit: limit, For: leaseFor}
	if limit > 0 {
		next.Want = want()
	}
	l.writing, l.pending = l.pending, 0
	l.lease = min(l.lease, next.Want+l.writing)
	l.mu.Unlock()
	spent, granted, left, err := l.ask(ctx, next, before)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writing = 0
	if err != nil {
		l.pending += left
		return err
	}
	l.month, l.total, l.refused = month, spent, time.Time{}
	if l.limit == limit {
		l.lease, l.until = granted, now.Add(leaseFor)
	}
	return nil
}

// ask writes what was spent, that of the month before in its own, and sets the lease aside. left is what was not written.
func (l *ledger) ask(ctx context.Context, next store.Lease, before string) (spent, granted, left float64, err error) {
	if before != "" && before != next.Month && next.Spent != 0 {
		if _, err = l.store.Spend(ctx, l.key, before, next.Spent); err != nil {
			return 0, 0, next.Spent, err
		}
		next.Spent = 0
	}
	if next.Limit <= 0 {
		spent, err = l.store.Spend(ctx, l.key, next.Month, next.Spent)
	} else {
		spent, granted, err = l.store.Lease(ctx, next)
	}
	return spent, granted, next.Spent, err
}

// bill is what one request costs: the purse from which its calls are paid.
type bill struct {
	account *account
	mu      sync.Mutex
	usd     float64
}

// Reserve implements model.Purse. A key with a budget is refused what has no price: it would count as nothing, and a budget that
// counts nothing bounds nothing.
func (b *bill) Reserve(ctx context.Context, ref rung.ModelRef, price model.Price, usd float64) error {
	if b.account == nil {
		return nil
	}
	if b.account.key.BudgetUSD > 0 && price.Unknown {
		return &known{final: true, cause: string(ref), err: &rung.Error{Code: rung.CodeDenied, What: "the key has a budget, and the price of the model that answers is not known here",
			Do: "use a key without one, or have the model's price put into the file of rung serve --prices"}}
	}
	return b.account.reserve(ctx, max(usd, leastCost))
}

// Settle implements model.Purse.
func (b *bill) Settle(reserved, cost float64) {
	b.mu.Lock()
	b.usd += cost
	b.mu.Unlock()
	if b.account != nil {
		b.account.spend(max(reserved, leastCost), cost)
	}
}

// total is what the request has cost so far.
func (b *bill) total() float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.usd
}
