package engine

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"time"

	"github.com/rung-dev/rung"
)

// launchSpec is what a server is started with.
type launchSpec struct {
	Model     string   `json:"model"`
	Port      int      `json:"port"`
	APIKey    string   `json:"api_key"`
	Slots     int      `json:"slots"`
	Context   int      `json:"context"` // tokens per slot
	Threads   int      `json:"threads"`
	GPULayers int      `json:"gpu_layers"`
	LoRAs     []string `json:"loras"`
	Embedding bool     `json:"embedding"`
	Batch     int      `json:"batch"` // tokens of one micro-batch; 0: the default
}

// process is one running server. It ends when stop is called, when it dies, and when rung ends in any way: the kernel
// kills it with its parent (Linux), and it, or the shell in front of it, watches its standard input for the end of file.
type process struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	log    *logTail
	client *client
	exited chan struct{} // closed after Wait
	err    error         // of Wait; valid after exited
}

// Bounds of a start. A machine starved of CPU loads a model a hundred times slower than an idle one.
const (
	startLimit  = 10 * time.Minute
	healthEvery = 50 * time.Millisecond
)

// start runs the server and returns when it answers, or with the reason why it does not.
func start(ctx context.Context, backend backend, spec launchSpec, log func(string)) (*process, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	key := make([]byte, 24)
	rand.Read(key)
	spec.APIKey = hex.EncodeToString(key)
	cmd, err := backend.command(&spec)
	if err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, log: newLogTail(log), exited: make(chan struct{})}
	stdout, err := p.run()
	if err != nil {
		return nil, &rung.Error{Code: rung.CodeMissing, Place: cmd.Path, What: "the local engine cannot be started: " + err.Error(), Do: "run rung setup", Err: err}
	}
	base, err := p.greet(ctx, backend, spec, stdout)
	if err == nil {
		p.client = newClient(base, spec.APIKey)
		err = p.healthy(ctx)
	}
	if err != nil {
		p.stop()
		return nil, p.startError(ctx, err)
	}
	return p, nil
}

// run starts the command on a thread of its own. Linux sends the death signal when the thread that started the child ends,
// not when the process does; so the thread stays, locked, until the child is gone.
func (p *process) run() (stdout io.ReadCloser, err error) {
	p.cmd.SysProcAttr = withParent()
	p.cmd.WaitDelay = 5 * time.Second
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	// Pipes of our own: those of exec are closed by Wait, which runs all the time.
	outRead, outWrite, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	errRead, errWrite, err := os.Pipe()
	if err != nil {
		outRead.Close()
		outWrite.Close()
		return nil, err
	}
	p.cmd.Stdout, p.cmd.Stderr = outWrite, errWrite
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		outWrite.Close()
		errWrite.Close()
		started <- err
		if err != nil {
			return
		}
		p.err = p.cmd.Wait()
		close(p.exited)
	}()
	go func() { p.log.follow(errRead); errRead.Close() }()
	if err := <-started; err != nil {
		outRead.Close()
		close(p.exited)
		return nil, err
	}
	return outRead, nil
}

// greet sends the options and learns the address.
func (p *process) greet(ctx context.Context, b backend, spec launchSpec, stdout io.ReadCloser) (string, error) {
	told := make(chan string, 1)
	go func() {
		defer stdout.Close()
		var hello struct {
			Address string `json:"address"`
		}
		out := newLogTail(func(line string) {
			if json.Unmarshal([]byte(line), &hello) == nil && hello.Address != "" {
				select {
				case told <- hello.Address:
				default:
				}
			}
		})
		out.follow(stdout)
	}()
	if !b.speaks() {
		return fmt.Sprintf("http://127.0.0.1:%d", spec.Port), nil
	}
	options, err := json.Marshal(spec)
	if err != nil {
		return "", err
	}
	if _, err := p.stdin.Write(append(options, '\n')); err != nil {
		return "", fmt.Errorf("it ended before it read its options")
	}
	select {
	case base := <-told:
		return base, nil
	case <-p.exited:
		return "", fmt.Errorf("it ended while it started (%w)", p.err)
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// healthy polls until the server has loaded its model.
func (p *process) healthy(ctx context.Context) error {
	tick := time.NewTicker(healthEvery)
	defer tick.Stop()
	for {
		if p.client.health(ctx) == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.exited:
			return fmt.Errorf("it ended while it started (%w)", p.err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// alive reports whether the process still runs.
func (p *process) alive() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// stop ends the process and waits until it is gone. It may be called more than once.
func (p *process) stop() {
	if p.alive() {
		io.WriteString(p.stdin, "stop\n") // the watcher need not kill anything: we do
		p.cmd.Process.Kill()
	}
	<-p.exited
	p.stdin.Close()
	if p.client != nil {
		p.client.close()
	}
}

func (p *process) startError(ctx context.Context, cause error) error {
	if ctx.Err() == context.Canceled {
		return context.Canceled
	}
	code, what := rung.CodeProvider, "the local engine did not start: "+cause.Error()
	if ctx.Err() == context.DeadlineExceeded {
		code, what = rung.CodeTimeout, fmt.Sprintf("the local engine was not ready after %v", startLimit)
	}
	return &rung.Error{Code: code, What: what + "; its log ends with:\n" + p.log.last(12),
		Do: "check that the model file is a GGUF that llama.cpp can load and that there is memory for it; rung doctor shows what there is", Err: cause}
}
