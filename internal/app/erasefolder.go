package app

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/data"
	"github.com/rung-dev/rung/internal/govern"
	"github.com/rung-dev/rung/internal/rows"
)

// ErasedRow is a row that goes, or went, from a dataset.
type ErasedRow struct {
	ID     string `json:"id"`
	In     string `json:"in"`     // file of the dataset
	Reason string `json:"reason"` // person, id, text, near, phrase, number, generated, raw (found by its raw row), record
	Source string `json:"source,omitempty"`
	File   string `json:"file,omitempty"` // the raw file, which still holds it
	Line   int    `json:"line,omitempty"`
	Item   int    `json:"item,omitempty"`
	// Digest is that of the raw file.
	Digest rung.Digest `json:"file_digest,omitempty"`
}

// ErasedDataset is what became of one dataset.
type ErasedDataset struct {
	Folder string      `json:"folder"`
	Name   string      `json:"name"`
	Before rung.Digest `json:"before"`
	After  rung.Digest `json:"after,omitempty"` // empty where nothing was changed
	Rows   []ErasedRow `json:"rows"`
	// Records are removed rows whose content went; the record that they were removed stays.
	Records int    `json:"records,omitempty"`
	List    string `json:"list,omitempty"` // where the list of erased rows is
	Note    string `json:"note,omitempty"`
}

// eachLine reads a file of JSON lines.
func eachLine(path string, do func(n int, line []byte) error) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return &rung.Error{Code: rung.CodeInput, Place: path, What: "cannot be read: " + err.Error(), Do: "make it readable", Err: err}
	}
	defer func() { _ = f.Close() }() // it was only read
	in := bufio.NewReaderSize(f, 1<<16)
	for n := 1; ; n++ {
		line, err := readLine(in)
		if len(line) > 0 {
			if e := do(n, line); e != nil {
				return e
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return &rung.Error{Code: rung.CodeInput, Place: fmt.Sprintf("%s:%d", path, n), What: "cannot be read: " + err.Error(), Do: "correct the file", Err: err}
		}
	}
}

const maxLine = 32 << 20

func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxLine {
			return nil, fmt.Errorf("a line has more than %d bytes", maxLine)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return bytes.TrimSpace(line), err
		}
	}
}

// looking is the search through one dataset.
type looking struct {
	*erasing
	f     *data.Folder
	d     *ErasedDataset
	raw   map[string]bool // ids of rows whose raw row was found
	gone  map[string]bool // file and id
	seen  sourcesSeen
	again bool
}

// look finds the rows of a dataset that go. Rows that were generated from one of them go as well, and what was made from those.
func (e *erasing) look(f *data.Folder) (*ErasedDataset, error) {
	d := &ErasedDataset{Folder: f.Dir, Name: f.Dataset.Name, Before: f.Dataset.Digest, Rows: []ErasedRow{}}
	l := &looking{erasing: e, f: f, d: d, raw: map[string]bool{}, gone: map[string]bool{}, seen: sourcesSeen{map[string]int{}, map[string]bool{}}}
	if err := e.byRaw(f, l.raw); err != nil {
		return nil, err
	}
	for first := true; first || l.again; first = false {
		l.again = false
		for _, file := range rowFiles(f) {
			err := eachLine(f.Path(file), func(n int, line []byte) error { return l.row(file, n, line, first) })
			if err != nil {
				return nil, err
			}
		}
	}
	if err := l.records(); err != nil {
		return nil, err
	}
	e.blind(f, &l.seen)
	return d, e.origins(f, d)
}

// byRaw finds the ids of rows whose raw row was found, in this dataset or elsewhere.
func (e *erasing) byRaw(f *data.Folder, ids map[string]bool) error {
	if len(e.raws) == 0 {
		return nil
	}
	return eachOrigin(f, func(o *rung.Origin) {
		if o.Raw != "" && e.raws[o.Raw] {
			ids[o.ID] = true
		}
	})
}

