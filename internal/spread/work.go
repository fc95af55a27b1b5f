// Package spread has work done by the same binary on the nodes of a Ray cluster: the rung that was started cuts it into parts, a driver in
// Python (python/spread/driver.py) gives the parts to workers, and the answers come back in the order of the parts. What a part is, only
// the kind of work knows; neither the driver nor this package looks into one.
package spread

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/rung-dev/rung"
)

// Kind is a kind of work as a worker does it: a set-up gives the function that does parts. One worker does one part at a time.
type Kind func(setup []byte) (func(ctx context.Context, part []byte) (any, error), error)

// order is the set-up of workers.
type order struct {
	Kind  string          `json:"kind"`
	Setup json.RawMessage `json:"setup"`
}

// fault is an error between processes.
type fault struct {
	Code  rung.Code `json:"code"`
	Place string    `json:"place,omitempty"`
	What  string    `json:"what"`
	Do    string    `json:"do,omitempty"`
}

func faultOf(err error) fault {
	var e *rung.Error
	if errors.As(err, &e) {
		return fault{e.Code, e.Place, e.What, e.Do}
	}
	return fault{Code: rung.CodeInternal, What: err.Error()}
}

func (f fault) error() error {
	return &rung.Error{Code: f.Code, Place: f.Place, What: f.What, Do: f.Do}
}

// Work is a worker: it says its version, takes one set-up and answers parts until its input ends. Faults of the work are answers; an
// error is that of the connection.
func Work(ctx context.Context, in io.Reader, out io.Writer, version string, kinds map[string]Kind) error {
	r, w := bufio.NewReaderSize(in, 1<<16), bufio.NewWriterSize(out, 1<<16)
	say := func(kind byte, v any) error {
		body, err := json.Marshal(v)
		if err != nil {
			return err
		}
		if err := writeFrame(w, kind, body); err != nil {
			return err
		}
		return w.Flush()
	}
	if err := say(frameHello, map[string]string{"version": version}); err != nil {
		return err
	}
	var do func(context.Context, []byte) (any, error)
	for {
		kind, body, err := readFrame(r)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var answer any
		switch {
		case kind == frameSetup:
			do, err = setUp(body, kinds)
		case kind == framePart && do != nil:
			answer, err = do(ctx, body)
		default:
			return errors.New("a part without a set-up")
		}
		if err != nil {
			err = say(frameError, faultOf(err))
		} else {
			err = say(frameAnswer, answer)
		}
		if err != nil {
			return err
		}
	}
}

func setUp(body []byte, kinds map[string]Kind) (func(context.Context, []byte) (any, error), error) {
	var o order
	if err := json.Unmarshal(body, &o); err != nil {
		return nil, err
	}
	kind := kinds[o.Kind]
	if kind == nil {
		return nil, &rung.Error{Code: rung.CodeInternal, Place: o.Kind, What: "is no kind of work that this rung knows", Do: "run the same rung everywhere"}
	}
	return kind(o.Setup)
}
