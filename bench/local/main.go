// Command local measures how many requests a second the local engine answers, next to a plain loop with the OpenAI Python
// client against llama.cpp's server as it comes, with the same model file, in the same run. See bench/README.md.
package main

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/engine"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/venv"
	"github.com/rung-dev/rung/python"
)

const (
	ref       = rung.ModelRef("local/smollm2-135m")
	maxTokens = 24
)

//go:embed requirements.lock
var clientLock []byte

type options struct{ items, rounds, concurrency int }

func main() {
	var o options
	flag.IntVar(&o.items, "items", 100, "requests of each kind")
	flag.IntVar(&o.rounds, "rounds", 3, "rounds, taken in turns; the median of the ratios counts")
	flag.IntVar(&o.concurrency, "concurrency", 4, "calls of the Python loop in flight")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Hour)
	defer cancel()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "local:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "rung-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	client, err := venv.Ensure(ctx, "bench", clientLock, nil)
	if err != nil {
		return err
	}
	fmt.Printf("%d processors, %.0f %% in use by others\n", runtime.NumCPU(), 100*engine.Busy(ctx))
	for _, w := range workloads(o.items) {
		path := filepath.Join(dir, "requests.json")
		b, err := json.Marshal(map[string]any{"requests": w.requests, "max_tokens": maxTokens})
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			return err
		}
		var ratios []float64
		var before []string
		for round := range o.rounds {
			theirs, err := plain(ctx, client, path, o)
			if err != nil {
				return err
			}
			ours, answers, err := engineRate(ctx, w)
			if err != nil {
				return err
			}
			if before != nil {
				fmt.Printf("%-20s  %d of %d answers differ from those of the round before\n", w.name, different(before, answers), len(answers))
			}
			before = answers
			ratios = append(ratios, ours/theirs)
			fmt.Printf("%-20s  round %d  plain loop %6.2f items/s  engine %6.2f items/s  ratio %.2f\n", w.name, round+1, theirs, ours, ours/theirs)
		}
		slices.Sort(ratios)
		fmt.Printf("%-20s  median ratio %.2f\n", w.name, ratios[len(ratios)/2])
	}
	return nil
}

// engineRate answers the requests through a fresh engine; starting it does not count, as it does not for the other side.
func engineRate(ctx context.Context, w workload) (float64, []string, error) {
	e, err := engine.New(engine.Options{})
	if err != nil {
		return 0, nil, err
	}
	defer e.Close()
	if err := e.Start(ctx, ref); err != nil {
		return 0, nil, err
	}
	answers := make([]string, len(w.requests))
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(e.Can(ref).Concurrency)
	start := time.Now()
	for i, messages := range w.requests {
		work.Go(func() error {
			resp, err := e.Complete(ctx, model.Request{Model: ref, Messages: messages, MaxTokens: maxTokens})
			answers[i] = resp.Text
			return err
		})
	}
	err = work.Wait()
	return float64(len(w.requests)) / time.Since(start).Seconds(), answers, err
}

func different(a, b []string) (n int) {
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

// plain starts the server as it comes and runs the Python loop against it.
func plain(ctx context.Context, client, requests string, o options) (float64, error) {
	e, err := engine.New(engine.Options{})
	if err != nil {
		return 0, err
	}
	defer e.Close()
	weights, _, err := e.Weights(ctx, ref)
	if err != nil {
		return 0, err
	}
	url, stop, err := defaultServer(ctx, weights)
	if err != nil {
		return 0, err
	}
	defer stop()
	cmd := exec.CommandContext(ctx, client, beside("loop.py"), url+"/v1", requests, fmt.Sprint(o.concurrency))
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

func defaultServer(ctx context.Context, weights string) (url string, stop func(), err error) {
	lock, err := python.Engine.ReadFile("engine/requirements.lock")
	if err != nil {
		return "", nil, err
	}
	interpreter, err := venv.Ensure(ctx, "engine", lock, nil)
	if err != nil {
		return "", nil, err
	}
	cmd := exec.CommandContext(ctx, interpreter, beside("defaults.py"), weights)
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		in.Close()
		io.Copy(io.Discard, out)
		_ = cmd.Wait()
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "http://") {
		stop()
		return "", nil, errors.New("the server did not start")
	}
	return strings.TrimSpace(line), stop, nil
}

func beside(name string) string {
	_, self, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(self), name)
}
