package gateway

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/trace"
)

// call is one request on its way. It belongs to the goroutine of its handler.
type call struct {
	g       *Gateway
	w       http.ResponseWriter
	control *http.ResponseController
	r       *http.Request
	ctx     context.Context
	api     *api
	cfg     *Config
	state   *state
	start   time.Time
	trace   *rung.Trace
	account *account
	bill    bill
	groups  []string
	body    []byte
	held    int64 // bytes that the body takes of the bound of all
	env     envelope

	estimate float64      // tokens taken from the key's rate before the answer
	upstream bool         // what fails from now on is not the caller's doing
	begun    bool         // something of the answer was written
	events   streamWriter // of a stream that has begun
	buf      []byte
	then     func() // runs when the caller has the answer
	abort    bool   // the connection must end: what is out of the answer must not look whole
}

// answer handles a request for an answer of a model.
func (g *Gateway) answer(w http.ResponseWriter, r *http.Request, a *api) {
	start := time.Now()
	g.handling.Add(1)
	defer g.handling.Add(-1) // last: what it has spent is counted then
	c := &call{g: g, w: w, control: http.NewResponseController(w), r: r, ctx: r.Context(), api: a, cfg: g.config.Load(), state: g.state.Load(), start: start}
	c.trace = &rung.Trace{ID: newTraceID(), At: start.UTC(), Gateway: g.opt.Name, API: a.name, Status: http.StatusOK}
	c.trace.Parent, c.trace.ParentSpan = parentOf(r)
	defer c.end()
	w.Header()["X-Rung-Trace"] = []string{c.trace.ID}
	if err := c.run(); err != nil {
		c.fail(err)
	}
}

// newTraceID begins with the time, by which stores find the trace.
func newTraceID() string { return trace.NewID(time.Now()) }

// parentOf reads a W3C traceparent header: the caller's trace, and its span where the caller samples the trace. The trace is not
// taken as the id of ours: callers repeat theirs.
func parentOf(r *http.Request) (trace, span string) {
	h := r.Header["Traceparent"]
	if len(h) == 0 || len(h[0]) < 55 || len(h[0]) > 512 {
		return "", ""
	}
	v := strings.ToLower(h[0])
	var bytes [26]byte // version, trace, span, flags
	for i, part := range []struct{ from, to, at int }{{0, 2, 0}, {3, 35, 1}, {36, 52, 17}, {53, 55, 25}} {
		if i < 3 && v[part.to] != '-' {
			return "", ""
		}
		if _, err := hex.Decode(bytes[part.at:], []byte(v[part.from:part.to])); err != nil {
			return "", ""
		}
	}
	none := [16]byte{}
	if bytes[0] == 0xff || bytes[0] == 0 && len(v) != 55 || [16]byte(bytes[1:17]) == none || [8]byte(bytes[17:25]) == [8]byte{} {
		return "", ""
	}
	if trace = strings.Clone(v[3:35]); bytes[25]&1 != 0 {
		span = strings.Clone(v[36:52])
	}
	return trace, span
}

// run does the request in the order: who asks, what, is there room, and then the answer.
func (c *call) run() error {
	if c.r.Method != http.MethodPost {
		return &known{status: http.StatusMethodNotAllowed, err: bad("use POST")}
	}
	if err := c.authorise(ScopeServe); err != nil {
		return err
	}
	if err := c.account.admit(c.start); err != nil {
		return err
	}
	if err := c.takeTokens(c.r.ContentLength); err != nil { // before anything of it is read
		return err
	}
	if err := c.read(); err != nil {
		return err
	}
	var err error
	if c.env, err = open(c.body); err != nil {
		return err
	}
	c.trace.Model, c.trace.Stream = strings.Clone(c.env.model), c.env.stream
	if err := c.takeTokens(int64(len(c.body))); err != nil {
		return err
	}
	if err := c.g.admit.enter(c.ctx, c.cfg.Limits.QueueWait); err != nil {
		return err
	}
	defer c.g.admit.leave()
	return c.route()
}

// takeTokens takes about as many tokens from the key's rate as so many bytes have, once.
func (c *call) takeTokens(bytes int64) error {
	if bytes <= 0 || c.estimate > 0 {
		return nil
	}
	estimate := float64(bytes) / 4
	if err := c.account.admitTokens(estimate, c.start); err != nil {
		return err
	}
	c.estimate = estimate
	return nil
}

// authorise finds the key and the access groups.
func (c *call) authorise(scope string) error {
	var err error
	if c.account, err = c.state.find(c.r, c.g.public.Load()); err != nil {
		return err
	}
	if c.account != nil {
		c.trace.Key, c.bill.account = c.account.key.ID, c.account
	}
	if err := c.account.may(scope); err != nil {
		return err
	}
	c.groups, err = c.cfg.Groups.of(c.r, c.account)
	return err
}

