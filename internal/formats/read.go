package formats

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/charset"
	"github.com/rung-dev/rung/internal/records"
	"github.com/rung-dev/rung/internal/rows"
)

// Read reads files and folders in their order and gives each row with its origin to take, and what cannot be read to broken. An error of
// either ends it. A file that cannot be read at all is an error, and so is one without a row that can be read. The row is the caller's to keep.
func Read(ctx context.Context, paths []string, o Options, take func(*rung.DatasetRow, rung.Origin) error, broken func(rung.RemovedRow) error) (*Report, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	s := &session{ctx: ctx, o: &o, take: take, broken: broken, named: o.named(), found: map[string]bool{}, report: &Report{Files: []FileReport{}, Fields: []string{}}}
	for _, path := range paths {
		info, err := os.Stat(path) // a cycle of links ends here
		if err != nil {
			return nil, records.Unreadable(path, err)
		}
		if info.IsDir() {
			err = s.folder(path)
		} else {
			err = s.file(path, rung.Split(""), nil)
		}
		if err != nil {
			return nil, err
		}
	}
	for _, f := range s.report.Files {
		s.report.Rows += f.Rows
		s.report.Broken += f.Broken
	}
	if absent := s.absent(s.found); len(absent) > 0 && s.report.Rows > 0 {
		return nil, s.noSuchKey(strings.Join(paths[:min(len(paths), 3)], ", "), absent)
	}
	return s.report, nil
}

// check refuses options that mean nothing.
func (o *Options) check() error {
	known := []Format{"", Rung, Flat, Text, Chat, ShareGPT, Alpaca, LabelStudio, Promptfoo, Traces, Folder}
	containers := []Format{JSONL, JSON, CSV, TSV, Parquet, HF}
	if slices.Contains(containers, o.Format) {
		o.Format = "" // how rows lie in a file is found in any case
	}
	if !slices.Contains(known, o.Format) {
		return &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("no format is called %q", o.Format), Do: "write one of rung, flat, text, chat, sharegpt, alpaca, labelstudio, promptfoo, traces, folder"}
	}
	for role := range o.Map {
		if !slices.Contains(roles, role) && (len(role) <= len("input.") || role[:6] != "input.") {
			return &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("no role is called %q", role), Do: "write one of id, output, alternatives, segment, group, split, time, person, or input.NAME"}
		}
	}
	if !slices.Contains([]Conversation{"", ChatText, ChatMessages}, o.Conversation) {
		return &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("chats are not kept as %q", o.Conversation), Do: "write text or messages"}
	}
	return nil
}

// session is one reading.
type session struct {
	ctx    context.Context
	o      *Options
	take   func(*rung.DatasetRow, rung.Origin) error
	broken func(rung.RemovedRow) error
	ids    idSet
	named  map[string]string // keys that were named, each with its role
	found  map[string]bool   // keys that were named and that a row of any file has
	keys   []string          // those that the rows have, as far as they were looked at
	report *Report
}

// file reads a file, or each file of an archive. split and names are what its folder says of it.
func (s *session) file(path string, split rung.Split, names map[string][]string) error {
	o := records.Options{Encoding: s.o.Encoding, MaxExpanded: s.o.MaxExpanded, MaxRatio: s.o.MaxRatio, Tmp: s.o.Tmp}
	var last *reading
	done := func() error {
		if last == nil {
			return nil
		}
		r := last
		last = nil
		return r.finish()
	}
	err := records.Read(s.ctx, path, o, func(f *records.File) (records.Take, error) {
		if err := done(); err != nil {
			return nil, err
		}
		if f.Names == nil {
			f.Names = names
		}
		last = s.reading(f, split)
		return last.record, nil
	})
	return errors.Join(err, doneUnless(err, done))
}

// doneUnless finishes what was read unless there was an error, which says more.
func doneUnless(err error, done func() error) error {
	if err != nil {
		return nil
	}
	return done()
}

// lookedAt is how many rows are held to find out how a file says what is asked and answered, within heldBytes.
const (
	lookedAt  = 1000
	heldBytes = 32 << 20
)

// reading is the reading of one file. Its first rows are held until its format is found.
type reading struct {
	*session
	f       *records.File
	split   rung.Split
	out     FileReport
	held    []held
	size    int
	shape   shape
	x       rows.Extractor
	repairs map[charset.Kind]int // → index into out.Repairs
	counts  map[string]int       // of what was left out
	seen    map[string]bool      // input fields
	found   map[string]bool      // keys that were named and that a row has
	faults  map[string]int       // why rows could not be read
	// numbered are rows whose id an earlier row has.
	numbered int
}

