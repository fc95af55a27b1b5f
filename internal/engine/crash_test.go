package engine_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/engine"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/venv"
	"github.com/rung-dev/rung/python"
)

// children are the processes whose parent is pid.
func children(t *testing.T, pid int) []int {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("finding child processes needs /proc")
	}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	var out []int
	for _, path := range stats {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue // it ended
		}
		// pid (name) state ppid …
		fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
		if ppid, _ := strconv.Atoi(fields[1]); ppid == pid && fields[0] != "Z" {
			child, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			out = append(out, child)
		}
	}
	return out
}

// eventually polls what another process will do.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(60 * time.Second)
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within 60 s: %s", what)
		}
	}
}

// serverOf is the one child that appeared since before.
func serverOf(t *testing.T, before []int) int {
	t.Helper()
	var found int
	eventually(t, "a server process", func() bool {
		for _, pid := range children(t, os.Getpid()) {
			if !contains(before, pid) {
				found = pid
				return true
			}
		}
		return false
	})
	return found
}

func contains(all []int, pid int) bool {
	for _, p := range all {
		if p == pid {
			return true
		}
	}
	return false
}

func TestServerKilledInMidRequest(t *testing.T) {
	before := children(t, os.Getpid())
	working, log := atWork()
	e := ownEngine(t, engine.Options{Slots: 2, ServerLog: log})
	if err := e.Start(t.Context(), smol); err != nil {
		t.Fatal(err)
	}
	pid := serverOf(t, before)
	type result struct {
		resp model.Response
		err  error
	}
	done := make(chan result, 2)
	for range 2 {
		go func() {
			resp, err := e.Complete(context.Background(), model.Request{Model: smol, Messages: user("Write a long story about a fox."), MaxTokens: 120})
			done <- result{resp, err}
		}()
	}
	<-working
	<-working
	syscall.Kill(pid, syscall.SIGKILL)
	for range 2 {
		r := <-done
		if r.err != nil || r.resp.Usage.Out < 50 {
			t.Errorf("after the server was killed: %+v, %v", r.resp, r.err)
		}
	}
	if serverOf(t, append(before, pid)) == pid {
		t.Error("the server was not started again")
	}
}

// atWork gives a channel that receives each time a server says that it begins with a request.
func atWork() (<-chan struct{}, func(string)) {
	begun := make(chan struct{}, 100)
	return begun, func(line string) {
		if strings.Contains(line, "processing task") {
			begun <- struct{}{}
		}
	}
}

func TestRequestThatKillsTheServerEachTime(t *testing.T) {
	before := children(t, os.Getpid())
	working, log := atWork()
	e := ownEngine(t, engine.Options{Slots: 2, ServerLog: log})
	if err := e.Start(t.Context(), smol); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := e.Complete(context.Background(), model.Request{Model: smol, Messages: user("Write a long story about a fox."), MaxTokens: 4000})
		done <- err
	}()
	killed := before
	for range 3 {
		<-working
		pid := serverOf(t, killed)
		syscall.Kill(pid, syscall.SIGKILL)
		killed = append(killed, pid)
	}
	err := <-done
	if rung.CodeOf(err) != rung.CodeProvider || !strings.Contains(err.Error(), "died 3 times on this request") {
		t.Errorf("got %v", err)
	}
	if got := ask(t, e, model.Request{Messages: user("Name three colors."), MaxTokens: 8}); got.Text == "" {
		t.Error("the engine does not go on")
	}
}

// TestHoldServer is no test: it is the process that TestNoOrphans kills.
func TestHoldServer(t *testing.T) {
	if os.Getenv("RUNG_TEST_HOLD") == "" {
		t.Skip("only for TestNoOrphans")
	}
	e := ownEngine(t, engine.Options{Slots: 1})
	if err := e.Start(t.Context(), smol); err != nil {
		t.Fatal(err)
	}
	fmt.Println("\nHOLDING")
	io.Copy(io.Discard, os.Stdin)
}

