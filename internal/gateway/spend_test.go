package gateway_test

import (
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
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
