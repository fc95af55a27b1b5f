package engine

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/venv"
	"github.com/rung-dev/rung/python"
)

// backend is a way to run llama.cpp's server.
type backend interface {
	// command is the command that serves spec. It may choose spec.Port.
	command(spec *launchSpec) (*exec.Cmd, error)
	// speaks reports whether the command reads its options from standard input and writes its address to standard output.
	speaks() bool
	// name tells builds apart in the cache of answers.
	name() string
	// install makes the backend usable. It may be called again, and by several at once.
	install(ctx context.Context) error
	// checksSchemas reports whether the server refuses a schema that it cannot hold an answer to. The wheel's only says so
	// in its log and then answers freely.
	checksSchemas() bool
}

// ownServer is a llama-server of the user's own.
type ownServer struct {
	path    string
	version string
}

// FindServer is the llama-server on PATH, or "" if there is none.
func FindServer() string {
	path, err := exec.LookPath("llama-server")
	if err != nil {
		return ""
	}
	return path
}

func newBinary(ctx context.Context, path string) (*ownServer, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--version").CombinedOutput()
	if err != nil {
		return nil, &rung.Error{Code: rung.CodeMissing, Place: path, What: "this llama-server does not run: " + err.Error(),
			Do: "repair it or take it off PATH; rung then uses its own", Err: err}
	}
	version := "unknown"
	for line := range strings.Lines(string(out)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "version:"); ok {
			version = strings.TrimSpace(v)
		}
	}
	return &ownServer{path: path, version: version}, nil
}

func (b *ownServer) install(context.Context) error { return nil }
func (b *ownServer) checksSchemas() bool           { return true }
func (b *ownServer) speaks() bool                  { return false }
func (b *ownServer) name() string                  { return "llama-server " + b.version }

// watched runs "$@" in place of the shell and kills it when standard input ends without a word.
const watched = `exec 3<&0; (read -r word <&3 || kill -9 $$) >/dev/null 2>&1 & exec "$@" </dev/null 3<&-`

func (b *ownServer) command(spec *launchSpec) (*exec.Cmd, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	spec.Port = port
	args := []string{"-c", watched, "rung-engine", b.path, "--model", spec.Model, "--host", "127.0.0.1", "--port", strconv.Itoa(port),
		"--parallel", strconv.Itoa(spec.Slots), "--ctx-size", strconv.Itoa(spec.Slots * spec.Context),
		"--threads", strconv.Itoa(spec.Threads), "--threads-batch", strconv.Itoa(spec.Threads), "--jinja"}
	if spec.GPULayers > 0 {
		args = append(args, "--n-gpu-layers", strconv.Itoa(spec.GPULayers))
	}
	if spec.Batch > 0 {
		args = append(args, "--batch-size", strconv.Itoa(spec.Batch), "--ubatch-size", strconv.Itoa(spec.Batch))
	}
	if spec.Embedding {
		args = append(args, "--embedding")
	}
	for _, path := range spec.LoRAs {
		args = append(args, "--lora", path)
	}
	if len(spec.LoRAs) > 0 {
		args = append(args, "--lora-init-without-apply")
	}
	cmd := exec.Command("/bin/sh", args...)
	cmd.Env = append(os.Environ(), "LLAMA_API_KEY="+spec.APIKey) // not an argument: arguments are for everyone to see
	return cmd, nil
}

// freePort asks the kernel for a port that nobody listens on. Another program may take it in the moment before the server
// does; the server then ends and the start is tried again with another.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("no free port on the loopback interface: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// wheel is the xllamacpp wheel in rung's managed environment, behind python/engine/serve.py.
type wheel struct {
	cacheDir string
	log      func(string)

	mu     sync.Mutex
	python string
	script string
}

const wheelVersion = "2026.10.11549"

func (w *wheel) speaks() bool        { return true }
func (w *wheel) checksSchemas() bool { return false }
func (w *wheel) name() string        { return "xllamacpp " + wheelVersion }

// install makes the environment if need be and writes the launcher into the cache directory.
func (w *wheel) install(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	interpreter, err := venv.Ensure(ctx, "engine", engineLock(), w.log)
	if err != nil {
		return err
	}
	script, err := writeScript(w.cacheDir, "serve.py")
	if err != nil {
		return err
	}
	w.python, w.script = interpreter, script
	return nil
}

func (w *wheel) command(*launchSpec) (*exec.Cmd, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return exec.Command(w.python, "-I", w.script), nil
}

func engineLock() []byte { return mustRead("requirements.lock") }

func mustRead(name string) []byte {
	b, err := python.Engine.ReadFile("engine/" + name)
	if err != nil {
		panic("engine: the binary was built without " + name)
	}
	return b
}

// writeScript puts an embedded script where Python can run it. Its name holds its digest, so that two versions of rung do
// not write over each other's.
func writeScript(cacheDir, name string) (string, error) {
	content := mustRead(name)
	dir := filepath.Join(cacheDir, "scripts", string(rung.DigestBytes(content))[:12])
	path := filepath.Join(dir, name)
	if old, err := os.ReadFile(path); err == nil && string(old) == string(content) {
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", cacheError(dir, err)
	}
	tmp, err := os.CreateTemp(dir, name+".*.part")
	if err != nil {
		return "", cacheError(dir, err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(content)
	if closeErr := tmp.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return "", cacheError(path, err)
	}
	return path, nil
}
