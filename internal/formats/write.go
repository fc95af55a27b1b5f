package formats

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/rows"
)

// Written formats, for messages and help.
var writable = []Format{Rung, JSONL, JSON, CSV, TSV, Parquet, HF, Text, Chat, ShareGPT, Alpaca, LabelStudio, Promptfoo, Folder}

// writer takes rows and makes files of them that appear when it is finished.
type writer interface {
	row(*rung.DatasetRow) error
	finish() ([]WrittenFile, error)
	abandon()
}

// losses counts what a format could not hold.
type losses struct {
	strict bool
	counts map[string]int
}

func (l *losses) lose(row *rung.DatasetRow, format string, args ...any) error {
	what := fmt.Sprintf(format, args...)
	if l.strict {
		return &rung.Error{Code: rung.CodeUnsupported, Place: row.ID, What: "this row cannot be held by the format: " + what, Do: "write rung or jsonl, or do without --strict"}
	}
	l.counts[what]++
	return nil
}

// Write writes rows to path in a format; a name that ends in .gz is compressed. The file, or folder, appears when it is whole.
func Write(ctx context.Context, format Format, path string, list iter.Seq2[*rung.DatasetRow, error], o WriteOptions) error {
	l := &losses{strict: o.Strict, counts: map[string]int{}}
	w, err := newWriter(format, path, l, &o)
	if err != nil {
		return err
	}
	defer w.abandon()
	n := 0
	for row, err := range list {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = w.row(row)
		}
		if err != nil {
			return err
		}
		n++
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	files, err := w.finish()
	if err != nil || o.Written == nil {
		return err
	}
	*o.Written = Written{Rows: n, Files: files}
	for what, n := range l.counts {
		o.Written.Losses = append(o.Written.Losses, Count{what, n})
	}
	slices.SortFunc(o.Written.Losses, func(a, b Count) int { return cmp.Or(cmp.Compare(b.Rows, a.Rows), cmp.Compare(a.What, b.What)) })
	return nil
}

func newWriter(format Format, path string, l *losses, o *WriteOptions) (writer, error) {
	line := map[Format]func(*losses, *rung.DatasetRow) ([]byte, error){
		Rung: rungLine, JSONL: flatLine, JSON: rungLine, Text: textLine, Chat: chatLine, ShareGPT: shareLine, Alpaca: alpacaLine, LabelStudio: studioLine, Promptfoo: promptfooLine,
	}[format]
	switch format {
	case HF:
		return newHub(path, l, o)
	case Folder:
		return newPairs(path, l)
	case Parquet:
		return newParquet(path, "", l, o)
	case CSV, TSV:
		return newTable(format, path, l, o)
	}
	if line == nil {
		return nil, &rung.Error{Code: rung.CodeUnsupported, What: fmt.Sprintf("the format %q is not written", format), Do: fmt.Sprintf("write one of %v", writable)}
	}
	out, err := create(path)
	if err != nil {
		return nil, err
	}
	w := &lines{file: out, losses: l, line: line}
	switch plain := strings.TrimSuffix(strings.ToLower(path), ".gz"); {
	case format == JSON, format == LabelStudio, strings.HasSuffix(plain, ".json"):
		w.open, w.between, w.close = "[\n", ",\n", "\n]\n"
	case format == Promptfoo:
		w.between, w.prefix, w.yaml = "\n", "- ", true
		w.close = "\n"
	default:
		w.between, w.close = "\n", "\n"
	}
	return w, nil
}

// file is an output, compressed or not.
type file struct {
	*rows.Output
	path string
	z    *gzip.Writer
	n    int
}

func create(path string) (*file, error) {
	out, err := rows.Create(path)
	if err != nil {
		return nil, err
	}
	f := &file{Output: out, path: path}
	if strings.EqualFold(filepath.Ext(path), ".gz") {
		f.z = gzip.NewWriter(out) // without a name and a time, so that the same rows give the same bytes
	}
	return f, nil
}

// Write writes to the file, through the compression if there is one.
func (f *file) Write(b []byte) (int, error) {
	if f.z != nil {
		return f.z.Write(b)
	}
	return f.Output.Write(b)
}

