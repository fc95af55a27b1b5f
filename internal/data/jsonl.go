package data

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/rung-dev/rung"
)

// jsonLines reads one JSON object per line, or one JSON array of objects.
func (im *importer) jsonLines(ctx context.Context, f *os.File) error {
	r := bufio.NewReaderSize(f, 256<<10)
	if head, _ := r.Peek(3); string(head) == "\ufeff" {
		_, _ = r.Discard(3)
	}
	if first, err := firstByte(r); err == nil && first == '[' {
		return im.jsonArray(ctx, f, r)
	}
	im.reserve(f)
	var long []byte
	for {
		line, err := r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			if long = append(long, line...); len(long) <= maxRow {
				continue
			}
			im.line++
			im.fault(fmt.Sprintf("the row is longer than %d MiB", maxRow>>20), "write one JSON object per line")
			return nil
		}
		if len(long) > 0 {
			long = append(long, line...)
			line, long = long, long[:0]
		}
		if err != nil && !errors.Is(err, io.EOF) {
			im.faultAt(im.name, "the file cannot be read: "+err.Error(), "check the disk")
			return nil
		}
		im.line++
		if row := bytes.TrimSpace(line); len(row) > 0 {
			im.jsonRow(row, line)
		}
		if err != nil {
			return nil
		}
		if im.line%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// reserve makes room for the rows that a file of this size will have, to spare growing.
func (im *importer) reserve(f *os.File) {
	info, err := f.Stat()
	if err != nil || info.Size() < 1<<20 {
		return
	}
	head := make([]byte, 256<<10)
	n, _ := f.ReadAt(head, 0)
	lines := bytes.Count(head[:n], []byte("\n"))
	if lines < 2 {
		return
	}
	rows := min(int(info.Size()*int64(lines)/int64(n))*102/100, maxRows)
	im.out.Examples = append(make([]rung.Example, 0, len(im.out.Examples)+rows), im.out.Examples...)
}

// jsonRow reads one line. row is line without the space around it.
func (im *importer) jsonRow(row, line []byte) {
	members, err := im.objects.members(row, im.cells[:0])
	if err == nil {
		im.cells = members
		im.take(members)
		return
	}
	im.out.Rows++
	im.jsonFault(err, row, bytes.Index(line, row))
}

func (im *importer) jsonFault(err error, row []byte, indent int) {
	what, column := reason(err, row)
	place := fmt.Sprintf("%s:%d", im.name, im.line)
	if column > 0 {
		place = fmt.Sprintf("%s:%d", place, column+indent)
	}
	do := `write one JSON object per line, such as {"input": …, "output": …}`
	if !utf8.Valid(row) {
		what, do = "the row is not UTF-8", "save the file as UTF-8"
	}
	im.faultAt(place, what, do)
}

func firstByte(r *bufio.Reader) (byte, error) {
	for {
		c, err := r.ReadByte()
		if err != nil {
			return 0, err
		}
		if c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return c, r.UnreadByte()
		}
	}
}

// jsonArray reads a file that is one array; the line of a row is where its object starts.
func (im *importer) jsonArray(ctx context.Context, f *os.File, r *bufio.Reader) error {
	if info, err := f.Stat(); err == nil && info.Size() > 256<<20 {
		im.faultAt(im.name, "a JSON array of more than 256 MiB", "write one JSON object per line (.jsonl)")
		return nil
	}
	raw, err := io.ReadAll(io.LimitReader(r, 256<<20))
	if err != nil {
		im.faultAt(im.name, "the file cannot be read: "+err.Error(), "check the disk")
		return nil
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(raw))
	_, _ = dec.ReadToken()
	counted, lines := int64(0), 1
	for dec.PeekKind() != ']' {
		value, err := dec.ReadValue()
		end := dec.InputOffset()
		start := end - int64(len(value))
		if err != nil {
			rest := raw[end:]
			start += int64(len(rest) - len(bytes.TrimLeft(rest, " \t\r\n,")))
		}
		lines += bytes.Count(raw[counted:start], []byte("\n"))
		counted, im.line = start, lines
		if err != nil {
			what, _ := reason(err, nil)
			im.fault(what, "correct the JSON")
			return nil
		}
		im.jsonRow(raw[start:end], raw[start:end])
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}
