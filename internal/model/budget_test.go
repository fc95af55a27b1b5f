package model_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/model/modeltest"
	"github.com/rung-dev/rung/internal/model/openai"
)

// Each call costs 100 tokens in and 100 out of gpt-4o-mini.
const callCost = (100*.15 + 100*.6) / 1e6

func costly(modeltest.Call) modeltest.Reply {
	return modeltest.Reply{Text: "x", In: 100, Out: 100, Delay: time.Second}
}

// askMany asks n questions at once and counts those that were answered and those the budget refused.
func (r *rig) askMany(d *model.Door, n int) (answered, refused int) {
	var yes, no atomic.Int64
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			_, _, err := d.Complete(r.Context(), question(fmt.Sprint("question ", i, strings.Repeat("x", 250))))
			switch {
			case err == nil:
				yes.Add(1)
			case rung.CodeOf(err) == rung.CodeBudget:
				no.Add(1)
			default:
				r.Error(err)
			}
		})
	}
	wg.Wait()
	return int(yes.Load()), int(no.Load())
}

func TestBudgetIsNeverExceededAndUsedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, costly)
		budget := model.NewBudget(10.9 * callCost) // room for ten calls, whose estimates are higher than their costs
		d := r.door(model.Options{Budget: budget, Limits: rung.Limits{Concurrency: 100}})
		answered, refused := r.askMany(d, 40)
		if answered+refused != 40 || answered < 9 || answered > 10 {
			t.Errorf("%d answered, %d refused", answered, refused)
		}
		if spent := budget.Spent(); spent > 10.9*callCost || math.Abs(spent-float64(answered)*callCost) > 1e-12 {
			t.Errorf("spent %g for %d calls of %g", spent, answered, callCost)
		}
		// A second run with more goes on from what is spent: what is answered is counted, once, and not paid for.
		calls := r.server.Calls()
		more := model.NewBudget(100 * callCost)
		d = r.door(model.Options{Budget: more, Limits: rung.Limits{Concurrency: 100}})
		for range 2 {
			if answered, _ := r.askMany(d, 40); answered != 40 {
				t.Errorf("%d answered", answered)
			}
		}
		if r.server.Calls()-calls != 40-answered {
			t.Errorf("%d calls were made for the %d that were left", r.server.Calls()-calls, 40-answered)
		}
		if spent := more.Spent(); math.Abs(spent-40*callCost) > 1e-12 {
			t.Errorf("spent %g, want %g", spent, 40*callCost)
		}
	})
}

// Where estimates are far above what calls cost, a call waits for those in flight to settle, and is not refused for them.
func TestBudgetWaitsForEstimatesToSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(modeltest.Call) modeltest.Reply {
			return modeltest.Reply{Text: "x", In: 1, Out: 1, Delay: time.Second}
		})
		const estimate = (150*.15 + 100*.6) / 1e6 // of one call, at least
		d := r.door(model.Options{Budget: model.NewBudget(3 * estimate), Limits: rung.Limits{Concurrency: 100}})
		if answered, refused := r.askMany(d, 40); answered != 40 {
			t.Errorf("%d answered, %d refused, $%g spent of $%g", answered, refused, d.Counts().SpentUSD, 3*estimate)
		}
	})
}

func TestBudgetThatIsTooSmallForOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, costly)
		d := r.door(model.Options{Budget: model.NewBudget(callCost / 10)})
		_, _, err := d.Complete(t.Context(), question("a"))
		if rung.CodeOf(err) != rung.CodeBudget || !model.Fatal(err) || !strings.Contains(err.Error(), "budget.cost") || r.server.Calls() != 0 {
			t.Errorf("%d calls: %v", r.server.Calls(), err)
		}
	})
}

func TestFailedCallsCostNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, modeltest.Sequence(modeltest.Reply{Fault: modeltest.BadJSON}))
		budget := model.NewBudget(callCost * 1.5) // an estimate that was kept would leave no room for the second call
		d := r.door(model.Options{Budget: budget})
		for range 5 {
			if _, _, err := d.Complete(t.Context(), question("a")); rung.CodeOf(err) != rung.CodeProvider {
				t.Errorf("got %v", err)
			}
		}
		if budget.Spent() != 0 {
			t.Errorf("spent %g", budget.Spent())
		}
	})
}

func TestUnknownPrice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, costly)
		req := question("a")
		req.Model = "openai/brand-new"
		d := r.door(model.Options{})
		if c, _ := r.must(d, req); c.CostUSD != 0 || d.Counts().Unpriced != 1 || d.Priced(req.Model) {
			t.Errorf("cost %g, %+v", c.CostUSD, d.Counts())
		}
		limited := r.door(model.Options{Budget: model.NewBudget(5)})
		req.Seed = 1
		_, _, err := limited.Complete(t.Context(), req)
		for _, err := range []error{err, limited.Check("openai/gpt-4o-mini", req.Model)} {
			if rung.CodeOf(err) != rung.CodeBudget || !strings.Contains(err.Error(), "openai/brand-new") || !strings.Contains(err.Error(), "price file") {
				t.Errorf("got %v", err)
			}
		}
		if r.server.Calls() != 1 {
			t.Errorf("%d calls", r.server.Calls())
		}
	})
}

func TestLocalModelsCostByTheHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(modeltest.Call) modeltest.Reply { return modeltest.Reply{Text: "x", Delay: 36 * time.Second} })
		prices, err := model.LoadPrices(writePrices(t, `{"models":{"local":{"per_hour":2}}}`))
		if err != nil {
			t.Fatal(err)
		}
		req := question("a")
		req.Model = "vllm/any"
		if c, _ := r.must(r.door(model.Options{Prices: prices}), req); math.Abs(c.CostUSD-.02) > 1e-9 {
			t.Errorf("36 s at $2 an hour cost %g", c.CostUSD)
		}
	})
}

func TestCheckFindsAllThatIsMissing(t *testing.T) {
	t.Setenv("OPENROUTER_API_KEY", "")
	d := model.NewDoor(model.Options{Budget: model.NewBudget(1), Provider: func(name string) (model.Provider, error) {
		return openai.New(openai.Config{Name: name})
	}})
	t.Setenv("OPENAI_API_KEY", "k")
	t.Setenv("OPENAI_BASE_URL", "")
	t.Setenv("NOBODY_BASE_URL", "")
	err := d.Check("openai/gpt-4o", "openai/unpriced", "nobody/m")
	var all rung.Errors
	if !errors.As(err, &all) || len(all) != 2 || all[0].Code != rung.CodeBudget || all[1].Code != rung.CodeUsage {
		t.Errorf("got %v", err)
	}
	d = model.NewDoor(model.Options{Provider: func(name string) (model.Provider, error) { return openai.New(openai.Config{Name: name}) }})
	if err := d.Check("openrouter/m"); rung.CodeOf(err) != rung.CodeAuth || !strings.Contains(err.Error(), "OPENROUTER_API_KEY") {
		t.Errorf("got %v", err)
	}
}
