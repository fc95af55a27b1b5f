package task

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/bmatcuk/doublestar/v4"
)

// maxDocuments bounds what a glob may match, so that a slip such as /** ends in a sentence instead of an hour.
const maxDocuments = 100_000

var exampleKinds = []string{".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet"}

func (r *reader) examples(s section) []string {
	const do = "name a file of examples (.jsonl, .csv or .parquet), a dataset folder, or a list of such"
	if r.formOnly || s.need("examples", do) == nil {
		return nil
	}
	var files []string
	for _, it := range s.list("examples", true, do) {
		path := r.abs(it.text)
		if slices.Contains(files, path) {
			r.fail(it.at, it.text+" is listed twice", "keep it once")
			continue
		}
		if readable(filepath.Join(path, "dataset.json")) == nil { // what rung data build made
			files = append(files, path)
			continue
		}
		if err := readable(path); err != nil {
			what, do := fileFault(it.text, err)
			if errors.Is(err, fs.ErrNotExist) {
				what, do = r.unbuilt(it.text, path, what, do)
			}
			if errors.Is(err, errIsDir) {
				what, do = it.text+" is a folder without a dataset.json, so it is no dataset", "name the example files in it, or the folder that rung data build made"
			}
			r.fail(it.at, what, do)
			continue
		}
		if ext := strings.ToLower(filepath.Ext(path)); !slices.Contains(exampleKinds, ext) {
			r.fail(it.at, fmt.Sprintf("%s has the ending %q, which says nothing about its form", it.text, ext), "name it .jsonl, .csv or .parquet")
		}
		files = append(files, path)
	}
	return files
}

// unbuilt says of examples that are not there how the dataset of that name is built.
func (r *reader) unbuilt(text, path, what, do string) (string, string) {
	if filepath.Ext(path) != "" {
		return what, do
	}
	for _, dir := range []string{r.dir, filepath.Dir(path)} {
		for _, pattern := range []string{"*.yaml", "*.yml"} {
			files, err := filepath.Glob(filepath.Join(dir, pattern))
			if err != nil {
				continue // a name with brackets
			}
			for _, file := range files[:min(len(files), maxBeside)] {
				if d, err := OpenDescription(file); err == nil && d.Description.Out == path {
					return text + " is a dataset that is not built yet", "build it: rung data build " + r.shownPath(file)
				}
			}
		}
	}
	return "there is no folder and no file " + text, "check the path, which is relative to this file; a dataset is made from its description by rung data build"
}

// maxBeside bounds the descriptions that are looked at for a dataset that is not there.
const maxBeside = 100

// readable opens and closes a regular file.
func readable(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return errIsDir
	case !info.Mode().IsRegular():
		return errNotRegular
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return f.Close()
}

func (r *reader) badGlob(it item) {
	r.fail(it.at, fmt.Sprintf("%q is not a valid glob", it.text), "close its brackets and braces; * matches within a directory, ** across them")
}

// maxDirectories bounds what a glob may search.
const maxDirectories = 50_000

var (
	errTooMany = errors.New("too many files")
	errTooWide = errors.New("too many directories")
)

// searched is a file system that ends a search which goes on and on, such as that of /**.
type searched struct {
	fs.FS
	directories int
}

func (s *searched) ReadDir(name string) ([]fs.DirEntry, error) {
	if s.directories++; s.directories > maxDirectories {
		return nil, errTooWide
	}
	return fs.ReadDir(s.FS, name)
}

func (s *searched) Stat(name string) (fs.FileInfo, error) { return fs.Stat(s.FS, name) }

// expand adds the files that a pattern matches to found. Hidden files (.git, .rung) are matched only by name.
func (r *reader) expand(it item, found map[string]bool) {
	pattern := filepath.ToSlash(r.abs(it.text))
	if !doublestar.ValidatePattern(pattern) {
		r.badGlob(it)
		return
	}
	base, rest := doublestar.SplitPattern(pattern)
	var matched int
	var unreadable error
	options := []doublestar.GlobOption{doublestar.WithFilesOnly(), doublestar.WithFailOnIOErrors()}
	if !strings.Contains("/"+filepath.ToSlash(it.text), "/.") || strings.HasPrefix(it.text, ".") && !strings.Contains(strings.TrimLeft(it.text, "./"), "/.") {
		options = append(options, doublestar.WithNoHidden())
	}
	err := doublestar.GlobWalk(&searched{FS: os.DirFS(base)}, rest, func(path string, _ fs.DirEntry) error {
		full := filepath.Join(base, filepath.FromSlash(path))
		if err := readable(full); err != nil {
			what, do := fileFault(full, err)
			r.fail(it.at, what, do)
			unreadable = err
			return nil
		}
		found[full] = true
		if matched++; len(found) > maxDocuments {
			return errTooMany
		}
		return nil
	}, options...)
	switch {
	case errors.Is(err, errTooMany):
		r.fail(it.at, fmt.Sprintf("%q matches more than %d files", it.text, maxDocuments), "write a narrower pattern")
	case errors.Is(err, errTooWide):
		r.fail(it.at, fmt.Sprintf("%q searches more than %d directories", it.text, maxDirectories), "write a narrower pattern")
	case errors.Is(err, syscall.ELOOP):
		r.fail(it.at, fmt.Sprintf("%q is a link that leads back to itself", it.text), "name the file itself, or correct the link")
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		r.fail(it.at, fmt.Sprintf("%q cannot be searched: %v", it.text, err), "give yourself the right to read the directory")
	case matched == 0 && unreadable == nil:
		r.fail(it.at, fmt.Sprintf("%q matches no file", it.text), "check the path; it is relative to this file")
	}
}