func (l *looking) row(file string, n int, line []byte, first bool) error {
	var r rung.DatasetRow
	if err := json.Unmarshal(line, &r); err != nil {
		return &rung.Error{Code: rung.CodeInput, Place: fmt.Sprintf("%s:%d", l.f.Path(file), n), What: "is no row of a dataset: " + err.Error(), Do: "restore the dataset", Err: err}
	}
	if first {
		l.out.Looked.Rows++
		l.seen.row(&r)
	}
	if l.gone[file+"\x00"+r.ID] {
		return nil
	}
	why := l.reason(&r)
	if why == "" {
		return nil
	}
	l.gone[file+"\x00"+r.ID] = true
	key := l.d.Name + "\x00" + r.ID
	if first := l.why[key]; first != "" { // it is known by its id now
		why = first
	}
	l.why[key] = why
	l.mark(l.d.Name, r.ID)
	l.finder.Learn(&r)
	l.raws[rung.DigestBytes(line)] = true // where this dataset is a source of another
	l.texts[l.f.Dir] = append(l.texts[l.f.Dir], govern.RowText(&r))
	l.d.Rows = append(l.d.Rows, ErasedRow{ID: r.ID, In: file, Reason: why, Source: r.Source})
	l.again = true
	return nil
}

// reason says why a row of the dataset goes; empty when it stays.
func (l *looking) reason(r *rung.DatasetRow) string {
	switch why := l.finder.Row(r); {
	case why != "":
		return why
	case l.raw[r.ID]:
		return "raw"
	case l.found[l.d.Name][r.ID]:
		return "id"
	case r.Generated != nil && slices.ContainsFunc(r.Generated.From, func(id string) bool { return l.finder.Rows()[id] }):
		return "generated"
	}
	return ""
}

// records finds the records of removed rows whose content goes.
func (l *looking) records() error {
	return eachLine(l.f.Path("removed.jsonl"), func(_ int, line []byte) error {
		l.out.Looked.Records++
		r, why := l.record(l.f, line)
		if len(r.Row) > 0 {
			var row rung.DatasetRow
			if json.Unmarshal(r.Row, &row) == nil && row.Source != "" {
				l.seen.row(&row)
			}
		}
		if why == "" {
			return nil
		}
		l.d.Records++
		if r.ID != "" && !slices.ContainsFunc(l.d.Rows, func(x ErasedRow) bool { return x.ID == r.ID }) {
			s, _ := spotOf(l.f, r.File, r.Line, r.Item)
			l.d.Rows = append(l.d.Rows, ErasedRow{ID: r.ID, In: "removed.jsonl", Reason: why, File: r.File, Line: r.Line, Item: r.Item, Digest: s.File})
		}
		return nil
	})
}

// record reads the record of a removed row, and says why its content goes: "record" for what it holds, "place" where only the place in the
// raw file says so, which rows of older builds may share; empty when it stays.
func (e *erasing) record(f *data.Folder, line []byte) (r rung.RemovedRow, why string) {
	if json.Unmarshal(line, &r) != nil || len(r.Row) == 0 && (r.Detail == "" || r.Detail == erasedDetail) {
		return r, ""
	}
	s, known := spotOf(f, r.File, r.Line, r.Item)
	var row rung.DatasetRow
	isRow := json.Unmarshal(r.Row, &row) == nil && len(row.Input) > 0
	switch {
	case isRow && (e.finder.Row(&row) != "" || e.found[f.Dataset.Name][row.ID]):
		if known {
			e.spots[s] = true
		}
		why = "record"
	case e.finder.Holds(r.Row) || e.finder.Holds([]byte(r.Detail)):
		return r, "record"
	case known && e.spots[s]:
		why = "place"
	}
	if isRow && why != "" {
		e.finder.Learn(&row)
	}
	return r, why
}

