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

// spendEvery is how often what keys have spent is written, and read back for all gateways together.
const spendEvery = time.Second

// account is a key with what it has used. Rates are counted by each gateway on its own, budgets over all of them.
type account struct {
	key      rung.APIKey
	requests *bucket // nil: no limit
	tokens   *bucket
	*ledger
}

// ledger is what a key has spent. All accounts of one key share it: a request that began before the keys were read again spends
// on the account that it has, and that must count as well.
type ledger struct {
	mu      sync.Mutex
	month   string
	total   float64 // USD this month over all gateways, as the store last said
	pending float64 // USD not written yet
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
	store store.Serving
	log   *slog.Logger
	mu    sync.Mutex
	byID  map[string]*account
}

func newAccounts(st store.Serving, log *slog.Logger) *accounts {
	return &accounts{store: st, log: log, byID: map[string]*account{}}
}

// renew takes the keys as the store has them. A key whose limits are as they were keeps its buckets.
func (s *accounts) renew(ctx context.Context, keys []rung.APIKey) (map[[sha256.Size]byte]*account, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[[sha256.Size]byte]*account, len(keys))
	now := time.Now()
	for _, k := range keys {
		a := &account{key: k, requests: newBucket(k.RPM), tokens: newBucket(k.TPM)}
		if len(k.Hash) != sha256.Size || a.ended(now) {
			continue
		}
		if err := s.inherit(ctx, a, monthOf(now)); err != nil {
			return nil, err
		}
		s.byID[k.ID] = a
		out[[sha256.Size]byte(k.Hash)] = a
	}
	return out, nil
}

func (s *accounts) inherit(ctx context.Context, a *account, month string) error {
	old := s.byID[a.key.ID]
	if old == nil {
		total, err := s.store.Spend(ctx, a.key.ID, month, 0)
		a.ledger = &ledger{month: month, total: total}
		return err
	}
	a.ledger = old.ledger
	if old.key.RPM == a.key.RPM {
		a.requests = old.requests
	}
	if old.key.TPM == a.key.TPM {
		a.tokens = old.tokens
	}
	return nil
}

func monthOf(t time.Time) string { return t.UTC().Format("2006-01") }

// admit lets a request of about so many tokens in, or says why not.
func (a *account) admit(tokens float64, now time.Time) error {
	if a == nil {
		return nil
	}
	if wait, ok := a.requests.take(1, now); !ok {
		return limited(fmt.Sprintf("the key is limited to %g requests per minute", a.key.RPM), wait)
	}
	if wait, ok := a.tokens.take(tokens, now); !ok {
		a.requests.correct(-1)
		return limited(fmt.Sprintf("the key is limited to %g tokens per minute", a.key.TPM), wait)
	}
	if a.key.BudgetUSD <= 0 {
		return nil
	}
	a.mu.Lock()
	spent := a.total + a.pending
	if a.month != monthOf(now) {
		spent = 0
	}
	a.mu.Unlock()
	if spent >= a.key.BudgetUSD {
		a.tokens.correct(-tokens)
		return &known{final: true, err: &rung.Error{Code: rung.CodeLimited, What: fmt.Sprintf("the key's budget of %g USD for this month is used up", a.key.BudgetUSD), Do: "raise it, or wait for the next month"}}
	}
	return nil
}

func limited(what string, wait time.Duration) error {
	return &known{after: wait, err: &rung.Error{Code: rung.CodeLimited, What: what, Do: fmt.Sprintf("wait %s", wait)}}
}

// used counts what a request took: estimated tokens are replaced by the real ones.
func (a *account) used(estimated float64, u rung.Usage, usd float64) {
	if a == nil {
		return
	}
	a.tokens.correct(float64(u.In+u.Out) - estimated)
	if usd <= 0 {
		return
	}
	a.mu.Lock()
	a.pending += usd
	a.mu.Unlock()
}

// settle writes what was spent and learns what all gateways spent. What cannot be written is tried again.
func (s *accounts) settle(ctx context.Context) {
	s.mu.Lock()
	all := make([]*account, 0, len(s.byID))
	for _, a := range s.byID {
		all = append(all, a)
	}
	s.mu.Unlock()
	for _, a := range all {
		if err := s.settleOne(ctx, a); err != nil {
			s.log.Warn("what keys have spent cannot be written yet", "error", err)
			return
		}
	}
}

func (s *accounts) settleOne(ctx context.Context, a *account) error {
	now := monthOf(time.Now())
	a.mu.Lock()
	month, pending := a.month, a.pending
	idle := pending == 0 && (a.key.BudgetUSD <= 0 || month == now && a.total == 0)
	a.pending = 0
	a.mu.Unlock()
	if idle && month == now {
		return nil
	}
	total, err := s.store.Spend(ctx, a.key.ID, month, pending)
	if err == nil && month != now {
		total, err = s.store.Spend(ctx, a.key.ID, now, 0)
		pending = 0
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		a.pending += pending
		return err
	}
	a.month, a.total = now, total
	return nil
}
