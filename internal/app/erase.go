package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/data"
	"github.com/rung-dev/rung/internal/govern"
	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/task"
)

// EraseOptions say whom to forget, and where.
type EraseOptions struct {
	Wanted  govern.Wanted
	Folders []string      // datasets besides those that the project knows
	Dir     string        // of the store; "" where there is none
	Store   store.Store   // nil where there is none
	Serving store.Serving // nil where there is none
	Why     string        // the request, such as its number; no personal data
	Do      bool          // else it is only said what would go
	Vault   func(holds func([]byte) bool, do bool) (int, error)
	Report  func(dir string, d *rung.Dataset) error // writes report.html of what is left into a folder; nil: it goes
	Tell    func(string)
	Now     time.Time
}

// Erasure is what was forgotten, or would be. It names no person and holds none of what was erased, so that it can be kept.
type Erasure struct {
	Done     bool            `json:"done"`
	On       string          `json:"on"`
	Why      string          `json:"why,omitempty"`
	Asked    AskedFor        `json:"asked"`
	Resumed  bool            `json:"resumed,omitempty"` // an interrupted one went on
	Datasets []ErasedDataset `json:"datasets"`
	Store    store.Erased    `json:"store"`
	Gateway  store.Erased    `json:"gateway"`
	Vault    *int            `json:"vault,omitempty"`
	Loose    []LooseFile     `json:"files"` // that still hold it and were not changed
	Made     []MadeFrom      `json:"made_from"`
	Left     []string        `json:"left"` // what rung cannot reach
}

// AskedFor counts what was looked for.
type AskedFor struct {
	Persons int `json:"persons"`
	IDs     int `json:"ids"`
	Texts   int `json:"texts"`
	Phrases int `json:"phrases"`
	Numbers int `json:"numbers"`
}

// LooseFile is a raw file or a task's own file that still holds the person.
type LooseFile struct {
	File  string `json:"file"`
	Lines []int  `json:"lines,omitempty"` // the first hundred
	More  int    `json:"more,omitempty"`
	Note  string `json:"note,omitempty"`
}

// MadeFrom is an index, a train pool, an adapter or a release that was made from what was erased.
type MadeFrom struct {
	Kind string `json:"kind"` // adapter, release, index, train pool, candidate
	Name string `json:"name"`
	How  string `json:"how"` // "holds", "was trained on", "was chosen on", "may have been trained on"
	Do   string `json:"do"`
}

// erasing is an erasure under way.
type erasing struct {
	opt    EraseOptions
	finder *govern.Finder
	out    Erasure
	texts  map[string][]string      // dataset → what its found rows say, for its list
	raws   map[string][]rung.Digest // dataset → its raw rows
	lists  map[string]*govern.Tombstones
	beside map[string]string // dataset → folder of its description
	why    map[string]string // row → by what it was found first
}

// Erase forgets a person: their rows leave every dataset, what was kept of them leaves the stores, and what was made from them is named.
// Without Do nothing is changed. An erasure that was interrupted goes on where the same one is asked for again.
func Erase(ctx context.Context, opt EraseOptions) (*Erasure, error) {
	if opt.Now.IsZero() {
		opt.Now = time.Now().UTC()
	}
	e := &erasing{opt: opt, lists: map[string]*govern.Tombstones{}, beside: map[string]string{}, why: map[string]string{}}
	e.out = Erasure{Done: opt.Do, On: opt.Now.Format(time.DateOnly), Why: opt.Why, Store: store.Erased{}, Gateway: store.Erased{}, Datasets: []ErasedDataset{}, Loose: []LooseFile{}, Made: []MadeFrom{},
		Asked: AskedFor{len(opt.Wanted.Persons), len(opt.Wanted.IDs), len(opt.Wanted.Texts), len(opt.Wanted.Phrases), len(opt.Wanted.Numbers)}}
	if err := e.resume(); err != nil {
		return nil, err
	}
	if e.finder.Empty() {
		return nil, &rung.Error{Code: rung.CodeUsage, What: "there is nothing to look for, or it says too little to be anybody's", Do: "name a person, a row, or a text of some words"}
	}
	folders, tasks, err := e.places(ctx)
	if err != nil {
		return nil, err
	}
	if err := e.find(folders); err != nil {
		return nil, err
	}
	if err := e.loose(tasks); err != nil {
		return nil, err
	}
	if err := e.madeFrom(ctx); err != nil { // while the store still knows
		return nil, err
	}
	if opt.Do {
		if err := e.keepJournal(); err != nil {
			return nil, err
		}
		if err := e.rewriteAll(); err != nil {
			return nil, err
		}
	}
	if err := e.stores(ctx); err != nil {
		return nil, err
	}
	e.out.Left = e.left()
	if opt.Do {
		return &e.out, e.dropJournal()
	}
	return &e.out, nil
}

