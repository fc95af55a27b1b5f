package blocks

import (
	"context"
	"iter"

	"github.com/rung-dev/rung"
)

// Place is where a list of corrections goes on.
type Place struct {
	At int64
	ID string
}

// Corrector is a database with feedback in it.
type Corrector interface {
	// Corrections gives at most so many corrections after a place, in the order of their times.
	Corrections(ctx context.Context, after Place, limit int) ([]rung.Feedback, error)
}

// Proposals gives the examples that corrections propose, as store.Serving says.
func (r Reader) Proposals(ctx context.Context, c Corrector, task string) iter.Seq2[rung.Proposal, error] {
	return func(yield func(rung.Proposal, error) bool) {
		at := Place{At: -1 << 63}
		for {
			page, err := c.Corrections(ctx, at, pageSize)
			if err != nil {
				yield(rung.Proposal{}, err)
				return
			}
			for i := range page {
				f := &page[i]
				at = Place{Nanos(f.At), f.ID}
				p, ok, err := r.proposal(ctx, f, task)
				if err != nil {
					yield(p, err)
					return
				}
				if ok && !yield(p, nil) {
					return
				}
			}
			if len(page) < pageSize {
				return
			}
		}
	}
}

// proposal joins a correction to its trace; false where the trace is not there, kept no input, or is of another task.
func (r Reader) proposal(ctx context.Context, f *rung.Feedback, task string) (rung.Proposal, bool, error) {
	t, err := r.Find(ctx, f.Trace)
	if rung.CodeOf(err) == rung.CodeNotFound {
		return rung.Proposal{}, false, nil
	}
	if err != nil || len(t.Input) == 0 || task != "" && t.Task != task {
		return rung.Proposal{}, false, err
	}
	return rung.Proposal{ID: f.ID, Task: t.Task, Input: t.Input, Output: f.Correction, Trace: t.ID, At: f.At, Segment: t.Segment}, true, nil
}

// NoID says that feedback is about something that cannot be a trace.
func NoID(id string) error {
	return &rung.Error{Code: rung.CodeInput, Place: id, What: "is no trace ID: that is 32 lower-case hex digits", Do: "give the ID that came with the answer"}
}

// BadFeedback says that feedback has no JSON.
func BadFeedback(f rung.Feedback, err error) error {
	return &rung.Error{Code: rung.CodeInput, Place: f.ID, What: "the feedback cannot be kept: " + err.Error(), Do: "give a correction that is JSON, and a score that is a number", Err: err}
}
