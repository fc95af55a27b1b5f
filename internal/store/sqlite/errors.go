package sqlite

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/rung-dev/rung"
)

// failed turns what SQLite says into an error for a person.
func (s *file) failed(err error) error {
	var e *rung.Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &rung.Error{Code: rung.CodeInterrupted, Place: s.path, What: "stopped while the store was being used", Err: err}
	}
	what, do := describe(err)
	return &rung.Error{Code: rung.CodeStore, Place: s.path, What: what, Do: do, Err: err}
}

func isBusy(err error) bool {
	var sq *sqlite.Error
	return errors.As(err, &sq) && sq.Code()&0xff == sqlite3.SQLITE_BUSY
}

func describe(err error) (what, do string) {
	var sq *sqlite.Error
	if !errors.As(err, &sq) {
		return "the store cannot be used: " + err.Error(), "check the file and its disk"
	}
	switch sq.Code() & 0xff { // the low byte is the kind, the rest a detail of it
	case sqlite3.SQLITE_FULL:
		return "the disk is full", "free some space and run it again; what was stored is kept"
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return "another process has kept the store locked for 15 seconds", "wait for it or stop it, and run it again"
	case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
		return "the file is damaged, or is no store of rung", "restore it from a backup, or move it away to start a new one"
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
		return "the store cannot be written", "check the permissions of the file and its directory, or choose another directory"
	case sqlite3.SQLITE_CANTOPEN:
		return "the store cannot be opened", "check that the directory exists and can be written, or choose another one"
	case sqlite3.SQLITE_IOERR:
		return "the disk failed to read or write: " + sq.Error(), "check that the disk has space and works, and run it again"
	}
	return "the store cannot be used: " + sq.Error(), "run it again; if it stays, report it"
}

func (s *file) damaged(err error) error {
	return &rung.Error{Code: rung.CodeStore, Place: s.path, What: "the store is damaged: " + err.Error(),
		Do: "restore it from a backup, or move it away to start a new one", Err: err}
}

// dirError says why the store's directory or file could not be made.
func dirError(path string, err error) error {
	e := &rung.Error{Code: rung.CodeStore, Place: path, What: "the store cannot be made here: " + cause(err).Error(), Do: "choose another directory", Err: err}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		e.What, e.Do = "the disk is full", "free some space and run it again"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		e.What, e.Do = "the store cannot be written here", "check the permissions of the directory, or choose another one"
	}
	return e
}

func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
