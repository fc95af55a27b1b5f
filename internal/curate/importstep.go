package curate

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/formats"
	"github.com/rung-dev/rung/internal/rows"
	"github.com/rung-dev/rung/internal/task"
)

// rawFiles are the raw files with their digests, in the order in which they are read.
func (b *build) rawFiles(ctx context.Context) ([]rung.SourceFile, error) {
	var out []rung.SourceFile
	for i := range b.d.Sources {
		for _, path := range b.d.Sources[i].Paths {
			files, err := plainFiles(path)
			if err != nil {
				return nil, err
			}
			for _, file := range files {
				if err := ctx.Err(); err != nil {
					return nil, err
				}
				digest, n, err := digestOfFile(file)
				if err != nil {
					return nil, err
				}
				out = append(out, rung.SourceFile{File: b.shown(file), Digest: digest, Bytes: n})
			}
		}
	}
	return out, nil
}

// maxFolder bounds the files of a folder that is read as one source.
const maxFolder = 100_000

// plainFiles is a file itself, or the files of a folder, sorted. Links to folders are not followed, so a cycle of them ends.
func plainFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	var out []string
	err = filepath.WalkDir(path, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return unreadable(p, err)
		}
		if !e.Type().IsRegular() {
			return nil
		}
		if out = append(out, p); len(out) > maxFolder {
			return &rung.Error{Code: rung.CodeInput, Place: path, What: fmt.Sprintf("the folder holds more than %d files", maxFolder), Do: "name a folder of data"}
		}
		return nil
	})
	slices.Sort(out)
	return out, err
}

// importOptions are what is recorded of a source's reading.
type importOptions struct {
	Source    string        `json:"source"`
	Format    string        `json:"format,omitempty"`
	Encoding  string        `json:"encoding,omitempty"`
	Mapping   *task.Mapping `json:"mapping,omitempty"`
	Generated bool          `json:"generated,omitempty"`
	Files     []string      `json:"files"`
}

// ImportReport is what the import found.
type ImportReport struct {
	Files   []formats.FileReport `json:"files"`
	Renamed int                  `json:"renamed,omitempty"` // rows whose id another row had
	Persons int                  `json:"persons,omitempty"` // different keys of persons
	Labels  int                  `json:"labelled"`          // rows with an output
}

func (b *build) importStep(_ []rung.SourceFile) stepDef {
	var options []importOptions
	for i := range b.d.Sources {
		s := &b.d.Sources[i]
		o := importOptions{Source: s.Name, Format: s.Format, Encoding: s.Encoding, Generated: s.Generated}
		if m := s.Mapping; m.Input != nil || m.Output+m.ID+m.Segment+m.Group+m.Split+m.Time+m.Person != "" {
			o.Mapping = &m
		}
		for _, path := range s.Paths {
			o.Files = append(o.Files, b.shown(path))
		}
		options = append(options, o)
	}
	return stepDef{StepImport, options, func(ctx context.Context, _ *table, out *sink) error {
		im := &importing{ctx: ctx, b: b, out: out, ids: map[[16]byte]int32{}, persons: map[[16]byte]struct{}{}, unlike: map[string]int{}}
		return im.run(ctx)
	}}
}

// importing is an import under way.
type importing struct {
	ctx     context.Context // of the import alone: readers hand rows over without one
	b       *build
	out     *sink
	ids     map[[16]byte]int32 // id → rows that came with it
	persons map[[16]byte]struct{}
	unlike  map[string]int // input fields of a row that are not those of the first → rows
	report  ImportReport
	buf     bytes.Buffer
	obuf    bytes.Buffer
	source  *rung.Source
	fields  []string
}

func half(s string) [16]byte {
	d := rung.DigestBytes([]byte(s))
	var out [16]byte
	copy(out[:], hexBytes(string(d[:32])))
	return out
}

func (im *importing) run(ctx context.Context) error {
	for i := range im.b.d.Sources {
		spec := &im.b.d.Sources[i]
		im.source = &im.b.sources[i]
		report, err := formats.Read(ctx, spec.Paths, readOptions(im.b.d, spec), im.take, im.broken)
		if err != nil {
			return err
		}
		im.files(report)
		im.passed(spec.Passed, report.Passed)
	}
	im.finish()
	if im.out.kept == 0 {
		return &rung.Error{Code: rung.CodeInput, Place: im.b.d.File, What: fmt.Sprintf("the files of all sources hold no usable row (%s)", plural(im.out.gone, "broken one", "broken ones")),
			Do: "look at them with: rung data check FILE; say with format and mapping how they are read"}
	}
	return nil
}

// passed says which files of a pattern or a folder were not read though they may hold rows.
func (im *importing) passed(ours, others []string) {
	say := func(files []string, why string) {
		for i := range files {
			files[i] = im.b.shown(files[i])
		}
		if n := len(files); n > 10 {
			files = append(files[:10:10], fmt.Sprintf("%d more", n-10))
		}
		if len(files) > 0 {
			im.out.note("%s: not read, %s; name what is meant as data itself under files", strings.Join(files, ", "), why)
		}
	}
	say(slices.Clone(ours), "since rung writes such files beside rows")
	say(slices.Clone(others), "since such files in a folder mostly describe it or are what rung wrote beside rows")
}

// readOptions says how the files of a source are read.
func readOptions(d *task.Description, s *task.SourceSpec) formats.Options {
	o := formats.Options{Format: formats.Format(s.Format), Encoding: s.Encoding, Source: s.Name, Output: s.Mapping.Output, Map: map[string]string{}, Home: d.Dir}
	for field, column := range s.Mapping.Input {
		if field == column {
			o.Input = append(o.Input, column)
			continue
		}
		o.Map["input."+field] = column
	}
	slices.Sort(o.Input)
	for role, column := range map[string]string{"id": s.Mapping.ID, "segment": s.Mapping.Segment, "group": s.Mapping.Group, "split": s.Mapping.Split, "time": s.Mapping.Time, "person": s.Mapping.Person} {
		if column != "" {
			o.Map[role] = column
		}
	}
	return o
}

