package records

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/charset"
)

// Separator is the sign that separates the columns of a header: spreadsheets write commas, semicolons or tabs. Signs within quotes do
// not count.
func Separator(head []byte) byte {
	line, _, _ := bytes.Cut(head, []byte("\n"))
	best, most := byte(','), 0
	for _, c := range []byte(",;\t|") {
		n, quoted := 0, false
		for _, b := range line {
			if b == '"' {
				quoted = !quoted
			} else if b == c && !quoted {
				n++
			}
		}
		if n > most {
			best, most = c, n
		}
	}
	return best
}

// maxOpenQuotes is after how many quotes that are never closed a file is given up: each costs the reading of MaxRow bytes.
const maxOpenQuotes = 100

// table reads CSV. A row whose quotes do not hold together is broken, and reading goes on with the next line.
type table struct {
	*reader
	lines *charset.Lines
	sep   byte
	again []csvLine // lines that were read in search of a closing quote
	names [][]byte  // of the columns, as JSON strings
	cells []span    // of the row, in text
	text  []byte
	opens int
}

type span struct {
	start, end int
	quoted     bool // holds doubled quotes
}

type csvLine struct {
	raw, text []byte
	number    int
	repairs   []charset.Repair
}

func (r *reader) csv(lines *charset.Lines) error {
	t := &table{reader: r, lines: lines, sep: '\t'}
	if r.file.Container == CSV {
		t.sep = Separator(lines.Peek())
	}
	if err := t.header(); err != nil || t.names == nil {
		return err
	}
	var out []byte
	for {
		row, fault, err := t.row()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if fault == "" && len(t.cells) != len(t.names) {
			fault = fmt.Sprintf("the row has %d values, the header %d: values that hold the separator must be in quotes", len(t.cells), len(t.names))
		}
		if fault != "" {
			err = t.fault(row.raw, row.number, "%s", fault)
		} else {
			if out, err = t.object(out[:0]); err != nil {
				return err
			}
			err = t.emit(out, row.raw, row.number, row.repairs)
		}
		if err != nil {
			return err
		}
	}
}

// header reads the names of the columns.
func (t *table) header() error {
	row, fault, err := t.row()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return err
	}
	if fault != "" {
		return fmt.Errorf("the header cannot be read: %s", fault)
	}
	seen := map[string]bool{}
	for i := range t.cells {
		name := strings.TrimSpace(string(t.cell(i)))
		if name == "" {
			name = fmt.Sprintf("column %d", i+1)
		}
		if seen[name] {
			return &rung.Error{Code: rung.CodeInput, Place: fmt.Sprintf("%s:%d", t.file.Name, row.number), What: fmt.Sprintf("there are two columns called %q", name), Do: "rename or remove one"}
		}
		seen[name] = true
		quoted, err := jsontext.AppendQuote(nil, name)
		if err != nil {
			return err
		}
		t.names = append(t.names, append(quoted, ':'))
	}
	return nil
}

func (t *table) cell(i int) []byte {
	c := t.cells[i]
	b := t.text[c.start:c.end]
	if c.quoted {
		return bytes.ReplaceAll(b, []byte(`""`), []byte(`"`))
	}
	return b
}

