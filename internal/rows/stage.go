package rows

import (
	"bufio"
	"context"
	"errors"
	"os"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/rung-dev/rung/internal/records"
)

// stage writes the rows of a file as JSON lines. A row that cannot be read is written as a JSON string of what it says, so that it is told
// with the others that are no objects. Empty lines keep a row at the number of the line on which it begins: a heading, an empty line and a
// cell of several lines have one or more of their own. Rows that begin on one line stand on the next lines instead.
func stage(ctx context.Context, path, to, tmp string) (err error) {
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return Unwritable(to, err)
	}
	w := bufio.NewWriterSize(out, 256<<10)
	var line []byte
	last, before := 0, 0 // lines written; of them, those of earlier files of an archive
	take := func(r *records.Record) error {
		for ; last+1 < before+r.Line; last++ {
			if err := w.WriteByte('\n'); err != nil {
				return UnwritableWork(to, err)
			}
		}
		last++
		line = append(line[:0], r.JSON...)
		if r.Fault != "" {
			line = appendFault(line, r.Raw)
		}
		if _, err := w.Write(append(line, '\n')); err != nil {
			return UnwritableWork(to, err)
		}
		return nil
	}
	err = records.Read(ctx, path, records.Options{Tmp: tmp, NoDigest: true, LongEnds: true}, func(*records.File) (records.Take, error) {
		before = last
		return take, nil
	})
	if flushed := errors.Join(w.Flush(), out.Close()); err == nil && flushed != nil {
		err = UnwritableWork(to, flushed)
	}
	return err
}

func appendFault(dst, raw []byte) []byte {
	if !utf8.Valid(raw) {
		raw = []byte(string([]rune(string(raw)))) // what is not UTF-8 is U+FFFD
	}
	out, err := jsontext.AppendQuote(dst, raw)
	if err != nil { // valid UTF-8 has a JSON string
		return append(dst, `""`...)
	}
	return out
}
