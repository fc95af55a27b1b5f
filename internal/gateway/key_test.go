package gateway_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/gateway"
	"github.com/rung-dev/rung/internal/model/modeltest"
)

// key puts a key into the store.
func (r *rig) key(k rung.APIKey) string {
	r.t.Helper()
	key, hash := gateway.NewKey()
	k.Hash, k.Created = hash, time.Now().UTC()
	if k.Scopes == nil {
		k.Scopes = []string{gateway.ScopeServe}
	}
	if err := r.store.PutKey(r.t.Context(), k); err != nil {
		r.t.Fatal(err)
	}
	return key
}

func TestKeysAreLongAndKeptAsHashes(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		key, hash := gateway.NewKey()
		if !strings.HasPrefix(key, "rk_") || len(key) != 46 || seen[key] || len(hash) != 32 || string(gateway.HashKey(key)) != string(hash) {
			t.Fatalf("%s %x", key, hash)
		}
		seen[key] = true
	}
}

func TestKeysLetIn(t *testing.T) {
	keys := map[string]string{}
	r := newRig(t, setup{config: "pass: ['openai/*']", prepare: func(r *rig) {
		r.release("talk", "v1", fixture{cand: candidate(textOut)})
		r.release("walk", "v1", fixture{cand: candidate(textOut)})
		keys["all"] = r.key(rung.APIKey{ID: "1", Name: "all"})
		keys["talk"] = r.key(rung.APIKey{ID: "2", Name: "talk", Tasks: []string{"talk", "openai/small"}})
		keys["feedback"] = r.key(rung.APIKey{ID: "3", Name: "feedback", Scopes: []string{gateway.ScopeFeedback}})
		keys["expired"] = r.key(rung.APIKey{ID: "4", Name: "expired", Expires: time.Now().Add(-time.Second)})
		keys["revoked"] = r.key(rung.APIKey{ID: "5", Name: "revoked", Revoked: time.Now().Add(-time.Second)})
		keys["wrong"], _ = gateway.NewKey()
		keys["none"] = ""
	}})
	for _, c := range []struct {
		key, model string
		status     int
	}{
		{"all", "talk", 200}, {"all", "walk@v1", 200}, {"all", "openai/any", 200},
		{"talk", "talk@v1", 200}, {"talk", "walk", 403}, {"talk", "openai/small", 200}, {"talk", "openai/large", 403},
		{"feedback", "talk", 403}, {"expired", "talk", 401}, {"revoked", "talk", 401}, {"wrong", "talk", 401}, {"none", "talk", 401},
	} {
		for _, header := range []string{"Authorization", "X-Api-Key"} {
			value := keys[c.key]
			if header == "Authorization" {
				value = "Bearer " + value
			}
			got := r.post("/v1/chat/completions", chat(c.model, "hi"), header, value)
			if got.status != c.status {
				t.Errorf("%s asks for %s: status %d, %s", c.key, c.model, got.status, got.body)
			}
			if tr := r.trace(got); c.status == 200 && tr.Key == "" || strings.Contains(fmt.Sprintf("%+v", tr), keys["all"]) {
				t.Errorf("trace %+v", tr)
			}
		}
	}
	got := r.get("/v1/models", "Authorization", "Bearer "+keys["talk"])
	if strings.Contains(got.body, "walk") || !strings.Contains(got.body, `"id":"talk@v1"`) {
		t.Errorf("models: %s", got.body)
	}
	for _, path := range []string{"/v1/models", "/metrics"} {
		if got := r.get(path); got.status != 401 && path == "/v1/models" {
			t.Errorf("%s without a key: %d", path, got.status)
		}
	}
	// A model named twice must not let one reader check one and another answer the other.
	got = r.post("/v1/chat/completions", `{"model":"openai/small","Model":"openai/large","messages":[]}`, "Authorization", "Bearer "+keys["talk"])
	if got.status != 400 {
		t.Errorf("two models: %d %s", got.status, got.body)
	}
}

func (r *rig) get(path string, headers ...string) reply {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, r.url+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return r.do(req)
}

