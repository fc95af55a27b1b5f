//go:build unix

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a gateway in a process of its own.
type process struct {
	url string
	cmd *exec.Cmd
}

// spawn runs rung serve as a process, with the environment and in the directory of the test, and waits until it listens.
func spawn(t *testing.T) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0], "serve", "--json", "--listen", "127.0.0.1:0")
	cmd.Env = append(os.Environ(), "RUNG_TEST_MAIN=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd}
	t.Cleanup(p.kill)
	var d serveDocument
	if err := json.NewDecoder(out).Decode(&d); err != nil {
		t.Fatalf("it does not listen: %v", err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	p.url = d.URL
	return p
}

// kill ends it without a word, as the kernel does when memory runs out.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	_ = p.cmd.Wait()
}

// stop ends it as an administrator does.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("rung serve ended with %v", err)
	}
}

// shot is one request as its caller saw it.
type shot struct {
	status              int
	trace, release, arm string
	answer              string
	at                  time.Time // when the whole answer was there
}

// shoot asks once. An error says that the connection broke.
func shoot(ctx context.Context, url, word string, stream bool) (shot, error) {
	body := fmt.Appendf(nil, `{"model":"words","messages":[{"role":"user","content":%q}],"stream":%v}`, word, stream)
	header, status, b, err := postBytes(ctx, url+"/v1/chat/completions", body)
	s := shot{status: status, trace: header.Get("X-Rung-Trace"), release: header.Get("X-Rung-Release"), arm: header.Get("X-Rung-Arm"), answer: string(b), at: time.Now()}
	if err == nil && stream && status == 200 && !bytes.Contains(b, []byte("data: [DONE]")) {
		err = io.ErrUnexpectedEOF
	}
	return s, err
}

func postBytes(ctx context.Context, url string, body []byte) (http.Header, int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, 0, nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, 0, nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.Header, resp.StatusCode, b, err
}

// volley is load on one gateway until it is stopped, and what became of it.
type volley struct {
	mu    sync.Mutex
	shots []shot
	err   error // the first connection that broke
	quit  chan struct{}
	wait  sync.WaitGroup
}

const shooters = 2

func fire(t *testing.T, p *process) *volley {
	v := &volley{quit: make(chan struct{})}
	for k := range shooters {
		v.wait.Go(func() {
			for i := k; ; i += shooters {
				select {
				case <-v.quit:
					return
				default:
				}
				s, err := shoot(t.Context(), p.url, words[i%len(words)], i%3 == 0)
				v.mu.Lock()
				if err == nil {
					v.shots = append(v.shots, s)
				} else if v.err == nil {
					v.err = err
				}
				v.mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	return v
}

func (v *volley) stop() ([]shot, error) {
	close(v.quit)
	v.wait.Wait()
	return v.shots, v.err
}

// arms counts what was answered on each arm.
func (v *volley) arms() map[string]int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return armsOf(v.shots)
}

func armsOf(shots []shot) map[string]int64 {
	n := map[string]int64{}
	for _, s := range shots {
		n[s.arm]++
	}
	return n
}