func TestNoOrphans(t *testing.T) {
	ownEngine(t, engine.Options{}) // installs, or skips
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run", "^TestHoldServer$")
	cmd.Env = append(os.Environ(), "RUNG_TEST_HOLD=1")
	stdin, _ := cmd.StdinPipe()
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	for lines.Scan() && lines.Text() != "HOLDING" {
		t.Log(lines.Text())
	}
	servers := children(t, cmd.Process.Pid)
	if len(servers) != 1 {
		cmd.Process.Kill()
		t.Fatalf("the held process has children %v", servers)
	}
	cmd.Process.Kill()
	cmd.Wait()
	eventually(t, "the server to end with its parent", func() bool { return syscall.Kill(servers[0], 0) != nil })
}

// The launcher ends with its standard input, which is what protects systems without a death signal.
func TestLauncherEndsWithItsInput(t *testing.T) {
	e := ownEngine(t, engine.Options{})
	path, _, err := e.Weights(t.Context(), smol)
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(t.TempDir(), "serve.py")
	source, _ := python.Engine.ReadFile("engine/serve.py")
	if err := os.WriteFile(script, source, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(managedPython(t), "-I", script)
	stdin, _ := cmd.StdinPipe()
	stdout, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(stdin, `{"model":%q,"port":0,"api_key":"k","slots":1,"context":512,"threads":1,"gpu_layers":0,"loras":[],"embedding":false,"batch":0}`+"\n", path)
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || !strings.Contains(line, "http://127.0.0.1:") {
		t.Fatalf("%q, %v", line, err)
	}
	stdin.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func managedPython(t *testing.T) string {
	t.Helper()
	lock, err := python.Engine.ReadFile("engine/requirements.lock")
	if err != nil {
		t.Fatal(err)
	}
	interpreter, err := venv.Ensure(t.Context(), "engine", lock, nil)
	if err != nil {
		t.Fatal(err)
	}
	return interpreter
}

// serverOnPath puts a llama-server on PATH that takes the real one's flags and runs the real thing out of the wheel.
func serverOnPath(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	script := filepath.Join(dir, "flags.py")
	source := `
import argparse, os, threading, xllamacpp
a = argparse.ArgumentParser()
for name in ("--model", "--host"): a.add_argument(name, required=True)
for name in ("--port", "--parallel", "--ctx-size", "--threads", "--threads-batch"): a.add_argument(name, type=int, required=True)
a.add_argument("--lora", action="append", default=[])
for name in ("--jinja", "--lora-init-without-apply", "--embedding"): a.add_argument(name, action="store_true")
o = a.parse_args()
p = xllamacpp.CommonParams()
p.model.path, p.hostnames, p.port, p.n_parallel, p.n_ctx = o.model, [o.host], o.port, o.parallel, o.ctx_size
p.cpuparams.n_threads, p.cpuparams_batch.n_threads = o.threads, o.threads_batch
p.api_keys = [os.environ["LLAMA_API_KEY"]]
server = xllamacpp.Server(p)
threading.Event().wait()
`
	wrapper := "#!/bin/sh\n[ \"$1\" = --version ] && { echo 'version: 4711 (abcdef)' >&2; exit 0; }\nexec " + managedPython(t) + " -I " + script + " \"$@\"\n"
	if err := os.WriteFile(script, []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "llama-server"), []byte(wrapper), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func TestServerOnPath(t *testing.T) {
	ownEngine(t, engine.Options{}) // installs, or skips
	serverOnPath(t)
	before := children(t, os.Getpid())
	e := ownEngine(t, engine.Options{Slots: 1})
	if got := e.BaseURL(); got != "llama.cpp/llama-server 4711 (abcdef)" {
		t.Errorf("base URL %q", got)
	}
	if got := ask(t, e, model.Request{Messages: user("Name three colors."), MaxTokens: 16}).Text; !strings.Contains(got, "Blue") {
		t.Errorf("answer %q", got)
	}
	pid := serverOf(t, before)
	e.Close()
	eventually(t, "the server to end", func() bool { return syscall.Kill(pid, 0) != nil })
}