// origins adds to the rows that go the raw files that still hold them.
func (e *erasing) origins(f *data.Folder, d *ErasedDataset) error {
	at := map[string]int{}
	for i := range d.Rows {
		at[d.Rows[i].ID] = i
	}
	raws := map[rung.Digest]spot{}
	err := eachOrigin(f, func(o *rung.Origin) {
		i, ok := at[o.ID]
		if !ok {
			return
		}
		r := &d.Rows[i]
		r.Source, r.File, r.Line, r.Item = o.Source, o.File, o.Line, o.Item
		s, known := spotOf(f, o.File, o.Line, o.Item)
		if known {
			e.spots[s], r.Digest = true, s.File
		}
		if o.Raw != "" {
			raws[o.Raw] = spot{Name: path.Base(o.File), Line: o.Line}
		}
	})
	if err != nil {
		return err
	}
	// Of older builds all tests of a configuration have the digest of the whole of it, which names none of them.
	rows := map[rung.Digest]int{}
	err = eachOrigin(f, func(o *rung.Origin) {
		if s, ok := raws[o.Raw]; ok && s.Line == o.Line && s.Name == path.Base(o.File) {
			rows[o.Raw]++
		}
	})
	for raw, n := range rows {
		if n == 1 {
			e.raws[raw] = true
			e.rawsOf[f.Dir] = append(e.rawsOf[f.Dir], raw)
		}
	}
	slices.Sort(e.rawsOf[f.Dir])
	return err
}

// eachOrigin goes through the origins of a dataset.
func eachOrigin(f *data.Folder, do func(*rung.Origin)) error {
	return eachLine(f.Path("origins.jsonl"), func(_ int, line []byte) error {
		var o rung.Origin
		if json.Unmarshal(line, &o) == nil {
			do(&o)
		}
		return nil
	})
}

func rowFiles(f *data.Folder) []string {
	var out []string
	for _, s := range f.Dataset.Splits {
		out = append(out, s.File)
	}
	return append(out, "unlabelled.jsonl")
}

// names of a folder while it is changed: the new one beside the old, so that a crash leaves one of them whole.
func erasingNames(dir string) (fresh, old string) {
	parent, name := filepath.Split(filepath.Clean(dir))
	return filepath.Join(parent, "."+name+".rung-erase-new"), filepath.Join(parent, "."+name+".rung-erase-old")
}

// mend ends what an interrupted erasure left of a folder.
func mend(dir string) error {
	fresh, old := erasingNames(dir)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(filepath.Join(fresh, datasetFile)); err == nil {
			if err := os.Rename(fresh, dir); err != nil {
				return cannot(dir, err)
			}
		} else if _, err := os.Stat(old); err == nil {
			if err := os.Rename(old, dir); err != nil {
				return cannot(dir, err)
			}
		}
	}
	return errors.Join(os.RemoveAll(fresh), os.RemoveAll(old))
}

func cannot(path string, err error) error {
	return &rung.Error{Code: rung.CodeStore, Place: path, What: "cannot be changed: " + err.Error(), Do: "make the folder writable and free some space, and run the same command again", Err: err}
}

// rewrite writes the folder anew without the rows, and puts it in place of the old one.
func (e *erasing) rewrite(f *data.Folder, d *ErasedDataset) error {
	fresh, old := erasingNames(f.Dir)
	if err := os.Mkdir(fresh, 0o755); err != nil {
		return cannot(fresh, err)
	}
	ds := *f.Dataset
	ds.Splits, ds.Files = slices.Clone(ds.Splits), slices.Clone(ds.Files)
	if err := e.rewriteFiles(f, fresh, &ds); err != nil {
		return err
	}
	if err := e.rewriteManifest(f, fresh, &ds, d); err != nil {
		return err
	}
	d.After = ds.Digest
	e.say("putting %s in place", d.Name)
	if err := os.Rename(f.Dir, old); err != nil {
		return cannot(f.Dir, err)
	}
	if err := os.Rename(fresh, f.Dir); err != nil {
		return cannot(f.Dir, err)
	}
	parent, name := filepath.Split(filepath.Clean(f.Dir))
	return errors.Join(os.RemoveAll(old), os.RemoveAll(filepath.Join(parent, "."+name+".rung-build"))) // working files of a build hold rows too
}