// take enters a row, under an id that only it has.
func (im *importing) take(row *rung.DatasetRow, origin rung.Origin) error {
	origin.File, origin.Source, row.Source = im.b.shown(origin.File), im.source.Name, im.source.Name
	im.identify(row, &origin)
	if im.source.Generated && row.Generated == nil {
		row.Generated = &rung.Generated{By: "not stated"}
	}
	if err := im.b.vouched(im.ctx, row, &origin); err != nil {
		return err
	}
	if row.Person != "" {
		im.persons[half(row.Person)] = struct{}{}
	}
	if len(row.Output) > 0 {
		im.report.Labels++
	}
	im.look(row.Input)
	line, err := encode(&im.buf, row)
	if err != nil {
		return err
	}
	if len(line) > rows.MaxRow {
		return im.broken(rung.RemovedRow{ID: row.ID, Reason: "long", Detail: fmt.Sprintf("the row is longer than %d MiB", rows.MaxRow>>20), File: origin.File, Line: origin.Line, Item: origin.Item})
	}
	o, err := encode(&im.obuf, &origin)
	if err != nil {
		return err
	}
	if len(origin.Changes) > 0 {
		im.out.changed++
	}
	return im.out.keep(line, o)
}

// identify sees that no two rows have one id. The second row of an id gets a number behind it, and its origin says so.
func (im *importing) identify(row *rung.DatasetRow, origin *rung.Origin) {
	if row.ID == "" {
		row.ID = "x" + string(origin.Raw[:min(12, len(origin.Raw))])
	}
	for first := row.ID; ; {
		key := half(row.ID)
		im.ids[key]++
		n := im.ids[key]
		if n == 1 {
			if row.ID != first {
				im.report.Renamed++
				origin.Changes = append(origin.Changes, "id: was "+first+", which another row has")
			}
			break
		}
		row.ID = fmt.Sprintf("%s-%d", first, im.ids[half(first)])
	}
	origin.ID = row.ID
}

// look notes whether the input has the fields that the first one has.
func (im *importing) look(input json.RawMessage) {
	var x rows.Extractor
	members, err := x.Members(input)
	if err != nil {
		return // an input that is no object is found by the check
	}
	if im.fields == nil {
		im.fields = []string{}
		for _, f := range im.b.d.Input {
			im.fields = append(im.fields, f.Name)
		}
		for _, m := range members {
			if len(im.b.d.Input) == 0 {
				im.fields = append(im.fields, string(m.Key))
			}
		}
	}
	same := len(members) == len(im.fields)
	for i := range members {
		same = same && slices.Contains(im.fields, string(members[i].Key))
	}
	if same || len(im.unlike) > 50 {
		return
	}
	var names []string
	for _, m := range members {
		names = append(names, string(m.Key))
	}
	slices.Sort(names)
	im.unlike[fmt.Sprint(names)]++
}

// broken records a row that could not be read.
func (im *importing) broken(r rung.RemovedRow) error {
	r.File = im.b.shown(r.File)
	return im.out.remove(&r)
}

// files enters what was found in the files of a source.
func (im *importing) files(report *formats.Report) {
	for _, f := range report.Files {
		f.File = im.b.shown(f.File)
		encoding := f.Encoding
		if encoding == "utf-8" {
			encoding = ""
		}
		format := string(f.Format)
		if f.Container != "" && f.Container != format {
			format = f.Container + ", " + format
		}
		im.source.Files = append(im.source.Files, rung.SourceFile{File: f.File, Digest: f.Digest, Bytes: f.Bytes, Rows: f.Rows, Format: format, Encoding: encoding})
		for i, r := range f.Repairs {
			im.out.counts[reason{r.Kind, true}] += r.Rows
			f.Repairs[i].Examples = im.b.privacy.repairs(r.Examples)
		}
		im.leftOut(&f)
		for _, note := range f.Notes {
			im.out.note("%s: %s", f.File, note)
		}
		im.report.Files = append(im.report.Files, f)
	}
}

// leftOut enters what was left out. Keys without a role are many and in the record; what a person meant to be read is said: a time that is not
// understood, annotations that differ.
func (im *importing) leftOut(f *formats.FileReport) {
	for i := range f.LeftOut {
		l := &f.LeftOut[i]
		if l.What = im.b.privacy.blankText(l.What); !strings.HasPrefix(l.What, "key ") && i < maxLeftOut {
			im.out.note("%s: left out: %s (%s)", f.File, l.What, plural(l.Rows, "row", "rows"))
		}
	}
}

// maxLeftOut is how many kinds of what was left out are said of a file.
const maxLeftOut = 20

func (im *importing) finish() {
	im.report.Persons = len(im.persons)
	im.b.fields = im.fields
	im.out.report = im.report
	if n := im.report.Renamed; n > 0 {
		im.out.note("%s that another row has, and got a number behind it", plural(n, "row came with an id", "rows came with an id"))
	}
	n := 0
	for _, rows := range im.unlike {
		n += rows
	}
	if n > 0 {
		im.out.note("the inputs of %s have other fields than %s, as the first row has; mapping: {input: …} of their source names them alike", plural(n, "row", "rows"), strings.Join(im.fields, ", "))
	}
	if n := im.out.kept - im.report.Labels; n > 0 {
		im.out.note("%s no output: not labelled yet", plural(n, "row has", "rows have"))
	}
}
