package model

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/rung-dev/rung"
)

// Caller is what an error message must name about a call that failed: where it went and which settings to look at.
type Caller struct {
	Model   rung.ModelRef
	BaseURL string
	KeyEnv  string // environment variable of the key; empty where there is none
	URLEnv  string // environment variable of the base URL
}

// Failure turns what an HTTP call failed with into a *rung.Error, one that wraps *Transient where another attempt may cure it.
func (c Caller) Failure(err error) error {
	var status *StatusError
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(err, &status):
		return c.status(status)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return c.passing(rung.CodeTimeout, "no answer in time", "raise limits.timeout in the task file", 0, err)
	case errors.Is(err, ErrBodyTooLarge):
		return c.problem(rung.CodeProvider, "the answer does not end: it is longer than 8 MiB", "check that "+c.BaseURL+" is a model server", err)
	case errors.As(err, &dns):
		return c.passing(rung.CodeUnreachable, "no such host: "+dns.Name, c.checkURL(), 0, err)
	case badCertificate(err):
		return c.problem(rung.CodeUnreachable, "the server's certificate is not trusted", "check "+c.BaseURL+" and the system's certificates", err)
	case errors.As(err, &op) && op.Op == "dial":
		return c.passing(rung.CodeUnreachable, "cannot be reached: "+rootText(err), c.checkURL(), 0, err)
	case cut(err):
		return c.passing(rung.CodeProvider, "the connection was cut before the answer was whole", "check the server's log", 0, err)
	}
	return c.problem(rung.CodeProvider, "the answer makes no sense: "+Clean(rootText(err)), "check that "+c.BaseURL+" is the base URL of the API", err)
}

func (c Caller) place() string {
	if c.BaseURL == "" {
		return string(c.Model)
	}
	return fmt.Sprintf("%s at %s", c.Model, c.BaseURL)
}

func (c Caller) problem(code rung.Code, what, do string, cause error) error {
	return &rung.Error{Code: code, Place: c.place(), What: what, Do: do, Err: cause}
}

func (c Caller) passing(code rung.Code, what, do string, after time.Duration, cause error) error {
	return c.problem(code, what, do, &Transient{RetryAfter: after, Err: cause})
}

func (c Caller) checkURL() string {
	if c.URLEnv == "" {
		return "start the server, or check the network"
	}
	return "start the server, or set " + c.URLEnv + " to its address"
}

func badCertificate(err error) bool {
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verify *tls.CertificateVerificationError
	return errors.As(err, &unknown) || errors.As(err, &host) || errors.As(err, &invalid) || errors.As(err, &verify)
}

func cut(err error) bool {
	var broken *brokenError
	if !errors.As(err, &broken) {
		return false
	}
	var op *net.OpError
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE, net.ErrClosed, io.ErrClosedPipe} {
		if errors.Is(err, end) {
			return true
		}
	}
	return errors.As(err, &op)
}

// rootText is the message of the innermost cause: the outer ones repeat the URL, which Place says already.
func rootText(err error) string {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err.Error()
		}
		err = next
	}
}

// said is the error that a server described in its body.
type said struct {
	Message, Type, Code, Param string
}

// status reads an error answer. Servers give codes where they can; some say what matters only in words, and those words
// are matched here and nowhere else.
func (c Caller) status(e *StatusError) error {
	s := parseSaid(e.Body)
	text := strings.ToLower(s.Message + " " + s.Type + " " + s.Code)
	says := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(text, p) {
				return true
			}
		}
		return false
	}
	what := fmt.Sprintf("HTTP %d", e.Status)
	if s.Message != "" {
		what += ": " + s.Message
	}
	switch st := e.Status; {
	case st == 402, says("insufficient_quota", "billing_hard_limit", "credit balance", "billing_error"):
		return c.problem(rung.CodeAuth, "the account has no credit left ("+what+")", "add credit with the provider, or use another key in "+c.keyEnv(), e)
	case st == 401, st == 403:
		return c.problem(rung.CodeAuth, "the key was refused ("+what+")", "set "+c.keyEnv()+" to a valid key for this server", e)
	case st < 400:
		return c.problem(rung.CodeUnreachable, fmt.Sprintf("HTTP %d redirects to %s", st, Clean(e.Header.Get("Location"))), "set "+c.URLEnv+" to the final address", e)
	case st == 413, tooLong(st, says):
		return c.problem(rung.CodeProvider, "the prompt does not fit the model's context ("+what+")", "use a model with a longer context, fewer demonstrations or fewer passages", &PromptTooLong{Err: e})
	case st == 404, st == 400 && says("model_not_found", "not a valid model", "model not found", "model does not exist"):
		return c.problem(rung.CodeModel, "there is no model "+c.Model.Name()+" ("+what+")", "check the name after the slash"+c.andURL(), e)
	case transientStatus(st):
		return c.passing(rung.CodeProvider, what, "try again later"+slower(st), RetryAfter(e.Header, time.Now()), e)
	case unsupported(st, s, says):
		return c.problem(rung.CodeUnsupported, "the server does not do what was asked ("+what+")", "use another model, or leave constrained decoding out", e)
	}
	return c.problem(rung.CodeProvider, what, "see what the provider says about it", e)
}

