package gateway_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/model/modeltest"
	"github.com/rung-dev/rung/internal/model/openai"
)

func TestBackgroundResponsesAreRefused(t *testing.T) {
	r := newRig(t, setup{config: "pass: ['*']"})
	for body, status := range map[string]int{
		`{"model":"openai/m","input":"hi","background":true}`:                    400,
		`{"model":"openai/m","input":"hi","background":false,"background":true}`: 400,
		`{"model":"openai/m","input":"hi","background":false}`:                   200,
		`{"model":"openai/m","input":"hi"}`:                                      200,
	} {
		got := r.post("/v1/responses", body)
		if got.status != status || status == 400 && !strings.Contains(got.body, "background") {
			t.Errorf("%s: status %d, %s", body, got.status, got.body)
		}
	}
	if n := len(r.seen()); n != 2 {
		t.Errorf("%d requests reached the provider, want 2", n)
	}
}

// TestABudgetNeedsAPrice: what has no price counts as nothing, and a budget that counts nothing bounds nothing.
func TestABudgetNeedsAPrice(t *testing.T) {
	keys := map[string]string{}
	r := newRig(t, setup{config: "pass: ['*']", prepare: func(r *rig) {
		keys["bounded"] = r.key(rung.APIKey{ID: "1", Name: "bounded", BudgetUSD: 1})
		keys["free"] = r.key(rung.APIKey{ID: "2", Name: "free"})
	}})
	for _, c := range []struct {
		key, model string
		status     int
	}{{"bounded", "openai/m", 200}, {"bounded", "openai/" + unpriced, 403}, {"free", "openai/" + unpriced, 200}} {
		got := r.post("/v1/chat/completions", chat(c.model, "hi"), "Authorization", "Bearer "+keys[c.key])
		if got.status != c.status || c.status == 403 && (!strings.Contains(got.body, `"code":"denied"`) || !strings.Contains(got.body, "price") || got.header.Get("X-Should-Retry") != "false") {
			t.Errorf("%s asks for %s: status %d, %v %s", c.key, c.model, got.status, got.header, got.body)
		}
	}
	if n := len(r.seen()); n != 2 {
		t.Errorf("%d requests reached the provider, want 2", n)
	}
}

const unpriced = "nobody-knows"

// price is what the rig's models cost.
func price(name string) model.Price {
	if name == unpriced {
		return model.Price{Unknown: true}
	}
	return model.Price{In: 1, Out: 2}
}

// hosted is a provider that stands elsewhere, so that its models have no price unless a table has one.
type hosted struct{ *openai.Provider }

func (hosted) BaseURL() string { return "https://models.example/v1" }

// TestATaskIsPaidForFromTheBudget: a burst of requests to a task does not pass the key's budget, and a task whose model has no price
// is no way around it.
func TestATaskIsPaidForFromTheBudget(t *testing.T) {
	// A call may cost 64 tokens of answer at 1000 USD per million, and its prompt at nothing; it costs half of it.
	prices := writeFile(t, `{"models":{"openai/m":{"in":0,"out":1000}}}`)
	const most = .064
	arrived, let := make(chan struct{}, 40), make(chan struct{})
	key := ""
	r := newRig(t, setup{prices: prices, script: func(modeltest.Call) modeltest.Reply {
		arrived <- struct{}{}
		<-let
		return modeltest.Reply{Text: "x", In: 10, Out: 32}
	}, prepare: func(r *rig) {
		r.release("priced", "v1", fixture{cand: candidate(textOut)})
		unknown := candidate(textOut)
		unknown.Model = "openai/" + unpriced
		r.release("unpriced", "v1", fixture{cand: unknown})
		key = r.key(rung.APIKey{ID: "1", Name: "bounded", BudgetUSD: 5.5 * most})
	}})
	answers := make(chan reply, 20)
	for range 20 {
		go func() {
			answers <- r.post("/v1/chat/completions", chat("priced", "hi"), "Authorization", "Bearer "+key)
		}()
	}
	for range 5 {
		<-arrived
	}
	for range 15 { // those that were not let in are told so while the others are on their way
		if got := <-answers; got.status != 429 || !strings.Contains(got.body, "on their way") || got.header.Get("Retry-After") == "" || got.header.Get("X-Should-Retry") != "" {
			t.Errorf("status %d, %v %s", got.status, got.header, got.body)
		}
	}
	close(let)
	for range 5 {
		if got := <-answers; got.status != 200 {
			t.Errorf("status %d, %s", got.status, got.body)
		}
	}
	month := time.Now().UTC().Format("2006-01")
	r.eventually("what was spent is in the store", func() bool {
		usd, err := r.store.Spend(t.Context(), "1", month, 0)
		return err == nil && math.Abs(usd-5*most/2) < 1e-9
	})
	got := r.post("/v1/chat/completions", chat("priced", "hi"), "Authorization", "Bearer "+key)
	if got.status != 200 {
		t.Errorf("with half of the budget left: status %d, %s", got.status, got.body)
	}
	if cost := r.trace(got).CostUSD; math.Abs(cost-most/2) > 1e-9 {
		t.Errorf("the trace says %g USD", cost)
	}
	got = r.post("/v1/chat/completions", chat("unpriced", "hi"), "Authorization", "Bearer "+key)
	if got.status != 403 || !strings.Contains(got.body, "price") || got.header.Get("X-Should-Retry") != "false" || strings.Contains(got.body, unpriced) {
		t.Errorf("a model without a price: status %d, %v %s", got.status, got.header, got.body)
	}
	if tr := r.trace(got); !strings.Contains(tr.Error, "openai/"+unpriced) {
		t.Errorf("the trace does not say which model: %q", tr.Error)
	}
	if n := len(r.seen()); n != 6 {
		t.Errorf("%d requests reached the provider, want 6", n)
	}
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "prices.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
