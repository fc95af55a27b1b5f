package model_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/model/modeltest"
)

func TestEmbedRetriesOneBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c modeltest.Call) modeltest.Reply {
			if c.N == 2 {
				return modeltest.Reply{Fault: modeltest.RateLimited, RetryAfter: "9"}
			}
			return modeltest.Reply{}
		})
		d := r.door(model.Options{Limits: rung.Limits{Retries: 1}, Budget: model.NewBudget(1)})
		texts := make([]string, 100)
		for i := range texts {
			texts[i] = fmt.Sprint("text ", i)
		}
		got, err := d.Embed(t.Context(), "openai/text-embedding-3-small", texts)
		if err != nil || len(got) != 100 || r.server.Calls() != 3 {
			t.Fatalf("%d vectors after %d calls, %v", len(got), r.server.Calls(), err)
		}
		if c := d.Counts(); c.Retries != 1 || c.SpentUSD <= 0 || c.SpentUSD > 1e-5 {
			t.Errorf("counts %+v", c)
		}
	})
}

func TestEmbedKeepsToTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, modeltest.Echo)
		d := r.door(model.Options{Budget: model.NewBudget(1e-6)})
		_, err := d.Embed(t.Context(), "openai/text-embedding-3-small", []string{strings.Repeat("long ", 1000)})
		if rung.CodeOf(err) != rung.CodeBudget || r.server.Calls() != 0 {
			t.Errorf("%d calls, %v", r.server.Calls(), err)
		}
	})
}

func TestEmbedWithoutEmbeddings(t *testing.T) {
	r := newRig(t, modeltest.Echo)
	if _, err := r.door(model.Options{}).Embed(t.Context(), "anthropic/m", []string{"x"}); rung.CodeOf(err) != rung.CodeUnsupported {
		t.Errorf("got %v", err)
	}
}