func (c Caller) keyEnv() string {
	if c.KeyEnv == "" {
		return "the key variable"
	}
	return c.KeyEnv
}

func (c Caller) andURL() string {
	if c.URLEnv == "" {
		return ""
	}
	return ", and that " + c.URLEnv + " is right (most servers want /v1 at its end)"
}

func slower(status int) string {
	if status == http.StatusTooManyRequests {
		return ", or set limits.rpm and limits.tpm in the task file"
	}
	return ""
}

func transientStatus(st int) bool {
	switch st {
	case 408, 429, 500, 502, 503, 504, 529:
		return true
	}
	return st >= 520 && st <= 524 // a proxy in front of the provider that did not reach it
}

func tooLong(st int, says func(...string) bool) bool {
	return (st == 400 || st == 422 || st == 500) && says("context_length_exceeded", "exceed_context_size", "context length", "context size",
		"context window", "context limit", "prompt is too long", "too many tokens", "maximum sequence length")
}

func unsupported(st int, s said, says func(...string) bool) bool {
	if st != 400 && st != 422 && st != 501 {
		return false
	}
	return st == 501 || says("unsupported", "not supported", "does not support", "response_format", "json_schema", "output_config", "output_format", "grammar") ||
		strings.HasPrefix(s.Param, "response_format")
}

// parseSaid reads the forms in use: {"error":{...}}, {"error":"..."}, {"message":"..."}, {"detail":"..."}, or plain text.
func parseSaid(body []byte) said {
	var outer struct {
		Error   json.RawMessage `json:"error"`
		Message string          `json:"message"`
		Detail  json.RawMessage `json:"detail"`
	}
	if json.Unmarshal(body, &outer) != nil {
		return said{Message: Clean(plainText(body))}
	}
	var inner struct {
		Message string `json:"message"`
		Type    string `json:"type"`
		Code    any    `json:"code"` // a string, or a number
		Param   any    `json:"param"`
	}
	var words string
	switch {
	case json.Unmarshal(outer.Error, &inner) == nil && inner.Message != "":
		s := said{Message: Clean(inner.Message), Type: Clean(inner.Type)}
		s.Code, _ = inner.Code.(string)
		s.Param, _ = inner.Param.(string)
		return s
	case json.Unmarshal(outer.Error, &words) == nil && words != "":
	case outer.Message != "":
		words = outer.Message
	case json.Unmarshal(outer.Detail, &words) == nil:
	default:
		words = string(outer.Detail)
	}
	return said{Message: Clean(words)}
}

// plainText drops the body of a page: its markup tells a person nothing.
func plainText(body []byte) string {
	if s := strings.TrimSpace(string(body)); !strings.HasPrefix(s, "<") {
		return s
	}
	return ""
}

// Clean makes text from a server fit to print: one line of at most 300 characters without control characters.
func Clean(s string) string {
	var b strings.Builder
	n, space := 0, false
	for _, r := range s {
		if unicode.IsSpace(r) {
			space = b.Len() > 0
			continue
		}
		if !unicode.IsPrint(r) {
			continue
		}
		if space {
			b.WriteByte(' ')
			space = false
			n++
		}
		if n++; n > 300 {
			b.WriteString("…")
			break
		}
		b.WriteRune(r)
	}
	return b.String()
}

// RetryAfter reads the header of that name, in seconds or as a date, and its form in milliseconds. 0 when there is none.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	if ms, err := strconv.ParseFloat(h.Get("Retry-After-Ms"), 64); err == nil && ms > 0 {
		return clampWait(ms / 1000)
	}
	v := strings.TrimSpace(h.Get("Retry-After"))
	if s, err := strconv.ParseFloat(v, 64); err == nil && s > 0 {
		return clampWait(s)
	}
	if at, err := http.ParseTime(v); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}

// clampWait keeps a hostile number of seconds from overflowing.
func clampWait(seconds float64) time.Duration {
	const year = 365 * 24 * 3600
	return time.Duration(min(seconds, year) * float64(time.Second))
}
