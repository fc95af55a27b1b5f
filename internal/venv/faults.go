package venv

import (
	"errors"
	"strings"
	"syscall"

	"github.com/rung-dev/rung"
)

// diskError is an error of the file system under the cache directory.
func diskError(path string, err error) error {
	what, do := "cannot be written: "+err.Error(), "make it writable, or set RUNG_CACHE to another directory"
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		what, do = "the disk is full", diskFullDo
	}
	return &rung.Error{Code: rung.CodeStore, Place: path, What: what, Do: do, Err: err}
}

const diskFullDo = "free some space, or set RUNG_CACHE to a directory on another disk, and run the same command again: finished downloads are kept"

func interrupted(err error) error {
	return &rung.Error{Code: rung.CodeInterrupted, What: "the installation was interrupted", Do: "run the same command again to go on", Err: err}
}

// What pip and uv print when the network is at fault. They have no exit status of their own for it.
var networkSigns = []string{"error sending request", "dns error", "Failed to fetch", "Could not connect", "Connection refused", "timed out",
	"Temporary failure in name resolution", "Name or service not known", "Network is unreachable", "NewConnectionError", "tunnel error", "No matching distribution found", "network connectivity is disabled"}

// toolError explains why pip or uv failed, as far as its output tells, and keeps the output.
func toolError(tool, output string, err error) error {
	cause := errors.New(output)
	switch {
	case strings.Contains(output, "No space left on device") || strings.Contains(output, "os error 28"):
		return &rung.Error{Code: rung.CodeStore, What: "the disk is full", Do: diskFullDo, Err: cause}
	case containsAny(output, networkSigns):
		return &rung.Error{Code: rung.CodeUnreachable, What: "the Python package index cannot be reached (" + lastLine(output) + ")",
			Do: "connect to the network, or set UV_DEFAULT_INDEX and PIP_INDEX_URL to a mirror, and run the same command again: finished downloads are kept", Err: cause}
	case strings.Contains(output, "Hash mismatch") || strings.Contains(output, "DO NOT MATCH THE HASHES"):
		return &rung.Error{Code: rung.CodeProvider, What: "a downloaded package is not the one that rung was built with: its hash differs",
			Do: "check the package index or mirror in use; nothing was installed", Err: cause}
	}
	return &rung.Error{Code: rung.CodeMissing, What: tool + " failed (" + err.Error() + "): " + lastLine(output),
		Do: "if this Python or platform is unusual, set RUNG_PYTHON to another Python 3.11 to 3.14; else report the lines above", Err: cause}
}

func containsAny(s string, parts []string) bool {
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}

func lastLine(s string) string {
	return strings.TrimSpace(s[strings.LastIndexByte(s, '\n')+1:])
}
