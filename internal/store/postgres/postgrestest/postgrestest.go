//go:build unix

// Package postgrestest starts real Postgres servers for tests: each a cluster of its own in a temporary directory, on a Unix socket
// that nobody else can reach, without a port.
package postgrestest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Server is a running Postgres.
type Server struct {
	dir   string // of the cluster and the socket
	bin   string
	owner *syscall.Credential // nil: ours
	cmd   *exec.Cmd
	alive io.WriteCloser // the server ends when this is closed, and so when the test does
	made  atomic.Int64   // databases
}

// ErrMissing says that Postgres is not installed, or that there is no user that may run it.
var ErrMissing = errors.New("no Postgres binaries (initdb, postgres) here, or no user to run them as")

const (
	name     = "rung"
	password = "s3cret-of-the-test" // asked for, so that tests can see that it does not leak
	startIn  = time.Minute
)

// Start starts a server for a test, and skips the test where Postgres is not installed.
func Start(t testing.TB) *Server {
	t.Helper()
	s, err := New()
	if errors.Is(err, ErrMissing) {
		t.Skip("skipped: " + err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// New makes a cluster and starts its server. The caller closes it.
func New() (s *Server, err error) {
	s = &Server{}
	if s.bin, s.owner, err = find(); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("", "rungpg"); err != nil { // a short path: those of sockets have 107 bytes at most
		return nil, err
	}
	if s.owner != nil {
		if err := os.Chown(s.dir, int(s.owner.Uid), int(s.owner.Gid)); err != nil {
			return nil, errors.Join(err, os.RemoveAll(s.dir))
		}
	}
	if err := s.initialise(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.dir))
	}
	if err := s.Run(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.dir))
	}
	return s, nil
}

// find gives the directory of the binaries, and the user to run them as: root may not.
func find() (bin string, owner *syscall.Credential, err error) {
	places, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	slices.Sort(places)
	if path, err := exec.LookPath("initdb"); err == nil {
		places = append(places, path)
	}
	if len(places) == 0 {
		return "", nil, ErrMissing
	}
	initdb, err := filepath.EvalSymlinks(places[len(places)-1])
	if err != nil {
		return "", nil, ErrMissing
	}
	bin = filepath.Dir(initdb)
	if os.Geteuid() != 0 {
		return bin, nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
			gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
			if err1 == nil && err2 == nil {
				return bin, &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
			}
		}
	}
	return "", nil, ErrMissing
}

func (s *Server) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=" + s.bin + ":/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.owner, Setpgid: true}
	return cmd
}

func (s *Server) initialise() error {
	file := filepath.Join(s.dir, "password")
	if err := os.WriteFile(file, []byte(password+"\n"), 0o644); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startIn)
	defer cancel()
	out, err := s.command(ctx, filepath.Join(s.bin, "initdb"), "-D", filepath.Join(s.dir, "data"), "-U", name, "--pwfile="+file,
		"--auth=scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync").CombinedOutput()
	if err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	return nil
}

// Run starts the server again after Stop or Kill, and waits until it takes connections. It does not force data to the disk: that is for
// losses of power, which no test here makes.
func (s *Server) Run() error {
	// The shell ends the server when its standard input ends, even if that is because the test was killed.
	s.cmd = s.command(context.Background(), "/bin/sh", "-c", `"$@" </dev/null & pid=$!; echo "$pid" >pid; cat >/dev/null; kill -INT $pid 2>/dev/null; wait $pid`,
		"sh", filepath.Join(s.bin, "postgres"), "-D", "data", "-k", s.dir, "-c", "listen_addresses=", "-c", "max_connections=100",
		"-c", "shared_buffers=32MB", "-c", "fsync=off", "-c", "unix_socket_permissions=0777")
	alive, err := s.cmd.StdinPipe()
	if err != nil {
		return err
	}
	log, err := s.cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	s.alive = alive
	if err := os.Chmod(s.dir, 0o755); err != nil { // we reach the socket; the data has its own mode
		return err
	}
	return waitReady(log)
}

// waitReady reads the server's log until it says that it is ready, and then to its end, so that the server never waits for us.
func waitReady(log io.Reader) error {
	ready := make(chan error, 1)
	go func() {
		var seen strings.Builder
		lines, told := bufio.NewScanner(log), false
		for lines.Scan() {
			if !told && strings.Contains(lines.Text(), "database system is ready to accept connections") {
				ready <- nil
				told = true
			}
			if !told {
				seen.WriteString(lines.Text() + "\n")
			}
		}
		if !told {
			ready <- fmt.Errorf("postgres did not start: %s", seen.String())
		}
	}()
	select {
	case err := <-ready:
		return err
	case <-time.After(startIn):
		return errors.New("postgres did not start within a minute")
	}
}

// Stop ends the server as an administrator does: connections are closed, what was committed is on the disk.
func (s *Server) Stop() error {
	if s.alive == nil {
		return nil
	}
	err := s.alive.Close()
	s.alive = nil
	_ = s.cmd.Wait() // the shell's status is that of a server that was interrupted
	return err
}

// Kill ends the server at once, as a crash does.
func (s *Server) Kill() error {
	text, err := os.ReadFile(filepath.Join(s.dir, "pid"))
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGQUIT); err != nil { // with SIGKILL its children would keep the shared memory
		return err
	}
	return s.Stop()
}

// Close stops the server and deletes its cluster.
func (s *Server) Close() error { return errors.Join(s.Stop(), os.RemoveAll(s.dir)) }

// Database makes an empty database and gives its URL.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	db := fmt.Sprintf("test%d", s.made.Add(1))
	ctx, cancel := context.WithTimeout(context.Background(), startIn)
	defer cancel()
	cmd := s.command(ctx, filepath.Join(s.bin, "createdb"), "-h", s.dir, "-U", name, db)
	cmd.Env = append(cmd.Env, "PGPASSWORD="+password)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("createdb: %v: %s", err, out)
	}
	return s.URL(db)
}

// URL is how to reach a database.
func (s *Server) URL(db string) string {
	q := url.Values{"host": {s.dir}, "user": {name}, "password": {password}}
	return "postgres:///" + db + "?" + q.Encode()
}

// Password is what must not be in any error.
func (s *Server) Password() string { return password }