func (f *file) finish() ([]WrittenFile, error) {
	if f.z != nil {
		if err := f.z.Close(); err != nil {
			return nil, err
		}
	}
	if err := f.Finish(); err != nil {
		return nil, err
	}
	return []WrittenFile{{File: f.path, Digest: f.Digest(), Rows: f.n}}, nil
}

func (f *file) abandon() { f.Abandon() }

// lines writes a row after the other.
type lines struct {
	*file
	losses                       *losses
	line                         func(*losses, *rung.DatasetRow) ([]byte, error)
	open, prefix, between, close string
	yaml                         bool
}

func (w *lines) row(r *rung.DatasetRow) error {
	b, err := w.line(w.losses, r)
	if err != nil {
		return err
	}
	before := w.between
	if w.n == 0 {
		before = w.open
	}
	if w.n++; w.yaml {
		b = printable(b)
	}
	_, err = io.WriteString(w.file, before+w.prefix)
	if err == nil {
		_, err = w.Write(b)
	}
	return err
}

func (w *lines) finish() ([]WrittenFile, error) {
	end := w.close
	switch {
	case w.n == 0 && w.open != "":
		end = "[]\n"
	case w.n == 0 && w.yaml:
		end = "[]\n"
	case w.n == 0:
		end = ""
	}
	if _, err := io.WriteString(w.file, end); err != nil {
		return nil, err
	}
	return w.file.finish()
}

// printable escapes characters that YAML does not allow as they are. JSON with them escaped is YAML.
func printable(b []byte) []byte {
	var out []byte
	for _, c := range string(b) {
		if c >= 0x7f && c < 0xa0 || c == 0xfeff || c == 0xfffe || c == 0xffff || c == 0x2028 || c == 0x2029 {
			out = fmt.Appendf(out, `\u%04x`, c)
			continue
		}
		out = append(out, string(c)...)
	}
	return out
}

// encode writes JSON without escaping what HTML would need.
func encode(v any) ([]byte, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("a row has no JSON: %w", err)
	}
	return []byte(strings.TrimSuffix(b.String(), "\n")), nil
}

func rungLine(_ *losses, r *rung.DatasetRow) ([]byte, error) { return encode(r) }

// column is a key of a flat row with its value.
type column struct {
	name  string
	value json.RawMessage
}

// flat takes a row apart: id, fields, output, the rest. A field that is called like a role is written as input.NAME.
func flat(x *rows.Extractor, r *rung.DatasetRow) ([]column, error) {
	members, err := x.Members(r.Input)
	if err != nil {
		return nil, &rung.Error{Code: rung.CodeInput, Place: r.ID, What: "the input is no object", Do: "write the row as {\"input\": {…}, \"output\": …}"}
	}
	out := []column{}
	add := func(name string, v json.RawMessage) {
		if len(v) > 0 {
			out = append(out, column{name, v})
		}
	}
	text := func(s string) json.RawMessage {
		if s == "" {
			return nil
		}
		return quote(s)
	}
	add("id", text(r.ID))
	for _, m := range members {
		name := string(m.Key)
		if slices.Contains(roles, name) || strings.HasPrefix(name, "input.") {
			name = "input." + name
		}
		add(name, append(json.RawMessage(nil), m.Value...))
	}
	add("output", r.Output)
	for _, c := range []struct {
		name string
		v    any
		has  bool
	}{{"alternatives", r.Alternatives, len(r.Alternatives) > 0}, {"failure_modes", r.Modes, len(r.Modes) > 0}, {"generated", r.Generated, r.Generated != nil}} {
		if c.has {
			b, err := encode(c.v)
			if err != nil {
				return nil, err
			}
			add(c.name, b)
		}
	}
	for name, v := range map[string]string{"segment": r.Segment, "group": r.Group, "split": string(r.Split), "time": r.Time, "person": r.Person, "source": r.Source, "counter_of": r.Counter} {
		add(name, text(v))
	}
	slices.SortStableFunc(out, func(a, b column) int { return place(a.name) - place(b.name) })
	return out, nil
}

