package rung

import (
	"errors"
	"strings"
)

// Code says what kind of error it is. One table maps codes to exit statuses (internal/cli), one to HTTP statuses.
type Code string

// The codes.
const (
	CodeUsage       Code = "usage"       // the command line is wrong
	CodeInput       Code = "input"       // a task, schema, example or document file is wrong
	CodeMissing     Code = "missing"     // something must be installed first (engine, training worker)
	CodeAuth        Code = "auth"        // a provider refused the key, or there is none
	CodeModel       Code = "model"       // the provider has no such model
	CodeUnreachable Code = "unreachable" // a server cannot be reached at all
	CodeProvider    Code = "provider"    // a provider answered with an error or nonsense, after the retries
	CodeTimeout     Code = "timeout"     // a call took longer than its limit
	CodeUnsupported Code = "unsupported" // the provider or model cannot do what was asked (for example constrained decoding)
	CodeBudget      Code = "budget"      // the budget would be exceeded
	CodeStore       Code = "store"       // the store cannot be read or written (disk full, locked, damaged)
	CodeNotFound    Code = "not_found"   // no such run, candidate or example
	CodeCapacity    Code = "capacity"    // it cannot fit (memory estimate)
	CodeConflict    Code = "conflict"    // it exists already, or somebody else changed it
	CodeDenied      Code = "denied"      // the caller's key does not allow it
	CodeLimited     Code = "limited"     // the caller asks too often, too much or beyond the budget
	CodeBlocked     Code = "blocked"     // a guard refused the request or the answer
	CodeFailed      Code = "failed"      // what was measured does not hold to what was asked
	CodeUnsettled   Code = "unsettled"   // what was measured does not say whether it does
	CodeInterrupted Code = "interrupted" // a signal stopped the work
	CodeInternal    Code = "internal"    // a defect in rung
)

// Error is an error for a person: where, what, and what to do about it.
type Error struct {
	Code    Code
	Place   string // "task.yaml:3:7", "examples.jsonl:17", a URL or a path; may be empty
	What    string // what is wrong, lower case, no full stop
	Do      string // what to do about it, an imperative; may be empty
	Excerpt string // the source line with a caret under the fault, two lines; may be empty
	Err     error  // the cause; may be nil
}

// Error reads "PLACE: what; what to do".
func (e *Error) Error() string {
	var b strings.Builder
	if e.Place != "" {
		b.WriteString(e.Place + ": ")
	}
	b.WriteString(e.What)
	if e.Do != "" {
		b.WriteString("; " + e.Do)
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errors is several errors found in one pass, each an *Error. It is never empty when returned as an error.
type Errors []*Error

// Error has one line per error.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find the first.
func (es Errors) Unwrap() []error {
	out := make([]error, len(es))
	for i, e := range es {
		out[i] = e
	}
	return out
}

// Or is es as an error, nil when it is empty.
func (es Errors) Or() error {
	if len(es) == 0 {
		return nil
	}
	return es
}

// CodeOf is the code of the first *Error in err's tree, CodeInternal when there is none, empty when err is nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}
