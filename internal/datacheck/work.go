package datacheck

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/rows"
)

// workFile is the working copy: of each row, one line with the compared text and what later passes need.
//
//	{"file":0,"line":17,"id":"…","split":"train","text":"…","output":…,"alternatives":[…],"input":{…},…}
type workFile struct {
	path  string
	file  *os.File
	w     *bufio.Writer
	files []string
	index map[string]int
	line  []byte
	n     int
}

func newWorkFile(dir string) (*workFile, error) {
	path := filepath.Join(dir, "rows.jsonl")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, unwritable(path, err)
	}
	return &workFile{path: path, file: f, w: bufio.NewWriterSize(f, 1<<20), index: map[string]int{}}, nil
}

func unwritable(path string, err error) error { return rows.Unwritable(path, err) }

func (w *workFile) close() { _ = w.file.Close() } // its folder is removed

// fileNumber is the place of a file's name in files.
func (w *workFile) fileNumber(name string) int {
	i, ok := w.index[name]
	if !ok {
		i = len(w.files)
		w.index[name], w.files = i, append(w.files, name)
	}
	return i
}

// put writes a row. A row longer than can be read again is cut down to what it is compared by.
func (w *workFile) put(r *row) error {
	b := append(w.line[:0], `{"file":`...)
	b = appendInt(b, w.fileNumber(r.file))
	b = append(b, `,"line":`...)
	b = appendInt(b, r.line)
	if r.item > 0 {
		b = appendInt(append(b, `,"item":`...), r.item)
	}
	for _, m := range []struct{ key, text string }{{"id", r.id}, {"split", string(r.split)}, {"group", r.group}, {"segment", r.segment}, {"time", r.time}, {"source", r.source}, {"person", r.person}, {"text", string(r.compared)}} {
		if m.text == "" && m.key != "text" {
			continue
		}
		b = append(append(append(b, `,"`...), m.key...), `":`...)
		b = quote(b, m.text)
	}
	for _, m := range []struct {
		key string
		raw []byte
	}{{"output", r.output}, {"alternatives", r.alternatives}, {"input", r.input}} {
		if len(m.raw) > 0 && len(b)+len(m.raw) < rows.MaxRow-1024 {
			b = append(append(append(append(b, `,"`...), m.key...), `":`...), m.raw...)
		}
	}
	w.line = append(b, '}', '\n')
	w.n++
	if _, err := w.w.Write(w.line); err != nil {
		return unwritable(w.path, err)
	}
	return nil
}

func (w *workFile) flush() error {
	if err := w.w.Flush(); err != nil {
		return unwritable(w.path, err)
	}
	return nil
}

func appendInt(b []byte, n int) []byte {
	var digits [20]byte
	i := len(digits)
	for {
		i--
		digits[i] = byte('0' + n%10)
		if n /= 10; n == 0 {
			return append(b, digits[i:]...)
		}
	}
}

// quote appends text as a JSON string; what is not UTF-8 is replaced.
func quote(b []byte, text string) []byte {
	n := len(b)
	out, err := jsontext.AppendQuote(b, text)
	if err != nil {
		out, _ = jsontext.AppendQuote(b[:n], strings.ToValidUTF8(text, "\ufffd"))
	}
	return out
}

// example shows a row of the working copy.
func (c *checker) example(members []rows.Member, text string) ExampleRow {
	e := ExampleRow{ID: str(rows.Get(members, "id")), Line: number(rows.Get(members, "line")), Item: number(rows.Get(members, "item")), Text: shorten(text)}
	if n := number(rows.Get(members, "file")); n < len(c.work.files) {
		e.File = c.work.files[n]
	}
	return e
}

func number(raw []byte) int {
	n := 0
	for _, d := range raw {
		if d < '0' || d > '9' {
			break
		}
		n = n*10 + int(d-'0')
	}
	return n
}

// str is the text of a JSON string, empty for other values.
func str(raw []byte) string {
	if len(raw) < 2 || raw[0] != '"' {
		return ""
	}
	b, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return string(raw[1 : len(raw)-1])
	}
	return string(b)
}

const shownText = 160

func shorten(s string) string { return rows.Clip([]byte(s), shownText) }

// splitName names a split for people.
func splitName(s rung.Split) string {
	if s == rung.HeldoutIs {
		return "held-out"
	}
	return string(s)
}
