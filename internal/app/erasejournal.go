package app

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/govern"
)

// The journal of an erasure keeps what is looked for while an erasure is under way: once rows are gone from a dataset, nothing else knows what they said.
//
// journal is what erasing.json holds.
type journal struct {
	govern.Wanted
	Asked   []string            `json:"asked"`   // ids that were asked for; all of IDs in journals of older versions
	Found   map[string][]string `json:"found"`   // name of a dataset → ids of its rows
	Raws    []rung.Digest       `json:"raws"`    // digests of raw rows
	Spots   []spot              `json:"spots"`   // and where they stand
	Folders []string            `json:"folders"` // of the datasets that are changed
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
			if was.Found == nil { // of an older version
				was.Asked = was.IDs
			}
			w = govern.Wanted{Persons: union(w.Persons, was.Persons), IDs: union(w.IDs, was.Asked), Texts: union(w.Texts, was.Texts), Phrases: union(w.Phrases, was.Phrases),
				Numbers: union(w.Numbers, was.Numbers), Learned: was.Learned}
			defer e.again(&was)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return cannot(path, err)
		}
	}
	e.finder = govern.NewFinder(w)
	return nil
}

// again takes in what an interrupted erasure had found.
func (e *erasing) again(was *journal) {
	for _, id := range was.IDs {
		e.finder.Found(id)
	}
	for name, ids := range was.Found {
		for _, id := range ids {
			e.mark(name, id)
		}
	}
	for _, raw := range was.Raws {
		e.raws[raw] = true
	}
	for _, s := range was.Spots {
		e.spots[s] = true
	}
}

// mark takes in a row that was found in a dataset.
func (e *erasing) mark(name, id string) {
	if id == "" {
		return
	}
	if e.found[name] == nil {
		e.found[name] = map[string]bool{}
	}
	e.found[name][id] = true
	e.finder.Found(id)
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
	j := journal{Wanted: e.finder.Wanted, Asked: e.finder.IDs, Found: map[string][]string{}, Raws: slices.Sorted(maps.Keys(e.raws)), Spots: slices.Collect(maps.Keys(e.spots))}
	j.IDs = slices.Sorted(maps.Keys(e.finder.Rows()))
	for name, ids := range e.found {
		j.Found[name] = slices.Sorted(maps.Keys(ids))
	}
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
