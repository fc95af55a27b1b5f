package modeltest

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
)

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that has gone is not our concern
}

// Listen serves on a loopback port and gives the address, such as http://127.0.0.1:4321. stop ends it, hanging requests too.
func (s *Server) Listen() (url string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	return "http://" + l.Addr().String(), s.serve(l), nil
}

// Pipe serves without a network, so that it works inside a testing/synctest bubble, where time costs nothing. The host of
// the URLs does not matter. stop ends it, hanging requests too.
func (s *Server) Pipe() (transport http.RoundTripper, stop func()) {
	l := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	end := s.serve(l)
	t := &http.Transport{DialContext: l.dial, MaxResponseHeaderBytes: 256 << 10}
	return t, func() {
		t.CloseIdleConnections()
		end()
	}
}

func (s *Server) serve(l net.Listener) (stop func()) {
	if s.quit == nil {
		s.quit = make(chan struct{})
	}
	h := &http.Server{Handler: s, ErrorLog: log.New(io.Discard, "", 0)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = h.Serve(l) // ends when stop closes it
	}()
	return sync.OnceFunc(func() {
		close(s.quit)
		_ = h.Close()
		<-ended
	})
}

// pipes is a listener whose connections are in memory.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (p *pipes) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.done:
		return nil, &net.OpError{Op: "dial", Net: network, Err: net.ErrClosed}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }
