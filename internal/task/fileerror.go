package task

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/rung-dev/rung"
)

var (
	errIsDir      = errors.New("is a directory")
	errNotRegular = errors.New("is not a regular file")
)

type errTooLarge struct{ size, limit int64 }

func (e errTooLarge) Error() string {
	return fmt.Sprintf("is %d KiB long, more than the %d KiB that such a file may have", e.size>>10, e.limit>>10)
}

// fileFault says in words why a file cannot be used, and what to do about it.
func fileFault(path string, err error) (what, do string) {
	var large errTooLarge
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is no file " + path, "check the path; it is relative to this file"
	case errors.Is(err, fs.ErrPermission):
		return "the file " + path + " may not be read", "give yourself the right to read it"
	case errors.Is(err, errIsDir):
		return path + " is a directory", "name a file in it"
	case errors.Is(err, errNotRegular):
		return path + " is not a regular file", "copy its content into a file"
	case errors.As(err, &large):
		return path + " " + large.Error(), "check that it is the right file"
	}
	return "the file " + path + " cannot be read: " + err.Error(), "check the path and the disk"
}

// fileError is an error about a whole file that the user named on the command line.
func fileError(name string, err error) *rung.Error {
	what, do := fileFault(name, err)
	if errors.Is(err, fs.ErrNotExist) {
		what, do = "there is no such file", "check the path, or write a new task with: rung init"
	}
	if errors.Is(err, errIsDir) {
		what, do = "is a directory", "name the task file in it, such as "+filepath.Join(name, "task.yaml")
	}
	return &rung.Error{Code: rung.CodeInput, Place: name, What: what, Do: do, Err: err}
}
