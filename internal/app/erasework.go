package app

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/rung-dev/rung"
)

// A build that was ended leaves working files, which hold rows as the dataset would. They are only there to go on with, so those that hold
// the person go as a whole: the next build begins anew and finds the list of erased rows.

// working finds the working files that go, and refuses to begin while a build is writing them.
func (e *erasing) working() error {
	dirs := slices.Clone(e.dirs)
	if dir := e.project(); dir != "" {
		dirs = append(dirs, dir)
	}
	for _, dir := range workFolders(dirs) {
		holds, err := e.workHolds(dir)
		if err != nil {
			return err
		}
		if !holds {
			continue
		}
		if e.opt.Do && locked(filepath.Join(dir, "lock")) {
			return &rung.Error{Code: rung.CodeConflict, Place: dir, What: "rung data build is making a dataset of rows that are to be erased", Do: "wait for it to end, and run the same command again"}
		}
		e.out.Work = append(e.out.Work, dir)
	}
	return nil
}

// dropWork removes them.
func (e *erasing) dropWork() error {
	for _, dir := range e.out.Work {
		if err := os.RemoveAll(dir); err != nil {
			return cannot(dir, err)
		}
	}
	return nil
}

// jobs takes the descriptions of training jobs that were killed: they hold rows as tokens, in which no text can be looked for, and are written
// anew when the training goes on.
func (e *erasing) jobs() error {
	if e.opt.Dir == "" || !e.any() {
		return nil
	}
	files, err := filepath.Glob(filepath.Join(e.opt.Dir, "training", "*", "job.json"))
	if err != nil {
		return nil // a name with brackets
	}
	for _, file := range files {
		e.out.Work = append(e.out.Work, file)
		if !e.opt.Do {
			continue
		}
		if err := os.Remove(file); err != nil {
			return cannot(file, err)
		}
	}
	return nil
}

// workFolders are the folders of working files in some folders.
func workFolders(dirs []string) []string {
	var out []string
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // it is not there, or somebody else's
		}
		for _, x := range entries {
			if name := x.Name(); x.IsDir() && strings.HasPrefix(name, ".") && (strings.HasSuffix(name, ".rung-build") || strings.Contains(name, ".rung-dry-")) {
				out = append(out, filepath.Join(dir, name))
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

var errHolds = errors.New("it holds it")

func (e *erasing) workHolds(dir string) (bool, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl*"))
	if err != nil {
		return false, nil // a name with brackets
	}
	for _, file := range files {
		err := eachLine(file, func(_ int, line []byte) error {
			if e.workLine(line) {
				return errHolds
			}
			return nil
		})
		if errors.Is(err, errHolds) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}

// workLine reports whether a line of a working file or of a vault, a row, an origin or a record, holds the person.
func (e *erasing) workLine(line []byte) bool {
	var x struct {
		rung.DatasetRow
		Raw rung.Digest     `json:"raw"`
		Row rung.DatasetRow `json:"row"`
	}
	if json.Unmarshal(line, &x) == nil && (e.raws[x.Raw] || len(x.Input) > 0 && e.finder.Row(&x.DatasetRow) != "" || len(x.Row.Input) > 0 && e.finder.Row(&x.Row) != "") {
		return true
	}
	return e.finder.Holds(line)
}

// locked reports whether another process holds a lock.
func locked(path string) bool {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // nothing was written
	return errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}
