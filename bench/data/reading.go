package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// reading measures exact duplicates and contamination next to plain Python sets, and next to reading the file.
func reading(ctx context.Context, o options, dir string, real []string) error {
	path, eval := filepath.Join(dir, "rows.jsonl"), filepath.Join(dir, "eval.jsonl")
	if err := corpus(path, real, o.reading, "words", .05); err != nil {
		return err
	}
	if err := corpus(eval, real, 1000, "words", 0); err != nil {
		return err
	}
	read, err := timed(func() error { return readThrough(path) })
	if err != nil {
		return err
	}
	python, err := sets(ctx, o, "read", path)
	if err != nil {
		return err
	}
	fmt.Printf("%d documents; bytes read alone %.0f documents/s, rows read by Python alone %.0f\n", o.reading, float64(o.reading)/read, float64(o.reading)/python)
	for _, job := range []struct {
		name string
		args []string
		sets []string
	}{
		{"exact duplicates", []string{"dedupe", path, "--exact"}, []string{"exact", path}},
		{"n-grams", []string{"decontaminate", path, "--against", eval, "--rephrased", "0", "--fuzzy", "0"}, []string{"grams", path, eval}},
		{"n-grams, edits and rephrased", []string{"decontaminate", path, "--against", eval}, nil},
	} {
		var cpu float64
		ours, err := timed(func() error {
			cmd := exec.CommandContext(ctx, o.rung, append([]string{"data"}, job.args...)...)
			err := cmd.Run()
			cpu = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
			return err
		})
		if err != nil {
			return err
		}
		fmt.Printf("  %-30s rung %8.0f documents/s (%.0f per second of processor time)", job.name, float64(o.reading)/ours, float64(o.reading)/cpu)
		if job.sets != nil {
			seconds, err := sets(ctx, o, job.sets...)
			if err != nil {
				return err
			}
			fmt.Printf("  Python sets %8.0f", float64(o.reading)/seconds)
		}
		fmt.Println()
	}
	return nil
}

// sets is how many seconds plain Python takes.
func sets(ctx context.Context, o options, args ...string) (float64, error) {
	out, err := exec.CommandContext(ctx, o.python, append([]string{filepath.Join("bench", "data", "sets.py")}, args...)...).Output()
	var r result
	err = errors.Join(err, json.Unmarshal(out, &r))
	return r.Seconds, err
}

func timed(f func() error) (float64, error) {
	start := time.Now()
	err := f()
	return time.Since(start).Seconds(), err
}

func readThrough(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(io.Discard, struct{ io.Reader }{f})
	return err
}