func (e *erasing) say(format string, args ...any) {
	if e.opt.Tell != nil {
		e.opt.Tell(fmt.Sprintf(format, args...))
	}
}

// The journal keeps what is looked for while an erasure is under way: once rows are gone from a dataset, nothing else knows what they said.
// journal is what erasing.json holds.
type journal struct {
	govern.Wanted
	Folders []string `json:"folders"` // of the datasets that are changed
}

func (e *erasing) journal() string {
	if e.opt.Dir == "" {
		return ""
	}
	return filepath.Join(e.opt.Dir, "erasing.json")
}

func (e *erasing) resume() error {
	w := e.opt.Wanted
	if path := e.journal(); path != "" {
		b, err := os.ReadFile(path)
		if err == nil {
			var was journal
			if err := json.Unmarshal(b, &was); err != nil {
				return &rung.Error{Code: rung.CodeStore, Place: path, What: "the journal of an interrupted erasure cannot be read: " + err.Error(), Do: "delete it, and name everything that was asked for again", Err: err}
			}
			for _, dir := range was.Folders { // killed while one was exchanged, only its new or its old copy may be there
				if err := mend(dir); err != nil {
					return err
				}
			}
			e.out.Resumed = true
			w = govern.Wanted{Persons: union(w.Persons, was.Persons), IDs: union(w.IDs, was.IDs), Texts: union(w.Texts, was.Texts), Phrases: union(w.Phrases, was.Phrases),
				Numbers: union(w.Numbers, was.Numbers), Learned: was.Learned}
		} else if !errors.Is(err, fs.ErrNotExist) {
			return cannot(path, err)
		}
	}
	e.finder = govern.NewFinder(w)
	return nil
}

func union(a, b []string) []string {
	out := append(slices.Clone(a), b...)
	slices.Sort(out)
	return slices.Compact(out)
}

func (e *erasing) keepJournal() error {
	path := e.journal()
	if path == "" {
		return nil
	}
	w := e.finder.Wanted
	for id := range e.finder.Rows() {
		w.IDs = append(w.IDs, id)
	}
	w.IDs = union(w.IDs, nil)
	j := journal{Wanted: w}
	for i := range e.out.Datasets {
		j.Folders = append(j.Folders, e.out.Datasets[i].Folder)
	}
	return govern.WriteWhole(path, marshal(&j, nil), 0o600)
}

func (e *erasing) dropJournal() error {
	path := e.journal()
	if path == "" {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return cannot(path, err)
	}
	return nil
}

