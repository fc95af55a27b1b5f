package gateway

import (
	"crypto/sha256"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/store/sqlite"
)

// TestSpendingOutlivesARenewalOfTheKeys: a request that was let in before the keys were read again spends all the same, on whichever
// account it holds, and the accounts that come after it know.
func TestSpendingOutlivesARenewalOfTheKeys(t *testing.T) {
	st, err := sqlite.OpenServing(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	s := newAccounts(st, slog.New(slog.DiscardHandler))
	key, hash := NewKey()
	k := rung.APIKey{ID: "1", Name: "a", Hash: hash, BudgetUSD: 5, Created: time.Now().UTC()}
	renew := func() *account {
		return s.renew([]rung.APIKey{k})[[sha256.Size]byte(HashKey(key))]
	}
	pay := func(a *account, usd float64) {
		t.Helper()
		b := bill{account: a}
		if err := b.Reserve(t.Context(), "openai/m", model.Price{In: 1}, usd); err != nil {
			t.Fatal(err)
		}
		b.Settle(usd, usd)
	}
	held := renew()
	for range 3 {
		renew()
		pay(held, 1) // by a request that began before any renewal
	}
	now := renew()
	pay(now, 2)
	s.settle(t.Context(), false)
	if err := now.admit(time.Now()); err == nil {
		t.Error("the budget is used up, and the key is let in")
	}
	if usd, err := st.Spend(t.Context(), "1", monthOf(time.Now()), 0); err != nil || usd != 5 {
		t.Errorf("the store says %g USD, %v, want 5", usd, err)
	}
	k.BudgetUSD = 9
	late := renew()
	if err := (&bill{account: late}).Reserve(t.Context(), "openai/m", model.Price{In: 1}, 1); err != nil {
		t.Fatal(err) // what it asked for before it was revoked still costs
	}
	k.Revoked = time.Now().Add(-time.Second)
	renew()
	(&bill{account: late}).Settle(1, 1)
	s.settle(t.Context(), false)
	if usd, err := st.Spend(t.Context(), "1", monthOf(time.Now()), 0); err != nil || usd != 6 {
		t.Errorf("after the revocation the store says %g USD, %v, want 6", usd, err)
	}
}

// burst has n requests of one key reserve at the same time what each may cost, and gives how many were let in.
func burst(t *testing.T, n int, usd float64, accounts ...*account) (in int64, final bool) {
	t.Helper()
	var wg sync.WaitGroup
	var let, never atomic.Int64
	for i := range n {
		wg.Go(func() {
			err := (&bill{account: accounts[i%len(accounts)]}).Reserve(t.Context(), "openai/m", model.Price{In: 1}, usd)
			var k *known
			switch {
			case err == nil:
				let.Add(1)
			case !errors.As(err, &k) || rung.CodeOf(err) != rung.CodeLimited:
				t.Error(err)
			case k.final:
				never.Add(1)
			}
		})
	}
	wg.Wait()
	return let.Load(), never.Load() > 0
}

// TestABurstDoesNotPassTheBudget: two gateways get a hundred requests at once for a budget of ten. Ten are let in, the others are told
// to come again; when those ten turn out cheap there is room again, and when the budget is spent there is none for good.
func TestABurstDoesNotPassTheBudget(t *testing.T) {
	st, err := sqlite.OpenServing(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	_, hash := NewKey()
	k := rung.APIKey{ID: "1", Name: "a", Hash: hash, BudgetUSD: 10}
	var both []*account
	var books []*accounts
	for range 2 {
		s := newAccounts(st, slog.New(slog.DiscardHandler))
		books, both = append(books, s), append(both, s.renew([]rung.APIKey{k})[[sha256.Size]byte(hash)])
	}
	settle := func() {
		for range 2 { // what one gives back the other can have then
			for _, s := range books {
				s.settle(t.Context(), false)
			}
		}
	}
	in, final := burst(t, 100, 1, both...)
	if in > 10 || in < 7 || final { // what one gateway has asked for ahead the other cannot have in that second
		t.Errorf("%d were let in, refused for good: %v", in, final)
	}
	held := [2]float64{both[0].reserved, both[1].reserved}
	for i, a := range both {
		for range int(held[i]) {
			a.spend(1, .5)
		}
	}
	settle()
	spent, err := st.Spend(t.Context(), "1", monthOf(time.Now()), 0)
	if err != nil || spent != .5*float64(in) {
		t.Errorf("%g USD are spent, %v", spent, err)
	}
	if again, _ := burst(t, 2, 1, both[1]); again != 2 {
		t.Errorf("%d of 2 were let in with half of the budget left", again)
	}
	both[1].spend(1, 1)
	both[1].spend(1, 10-spent) // dearer than was estimated
	settle()
	if more, final := burst(t, 10, .01, both...); more != 0 || !final {
		t.Errorf("%d were let in after the budget was spent, refused for good: %v", more, final)
	}
	for _, a := range both {
		if err := a.admit(time.Now()); err == nil {
			t.Error("the budget is spent, and a body would be read")
		}
	}
}

// TestALeaseIsGivenBack: a gateway that has nothing to do leaves the budget to the others, also when it ends.
func TestALeaseIsGivenBack(t *testing.T) {
	st, err := sqlite.OpenServing(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	_, hash := NewKey()
	s := newAccounts(st, slog.New(slog.DiscardHandler))
	a := s.renew([]rung.APIKey{{ID: "1", Name: "a", Hash: hash, BudgetUSD: 10}})[[sha256.Size]byte(hash)]
	left := func() float64 {
		t.Helper()
		_, granted, err := st.Lease(t.Context(), store.Lease{Key: "1", Month: monthOf(time.Now()), Gateway: "other", Want: 10, Limit: 10, For: -time.Second})
		if err != nil {
			t.Fatal(err)
		}
		return granted
	}
	if in, _ := burst(t, 4, 1, a); in != 4 || left() > 6 {
		t.Fatalf("%d of 4 were let in, %g left", in, left())
	}
	for range 3 {
		a.spend(1, 0)
	}
	s.settle(t.Context(), false) // the peak of this second
	s.settle(t.Context(), false)
	if left() != 9 {
		t.Errorf("%g left while one call is on its way, want 9", left())
	}
	a.spend(1, 1)
	s.settle(t.Context(), true)
	if left() != 9 || a.lease != 0 {
		t.Errorf("%g left at the end with 1 spent, want 9", left())
	}
}
