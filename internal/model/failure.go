package model

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rung-dev/rung"
)

// PromptTooLong marks an error that says the prompt does not fit the model's context. Another attempt cannot cure it, but a
// shorter prompt can, so it costs one example its score and does not end a climb.
type PromptTooLong struct{ Err error }

func (p *PromptTooLong) Error() string { return p.Err.Error() }
func (p *PromptTooLong) Unwrap() error { return p.Err }

// Fatal reports whether err ends a climb: the next call would fail for the same reason. What is not fatal (an answer that
// did not come, came too late or made no sense) scores zero for its example.
func Fatal(err error) bool {
	switch rung.CodeOf(err) {
	case "", rung.CodeProvider, rung.CodeTimeout, rung.CodeUnsupported:
		return false
	}
	return true
}

// ProblemOf is the problem that a failed call leaves in an answer.
func ProblemOf(err error) rung.Problem {
	var long *PromptTooLong
	switch {
	case err == nil:
		return rung.NoProblem
	case errors.As(err, &long):
		return rung.TooLong
	case rung.CodeOf(err) == rung.CodeTimeout:
		return rung.TimedOut
	}
	return rung.CallFailed
}

// interrupted is what a caller gets whose context ended: the *rung.Error it was cancelled with, where there is one.
func interrupted(ctx context.Context) error {
	var e *rung.Error
	if cause := context.Cause(ctx); errors.As(cause, &e) {
		return e
	}
	return &rung.Error{Code: rung.CodeInterrupted, What: "stopped before the model answered", Do: "run it again to go on",
		Err: context.Cause(ctx)}
}

// lateError says that one attempt took longer than its limit.
func lateError(req Request, limit time.Duration, err error) error {
	e := &rung.Error{Code: rung.CodeTimeout, Place: string(req.Model), What: fmt.Sprintf("no answer within %s", limit),
		Do: "raise limits.timeout in the task file, or lower limits.concurrency if the server is overloaded", Err: err}
	e.Err = &Transient{Err: err}
	return e
}

// asError makes sure that what leaves the door is a *rung.Error.
func asError(req Request, err error) error {
	var e *rung.Error
	if errors.As(err, &e) {
		return err
	}
	return &rung.Error{Code: rung.CodeProvider, Place: string(req.Model), What: err.Error(), Err: err}
}

// afterAttempts adds to err how many attempts were made, keeping its code and cause.
func afterAttempts(err error, attempts int, more string) error {
	var e *rung.Error
	if !errors.As(err, &e) {
		return err
	}
	out := *e
	if attempts > 1 {
		out.What += fmt.Sprintf(" (%d attempts)", attempts)
	}
	if more != "" {
		out.What += ", and " + more
	}
	out.Err = err
	return &out
}
