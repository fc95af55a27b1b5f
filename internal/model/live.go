package model

import (
	"context"
	"errors"
	"time"

	"github.com/rung-dev/rung"
)

// Streamer is a provider that can hand on the text of an answer while it comes. delta is called with each piece in order, from
// one goroutine; an error of delta ends the call and is returned as it is. The response is that of Complete, its text the pieces
// put together. Errors are those of Complete; after the first piece none wraps *Transient. Held to modeltest.ConformStream.
type Streamer interface {
	Stream(ctx context.Context, req Request, delta func(text string) error) (Response, error)
}

// Live is the door of what serves: limits, retries, time-outs and prices are those of Door, but every call is made and none is
// kept, since two callers who ask the same want two answers, and what callers say is not for the store of a climb.
type Live struct{ door *Door }

// NewLive opens a door without a store or a budget: those of opt are not used.
func NewLive(opt Options) *Live {
	opt.Store, opt.Budget = nil, nil
	return &Live{door: NewDoor(opt)}
}

// Can says what the provider of a model is able to do.
func (l *Live) Can(ref rung.ModelRef) (Can, error) { return l.door.Can(ref) }

// Check says before any call is made what would stop the first one.
func (l *Live) Check(models ...rung.ModelRef) error { return l.door.Check(models...) }

// Counts are the calls so far.
func (l *Live) Counts() Counts { return l.door.Counts() }

// Embed gives one unit vector per text; see Door.Embed.
func (l *Live) Embed(ctx context.Context, ref rung.ModelRef, texts []string) ([][]float32, error) {
	return l.door.Embed(ctx, ref, texts)
}

// Complete makes a call. cached is always false. The completion has no key and does not repeat the request. Beside an error it has
// the estimated usage and cost of a call that was sent and not waited for, and is empty otherwise.
func (l *Live) Complete(ctx context.Context, req Request) (rung.Completion, bool, error) {
	pay, err := l.reserve(ctx, &req)
	if err != nil {
		return rung.Completion{}, false, err
	}
	var resp Response
	c, err := l.call(ctx, req, func(ctx context.Context, p Provider, req Request) (err error) {
		resp, err = p.Complete(ctx, req)
		return err
	}, &resp)
	pay(c.CostUSD)
	return c, false, err
}

// reserve sets aside what a call may cost where ctx has a purse. A provider that is not there costs nothing: the call says so.
func (l *Live) reserve(ctx context.Context, req *Request) (pay func(cost float64), err error) {
	d := l.door
	ln, err := d.laneOf(req.Model)
	if err != nil {
		return func(float64) {}, nil
	}
	price := d.prices.Of(req.Model, ln.provider.BaseURL())
	return reserve(ctx, req.Model, price, price.UpTo(req.size(), req.MaxTokens, d.slow(req.Model)))
}

// Stream is Complete with the text handed on while it comes; what came before an error counts as well. A provider that cannot stream answers in one piece.
func (l *Live) Stream(ctx context.Context, req Request, delta func(string) error) (rung.Completion, error) {
	pay, err := l.reserve(ctx, &req)
	if err != nil {
		return rung.Completion{}, err
	}
	var resp Response
	begun := false
	given := 0
	c, err := l.call(ctx, req, func(ctx context.Context, p Provider, req Request) (err error) {
		s, ok := p.(Streamer)
		if !ok {
			if resp, err = p.Complete(ctx, req); err != nil {
				return err
			}
			begun = true
			given = len(resp.Text)
			return final(delta(resp.Text))
		}
		resp, err = s.Stream(ctx, req, func(text string) error {
			begun = true
			given += len(text)
			return delta(text)
		})
		if begun {
			err = final(err)
		}
		return err
	}, &resp)
	if err != nil && begun {
		l.estimate(&c, req, given)
	}
	pay(c.CostUSD)
	return c, err
}

// estimate says what a call took that ended before its usage came: four bytes a token. The provider bills what it made.
func (l *Live) estimate(c *rung.Completion, req Request, given int) {
	in := 0
	for i := range req.Messages {
		in += len(req.Messages[i].Content)
	}
	c.Model, c.Usage = req.Model, rung.Usage{In: (in + 3) / 4, Out: (given + 3) / 4}
	if ln, err := l.door.laneOf(req.Model); err == nil { // it was found before
		c.CostUSD = l.door.prices.Of(req.Model, ln.provider.BaseURL()).cost(c.Usage, 0)
	}
}

// final takes from an error the word that another attempt may cure it: what was said cannot be said again.
func final(err error) error {
	var t *Transient
	if !errors.As(err, &t) {
		return err
	}
	var e *rung.Error
	if !errors.As(err, &e) {
		return t.Err
	}
	out := *e
	out.Err = t.Err
	return &out
}

func (l *Live) call(ctx context.Context, req Request, do func(context.Context, Provider, Request) error, resp *Response) (rung.Completion, error) {
	if ctx.Err() != nil {
		return rung.Completion{}, interrupted(ctx)
	}
	d := l.door
	ln, err := d.laneOf(req.Model)
	if err != nil {
		return rung.Completion{}, err
	}
	req.BaseURL = ln.provider.BaseURL()
	d.count.inflight.Add(1)
	sent := false // and given up: the provider has the prompt, and works on it
	attempts, err := d.attempts(ctx, ln, req, func(ctx context.Context) error {
		err := do(ctx, ln.provider, req)
		sent = err != nil && (ctx.Err() != nil || rung.CodeOf(err) == rung.CodeTimeout)
		return err
	})
	d.count.inflight.Add(-1)
	d.count.retries.Add(int64(max(0, attempts-1)))
	if err != nil {
		d.count.failed.Add(1)
		var c rung.Completion
		if sent {
			l.estimate(&c, req, 0)
		}
		return c, err
	}
	price := d.prices.Of(req.Model, req.BaseURL)
	if price.Unknown {
		d.count.unpriced.Add(1)
	}
	d.count.made.Add(1)
	if price.PerHour > 0 { // else nothing is estimated by it
		d.noteLatency(req.Model, resp.Latency)
	}
	cost := price.cost(resp.Usage, resp.Latency)
	d.count.nanoUSD.Add(int64(cost * 1e9))
	return rung.Completion{Model: req.Model, Text: resp.Text, Finish: resp.Finish, Usage: resp.Usage, CostUSD: cost,
		Latency: resp.Latency, Attempts: attempts, At: time.Now().UTC(), Served: resp.Served}, nil
}

// Cost is what an answer of a model costs in USD, 0 where its price is unknown.
func (p Price) Cost(u rung.Usage, took time.Duration) float64 { return p.cost(u, took) }

// Provider is the provider of a model.
func (d *Door) Provider(ref rung.ModelRef) (Provider, error) {
	l, err := d.laneOf(ref)
	if err != nil {
		return nil, err
	}
	return l.provider, nil
}

// Provider is the provider of a model.
func (l *Live) Provider(ref rung.ModelRef) (Provider, error) { return l.door.Provider(ref) }
