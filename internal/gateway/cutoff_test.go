package gateway_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/gateway"
	"github.com/rung-dev/rung/internal/model/modeltest"
	"github.com/rung-dev/rung/internal/retrieve"
)

// holding is a meter that lets the requests end when the test says so.
type holding struct{ seen, let chan struct{} }

func (h holding) Observe(*rung.Trace) {
	h.seen <- struct{}{}
	<-h.let
}

func (holding) Handler() http.Handler { return nil }

// TestTheEndWaitsForRequestsThatAreCutOff: what they have spent is known, and kept, when they have ended and not when their
// connections are closed.
func TestTheEndWaitsForRequestsThatAreCutOff(t *testing.T) {
	inside := make(chan struct{}, 1)
	r := newRig(t, setup{config: "listen: 127.0.0.1:0\npass: ['*']\ndrain: 10ms", script: func(modeltest.Call) modeltest.Reply {
		inside <- struct{}{}
		return modeltest.Reply{Fault: modeltest.Hang}
	}})
	meter := holding{make(chan struct{}, 1), make(chan struct{})}
	g, err := gateway.New(t.Context(), gateway.Options{Config: r.gw.Config(), Store: r.store, Releases: r, Models: r.live, WithGroups: retrieve.WithGroups, Meter: meter,
		Upstream: func(name string) (*gateway.Upstream, error) { return passTo(name, r.up) }})
	if err != nil {
		t.Fatal(err)
	}
	server, err := g.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx) }()
	go func() {
		req, err := http.NewRequest(http.MethodPost, server.URL()+"/v1/chat/completions", strings.NewReader(chat("openai/m", "hi")))
		if err != nil {
			t.Error(err)
			return
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
			t.Error("it was answered")
		}
	}()
	<-inside
	cancel()
	<-meter.seen // the request was cut off, and is about to be counted
	select {
	case err := <-ended:
		close(meter.let)
		t.Fatalf("the server ended before the request: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	close(meter.let)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
