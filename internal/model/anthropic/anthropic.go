// Package anthropic speaks Anthropic's messages API.
package anthropic

import (
	"cmp"
	"net/http"
	"os"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
)

// Config says which server to speak to. Empty fields are read from ANTHROPIC_API_KEY and ANTHROPIC_BASE_URL, or defaulted.
type Config struct {
	BaseURL string
	Key     string
	HTTP    http.RoundTripper // nil: a transport with time-outs
}

// Provider speaks to one server. It implements model.Provider.
type Provider struct {
	base   string
	noKey  bool
	key    string
	client *http.Client
}

const (
	keyEnv      = "ANTHROPIC_API_KEY"
	urlEnv      = "ANTHROPIC_BASE_URL"
	officialURL = "https://api.anthropic.com"
	// The API wants a limit with each request; this is for requests that have none.
	defaultMaxTokens = 4096
)

// New makes the provider. A missing key is a CodeAuth error of the first call, unless the server is on the user's own machines.
func New(c Config) (*Provider, error) {
	p := &Provider{base: strings.TrimRight(cmp.Or(strings.TrimSpace(c.BaseURL), strings.TrimSpace(os.Getenv(urlEnv)), officialURL), "/")}
	p.base = strings.TrimSuffix(p.base, "/v1") // people write it, as other APIs want it
	if !strings.HasPrefix(p.base, "http://") && !strings.HasPrefix(p.base, "https://") {
		return nil, &rung.Error{Code: rung.CodeUsage, Place: urlEnv, What: "\"" + model.Clean(p.base) + "\" is no base URL", Do: "write it like " + officialURL}
	}
	key := cmp.Or(strings.TrimSpace(c.Key), strings.TrimSpace(os.Getenv(keyEnv)))
	if key == "" {
		p.noKey, key = !model.OwnMachine(p.base), "none"
	}
	p.key, p.client = key, model.HTTPClient(c.HTTP)
	return p, nil
}

// BaseURL is the server's address.
func (p *Provider) BaseURL() string { return p.base }

// Can says what the messages API does.
func (p *Provider) Can(rung.ModelRef) model.Can {
	return model.Can{Schema: true, Concurrency: 4, Context: 200_000}
}

func (p *Provider) caller(ref rung.ModelRef) model.Caller {
	return model.Caller{Model: ref, BaseURL: p.base, KeyEnv: keyEnv, URLEnv: urlEnv}
}

// Ready says before any call whether a key is missing.
func (p *Provider) Ready(ref rung.ModelRef) error {
	if !p.noKey {
		return nil
	}
	return &rung.Error{Code: rung.CodeAuth, Place: string(ref), What: "there is no key for " + p.base, Do: "set " + keyEnv + " in the environment"}
}
