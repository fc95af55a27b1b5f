package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tidwall/gjson"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
)

// upstream is a provider that requests are passed through to, its addresses read once.
type upstream struct {
	Upstream
	urls map[*api]*url.URL
}

// newTransport is shared by all requests that are passed through: it keeps as many connections to a provider as there are requests.
func newTransport() http.RoundTripper {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:    10 * time.Second,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           2048,
		MaxIdleConnsPerHost:    1024,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 256 << 10,
		DisableCompression:     true, // what comes goes on as it is
		WriteBufferSize:        8 << 10,
		ReadBufferSize:         16 << 10,
	}
}

// upstreamOf finds a provider. One that cannot be used now is asked for again by the next request.
func (g *Gateway) upstreamOf(provider string) (*upstream, error) {
	if u, ok := g.upstreams.Load(provider); ok {
		return u.(*upstream), nil
	}
	if g.opt.Upstream == nil {
		return nil, &rung.Error{Code: rung.CodeModel, What: "nothing is passed through here"}
	}
	up, err := g.opt.Upstream(provider)
	if err != nil {
		return nil, err
	}
	u := &upstream{Upstream: *up, urls: map[*api]*url.URL{}}
	for _, a := range []*api{chatAPI, responsesAPI, messagesAPI, embeddingsAPI} {
		if a.anthropic != (up.API == "anthropic") {
			continue
		}
		if u.urls[a], err = url.Parse(up.Base + a.path); err != nil {
			return nil, &rung.Error{Code: rung.CodeUsage, Place: up.Base, What: "is no base URL", Err: err}
		}
	}
	g.upstreams.Store(provider, u)
	return u, nil
}