// at is where a record stands in its file; see rung.Origin.
type at struct{ line, item int }

func (p at) String() string {
	if p.item > 0 {
		return fmt.Sprintf("line %d, item %d", p.line, p.item)
	}
	return fmt.Sprintf("line %d", p.line)
}

// held is a record that waits.
type held struct {
	json, raw []byte
	at        at
	repairs   []charset.Repair
}

func (s *session) reading(f *records.File, split rung.Split) *reading {
	if split == "" {
		name := f.Name
		if s.o.Home != "" && filepath.Dir(name) == s.o.Home {
			name = filepath.Base(name)
		}
		split = splitOfName(name)
	}
	return &reading{session: s, f: f, split: split, repairs: map[charset.Kind]int{}, counts: map[string]int{}, seen: map[string]bool{}, found: map[string]bool{}, faults: map[string]int{},
		out: FileReport{File: f.Name, Container: string(f.Container), Compression: f.Compression}}
}

func (r *reading) record(rec *records.Record) error {
	if rec.Fault != "" {
		return r.remove("unreadable", rec.Fault, rec.Raw, at{rec.Line, rec.Item})
	}
	if r.shape != nil {
		return r.row(rec.JSON, rec.Raw, at{rec.Line, rec.Item}, rec.Repairs)
	}
	h := held{append([]byte(nil), rec.JSON...), append([]byte(nil), rec.Raw...), at{rec.Line, rec.Item}, slices.Clone(rec.Repairs)}
	r.held, r.size = append(r.held, h), r.size+len(h.json)+len(h.raw)
	if len(r.held) >= lookedAt || r.size >= heldBytes {
		return r.begin()
	}
	return nil
}

// begin finds the format and gives the rows that were held.
func (r *reading) begin() error {
	var err error
	if r.shape, r.out.Format, r.out.Chosen, err = r.choose(); err != nil {
		return err
	}
	r.shape = r.obeying(r.shape, r.out.Format)
	for _, h := range r.held {
		if err := r.row(h.json, h.raw, h.at, h.repairs); err != nil {
			return err
		}
	}
	r.held = nil
	return nil
}

// finish completes the report of the file.
func (r *reading) finish() error {
	if r.shape == nil {
		if err := r.begin(); err != nil {
			return err
		}
	}
	r.out.Encoding, r.out.Bytes, r.out.Digest = r.f.Encoding, r.f.Bytes, r.f.Digest
	r.out.Notes = append(r.out.Notes, r.f.Notes...)
	if r.numbered > 0 {
		r.out.Notes = append(r.out.Notes, fmt.Sprintf("rows with an id that an earlier row has, or that say what it says, got a number behind it: %d", r.numbered))
	}
	for what, n := range r.counts {
		r.out.LeftOut = append(r.out.LeftOut, Count{what, n})
	}
	slices.SortFunc(r.out.LeftOut, func(a, b Count) int { return cmp.Or(cmp.Compare(b.Rows, a.Rows), cmp.Compare(a.What, b.What)) })
	if r.f.Encoding == charset.Windows1252 { // of a file that is all Windows-1252 it is no repair
		r.out.Repairs = slices.DeleteFunc(r.out.Repairs, func(p Repair) bool { return p.Kind == string(charset.Latin) })
	}
	absent := r.absent(r.found)
	maps.Copy(r.session.found, r.found)
	if r.out.Rows > 0 && len(absent) > 0 {
		r.out.Notes = append(r.out.Notes, "no row has the key "+strings.Join(absent, " or ")+", which was named")
	}
	r.report.Files = append(r.report.Files, r.out)
	if r.out.Rows == 0 && r.out.Broken > 0 {
		if slices.ContainsFunc(absent, func(key string) bool { return strings.HasPrefix(r.named[key], "input") }) {
			return r.noSuchKey(r.f.Name, absent)
		}
		return &rung.Error{Code: rung.CodeInput, Place: r.f.Name, What: fmt.Sprintf("none of its %d rows can be read", r.out.Broken) + r.commonFault(), Do: "look at the file; say with --from (format: in a dataset.yaml) how its rows are to be read"}
	}
	return nil
}

// commonFault is why most rows could not be read: the first may be broken for a reason of its own.
func (r *reading) commonFault() string {
	best := ""
	for _, what := range slices.Sorted(maps.Keys(r.faults)) {
		if best == "" || r.faults[what] > r.faults[best] {
			best = what
		}
	}
	if r.faults[best] <= 1 && len(r.out.Notes) > 0 {
		return ": " + r.out.Notes[0]
	}
	return fmt.Sprintf(": %s (%d of them)", best, r.faults[best])
}