func (t *table) object(dst []byte) ([]byte, error) {
	dst = append(dst, '{')
	for i := range t.cells {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, t.names[i]...)
		var err error
		if dst, err = jsontext.AppendQuote(dst, t.cell(i)); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

// next gives the next line, from those that were read before or from the file. The error of a line that is too long is a fault.
func (t *table) next() (csvLine, string, error) {
	if len(t.again) > 0 {
		line := t.again[0]
		t.again = t.again[1:]
		return line, "", nil
	}
	line, err := t.lines.Next()
	if err != nil {
		return csvLine{}, "", err
	}
	out := csvLine{line.Raw, line.Text, line.Number, line.Repairs}
	if !line.More {
		return out, "", nil
	}
	if t.o.LongEnds {
		return out, "", t.tooLong(nil, line.Number, "")
	}
	out.raw = append([]byte(nil), line.Raw[:min(len(line.Raw), 1<<10)]...)
	for line.More {
		if t.ctx.Err() != nil {
			return out, "", t.ctx.Err()
		}
		if line, err = t.lines.Next(); err != nil {
			break
		}
	}
	return out, fmt.Sprintf("the line is longer than %d MiB; only its beginning is shown", MaxRow>>20), nil
}

// row reads the cells of one row. fault says why they cannot be read.
func (t *table) row() (row csvLine, fault string, err error) {
	for {
		if row, fault, err = t.next(); err != nil || fault != "" {
			return row, fault, err
		}
		if len(bytes.TrimSpace(row.text)) > 0 {
			break
		}
	}
	t.text, t.cells = append(t.text[:0], bytes.TrimSuffix(row.text, []byte("\r"))...), t.cells[:0]
	open, fault := t.split(0, false)
	if !open {
		return row, fault, nil
	}
	return t.across(row)
}

// across reads a row with line ends inside quotes. Where its quotes do not hold together, the row is its first line alone, and the others
// are read again.
func (t *table) across(row csvLine) (csvLine, string, error) {
	first := csvLine{append([]byte(nil), row.raw...), nil, row.number, row.repairs}
	whole := csvLine{append([]byte(nil), row.raw...), nil, row.number, row.repairs}
	var more []csvLine
	returns := bytes.HasSuffix(row.text, []byte("\r"))
	broken := func(what string) (csvLine, string, error) {
		if t.opens++; t.opens > maxOpenQuotes {
			return first, "", &rung.Error{Code: rung.CodeInput, Place: fmt.Sprintf("%s:%d", t.file.Name, first.number), What: fmt.Sprintf("more than %d rows have quotes that are not closed", maxOpenQuotes), Do: `close them; inside a quoted value quotes are doubled ("")`}
		}
		t.again = append(more, t.again...)
		return first, what, nil
	}
	for {
		line, fault, err := t.next()
		if errors.Is(err, io.EOF) {
			return broken(`a quote is not closed; inside a quoted value quotes are doubled ("")`)
		}
		if err != nil {
			return first, "", err
		}
		if fault != "" || len(t.text)+len(line.text) > MaxRow {
			more = append(more, csvLine{append([]byte(nil), line.raw...), append([]byte(nil), line.text...), line.number, line.repairs})
			return broken(fmt.Sprintf("a quote is not closed within %d MiB", MaxRow>>20))
		}
		more = append(more, csvLine{append([]byte(nil), line.raw...), append([]byte(nil), line.text...), line.number, line.repairs})
		whole.raw = append(append(whole.raw, '\n'), line.raw...)
		whole.repairs = append(whole.repairs, line.repairs...)
		from := len(t.text)
		t.text = append(append(t.text, '\n'), bytes.TrimSuffix(line.text, []byte("\r"))...)
		open, what := t.split(from, true)
		switch {
		case what != "":
			return broken(what)
		case open:
			returns = returns || bytes.HasSuffix(line.text, []byte("\r"))
			continue
		}
		if returns {
			at := bytes.IndexByte(whole.raw, '\r')
			whole.repairs = append(whole.repairs, charset.Repair{Kind: charset.LineEnds, Before: charset.Excerpt(whole.raw, at), After: charset.Excerpt(t.text, min(at, len(t.text)))})
		}
		return whole, "", nil
	}
}

// split finds the cells of text from an offset on; quoted says that the last cell is open. It reports whether a quoted cell is open at the
// end. Quotes inside a value that does not begin with one are a part of it.
func (t *table) split(i int, quoted bool) (open bool, fault string) {
	b := t.text
	for {
		if !quoted {
			if i < len(b) && b[i] == '"' {
				t.cells = append(t.cells, span{start: i + 1})
				quoted = true
				i++
				continue
			}
			end := bytes.IndexByte(b[i:], t.sep)
			if end < 0 {
				t.cells = append(t.cells, span{start: i, end: len(b)})
				return false, ""
			}
			t.cells = append(t.cells, span{start: i, end: i + end})
			i += end + 1
			continue
		}
		cell := &t.cells[len(t.cells)-1]
		q := bytes.IndexByte(b[i:], '"')
		if q < 0 {
			return true, ""
		}
		i += q + 1
		switch {
		case i < len(b) && b[i] == '"':
			cell.quoted = true
			i++
		case i == len(b):
			cell.end = i - 1
			return false, ""
		case b[i] == t.sep:
			cell.end, quoted = i-1, false
			i++
		default:
			return false, `something follows a closing quote; inside a quoted value quotes are doubled ("")`
		}
	}
}
