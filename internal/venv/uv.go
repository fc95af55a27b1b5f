package venv

import (
	"bufio"
	"context"
	_ "embed"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/rung-dev/rung"
)

// uvLock pins uv, the installer, with the hashes of its wheels.
//
//go:embed uv.lock
var uvLock []byte

// installer runs the tools that fill environments.
type installer struct {
	log func(string)
	// held is the lock file. Children inherit it: the lock lasts as long as any of them, even when rung itself was killed,
	// so that two installations never write into one directory.
	held *os.File
}

// uv returns the pinned uv, installed with pip the first time. If this Python has no pip at all, a uv on PATH will do.
func (in installer) uv(ctx context.Context, python Python) (string, error) {
	root, err := CacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, "tools", "uv-"+rung.DigestBytes(uvLock).Short())
	binary := filepath.Join(dir, "bin", "uv")
	if _, err := os.Stat(binary); err == nil {
		return binary, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", diskError(dir, err)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), "uv-*.part")
	if err != nil {
		return "", diskError(dir, err)
	}
	defer os.RemoveAll(tmp)
	pip, err := in.pip(ctx, python, tmp)
	if err != nil {
		if onPath, lookErr := exec.LookPath("uv"); lookErr == nil {
			return onPath, nil
		}
		return "", err
	}
	return binary, in.installUV(ctx, pip, tmp, dir)
}

// installUV puts uv into tmp and renames it to dir; the loser of a race takes what the winner put there.
func (in installer) installUV(ctx context.Context, pip, tmp, dir string) error {
	requirements := filepath.Join(tmp, "uv.lock")
	if err := os.WriteFile(requirements, uvLock, 0o644); err != nil {
		return diskError(requirements, err)
	}
	in.log("installing uv, the package installer")
	target := filepath.Join(tmp, "uv")
	err := in.run(ctx, nil, pip, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps",
		"--only-binary", ":all:", "--require-hashes", "--target", target, "-r", requirements)
	if err != nil {
		return err
	}
	if err := os.Rename(target, dir); err != nil {
		if _, statErr := os.Stat(dir); statErr == nil {
			return nil
		}
		return diskError(dir, err)
	}
	return nil
}

// pip returns an interpreter that has pip: python itself, or a throw-away environment under tmp.
func (in installer) pip(ctx context.Context, python Python, tmp string) (string, error) {
	if exec.CommandContext(ctx, python.Path, "-m", "pip", "--version").Run() == nil {
		return python.Path, nil
	}
	dir := filepath.Join(tmp, "pip")
	if exec.CommandContext(ctx, python.Path, "-m", "venv", dir).Run() == nil {
		return interpreter(dir), nil
	}
	if err := ctx.Err(); err != nil {
		return "", interrupted(err)
	}
	return "", &rung.Error{Code: rung.CodeMissing, Place: python.Path, What: "this Python has neither pip nor ensurepip, so nothing can be installed with it",
		Do: "install pip for it (Debian and Ubuntu: apt install python3-pip), or put uv on PATH"}
}

// indexes carries the user's pip settings (mirror, wheelhouse, certificate) over to uv, which does not read them. What is
// already set for uv wins.
func (in installer) indexes(ctx context.Context, python Python) []string {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, python.Path, "-m", "pip", "config", "list").Output()
	if err != nil {
		return nil // no pip, so no settings of pip
	}
	names := map[string]string{"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX", "find-links": "UV_FIND_LINKS", "cert": "SSL_CERT_FILE"}
	var env []string
	for line := range strings.Lines(string(out)) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		name := names[key[strings.LastIndexByte(key, '.')+1:]]
		value = strings.Trim(value, `'"`)
		if !ok || name == "" || value == "" || os.Getenv(name) != "" {
			continue
		}
		if _, err := os.Stat(value); err != nil && !strings.Contains(value, "://") {
			continue
		}
		env = append(env, name+"="+value)
	}
	return env
}

// run executes a tool to its end. Its lines go to the log; the last of them into the error.
func (in installer) run(ctx context.Context, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(append(os.Environ(), "UV_HTTP_TIMEOUT=120", "UV_HTTP_RETRIES=5", "UV_NO_PROGRESS=1", "UV_PYTHON_DOWNLOADS=never", "NO_COLOR=1"), env...)
	if os.Getenv("UV_CACHE_DIR") == "" {
		if root, err := CacheDir(); err == nil { // on the disk of the environments, so that files are linked and not copied
			cmd.Env = append(cmd.Env, "UV_CACHE_DIR="+filepath.Join(root, "uv"))
		}
	}
	cmd.SysProcAttr = ownGroup()
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	if in.held != nil {
		cmd.ExtraFiles = []*os.File{in.held}
	}
	lines := &tail{log: in.log}
	read, write := io.Pipe()
	cmd.Stdout, cmd.Stderr = write, write
	done := make(chan struct{})
	go func() { defer close(done); lines.follow(read) }()
	err := cmd.Run()
	write.Close()
	<-done
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return interrupted(ctx.Err())
	}
	return toolError(filepath.Base(name), lines.text(), err)
}

// tail passes lines on and keeps the last few.
type tail struct {
	log  func(string)
	last []string
}

const tailLines = 12

func (t *tail) follow(r *io.PipeReader) {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		line := strings.TrimRight(scanner.Text(), " \r")
		if line == "" {
			continue
		}
		t.log(line)
		t.last = append(t.last, line)
		if len(t.last) > tailLines {
			t.last = t.last[1:]
		}
	}
	r.CloseWithError(fmt.Errorf("a line of more than 1 MiB"))
}

func (t *tail) text() string { return strings.Join(t.last, "\n") }