// place is the order of columns: id, fields, output, the other roles.
func place(name string) int {
	if name == "id" {
		return 0
	}
	if i := slices.Index(roles, name); i >= 0 {
		return 2 + i
	}
	return 1
}

func flatLine(_ *losses, r *rung.DatasetRow) ([]byte, error) {
	var x rows.Extractor
	columns, err := flat(&x, r)
	if err != nil {
		return nil, err
	}
	var pairs []any
	for _, c := range columns {
		pairs = append(pairs, c.name, c.value)
	}
	return object(pairs...), nil
}

// newPairs writes a folder of prompts and answers.
func newPairs(path string, l *losses) (writer, error) {
	tmp, err := newFolder(path)
	if err != nil {
		return nil, err
	}
	return &pairsWriter{path: path, tmp: tmp, losses: l, used: map[string]bool{}}, nil
}

// newFolder makes the working folder that becomes path, which must not be there yet.
func newFolder(path string) (string, error) {
	if entries, err := os.ReadDir(path); err == nil && len(entries) > 0 {
		return "", &rung.Error{Code: rung.CodeConflict, Place: path, What: "the folder is there already and not empty", Do: "name a new one"}
	} else if _, err := os.Stat(path); err == nil && entries == nil {
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return "", &rung.Error{Code: rung.CodeConflict, Place: path, What: "is a file, and this format is a folder", Do: "name a new folder"}
		}
	}
	tmp, err := os.MkdirTemp(filepath.Dir(filepath.Clean(path)), ".rung-*")
	if err != nil {
		return "", rows.Unwritable(path, err)
	}
	return tmp, nil
}

// place puts the working folder in its place.
func placeFolder(tmp, path string) error {
	if err := os.Chmod(tmp, 0o755); err != nil {
		return rows.Unwritable(path, err)
	}
	_ = os.Remove(path) // an empty folder of that name; anything else stays and is an error below
	if err := os.Rename(tmp, path); err != nil {
		return rows.Unwritable(path, err)
	}
	return nil
}

type pairsWriter struct {
	path, tmp string
	losses    *losses
	used      map[string]bool
}

func (w *pairsWriter) row(r *rung.DatasetRow) error {
	prompt, err := oneText(w.losses, r)
	if err != nil {
		return err
	}
	if err := loseMeta(w.losses, r, "id"); err != nil {
		return err
	}
	name := fileName(r.ID)
	if name != r.ID || w.used[name] {
		if err := w.losses.lose(r, "id that is no file name"); err != nil {
			return err
		}
		name = fmt.Sprintf("%s.%d", name, len(w.used))
	}
	w.used[name] = true
	if err := w.put(name+".prompt.txt", prompt); err != nil {
		return err
	}
	if r.Output == nil {
		return nil
	}
	answer, err := outputText(w.losses, r)
	if err != nil {
		return err
	}
	return w.put(name+".answer.txt", answer)
}

func (w *pairsWriter) put(name, text string) error {
	path := filepath.Join(w.tmp, name)
	if err := os.WriteFile(path, []byte(text+"\n"), 0o644); err != nil { //nolint:gosec // data that the user asked for
		return rows.Unwritable(w.path, err)
	}
	return nil
}

func (w *pairsWriter) finish() ([]WrittenFile, error) {
	if err := placeFolder(w.tmp, w.path); err != nil {
		return nil, err
	}
	return []WrittenFile{{File: w.path, Rows: len(w.used)}}, nil
}

func (w *pairsWriter) abandon() { _ = os.RemoveAll(w.tmp) }

// fileName is an id with what no file name may hold replaced.
func fileName(id string) string {
	out := strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || strings.ContainsRune(`/\:*?"<>|`, c) {
			return '_'
		}
		return c
	}, id)
	if len(out) > 100 {
		out = strings.ToValidUTF8(out[:100], "")
	}
	if out = strings.TrimLeft(out, ".-"); out == "" || strings.ContainsRune(out, '.') {
		out = strings.ReplaceAll(out, ".", "_") + "_"
	}
	return out
}
