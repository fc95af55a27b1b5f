// Command eval measures how many items a second an evaluation asks and stores, against a server that answers at once, next to
// a plain loop with the OpenAI Python client on the same machine in the same run. See bench/README.md.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"time"
)

type options struct {
	items, pyItems, concurrency, rounds int
	python                              string
	profile                             string
	withPython                          bool
}

func main() {
	var o options
	flag.IntVar(&o.items, "items", 20000, "items that rung asks in each round")
	flag.IntVar(&o.pyItems, "python-items", 3000, "items that the Python loop asks in each round")
	flag.IntVar(&o.concurrency, "concurrency", 4, "calls in flight")
	flag.IntVar(&o.rounds, "rounds", 3, "rounds, taken in turns; the median counts")
	flag.StringVar(&o.python, "python", "python3", "the Python that makes the environment of the loop")
	flag.BoolVar(&o.withPython, "compare", true, "run the Python loop as well")
	flag.StringVar(&o.profile, "cpuprofile", "", "write a CPU profile of rung's part here")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "eval:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "rung-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	url, stop, err := startServer(ctx, dir)
	if err != nil {
		return err
	}
	defer stop()
	python := ""
	if o.withPython {
		if python, err = environment(ctx, o.python); err != nil {
			return err
		}
	}
	var ours, theirs []float64
	for round := range o.rounds {
		if o.withPython {
			rate, err := pythonLoop(ctx, python, url, o)
			if err != nil {
				return err
			}
			theirs = append(theirs, rate)
			fmt.Printf("round %d  openai-python loop  %6.0f items/s at concurrency %d\n", round+1, rate, o.concurrency)
		}
		res, err := profiled(o, round, func() (result, error) {
			return measure(ctx, url, filepath.Join(dir, fmt.Sprint("store", round)), o)
		})
		if err != nil {
			return err
		}
		ours = append(ours, res.rate)
		fmt.Printf("round %d  rung, stored        %6.0f items/s at concurrency %d; %.0f µs of processor time each; again from the store %.0f items/s; at most %.0f MB resident\n",
			round+1, res.rate, o.concurrency, res.cpu, res.again, res.megabytes)
	}
	if o.withPython {
		fmt.Printf("median  rung %.0f, python %.0f, ratio %.2f (%d processors)\n", median(ours), median(theirs), median(ours)/median(theirs), runtime.NumCPU())
	}
	return nil
}

func profiled(o options, round int, f func() (result, error)) (result, error) {
	if o.profile == "" || round > 0 {
		return f()
	}
	out, err := os.Create(o.profile)
	if err != nil {
		return result{}, err
	}
	defer out.Close()
	if err := pprof.StartCPUProfile(out); err != nil {
		return result{}, err
	}
	defer pprof.StopCPUProfile()
	return f()
}

// startServer builds and starts the mock server as a process of its own, so that its work is not taken for ours.
func startServer(ctx context.Context, dir string) (url string, stop func(), err error) {
	bin := filepath.Join(dir, "mockserver")
	build := exec.CommandContext(ctx, "go", "build", "-o", bin, "github.com/rung-dev/rung/bench/mockserver")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return "", nil, fmt.Errorf("building the mock server: %w", err)
	}
	cmd := exec.CommandContext(ctx, bin, "-text", `{"intent":"PlayMusic","slots":{"artist":"x"}}`)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop()
		return "", nil, errors.New("the mock server did not start")
	}
	return strings.TrimSpace(line) + "/v1", stop, nil
}

func pythonLoop(ctx context.Context, python, url string, o options) (float64, error) {
	_, self, _, _ := runtime.Caller(0)
	cmd := exec.CommandContext(ctx, python, filepath.Join(filepath.Dir(self), "loop.py"), url, fmt.Sprint(o.pyItems), fmt.Sprint(o.concurrency))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("the Python loop: %w", err)
	}
	var res struct {
		Rate float64 `json:"items_per_s"`
	}
	return res.Rate, json.Unmarshal(out, &res)
}

// pinned is the version of the client that the ratio is about.
const pinned = "openai==3.54.0"

// environment makes a venv with the OpenAI client in the user's cache, once.
func environment(ctx context.Context, python string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "rung", "bench-"+pinned)
	bin := filepath.Join(dir, "bin", "python")
	done := filepath.Join(dir, "installed")
	if _, err := os.Stat(done); err == nil {
		return bin, nil
	}
	for _, args := range [][]string{{python, "-m", "venv", dir}, {bin, "-m", "pip", "install", "--quiet", pinned}} {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return "", fmt.Errorf("%s: %w", strings.Join(args, " "), err)
		}
	}
	return bin, os.WriteFile(done, nil, 0o600)
}
