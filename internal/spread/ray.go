package spread

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/venv"
	"github.com/rung-dev/rung/python"
)

// silence is how long the driver may say nothing. It gives a sign of life every five seconds.
const silence = 5 * time.Minute

// Options say where the work is done.
type Options struct {
	Address string // as Ray has it: auto, local, or host:port of the cluster's head
	Version string // of this rung; the workers' must be the same
	Log     func(string)
}

// Cluster is a connection to a Ray cluster. It is not safe for concurrent use.
type Cluster struct {
	Ray   string `json:"ray"` // its version
	Nodes int    `json:"nodes"`
	CPUs  int    `json:"cpus"`

	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	alive *time.Timer
	tail  *tail
	dir   string
}

// Lock is the lock file of the Python environment that speaks to Ray.
func Lock() ([]byte, error) { return python.Spread.ReadFile("spread/requirements.lock") }

// Install makes sure of the Python environment that rung keeps for Ray.
func Install(ctx context.Context, log func(string)) (python string, err error) {
	lock, err := Lock()
	if err != nil {
		return "", err
	}
	return venv.Ensure(ctx, "ray", lock, log)
}

// Python is the interpreter that has the cluster's Ray: what RUNG_RAY_PYTHON names, the one beside the ray that is on PATH (a cluster
// runs one version of Ray, which is that), or that of the environment which rung keeps, installed if need be.
func Python(ctx context.Context, log func(string)) (string, error) {
	if named := os.Getenv("RUNG_RAY_PYTHON"); named != "" {
		return named, nil
	}
	if ray, err := exec.LookPath("ray"); err == nil {
		if real, err := filepath.EvalSymlinks(ray); err == nil {
			ray = real
		}
		for _, name := range []string{"python3", "python"} {
			beside := filepath.Join(filepath.Dir(ray), name)
			if _, err := os.Stat(beside); err == nil {
				return beside, nil
			}
		}
	}
	return Install(ctx, log)
}

// job is what the driver is told first. python/spread/driver.py reads it.
type job struct {
	Address   string      `json:"address"`
	Version   string      `json:"version"`
	Binary    string      `json:"binary"`    // this rung, which is sent to the nodes
	Digest    rung.Digest `json:"digest"`    // of it
	Installed string      `json:"installed"` // path of rung on the nodes, instead of sending it
}

// Connect starts the driver and waits for the cluster. ctx ends the driver too.
func Connect(ctx context.Context, o Options) (*Cluster, error) {
	if strings.HasPrefix(o.Address, "ray://") {
		return nil, &rung.Error{Code: rung.CodeUnsupported, Place: o.Address, What: "the work cannot be led from a machine outside of the cluster: its files are there",
			Do: "run rung on a node of the cluster with --ray auto, or as a job: ray job submit -- rung data …"}
	}
	j := job{Address: o.Address, Version: o.Version, Installed: os.Getenv("RUNG_SPREAD_BINARY")}
	var err error
	if j.Binary, err = os.Executable(); err != nil {
		return nil, fmt.Errorf("where this rung is: %w", err)
	}
	if j.Installed == "" {
		if j.Digest, err = fileDigest(j.Binary); err != nil {
			return nil, err
		}
	}
	py, err := Python(ctx, o.Log)
	if err != nil {
		return nil, err
	}
	c := &Cluster{}
	if err := c.start(ctx, py); err != nil {
		c.Close()
		return nil, err
	}
	if err := c.sendJSON(frameJob, j); err != nil {
		c.Close()
		return nil, err
	}
	_, body, err := c.next(ctx, frameHello)
	if err == nil {
		err = json.Unmarshal(body, c)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// VersionOf is what rungs on different machines are held to: the version, and where that does not name one build, since none was given or
// files were changed, the digest of this binary with it.
func VersionOf(version string) (string, error) {
	if version != "dev" && !strings.HasSuffix(version, "-dirty") {
		return version, nil
	}
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("where this rung is: %w", err)
	}
	digest, err := fileDigest(path)
	return version + " " + digest.Short(), err
}

func fileDigest(path string) (rung.Digest, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", &rung.Error{Code: rung.CodeStore, Place: path, What: "this rung cannot read itself: " + err.Error(), Do: "make it readable", Err: err}
	}
	return rung.DigestBytes(b), nil
}

func (c *Cluster) start(ctx context.Context, py string) (err error) {
	if c.dir, err = os.MkdirTemp("", "rung-ray-*"); err != nil {
		return fmt.Errorf("a place for the driver: %w", err)
	}
	b, err := python.Spread.ReadFile("spread/driver.py")
	if err != nil {
		return err
	}
	driver := filepath.Join(c.dir, "driver.py")
	if err := os.WriteFile(driver, b, 0o600); err != nil {
		return fmt.Errorf("the driver: %w", err)
	}
	c.cmd = exec.CommandContext(ctx, py, "-u", driver)
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.cmd.Cancel = func() error { return syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL) }
	c.cmd.WaitDelay = 10 * time.Second
	c.tail = &tail{}
	c.cmd.Stderr = c.tail
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	c.out = bufio.NewReaderSize(out, 1<<16)
	if err := c.cmd.Start(); err != nil {
		c.cmd = nil
		return &rung.Error{Code: rung.CodeMissing, Place: py, What: "the Python that has Ray does not start: " + err.Error(), Do: "run rung setup --ray, or name one with RUNG_RAY_PYTHON", Err: err}
	}
	c.alive = time.AfterFunc(silence, func() { _ = c.cmd.Cancel() })
	return nil
}

