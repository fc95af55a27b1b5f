package curate

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/rows"
)

// Working files lie beside the folder that is built, in a hidden folder of their own: for each finished step its record and the rows that
// it removed, and of the last one the rows with their origins. So they take at most some three times what the rows take.

// workVersion changes when a step gives other results for the same input, so that no old working file is taken for a new one.
const workVersion = "rung data build 1"

const journalName = "steps.json"

// work is the folder of working files.
type work struct {
	dir     string
	dry     bool
	lock    *os.File
	keys    []rung.Digest
	journal []entry
}

// entry is a finished step in the journal.
type entry struct {
	Key     rung.Digest   `json:"key"`
	Step    rung.DataStep `json:"step"`
	Origins rung.Digest   `json:"origins"`         // of its file of origins
	Gone    rung.Digest   `json:"gone"`            // of its file of removed rows
	Vault   rung.Digest   `json:"vault,omitempty"` // of the sealed file of rows as they were, where there is one
	Sources []rung.Source `json:"sources,omitempty"`
	Fields  []string      `json:"fields,omitempty"`
}

// openWork takes the working folder of an output, which nobody else may have at the same time.
func openWork(out string, dry bool) (*work, error) {
	parent := filepath.Dir(out)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return nil, unwritable(parent, err)
	}
	w := &work{dry: dry, dir: filepath.Join(parent, "."+filepath.Base(out)+".rung-build")}
	if dry {
		dir, err := os.MkdirTemp(parent, "."+filepath.Base(out)+".rung-dry-*")
		if err != nil {
			return nil, unwritable(parent, err)
		}
		w.dir = dir
	}
	if err := os.MkdirAll(w.dir, 0o700); err != nil {
		return nil, unwritable(w.dir, err)
	}
	lock, err := os.OpenFile(filepath.Join(w.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, unwritable(w.dir, err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		return nil, &rung.Error{Code: rung.CodeConflict, Place: out, What: "another rung data build is making this dataset", Do: "wait for it to end", Err: err}
	}
	w.lock = lock
	return w, nil
}

// close gives the folder back. A dry run leaves nothing, whatever its end, and a build that finished no step neither.
func (w *work) close() {
	if w.dry || len(w.journal) == 0 {
		_ = os.RemoveAll(w.dir) // what stays is taken by the next build
	}
	_ = w.lock.Close()
}

// remove takes the working files away.
func (w *work) remove() error {
	if err := os.RemoveAll(w.dir); err != nil {
		return unwritable(w.dir, err)
	}
	return nil
}

func (w *work) path(i int, name, kind string) string {
	return filepath.Join(w.dir, fmt.Sprintf("%d-%s.%s.jsonl", i+1, name, kind))
}

func (w *work) keyAt(i int) rung.Digest { return w.keys[i] }

// finished are the steps of the journal that are the first of keys, and whose files are whole. All else is removed.
func (w *work) finished(keys []rung.Digest) []entry {
	w.keys = keys
	b, err := os.ReadFile(filepath.Join(w.dir, journalName))
	var all []entry
	if err == nil {
		err = json.Unmarshal(b, &all)
	}
	n := 0
	for err == nil && n < len(all) && n < len(keys) && all[n].Key == keys[n] {
		n++
	}
	// Rows are there of the last step alone: with other options after it, or a damaged file, the build begins anew.
	if n == 0 || n < len(all) || !w.whole(all) {
		w.clear()
		return nil
	}
	w.journal = all
	return all
}

func (w *work) whole(all []entry) bool {
	for i := range all {
		if !sameDigest(w.path(i, all[i].Step.Name, "removed"), all[i].Gone) {
			return false
		}
		if all[i].Vault != "" && !sameDigest(filepath.Join(w.dir, vaultWork), all[i].Vault) {
			return false
		}
	}
	last, i := &all[len(all)-1], len(all)-1
	return sameDigest(w.path(i, last.Step.Name, "rows"), last.Step.Out) && sameDigest(w.path(i, last.Step.Name, "origins"), last.Origins)
}

func sameDigest(path string, want rung.Digest) bool {
	got, _, err := digestOfFile(path)
	return err == nil && got == want
}

// clear removes all working files but the lock.
func (w *work) clear() {
	files, err := os.ReadDir(w.dir)
	if err != nil {
		return // what is there is written over
	}
	for _, f := range files {
		if f.Name() != "lock" {
			_ = os.Remove(filepath.Join(w.dir, f.Name())) // what stays is written over
		}
	}
}

// done enters a step into the journal and takes the rows of the one before away.
func (w *work) done(i int, e *entry) error {
	var err error
	for kind, digest := range map[string]*rung.Digest{"origins": &e.Origins, "removed": &e.Gone} {
		if *digest, _, err = digestOfFile(w.path(i, e.Step.Name, kind)); err != nil {
			return err
		}
	}
	if e.Step.Name == StepPII {
		path := filepath.Join(w.dir, vaultWork)
		if _, err := os.Stat(path); err == nil {
			if e.Vault, _, err = digestOfFile(path); err != nil {
				return err
			}
		}
	}
	w.journal = append(w.journal[:i:i], *e)
	b, err := json.Marshal(w.journal)
	if err != nil {
		return fmt.Errorf("journal of the build: %w", err)
	}
	out, err := rows.Create(filepath.Join(w.dir, journalName))
	if err != nil {
		return err
	}
	defer out.Abandon()
	if _, err := out.Write(b); err != nil {
		return err
	}
	if err := out.Finish(); err != nil {
		return err
	}
	if i > 0 {
		for _, kind := range []string{"rows", "origins"} {
			if err := os.Remove(w.path(i-1, w.journal[i-1].Step.Name, kind)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return unwritable(w.dir, err)
			}
		}
	}
	return nil
}

// table are the rows that a finished step gave.
func (w *work) table(e *entry) *table {
	for i := range w.journal {
		if w.journal[i].Key == e.Key {
			return &table{rows: w.path(i, e.Step.Name, "rows"), origins: w.path(i, e.Step.Name, "origins"), n: e.Step.Kept, digest: e.Step.Out}
		}
	}
	return nil
}

// removed are the files of removed rows, in the order of the steps.
func (w *work) removed() []string {
	var out []string
	for i := range w.journal {
		out = append(out, w.path(i, w.journal[i].Step.Name, "removed"))
	}
	return out
}

func (w *work) sink(i int, name string) (*sink, error) {
	s := &sink{step: name, counts: map[reason]int{}}
	var err error
	for _, f := range []struct {
		kind string
		out  **rows.Output
	}{{"rows", &s.rows}, {"origins", &s.origins}, {"removed", &s.removed}} {
		if *f.out, err = rows.Create(w.path(i, name, f.kind)); err != nil {
			s.abandon()
			return nil, err
		}
	}
	return s, nil
}

// sink takes the rows that a step gives.
type sink struct {
	step                   string
	rows, origins, removed *rows.Output
	kept, gone, changed    int
	counts                 map[reason]int
	notes                  []string
	report                 any
	line                   bytes.Buffer
}

// reason is why rows were removed or changed.
type reason struct {
	word    string
	changed bool
}

// keep passes a row on as it is.
func (s *sink) keep(row, origin []byte) error {
	s.kept++
	if err := s.rows.Line(row); err != nil {
		return err
	}
	return s.origins.Line(origin)
}

// change passes on a row that was changed, each change with its reason.
func (s *sink) change(row []byte, origin *rung.Origin, reasons ...string) error {
	s.changed++
	for _, r := range reasons {
		s.counts[reason{r, true}]++
	}
	b, err := encode(&s.line, origin)
	if err != nil {
		return err
	}
	return s.keep(row, b)
}

// remove takes a row out.
func (s *sink) remove(r *rung.RemovedRow) error {
	s.gone++
	s.counts[reason{r.Reason, false}]++
	r.Step = s.step
	b, err := encode(&s.line, r)
	if err != nil {
		return err
	}
	return s.removed.Line(b)
}

func (s *sink) note(format string, args ...any) {
	s.notes = append(s.notes, fmt.Sprintf(format, args...))
}

func (s *sink) reasonCounts() []rung.ReasonCount { return sortedCounts(s.counts) }

func (s *sink) finish() error {
	for _, o := range []*rows.Output{s.removed, s.origins, s.rows} {
		if err := o.Finish(); err != nil {
			return err
		}
	}
	return nil
}

func (s *sink) abandon() {
	for _, o := range []*rows.Output{s.rows, s.origins, s.removed} {
		if o != nil {
			o.Abandon()
		}
	}
}

// encode writes v as one line of JSON, without its end.
func encode(buf *bytes.Buffer, v any) ([]byte, error) {
	buf.Reset()
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("a record of the dataset: %w", err)
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// plainJSON is v as JSON that stays as it is when it is read and written again.
func plainJSON(v any) (json.RawMessage, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("a record of the dataset: %w", err)
	}
	return b, nil
}

func cmpText(a, b string) int { return cmp.Compare(a, b) }

func asPath(err error, pe **fs.PathError) bool { return errors.As(err, pe) }
