// Package data brings examples in, finds duplicates, and splits and freezes. Everything it decides follows from the content
// of the examples alone: the order of the lines, the name of the file and the time of day change nothing.
package data

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/batch"
	"github.com/rung-dev/rung/internal/form"
)

const (
	maxFaults = 50       // faults that are listed; the rest is counted
	maxRow    = 16 << 20 // bytes of one row
	maxRows   = 5_000_000
)

// Imported is what the example files hold.
type Imported struct {
	Examples []rung.Example // in the order of the files
	Faults   rung.Errors    // at most 51: the last counts those that are not listed
	Notes    []string       // what a person should know although it is no fault
	Rows     int            // rows read, faulty ones included
	Broken   int            // rows whose output breaks the output form
	From     []*Folder      // the datasets among the files
}

// Import reads the example files of the task. Faults in rows do not stop it; the error is for what stops it, such as a
// cancelled context.
func Import(ctx context.Context, task *rung.Task, f *form.Form) (*Imported, error) {
	return newImporter(task, f).files(ctx)
}

func (im *importer) files(ctx context.Context) (*Imported, error) {
	for _, path := range im.task.Examples {
		if IsFolder(path) {
			if err := im.folder(ctx, path); err != nil {
				return nil, err
			}
			continue
		}
		im.open(path)
		if err := im.file(ctx, path); err != nil {
			return nil, err
		}
	}
	return im.finish(), nil
}

// folder reads the splits of a dataset, which are held to their digests: what was changed after the dataset was built is an error. A
// row's split is that of its file.
func (im *importer) folder(ctx context.Context, path string) error {
	f, err := OpenFolder(path)
	if err != nil {
		return err
	}
	if err := f.Verify(); err != nil {
		return err
	}
	im.out.From = append(im.out.From, f)
	rows := 0
	for _, s := range f.Dataset.Splits {
		if s.Rows == 0 {
			continue
		}
		rows += s.Rows
		im.open(f.Path(s.File))
		before := len(im.out.Examples)
		im.built = true
		err := im.file(ctx, f.Path(s.File))
		im.built = false
		if err != nil {
			return err
		}
		for i := range im.out.Examples[before:] {
			im.out.Examples[before+i].Split = s.Split
		}
	}
	if rows == 0 {
		im.faultAt(shownPath(path), "the dataset holds no labelled row", "have its unlabelled rows labelled (rung label), and build it again")
	}
	return nil
}

// importer turns rows of any file into examples.
type importer struct {
	task   *rung.Task
	form   *form.Form
	index  map[string]int // input field → its place
	single string         // the only field of a task with one field
	arena  arena

	take    func(members []member) // what becomes of a row: an example (row), or a look at it (Sniff)
	built   bool                   // the file is of a dataset, whose build has held generated rows to their reviews
	suite   bool                   // evaluated on, and never built from: generated rows stay, and are said
	sniff   bool                   // the task is not known yet, so columns are not checked against it
	path    string                 // absolute, of the current file
	name    string                 // of the current file, as shown to people
	line    int                    // of the current row
	before  int                    // rows before the current file
	scratch []byte
	cells   []member
	inner   []member
	objects objectReader

	shelf     batch.Shelf
	unvouched map[string]bool // what was told of generated rows

	out     Imported
	faults  int
	first   map[string]int32 // id → index of its example
	missing []int32          // examples without an id
	unknown map[string]int   // key that means nothing → rows that have it
	odd     map[string]int   // other things noticed → rows
}

func newImporter(task *rung.Task, f *form.Form) *importer {
	im := &importer{task: task, form: f, index: map[string]int{}, first: map[string]int32{}, unknown: map[string]int{}, odd: map[string]int{}}
	im.take = im.row
	for i, field := range task.Input {
		im.index[field.Name] = i
	}
	if len(task.Input) == 1 {
		im.single = task.Input[0].Name
	}
	return im
}

// open starts a file.
func (im *importer) open(path string) {
	im.path, im.name, im.line, im.before = path, shownPath(path), 0, im.out.Rows
}

// shownPath is path relative to the working directory when it lies in it: short, and terminals can follow it.
func shownPath(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	rel, err := filepath.Rel(wd, path)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return path
	}
	return rel
}

// file reads one file by its ending.
func (im *importer) file(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if err != nil {
		im.faultAt(im.name, "the file cannot be read: "+err.Error(), "check the path and its rights")
		return nil
	}
	defer f.Close()
	switch strings.ToLower(filepath.Ext(path)) {
	case ".csv", ".tsv":
		err = im.csv(ctx, f)
	case ".parquet":
		err = im.parquet(ctx, f)
	default:
		err = im.jsonLines(ctx, f)
	}
	if err == nil && im.out.Rows == im.before && im.faults == 0 {
		im.faultAt(im.name, "the file holds no examples", "add rows; some 300 make a held-out set that can tell a difference of about .1")
	}
	return err
}

// fault reports a fault of the current row.
func (im *importer) fault(what, do string) {
	im.faultAt(fmt.Sprintf("%s:%d", im.name, im.line), what, do)
}

func (im *importer) faultAt(place, what, do string) {
	if im.faults++; im.faults <= maxFaults {
		im.out.Faults = append(im.out.Faults, &rung.Error{Code: rung.CodeInput, Place: place, What: what, Do: do})
	}
}

// finish derives missing ids and turns what was noticed into notes.
func (im *importer) finish() *Imported {
	if more := im.faults - maxFaults; more > 0 {
		im.out.Faults = append(im.out.Faults, &rung.Error{Code: rung.CodeInput, Place: im.name, What: fmt.Sprintf("%d more faults in the examples are not listed", more), Do: "correct these first; rung check shows the next"})
	}
	im.deriveIDs()
	for _, note := range []struct {
		counts map[string]int
		format string
	}{{im.unknown, "the key %q means nothing here and is ignored"}, {im.odd, "%s"}} {
		for _, key := range sortedKeys(note.counts) {
			im.out.Notes = append(im.out.Notes, fmt.Sprintf(note.format, key)+fmt.Sprintf(" (%s)", count(note.counts[key], "row")))
		}
	}
	out := im.out // a copy, so that the importer's memory can be freed
	return &out
}

// deriveIDs names rows without an id by their content, so that the name survives a change of order. Equal rows are numbered.
func (im *importer) deriveIDs() {
	taken := map[string]int{}
	for _, i := range im.missing {
		e := &im.out.Examples[i]
		id := "x" + string(contentDigest(e)[:12])
		taken[id]++
		if n := taken[id]; n > 1 {
			id = fmt.Sprintf("%s-%d", id, n)
		}
		for _, used := im.first[id]; used; _, used = im.first[id] {
			id += "x"
		}
		im.first[id] = i
		e.ID = im.arena.text([]byte(id))
	}
}

// contentDigest is over what an example says: input, output and alternatives.
func contentDigest(e *rung.Example) rung.Digest {
	b := make([]byte, 0, len(e.Input)+len(e.Output)+64)
	b = append(append(b, e.Input...), '\n')
	b = append(append(b, e.Output...), '\n')
	for _, alt := range e.Alternatives {
		b = append(append(b, alt...), '\n')
	}
	return rung.DigestBytes(b)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// count writes a number with its noun: "1 row", "2 rows".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
