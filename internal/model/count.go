package model

import "sync/atomic"

// Counts are the figures of a door so far. Made, Cached and Failed count calls as their callers saw them.
type Counts struct {
	Made      int     // answered by a provider
	Cached    int     // answered from the store, or by a call that another caller made at the same time
	Failed    int     // ended without an answer
	Retries   int     // attempts beyond the first
	TokensIn  int     // of all the answers used, those from the store included
	TokensOut int     //
	InFlight  int     // calls being made now
	CostUSD   float64 // of the calls made now
	SpentUSD  float64 // of all the answers used, each once, those from the store included
	Unpriced  int     // calls made whose price is unknown, counted as free
}

type counters struct {
	made, cached, failed, retries, in, out, inflight, unpriced atomic.Int64
	nanoUSD                                                    atomic.Int64 // whole numbers add atomically, floats do not
}

// Counts reads the figures; it is cheap and may be called at any time.
func (d *Door) Counts() Counts {
	c := &d.count
	return Counts{
		Made: int(c.made.Load()), Cached: int(c.cached.Load()), Failed: int(c.failed.Load()),
		Retries: int(c.retries.Load()), TokensIn: int(c.in.Load()), TokensOut: int(c.out.Load()),
		InFlight: int(c.inflight.Load()), Unpriced: int(c.unpriced.Load()),
		CostUSD: float64(c.nanoUSD.Load()) / 1e9, SpentUSD: d.budget.Spent(),
	}
}
