package model

import (
	"context"
	"fmt"
	"sync"

	"github.com/rung-dev/rung"
)

// Budget is an amount of money and what has been spent of it. Before a call its upper estimate is set aside; afterwards
// the real cost takes its place. So calls in flight together cannot exceed it together. Safe for concurrent use.
type Budget struct {
	mu       sync.Mutex
	limit    float64 // USD; 0: none
	spent    float64
	reserved float64
	changed  chan struct{} // closed and replaced whenever a reservation ends
}

// NewBudget is a budget of usd; 0 means no limit, and then it only counts.
func NewBudget(usd float64) *Budget {
	return &Budget{limit: usd, changed: make(chan struct{})}
}

// Limited reports whether there is a limit at all.
func (b *Budget) Limited() bool { return b.limit > 0 }

// Spent is the USD that the calls used so far have cost, those answered from the store included.
func (b *Budget) Spent() float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.spent
}

// reserve sets usd aside. Where it fits only if calls in flight turn out cheaper than their estimates, it waits for them.
func (b *Budget) reserve(ctx context.Context, usd float64) error {
	for {
		b.mu.Lock()
		if b.limit <= 0 || b.spent+b.reserved+usd <= b.limit {
			b.reserved += usd
			b.mu.Unlock()
			return nil
		}
		spent, wait := b.spent, b.changed
		alone := b.reserved <= 0 || spent+usd > b.limit
		b.mu.Unlock()
		if alone {
			return b.exceeded(spent, usd)
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return interrupted(ctx)
		}
	}
}

// settle ends a reservation of reserved USD with the cost that it really had.
func (b *Budget) settle(reserved, cost float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reserved -= reserved
	if b.reserved < 1e-12 { // sums of floats do not come back to zero by themselves
		b.reserved = 0
	}
	b.spent += cost
	close(b.changed)
	b.changed = make(chan struct{})
}

func (b *Budget) exceeded(spent, usd float64) error {
	return &rung.Error{Code: rung.CodeBudget,
		What: fmt.Sprintf("the budget of $%.4g would be exceeded: $%.4g is spent and the next call may cost $%.2g", b.limit, spent, usd),
		Do:   "raise budget.cost and run it again; what is answered already is not paid for again"}
}
