// Package openai speaks the OpenAI API, to OpenAI and to the many servers that speak it too: Ollama, vLLM, llama-server, LM
// Studio, OpenRouter and whatever else has a base URL.
package openai

import (
	"net/http"
	"os"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
)

// Config says which server to speak to. The zero value of each field but Name is read from the environment, or defaulted.
type Config struct {
	Name    string // the part of a model reference before the slash
	BaseURL string
	Key     string
	HTTP    http.RoundTripper // nil: a transport with time-outs
}

// Provider speaks to one server. It implements model.Provider and model.Embedder.
type Provider struct {
	name    string
	base    string
	real    bool // OpenAI itself, whose rules are stricter and known
	keyEnv  string
	urlEnv  string
	noKey   bool
	http    *http.Client
	headers http.Header
}

const officialURL = "https://api.openai.com/v1"

// defaultURLs are where servers listen unless told otherwise.
var defaultURLs = map[string]string{
	"openai":     officialURL,
	"ollama":     "http://localhost:11434/v1",
	"vllm":       "http://localhost:8000/v1",
	"llamacpp":   "http://localhost:8080/v1",
	"lmstudio":   "http://localhost:1234/v1",
	"openrouter": "https://openrouter.ai/api/v1",
	"groq":       "https://api.groq.com/openai/v1",
	"mistral":    "https://api.mistral.ai/v1",
	"deepseek":   "https://api.deepseek.com/v1",
	"together":   "https://api.together.xyz/v1",
	"fireworks":  "https://api.fireworks.ai/inference/v1",
}

// New makes the provider called c.Name. A name that is not known needs NAME_BASE_URL in the environment. A server on the
// user's own machines needs no key; for any other server, a missing key is a CodeAuth error of the first call.
func New(c Config) (*Provider, error) {
	prefix := strings.ToUpper(strings.ReplaceAll(c.Name, "-", "_"))
	p := &Provider{name: c.Name, keyEnv: prefix + "_API_KEY", urlEnv: prefix + "_BASE_URL"}
	p.base = firstOf(c.BaseURL, os.Getenv(p.urlEnv), defaultURLs[c.Name])
	if p.base == "" {
		return nil, &rung.Error{Code: rung.CodeUsage, Place: c.Name, What: "is no provider that rung knows",
			Do: "use local, openai, anthropic, ollama, vllm, llamacpp, lmstudio or openrouter, or set " + p.urlEnv + " to the base URL of an OpenAI-compatible server"}
	}
	p.base = strings.TrimRight(p.base, "/")
	if !strings.HasPrefix(p.base, "http://") && !strings.HasPrefix(p.base, "https://") {
		return nil, &rung.Error{Code: rung.CodeUsage, Place: p.urlEnv, What: "\"" + model.Clean(p.base) + "\" is no base URL",
			Do: "write it like http://localhost:8000/v1"}
	}
	p.real = p.base == officialURL
	key := firstOf(c.Key, os.Getenv(p.keyEnv))
	if key == "" {
		p.noKey = !model.OwnMachine(p.base)
		key = "none" // servers that check no key still want the header to be there
	}
	p.http = model.HTTPClient(c.HTTP)
	p.headers = http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + key}, "User-Agent": {"rung"}}
	if org := os.Getenv("OPENAI_ORG_ID"); p.real && org != "" {
		p.headers.Set("OpenAI-Organization", org)
	}
	if project := os.Getenv("OPENAI_PROJECT_ID"); p.real && project != "" {
		p.headers.Set("OpenAI-Project", project)
	}
	return p, nil
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v = strings.TrimSpace(v); v != "" {
			return v
		}
	}
	return ""
}

// BaseURL is the server's address.
func (p *Provider) BaseURL() string { return p.base }

// Can assumes that a server knows json_schema; one that does not answers CodeUnsupported.
func (p *Provider) Can(rung.ModelRef) model.Can {
	can := model.Can{Schema: true, Concurrency: 4}
	if !model.OwnMachine(p.base) {
		can.Concurrency = 8
	}
	return can
}

func (p *Provider) caller(ref rung.ModelRef) model.Caller {
	return model.Caller{Model: ref, BaseURL: p.base, KeyEnv: p.keyEnv, URLEnv: p.urlEnv}
}

// missingKey is the error of a hosted server without a key: it would refuse anyway, and less clearly.
func (p *Provider) missingKey(ref rung.ModelRef) error {
	return &rung.Error{Code: rung.CodeAuth, Place: string(ref), What: "there is no key for " + p.base,
		Do: "set " + p.keyEnv + " in the environment"}
}

// Ready says before any call whether a key is missing.
func (p *Provider) Ready(ref rung.ModelRef) error {
	if p.noKey {
		return p.missingKey(ref)
	}
	return nil
}
