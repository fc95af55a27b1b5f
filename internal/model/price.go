package model

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/rung-dev/rung"
)

// Price is what a model costs: USD per million tokens for hosted models, USD per hour of answering for those that run on
// the user's own machines.
type Price struct {
	In       float64  `json:"in"`
	Out      float64  `json:"out"`
	CachedIn *float64 `json:"cached_in,omitempty"` // absent: as In
	PerHour  float64  `json:"per_hour,omitempty"`
	Date     string   `json:"date,omitempty"`   // when it was looked up
	Source   string   `json:"source,omitempty"` // where
	Unknown  bool     `json:"-"`                // a hosted model that is in no table; counted as free, and said
}

// Prices is a price table: model reference → price. "local" stands for every model on the user's own machines.
type Prices struct {
	table map[rung.ModelRef]Price
}

type priceFile struct {
	Date   string                  `json:"date"`
	Source string                  `json:"source"`
	Models map[rung.ModelRef]Price `json:"models"`
}

//go:embed prices.json
var builtin []byte

// BuiltinPrices is the table that ships with rung.
var BuiltinPrices = sync.OnceValue(func() *Prices {
	p, err := parsePrices("prices.json", builtin)
	if err != nil {
		panic(err) // the file is part of the binary, and a test reads it
	}
	return p
})

// LoadPrices is the built-in table with the entries of the user's file in place of its own. An empty path is the built-in table.
func LoadPrices(path string) (*Prices, error) {
	base := BuiltinPrices()
	if path == "" {
		return base, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, &rung.Error{Code: rung.CodeInput, Place: path, What: "the price file cannot be read", Do: "check the path", Err: err}
	}
	own, err := parsePrices(path, b)
	if err != nil {
		return nil, err
	}
	merged := &Prices{table: make(map[rung.ModelRef]Price, len(base.table)+len(own.table))}
	for _, t := range []map[rung.ModelRef]Price{base.table, own.table} {
		for ref, p := range t {
			merged.table[ref] = p
		}
	}
	return merged, nil
}

func parsePrices(path string, b []byte) (*Prices, error) {
	var f priceFile
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, &rung.Error{Code: rung.CodeInput, Place: path, What: "the price file is not the JSON it should be: " + err.Error(),
			Do: `write {"models": {"openai/some-model": {"in": 0.15, "out": 0.6}}}, in USD per million tokens`, Err: err}
	}
	for ref, p := range f.Models {
		if p.In < 0 || p.Out < 0 || p.PerHour < 0 || p.CachedIn != nil && *p.CachedIn < 0 {
			return nil, &rung.Error{Code: rung.CodeInput, Place: path, What: fmt.Sprintf("the price of %s is negative", ref), Do: "write prices of 0 or more"}
		}
		if p.Date == "" {
			p.Date = f.Date
		}
		if p.Source == "" {
			p.Source = f.Source
		}
		f.Models[ref] = p
	}
	return &Prices{table: f.Models}, nil
}

// undated is a model's name without the release date at its end, -2024-11-20 or -20241120: dated models cost what their family costs.
// It is asked for each call, so it matches by hand.
func undated(ref rung.ModelRef) rung.ModelRef {
	for _, form := range []string{"-0000-00-00", "-00000000"} {
		if at := len(ref) - len(form); at > 0 && shaped(string(ref[at:]), form) {
			return ref[:at]
		}
	}
	return ref
}

// shaped reports whether s has a digit where form has 0, and is form elsewhere.
func shaped(s, form string) bool {
	for i := range len(form) {
		if digit := s[i] >= '0' && s[i] <= '9'; digit != (form[i] == '0') || !digit && s[i] != form[i] {
			return false
		}
	}
	return true
}

// selfHosted are the providers that are servers for one's own machines, wherever those stand.
var selfHosted = map[string]bool{"ollama": true, "vllm": true, "llamacpp": true, "lmstudio": true}

// Of is the price of a model served at baseURL. A price by name wins, wherever it is served. Models at a loopback or private
// address, and those of rung's own engine (baseURL empty), cost what "local" says per hour, by default nothing.
func (p *Prices) Of(ref rung.ModelRef, baseURL string) Price {
	for _, name := range [...]rung.ModelRef{ref, undated(ref)} {
		if price, ok := p.table[name]; ok {
			return price
		}
	}
	if baseURL == "" || ref.Local() || selfHosted[ref.Provider()] || OwnMachine(baseURL) {
		return p.table["local"]
	}
	return Price{Unknown: true}
}

// OwnMachine reports whether a base URL points at this machine or a private network, where no key is needed and no token is billed.
func OwnMachine(baseURL string) bool {
	u, err := url.Parse(baseURL)
	if err != nil {
		return false
	}
	if u.Hostname() == "localhost" {
		return true
	}
	ip := net.ParseIP(u.Hostname())
	return ip != nil && (ip.IsLoopback() || ip.IsPrivate())
}

// cost is the USD that an answer cost.
func (p Price) cost(u rung.Usage, took time.Duration) float64 {
	cached := p.In
	if p.CachedIn != nil {
		cached = *p.CachedIn
	}
	fresh := max(0, u.In-u.CachedIn)
	return (float64(fresh)*p.In+float64(u.CachedIn)*cached+float64(u.Out)*p.Out)/1e6 + took.Hours()*p.PerHour
}

const (
	bytesPerToken = 3 // fewer than any usual tokenizer on any usual text, so that the estimate is an upper one
	// UnboundedAnswer is how many tokens are assumed where a request sets no max_tokens.
	UnboundedAnswer = 4096
)

// estimate is an upper estimate of what a call will cost. slowest is the longest that the model has taken so far.
func (p Price) estimate(c call, slowest time.Duration) float64 {
	u := rung.Usage{In: len(c.asked) / bytesPerToken, Out: c.req.MaxTokens}
	if u.Out <= 0 {
		u.Out = UnboundedAnswer
	}
	return p.cost(u, max(slowest, time.Second))
}

// tokensUpTo is the estimate that token rate limits count.
func tokensUpTo(req Request) int {
	n := 0
	for _, m := range req.Messages {
		n += len(m.Content)
	}
	return n/bytesPerToken + len(req.Schema)/bytesPerToken + max(req.MaxTokens, 1)
}

// priceOf refuses a model whose price is unknown where there is a budget to keep.
func (d *Door) priceOf(l *lane, ref rung.ModelRef) (Price, error) {
	p := d.prices.Of(ref, l.provider.BaseURL())
	if p.Unknown && d.budget.Limited() {
		return p, &rung.Error{Code: rung.CodeBudget, Place: string(ref),
			What: "its price is unknown, so budget.cost cannot be kept",
			Do:   fmt.Sprintf(`add "%s" to a price file and name the file with --prices, or leave budget.cost out`, ref)}
	}
	return p, nil
}
