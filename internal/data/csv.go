package data

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/rung-dev/rung/internal/records"
)

// csv reads a table whose first row names the columns: the input fields, output (or label), and what rows may have besides.
func (im *importer) csv(ctx context.Context, f io.Reader) error {
	r := bufio.NewReaderSize(f, 64<<10)
	if head, _ := r.Peek(3); string(head) == "\ufeff" {
		_, _ = r.Discard(3)
	}
	cr := csv.NewReader(r)
	cr.Comma = separator(r)
	cr.ReuseRecord = true
	cr.FieldsPerRecord = -1
	header, err := cr.Read()
	if err != nil {
		if !errors.Is(err, io.EOF) {
			im.csvFault(err)
		}
		return nil
	}
	columns := make([][]byte, len(header))
	for i, name := range header {
		columns[i] = []byte(strings.TrimSpace(name))
	}
	if !im.csvHeader(columns) {
		return nil
	}
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		record, err := cr.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			im.csvFault(err)
			return nil // after a broken quote every further line would be a fault
		}
		im.line, _ = cr.FieldPos(0)
		im.csvRow(columns, record)
	}
}

// separator is the sign that separates the columns of the header.
func separator(r *bufio.Reader) rune {
	head, _ := r.Peek(32 << 10)
	return rune(records.Separator(head))
}

// csvHeader checks the columns once instead of every row.
func (im *importer) csvHeader(columns [][]byte) bool {
	im.line = 1
	seen := map[string]bool{}
	for _, c := range columns {
		if seen[string(c)] && len(c) > 0 {
			im.fault(fmt.Sprintf("there are two columns called %q", c), "rename or remove one")
			return false
		}
		seen[string(c)] = true
	}
	if im.sniff {
		return true
	}
	var missing []string
	for _, f := range im.task.Input {
		if !seen[f.Name] {
			missing = append(missing, f.Name)
		}
	}
	if _, own := im.index["label"]; !seen["output"] && (own || !seen["label"]) {
		missing = append(missing, "output")
	}
	if len(missing) == 0 {
		return true
	}
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = string(c)
	}
	im.fault("the table has no column "+strings.Join(missing, ", "), "name the columns in the first row like the input fields, and output or label; it has "+strings.Join(names, ", "))
	return false
}

func (im *importer) csvFault(err error) {
	var pe *csv.ParseError
	if !errors.As(err, &pe) {
		im.faultAt(im.name, "the file cannot be read: "+err.Error(), "check the disk")
		return
	}
	what, do := "not CSV: "+pe.Err.Error(), "correct the row"
	if pe.StartLine < pe.Line {
		im.faultAt(fmt.Sprintf("%s:%d", im.name, pe.StartLine), "a quote in this row is not closed where the value ends", `close it; inside a quoted value quotes are doubled ("")`)
		return
	}
	switch {
	case errors.Is(pe.Err, csv.ErrQuote):
		what, do = "a quote is not closed, or stands alone", `double the quotes inside a quoted value ("")`
	case errors.Is(pe.Err, csv.ErrBareQuote):
		what, do = "a quote stands inside a value without quotes", `put the whole value in quotes and double the quotes inside ("")`
	}
	im.faultAt(fmt.Sprintf("%s:%d:%d", im.name, pe.Line, pe.Column), what, do)
}

func (im *importer) csvRow(columns [][]byte, record []string) {
	if len(record) != len(columns) {
		im.out.Rows++
		im.fault(fmt.Sprintf("the row has %s, the header %d", count(len(record), "value"), len(columns)), "put values that hold the separator in quotes")
		return
	}
	members := im.cells[:0]
	for i, value := range record {
		if len(value) > maxRow || !utf8.ValidString(value) {
			im.out.Rows++
			im.fault(fmt.Sprintf("the value of %s is not UTF-8, or longer than %d MiB", columns[i], maxRow>>20), "save the file as UTF-8")
			return
		}
		raw, ok := im.cell(string(columns[i]), value)
		if !ok {
			im.out.Rows++
			return
		}
		if raw != nil {
			members = append(members, member{columns[i], raw})
		}
	}
	im.cells = members
	im.take(members)
}

// cell is a table's value as JSON, nil for an empty value that says nothing.
func (im *importer) cell(column, value string) ([]byte, bool) {
	if i, ok := im.index[column]; ok {
		if im.task.Input[i].Type == "string" {
			return quote(nil, value), true
		}
		return im.jsonCell(column, value)
	}
	switch column {
	case "output", "label":
		return im.textOutput(value)
	case "alternatives":
		if strings.TrimSpace(value) == "" {
			return nil, true
		}
		return im.jsonCell(column, value)
	case "input":
		return quote(nil, value), true
	}
	if value == "" {
		return nil, true
	}
	return quote(nil, value), true
}

func (im *importer) jsonCell(column, value string) ([]byte, bool) {
	raw := strings.TrimSpace(value)
	if low := strings.ToLower(raw); low == "true" || low == "false" {
		raw = low
	}
	if !json.Valid([]byte(raw)) {
		im.fault(fmt.Sprintf("the value %q of %s is not %s", clip([]byte(value), 40), column, im.wanted(column)), "correct it")
		return nil, false
	}
	return []byte(raw), true
}

func (im *importer) wanted(column string) string {
	if i, ok := im.index[column]; ok {
		switch t := im.task.Input[i].Type; t {
		case "number", "integer":
			return "a number"
		case "boolean":
			return "true or false"
		}
	}
	return "JSON"
}
