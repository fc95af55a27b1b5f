package gateway_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rung-dev/rung/internal/gateway"
	"github.com/rung-dev/rung/internal/model/modeltest"
)

// serve runs a rig's gateway on a listener of its own.
func (r *rig) serve(config string) (url string, stop func() error, server *gateway.Server) {
	r.t.Helper()
	c, err := gateway.ParseConfig("gateway.yaml", []byte(config))
	if err != nil {
		r.t.Fatal(err)
	}
	r.gw.SetConfig(c)
	server, err = r.gw.Listen(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx) }()
	return server.URL(), sync.OnceValue(func() error { cancel(); return <-done }), server
}

func TestDrainLetsRequestsEnd(t *testing.T) {
	let, inside := make(chan struct{}), make(chan struct{}, 8)
	r := newRig(t, setup{script: func(modeltest.Call) modeltest.Reply {
		inside <- struct{}{}
		<-let
		return modeltest.Reply{Text: "one two three", Gap: 20 * time.Millisecond}
	}})
	url, stop, _ := r.serve("listen: 127.0.0.1:0\npass: ['*']\ndrain: 10s")
	r.url = url
	var wg sync.WaitGroup
	for _, extra := range []string{`"stream":false`, `"stream":true`} {
		wg.Go(func() {
			got := r.post("/v1/chat/completions", chat("openai/m", "hi", extra))
			if got.status != 200 || strings.Contains(got.body, "!!") || !strings.Contains(got.body, "three") {
				t.Errorf("%s: status %d, %s", extra, got.status, got.body)
			}
		})
		<-inside
	}
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	r.eventually("new connections are refused", func() bool {
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	close(let)
	wg.Wait()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestReloadDropsNothing: the configuration changes under load, to good ones and bad ones, and every request is answered.
func TestReloadDropsNothing(t *testing.T) {
	r := newRig(t, setup{})
	path := filepath.Join(t.TempDir(), "gateway.yaml")
	write := func(text string) {
		if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	base := "listen: 127.0.0.1:0\npass: ['openai/*']\n"
	write(base)
	url, stop, server := r.serve(base)
	r.url = url
	ctx, cancel := context.WithCancel(t.Context())
	wake := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		server.Watch(ctx, func() (*gateway.Config, error) { return gateway.LoadConfig(path) }, func(*gateway.Config) []string { return []string{path} }, wake)
	}()
	var wg sync.WaitGroup
	var asked, done atomic.Int64
	quit := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-quit:
					return
				default:
				}
				asked.Add(1)
				if r.post("/v1/chat/completions", chat("openai/m", "hi")).status == 200 {
					done.Add(1)
				}
			}
		})
	}
	write(base + "limits: {body: 1MiB}\n")
	r.eventually("a changed file is taken", func() bool { return r.gw.Config().Limits.Body == 1<<20 })
	write(base + "limits: {bdoy: 2MiB}\n")
	r.eventually("a wrong file is said", func() bool { return strings.Contains(r.log.String(), "bdoy") })
	if r.gw.Config().Limits.Body != 1<<20 {
		t.Error("a wrong file changed something")
	}
	write(base + "limits: {body: 3MiB}\n")
	wake <- struct{}{}
	r.eventually("a signal is heard", func() bool { return r.gw.Config().Limits.Body == 3<<20 })
	if strings.Contains(r.log.String(), "next start") {
		t.Error("a change that holds at once is said to wait for the next start")
	}
	write(base + "limits: {body: 3MiB, attempt: 1s}\n")
	r.eventually("a change that waits for the next start is said", func() bool { return strings.Contains(r.log.String(), "next start") })
	close(quit)
	wg.Wait()
	cancel()
	<-watched
	if asked.Load() != done.Load() || asked.Load() == 0 {
		t.Errorf("%d of %d requests were answered", done.Load(), asked.Load())
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// certificate writes a self-signed certificate for this machine with a serial number.
func certificate(t *testing.T, dir string, serial int64) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "gateway"}, NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestCertificatesAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	cert, key := certificate(t, dir, 1)
	r := newRig(t, setup{})
	config := "listen: 127.0.0.1:0\npass: ['*']\ntls: {cert: " + cert + ", key: " + key + "}\n"
	url, stop, server := r.serve(config)
	wake := make(chan struct{})
	go server.Watch(t.Context(), func() (*gateway.Config, error) { return gateway.ParseConfig("gateway.yaml", []byte(config)) }, func(c *gateway.Config) []string { return []string{c.Cert, c.Key} }, wake)
	serial := func() int64 {
		transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true} // the test looks at the serial itself
		resp, err := (&http.Client{Transport: transport}).Get(url + "/healthz")
		if err != nil {
			t.Error(err)
			return 0
		}
		defer resp.Body.Close()
		return resp.TLS.PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Errorf("serial %d", got)
	}
	certificate(t, dir, 2)
	r.eventually("the new certificate is shown", func() bool { return serial() == 2 })
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestSlowAndLargeCallersAreCutOff(t *testing.T) {
	r := newRig(t, setup{})
	url, stop, _ := r.serve("listen: 127.0.0.1:0\npass: ['*']\nlimits: {read: 200ms, header: 4KiB}")
	defer func() { r.check(stop()) }()
	for name, request := range map[string]string{
		"header that does not end":  "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n",
		"body that does not end":    "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{\"model\"",
		"unread body, no such path": "POST /v1/nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n",
		"unread body, health":       "POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n",
		"header too large":          "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nX-Large: " + strings.Repeat("x", 64<<10) + "\r\n\r\n",
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if _, err := conn.Write([]byte(request)); err != nil {
			t.Logf("%s: %v", name, err) // it may have had enough already
		}
		if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 4096)
		n, err := conn.Read(b)
		if os.IsTimeout(err) || strings.Contains(string(b[:n]), " 200 ") && !strings.HasSuffix(name, "health") {
			t.Errorf("%s: %q, %v after %s", name, b[:n], err, time.Since(start))
		}
		conn.Close()
	}
}