func (e *erasing) rewriteFiles(f *data.Folder, fresh string, ds *rung.Dataset) error {
	goes, err := e.going(f)
	if err != nil {
		return err
	}
	kinds := map[string]func([]byte) ([]byte, bool){
		"removed.jsonl": func(line []byte) ([]byte, bool) { return e.keepRecord(f, goes, line) },
		"origins.jsonl": func(line []byte) ([]byte, bool) { return e.keepOrigin(goes, line) },
	}
	write := func(file string) (int, int, rung.Digest, error) {
		keep := kinds[file]
		if keep == nil {
			keep = func(line []byte) ([]byte, bool) { return e.keepRow(goes, line) }
		}
		out, err := rows.Create(filepath.Join(fresh, file))
		if err != nil {
			return 0, 0, "", err
		}
		defer out.Abandon()
		n, generated := 0, 0
		err = eachLine(f.Path(file), func(_ int, line []byte) error {
			kept, ok := keep(line)
			if !ok {
				return nil
			}
			n++
			if bytes.Contains(kept, []byte(`"generated":{`)) {
				generated++
			}
			return out.Line(kept)
		})
		if err != nil {
			return 0, 0, "", err
		}
		err = out.Finish() // the digest is that of what was written out
		return n, generated, out.Digest(), err
	}
	for i := range ds.Splits {
		s := &ds.Splits[i]
		var err error
		if s.Rows, s.Generated, s.Digest, err = write(s.File); err != nil {
			return err
		}
	}
	for i := range ds.Files {
		o := &ds.Files[i]
		var err error
		if o.Rows, _, o.Digest, err = write(o.File); err != nil {
			return err
		}
	}
	return nil
}

// going are the ids of the rows of a dataset that go.
func (e *erasing) going(f *data.Folder) (map[string]bool, error) {
	goes := map[string]bool{}
	for id := range e.found[f.Dataset.Name] {
		goes[id] = true
	}
	for _, id := range e.finder.IDs {
		goes[id] = true
	}
	return goes, e.byRaw(f, goes)
}

func (e *erasing) keepRow(goes map[string]bool, line []byte) ([]byte, bool) {
	var r rung.DatasetRow
	if json.Unmarshal(line, &r) != nil {
		return line, true
	}
	return line, !goes[r.ID] && e.finder.Row(&r) == ""
}

// erasedDetail is what a record says whose content went.
const erasedDetail = "erased"

func (e *erasing) keepRecord(f *data.Folder, goes map[string]bool, line []byte) ([]byte, bool) {
	r, why := e.record(f, line)
	if why == "" && !goes[r.ID] {
		return line, true
	}
	r.Row, r.Detail, r.ID = nil, erasedDetail, e.plainID(r.ID)
	return marshal(&r, line), true
}

// keepOrigin leaves of an erased row its id, its place and the word erased.
func (e *erasing) keepOrigin(goes map[string]bool, line []byte) ([]byte, bool) {
	var o rung.Origin
	if json.Unmarshal(line, &o) != nil || !goes[o.ID] {
		return line, true
	}
	o = rung.Origin{ID: e.plainID(o.ID), Source: o.Source, File: o.File, Line: o.Line, Item: o.Item, Changes: []string{"erased"}}
	return marshal(&o, line), true
}

// plainID is an id that does not itself say whose row it was.
func (e *erasing) plainID(id string) string {
	if id != "" && (e.finder.Holds([]byte(id)) || slices.Contains(e.finder.Persons, id)) {
		return "erased"
	}
	return id
}

func marshal(v any, fallback []byte) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(v) != nil { // it was read from JSON
		return fallback
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
