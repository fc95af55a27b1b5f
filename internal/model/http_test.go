package model_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rung-dev/rung/internal/model"
)

// endless is a server whose answers have no end; it counts what is read of them.
type endless struct{ read int64 }

func (e *endless) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: e, ContentLength: -1, Request: r}, nil
}

func (e *endless) Read(p []byte) (int, error) {
	e.read += int64(len(p))
	return len(p), nil
}

func (e *endless) Close() error { return nil }

func TestBodiesAreBounded(t *testing.T) {
	e := new(endless)
	resp, err := model.HTTPClient(e).Get("http://model.test")
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if !errors.Is(err, model.ErrBodyTooLarge) || len(b) != 8<<20 || e.read != 8<<20 {
		t.Errorf("read %d bytes of the server and gave %d: %v", e.read, len(b), err)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, " 1.5 ": 1500 * time.Millisecond, "-3": 0, "soon": 0, "1e300": 365 * 24 * time.Hour, "NaN": 0,
		"Fri, 02 Jan 2026 03:05:05 GMT": time.Minute, "Fri, 02 Jan 2026 03:03:05 GMT": 0,
	} {
		if got := model.RetryAfter(http.Header{"Retry-After": {value}}, now); got != want {
			t.Errorf("%q is %s, want %s", value, got, want)
		}
	}
	if got := model.RetryAfter(http.Header{"Retry-After": {"9"}, "Retry-After-Ms": {"250"}}, now); got != 250*time.Millisecond {
		t.Errorf("milliseconds came as %s", got)
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		" a\n\t b ": "a b", "x\x1b[31mred\x00": "x[31mred", strings.Repeat("é", 400): strings.Repeat("é", 300) + "…", "\xff": "\ufffd",
	} {
		if got := model.Clean(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}
