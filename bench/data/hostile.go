package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// hostile gives rung data convert and rung data build files that are made to break readers: lines of two gigabytes between good rows, and a
// file that expands to far more than it is. A long line must be one removed row and lose none beside it; the bomb must be refused. Memory
// and time are printed. The long lines are sparse files, so that they take no room.
func hostile(ctx context.Context, o options, dir string) error {
	firsts := []string{`{"text":"one goes","label":"a"}`, `{"text":"then two","label":"b"}`, `{"text":"and three","label":"a"}`}
	for _, c := range []struct{ name, before, after string }{
		{"line.jsonl", strings.Join(firsts, "\n") + "\n" + `{"text": "`, `","label":"a"}` + "\n" + `{"text":"last one here","label":"b"}` + "\n"},
		{"line.csv", "text,label\none goes,a\nthen two,b\nand three,a\n\"", "\",a\nlast one here,b\n"},
		{"line.json", "[" + strings.Join(firsts, ",") + `,{"text": "`, `","label":"a"},{"text":"last one here","label":"b"}]`},
	} {
		if err := longLine(filepath.Join(dir, c.name), c.before, c.after); err != nil {
			return err
		}
		if err := both(ctx, o, dir, c.name, 4); err != nil {
			return err
		}
		if err := os.Remove(filepath.Join(dir, c.name)); err != nil {
			return err
		}
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	block := strings.Repeat(`{"text":"`+strings.Repeat("0", 1000)+`","label":"a"}`+"\n", 1000)
	for range 300 {
		if _, err := z.Write([]byte(block)); err != nil {
			return err
		}
	}
	if err := errors.Join(z.Close(), os.WriteFile(filepath.Join(dir, "bomb.jsonl.gz"), b.Bytes(), 0o600)); err != nil {
		return err
	}
	return both(ctx, o, dir, "bomb.jsonl.gz", -1)
}

const longest = 2 << 30

func longLine(path, before, after string) error {
	if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
		return err
	}
	if err := os.Truncate(path, longest); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(after)
	return errors.Join(err, f.Close())
}

// both converts a file and builds a dataset of it; rows are those that must come through, below zero that it must be refused.
func both(ctx context.Context, o options, dir, name string, rows int) error {
	description := filepath.Join(dir, "dataset.yaml")
	text := fmt.Sprintf("name: hostile\nsources: [{name: raw, files: %s}]\npii: skip\ndedupe: none\ncheck: none\n", name)
	if err := os.WriteFile(description, []byte(text), 0o600); err != nil {
		return err
	}
	for _, args := range [][]string{{"data", "convert", filepath.Join(dir, name), "--out", filepath.Join(dir, "out.jsonl")}, {"data", "build", description, "--dry-run"}} {
		cmd := exec.CommandContext(ctx, o.rung, args...)
		var said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &said, &said
		start := time.Now()
		err := cmd.Run()
		r := result{Seconds: time.Since(start).Seconds()}
		usage(cmd, &r)
		var exit *exec.ExitError
		switch {
		case rows < 0 && (!errors.As(err, &exit) || exit.ExitCode() != 2):
			return fmt.Errorf("%s is not refused by rung %s: %w\n%s", name, args[1], err, said.Bytes())
		case rows >= 0 && (err != nil || args[1] == "convert" && !strings.Contains(said.String(), fmt.Sprintf("%d rows read, 1 cannot be", rows))):
			return fmt.Errorf("rung %s %s: %w\n%s", args[1], name, err, said.Bytes())
		}
		fmt.Printf("%-14s %-8s %5.1f s (%.1f s of processor time)  %4.0f MiB at most\n", name, args[1], r.Seconds, r.CPU, r.RSS)
	}
	return nil
}
