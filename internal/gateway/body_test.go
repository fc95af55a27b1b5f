package gateway_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model/modeltest"
)

// TestABodyIsReadAsItComes: bodies of all sizes arrive whole, announced or in chunks, and too large ones are refused.
func TestABodyIsReadAsItComes(t *testing.T) {
	r := newRig(t, setup{config: "pass: ['*']\nlimits: {body: 1MiB, bodies: 2MiB}"})
	for _, n := range []int{1, 16<<10 - 1, 16 << 10, 16<<10 + 1, 100_000, 1<<20 - 200, 1 << 20, 3 << 20} {
		body := chat("openai/m", strings.Repeat("x", n))
		for _, chunked := range []bool{false, true} {
			var from io.Reader = strings.NewReader(body)
			if chunked {
				from = struct{ io.Reader }{from}
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+"/v1/chat/completions", from)
			if err != nil {
				t.Fatal(err)
			}
			want := http.StatusOK
			if len(body) > 1<<20 {
				want = http.StatusRequestEntityTooLarge
			}
			if got := r.do(req); got.status != want {
				t.Errorf("%d bytes, chunked %v: status %d, %.200s", len(body), chunked, got.status, got.body)
			}
			if sent := r.seen(); want == http.StatusOK && !bytes.Contains(sent[len(sent)-1].Body, []byte(strings.Repeat("x", n)+`"`)) {
				t.Errorf("%d bytes, chunked %v: not what was sent arrived", len(body), chunked)
			}
		}
	}
}

// TestBodiesAreBoundedTogether: what waits in the queue takes memory; beyond the bound of all bodies a request is refused at once, and
// when the others have ended there is room again.
func TestBodiesAreBoundedTogether(t *testing.T) {
	let := make(chan struct{})
	r := newRig(t, setup{config: "pass: ['*']\nlimits: {body: 1MiB, bodies: 2MiB, concurrency: 1, queue: 100, queue_wait: 20s}", script: func(modeltest.Call) modeltest.Reply {
		<-let
		return modeltest.Reply{Text: "x"}
	}})
	large := chat("openai/m", strings.Repeat("x", 900_000))
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if got := r.post("/v1/chat/completions", large); got.status != 200 {
				t.Errorf("status %d, %s", got.status, got.body)
			}
		})
	}
	r.eventually("one is inside, one waits", func() bool { return r.gw.InFlight() == 1 && r.gw.Queued() == 1 })
	if got := r.post("/v1/chat/completions", large); got.status != 429 || got.header.Get("Retry-After") == "" {
		t.Errorf("the third: status %d, %s", got.status, got.body)
	}
	close(let)
	wg.Wait()
	if got := r.post("/v1/chat/completions", large); got.status != 200 {
		t.Errorf("after the others: status %d, %s", got.status, got.body)
	}
}

// TestARateIsAskedBeforeTheBody: who may not ask gets his answer without a byte of the body being waited for.
func TestARateIsAskedBeforeTheBody(t *testing.T) {
	keys := map[string]string{}
	r := newRig(t, setup{config: "pass: ['*']", prepare: func(r *rig) {
		keys["rpm"] = r.key(rung.APIKey{ID: "1", Name: "rpm", RPM: 1})
		keys["tpm"] = r.key(rung.APIKey{ID: "2", Name: "tpm", TPM: 100})
	}})
	for name, key := range keys {
		if got := r.post("/v1/chat/completions", chat("openai/m", "hi"), "Authorization", "Bearer "+key); got.status != 200 {
			t.Fatalf("status %d, %s", got.status, got.body)
		}
		conn, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Length: 4000000\r\n\r\n{", key)
		// Nothing more is sent: the answer comes all the same, with its status at once.
		line := make([]byte, len("HTTP/1.1 429"))
		if _, err := io.ReadFull(conn, line); err != nil || string(line) != "HTTP/1.1 429" {
			t.Errorf("%s: %q, %v", name, line, err)
		}
		conn.Close()
	}
}
