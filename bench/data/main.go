// Command data measures near-duplicates next to rensa, text-dedup and datatrove, in one run on one machine: documents a second, and how many
// planted copies with 2 % and 5 % of their characters or words edited are found. See bench/README.md.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

type options struct {
	docs    int
	rounds  int
	million int
	reading int
	build   int
	quality bool
	meaning bool
	cosines bool
	hostile bool
	shared  string
	rung    string
	python  string
	peers   string
	env     string
}

func main() {
	var o options
	flag.IntVar(&o.docs, "docs", 10000, "documents, a fifth of them edited copies of others")
	flag.IntVar(&o.rounds, "rounds", 3, "rounds, taken in turns; the median counts")
	flag.IntVar(&o.million, "million", 0, "documents of a run of rung alone, such as 1000000")
	flag.IntVar(&o.reading, "reading", 0, "documents of a run of exact duplicates and n-grams beside plain Python sets, such as 100000")
	flag.IntVar(&o.build, "build", 0, "rows of a run of rung data build, such as 1000000")
	flag.BoolVar(&o.quality, "quality", false, "print what thresholds find on labelled public data, and nothing else")
	flag.BoolVar(&o.meaning, "meaning", false, "measure near-equal questions beside MiniLM's cosine, and nothing else")
	flag.BoolVar(&o.cosines, "semantic", false, "print what thresholds of the semantic tests find on labelled public data, and nothing else")
	flag.BoolVar(&o.hostile, "hostile", false, "give rung files that are made to break readers, such as a line of two gigabytes, and nothing else")
	flag.StringVar(&o.shared, "shared", os.Getenv("RUNG_SHARED"), "directory of the shared data")
	flag.StringVar(&o.rung, "rung", "", "the binary to measure (default: it is built)")
	flag.StringVar(&o.python, "python", "python3", "the Python that makes the environment of the peers")
	flag.StringVar(&o.peers, "peers", "rensa,text-dedup,datatrove", "peers to measure, by commas; empty: none")
	flag.StringVar(&o.env, "environment", "", "a Python with the peers installed (default: one is made in the cache, once)")
	flag.Parse()
	if o.shared == "" {
		o.shared = "../shared"
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "data:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	if o.quality {
		return quality(ctx, o)
	}
	if o.meaning {
		return meaning(ctx, o)
	}
	if o.cosines {
		return semantic(ctx, o)
	}
	dir, err := os.MkdirTemp("", "rung-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if o.rung == "" {
		o.rung = filepath.Join(dir, "rung")
		build := exec.CommandContext(ctx, "go", "build", "-o", o.rung, "./cmd/rung")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			return err
		}
	}
	if o.hostile {
		return hostile(ctx, o, dir)
	}
	real, err := realTexts(o.shared)
	if err != nil {
		return err
	}
	if o.reading > 0 {
		return reading(ctx, o, dir, real)
	}
	if o.build > 0 {
		return whole(ctx, o, dir, real)
	}
	if o.million > 0 {
		return large(ctx, o, dir, real)
	}
	python, err := environments(ctx, o)
	if err != nil {
		return err
	}
	for _, unit := range []string{"words", "chars"} {
		for _, share := range []float64{.02, .05} {
			path := filepath.Join(dir, fmt.Sprintf("%s%g.jsonl", unit, share))
			if err := corpus(path, real, o.docs, unit, share); err != nil {
				return err
			}
			if err := compare(ctx, o, python, path, fmt.Sprintf("%g %% of %s edited", share*100, unit)); err != nil {
				return err
			}
		}
	}
	return nil
}

// result is one tool's run.
type result struct {
	Seconds float64  `json:"seconds"`
	Removed []string `json:"removed"`
	RSS     float64  `json:"-"` // MiB, of the largest process
	CPU     float64  `json:"-"` // seconds of processor time
}

