package tune

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rung-dev/rung"
)

const (
	// protocol is the version of the job file and of the worker's lines.
	protocol = 1
	// maxLine bounds one line of the worker. Progress is short; the result grows with the grid, not with the data.
	maxLine = 8 << 20
	// silence is how long the worker may say nothing. The longest quiet part is one step, or loading on a starved machine.
	silence = 15 * time.Minute
	// stopWait is how long a worker may take to save its state when it is asked to stop. A step is the least it finishes.
	stopWait = time.Minute
	// tailLines is how much of the worker's standard error goes into an error.
	tailLines = 12
)

// exit is how a worker ended.
type exit struct {
	result json.RawMessage // of the done line
	failed *rung.Error     // of the error line
	broken error           // its output could not be read
	status error           // of the process
	silent bool            // it was killed because it said nothing
}

// worker is one run of the training worker.
type worker struct {
	python  string
	verb    string // what it does with the job; empty: train
	files   string // the directory that holds the rungworker package
	job     string // path of the job file
	dir     string
	log     func(string)
	silence time.Duration
	env     []string
}

// run starts the worker and follows it to its end. When ctx ends, the worker is asked to stop and to save its state, and
// killed when it does not.
func (w *worker) run(ctx context.Context, heard func(line)) (exit, error) {
	args := []string{"-m", "rungworker"}
	if w.verb != "" {
		args = append(args, w.verb)
	}
	cmd := exec.Command(w.python, append(args, w.job)...)
	cmd.Dir = w.dir
	cmd.Env = append(os.Environ(), w.environment()...)
	cmd.SysProcAttr = withParent()
	stdin, stdout, stderr, err := pipes(cmd)
	if err != nil {
		return exit{}, err
	}
	defer stdin.Close() // the worker ends when its standard input does
	ended := make(chan error, 1)
	started := make(chan error)
	read := sync.WaitGroup{}
	read.Add(2)
	go func() {
		// The death signal is tied to the thread that starts the child, so that thread must live as long as the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			read.Wait()
			ended <- cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return exit{}, &rung.Error{Code: rung.CodeMissing, Place: w.python, What: "the training worker does not start: " + err.Error(), Do: "run `rung doctor`", Err: err}
	}
	var e exit
	alive := make(chan struct{}, 1)
	go func() {
		defer read.Done()
		e.broken = w.listen(stdout, &e, alive, heard)
	}()
	go func() {
		defer read.Done()
		w.keepLog(stderr)
	}()
	silent, status := w.supervise(ctx, cmd.Process, ended, alive)
	e.status, e.silent = status, silent
	return e, nil
}

func pipes(cmd *exec.Cmd) (io.WriteCloser, io.ReadCloser, io.ReadCloser, error) {
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, nil, err
	}
	stderr, err := cmd.StderrPipe()
	return stdin, stdout, stderr, err
}

// environment: no network, no spinning threads that keep a shared machine busy, the worker's files first.
func (w *worker) environment() []string {
	return append([]string{
		"PYTHONPATH=" + w.files, "PYTHONUNBUFFERED=1", "PYTHONSAFEPATH=1",
		"HF_HUB_OFFLINE=1", "HF_HUB_DISABLE_TELEMETRY=1", "TOKENIZERS_PARALLELISM=false", "OMP_WAIT_POLICY=passive",
	}, w.env...)
}

// supervise waits for the end of the process. It stops it when ctx ends and kills it when it is silent for too long.
func (w *worker) supervise(ctx context.Context, p *os.Process, ended <-chan error, alive <-chan struct{}) (silent bool, status error) {
	quiet := time.NewTimer(w.silence)
	defer quiet.Stop()
	done := ctx.Done()
	var patience <-chan time.Time
	for {
		select {
		case status := <-ended:
			return silent, status
		case <-alive:
			quiet.Reset(w.silence)
		case <-quiet.C:
			silent = true
			killGroup(p)
		case <-done:
			done = nil
			_ = p.Signal(syscall.SIGTERM)
			timer := time.NewTimer(stopWait)
			defer timer.Stop()
			patience = timer.C
		case <-patience:
			killGroup(p)
		}
	}
}

