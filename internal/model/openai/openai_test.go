package openai_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/model/modeltest"
	"github.com/rung-dev/rung/internal/model/openai"
)

func provider(t *testing.T, transport http.RoundTripper, key string) model.Provider {
	p, err := openai.New(openai.Config{Name: "openai", BaseURL: "http://model.test/v1", Key: key, HTTP: transport})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestProviderConforms(t *testing.T) { modeltest.Conform(t, "openai/m", provider) }

func serve(t *testing.T, s *modeltest.Server) (url string) {
	url, stop, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return url + "/v1"
}

func TestEnvironmentNamesServerAndKey(t *testing.T) {
	s := modeltest.New(modeltest.Echo)
	s.Key = "k-123"
	t.Setenv("MY_SERVER_BASE_URL", serve(t, s)+"/")
	t.Setenv("MY_SERVER_API_KEY", " k-123\n") // as a file read into a variable has it
	p, err := openai.New(openai.Config{Name: "my-server"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Complete(t.Context(), model.Request{Model: "my-server/m", Messages: []model.Message{{Role: "user", Content: "hi"}}})
	if err != nil || got.Text != "hi" {
		t.Errorf("got %q, %v", got.Text, err)
	}
}

func TestServerOnThisMachineNeedsNoKey(t *testing.T) {
	t.Setenv("OPENAI_API_KEY", "")
	t.Setenv("OPENAI_BASE_URL", serve(t, modeltest.New(modeltest.Echo)))
	p, err := openai.New(openai.Config{Name: "openai"})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Ready("openai/m"); err != nil {
		t.Errorf("Ready: %v", err)
	}
	if _, err := p.Complete(t.Context(), model.Request{Model: "openai/m", Messages: []model.Message{{Role: "user", Content: "hi"}}}); err != nil {
		t.Error(err)
	}
}

func TestMissingKeyNamesItsVariable(t *testing.T) {
	for name, variable := range map[string]string{"openai": "OPENAI_API_KEY", "openrouter": "OPENROUTER_API_KEY"} {
		t.Setenv(variable, "")
		t.Setenv(strings.ReplaceAll(variable, "API_KEY", "BASE_URL"), "")
		p, err := openai.New(openai.Config{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		ref := rung.ModelRef(name + "/m")
		_, err = p.Complete(t.Context(), model.Request{Model: ref})
		_, embedErr := p.Embed(t.Context(), ref, []string{"x"})
		for _, err := range []error{err, embedErr, p.Ready(ref)} {
			if rung.CodeOf(err) != rung.CodeAuth || !strings.Contains(err.Error(), variable) {
				t.Errorf("%s: %v, want an auth error that names %s", name, err, variable)
			}
		}
	}
}

func TestUnknownProviderSaysWhatToSet(t *testing.T) {
	t.Setenv("OPENAY_BASE_URL", "")
	_, err := openai.New(openai.Config{Name: "openay"})
	if rung.CodeOf(err) != rung.CodeUsage || !strings.Contains(err.Error(), "OPENAY_BASE_URL") {
		t.Errorf("got %v", err)
	}
	t.Setenv("OPENAY_BASE_URL", "localhost:80")
	if _, err = openai.New(openai.Config{Name: "openay"}); rung.CodeOf(err) != rung.CodeUsage || !strings.Contains(err.Error(), "http://") {
		t.Errorf("got %v", err)
	}
}

// sent is the request body that a provider at baseURL sends.
func sent(t *testing.T, baseURL string, req model.Request) map[string]any {
	t.Helper()
	var body []byte
	s := modeltest.New(func(c modeltest.Call) modeltest.Reply { body = c.Body; return modeltest.Reply{Text: "x"} })
	transport, stop := s.Pipe()
	defer stop()
	// The pipe does not speak TLS, so https is taken off on the way.
	p, err := openai.New(openai.Config{Name: "openai", BaseURL: baseURL, Key: "k", HTTP: plain{transport}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Complete(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(body, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

type plain struct{ next http.RoundTripper }

func (p plain) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme = "http"
	return p.next.RoundTrip(r)
}

func TestReasoningModelsOfOpenAIGetTheirOwnFields(t *testing.T) {
	req := model.Request{Model: "openai/o4-mini", Messages: []model.Message{{Role: "user", Content: "x"}}, MaxTokens: 9, Stop: []string{"a"}}
	got := sent(t, "https://api.openai.com/v1", req)
	if got["max_completion_tokens"] != 9.0 {
		t.Errorf("max_completion_tokens is %v", got["max_completion_tokens"])
	}
	for _, field := range []string{"max_tokens", "temperature", "seed", "stop"} {
		if v, ok := got[field]; ok {
			t.Errorf("%s was sent: %v", field, v)
		}
	}
	for _, other := range []struct{ url, name string }{{"https://api.openai.com/v1", "openai/gpt-4o-mini"}, {"http://localhost:1/v1", "openai/o4-mini"}} {
		req.Model = rung.ModelRef(other.name)
		got := sent(t, other.url, req)
		if got["max_tokens"] != 9.0 || got["temperature"] != 0.0 || got["seed"] != 0.0 || got["max_completion_tokens"] != nil {
			t.Errorf("%s at %s got %v", other.name, other.url, got)
		}
	}
}

func TestStrictOnlyWhereTheSchemaKeepsTheRules(t *testing.T) {
	cases := []struct {
		schema string
		strict bool
	}{
		{`{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}`, true},
		{`{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}`, false},
		{`{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}},"required":["a"],"additionalProperties":false}`, false},
		{`{"type":"array","items":{"type":"string"}}`, false},
		{`{"type":"object","properties":{"a":{"type":"array","items":{"type":"object","properties":{"x":{}},"required":["x"]}}},"required":["a"],"additionalProperties":false}`, false},
		{`{"type":"object","properties":{"a":{"$ref":"#/$defs/d"}},"required":["a"],"additionalProperties":false,"$defs":{"d":{"type":"object"}}}`, false},
		{`{"type":"object","properties":{"a":{"oneOf":[{"type":"string"}]}},"required":["a"],"additionalProperties":false}`, false},
		{`{"type":"object","properties":{"a":{"anyOf":[{"type":"string"},{"type":"null"}]}},"required":["a"],"additionalProperties":false}`, true},
	}
	for _, c := range cases {
		got := sent(t, "http://localhost:1/v1", model.Request{Model: "openai/m", Schema: json.RawMessage(c.schema)})
		format := got["response_format"].(map[string]any)["json_schema"].(map[string]any)
		if format["strict"] != c.strict {
			t.Errorf("strict is %v for %s", format["strict"], c.schema)
		}
	}
}

func TestErrorInsideASuccess(t *testing.T) {
	for _, c := range []struct {
		body string
		code rung.Code
	}{
		{`{"error":{"message":"upstream is down","code":503}}`, rung.CodeProvider},
		{`{"error":{"message":"no auth","code":401}}`, rung.CodeAuth},
		{`{"error":"odd"}`, rung.CodeProvider},
	} {
		_, err := answerWith(t, c.body)
		if rung.CodeOf(err) != c.code {
			t.Errorf("%s: %v", c.body, err)
		}
	}
	got, err := answerWith(t, `{"choices":[{"message":{"content":null,"refusal":"I will not"},"finish_reason":"stop"}]}`)
	if err != nil || got.Text != "I will not" || got.Finish != "content_filter" {
		t.Errorf("a refusal came as %+v, %v", got, err)
	}
}

// answerWith has a provider read body as the answer of its server.
func answerWith(t *testing.T, body string) (model.Response, error) {
	p, err := openai.New(openai.Config{Name: "openai", BaseURL: "http://localhost:1/v1", HTTP: canned(body)})
	if err != nil {
		t.Fatal(err)
	}
	return p.Complete(t.Context(), model.Request{Model: "openai/m"})
}

func TestEmbed(t *testing.T) {
	s := modeltest.New(modeltest.Echo)
	transport, stop := s.Pipe()
	defer stop()
	e := provider(t, transport, "k").(model.Embedder)
	texts := make([]string, 150)
	for i := range texts {
		texts[i] = fmt.Sprint("text ", i)
	}
	got, err := e.Embed(t.Context(), "openai/m", texts)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(texts) || s.Calls() != 3 {
		t.Fatalf("%d vectors in %d calls", len(got), s.Calls())
	}
	for i, v := range got {
		alone, err := e.Embed(t.Context(), "openai/m", texts[i:i+1])
		if err != nil {
			t.Fatal(err)
		}
		var length float64
		for j := range v {
			length += float64(v[j]) * float64(v[j])
			if v[j] != alone[0][j] {
				t.Fatalf("text %d has another vector in a batch than alone", i)
			}
		}
		if math.Abs(length-1) > 1e-5 {
			t.Errorf("vector %d has the squared length %g", i, length)
		}
	}
}

func TestEmbedRefusesNonsense(t *testing.T) {
	for _, body := range []string{
		`{"data":[]}`,
		`{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}`,
		`{"data":[{"index":0,"embedding":[1]},{"index":7,"embedding":[1]}]}`,
		`{"data":[{"index":0,"embedding":[1]},{"index":-1,"embedding":[1]}]}`,
		`{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[1,2]}]}`,
		`{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[]}]}`,
		`{"data":[{"index":0,"embedding":[0]},{"index":1,"embedding":[0]}]}`,
		`nothing`,
	} {
		p := provider(t, canned(body), "k").(model.Embedder)
		if got, err := p.Embed(t.Context(), "openai/m", []string{"a", "b"}); rung.CodeOf(err) != rung.CodeProvider {
			t.Errorf("%s: %v, %v", body, got, err)
		}
	}
}

func TestProviderStreams(t *testing.T) { modeltest.ConformStream(t, "openai/m", provider) }