// places are the datasets and tasks that the project knows: task files and descriptions beside the store, those of its runs, and copies of
// datasets that gave way to newer ones.
func (e *erasing) places(ctx context.Context) (folders []string, tasks []*rung.Task, err error) {
	add := func(dir string) {
		if dir, err := filepath.Abs(dir); err == nil && !slices.Contains(folders, dir) {
			folders = append(folders, dir)
		}
	}
	for _, f := range e.opt.Folders {
		if err := mend(f); err != nil {
			return nil, nil, err
		}
		if !data.IsFolder(f) {
			return nil, nil, &rung.Error{Code: rung.CodeNotFound, Place: f, What: "there is no dataset here (no dataset.json)", Do: "name the folder of a dataset"}
		}
		add(f)
	}
	files, err := e.taskFiles(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, file := range files {
		if d, err := task.OpenDescription(file); err == nil {
			if err := mend(d.Description.Out); err != nil {
				return nil, nil, err
			}
			if data.IsFolder(d.Description.Out) {
				e.beside[d.Description.Out] = d.Description.Dir
				add(d.Description.Out)
			}
			continue
		}
		f, err := task.OpenForm(file)
		if err != nil {
			continue // not a task
		}
		if full, err := task.Open(file); err == nil {
			f = full
		}
		tasks = append(tasks, f.Task)
		for _, path := range f.Task.Examples {
			if folder := datasetFolder(path); folder != "" {
				add(folder)
			}
		}
	}
	for _, dir := range slices.Clone(folders) {
		copies, err := filepath.Glob(dir + "@*")
		if err != nil {
			continue // a name with brackets has no copies that a glob finds
		}
		for _, c := range copies {
			if data.IsFolder(c) {
				add(c)
			}
		}
	}
	slices.Sort(folders)
	return folders, tasks, nil
}

// taskFiles are YAML files beside the store, and those that its runs name.
func (e *erasing) taskFiles(ctx context.Context) ([]string, error) {
	if e.opt.Dir == "" {
		return nil, nil
	}
	dir, err := filepath.Abs(filepath.Dir(filepath.Clean(e.opt.Dir)))
	if err != nil {
		return nil, cannot(e.opt.Dir, err)
	}
	var files []string
	for _, pattern := range []string{"*.yaml", "*.yml"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, cannot(dir, err)
		}
		files = append(files, found...)
	}
	if e.opt.Store == nil {
		return files, nil
	}
	runs, err := e.opt.Store.Runs(ctx, 0)
	if err != nil {
		return nil, err
	}
	for _, r := range runs {
		kept, ok, err := e.opt.Store.Step(ctx, taskFileStep(r.ID))
		if err != nil {
			return nil, err
		}
		if ok && !slices.Contains(files, string(kept)) {
			files = append(files, string(kept))
		}
	}
	return files, nil
}

// find looks in all datasets until nothing new is found: a row may be named in one and copied in another.
func (e *erasing) find(folders []string) error {
	for known := -1; known != len(e.finder.Rows())+len(e.finder.Learned); {
		known = len(e.finder.Rows()) + len(e.finder.Learned)
		e.out.Datasets, e.texts, e.raws = e.out.Datasets[:0], map[string][]string{}, map[string][]rung.Digest{}
		for _, dir := range folders {
			f, err := data.OpenFolder(dir)
			if err != nil {
				return err
			}
			d, err := e.look(f)
			if err != nil {
				return err
			}
			e.out.Datasets = append(e.out.Datasets, *d)
		}
	}
	return nil
}

// list is the list of erased rows of a dataset: beside its description where there is one, else in its folder.
func (e *erasing) list(f *data.Folder) *govern.Tombstones { return e.lists[f.Dir] }

func (e *erasing) openList(d *ErasedDataset) (path string, err error) {
	dir := d.Folder
	path = filepath.Join(cmp.Or(e.beside[dir], filepath.Dir(dir)), govern.ErasedFile)
	t, err := govern.OpenTombstones(path)
	if err != nil {
		return path, err
	}
	e.finder.Mark(t, e.out.On, e.opt.Why)
	for i := range d.Rows {
		if id := d.Rows[i].ID; id != "" {
			t.Add(govern.MarkID, id, e.out.On, e.opt.Why)
		}
	}
	for _, raw := range e.raws[dir] {
		t.Add(govern.MarkRaw, string(raw), e.out.On, e.opt.Why)
	}
	for _, text := range e.texts[dir] {
		t.Add(govern.MarkText, text, e.out.On, e.opt.Why)
	}
	e.lists[dir] = t
	return path, t.Save(path)
}

