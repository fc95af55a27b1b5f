package rows

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/parquet-go/parquet-go"

	"github.com/rung-dev/rung"
)

// converter writes the rows of a file as JSON lines.
type converter func(ctx context.Context, in *os.File, out *bufio.Writer) error

// converterOf tells what a file needs, nil for JSON lines.
func converterOf(path string) (converter, error) {
	switch {
	case endsIn(path, ".csv", ".tsv"):
		return csvLines, nil
	case endsIn(path, ".parquet"):
		return parquetLines, nil
	case endsIn(path, ".gz", ".zst", ".zip", ".bz2", ".xz"):
		return nil, &rung.Error{Code: rung.CodeInput, Place: path, What: "is a compressed file", Do: "unpack it first"}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer f.Close()
	head := make([]byte, 4096)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, unreadable(path, err)
	}
	if text := bytes.TrimLeft(bytes.TrimPrefix(head[:n], []byte("\ufeff")), " \t\r\n"); len(text) > 0 && text[0] == '[' {
		return arrayLines, nil
	}
	return nil, nil
}

// stage runs a converter into a file.
func stage(ctx context.Context, path, to string, convert converter) (err error) {
	in, err := os.Open(path)
	if err != nil {
		return unreadable(path, err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return Unwritable(to, err)
	}
	w := bufio.NewWriterSize(out, 256<<10)
	err = convert(ctx, in, w)
	var e *rung.Error
	if err != nil && !errors.As(err, &e) && ctx.Err() == nil {
		err = &rung.Error{Code: rung.CodeInput, Place: path, What: err.Error(), Do: "correct the file, or save it as JSON lines", Err: err}
	}
	if flushed := errors.Join(w.Flush(), out.Close()); err == nil && flushed != nil {
		err = Unwritable(to, flushed)
	}
	return err
}

// csvLines makes an object of texts of each row; the first row names the columns.
func csvLines(ctx context.Context, in *os.File, out *bufio.Writer) error {
	r := bufio.NewReaderSize(&longLine{r: in}, 64<<10)
	if head, _ := r.Peek(3); string(head) == "\ufeff" {
		_, _ = r.Discard(3)
	}
	cr := csv.NewReader(r)
	cr.ReuseRecord = true
	if head, _ := r.Peek(32 << 10); endsIn(in.Name(), ".tsv") || bytes.Count(firstLine(head), []byte("\t")) > 0 {
		cr.Comma = '\t'
	} else if line := firstLine(head); bytes.Count(line, []byte(";")) > bytes.Count(line, []byte(",")) {
		cr.Comma = ';'
	}
	header, err := cr.Read()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	}
	names := make([]string, len(header))
	for i := range header {
		names[i] = strings.TrimSpace(header[i])
	}
	var line []byte
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		record, err := cr.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if line, err = objectLine(line[:0], names, record); err != nil {
			return err
		}
		if err := put(out, line); err != nil {
			return err
		}
	}
}

func firstLine(b []byte) []byte {
	line, _, _ := bytes.Cut(b, []byte("\n"))
	return line
}

func objectLine(dst []byte, names, values []string) ([]byte, error) {
	dst = append(dst, '{')
	for i, v := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = jsontext.AppendQuote(dst, strings.ToValidUTF8(names[i], "\ufffd")); err != nil {
			return nil, err
		}
		if !utf8.ValidString(v) {
			return nil, fmt.Errorf("the value of %s is not UTF-8", names[i])
		}
		dst = append(dst, ':')
		if dst, err = jsontext.AppendQuote(dst, v); err != nil {
			return nil, err
		}
	}
	return append(dst, '}', '\n'), nil
}

// longLine refuses a file with a part of more than a row's bytes without a line end: a CSV reader would take it all into memory.
type longLine struct {
	r     io.Reader
	since int
}

func (l *longLine) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if i := bytes.LastIndexByte(p[:n], '\n'); i >= 0 {
		l.since = n - i - 1
	} else if l.since += n; l.since > MaxRow {
		return 0, fmt.Errorf("a row is longer than %d MiB", MaxRow>>20)
	}
	return n, err
}

