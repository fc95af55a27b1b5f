// Package anthropic speaks Anthropic's messages API.
package anthropic

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"

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
	client anthropic.Client
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
	p := &Provider{base: strings.TrimRight(firstOf(c.BaseURL, os.Getenv(urlEnv), officialURL), "/")}
	p.base = strings.TrimSuffix(p.base, "/v1") // the SDK adds it; people write it, as other APIs want it
	if !strings.HasPrefix(p.base, "http://") && !strings.HasPrefix(p.base, "https://") {
		return nil, &rung.Error{Code: rung.CodeUsage, Place: urlEnv, What: "\"" + model.Clean(p.base) + "\" is no base URL", Do: "write it like " + officialURL}
	}
	key := firstOf(c.Key, os.Getenv(keyEnv))
	if key == "" {
		p.noKey, key = !model.OwnMachine(p.base), "none"
	}
	// The environment's other settings (profiles, tokens, tracing) are not rung's: what is not in the cache key must not
	// change an answer.
	p.client = anthropic.NewClient(option.WithoutEnvironmentDefaults(), option.WithoutOpenTelemetry(), option.WithBaseURL(p.base+"/"),
		option.WithAPIKey(key), option.WithMaxRetries(0), option.WithHTTPClient(model.HTTPClient(c.HTTP)), option.WithRequestTimeout(24*time.Hour))
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

// Complete makes one attempt at an answer.
func (p *Provider) Complete(ctx context.Context, req model.Request) (model.Response, error) {
	if err := p.Ready(req.Model); err != nil {
		return model.Response{}, err
	}
	params, err := params(req)
	if err != nil {
		return model.Response{}, err
	}
	start := time.Now()
	got, err := p.client.Messages.New(ctx, params, extras(req)...)
	took := time.Since(start)
	if err != nil {
		return model.Response{}, p.caller(req.Model).Failure(err)
	}
	resp, err := read(got)
	if err != nil {
		return model.Response{}, p.caller(req.Model).Failure(err)
	}
	resp.Latency = took
	return resp, nil
}

func params(req model.Request) (anthropic.MessageNewParams, error) {
	out := anthropic.MessageNewParams{Model: req.Model.Name(), MaxTokens: int64(req.MaxTokens), StopSequences: req.Stop,
		Temperature: anthropic.Float(min(req.Temperature, 1))} // the API's scale ends at 1
	if out.MaxTokens <= 0 {
		out.MaxTokens = defaultMaxTokens
	}
	for _, m := range req.Messages {
		switch m.Role {
		case "system":
			out.System = append(out.System, anthropic.TextBlockParam{Text: m.Content})
		case "assistant":
			out.Messages = append(out.Messages, anthropic.NewAssistantMessage(anthropic.NewTextBlock(m.Content)))
		default:
			out.Messages = append(out.Messages, anthropic.NewUserMessage(anthropic.NewTextBlock(m.Content)))
		}
	}
	if len(req.Schema) > 0 && !json.Valid(req.Schema) {
		return out, &rung.Error{Code: rung.CodeInput, Place: string(req.Model), What: "the output schema is no JSON", Do: "check the output schema"}
	}
	return out, nil
}

// extras sends the schema as the bytes it was given in: the SDK's own type is a map, which would lose the order of properties.
func extras(req model.Request) []option.RequestOption {
	if len(req.Schema) == 0 {
		return nil
	}
	format := struct {
		Type   string          `json:"type"`
		Schema json.RawMessage `json:"schema"`
	}{"json_schema", req.Schema}
	return []option.RequestOption{option.WithJSONSet("output_config.format", format)}
}

func read(got *anthropic.Message) (model.Response, error) {
	if got.Type != "message" {
		return model.Response{}, errors.New("it is no message")
	}
	resp := model.Response{Served: model.Clean(got.Model), Finish: finish(got.StopReason)}
	var text strings.Builder
	for _, block := range got.Content {
		if block.Type == "text" {
			text.WriteString(block.Text)
		}
	}
	resp.Text = text.String()
	// Anthropic counts what it read from its cache, and what it wrote there, apart from input_tokens.
	cached := count(got.Usage.CacheReadInputTokens)
	resp.Usage = rung.Usage{In: count(got.Usage.InputTokens) + count(got.Usage.CacheCreationInputTokens) + cached, CachedIn: cached, Out: count(got.Usage.OutputTokens)}
	return resp, nil
}

// count reads a token count of a server that may not be trusted: a negative or absurd one would make calls cheaper or break sums.
func count(n int64) int { return int(min(max(n, 0), 1<<31)) }

func finish(reason anthropic.StopReason) string {
	switch reason {
	case anthropic.StopReasonMaxTokens:
		return "length"
	case anthropic.StopReasonRefusal:
		return "content_filter"
	}
	return "stop"
}