// rewriteAll puts the lists down first: a build that runs in between leaves the rows out already.
func (e *erasing) rewriteAll() error {
	for i := range e.out.Datasets {
		d := &e.out.Datasets[i]
		if len(d.Rows) == 0 && d.Records == 0 {
			continue
		}
		var err error
		if d.List, err = e.openList(d); err != nil {
			return err
		}
		e.say("writing %s without %d rows", d.Name, len(d.Rows))
		f, err := data.OpenFolder(d.Folder)
		if err != nil {
			return err
		}
		if err := e.rewrite(f, d); err != nil {
			return err
		}
		d.Note = "tasks that name it have other splits now, and a new digest: climb again"
	}
	return nil
}

func (e *erasing) stores(ctx context.Context) error {
	what := store.Erasure{Holds: e.finder.Holds, Examples: e.finder.Rows(), Dry: !e.opt.Do}
	if e.opt.Store != nil {
		e.say("looking through the store")
		n, err := e.opt.Store.Erase(ctx, what)
		if err != nil {
			return err
		}
		e.out.Store.Add(n)
	}
	if e.opt.Serving != nil {
		e.say("looking through the traces")
		n, err := e.opt.Serving.Erase(ctx, what)
		if err != nil {
			return err
		}
		e.out.Gateway.Add(n)
	}
	if e.opt.Vault != nil {
		n, err := e.opt.Vault(e.finder.Holds, e.opt.Do)
		if err != nil {
			return err
		}
		e.out.Vault = &n
	}
	return nil
}

// loose names the files that are not changed and still hold the person: raw files by the rows' origins, and the tasks' own files.
func (e *erasing) loose(tasks []*rung.Task) error {
	at := map[string]*LooseFile{}
	note := func(file string, line int) {
		l := at[file]
		if l == nil {
			l = &LooseFile{File: file}
			at[file] = l
		}
		switch {
		case line == 0 || slices.Contains(l.Lines, line):
		case len(l.Lines) < 100:
			l.Lines = append(l.Lines, line)
		default:
			l.More++
		}
	}
	for _, d := range e.out.Datasets {
		for _, r := range d.Rows {
			if r.File != "" {
				note(r.File, r.Line)
			}
		}
	}
	for _, t := range tasks {
		for _, path := range append(slices.Clone(t.Examples), t.Documents...) {
			if datasetFolder(path) != "" {
				continue
			}
			if err := e.search(path, note, at); err != nil {
				return err
			}
		}
	}
	for _, l := range at {
		slices.Sort(l.Lines)
		e.out.Loose = append(e.out.Loose, *l)
	}
	slices.SortFunc(e.out.Loose, func(a, b LooseFile) int { return cmp.Compare(a.File, b.File) })
	return nil
}

func (e *erasing) search(path string, note func(string, int), at map[string]*LooseFile) error {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".parquet", ".pdf":
		at[path] = &LooseFile{File: path, Note: "was not searched: look into it yourself"}
		return nil
	}
	return eachLine(path, func(n int, line []byte) error {
		var row rung.DatasetRow
		if json.Unmarshal(line, &row) == nil && e.finder.Row(&row) != "" || e.finder.Holds(line) {
			if row.ID != "" {
				e.finder.Learn(&row)
			}
			note(path, n)
		}
		return nil
	})
}

// left says what rung cannot reach.
func (e *erasing) left() []string {
	out := []string{"backups and copies of the files above, the version history of the folder (Git), and snapshots of the disk"}
	if e.opt.Serving != nil && os.Getenv("RUNG_DATABASE_URL") != "" {
		out = append(out, "the database server's own log, replicas and backups")
	}
	return append(out, "what providers of hosted models keep of requests, reports and exports that were written elsewhere, and logs of programs that call the gateway")
}
