package app

import (
	"cmp"
	"context"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/data"
	"github.com/rung-dev/rung/internal/task"
)

// The key of a person, and what redaction replaced, stand in the raw files and not in every dataset that was built from them: an older build
// may be from before the description named the column. So the raw files are read as the descriptions say now, and rows of datasets are found
// by where they came from: by the digest of the raw row, and of removed rows, which have none, by the digest of the raw file and the place in
// it. What cannot be found so is named.

// RawReader reads the raw files of one source of a description; see curate.EachRaw.
type RawReader func(ctx context.Context, d *task.Description, source int, take func(*rung.DatasetRow, rung.Origin) error, broken func(rung.RemovedRow) error) ([]rung.SourceFile, error)

// spot is a place in a raw file that keeps its name: the digest of the file, its last name (an archive has several of one digest), the line
// and the item on it.
type spot struct {
	File rung.Digest `json:"file"`
	Name string      `json:"name"`
	Line int         `json:"line"`
	Item int         `json:"item,omitempty"`
}

// NotSearched is a dataset, or a part of it, in which rows of the person may be that were not found.
type NotSearched struct {
	Folder string `json:"folder"`
	Source string `json:"source,omitempty"`
	Rows   int    `json:"rows,omitempty"` // of that source
	Why    string `json:"why"`
	Do     string `json:"do"`
}

// rawRead is what was read of raw files.
type rawRead struct {
	files  map[rung.Digest]bool // read whole
	keyed  map[rung.Digest]bool // read whole, with keys of persons
	column map[string]bool      // folder and source whose description names the column of persons
}

