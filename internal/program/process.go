package program

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// longestLine bounds a reply, in bytes.
const longestLine = 64 << 10

// process is one running instance of a program. It belongs to one caller at a time.
type process struct {
	cmd    *exec.Cmd
	in     *os.File
	out    *os.File
	lines  *bufio.Reader
	errors *tail
	reaped chan struct{} // closed when it has ended
	status error         // how, once reaped is closed
	killed bool
}

// limited sets the limit before the program itself begins, so that there is no moment without it: $1 is in KiB. Where the shell
// cannot set it (macOS), the program runs without.
const limited = `ulimit -c 0 2>/dev/null; ulimit -v "$1" 2>/dev/null; shift; exec "$@"`

// start starts one process of the program.
func (p *Program) start() (*process, error) {
	if err := p.makeHome(); err != nil {
		return nil, err
	}
	args := append([]string{"-c", limited, "metric", fmt.Sprint(p.Spec.Memory >> 10)}, p.Spec.Run...)
	cmd := exec.Command("/bin/sh", args...)
	cmd.Dir, cmd.SysProcAttr = p.Dir, withParent()
	cmd.Env = environment(p.home)
	proc := &process{cmd: cmd, errors: &tail{}, reaped: make(chan struct{})}
	cmd.Stderr = proc.errors
	cmd.WaitDelay = time.Second // a grandchild may hold standard error open
	childIn, in, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("the program cannot be started: %w", err)
	}
	out, childOut, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the program cannot be started: %w", err), childIn.Close(), in.Close())
	}
	proc.in, proc.out, proc.lines = in, out, bufio.NewReaderSize(out, longestLine)
	cmd.Stdin, cmd.Stdout = childIn, childOut
	err = cmd.Start()
	err = errors.Join(err, childIn.Close(), childOut.Close())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the program cannot be started: %w", err), in.Close(), out.Close())
	}
	go func() {
		proc.status = cmd.Wait()
		close(proc.reaped)
	}()
	return proc, nil
}

// makeHome makes the empty directory that the program has for its home and its temporary files.
func (p *Program) makeHome() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.home != "" {
		return nil
	}
	home, err := os.MkdirTemp("", "rung-metric-")
	if err != nil {
		return fmt.Errorf("the program has no place for temporary files: %w", err)
	}
	p.home = home
	return nil
}

// environment is all that the program gets to see of rung's: no key, no token, no proxy.
func environment(home string) []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + home, "LANG=C.UTF-8", "PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1"}
}

// exchange sends a line and reads one back within the limit, or says why there is none.
func (p *process) exchange(ctx context.Context, line []byte, limit time.Duration) (reply []byte, fault string) {
	if n := p.lines.Buffered(); n > 0 {
		rest, _ := p.lines.Peek(min(n, 60)) // as many as there are
		return nil, fmt.Sprintf("the program printed %s, which nobody asked for: one line for each that it reads", quoted(rest))
	}
	deadline := time.Now().Add(limit)
	stop := context.AfterFunc(ctx, func() { p.setDeadline(time.Unix(1, 0)) })
	defer stop()
	p.setDeadline(deadline)
	if ctx.Err() != nil { // it may have ended before the deadline was set
		return nil, "stopped"
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		return nil, p.why(err, limit, "read the answer")
	}
	reply, err := p.lines.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return nil, fmt.Sprintf("the program printed a line of more than %d KiB", longestLine>>10)
	}
	if err != nil {
		return nil, p.why(err, limit, "answer")
	}
	return bytes.TrimSpace(reply), ""
}

func (p *process) setDeadline(at time.Time) {
	// Pipes know deadlines; should one not, the read ends when the process is killed.
	_ = p.in.SetWriteDeadline(at)
	_ = p.out.SetReadDeadline(at)
}

// why turns the end of an exchange into a reason.
func (p *process) why(err error, limit time.Duration, what string) string {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Sprintf("the program did not %s within %s", what, limit)
	}
	select {
	case <-p.reaped:
	case <-time.After(time.Second): // it closed its output and goes on
		return "the program closed its output"
	}
	var exit *exec.ExitError
	switch {
	case p.status == nil || errors.Is(p.status, exec.ErrWaitDelay):
		return "the program ended without an answer"
	case errors.As(p.status, &exit) && exit.ExitCode() == 127:
		return "the program was not found"
	case errors.As(p.status, &exit) && exit.ExitCode() == 126:
		return "the program may not be executed"
	}
	return "the program died: " + p.status.Error()
}

// lastWords is the end of what the program wrote to standard error, for a reason.
func (p *process) lastWords() string {
	if words := p.errors.lastLine(); words != "" {
		return ": " + clip(words)
	}
	return ""
}

// kill ends the process with its whole group, at once, and waits for it.
func (p *process) kill() {
	if p.killed {
		return
	}
	p.killed = true
	if syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) != nil {
		_ = p.cmd.Process.Kill() // it has ended
	}
	_ = p.in.Close()
	<-p.reaped
	_ = p.out.Close()
}

// patience is how long a program may take to end once its input has.
const patience = 500 * time.Millisecond

// end closes the program's input and kills what is left of it.
func (p *process) end() {
	_ = p.in.Close() // what it says about that is its own business
	select {
	case <-p.reaped:
	case <-time.After(patience):
	}
	p.kill()
}

// tail keeps the last bytes that were written to it.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

const tailSize = 4 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, b[max(0, len(b)-tailSize):]...)
	t.kept = append(t.kept[:0], t.kept[max(0, len(t.kept)-tailSize):]...)
	return len(b), nil
}

func (t *tail) lastLine() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(string(t.kept)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
