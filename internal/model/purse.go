package model

import (
	"context"
	"time"

	"github.com/rung-dev/rung"
)

// Purse is what the one who asks may spend. Before each call its upper estimate is set aside, so that calls in flight cannot exceed
// it together; afterwards the real cost takes its place. It is safe for concurrent use.
type Purse interface {
	// Reserve sets usd aside for a call of a model, or says why not: the call is not made then, and the error is given as it is.
	Reserve(ctx context.Context, ref rung.ModelRef, price Price, usd float64) error
	// Settle ends a reservation with the cost that the call had.
	Settle(reserved, cost float64)
}

type purseKey struct{}

// WithPurse has the calls that are made with ctx through a Live door paid from a purse.
func WithPurse(ctx context.Context, p Purse) context.Context {
	return context.WithValue(ctx, purseKey{}, p)
}

// reserve sets aside what a call may cost, from the purse of ctx; pay ends that. Without a purse nothing is to do.
func reserve(ctx context.Context, ref rung.ModelRef, price Price, usd float64) (pay func(cost float64), err error) {
	p, ok := ctx.Value(purseKey{}).(Purse)
	if !ok {
		return func(float64) {}, nil
	}
	if err := p.Reserve(ctx, ref, price, usd); err != nil {
		return nil, err
	}
	return func(cost float64) { p.Settle(usd, cost) }, nil
}

// UpTo is an upper estimate of what a call costs whose request has so many bytes and whose answer at most maxTokens tokens
// (0: not bounded, and taken for 4,096; -1: there are none, as of vectors), where answers took at most slowest so far.
func (p Price) UpTo(bytes, maxTokens int, slowest time.Duration) float64 {
	if maxTokens == 0 {
		maxTokens = UnboundedAnswer
	}
	return p.cost(rung.Usage{In: bytes/bytesPerToken + 1, Out: max(0, maxTokens)}, max(slowest, time.Second))
}

// size is how many bytes of a request a model reads.
func (r *Request) size() int {
	n := len(r.Schema)
	for i := range r.Messages {
		n += len(r.Messages[i].Content) + messageBytes
	}
	return n
}

// messageBytes is more than what a chat template puts around a message, in bytes.
const messageBytes = 32
