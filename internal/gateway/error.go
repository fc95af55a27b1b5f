package gateway

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
)

// statuses is the one table from codes to HTTP statuses; docs/gateway.md lists it.
var statuses = map[rung.Code]int{
	rung.CodeUsage: http.StatusBadRequest, rung.CodeInput: http.StatusBadRequest, rung.CodeBlocked: http.StatusBadRequest,
	rung.CodeAuth: http.StatusUnauthorized, rung.CodeDenied: http.StatusForbidden,
	rung.CodeModel: http.StatusNotFound, rung.CodeNotFound: http.StatusNotFound, rung.CodeConflict: http.StatusConflict,
	rung.CodeLimited: http.StatusTooManyRequests, rung.CodeBudget: http.StatusTooManyRequests,
	rung.CodeProvider: http.StatusBadGateway, rung.CodeUnreachable: http.StatusBadGateway, rung.CodeUnsupported: http.StatusBadGateway,
	rung.CodeTimeout: http.StatusGatewayTimeout,
	rung.CodeStore:   http.StatusServiceUnavailable, rung.CodeMissing: http.StatusServiceUnavailable, rung.CodeCapacity: http.StatusServiceUnavailable,
	rung.CodeInterrupted: statusGone, rung.CodeInternal: http.StatusInternalServerError,
}

// statusGone is what traces have for a request whose caller went away; nobody is there to be told.
const statusGone = 499

// failure is an error as the caller is told it.
type failure struct {
	err     error // for the trace
	code    rung.Code
	status  int
	message string
	name    string // code in the answer: the problem of the model's answer where there is one, else code
	after   time.Duration
	final   bool // the same request will fail again: SDKs are told not to repeat it
}

// known lets an error carry more for the caller than its code.
type known struct {
	err     error
	problem rung.Problem
	after   time.Duration
	final   bool
	status  int    // in place of the code's; 0: the code's
	cause   string // what a provider said, for the trace alone
}

func (k *known) Error() string { return k.err.Error() }
func (k *known) Unwrap() error { return k.err }

// failureOf decides what the caller is told. What concerns the gateway's own keys, addresses and files stays in the trace.
func failureOf(err error, upstream bool) failure {
	f := failure{err: err, code: rung.CodeOf(err), message: "a defect in the gateway"}
	var e *rung.Error
	if errors.As(err, &e) {
		f.message = e.What
		if e.Do != "" && !upstream {
			f.message += "; " + e.Do
		}
	}
	var k *known
	errors.As(err, &k)
	if upstream && k == nil { // what is known was written for the caller
		f.hide()
	}
	if errors.Is(err, context.Canceled) {
		f.code = rung.CodeInterrupted
	}
	f.name = string(f.code)
	if k != nil {
		f.after, f.final = k.after, k.final
		if k.problem != rung.NoProblem {
			f.name = string(k.problem)
		}
	}
	f.status = statuses[f.code]
	if k != nil && k.status != 0 {
		f.status = k.status
	}
	if f.status == 0 {
		f.status = http.StatusInternalServerError
	}
	var t *model.Transient
	if f.after == 0 && errors.As(err, &t) {
		f.after = t.RetryAfter
	}
	return f
}

// hide keeps from callers what only the one who runs the gateway can mend.
func (f *failure) hide() {
	switch f.code {
	case rung.CodeAuth:
		f.code, f.message = rung.CodeProvider, "the provider does not let the gateway in"
	case rung.CodeModel:
		f.code, f.message = rung.CodeProvider, "the provider does not have the model"
	case rung.CodeUnreachable:
		f.message = "the provider cannot be reached"
	case rung.CodeMissing, rung.CodeStore, rung.CodeCapacity, rung.CodeNotFound:
		f.code, f.message = rung.CodeCapacity, "the model is not ready"
	case rung.CodeInput:
		f.code, f.message = rung.CodeProvider, "the provider refused the request"
	case rung.CodeUsage, rung.CodeInternal, rung.CodeConflict:
		f.code, f.message = rung.CodeInternal, "a defect in the gateway or the release"
	}
}

// kind is the type of an error in OpenAI's words and in Anthropic's.
func kind(status int, anthropic bool) string {
	switch status {
	case http.StatusUnauthorized:
		return "authentication_error"
	case http.StatusForbidden:
		return "permission_error"
	case http.StatusNotFound:
		return "not_found_error"
	case http.StatusTooManyRequests:
		return "rate_limit_error"
	case http.StatusRequestEntityTooLarge:
		if anthropic {
			return "request_too_large"
		}
	}
	switch {
	case status < 500:
		return "invalid_request_error"
	case anthropic && status == http.StatusServiceUnavailable:
		return "overloaded_error"
	case anthropic:
		return "api_error"
	}
	return "server_error"
}

// appendError writes the error in the form of its API.
func appendError(b []byte, anthropic bool, f *failure, trace string) []byte {
	if anthropic {
		b = append(b, `{"type":"error","error":{"type":"`...)
		b = append(b, kind(f.status, true)...)
		b = append(b, `","message":`...)
		b = appendString(b, f.message)
		b = append(b, `,"code":`...)
		b = appendString(b, f.name)
		b = append(b, `},"request_id":`...)
		b = appendString(b, trace)
		return append(b, "}\n"...)
	}
	b = append(b, `{"error":{"message":`...)
	b = appendString(b, f.message)
	b = append(b, `,"type":"`...)
	b = append(b, kind(f.status, false)...)
	b = append(b, `","param":null,"code":`...)
	b = appendString(b, f.name)
	return append(b, "}}\n"...)
}

// writeFailure answers with an error; nothing may have been written before.
func writeFailure(w http.ResponseWriter, anthropic bool, f *failure, trace string) {
	h := w.Header()
	h["Content-Type"] = jsonType
	if f.after > 0 {
		h.Set("Retry-After", strconv.Itoa(int((f.after+time.Second-1)/time.Second)))
	} else if f.status == http.StatusTooManyRequests {
		h.Set("Retry-After", "1")
	}
	if f.final {
		h.Set("X-Should-Retry", "false")
	}
	if f.status == http.StatusUnauthorized {
		h.Set("Www-Authenticate", "Bearer")
	}
	status := f.status
	if status == statusGone {
		status = http.StatusServiceUnavailable
	}
	w.WriteHeader(status)
	_, _ = w.Write(appendError(nil, anthropic, f, trace)) // a caller that has gone needs no error
}

func bad(format string, args ...any) error {
	return &rung.Error{Code: rung.CodeInput, What: sprintf(format, args...)}
}
