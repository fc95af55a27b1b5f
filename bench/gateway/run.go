package main

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
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/store/sqlite"
)

var stdout io.Writer = os.Stdout

// results are the measurements of one side over the rounds.
type results struct {
	side
	one, many []measured
	stream    []time.Duration
	before    int64 // resident KiB
	after     int64
	asked     int
}

func run(o options) error {
	dir, err := os.MkdirTemp("", "rung-bench-gateway-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	up, err := upstream()
	if err != nil {
		return err
	}
	sides, stop, err := start(o, dir, up)
	defer stop()
	if err != nil {
		return err
	}
	for round := range o.rounds {
		for i := range sides { // in turns, so that a slow minute of the machine hits all
			if err := sides[i].measure(o); err != nil {
				return err
			}
		}
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round+1, o.rounds)
	}
	if o.memory > 0 {
		if err := memory(o, sides); err != nil {
			return err
		}
	}
	stop()
	report(o, sides)
	return traces(dir)
}

// start runs the proxy, rung and the peers.
func start(o options, dir, up string) (sides []*results, stop func(), err error) {
	var ends []func()
	stop = func() {
		for _, end := range ends {
			end()
		}
		ends = nil
	}
	sides = []*results{{side: side{name: "upstream", url: up + "/v1/chat/completions", model: "m"}}}
	self, err := os.Executable()
	if err != nil {
		return nil, stop, err
	}
	base, pid, end, err := child(exec.Command(self, "proxy", up))
	if err != nil {
		return nil, stop, err
	}
	ends = append(ends, end)
	sides = append(sides, &results{side: side{name: "ReverseProxy", url: base + "/v1/chat/completions", model: "m", pid: pid}})
	cmd, key, err := rungCommand(o, dir, up)
	if err != nil {
		return nil, stop, err
	}
	if base, pid, end, err = child(cmd); err != nil {
		return nil, stop, err
	}
	ends = append(ends, end)
	sides = append(sides, &results{side: side{name: "rung", url: strings.TrimPrefix(base, "listening on ") + "/v1/chat/completions", model: "mock/m", key: key, pid: pid}})
	if o.peers {
		more, peerEnds := peers(dir, up)
		sides, ends = append(sides, more...), append(ends, peerEnds...)
	}
	return sides, stop, nil
}

// child starts a program whose first line says where it listens.
func child(cmd *exec.Cmd) (line string, pid int, end func(), err error) {
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", 0, nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", 0, nil, err
	}
	end = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		_ = cmd.Wait()
	}
	r := bufio.NewReader(out)
	line, err = r.ReadString('\n')
	if err != nil {
		end()
		return "", 0, nil, fmt.Errorf("%s: %w", cmd.Path, err)
	}
	go func() { _, _ = io.Copy(io.Discard, r) }()
	return strings.TrimSpace(line), cmd.Process.Pid, end, nil
}

// rungCommand is rung serve with a key, traces with text, and the upstream as a provider called mock.
func rungCommand(o options, dir, up string) (*exec.Cmd, string, error) {
	bin := o.rung
	if bin == "" {
		bin = filepath.Join(dir, "rung")
		build := exec.Command("go", "build", "-o", bin, "./cmd/rung")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			return nil, "", err
		}
	}
	st := filepath.Join(dir, ".rung")
	if err := os.MkdirAll(st, 0o700); err != nil {
		return nil, "", err
	}
	config := filepath.Join(dir, "gateway.yaml")
	if err := os.WriteFile(config, []byte("listen: 127.0.0.1:0\npass: [mock/*]\n"), 0o600); err != nil {
		return nil, "", err
	}
	key, err := exec.Command(bin, "--store", st, "keys", "add", "bench").Output()
	if err != nil {
		return nil, "", err
	}
	cmd := exec.Command(bin, "--store", st, "serve", "--config", config)
	cmd.Env = append(os.Environ(), "MOCK_BASE_URL="+up+"/v1", "MOCK_API_KEY=k", "RUNG_DATABASE_URL=")
	return cmd, strings.TrimSpace(string(key)), nil
}

