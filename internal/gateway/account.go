package gateway

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
)

// spendEvery is how often what keys have spent is written.
const spendEvery = time.Second

// account is a key with what it has used. Rates are counted by each gateway on its own, budgets over all of them.
type account struct {
	key      rung.APIKey
	requests *bucket // nil: no limit
	tokens   *bucket
	*ledger
}

// bucket holds a minute's worth of a rate. It may go below zero: what was used is known after the answer only.
type bucket struct {
	mu    sync.Mutex
	size  float64
	have  float64
	since time.Time
}

func newBucket(perMinute float64) *bucket {
	if perMinute <= 0 {
		return nil
	}
	return &bucket{size: perMinute, have: perMinute, since: time.Now()}
}

// take takes n, or says how long it will be until n is there.
func (b *bucket) take(n float64, now time.Time) (wait time.Duration, ok bool) {
	if b == nil {
		return 0, true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.After(b.since) {
		b.have = min(b.size, b.have+now.Sub(b.since).Minutes()*b.size)
		b.since = now
	}
	n = min(n, b.size) // a request larger than a minute's worth needs a full bucket
	if b.have < n {
		return time.Duration(math.Ceil((n-b.have)/b.size*60)) * time.Second, false
	}
	b.have -= n
	return 0, true
}

// correct takes n more, or gives -n back.
func (b *bucket) correct(n float64) {
	if b == nil {
		return
	}
	b.mu.Lock()
	b.have = min(b.size, b.have-n)
	b.mu.Unlock()
}

// accounts keeps the accounts over changes of the keys.
type accounts struct {
	store  store.Serving
	holder string // this gateway, among those that set aside parts of budgets
	log    *slog.Logger
	mu     sync.Mutex
	byID   map[string]*account
}

func newAccounts(st store.Serving, log *slog.Logger) *accounts {
	return &accounts{store: st, holder: newTraceID(), log: log, byID: map[string]*account{}}
}

// renew takes the keys as the store has them. A key whose limits are as they were keeps its buckets.
func (s *accounts) renew(keys []rung.APIKey) map[[sha256.Size]byte]*account {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[[sha256.Size]byte]*account, len(keys))
	now := time.Now()
	for _, k := range keys {
		a := &account{key: k, requests: newBucket(k.RPM), tokens: newBucket(k.TPM)}
		if len(k.Hash) != sha256.Size || a.ended(now) {
			continue
		}
		s.inherit(a)
		s.byID[k.ID] = a
		out[[sha256.Size]byte(k.Hash)] = a
	}
	return out
}

func (s *accounts) inherit(a *account) {
	if old := s.byID[a.key.ID]; old != nil {
		a.ledger = old.ledger
		if old.key.RPM == a.key.RPM {
			a.requests = old.requests
		}
		if old.key.TPM == a.key.TPM {
			a.tokens = old.tokens
		}
	} else {
		a.ledger = &ledger{key: a.key.ID, store: s.store, holder: s.holder}
	}
	a.limitTo(a.key.BudgetUSD)
}

func monthOf(t time.Time) string { return t.UTC().Format("2006-01") }

// admit lets a request for an answer in as far as its number and the budget say, before anything of it is read.
func (a *account) admit(now time.Time) error {
	if a == nil {
		return nil
	}
	if err := a.admitRequest(now); err != nil {
		return err
	}
	return a.usedUp(now)
}

// admitRequest lets a request in that costs nothing.
func (a *account) admitRequest(now time.Time) error {
	if a == nil {
		return nil
	}
	if wait, ok := a.requests.take(1, now); !ok {
		return limited(fmt.Sprintf("the key is limited to %g requests per minute", a.key.RPM), wait)
	}
	return nil
}

// admitTokens lets a request of about so many tokens in.
func (a *account) admitTokens(tokens float64, now time.Time) error {
	if a == nil {
		return nil
	}
	if wait, ok := a.tokens.take(tokens, now); !ok {
		a.requests.correct(-1)
		return limited(fmt.Sprintf("the key is limited to %g tokens per minute", a.key.TPM), wait)
	}
	return nil
}

func limited(what string, wait time.Duration) error {
	return &known{after: wait, err: &rung.Error{Code: rung.CodeLimited, What: what, Do: fmt.Sprintf("wait %s", wait)}}
}

// used replaces estimated tokens by the real ones.
func (a *account) used(estimated float64, u rung.Usage) {
	if a != nil {
		a.tokens.correct(float64(u.In+u.Out) - estimated)
	}
}

// settle writes what was spent and learns what all gateways spent. What cannot be written is tried again. At the end, what is set
// aside for requests to come is given back.
func (s *accounts) settle(ctx context.Context, end bool) {
	s.mu.Lock()
	all := make([]*account, 0, len(s.byID))
	for _, a := range s.byID {
		all = append(all, a)
	}
	s.mu.Unlock()
	for _, a := range all {
		if err := a.settle(ctx, end); err != nil {
			s.log.Warn("what keys have spent cannot be written yet", "error", err)
			return
		}
	}
}
