// Package web is the pages that rung serves to a browser on the same machine. Only this machine can reach them, only with the address
// that was printed: a token stands in it, requests must name this host and come from this page, and the pages load nothing from
// elsewhere.
package web

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/rung-dev/rung"
)

// Server is one session's page.
type Server struct {
	listener net.Listener
	http     *http.Server
	token    string
	host     string // address and port, as browsers name it
}

const (
	headerLimit = 10 * time.Second
	bodyLimit   = 30 * time.Second
	endLimit    = 5 * time.Second
)

// Listen opens a port of the loopback interface; 0 is any that is free. The pages are those of h, below the token.
func Listen(port int, h http.Handler) (*Server, error) {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", fmt.Sprint(port)))
	if err != nil {
		return nil, &rung.Error{Code: rung.CodeConflict, Place: fmt.Sprintf("127.0.0.1:%d", port), What: "the port cannot be opened: " + err.Error(), Do: "choose another --port, or leave it out", Err: err}
	}
	secret := make([]byte, 18)
	if _, err := rand.Read(secret); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	s := &Server{listener: l, token: base64.RawURLEncoding.EncodeToString(secret), host: l.Addr().String()}
	s.http = &http.Server{Handler: s.guard(h), ReadHeaderTimeout: headerLimit, ReadTimeout: bodyLimit, WriteTimeout: bodyLimit, MaxHeaderBytes: 64 << 10}
	return s, nil
}

// URL is the address to open. Who has it can rate.
func (s *Server) URL() string { return "http://" + s.host + "/" + s.token + "/" }

// Serve answers until ctx ends; requests under way are finished.
func (s *Server) Serve(ctx context.Context) error {
	failed := make(chan error, 1)
	go func() { failed <- s.http.Serve(s.listener) }()
	select {
	case err := <-failed:
		return &rung.Error{Code: rung.CodeInternal, Place: s.host, What: "the page's server stopped: " + err.Error(), Err: err}
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), endLimit)
	defer cancel()
	if err := s.http.Shutdown(end); err != nil {
		return s.http.Close()
	}
	return nil
}

// policy: scripts, styles and requests come from this server alone, and nothing else is loaded, framed or sent.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// guard refuses what does not come from the page that was opened by its address. A name that is made to point at 127.0.0.1 shows in Host, a
// page of another site in Origin and Sec-Fetch-Site, and neither knows the token.
func (s *Server) guard(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("Content-Security-Policy", policy)
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("Referrer-Policy", "no-referrer")
		head.Set("Cross-Origin-Opener-Policy", "same-origin")
		head.Set("Cross-Origin-Resource-Policy", "same-origin")
		head.Set("Cache-Control", "no-store")
		if !s.ownHost(r.Host) || !s.ownOrigin(r) {
			http.Error(w, "This page answers only to the address that rung printed.", http.StatusForbidden)
			return
		}
		token, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if subtle.ConstantTimeCompare([]byte(token), []byte(s.token)) != 1 {
			http.Error(w, "This session has ended, or the address is not whole. Open the address that rung printed last.", http.StatusNotFound)
			return
		}
		inner := r.Clone(r.Context())
		inner.URL.Path, inner.URL.RawPath = "/"+rest, ""
		h.ServeHTTP(w, inner)
	})
}

func (s *Server) ownHost(host string) bool {
	_, port, err := net.SplitHostPort(s.host)
	return err == nil && (host == s.host || host == "localhost:"+port)
}

func (s *Server) ownOrigin(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return false
	}
	origin := r.Header.Get("Origin")
	if origin == "" { // a browser sends one with every POST
		return r.Method == http.MethodGet || r.Method == http.MethodHead
	}
	return origin == "http://"+r.Host
}
