// Package venv keeps the Python environments that rung manages for itself: one directory per lock file under the user's
// cache directory, every package pinned and checked against its hash, nothing of the user's own Python touched.
//
// An environment is complete when its stamp is there; the stamp is written last. One that was interrupted has none and is
// built again, from the downloads that were already kept.
package venv

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/rung-dev/rung"
)

// installLimit bounds one installation. The training environment is several gigabytes, and networks are slow.
const installLimit = 2 * time.Hour

// stampName is the file inside an environment that says it is complete.
const stampName = ".rung-complete.json"

type stamp struct {
	Lock   rung.Digest `json:"lock"`
	Python string      `json:"python"` // version, such as 3.11.7
	Made   time.Time   `json:"made"`
}

// CacheDir is the directory for everything rung downloads or derives: $RUNG_CACHE, or rung in the user's cache directory.
func CacheDir() (string, error) {
	if dir := os.Getenv("RUNG_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return "", &rung.Error{Code: rung.CodeMissing, What: "there is no cache directory for this user: " + err.Error(),
			Do: "set RUNG_CACHE to a directory that rung may write", Err: err}
	}
	return filepath.Join(base, "rung"), nil
}

// Ensure returns the Python interpreter of the environment called name, which holds exactly what lock says (a requirements
// file with hashes). If it is not there yet, it is installed; log receives one line of progress at a time and may be nil.
// Processes that want the same environment at the same time wait for each other.
//
// Errors: CodeMissing without a usable Python, CodeUnreachable when the package index does not answer, CodeStore when the
// disk is full or the cache directory cannot be written, CodeInterrupted when ctx ends.
func Ensure(ctx context.Context, name string, lock []byte, log func(string)) (pythonPath string, err error) {
	if python, ok := Ready(name, lock); ok {
		return python, nil
	}
	ctx, cancel := context.WithTimeout(ctx, installLimit)
	defer cancel()
	dir, err := environmentDir(name, lock)
	if err != nil {
		return "", err
	}
	release, err := Lock(ctx, filepath.Join(filepath.Dir(dir), name+".lock"), log)
	if err != nil {
		return "", err
	}
	defer release.Close()
	if python, ok := Ready(name, lock); ok { // another process was faster
		return python, nil
	}
	return build(ctx, dir, lock, installer{log: quietIfNil(log), held: release})
}

// Ready reports whether the environment is complete, and where its interpreter is. It changes nothing.
func Ready(name string, lock []byte) (pythonPath string, ok bool) {
	dir, err := environmentDir(name, lock)
	if err != nil {
		return "", false
	}
	var s stamp
	b, err := os.ReadFile(filepath.Join(dir, stampName))
	if err != nil || json.Unmarshal(b, &s) != nil || s.Lock != rung.DigestBytes(lock) {
		return "", false
	}
	python := interpreter(dir)
	if _, err := os.Stat(python); err != nil { // the Python it was made from was removed
		return "", false
	}
	return python, true
}

func environmentDir(name string, lock []byte) (string, error) {
	root, err := CacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(root, "python", name+"-"+rung.DigestBytes(lock).Short()), nil
}

func interpreter(dir string) string { return filepath.Join(dir, "bin", "python") }

// build makes the environment in dir, from nothing. The caller holds the lock.
func build(ctx context.Context, dir string, lock []byte, in installer) (string, error) {
	python, err := FindPython(ctx)
	if err != nil {
		return "", err
	}
	uv, err := in.uv(ctx, python)
	if err != nil {
		return "", err
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", diskError(dir, err)
	}
	requirements := dir + ".lock.txt"
	if err := os.WriteFile(requirements, lock, 0o644); err != nil {
		return "", diskError(requirements, err)
	}
	defer os.Remove(requirements)
	env := in.indexes(ctx, python)
	if err := in.run(ctx, env, uv, "venv", "--no-project", "--no-config", "--python", python.Path, dir); err != nil {
		return "", err
	}
	err = in.run(ctx, env, uv, "pip", "install", "--no-config", "--python", interpreter(dir),
		"--require-hashes", "--only-binary", ":all:", "-r", requirements)
	if err != nil {
		return "", err
	}
	return interpreter(dir), writeStamp(dir, stamp{Lock: rung.DigestBytes(lock), Python: python.Version, Made: time.Now().UTC()})
}

// Unpack puts the files of the wheels that lock names into dir, which must not exist, without their dependencies. It is
// for wheels that carry data. Errors are those of Ensure.
func Unpack(ctx context.Context, lock []byte, dir string, log func(string)) error {
	ctx, cancel := context.WithTimeout(ctx, installLimit)
	defer cancel()
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return diskError(parent, err)
	}
	in := installer{log: quietIfNil(log)}
	python, err := FindPython(ctx)
	if err != nil {
		return err
	}
	uv, err := in.uv(ctx, python)
	if err != nil {
		return err
	}
	requirements := dir + ".lock.txt"
	if err := os.WriteFile(requirements, lock, 0o644); err != nil {
		return diskError(requirements, err)
	}
	defer os.Remove(requirements)
	// Data is used once and moved away, so a copy in uv's cache would only fill the disk.
	return in.run(ctx, in.indexes(ctx, python), uv, "pip", "install", "--no-config", "--no-cache", "--no-deps", "--python", python.Path,
		"--target", dir, "--require-hashes", "--only-binary", ":all:", "-r", requirements)
}

// writeStamp makes the environment complete. The rename is what counts.
func writeStamp(dir string, s stamp) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, stampName)
	err = errors.Join(os.WriteFile(path+".tmp", b, 0o644), os.Rename(path+".tmp", path))
	if err != nil {
		return diskError(path, err)
	}
	return nil
}

func quietIfNil(log func(string)) func(string) {
	if log == nil {
		return func(string) {}
	}
	return log
}
