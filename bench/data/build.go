package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// whole measures rung data build from raw rows to the folder: time, processor time and the most memory, and that a second build gives the
// same digest.
func whole(ctx context.Context, o options, dir string, real []string) error {
	if err := rawRows(filepath.Join(dir, "raw.jsonl"), real, o.build); err != nil {
		return err
	}
	var digests []string
	for _, pii := range []string{"skip", "redact", "redact"} {
		name := fmt.Sprintf("%s%d", pii, len(digests))
		file := filepath.Join(dir, name+".yaml")
		text := fmt.Sprintf("name: rows\nout: %s\nsources: [{name: raw, files: raw.jsonl}]\npii: %s\n", name, pii)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, o.rung, "data", "build", file, "--json")
		cmd.Stderr = os.Stderr
		start := time.Now()
		out, err := cmd.Output()
		if err != nil {
			return err
		}
		r := result{Seconds: time.Since(start).Seconds()}
		usage(cmd, &r)
		var doc struct {
			Dataset struct {
				Digest string `json:"digest"`
			} `json:"dataset"`
		}
		if err := json.Unmarshal(out, &doc); err != nil {
			return err
		}
		digests = append(digests, doc.Dataset.Digest)
		fmt.Printf("%d rows, pii: %-6s  %6.0f s (%.0f s of processor time)  %.0f MiB at most  digest %.12s\n", o.build, pii, r.Seconds, r.CPU, r.RSS, doc.Dataset.Digest)
	}
	if digests[1] != digests[2] {
		return fmt.Errorf("two builds have the digests %s and %s", digests[1], digests[2])
	}
	return nil
}

// rawRows writes labelled rows of 12 to 30 words.
func rawRows(path string, real []string, n int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	rng := rand.New(rand.NewPCG(1, 2))
	words := newChain(real, rng)
	for range n {
		row := map[string]any{"input": map[string]string{"text": words.text(12 + rng.IntN(19))}, "output": []string{"a", "b"}[rng.IntN(2)]}
		line, err := json.Marshal(row)
		if err != nil {
			return err
		}
		if _, err := w.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}