// row makes dataset rows of one record.
func (r *reading) row(text, raw []byte, p at, repairs []charset.Repair) error {
	text, mended := mend(text)
	repairs = append(repairs, mended...)
	drafts, err := r.shape.rows(text)
	r.find(text, drafts)
	var f fault
	if errors.As(err, &f) {
		return r.remove(f.reason, f.what, raw, p)
	}
	if err != nil {
		return err
	}
	r.repaired(repairs, p.line)
	for i := range drafts {
		as := raw
		if len(drafts) > 1 { // one configuration holds many tests, of which each is a row
			as = fmt.Appendf(slices.Clip(raw), "\x00item %d", i+1)
		}
		if i > 0 {
			p.item = i + 1
		}
		if err := r.give(&drafts[i], as, p, repairs); err != nil {
			return err
		}
	}
	return nil
}

func (r *reading) give(d *draft, raw []byte, p at, repairs []charset.Repair) error {
	row := &d.row
	for _, what := range d.left {
		if len(r.counts) < 1000 || r.counts[what] > 0 {
			r.counts[what]++
		}
	}
	if row.Split == "" {
		row.Split = r.split
	}
	row.Source = cmp.Or(r.o.Source, row.Source)
	digest := rung.DigestBytes(raw)
	origin := rung.Origin{Source: row.Source, File: r.f.Name, Line: p.line, Item: p.item, Raw: digest}
	for _, rep := range repairs {
		origin.Changes = append(origin.Changes, string(rep.Kind))
	}
	origin.Changes = append(origin.Changes, d.changes...)
	if err := r.identify(row, &origin); err != nil {
		return err
	}
	r.out.Rows++
	r.fields(row.Input)
	return r.take(row, origin)
}

// identify names a row that has no id by what it says.
func (r *reading) identify(row *rung.DatasetRow, origin *rung.Origin) error {
	if row.ID == "" && r.o.OwnIDs {
		return nil
	}
	if row.ID == "" {
		content, err := json.Marshal([]any{row.Input, row.Output, row.Alternatives})
		if err != nil {
			return fmt.Errorf("the content of a row: %w", err)
		}
		row.ID = string(rung.DigestBytes(content))[:16]
	}
	if r.o.Number {
		first := row.ID
		n := r.ids.add(half(first))
		for again := n; again > 1; n++ {
			row.ID = fmt.Sprintf("%s-%d", first, n)
			again = r.ids.add(half(row.ID))
		}
		if row.ID != first {
			origin.Changes = append(origin.Changes, "id: was "+first+", which another row has")
			r.numbered++
		}
	}
	origin.ID = row.ID
	return nil
}

func (r *reading) fields(input json.RawMessage) {
	members, err := r.x.Members(input)
	if err != nil {
		return // an input that is no object has no fields
	}
	for _, m := range members {
		if name := string(m.Key); !r.seen[name] && len(r.seen) < 1000 {
			r.seen[name] = true
			if !slices.Contains(r.report.Fields, name) {
				r.report.Fields = append(r.report.Fields, name)
			}
		}
	}
}

// repaired counts repairs and keeps the first of each kind.
func (r *reading) repaired(repairs []charset.Repair, line int) {
	counted := map[charset.Kind]bool{}
	for _, p := range repairs {
		i, ok := r.repairs[p.Kind]
		if !ok {
			i = len(r.out.Repairs)
			r.repairs[p.Kind] = i
			r.out.Repairs = append(r.out.Repairs, Repair{Kind: string(p.Kind), Examples: []RepairExample{}})
		}
		if counted[p.Kind] {
			continue
		}
		counted[p.Kind] = true
		to := &r.out.Repairs[i]
		if to.Rows++; len(to.Examples) < 3 {
			to.Examples = append(to.Examples, RepairExample{Line: line, Before: p.Before, After: p.After})
		}
	}
}

// remove gives a row that cannot be read, with its text.
func (r *reading) remove(reason, what string, raw []byte, p at) error {
	r.out.Broken++
	if len(r.faults) < 1000 || r.faults[what] > 0 {
		r.faults[what]++
	}
	if r.out.Rows == 0 && len(r.out.Notes) == 0 {
		r.out.Notes = append(r.out.Notes, p.String()+": "+what)
	}
	row := json.RawMessage(append([]byte(nil), raw...))
	if !json.Valid(row) {
		text, err := json.Marshal(charset.Printable(raw))
		if err != nil {
			return fmt.Errorf("the text of a broken row: %w", err)
		}
		row = text
	}
	return r.broken(rung.RemovedRow{Step: "import", Reason: reason, Detail: what, File: r.f.Name, Line: p.line, Item: p.item, Row: row})
}
