package engine

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rung-dev/rung"
)

// digestBook remembers the digests of the user's model files, which are gigabytes, by path, size and time of change.
type digestBook struct{ path string }

func (e *Engine) digests() digestBook {
	return digestBook{path: filepath.Join(e.opt.CacheDir, "digests.json")}
}

func (d digestBook) of(path string) (rung.Digest, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	key := fmt.Sprintf("%s %d %d", path, info.Size(), info.ModTime().UnixNano())
	known := map[string]rung.Digest{}
	if raw, err := os.ReadFile(d.path); err == nil && json.Unmarshal(raw, &known) != nil {
		known = map[string]rung.Digest{} // damaged: it is only a memory
	}
	if digest, ok := known[key]; ok {
		return digest, nil
	}
	digest, err := digestFile(path)
	if err != nil {
		return "", err
	}
	known[key] = digest
	// Failing to remember costs time only. Two processes at once may forget one entry.
	if raw, err := json.Marshal(known); err == nil && os.MkdirAll(filepath.Dir(d.path), 0o755) == nil {
		part := fmt.Sprintf("%s.%d.part", d.path, os.Getpid())
		if os.WriteFile(part, raw, 0o644) == nil {
			_ = os.Rename(part, d.path)
		}
	}
	return digest, nil
}
