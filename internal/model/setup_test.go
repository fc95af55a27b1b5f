package model_test

import (
	"net/http"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/model/anthropic"
	"github.com/rung-dev/rung/internal/model/modeltest"
	"github.com/rung-dev/rung/internal/model/openai"
	"github.com/rung-dev/rung/internal/store/sqlite"
)

// rig is a door with a real store in front of a real HTTP server. In a synctest bubble its time costs nothing.
type rig struct {
	*testing.T
	server    *modeltest.Server
	transport http.RoundTripper
	store     *sqlite.Store
}

func newRig(t *testing.T, script modeltest.Script) *rig {
	t.Helper()
	s := modeltest.New(script)
	transport, stop := s.Pipe()
	store, err := sqlite.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return &rig{t, s, transport, store}
}

// door opens a door on the rig's store. Unless opt says otherwise there are no retries, and the jitter is at its longest.
func (r *rig) door(opt model.Options) *model.Door {
	opt.Store, opt.Provider = r.store, r.provider
	if opt.Rand == nil {
		opt.Rand = func() float64 { return 1 }
	}
	return model.NewDoor(opt)
}

func (r *rig) provider(name string) (model.Provider, error) {
	if name == "anthropic" {
		return anthropic.New(anthropic.Config{BaseURL: "http://model.test", Key: "k", HTTP: r.transport})
	}
	return openai.New(openai.Config{Name: name, BaseURL: "http://model.test/v1", Key: "k", HTTP: r.transport})
}

func question(text string) model.Request {
	return model.Request{Model: "openai/gpt-4o-mini", MaxTokens: 100, Messages: []model.Message{{Role: "user", Content: text}}}
}

// must answers req and gives the completion and whether it was cached.
func (r *rig) must(d *model.Door, req model.Request) (rung.Completion, bool) {
	r.Helper()
	c, cached, err := d.Complete(r.Context(), req)
	if err != nil {
		r.Fatal(err)
	}
	return c, cached
}
