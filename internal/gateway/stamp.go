package gateway

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// stamps tells one state of files from another: by what the path leads to, time and size, so that a link that is moved to another
// file counts.
func stamps(paths []string) string {
	var b strings.Builder
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			b.WriteString("none;")
			continue
		}
		real, _ := filepath.EvalSymlinks(p) // it was there a moment ago
		fmt.Fprintf(&b, "%s %d %d;", real, info.ModTime().UnixNano(), info.Size())
	}
	return b.String()
}
