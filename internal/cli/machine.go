package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/rung-dev/rung"
)

// diskFree is the space that this user may fill on the disk of path, or of its nearest parent that exists.
func diskFree(path string) (uint64, bool) {
	for {
		var st syscall.Statfs_t
		if err := syscall.Statfs(path, &st); err == nil {
			return st.Bavail * uint64(st.Bsize), true
		}
		if filepath.Dir(path) == path {
			return 0, false
		}
		path = filepath.Dir(path)
	}
}

// memory is the machine's memory and what programs can still get, in bytes; 0 where the system does not say.
func memory() (total, free uint64) {
	raw, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(raw)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		kib, err := strconv.ParseUint(fields[1], 10, 64)
		if err != nil {
			continue
		}
		switch fields[0] {
		case "MemTotal:":
			total = kib << 10
		case "MemAvailable:":
			free = kib << 10
		}
	}
	return total, free
}

// whatAndDo splits an error into its two sentences.
func whatAndDo(err error) (what, do string) {
	var e *rung.Error
	if errors.As(err, &e) {
		what = e.What
		if e.Place != "" {
			what = e.Place + " " + what
		}
		return what, e.Do
	}
	return err.Error(), ""
}
