package engine_test

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/engine"
	"github.com/rung-dev/rung/internal/model"
)

const smol = rung.ModelRef("local/smollm2-135m")

// shared is one engine for the tests that do not kill or restart it: a server takes a second to start.
var shared = sync.OnceValues(func() (*engine.Engine, error) {
	return engine.New(engine.Options{Log: func(l string) { println(l) }})
})

func TestMain(m *testing.M) {
	code := m.Run()
	if e, err := shared(); err == nil {
		e.Close()
	}
	os.Exit(code)
}

// ready gives an engine whose model is installed, or skips where that is impossible.
func ready(t *testing.T, ref rung.ModelRef, e *engine.Engine, err error) *engine.Engine {
	t.Helper()
	if err == nil {
		_, _, err = e.Weights(t.Context(), ref)
	}
	switch rung.CodeOf(err) {
	case "":
		return e
	case rung.CodeMissing, rung.CodeUnreachable:
		t.Skipf("the local engine cannot be installed here: %v", err)
	}
	t.Fatal(err)
	return nil
}

func sharedEngine(t *testing.T, ref rung.ModelRef) *engine.Engine {
	t.Helper()
	e, err := shared()
	return ready(t, ref, e, err)
}

func ownEngine(t *testing.T, opt engine.Options) *engine.Engine {
	t.Helper()
	e, err := engine.New(opt)
	if err == nil {
		t.Cleanup(func() { e.Close() })
	}
	return ready(t, smol, e, err)
}

func user(text string) []model.Message { return []model.Message{{Role: "user", Content: text}} }

func ask(t *testing.T, e *engine.Engine, req model.Request) model.Response {
	t.Helper()
	req.Model = smol
	resp, err := e.Complete(context.Background(), req)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func TestChat(t *testing.T) {
	e := sharedEngine(t, smol)
	resp := ask(t, e, model.Request{Messages: user("What is the capital of France?"), MaxTokens: 40})
	if !strings.Contains(resp.Text, "Paris") {
		t.Errorf("answer: %q", resp.Text)
	}
	if resp.Finish != "stop" || resp.Usage.In < 10 || resp.Usage.Out < 2 || resp.Latency <= 0 {
		t.Errorf("got %+v", resp)
	}
}
