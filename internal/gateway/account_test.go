package gateway

import (
	"crypto/sha256"
	"log/slog"
	"testing"
	"time"

	"github.com/rung-dev/rung"
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
		t.Helper()
		all, err := s.renew(t.Context(), []rung.APIKey{k})
		if err != nil {
			t.Fatal(err)
		}
		return all[[sha256.Size]byte(HashKey(key))]
	}
	held := renew()
	for range 3 {
		renew()
		held.used(0, rung.Usage{}, 1) // by a request that began before any renewal
	}
	now := renew()
	now.used(0, rung.Usage{}, 2)
	if err := now.admit(1, time.Now()); err == nil {
		t.Error("the budget is used up, and the key is let in")
	}
	s.settle(t.Context())
	if usd, err := st.Spend(t.Context(), "1", monthOf(time.Now()), 0); err != nil || usd != 5 {
		t.Errorf("the store says %g USD, %v, want 5", usd, err)
	}
	k.Revoked = time.Now().Add(-time.Second) // what it asked for before still costs
	renew()
	held.used(0, rung.Usage{}, 1)
	s.settle(t.Context())
	if usd, err := st.Spend(t.Context(), "1", monthOf(time.Now()), 0); err != nil || usd != 6 {
		t.Errorf("after the revocation the store says %g USD, %v, want 6", usd, err)
	}
}