// killGroup ends the worker and whatever it started.
func killGroup(p *os.Process) {
	if syscall.Kill(-p.Pid, syscall.SIGKILL) != nil {
		_ = p.Kill()
	}
}

// listen reads the worker's lines until its output ends.
func (w *worker) listen(stdout io.Reader, e *exit, alive chan<- struct{}, heard func(line)) error {
	lines := bufio.NewScanner(stdout)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	for lines.Scan() {
		select {
		case alive <- struct{}{}:
		default:
		}
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil || l.V != protocol {
			_, _ = io.Copy(io.Discard, stdout)
			return fmt.Errorf("the worker said something that is no event: %.120q", lines.Bytes())
		}
		switch l.Type {
		case "done":
			e.result = l.Result
		case "error":
			e.failed = &rung.Error{Code: l.Code, Place: l.Place, What: l.What, Do: l.Do}
		case "note":
			l.Phase = Noting
			heard(l)
		default:
			heard(l)
		}
	}
	return lines.Err()
}

// logPath is where the worker's standard error is kept.
func (w *worker) logPath() string { return filepath.Join(w.dir, "worker.log") }

// keepLog appends standard error to the log file, and hands it on line by line.
func (w *worker) keepLog(stderr io.Reader) {
	f, err := os.OpenFile(w.logPath(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err == nil {
		defer f.Close()
		stderr = io.TeeReader(stderr, f)
	}
	lines := bufio.NewScanner(stderr)
	lines.Buffer(make([]byte, 4<<10), 1<<20)
	for lines.Scan() {
		if w.log != nil {
			w.log(lines.Text())
		}
	}
	_, _ = io.Copy(io.Discard, stderr) // a line longer than the buffer must not stop the worker
}

// result turns the end of a worker into what it trained, or an error for a person.
func (w *worker) result(ctx context.Context, e exit) (Trained, error) {
	var t Trained
	switch {
	case e.result != nil && e.broken == nil:
		if err := json.Unmarshal(e.result, &t); err != nil {
			return t, &rung.Error{Code: rung.CodeInternal, What: "the training worker's result cannot be read: " + err.Error(), Err: err}
		}
		return t, nil
	case ctx.Err() != nil:
		return t, &rung.Error{Code: rung.CodeInterrupted, Place: w.dir, What: "the training was stopped; its state is saved", Do: "run the same command again to continue", Err: ctx.Err()}
	case e.failed != nil:
		return t, e.failed
	case e.silent:
		return t, &rung.Error{Code: rung.CodeTimeout, Place: w.logPath(), What: fmt.Sprintf("the training worker said nothing for %s", w.silence), Do: "look at what else the machine does, and run it again to continue"}
	case killed(e.status):
		return t, &rung.Error{Code: rung.CodeCapacity, Place: w.logPath(), What: "the training worker was killed, most likely because memory ran out", Do: "close other programs and run it again to continue, or train a smaller model", Err: e.status}
	}
	return t, &rung.Error{Code: rung.CodeInternal, Place: w.logPath(), What: "the training worker crashed: " + w.lastWords(e), Do: "report it with that log", Err: errors.Join(e.status, e.broken)}
}

func killed(status error) bool {
	var e *exec.ExitError
	if !errors.As(status, &e) {
		return false
	}
	ws, ok := e.Sys().(syscall.WaitStatus)
	return ok && ws.Signaled() && ws.Signal() == syscall.SIGKILL
}

// lastWords is the end of the worker's standard error on one line: a Python traceback says what happened in its last line.
func (w *worker) lastWords(e exit) string {
	if e.broken != nil {
		return e.broken.Error()
	}
	b, err := readTail(w.logPath(), 16<<10)
	if err != nil || len(bytes.TrimSpace(b)) == 0 {
		return fmt.Sprint(e.status)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	lines = lines[max(0, len(lines)-tailLines):]
	for i, l := range lines {
		lines[i] = strings.TrimSpace(l)
	}
	return strings.Join(lines, " | ")
}

func readTail(path string, n int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > n {
		if _, err := f.Seek(-n, io.SeekEnd); err != nil {
			return nil, err
		}
	}
	return io.ReadAll(f)
}
