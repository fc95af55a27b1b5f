package gateway_test

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model/modeltest"
	"github.com/rung-dev/rung/internal/store"
)

// TestHangingUpIsNotFree: who goes away in the middle pays for what was asked and what came.
func TestHangingUpIsNotFree(t *testing.T) {
	key := ""
	r := newRig(t, setup{config: "pass: ['*']", script: func(modeltest.Call) modeltest.Reply {
		return modeltest.Reply{Text: strings.Repeat("lorem ipsum ", 200), Fault: modeltest.HangStream, Pieces: []string{strings.Repeat("lorem ipsum ", 100), "more"}}
	}, prepare: func(r *rig) {
		r.release("talk", "v1", fixture{cand: candidate(textOut)})
		key = r.key(rung.APIKey{ID: "1", Name: "a", TPM: 1e6})
	}})
	for _, c := range []struct{ path, model string }{{"/v1/chat/completions", "openai/m"}, {"/v1/messages", "anthropic/m"}, {"/v1/chat/completions", "talk"}} {
		ctx, cancel := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+c.path, strings.NewReader(chat(c.model, strings.Repeat("what is it? ", 100), `"stream":true`)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+key)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		for lines := bufio.NewScanner(resp.Body); lines.Scan() && !strings.Contains(lines.Text(), "lorem"); {
		}
		cancel()
		_ = resp.Body.Close() // it was ended
		tr := r.trace(reply{header: resp.Header})
		if tr.Usage.In < 290 || tr.Usage.Out < 290 || tr.Code == "" {
			t.Errorf("%s: %+v, code %q", c.model, tr.Usage, tr.Code)
		}
		if c.model != "talk" && tr.CostUSD <= 0 {
			t.Errorf("%s: free", c.model)
		}
	}
}

// TestHangingUpBeforeTheAnswerIsNotFree: the provider has the prompt by then.
func TestHangingUpBeforeTheAnswerIsNotFree(t *testing.T) {
	asked := make(chan struct{}, 4)
	r := newRig(t, setup{config: "pass: ['*']", script: func(modeltest.Call) modeltest.Reply {
		asked <- struct{}{}
		return modeltest.Reply{Fault: modeltest.Hang}
	}, prepare: func(r *rig) { r.release("talk", "v1", fixture{cand: candidate(textOut)}) }})
	for _, model := range []string{"openai/m", "talk"} {
		ctx, cancel := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+"/v1/chat/completions", strings.NewReader(chat(model, strings.Repeat("what is it? ", 100))))
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			if resp, err := http.DefaultClient.Do(req); err == nil {
				_ = resp.Body.Close()
				t.Error("an answer")
			}
		}()
		<-asked
		cancel()
		<-ended
		r.eventually("its trace says what it took", func() bool {
			for tr, err := range r.store.Traces(t.Context(), store.TraceFilter{Limit: 10}) {
				if err != nil {
					t.Fatal(err)
				}
				if tr.Model == model && tr.Usage.In >= 290 {
					return true
				}
			}
			return false
		})
	}
}
