package formats

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/rows"
)

// columnType is what all values of a column are.
type columnType int

// The types, from the narrowest. A column of several is JSON in text.
const (
	nothing columnType = iota
	texts
	wholes
	floats
	truths
	anything
)

// tableColumn is a column of the tables that are written.
type tableColumn struct {
	name string
	kind columnType
	rows int // that have it
}

// typeOf is the narrowest type of a value that gives the same JSON back.
func typeOf(v []byte) columnType {
	switch v[0] {
	case '"':
		return texts
	case 't', 'f':
		return truths
	case '{', '[', 'n':
		return anything
	}
	text := string(v)
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && strconv.FormatInt(n, 10) == text {
		return wholes
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil {
		if b, err := json.Marshal(f); err == nil && string(b) == text {
			return floats
		}
	}
	return anything
}

// spool keeps flat rows in working files until all columns and their types are known, one file for each split.
type spool struct {
	tmp     string
	columns []*tableColumn
	index   map[string]*tableColumn
	parts   map[rung.Split]*splitRows
	rows    int
	x       rows.Extractor
}

// splitRows is the working file of a split.
type splitRows struct {
	f *os.File
	w *bufio.Writer
	n int
}

func newSpool(tmp string) *spool {
	return &spool{tmp: tmp, index: map[string]*tableColumn{}, parts: map[rung.Split]*splitRows{}}
}

func (s *spool) add(l *losses, r *rung.DatasetRow, split rung.Split, without string) error {
	columns, err := flat(&s.x, r)
	if err != nil {
		return err
	}
	p := s.parts[split]
	if p == nil {
		f, err := os.CreateTemp(s.tmp, "rung-data-*")
		if err != nil {
			return rows.Unwritable(s.tmp, err)
		}
		p = &splitRows{f: f, w: bufio.NewWriterSize(f, 256<<10)}
		s.parts[split] = p
	}
	var pairs []any
	for _, c := range columns {
		if c.name == without {
			continue
		}
		if string(c.value) == "null" {
			if err := l.lose(r, "null in %s, which becomes missing", c.name); err != nil {
				return err
			}
			continue
		}
		s.see(c)
		pairs = append(pairs, c.name, c.value)
	}
	if _, err := p.w.Write(append(object(pairs...), '\n')); err != nil {
		return rows.UnwritableWork(p.f.Name(), err)
	}
	p.n++
	s.rows++
	return nil
}

func (s *spool) see(c column) {
	t := s.index[c.name]
	if t == nil {
		t = &tableColumn{name: c.name}
		s.index[c.name] = t
		s.columns = append(s.columns, t)
	}
	t.rows++
	switch kind := typeOf(c.value); {
	case t.kind == nothing:
		t.kind = kind
	case t.kind != kind:
		t.kind = anything
	}
}

// ordered are the columns as they are written.
func (s *spool) ordered() []*tableColumn {
	out := slices.Clone(s.columns)
	slices.SortStableFunc(out, func(a, b *tableColumn) int { return place(a.name) - place(b.name) })
	return out
}

// each gives the rows of a split again.
func (s *spool) each(split rung.Split, f func([]rows.Member) error) error {
	p := s.parts[split]
	if p == nil {
		return nil
	}
	if err := p.w.Flush(); err != nil {
		return rows.UnwritableWork(p.f.Name(), err)
	}
	if _, err := p.f.Seek(0, io.SeekStart); err != nil {
		return rows.UnwritableWork(p.f.Name(), err)
	}
	in := bufio.NewReaderSize(p.f, 256<<10)
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return rows.UnwritableWork(p.f.Name(), err)
		}
		members, err := s.x.Members(line[:len(line)-1])
		if err != nil {
			return fmt.Errorf("the working file: %w", err)
		}
		if err := f(members); err != nil {
			return err
		}
	}
}

func (s *spool) close() {
	for _, p := range s.parts {
		_ = p.f.Close() // a working file
		_ = os.Remove(p.f.Name())
	}
}

// tableWriter writes CSV and TSV.
type tableWriter struct {
	*file
	*spool
	losses *losses
	sep    byte
}

func newTable(format Format, path string, l *losses, o *WriteOptions) (writer, error) {
	out, err := create(path)
	if err != nil {
		return nil, err
	}
	w := &tableWriter{file: out, spool: newSpool(o.Tmp), losses: l, sep: ','}
	if format == TSV {
		w.sep = '\t'
	}
	return w, nil
}

func (w *tableWriter) row(r *rung.DatasetRow) error { return w.add(w.losses, r, "", "") }

func (w *tableWriter) abandon() {
	w.file.abandon()
	w.close()
}

func (w *tableWriter) finish() ([]WrittenFile, error) {
	columns := w.ordered()
	if w.index["output"] == nil && len(columns) > 0 {
		columns = append(columns, &tableColumn{name: "output"}) // so that the other columns are known to be the input
		slices.SortStableFunc(columns, func(a, b *tableColumn) int { return place(a.name) - place(b.name) })
	}
	var line []byte
	for i, c := range columns {
		line = w.cell(line, i, c.name, false)
	}
	if _, err := w.Write(append(line, '\n')); err != nil {
		return nil, err
	}
	err := w.each("", func(members []rows.Member) error {
		line = line[:0]
		for i, c := range columns {
			text, err := w.value(c, rows.Get(members, c.name))
			if err != nil {
				return err
			}
			line = w.cell(line, i, text, len(columns) == 1)
		}
		w.n++
		_, err := w.Write(append(line, '\n'))
		return err
	})
	if err != nil {
		return nil, err
	}
	return w.file.finish()
}

// value is a cell's text; what is no text is JSON there, and that is a loss for input and output.
func (w *tableWriter) value(c *tableColumn, v []byte) (string, error) {
	row := &rung.DatasetRow{}
	role := slices.Contains(roles, c.name)
	if v == nil {
		if !role {
			return "", w.losses.lose(row, "%s missing, which becomes an empty text", c.name)
		}
		return "", nil
	}
	text, ok := scalarText(v)
	switch {
	case !ok && (!role || c.name == "output"):
		return string(v), w.losses.lose(row, "%s that is not text, written as JSON", c.name)
	case !ok:
		return string(v), nil
	case text == "" && role:
		return "", w.losses.lose(row, "%s that is an empty text, which becomes missing", c.name)
	case strings.Contains(text, "\r\n") || strings.HasSuffix(text, "\r"):
		return text, w.losses.lose(row, "carriage returns before line ends in %s", c.name)
	case strings.ContainsRune(text, 0):
		return strings.ReplaceAll(text, "\x00", ""), w.losses.lose(row, "NUL characters in %s", c.name)
	}
	return text, nil
}

func (w *tableWriter) cell(dst []byte, i int, text string, alone bool) []byte {
	if i > 0 {
		dst = append(dst, w.sep)
	}
	if !alone && !strings.ContainsAny(text, "\"\r\n"+string(w.sep)) && strings.TrimSpace(text) == text && (text != "" || i > 0) {
		return append(dst, text...)
	}
	dst = append(dst, '"')
	dst = append(dst, strings.ReplaceAll(text, `"`, `""`)...)
	return append(dst, '"')
}