// Close ends the driver, and with it the workers.
func (c *Cluster) Close() {
	if c.cmd != nil {
		c.alive.Stop()
		_ = c.in.Close() // its end is what the driver waits for
		ended := time.AfterFunc(20*time.Second, func() { _ = c.cmd.Cancel() })
		_ = c.cmd.Wait() // what it had to say was said in frames
		ended.Stop()
		c.cmd = nil
	}
	if c.dir != "" {
		_ = os.RemoveAll(c.dir)
	}
}

func (c *Cluster) sendJSON(kind byte, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return c.send(kind, b)
}

func (c *Cluster) send(kind byte, body []byte) error {
	if err := writeFrame(c.in, kind, body); err != nil {
		return c.broken(err)
	}
	return nil
}

// next is the next frame that says something; an error where it is neither of those that are expected.
func (c *Cluster) next(ctx context.Context, expected ...byte) (byte, []byte, error) {
	for {
		kind, body, err := readFrame(c.out)
		if ctx.Err() != nil {
			return 0, nil, &rung.Error{Code: rung.CodeInterrupted, What: "the work on the cluster was stopped", Do: "run the same command again", Err: ctx.Err()}
		}
		if err != nil {
			return 0, nil, c.broken(err)
		}
		if !c.alive.Reset(silence) {
			return 0, nil, &rung.Error{Code: rung.CodeTimeout, What: fmt.Sprintf("Ray's driver said nothing for %s", silence), Do: "look at the load of the cluster's head, and run it again"}
		}
		switch {
		case kind == frameLife:
		case kind == frameError:
			var f fault
			if err := json.Unmarshal(body, &f); err != nil {
				return 0, nil, c.broken(err)
			}
			return 0, nil, f.error()
		case strings.IndexByte(string(expected), kind) >= 0:
			return kind, body, nil
		default:
			return 0, nil, c.broken(fmt.Errorf("frame %q", kind))
		}
	}
}

// broken is the error of a driver that ended or speaks nonsense. It may have said why.
func (c *Cluster) broken(err error) error {
	if kind, body, e := readFrame(c.out); e == nil && kind == frameError { // written before the pipe broke
		var f fault
		if json.Unmarshal(body, &f) == nil {
			return f.error()
		}
	}
	what := "Ray's driver ended"
	if said := c.tail.last(); said != "" {
		what += ": " + said
	}
	do := "report it"
	if strings.Contains(what, "No module named") {
		do = "name a Python that has ray[data] with RUNG_RAY_PYTHON, or run rung setup --ray and take ray off PATH"
	}
	return &rung.Error{Code: rung.CodeMissing, What: what, Do: do, Err: err}
}

// Processors is how many the cluster has.
func (c *Cluster) Processors() int { return c.CPUs }

// Setup tells the workers what the next parts need. setup is written as JSON.
func (c *Cluster) Setup(kind string, setup any) error {
	b, err := json.Marshal(setup)
	if err != nil {
		return err
	}
	return c.sendJSON(frameSetup, order{kind, b})
}

// Map has parts done, each written as JSON; take gets the answers in their order. files says that the parts are rows of files, which go
// through Ray Data; others are small and many, and go to workers that stay between calls.
func (c *Cluster) Map(ctx context.Context, files bool, n int, part func(i int) any, take func(i int, answer []byte) error) error {
	if n == 0 {
		return nil
	}
	sent := make(chan error, 1)
	go func() { sent <- c.sendParts(files, n, part) }()
	i := 0
	for {
		kind, body, err := c.next(ctx, frameAnswer, frameDone)
		if err != nil {
			return err
		}
		if kind == frameDone {
			break
		}
		if i >= n {
			return c.broken(errors.New("more answers than parts"))
		}
		if err := take(i, body); err != nil {
			return err
		}
		i++
	}
	if i != n {
		return c.broken(fmt.Errorf("%d answers to %d parts", i, n))
	}
	return <-sent
}

func (c *Cluster) sendParts(files bool, n int, part func(i int) any) error {
	w := bufio.NewWriterSize(c.in, 1<<16)
	head, err := json.Marshal(map[string]any{"files": files, "parts": n})
	if err != nil {
		return err
	}
	if err := writeFrame(w, frameMap, head); err != nil {
		return err
	}
	for i := range n {
		b, err := json.Marshal(part(i))
		if err != nil {
			return err
		}
		if err := writeFrame(w, framePart, b); err != nil {
			return err
		}
	}
	return w.Flush()
}

// tail keeps the last lines of what the driver and Ray print.
type tail struct {
	mu    sync.Mutex
	lines []string
	rest  []byte
}

const tailLines = 20

// Write implements io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rest = append(t.rest, b...)
	for {
		line, rest, found := strings.Cut(string(t.rest), "\n")
		if !found {
			break
		}
		t.rest = []byte(rest)
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		t.lines = append(t.lines, line)
		t.lines = t.lines[max(0, len(t.lines)-tailLines):]
	}
	t.rest = t.rest[max(0, len(t.rest)-1<<16):]
	return len(b), nil
}

func (t *tail) last() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lines) == 0 {
		return ""
	}
	return t.lines[len(t.lines)-1]
}
