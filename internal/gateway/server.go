package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"

	"github.com/rung-dev/rung"
)

// Server listens for a gateway.
type Server struct {
	gateway  *Gateway
	http     *http.Server
	listener net.Listener
	secure   bool
	cert     atomic.Pointer[tls.Certificate]
	log      *slog.Logger
}

// Listen opens the gateway's address. Without any key in the store it is an address of this machine, whatever the configuration says.
func (g *Gateway) Listen(ctx context.Context) (*Server, error) {
	c := g.Config()
	s := &Server{gateway: g, log: g.log, secure: c.Cert != ""}
	address := c.Listen
	if !g.state.Load().anyKeys && !Loopback(address) {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, &rung.Error{Code: rung.CodeUsage, Place: address, What: "is no address to listen on: " + err.Error(), Do: "write it like 127.0.0.1:8080", Err: err}
		}
		address = net.JoinHostPort("127.0.0.1", port)
		g.log.Warn("there are no keys, so the gateway listens on this machine only; make one with rung keys add and start it again", "asked", c.Listen, "listens", address)
	}
	g.public.Store(!Loopback(address))
	if s.secure {
		if err := s.loadCert(c); err != nil {
			return nil, err
		}
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, &rung.Error{Code: rung.CodeUsage, Place: address, What: "cannot listen: " + err.Error(), Do: "choose another address with --listen, or stop what listens there", Err: err}
	}
	s.listener = netutil.LimitListener(l, c.Limits.Connections)
	s.http = &http.Server{
		Handler: g, ReadHeaderTimeout: c.Limits.Read, IdleTimeout: c.Limits.Idle, MaxHeaderBytes: c.Limits.Header,
		// Each write has its own time; this is for those of net/http itself. Bodies have theirs too: a ReadTimeout would end
		// requests that wait for a model.
		WriteTimeout: c.Limits.Request + c.Limits.Write,
		ErrorLog:     slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return s.cert.Load(), nil
		}},
	}
	return s, nil
}

// URL is where the server is reached from this machine.
func (s *Server) URL() string {
	if s.secure {
		return "https://" + s.listener.Addr().String()
	}
	return "http://" + s.listener.Addr().String()
}

func (s *Server) loadCert(c *Config) error {
	cert, err := tls.LoadX509KeyPair(c.Cert, c.Key)
	if err != nil {
		return &rung.Error{Code: rung.CodeInput, Place: c.Cert, What: "the certificate and its key cannot be used: " + err.Error(), Do: "check tls in the configuration", Err: err}
	}
	s.cert.Store(&cert)
	return nil
}

// Serve answers until ctx ends. Then it takes no more, lets requests on their way end within the configuration's drain, and cuts off
// those that do not.
func (s *Server) Serve(ctx context.Context) error {
	failed := make(chan error, 1)
	go func() {
		if s.secure {
			failed <- s.http.ServeTLS(s.listener, "", "")
		} else {
			failed <- s.http.Serve(s.listener)
		}
	}()
	select {
	case err := <-failed:
		return &rung.Error{Code: rung.CodeInternal, Place: s.URL(), What: "the server stopped: " + err.Error(), Err: err}
	case <-ctx.Done():
	}
	s.gateway.Drain()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.gateway.Config().Drain)
	defer cancel()
	err := s.http.Shutdown(last)
	if stopped := <-failed; !errors.Is(stopped, http.ErrServerClosed) {
		s.log.Warn("the listener ended badly", "error", stopped)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		s.log.Warn("requests that did not end in time are cut off")
		err = s.http.Close()
		s.gateway.awaitHandlers()
	}
	return err
}

// awaitHandlers waits until the requests that were cut off have ended: what they have spent and their traces are kept after that.
func (g *Gateway) awaitHandlers() {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(finishTimeout); g.handling.Load() > 0; <-tick.C {
		if time.Now().After(end) {
			g.log.Warn("requests that were cut off did not end; what they have spent is not counted", "requests", g.handling.Load())
			return
		}
	}
}

// watchEvery is how often the configuration and the certificate are looked at for a change.
const watchEvery = 500 * time.Millisecond

// Watch takes the configuration anew when its file changes or wake says so, until ctx ends. A file that is wrong changes nothing
// and is said. What is read at the start alone (see atStart) waits for the next one, which is said too.
func (s *Server) Watch(ctx context.Context, load func() (*Config, error), files func(*Config) []string, wake <-chan struct{}) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	seen, first := "", true // the files may have changed since they were read at the start, so they are read once more
	for {
		woken := false
		select {
		case <-ctx.Done():
			return
		case <-wake:
			woken = true
		case <-tick.C:
		}
		now := stamps(files(s.gateway.Config()))
		if now == seen && !woken && !first {
			continue
		}
		s.reload(load, first && !woken)
		seen, first = now, false // of before it was read: a change in between is read again
	}
}

func (s *Server) reload(load func() (*Config, error), quiet bool) {
	old := s.gateway.Config()
	c, err := load()
	if err == nil && s.secure && c.Cert != "" {
		err = s.loadCert(c)
	}
	if err != nil {
		s.log.Error("the configuration has changed and is wrong; the gateway goes on with the old one", "error", err)
		return
	}
	if c.atStart() != old.atStart() {
		s.log.Warn("some of what has changed holds from the next start: listen, tls on or off, limits.header, limits.idle, limits.connections, limits.upstream, limits.retries, limits.attempt, traces.keep and traces.max_size are read then")
	}
	s.gateway.SetConfig(c)
	if !quiet {
		s.gateway.sayUnknownNames()
		s.log.Warn("the configuration was read again") // a warning is what the plain log shows
	}
}