func (r *results) measure(o options) error {
	if _, err := load(&r.side, o.connections, o.seconds/4); err != nil { // warm
		return err
	}
	one, err := load(&r.side, 1, o.seconds)
	if err != nil {
		return err
	}
	many, err := load(&r.side, o.connections, o.seconds)
	if err != nil {
		return err
	}
	first, broken, err := firstToken(&r.side, 25)
	if err != nil {
		return err
	}
	many.failed += broken
	r.one, r.many, r.stream = append(r.one, one), append(r.many, many), append(r.stream, first)
	return nil
}

// memory reads what rung holds before and after many requests.
func memory(o options, sides []*results) error {
	for _, r := range sides {
		if r.name != "rung" {
			continue
		}
		r.before = resident(r.pid)
		for r.asked < o.memory {
			m, err := load(&r.side, o.connections, 10*time.Second)
			if err != nil {
				return err
			}
			r.asked += int(m.rps * 10)
		}
		r.after = resident(r.pid)
	}
	return nil
}

// resident is a process's resident memory in KiB, 0 where it cannot be read.
func resident(pid int) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			var kib int64
			_, _ = fmt.Sscan(rest, &kib)
			return kib
		}
	}
	return 0
}

func median[T any](list []measured, of func(measured) T, less func(a, b T) int) T {
	values := make([]T, len(list))
	for i, m := range list {
		values[i] = of(m)
	}
	slices.SortFunc(values, less)
	return values[len(values)/2]
}

func report(o options, sides []*results) {
	dur := func(list []measured, of func(measured) time.Duration) float64 {
		return float64(median(list, of, func(a, b time.Duration) int { return int(a - b) })) / float64(time.Millisecond)
	}
	p50 := func(m measured) time.Duration { return m.p50 }
	p99 := func(m measured) time.Duration { return m.p99 }
	rate := func(r *results) float64 {
		return median(r.many, func(m measured) float64 { return m.rps }, func(a, b float64) int { return int(a - b) })
	}
	up, bare := sides[0], sides[1]
	added := func(r *results, list func(*results) []measured, of func(measured) time.Duration) float64 {
		return dur(list(r), of) - dur(list(up), of)
	}
	one := func(r *results) []measured { return r.one }
	many := func(r *results) []measured { return r.many }
	fmt.Printf("medians of %d rounds; added: over asking the upstream itself; ratio: to the ReverseProxy\n", o.rounds)
	fmt.Printf("%-14s %22s %12s %12s %12s %20s %14s %8s\n", "", "added p50 c=1", "p99 c=1", fmt.Sprintf("p50 c=%d", o.connections), fmt.Sprintf("p99 c=%d", o.connections), "requests/s", "first token", "failed")
	for _, r := range sides {
		slices.Sort(r.stream)
		failed := 0
		for _, m := range append(slices.Clone(r.one), r.many...) {
			failed += m.failed
		}
		fmt.Printf("%-14s %10.3f ms (%5.2f×) %9.3f ms %9.3f ms %9.3f ms %10.0f (%5.2f×) %11.3f ms %8d\n", r.name,
			added(r, one, p50), added(r, one, p50)/added(bare, one, p50), added(r, one, p99), added(r, many, p50), added(r, many, p99),
			rate(r), rate(r)/rate(bare), float64(r.stream[len(r.stream)/2])/1e6-float64(up.stream[len(up.stream)/2])/1e6, failed)
		if r.asked > 0 {
			fmt.Printf("%-14s resident %d MiB, after %d more requests %d MiB\n", "", r.before>>10, r.asked, r.after>>10)
		}
	}
}

// traces counts what is kept: rung has ended, so all of it is there.
func traces(dir string) error {
	ctx := context.Background()
	st, err := sqlite.OpenServing(ctx, filepath.Join(dir, ".rung"))
	if err != nil {
		return err
	}
	n, bytes := 0, 0
	for t, err := range st.Traces(ctx, store.TraceFilter{}) {
		if err != nil {
			return errors.Join(err, st.Close())
		}
		b, err := json.Marshal(t)
		if err != nil {
			return errors.Join(err, st.Close())
		}
		n, bytes = n+1, bytes+len(b)
	}
	fmt.Printf("rung kept %d traces of %d requests (%d MB of JSON)\n", n, asked.Load(), bytes>>20)
	return st.Close()
}
