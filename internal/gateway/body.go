package gateway

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/rung-dev/rung"
)

// Bodies are read into memory as they come and not as they are announced, and what all of them take together is bounded: neither
// a header that promises much nor a queue of large requests exhausts the gateway.

// bodies counts the bytes that are taken by the bodies of requests.
type bodies struct{ taken atomic.Int64 }

// take takes n bytes unless that is more than limit together.
func (b *bodies) take(n, limit int64) error {
	if b.taken.Add(n) > limit {
		b.taken.Add(-n)
		return errFull
	}
	return nil
}

func (b *bodies) give(n int64) { b.taken.Add(-n) }

// firstPiece is the memory of a body that has just begun; it doubles while bytes come. As many connections as there may be
// take less by it than limits.bodies is by default.
const firstPiece = 16 << 10

var errLarge = errors.New("the body is too large")

// read takes in the body, within its limits of size and, since ServeHTTP has set the deadline, of time.
func (c *call) read() error {
	limit := c.cfg.Limits.Body
	if c.r.ContentLength > limit {
		return tooLarge(limit)
	}
	err := c.readBody(limit)
	if err != nil {
		// The deadline stays, since net/http reads what is left of a body before it answers, and the connection ends.
		c.w.Header()["Connection"] = []string{"close"}
	} else {
		_ = c.control.SetReadDeadline(time.Time{}) // a connection that has no deadlines is a test's
	}
	var full *known
	switch {
	case errors.Is(err, errLarge):
		return tooLarge(limit)
	case errors.As(err, &full):
		return err
	case err != nil:
		return &known{status: http.StatusRequestTimeout, err: &rung.Error{Code: rung.CodeInput, What: "the body did not come whole, or not in time", Err: err}}
	}
	if err := checkJSON(c.body); err != nil {
		return bad("%s", err)
	}
	return nil
}

func tooLarge(limit int64) error {
	return &known{status: http.StatusRequestEntityTooLarge, final: true, err: bad("the body is larger than %d bytes", limit)}
}

// readBody fills c.body, whose memory grows as bytes come. forget gives back what it takes.
func (c *call) readBody(limit int64) error {
	length := c.r.ContentLength
	if length == 0 {
		return nil
	}
	next := int64(firstPiece)
	for {
		if length > 0 {
			next = min(next, length)
		}
		if err := c.grow(next); err != nil {
			return err
		}
		for len(c.body) < cap(c.body) {
			n, err := c.r.Body.Read(c.body[len(c.body):cap(c.body)])
			c.body = c.body[:len(c.body)+n]
			switch {
			case int64(len(c.body)) > limit:
				return errLarge
			case err == io.EOF && (length < 0 || int64(len(c.body)) == length), length > 0 && int64(len(c.body)) == length:
				return nil
			case err == io.EOF:
				return io.ErrUnexpectedEOF
			case err != nil:
				return err
			}
		}
		next = min(2*int64(cap(c.body)), limit+1)
	}
}

// grow gives the body memory for size bytes in all.
func (c *call) grow(size int64) error {
	if err := c.g.bodies.take(size-c.held, c.cfg.Limits.Bodies); err != nil {
		return err
	}
	c.held = size
	bigger := make([]byte, len(c.body), size)
	copy(bigger, c.body)
	c.body = bigger
	return nil
}

// forget gives back what the body took of the bound of all.
func (c *call) forget() {
	c.g.bodies.give(c.held)
	c.held = 0
}