// arrayLines writes the objects of one JSON array, one at a time.
func arrayLines(ctx context.Context, in *os.File, out *bufio.Writer) error {
	head := bufio.NewReaderSize(in, 64<<10)
	if mark, _ := head.Peek(3); string(mark) == "\ufeff" {
		_, _ = head.Discard(3)
	}
	limited := &valueLimit{r: head, left: MaxRow}
	dec := jsontext.NewDecoder(limited)
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		limited.left = MaxRow + 128<<10 // what the decoder may read ahead
		if kind := dec.PeekKind(); kind == ']' {
			_, err := dec.ReadToken()
			return err
		}
		v, err := dec.ReadValue()
		if err != nil {
			return err
		}
		line := append([]byte(nil), v...)
		if err := (*jsontext.Value)(&line).Compact(); err != nil {
			return err
		}
		if err := put(out, append(line, '\n')); err != nil {
			return err
		}
	}
}

// valueLimit bounds what is read for one value.
type valueLimit struct {
	r    io.Reader
	left int
}

func (l *valueLimit) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, fmt.Errorf("a row is longer than %d MiB", MaxRow>>20)
	}
	n, err := l.r.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}

// parquetLines writes the rows of a table.
func parquetLines(ctx context.Context, in *os.File, out *bufio.Writer) (err error) {
	defer func() {
		// A damaged file can make the library index past its pages; the file is at fault, not rung.
		if p := recover(); p != nil {
			err = fmt.Errorf("the Parquet file is damaged: %v", p)
		}
	}()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	if err := CheckFooter(in, info.Size()); err != nil {
		return fmt.Errorf("not a Parquet file: %w", err)
	}
	file, err := parquet.OpenFile(in, info.Size(), parquet.SkipBloomFilters(true))
	if err != nil {
		return fmt.Errorf("not a Parquet file: %w", err)
	}
	reader := parquet.NewGenericReader[any](file, file.Schema())
	defer reader.Close()
	batch := make([]any, 64)
	for ctx.Err() == nil {
		n, err := reader.Read(batch)
		for _, row := range batch[:n] {
			line, jerr := json.Marshal(Plain(reflect.ValueOf(row)))
			if jerr != nil {
				return fmt.Errorf("a row has no JSON: %w", jerr)
			}
			if err := put(out, append(line, '\n')); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		clear(batch)
	}
	return ctx.Err()
}

// maxFooter bounds the description of a Parquet file: 64 MiB is that of some hundred thousand column chunks.
const maxFooter = 64 << 20

// CheckFooter holds the length of a Parquet file's footer, which the file states about itself and the library believes, to the file's own.
func CheckFooter(f io.ReaderAt, size int64) error {
	const tail = 8 // the length, four bytes little-endian, and the magic
	if size < tail+4 {
		return errors.New("it is too short")
	}
	var end [tail]byte
	if _, err := f.ReadAt(end[:], size-tail); err != nil {
		return err
	}
	if magic := string(end[4:]); magic != "PAR1" {
		return fmt.Errorf("it ends with %q, not with PAR1", magic)
	}
	if n := int64(binary.LittleEndian.Uint32(end[:4])); n > size-tail-4 || n > maxFooter {
		return fmt.Errorf("its footer claims a length of %d bytes", n)
	}
	return nil
}

// Plain is the value of a Parquet column with byte strings, also those inside lists and records, turned into text, which JSON would write
// in base 64.
func Plain(v reflect.Value) any {
	for v.IsValid() && (v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer) {
		v = v.Elem()
	}
	switch {
	case !v.IsValid():
		return nil
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8:
		return string(v.Bytes())
	case v.Kind() == reflect.Slice:
		out := make([]any, v.Len())
		for i := range out {
			out[i] = Plain(v.Index(i))
		}
		return out
	case v.Kind() == reflect.Map && v.Type().Key().Kind() == reflect.String:
		out := make(map[string]any, v.Len())
		for it := v.MapRange(); it.Next(); {
			out[it.Key().String()] = Plain(it.Value())
		}
		return out
	}
	return v.Interface()
}

func put(out *bufio.Writer, line []byte) error {
	if len(line) > MaxRow {
		return fmt.Errorf("a row is longer than %d MiB", MaxRow>>20)
	}
	if _, err := out.Write(line); err != nil {
		return Unwritable("the working file", err)
	}
	return nil
}