// sources reads the raw files of all descriptions that are known, for rows of the person.
func (e *erasing) sources(ctx context.Context) error {
	e.read = rawRead{map[rung.Digest]bool{}, map[rung.Digest]bool{}, map[string]bool{}}
	if e.opt.Raw == nil || !e.finder.Speaks() {
		return nil
	}
	for _, d := range e.descriptions {
		for i := range d.Sources {
			if err := e.source(ctx, d, i); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *erasing) source(ctx context.Context, d *task.Description, i int) error {
	spec := &d.Sources[i]
	keyed := spec.Mapping.Person != ""
	e.read.column[d.Out+"\x00"+spec.Name] = keyed
	var spots []spot
	at := func(file string, line, item int) {
		spots = append(spots, spot{rung.Digest(file), path.Base(file), line, item}) // the file has its digest after its last row
		e.looseAt(d.Dir, file, line)
	}
	files, err := e.opt.Raw(ctx, d, i, func(row *rung.DatasetRow, o rung.Origin) error {
		keyed = keyed || row.Person != ""
		e.out.Looked.RawRows++
		if e.finder.Says(row) == "" {
			return nil
		}
		row.ID = "" // that of the raw file
		e.finder.Learn(row)
		e.raws[o.Raw] = true
		at(o.File, o.Line, o.Item)
		return nil
	}, func(r rung.RemovedRow) error {
		if e.finder.Holds(r.Row) {
			at(r.File, r.Line, r.Item)
		}
		return nil
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		e.notSearched(NotSearched{Folder: d.Out, Source: spec.Name, Why: "its raw files cannot be read now: " + firstOfError(err), Do: "make them readable as the dataset's description says, and ask again"})
		return nil
	}
	digests := map[string]rung.Digest{}
	for _, f := range files {
		digests[f.File] = f.Digest
		e.read.files[f.Digest] = true
		if keyed {
			e.read.keyed[f.Digest] = true
		}
		e.out.Looked.RawFiles++
	}
	for _, s := range spots {
		s.File = digests[string(s.File)]
		e.spots[s] = true
		s.Item = 0 // older builds have no number of the item
		e.spots[s] = true
	}
	return nil
}

// vaults names the vaults of descriptions that nobody gave the key of: they hold rows as they were.
func (e *erasing) vaults() {
	given, err := filepath.Abs(e.opt.Sealed)
	if err != nil {
		given = e.opt.Sealed
	}
	for _, d := range e.descriptions {
		if d.PII.Vault == "" {
			continue
		}
		older, err := filepath.Glob(d.PII.Vault + "@*")
		if err != nil {
			older = nil // a name with brackets
		}
		for _, file := range append([]string{d.PII.Vault}, older...) {
			if _, err := os.Stat(file); err != nil || e.opt.Sealed != "" && file == given {
				continue
			}
			e.notSearched(NotSearched{Folder: file, Why: "it is the vault of the dataset " + d.Name + ", which holds rows as they were, sealed",
				Do: "run the same command with --vault " + file + " --key-file " + d.PII.KeyFile})
		}
	}
}

func firstOfError(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// notSearched names what could not be searched, once.
func (e *erasing) notSearched(n NotSearched) {
	if !slices.Contains(e.out.NotSearched, n) {
		e.out.NotSearched = append(e.out.NotSearched, n)
	}
}

// looseAt notes a line of a raw file, which is not changed.
func (e *erasing) looseAt(dir, file string, line int) {
	if !filepath.IsAbs(file) {
		file = filepath.Join(dir, filepath.FromSlash(file))
	}
	l := e.rawLines[file]
	if l == nil {
		l = &LooseFile{File: file}
		e.rawLines[file] = l
	}
	l.add(line)
}

// spotOf is where a row of a dataset came from.
func spotOf(f *data.Folder, file string, line, item int) (spot, bool) {
	for _, s := range f.Dataset.Sources {
		for _, sf := range s.Files {
			if sf.File == file {
				return spot{sf.Digest, path.Base(file), line, item}, true
			}
		}
	}
	return spot{}, false
}

// blind names the sources of a dataset in which rows of the person cannot be recognised.
func (e *erasing) blind(f *data.Folder, seen *sourcesSeen) {
	for i := range f.Dataset.Sources {
		s := &f.Dataset.Sources[i]
		rows := seen.rows[s.Name]
		if rows == 0 {
			continue
		}
		n := NotSearched{Folder: f.Dir, Source: s.Name, Rows: rows}
		switch {
		case len(e.finder.Persons) > 0 && !seen.keyed[s.Name] && !all(s.Files, e.read.keyed):
			n.Why, n.Do = e.noKey(f, s)
		case e.finder.Mentions() && replaced(f.Dataset) && !all(s.Files, e.read.files):
			n.Why = "personal data in its rows was replaced when it was built, and " + e.filesWhy(s) + ", so nobody can tell which rows mentioned the person"
			n.Do = "put the raw files back as they were and ask again, or delete the folder where nothing uses it"
		default:
			continue
		}
		e.notSearched(n)
	}
}

func (e *erasing) noKey(f *data.Folder, s *rung.Source) (why, do string) {
	folder, _, _ := strings.Cut(f.Dir, "@")
	if e.read.column[folder+"\x00"+s.Name] {
		return "its rows have no key of a person: it was built before its description named the column, and " + e.filesWhy(s),
			"delete the folder where nothing uses it (an older build), or put the raw files back as they were and ask again"
	}
	return "its rows have no key of a person, and no description names the column of the raw files that says whom a row is about",
		"write person: COLUMN at this source in its dataset.yaml and ask again (no new build is needed), or look for names and addresses with --text"
}

// filesWhy says what is wrong with the raw files of a source.
func (e *erasing) filesWhy(s *rung.Source) string {
	for _, f := range s.Files {
		if !e.read.files[f.Digest] {
			return "the raw file " + f.File + " has changed since, or is not there any more"
		}
	}
	return "its raw files were not read with that column"
}

func all(files []rung.SourceFile, known map[rung.Digest]bool) bool {
	return len(files) > 0 && !slices.ContainsFunc(files, func(f rung.SourceFile) bool { return !known[f.Digest] })
}

// replaced reports whether personal data of a dataset was replaced.
func replaced(d *rung.Dataset) bool {
	return slices.ContainsFunc(d.Steps, func(s rung.DataStep) bool { return s.Name == "pii" && s.Changed > 0 })
}

// sourcesSeen counts the rows of each source of a dataset, removed ones too, and says which have keys of persons.
type sourcesSeen struct {
	rows  map[string]int
	keyed map[string]bool
}

func (s *sourcesSeen) row(r *rung.DatasetRow) {
	s.rows[r.Source]++
	if r.Person != "" {
		s.keyed[r.Source] = true
	}
}

var describes = regexp.MustCompile(`(?m)^sources:`)

// describe opens a description; one that cannot be opened is named, and no YAML of another kind is.
func (e *erasing) describe(file string) (*task.Description, bool) {
	d, err := task.OpenDescription(file)
	if err == nil {
		return d.Description, true
	}
	b, readErr := os.ReadFile(file)
	if readErr == nil && len(b) < 1<<20 && describes.Match(b) {
		e.notSearched(NotSearched{Folder: file, Why: "the description has faults, so the raw files that it names were not read: " + firstOfError(err), Do: "correct it (rung data build tells all its faults) and ask again"})
	}
	return nil, false
}

// near are the datasets that lie in a folder, and the descriptions in it: older builds under another name are found there.
func (e *erasing) near(dir string) (folders, descriptions []string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil // it is not there, or is somebody else's
	}
	for _, x := range entries {
		name := filepath.Join(dir, x.Name())
		switch ext := strings.ToLower(filepath.Ext(name)); {
		case x.IsDir() && !strings.HasPrefix(x.Name(), ".") && data.IsFolder(name):
			folders = append(folders, name)
		case x.Type().IsRegular() && (ext == ".yaml" || ext == ".yml"):
			descriptions = append(descriptions, name)
		}
	}
	return folders, descriptions
}

// add notes a line, of which the first hundred are kept.
func (l *LooseFile) add(line int) {
	at, there := slices.BinarySearchFunc(l.Lines, line, cmp.Compare[int])
	switch {
	case line == 0 || there:
	case len(l.Lines) < 100:
		l.Lines = slices.Insert(l.Lines, at, line)
	default:
		l.More++
	}
}
