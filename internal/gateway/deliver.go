package gateway

import (
	"net/http"

	"github.com/rung-dev/rung"
)

func (c *call) newResult() *result {
	return &result{id: c.trace.ID, model: c.env.model, created: c.start.Unix(), wantUsage: c.env.usage}
}

// headers say where an answer comes from.
func (c *call) headers(res *result) {
	h := c.w.Header()
	if res.task {
		h["X-Rung-Release"] = []string{res.release}
	}
	if res.arm != "" {
		h["X-Rung-Arm"] = []string{res.arm}
	}
	for _, v := range c.trace.Guards {
		if v.Action == rung.Annotate {
			h.Add("X-Rung-Guard", v.Kind+" on "+string(v.Stage))
		}
	}
}

func (c *call) writeWhole(res *result) error {
	c.headers(res)
	c.w.Header()["Content-Type"] = jsonType
	c.begun = true
	size := usualAnswer + len(res.text)
	for i := range res.passages {
		size += len(res.passages[i].Text)
	}
	return c.send(c.api.whole(make([]byte, 0, size), res))
}

// usualAnswer is more than what an API puts around an answer's text, in bytes.
const usualAnswer = 768

// begin starts a stream.
func (c *call) begin(res *result) []byte {
	c.headers(res)
	h := c.w.Header()
	h["Content-Type"] = []string{"text/event-stream; charset=utf-8"}
	h["Cache-Control"] = []string{"no-cache"}
	h["X-Accel-Buffering"] = []string{"no"} // for a proxy in front
	c.begun = true
	c.w.WriteHeader(http.StatusOK)
	c.events = c.api.stream(res)
	return c.events.start(c.buf[:0])
}

// flow sends a piece of text on.
func (c *call) flow(res *result, text string) error {
	b := c.buf[:0]
	if c.events == nil {
		b = c.begin(res)
	}
	b = c.events.delta(b, text)
	c.buf = b
	return c.send(b)
}

// finishStream ends a stream, and begins it where nothing of it is out yet.
func (c *call) finishStream(res *result) error {
	b := c.buf[:0]
	if c.events == nil {
		b = c.begin(res)
		switch {
		case len(res.calls) > 0:
			b = c.events.calls(b, res.calls)
		default:
			b = c.events.delta(b, res.text)
		}
	}
	b = c.events.end(b)
	return c.send(b)
}

// deliver gives the caller the answer, and lets the rollout learn from it.
func (j *job) deliver(res *result) error {
	var err error
	if j.env.stream {
		err = j.finishStream(res)
	} else {
		err = j.writeWhole(res)
	}
	j.then = func() {
		j.learn()
		j.shadow()
	}
	return err
}
