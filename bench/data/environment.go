package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// setting is an environment of peers: their versions, which the ratios are about, and what they import.
type setting struct {
	name   string // with the version of its list
	peers  []string
	pinned []string
	alone  []string // installed without what they ask for: pip does not come to an end over that
}

var settings = []setting{
	{"bench-rensa-1", []string{"rensa"}, []string{"rensa==0.5.0"}, nil},
	{"bench-data-1", []string{"text-dedup", "datatrove"}, []string{"datatrove==0.10.1", "orjson", "regex", "spacy", "tokenizers", "datasets==5.2.0",
		"click-option-group", "fire", "ftfy", "scipy", "xxhash<4", "bitarray", "psutil", "pybloom-live"}, []string{"text-dedup==0.4.0"}},
}

// environments give each peer its Python, installed in the user's cache the first time.
func environments(ctx context.Context, o options) (map[string]string, error) {
	out := map[string]string{}
	if o.peers == "" {
		return out, nil
	}
	for _, peer := range strings.Split(o.peers, ",") {
		i := slices.IndexFunc(settings, func(s setting) bool { return slices.Contains(s.peers, peer) })
		if i < 0 {
			return nil, fmt.Errorf("there is no peer %q", peer)
		}
		if out[peer] = o.env; o.env != "" {
			continue
		}
		var err error
		if out[peer], err = settings[i].install(ctx, o.python); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// install makes the environment, once. One that was interrupted is made anew.
func (s *setting) install(ctx context.Context, python string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "rung", s.name)
	bin := filepath.Join(dir, "bin", "python")
	done := filepath.Join(dir, "installed")
	if _, err := os.Stat(done); err == nil {
		return bin, nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	pip := []string{bin, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"}
	steps := [][]string{{python, "-m", "venv", dir}, append(slices.Clone(pip), s.pinned...)}
	if len(s.alone) > 0 {
		steps = append(steps, append(append(slices.Clone(pip), "--no-deps"), s.alone...))
	}
	for _, args := range steps {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return "", fmt.Errorf("%s: %w", strings.Join(args, " "), err)
		}
	}
	return bin, os.WriteFile(done, nil, 0o600)
}