func TestARevokedKeyIsOutWithinASecond(t *testing.T) {
	key := ""
	r := newRig(t, setup{config: "pass: ['*']", prepare: func(r *rig) { key = r.key(rung.APIKey{ID: "1", Name: "a"}) }})
	if got := r.post("/v1/chat/completions", chat("openai/m", "hi"), "Authorization", "Bearer "+key); got.status != 200 {
		t.Fatal(got.body)
	}
	k := rung.APIKey{ID: "1", Name: "a", Hash: gateway.HashKey(key), Scopes: []string{gateway.ScopeServe}, Revoked: time.Now().UTC()}
	if err := r.store.PutKey(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	r.eventually("the key is refused", func() bool {
		return r.post("/v1/chat/completions", chat("openai/m", "hi"), "Authorization", "Bearer "+key).status == 401
	})
	if took := time.Since(start); took > time.Second {
		t.Errorf("after %s", took)
	}
}

func TestRatesAndBudgets(t *testing.T) {
	keys := map[string]string{}
	r := newRig(t, setup{config: "pass: ['*']", script: func(modeltest.Call) modeltest.Reply { return modeltest.Reply{Text: "x", In: 1000, Out: 500} }, prepare: func(r *rig) {
		keys["rpm"] = r.key(rung.APIKey{ID: "1", Name: "rpm", RPM: 3})
		keys["tpm"] = r.key(rung.APIKey{ID: "2", Name: "tpm", TPM: 2000})
		keys["budget"] = r.key(rung.APIKey{ID: "3", Name: "budget", BudgetUSD: .0055}) // a call costs .002
	}})
	ask := func(key string) reply {
		return r.post("/v1/chat/completions", chat("openai/m", "hi", `"max_tokens":500`), "Authorization", "Bearer "+keys[key])
	}
	for key, good := range map[string]int{"rpm": 3, "tpm": 2, "budget": 3} {
		for i := range good + 2 {
			got := ask(key)
			if i < good && got.status != 200 || i >= good && got.status != 429 {
				t.Errorf("%s, request %d: status %d, %s", key, i+1, got.status, got.body)
			}
			if got.status == 429 && (got.header.Get("Retry-After") == "" || !strings.Contains(got.body, `"code":"limited"`)) {
				t.Errorf("%s: %v %s", key, got.header, got.body)
			}
		}
	}
	month := time.Now().UTC().Format("2006-01")
	r.eventually("what was spent is in the store", func() bool {
		usd, err := r.store.Spend(t.Context(), "3", month, 0)
		return err == nil && usd > .0059 && usd < .0061
	})
	// Another gateway spends too.
	if _, err := r.store.Spend(t.Context(), "1", month, 100); err != nil {
		t.Fatal(err)
	}
}

func TestWithoutKeysThisMachineOnly(t *testing.T) {
	r := newRig(t, setup{config: "listen: 0.0.0.0:0\npass: ['*']"})
	server, err := r.gw.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(server.URL(), "http://127.0.0.1:") || !strings.Contains(r.log.String(), "no keys") {
		t.Errorf("listens on %s, log %s", server.URL(), r.log)
	}
	if got := r.post("/v1/chat/completions", chat("openai/m", "hi")); got.status != 200 {
		t.Errorf("status %d", got.status)
	}
	if got := r.post("/v1/chat/completions", chat("openai/m", "hi"), "Origin", "https://evil.example"); got.status != 403 {
		t.Errorf("a web page: status %d", got.status)
	}
	req, err := http.NewRequest(http.MethodPost, r.url+"/v1/chat/completions", strings.NewReader(chat("openai/m", "hi")))
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "rebound.example"
	if got := r.do(req); got.status != 403 {
		t.Errorf("another name for this machine: status %d", got.status)
	}
	// From the first key on, every request needs one.
	r.key(rung.APIKey{ID: "1", Name: "a"})
	r.eventually("a key is asked for", func() bool { return r.post("/v1/chat/completions", chat("openai/m", "hi")).status == 401 })
}

func TestBackpressure(t *testing.T) {
	let := make(chan struct{})
	r := newRig(t, setup{config: "pass: ['*']\nlimits: {concurrency: 2, queue: 3, queue_wait: 20s}", script: func(modeltest.Call) modeltest.Reply {
		<-let
		return modeltest.Reply{Text: "x"}
	}})
	var wg sync.WaitGroup
	var mu sync.Mutex
	status := map[int]int{}
	for range 12 {
		wg.Go(func() {
			got := r.post("/v1/chat/completions", chat("openai/m", "hi"))
			mu.Lock()
			status[got.status]++
			full := got.status == 429 && status[429] == 7
			mu.Unlock()
			if got.status == 429 && got.header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			if full {
				close(let)
			}
		})
	}
	wg.Wait()
	if status[200] != 5 || status[429] != 7 {
		t.Errorf("%v", status)
	}
	if r.gw.InFlight() != 0 || r.gw.Queued() != 0 {
		t.Errorf("%d inside, %d wait", r.gw.InFlight(), r.gw.Queued())
	}
}
