package venv

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Lock takes the lock file at path, waiting for whoever holds it. Closing the file gives it back; so does the end of
// the process, however it ends.
func Lock(ctx context.Context, path string, log func(string)) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, diskError(filepath.Dir(path), err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, diskError(path, err)
	}
	told := false
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if err != syscall.EWOULDBLOCK && err != syscall.EINTR {
			f.Close()
			return nil, diskError(path, err)
		}
		if !told {
			told = true
			quietIfNil(log)("another rung is installing the same; waiting for it")
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, interrupted(ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// ownGroup puts a tool and its children into one process group, so that all of them can be stopped.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