// pass hands the request to a provider as it came, but for the model's name, and the answer back as it comes.
func (c *call) pass(provider, name string) error {
	c.trace.Upstream = rung.ModelRef(c.trace.Model)
	if err := c.foreground(); err != nil {
		return err
	}
	if provider == "local" {
		return c.translate(name)
	}
	up, err := c.g.upstreamOf(provider)
	if err != nil {
		c.upstream = true
		return err
	}
	target := up.urls[c.api]
	if target == nil {
		return bad("%s does not speak this API", provider)
	}
	pay, err := c.reserve(up, name)
	if err != nil {
		return err
	}
	defer pay()
	c.upstream = true
	defer c.within(c.cfg.Limits.Request)()
	resp, err := c.g.transport.RoundTrip(c.outgoing(up, target, name))
	if err != nil {
		if c.ctx.Err() != nil { // the provider may have the request, and work on it
			c.settle(up, name, &tally{api: c.api})
		}
		return c.unreachable(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden {
		return &rung.Error{Code: rung.CodeAuth, Place: provider, What: sprintf("the provider answered with %d", resp.StatusCode), Do: "check the gateway's key for it"}
	}
	if resp.StatusCode < 200 || resp.StatusCode >= 300 && resp.StatusCode < 400 { // to follow it would show the body, and the key, to somebody else
		return &known{status: http.StatusBadGateway, err: &rung.Error{Code: rung.CodeProvider, Place: provider, What: sprintf("the provider answered with %d, which is no answer", resp.StatusCode)}}
	}
	t := &tally{api: c.api, keep: c.cfg.text(""), refused: resp.StatusCode >= 400}
	sent := time.Since(c.start)
	err = c.hand(resp, t)
	c.trace.Spans = append(c.trace.Spans, rung.Span{Name: "model", Start: sent, Took: time.Since(c.start) - sent})
	c.settle(up, name, t)
	c.trace.Status = resp.StatusCode
	if resp.StatusCode >= 400 {
		c.trace.Code, c.trace.Problem = rung.CodeProvider, rung.CallFailed
	} else if err == nil && t.failed {
		c.trace.Code, c.trace.Problem, c.trace.Error = rung.CodeProvider, rung.CallFailed, "the provider's stream ended with an error"
	}
	return err
}

// foreground refuses what would be answered after the request has ended, where nobody could tell what it took.
func (c *call) foreground() error {
	if c.api != responsesAPI {
		return nil
	}
	var err error
	gjson.Parse(view(c.body)).ForEach(func(key, v gjson.Result) bool {
		if strings.EqualFold(key.Str, "background") && v.Type != gjson.False && v.Type != gjson.Null {
			err = &known{final: true, err: bad("background responses are not passed through: leave background out")}
		}
		return err == nil
	})
	return err
}

// reserve sets aside what the request may cost; pay puts in its place what it has cost.
func (c *call) reserve(up *upstream, name string) (pay func(), err error) {
	price := model.Price{Unknown: true}
	if up.Prices != nil {
		price = up.Prices(name)
	}
	usd := 0.0
	if c.account != nil && c.account.key.BudgetUSD > 0 {
		usd = price.UpTo(len(c.body), c.maxTokens(), 0)
	}
	if err := c.bill.Reserve(c.ctx, c.trace.Upstream, price, usd); err != nil {
		return nil, err
	}
	return func() { c.bill.Settle(usd, c.trace.CostUSD) }, nil
}

// maxTokens is how long the answers may be together that a request asks for: 0 where it does not say, -1 where they have no tokens.
// Names are compared without regard to case and the largest counts, as nobody knows which a provider takes.
func (c *call) maxTokens() int {
	if c.api == embeddingsAPI {
		return -1
	}
	most, answers := int64(0), int64(1)
	gjson.Parse(view(c.body)).ForEach(func(key, v gjson.Result) bool {
		switch strings.ToLower(key.Str) {
		case "max_tokens", "max_completion_tokens", "max_output_tokens":
			most = max(most, min(v.Int(), 1<<31))
		case "n":
			answers = max(answers, min(v.Int(), 1<<16))
		}
		return true
	})
	if most == 0 && answers > 1 {
		most = model.UnboundedAnswer
	}
	return int(most * answers)
}

// outgoing is the request to the provider. Of the caller's headers only those go on that say what kind of answer is wanted.
func (c *call) outgoing(up *upstream, target *url.URL, name string) *http.Request {
	body := c.env.rewritten(make([]byte, 0, len(c.body)+len(name)+2), c.body, name)
	h := make(http.Header, len(up.Header)+4)
	for k, v := range up.Header {
		h[k] = v
	}
	h["Content-Type"] = jsonType
	for _, k := range []string{"Accept", "Openai-Beta", "Anthropic-Beta", "Anthropic-Version", "Idempotency-Key", "Traceparent", "Tracestate"} {
		if v, ok := c.r.Header[k]; ok {
			h[k] = v
		}
	}
	if _, ok := h["User-Agent"]; !ok {
		h["User-Agent"] = []string{"rung"}
	}
	r := &http.Request{Method: http.MethodPost, URL: target, Host: target.Host, Header: h, ContentLength: int64(len(body)), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	return r.WithContext(c.ctx)
}

func (c *call) unreachable(err error) error {
	switch {
	case c.r.Context().Err() != nil, errors.Is(err, context.DeadlineExceeded):
		return err // fail knows what to say
	}
	return &rung.Error{Code: rung.CodeUnreachable, Place: string(c.trace.Upstream), What: "the provider cannot be reached", Err: err}
}

// handed are the headers of a provider's answer that go on to the caller: what the body is, when to come again, and by what name the
// provider knows the request. Others are the connection's, or the provider's business with the one who runs the gateway (his
// organisation, where to go instead, cookies), or the gateway's own to say.
var handed = map[string]bool{"Content-Type": true, "Content-Encoding": true, "Retry-After": true, "Retry-After-Ms": true, "X-Should-Retry": true,
	"X-Request-Id": true, "Request-Id": true, "Openai-Processing-Ms": true, "Openai-Version": true, "Openai-Model": true}

// handedLike are the beginnings of further ones: what is left of the rates at the provider.
var handedLike = []string{"X-Ratelimit-", "Anthropic-Ratelimit-"}

func handsOn(name string) bool {
	return handed[name] || slices.ContainsFunc(handedLike, func(p string) bool { return strings.HasPrefix(name, p) })
}

const (
	// What is read of an answer in one piece, to tell its usage; a longer one is handed on all the same.
	maxWhole = 1 << 20
	// maxTail is what is kept of the end of a longer one: its usage stands there.
	maxTail = 64 << 10
	// maxPassed ends answers that do not end themselves.
	maxPassed = 256 << 20
)

var wholes = sync.Pool{New: func() any { b := make([]byte, 0, 32<<10); return &b }}

// hand gives the answer to the caller as it comes.
func (c *call) hand(resp *http.Response, t *tally) error {
	h := c.w.Header()
	for k, v := range resp.Header {
		if handsOn(k) {
			h[k] = v
		}
	}
	pooled := wholes.Get().(*[]byte)
	defer func() {
		if cap(*pooled) <= maxWhole {
			wholes.Put(pooled)
		}
	}()
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		return c.handEvents(resp, t, (*pooled)[:cap(*pooled)])
	}
	if n := resp.ContentLength; n >= 0 && n <= maxWhole {
		if int(n) > cap(*pooled) {
			*pooled = make([]byte, 0, n)
		}
		return c.handWhole(resp, t, (*pooled)[:n])
	}
	return c.handLong(resp, t, (*pooled)[:cap(*pooled)])
}

// handWhole reads all of a short answer before the first byte goes on, so that one that is cut is an error and not half an answer.
func (c *call) handWhole(resp *http.Response, t *tally, body []byte) error {
	if n, err := io.ReadFull(resp.Body, body); err != nil {
		t.bytes = n
		return c.cut(err)
	}
	c.w.Header()["Content-Length"] = resp.Header["Content-Length"]
	c.begun = true
	c.w.WriteHeader(resp.StatusCode)
	err := c.send(body) // flushed: what follows is not on the caller's time
	t.whole(body)
	return err
}

func (c *call) handLong(resp *http.Response, t *tally, buf []byte) error {
	c.begun = true
	c.w.WriteHeader(resp.StatusCode)
	var kept, tail []byte // tail: once it is too long to be kept whole
	total := 0
	err := c.copy(resp.Body, buf, false, func(b []byte) {
		total += len(b)
		if tail == nil && len(kept)+len(b) <= maxWhole {
			kept = append(kept, b...)
			return
		}
		if tail == nil {
			tail = append(make([]byte, 0, 2*maxTail+len(buf)), kept[max(0, len(kept)-maxTail):]...)
			kept = nil
		}
		if tail = append(tail, b...); len(tail) > 2*maxTail {
			tail = append(tail[:0], tail[len(tail)-maxTail:]...)
		}
	})
	if tail == nil {
		t.whole(kept)
	} else {
		t.tail(tail, total)
	}
	return err
}

func (c *call) handEvents(resp *http.Response, t *tally, buf []byte) error {
	c.begun = true
	c.w.Header()["X-Accel-Buffering"] = []string{"no"} // for a proxy in front
	c.w.WriteHeader(resp.StatusCode)
	c.trace.Stream = true
	return c.copy(resp.Body, buf, true, t.feed)
}

// copy hands bytes on as they come.
func (c *call) copy(body io.Reader, buf []byte, flush bool, seen func([]byte)) error {
	total := 0
	for {
		n, err := body.Read(buf)
		if n > 0 {
			total += n
			werr := c.write(buf[:n], flush)
			seen(buf[:n]) // it was made, whether or not somebody is there to have it
			if werr != nil {
				return werr
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return c.cut(err)
		}
		if total > maxPassed {
			return c.cut(model.ErrBodyTooLarge)
		}
	}
}

func (c *call) write(b []byte, flush bool) error {
	if flush {
		return c.send(b)
	}
	c.extend()
	if _, err := c.w.Write(b); err != nil {
		return gone(err)
	}
	return nil
}

// cut ends an answer that broke off: where bytes of it are out already, the connection must end, so that it does not look whole.
func (c *call) cut(err error) error {
	out := &rung.Error{Code: rung.CodeProvider, Place: string(c.trace.Upstream), What: "the connection to the provider was cut before the answer was whole", Do: "try again", Err: err}
	if !c.begun {
		return out
	}
	c.abort = true
	return out
}

// settle writes down what an answer took.
func (c *call) settle(up *upstream, name string, t *tally) {
	if !t.counted && !t.refused { // no usage, or not the last: about a token an event, and four bytes a token
		t.usage.In = max(t.usage.In, len(c.body)/4)
		t.usage.Out = max(t.usage.Out, t.events, t.bytes/4)
	}
	c.trace.Usage = t.usage
	if up != nil && up.Prices != nil {
		c.trace.CostUSD = up.Prices(name).Cost(t.usage, time.Since(c.start))
	}
	if t.keep {
		c.trace.Input = appendString(nil, c.env.lastUser())
		if len(t.text) > 0 {
			c.trace.Output = appendString(nil, string(t.text))
		}
	}
}

// tally reads usage and text out of an answer on its way.
type tally struct {
	api     *api
	keep    bool // the text
	usage   rung.Usage
	counted bool // the usage is that of the whole answer
	refused bool // an error of the provider, which costs nothing
	failed  bool
	events  int
	bytes   int // of text, or of a whole answer
	text    []byte
	line    []byte // the beginning of a line whose end has not come
	skip    bool   // the line is too long to be read
}

// maxText bounds what a trace keeps of an answer.
const maxText = 256 << 10

func (t *tally) add(text string) {
	t.bytes += len(text)
	if t.keep && len(t.text)+len(text) <= maxText {
		t.text = append(t.text, text...)
	}
}

func (t *tally) whole(body []byte) {
	v := gjson.Parse(view(body))
	t.usage = t.api.usage(v)
	t.counted = t.usage.In+t.usage.Out > 0
	if t.keep {
		t.add(t.api.text(v))
	}
	t.made(len(body))
}

// made notes how long a whole answer is. Vectors are not tokens.
func (t *tally) made(n int) {
	if t.bytes = n; t.api == embeddingsAPI {
		t.bytes = 0
	}
}

// tail reads the usage out of the end of an answer: the last that is one. What a caller or a model says stands in strings or
// before it.
func (t *tally) tail(end []byte, total int) {
	t.made(total)
	for at := bytes.LastIndex(end, usageKey); at >= 0; at = bytes.LastIndex(end[:at], usageKey) {
		rest := bytes.TrimLeft(end[at+len(usageKey):], " \t\r\n")
		if len(rest) == 0 || rest[0] != ':' {
			continue
		}
		u := t.api.usage(gjson.Parse(`{"usage"` + string(rest) + "}"))
		if u.In+u.Out > 0 {
			t.usage, t.counted = u, true
			return
		}
	}
}

var usageKey = []byte(`"usage"`)

// feed takes the next bytes of a stream of events.
func (t *tally) feed(b []byte) {
	for len(b) > 0 {
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			if t.skip = t.skip || len(t.line)+len(b) > maxWhole; t.skip {
				t.line = t.line[:0]
				return
			}
			t.line = append(t.line, b...)
			return
		}
		line := b[:end]
		b = b[end+1:]
		if len(t.line) > 0 {
			t.line = append(t.line, line...)
			line = t.line
		}
		if !t.skip {
			t.data(line)
		}
		t.line, t.skip = t.line[:0], false
	}
}

func (t *tally) data(line []byte) {
	data, ok := bytes.CutPrefix(line, []byte("data:"))
	if data = bytes.TrimSpace(data); !ok || len(data) == 0 || data[0] != '{' {
		return
	}
	t.api.event(t, gjson.Parse(view(data)))
}