// compare runs the tools in turns and prints a line for each.
func compare(ctx context.Context, o options, python map[string]string, path, what string) error {
	tools := []string{"rung"}
	if o.peers != "" {
		tools = append(tools, strings.Split(o.peers, ",")...)
	}
	runs := map[string][]result{}
	for range o.rounds {
		for _, tool := range tools {
			r, err := measure(ctx, o, tool, python[tool], path)
			if err != nil {
				fmt.Printf("%-11s %v\n", tool, err)
				continue
			}
			runs[tool] = append(runs[tool], r)
		}
	}
	fmt.Printf("%d documents, %s\n", o.docs, what)
	for _, tool := range tools {
		if len(runs[tool]) == 0 {
			continue
		}
		r := middle(runs[tool])
		found, right := judge(r.Removed, o.docs)
		fmt.Printf("  %-11s %8.0f documents/s (%.0f per second of processor time)  recall %.3f (%d of %d)  precision %.3f  %.0f MiB\n", tool,
			float64(o.docs)/r.Seconds, float64(o.docs)/r.CPU, float64(found)/float64(o.docs/5), found, o.docs/5, float64(right)/float64(max(1, len(r.Removed))), r.RSS)
	}
	return nil
}

func middle(runs []result) result {
	for i := range runs {
		for j := range i {
			if runs[i].Seconds < runs[j].Seconds {
				runs[i], runs[j] = runs[j], runs[i]
			}
		}
	}
	return runs[len(runs)/2]
}

// judge counts the planted pairs of which one was removed, and the removed rows that are of such a pair.
func judge(removed []string, docs int) (found, right int) {
	pairs := map[string]bool{}
	for _, id := range removed {
		original := strings.TrimSuffix(id, "c")
		var n int
		if _, err := fmt.Sscanf(original, "d%d", &n); err == nil && n%4 == 0 {
			right++
			pairs[original] = true
		}
	}
	return len(pairs), right
}

func measure(ctx context.Context, o options, tool, python, path string) (result, error) {
	if tool == "rung" {
		return measureRung(ctx, o, path)
	}
	cmd := exec.CommandContext(ctx, python, filepath.Join("bench", "data", "peer.py"), tool, path)
	out, err := cmd.Output()
	var r result
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			lines := strings.Split(strings.TrimSpace(string(exit.Stderr)), "\n")
			err = errors.New(lines[len(lines)-1])
		}
		return r, err
	}
	err = json.Unmarshal(out[bytes.LastIndexByte(bytes.TrimSpace(out), '\n')+1:], &r)
	usage(cmd, &r)
	return r, err
}

func usage(cmd *exec.Cmd, r *result) {
	r.CPU = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		r.RSS = float64(u.Maxrss) / 1024
	}
}

// measureRung takes the whole run of the command: start, reading, comparing, writing.
func measureRung(ctx context.Context, o options, path string) (result, error) {
	out := path + ".kept"
	cmd := exec.CommandContext(ctx, o.rung, "data", "dedupe", path, "--field", "text", "--out", out, "--removed", out+".removed", "--json")
	cmd.Stderr = os.Stderr
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return result{}, err
	}
	r := result{Seconds: time.Since(start).Seconds()}
	usage(cmd, &r)
	f, err := os.Open(out + ".removed")
	if err != nil {
		return r, err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(nil, 16<<20)
	for s.Scan() {
		var line struct {
			Row struct {
				ID string `json:"id"`
			} `json:"row"`
		}
		if err := json.Unmarshal(s.Bytes(), &line); err != nil {
			return r, err
		}
		r.Removed = append(r.Removed, line.Row.ID)
	}
	return r, s.Err()
}

// large runs rung alone on many documents.
func large(ctx context.Context, o options, dir string, real []string) error {
	path := filepath.Join(dir, "large.jsonl")
	if err := corpus(path, real, o.million, "words", .05); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	r, err := measureRung(ctx, o, path)
	if err != nil {
		return err
	}
	found, right := judge(r.Removed, o.million)
	fmt.Printf("%d documents (%d MiB), 5 %% of words edited: %.0f documents/s (%.0f s, %.0f s of processor time), recall %.4f, precision %.4f, at most %.0f MiB resident\n",
		o.million, info.Size()>>20, float64(o.million)/r.Seconds, r.Seconds, r.CPU, float64(found)/float64(o.million/5), float64(right)/float64(max(1, len(r.Removed))), r.RSS)
	return nil
}
