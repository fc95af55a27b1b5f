package app

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
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
	Sealed  string        // the vault that Vault reads, for it is not named as unsearched
	Vault   func(holds func([]byte) bool, do bool) (int, error)
	Raw     RawReader                               // reads raw files as a description says; nil: they are not read
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
	Found    bool            `json:"found"`             // anything at all
	Looked   LookedIn        `json:"looked"`            // where
	Outside  []string        `json:"outside,omitempty"` // datasets and tasks that lie outside of the store's project
	Resumed  bool            `json:"resumed,omitempty"` // an interrupted one went on
	Datasets []ErasedDataset `json:"datasets"`
	Store    store.Erased    `json:"store"`
	Gateway  store.Erased    `json:"gateway"`
	Vault    *int            `json:"vault,omitempty"`
	Work     []string        `json:"working_files,omitempty"` // folders of unfinished builds that hold it, and go
	Loose    []LooseFile     `json:"files"`                   // that still hold it and were not changed
	// NotSearched are datasets in which more of the person may be.
	NotSearched []NotSearched `json:"not_searched"`
	Made        []MadeFrom    `json:"made_from"`
	Reviews     []string      `json:"reviews,omitempty"` // releases whose risk review says so and is a draft again
	Left        []string      `json:"left"`              // what rung cannot reach
}

// AskedFor counts what was looked for.
type AskedFor struct {
	Persons int `json:"persons"`
	IDs     int `json:"ids"`
	Texts   int `json:"texts"`
	Phrases int `json:"phrases"`
	Numbers int `json:"numbers"`
}

// LookedIn says where was looked.
type LookedIn struct {
	Datasets int  `json:"datasets"`
	Rows     int  `json:"rows"`      // of datasets
	Records  int  `json:"records"`   // of removed rows
	RawFiles int  `json:"raw_files"` // of the descriptions that are known
	RawRows  int  `json:"raw_rows"`
	Files    int  `json:"files"` // of tasks: examples and documents
	Store    bool `json:"store"`
	Traces   bool `json:"traces"`
	Vault    bool `json:"vault"`
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
	rawsOf map[string][]rung.Digest // dataset → its raw rows
	lists  map[string]*govern.Tombstones
	beside map[string]string // dataset → folder of its description
	why    map[string]string // name of the dataset and row → by what it was found first
	// found are the ids of rows that were found, by the name of their dataset: builds of one name share ids, others need not.
	found        map[string]map[string]bool
	raws         map[rung.Digest]bool // digests of raw rows that were found
	spots        map[spot]bool        // and where they stand
	descriptions []*task.Description
	read         rawRead
	rawLines     map[string]*LooseFile
	dirs         []string // in which datasets lie
	holding      []holding
}

// Erase forgets a person: their rows leave every dataset, what was kept of them leaves the stores, and what was made from them is named.
// Without Do nothing is changed. An erasure that was interrupted goes on where the same one is asked for again.
func Erase(ctx context.Context, opt EraseOptions) (*Erasure, error) {
	if opt.Now.IsZero() {
		opt.Now = time.Now().UTC()
	}
	e := &erasing{opt: opt, lists: map[string]*govern.Tombstones{}, beside: map[string]string{}, why: map[string]string{}, found: map[string]map[string]bool{}, raws: map[rung.Digest]bool{},
		spots: map[spot]bool{}, rawLines: map[string]*LooseFile{}}
	e.out = Erasure{Done: opt.Do, On: opt.Now.Format(time.DateOnly), Why: opt.Why, Store: store.Erased{}, Gateway: store.Erased{}, Datasets: []ErasedDataset{}, Loose: []LooseFile{}, Made: []MadeFrom{}, NotSearched: []NotSearched{},
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
	e.outside(folders, tasks)
	if err := e.sources(ctx); err != nil {
		return nil, err
	}
	e.vaults()
	if err := e.find(folders); err != nil {
		return nil, err
	}
	if err := e.working(); err != nil {
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
		if err := e.dropWork(); err != nil {
			return nil, err
		}
	}
	if err := e.stores(ctx); err != nil {
		return nil, err
	}
	if err := e.reviews(ctx); err != nil {
		return nil, err
	}
	e.out.Left = e.left()
	e.out.Found = e.any()
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

// find looks in all datasets until nothing new is found: a row may be named in one and copied in another.
func (e *erasing) find(folders []string) error {
	for known := -1; known != e.known(); {
		known = e.known()
		e.out.Datasets, e.texts, e.rawsOf = e.out.Datasets[:0], map[string][]string{}, map[string][]rung.Digest{}
		e.out.Looked.Datasets, e.out.Looked.Rows, e.out.Looked.Records = len(folders), 0, 0
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

// known grows with everything that is found.
func (e *erasing) known() int {
	return len(e.finder.Rows()) + len(e.finder.Learned) + len(e.raws) + len(e.spots)
}

// any reports whether anything was found anywhere.
func (e *erasing) any() bool {
	n := e.out.Store.Total() + e.out.Gateway.Total() + len(e.out.Loose) + len(e.out.Made) + len(e.out.Work)
	for i := range e.out.Datasets {
		n += len(e.out.Datasets[i].Rows) + e.out.Datasets[i].Records
	}
	if e.out.Vault != nil {
		n += *e.out.Vault
	}
	return n > 0
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
		if id := d.Rows[i].ID; id != "" && d.Rows[i].Reason != "place" {
			t.Add(govern.MarkID, id, e.out.On, e.opt.Why)
		}
	}
	for _, raw := range e.rawsOf[dir] {
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
	what := store.Erasure{Holds: e.finder.Holds, Examples: e.finder.Rows(), Dry: !e.opt.Do, Vectors: e.any()}
	if err := e.jobs(); err != nil {
		return err
	}
	e.out.Looked.Store, e.out.Looked.Traces, e.out.Looked.Vault = e.opt.Store != nil, e.opt.Serving != nil, e.opt.Vault != nil
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
		n, err := e.opt.Vault(e.workLine, e.opt.Do)
		if err != nil {
			return err
		}
		e.out.Vault = &n
	}
	return nil
}

// loose names the files that are not changed and still hold the person: raw files, and the tasks' own files.
func (e *erasing) loose(tasks []*rung.Task) error {
	at := e.rawLines
	for _, d := range e.out.Datasets {
		for _, r := range d.Rows {
			if r.File != "" && (r.Digest == "" || !e.read.files[r.Digest]) || r.Reason == "id" {
				e.looseAt(e.beside[d.Folder], r.File, r.Line)
			}
		}
	}
	note := func(file string, line int) {
		if at[file] == nil {
			at[file] = &LooseFile{File: file}
		}
		at[file].add(line)
	}
	for _, t := range tasks {
		for _, path := range append(slices.Clone(t.Examples), t.Documents...) {
			if datasetFolder(path) != "" {
				continue
			}
			e.out.Looked.Files++
			if err := e.search(path, note, at); err != nil {
				return err
			}
		}
	}
	for _, l := range at {
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
	out := []string{"files that rows were copied, converted, split or exported to: only datasets, their raw files and the tasks' own files are looked at", "backups and copies of the files above, the version history of the folder (Git), and snapshots of the disk"}
	if e.opt.Serving != nil && os.Getenv("RUNG_DATABASE_URL") != "" {
		out = append(out, "the database server's own log, replicas and backups")
	}
	return append(out, "what providers of hosted models keep of requests, reports and exports that were written elsewhere, and logs of programs that call the gateway")
}