// route finds who answers: a task, or a provider as it is.
func (c *call) route() error {
	name := c.env.model
	task, at := splitModel(name)
	if t := c.state.tasks[task]; t != nil {
		if err := c.account.mayAsk(task); err != nil {
			return err
		}
		if c.api.ask == nil {
			return bad("the task %s does not make embeddings: ask for provider/model", task)
		}
		return c.task(t, at)
	}
	provider, model, ok := strings.Cut(name, "/")
	if !ok {
		return &known{final: true, err: &rung.Error{Code: rung.CodeModel, What: "there is no task " + clipName(task) + " here", Do: "see /v1/models"}}
	}
	if !c.cfg.passes(name) {
		return &known{final: true, err: &rung.Error{Code: rung.CodeModel, What: clipName(name) + " is not passed through here", Do: "have it named under pass in the gateway's configuration, or see /v1/models"}}
	}
	if err := c.account.mayAsk(name); err != nil {
		return err
	}
	return c.pass(provider, model)
}

// within bounds the rest of the request.
func (c *call) within(d time.Duration) context.CancelFunc {
	ctx, cancel := context.WithTimeout(c.ctx, d)
	c.ctx = ctx
	return cancel
}

// fail tells the caller what went wrong, in a stream that has begun as its last event.
func (c *call) fail(err error) {
	if c.ctx.Err() == context.DeadlineExceeded && c.r.Context().Err() == nil {
		err = &rung.Error{Code: rung.CodeTimeout, What: "no answer in time", Do: "try again", Err: err}
	} else if c.r.Context().Err() != nil {
		err = &rung.Error{Code: rung.CodeInterrupted, What: "the caller has gone", Err: errors.Join(c.r.Context().Err(), err)}
	}
	f := failureOf(err, c.upstream)
	c.trace.Status, c.trace.Code, c.trace.Error = f.status, f.code, errText(err)
	if f.code == rung.CodeInternal {
		c.g.log.Error("a request failed by a defect", "trace", c.trace.ID, "error", err)
	}
	c.extend()
	switch {
	case !c.begun:
		c.begun = true
		writeFailure(c.w, c.api.anthropic, &f, c.trace.ID)
	case c.events != nil:
		_ = c.send(c.events.fail(c.buf[:0], &f)) // a caller who is gone hears nothing
	}
}

// errText is an error for the trace, cut to what a list can show.
func errText(err error) string {
	s := err.Error()
	var k *known
	if errors.As(err, &k) && k.cause != "" {
		s += " (" + k.cause + ")"
	}
	s = withoutAddress(s)
	if len(s) > 1000 {
		s = strings.ToValidUTF8(s[:1000], "")
	}
	return s
}

var (
	atAddress = regexp.MustCompile(` at https?://[^\s,;]*[^\s,;:]`)
	anAddress = regexp.MustCompile(`https?://[^\s,;]*[^\s,;:]`)
)

// withoutAddress takes out where a provider's model stands: traces lose addresses as personal data, and what would be left of the
// sentence says less than this.
func withoutAddress(s string) string {
	return anAddress.ReplaceAllString(atAddress.ReplaceAllString(s, ""), "its address")
}

// extend gives the next write its time.
func (c *call) extend() {
	_ = c.control.SetWriteDeadline(time.Now().Add(c.cfg.Limits.Write)) // a connection that has no deadlines is a test's
}

// send writes and flushes.
func (c *call) send(b []byte) error {
	c.extend()
	if _, err := c.w.Write(b); err != nil {
		return gone(err)
	}
	if err := c.control.Flush(); err != nil {
		return gone(err)
	}
	if c.trace.First == 0 {
		c.trace.First = time.Since(c.start)
	}
	return nil
}

func gone(err error) error {
	return &rung.Error{Code: rung.CodeInterrupted, What: "the caller has gone", Err: err}
}

// end settles what the request took and leaves its trace, also when the handler panics.
func (c *call) end() {
	if p := recover(); p != nil {
		c.trace.Status, c.trace.Code, c.trace.Error = http.StatusInternalServerError, rung.CodeInternal, fmt.Sprint("panic: ", p)
		c.g.log.Error("a request failed by a defect", "trace", c.trace.ID, "panic", p, "stack", string(debug.Stack()))
		if !c.begun {
			f := failureOf(&rung.Error{Code: rung.CodeInternal, What: "a defect in the gateway"}, false)
			writeFailure(c.w, c.api.anthropic, &f, c.trace.ID)
		} else {
			c.abort = true
		}
	}
	c.trace.Latency = time.Since(c.start)
	defer c.forget()
	if c.estimate > 0 {
		c.account.used(c.estimate, c.trace.Usage)
	}
	if c.then != nil {
		c.then()
	}
	c.g.observe(c.trace) // which is the recorder's from here on
	if c.abort {
		panic(http.ErrAbortHandler)
	}
}

// observe hands a trace to those who keep and count.
func (g *Gateway) observe(t *rung.Trace) {
	if g.opt.Meter != nil {
		g.opt.Meter.Observe(t)
	}
	if g.opt.Recorder != nil {
		g.opt.Recorder.Record(t)
	}
}
