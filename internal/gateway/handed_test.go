package gateway_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rung-dev/rung/internal/gateway"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/retrieve"
)

// passing is a gateway that passes everything through to a provider of the test's.
func passing(t *testing.T, provider http.HandlerFunc) func(body string) *http.Response {
	t.Helper()
	server := httptest.NewServer(provider)
	t.Cleanup(server.Close)
	r := newRig(t, setup{config: "pass: ['*']"})
	g, err := gateway.New(t.Context(), gateway.Options{Config: r.gw.Config(), Store: r.store, Releases: r, Models: r.live, WithGroups: retrieve.WithGroups,
		Upstream: func(string) (*gateway.Upstream, error) {
			return &gateway.Upstream{Base: server.URL, API: "openai", Header: http.Header{"Authorization": {"Bearer secret"}}, Prices: func(string) model.Price { return model.Price{} }}, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	return func(body string) *http.Response {
		w := httptest.NewRecorder()
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost/v1/chat/completions", strings.NewReader(body))
		g.ServeHTTP(w, req)
		return w.Result()
	}
}

// TestARedirectOfAProviderIsNoAnswer: neither the gateway nor the caller is sent elsewhere.
func TestARedirectOfAProviderIsNoAnswer(t *testing.T) {
	for _, status := range []int{300, 301, 302, 303, 304, 307, 308, 399} {
		asked := 0
		ask := passing(t, func(w http.ResponseWriter, r *http.Request) {
			asked++
			w.Header().Set("Location", "http://"+r.Host+"/elsewhere")
			w.WriteHeader(status)
		})
		got := ask(chat("openai/m", "hi"))
		if got.StatusCode != http.StatusBadGateway || got.Header.Get("Location") != "" || asked != 1 {
			t.Errorf("%d: status %d, %v, the provider was asked %d times", status, got.StatusCode, got.Header, asked)
		}
	}
}

// TestHeadersOfAProvider: what describes the answer goes on; what is the provider's business with the gateway's owner does not, and it
// cannot speak for the gateway.
func TestHeadersOfAProvider(t *testing.T) {
	keep := map[string]string{"X-Request-Id": "r1", "X-Ratelimit-Remaining-Tokens": "9", "Anthropic-Ratelimit-Requests-Limit": "8", "Retry-After": "3", "Content-Type": "application/json"}
	drop := []string{"Location", "X-Rung-Release", "X-Rung-Trace", "X-Rung-Guard", "Openai-Organization", "Openai-Project", "Anthropic-Organization-Id", "Set-Cookie",
		"Access-Control-Allow-Origin", "Refresh", "Link", "Www-Authenticate", "Cf-Ray", "Via", "Content-Security-Policy", "Clear-Site-Data"}
	for _, status := range []int{200, 429} {
		ask := passing(t, func(w http.ResponseWriter, _ *http.Request) {
			for name, v := range keep {
				w.Header().Set(name, v)
			}
			for _, name := range drop {
				w.Header().Set(name, "theirs")
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(`{"choices":[]}`))
		})
		got := ask(chat("openai/m", "hi"))
		if got.StatusCode != status {
			t.Errorf("status %d, want %d", got.StatusCode, status)
		}
		for name, v := range keep {
			if got.Header.Get(name) != v {
				t.Errorf("%d: %s is %q", status, name, got.Header.Get(name))
			}
		}
		for _, name := range drop {
			if v := got.Header.Get(name); v == "theirs" || v != "" && name != "X-Rung-Trace" {
				t.Errorf("%d: %s is %q", status, name, v)
			}
		}
	}
}
