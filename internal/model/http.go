package model

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// What a server may send us at most. A chat answer of 8 MiB is far beyond any model; the limit ends endless bodies.
const (
	maxBody      = 8 << 20
	maxErrorBody = 64 << 10
	maxHeader    = 256 << 10
)

// ErrBodyTooLarge says that a server sent more than any answer can be.
var ErrBodyTooLarge = errors.New("the answer is longer than 8 MiB")

// StatusError is an HTTP answer that is not a success, its body cut at 64 KiB.
type StatusError struct {
	Status int
	Header http.Header
	Body   []byte
}

func (e *StatusError) Error() string { return fmt.Sprintf("HTTP status %d", e.Status) }

// HTTPClient is the client for providers: it bounds what servers send, turns every answer but a success into a *StatusError,
// and follows no redirects, since a redirect could carry the key elsewhere. A nil base is a transport with time-outs.
func HTTPClient(base http.RoundTripper) *http.Client {
	if base == nil {
		base = &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			TLSHandshakeTimeout:    10 * time.Second,
			ForceAttemptHTTP2:      true,
			MaxIdleConnsPerHost:    256,
			IdleConnTimeout:        90 * time.Second,
			MaxResponseHeaderBytes: maxHeader,
		}
	}
	return &http.Client{Transport: &bounded{base: base}}
}

type bounded struct{ base http.RoundTripper }

func (b *bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.base.RoundTrip(req)
	if err != nil {
		return nil, &brokenError{err}
	}
	if resp.StatusCode >= 300 {
		defer resp.Body.Close()
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody)) // a cut message is still a message
		return nil, &StatusError{Status: resp.StatusCode, Header: resp.Header, Body: body}
	}
	if resp.ContentLength > maxBody {
		resp.Body.Close()
		return nil, ErrBodyTooLarge
	}
	resp.Body = &boundedBody{ReadCloser: resp.Body, left: maxBody}
	return resp, nil
}

type boundedBody struct {
	io.ReadCloser
	left int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, ErrBodyTooLarge
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	if err != nil && err != io.EOF {
		err = &brokenError{err}
	}
	return n, err
}

// brokenError marks an error of the connection, which a parser's complaint about a short text would look like otherwise.
type brokenError struct{ error }

func (b *brokenError) Unwrap() error { return b.error }
