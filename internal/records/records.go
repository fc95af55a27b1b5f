// Package records reads the rows of files of any size as JSON objects, one after another, in bounded memory: JSON lines, JSON arrays, CSV,
// TSV, Parquet, Arrow, YAML lists and plain lines, also compressed and in other encodings. A row that cannot be read is told with its place
// and does not end the reading. What a key means is not its matter.
package records

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/charset"
)

// MaxRow is the most bytes of one row.
const MaxRow = 16 << 20

// Container is how rows lie in a file.
type Container string

// The containers.
const (
	JSONL   Container = "jsonl"
	JSON    Container = "json" // an array, or objects one after another
	CSV     Container = "csv"
	TSV     Container = "tsv"
	Parquet Container = "parquet"
	Arrow   Container = "arrow"
	YAML    Container = "yaml"
	Text    Container = "text" // a text a line
)

// Options say how files are read.
type Options struct {
	Container   Container // "" finds it
	Encoding    string    // "" finds it
	MaxExpanded int64     // bytes that a compressed file may expand to; 0: DefaultMaxExpanded
	MaxRatio    int64     // how many times its size it may expand to; 0: DefaultMaxRatio
	Tmp         string    // where working files go; "": the system's place
	NoDigest    bool      // the file's digest is not needed
	LongEnds    bool      // a row of more than MaxRow is an error, and not a row that cannot be read
}

// File is what is read: a file, or a member of an archive. Container and Compression are known from the start, the rest after the last row.
type File struct {
	Name        string // as the user wrote it; of an archive's member ARCHIVE/MEMBER
	Container   Container
	Compression string // gzip, zip, zstd, bzip2
	Encoding    string
	Bytes       int64 // as it lies on the disk
	Digest      rung.Digest
	Names       map[string][]string // of columns that hold the numbers of classes (Hugging Face ClassLabel): the names
	Notes       []string
}

// Record is one row.
type Record struct {
	JSON    []byte // the row as compact JSON, valid UTF-8; nil when it cannot be read. Valid until the next
	Raw     []byte // as it stood there; of rows that are no text, its JSON
	Line    int    // 1-based; of Parquet and Arrow the row's number
	Item    int    // of several rows that begin on one line, from the second on: which of the array, from 1
	Fault   string // why it cannot be read
	Repairs []charset.Repair
}

// Take is what becomes of the rows.
type Take func(*Record) error

// Read reads a file, or the files of an archive in their order. open is called for each before its first row.
func Read(ctx context.Context, path string, o Options, open func(*File) (Take, error)) error {
	o.defaults()
	in, err := openFile(path, &o)
	if err != nil {
		return err
	}
	defer in.close()
	return in.read(ctx, open)
}

// Error makes the error for a file that cannot be read on.
func Error(place string, err error) error {
	var e *rung.Error
	if errors.As(err, &e) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &rung.Error{Code: rung.CodeInput, Place: place, What: err.Error(), Do: "correct the file, or save it as JSON lines", Err: err}
}

// Unreadable is the error for a file that the system does not let us read.
func Unreadable(path string, err error) error {
	what := "the file cannot be read"
	var pe *os.PathError
	if errors.As(err, &pe) {
		what += ": " + pe.Err.Error()
	} else {
		what += ": " + err.Error()
	}
	return &rung.Error{Code: rung.CodeInput, Place: path, What: what, Do: "check the path, its links and its rights", Err: err}
}

// reader reads the rows of one kind of container.
type reader struct {
	ctx  context.Context
	o    *Options
	file *File
	take Take
	rec  Record
	n    int
	line int // of the last row of an array
}

// emit gives a row that can be read.
func (r *reader) emit(json, raw []byte, line int, repairs []charset.Repair) error {
	r.rec = Record{JSON: json, Raw: raw, Line: line, Repairs: repairs}
	return r.give()
}

// tooLong gives the beginning of a row that is longer than MaxRow.
func (r *reader) tooLong(raw []byte, line int, what string) error {
	if r.o.LongEnds {
		return &rung.Error{Code: rung.CodeInput, Place: fmt.Sprintf("%s:%d", r.file.Name, line), What: fmt.Sprintf("the row is longer than %d MiB", MaxRow>>20), Do: "write one JSON object per line (.jsonl)"}
	}
	return r.fault(raw[:min(len(raw), 1<<10)], line, "%s", what)
}

// fault gives a row that cannot.
func (r *reader) fault(raw []byte, line int, format string, args ...any) error {
	r.rec = Record{Raw: raw, Line: line, Fault: fmt.Sprintf(format, args...)}
	return r.give()
}

func (r *reader) give() error {
	if r.file.Container == JSON || r.file.Container == YAML {
		if r.rec.Line == r.line {
			r.rec.Item = r.n + 1
		}
		r.line = r.rec.Line
	}
	if r.n++; r.n%512 == 0 && r.ctx.Err() != nil {
		return r.ctx.Err()
	}
	return r.take(&r.rec)
}

// text reads a container that is text.
func (r *reader) text(in io.Reader) error {
	max := MaxRow
	if r.file.Container == JSON {
		max = 64 << 10 // an array may be one line of any length
	}
	lines, err := r.lines(in, max)
	if err != nil {
		return err
	}
	switch r.file.Container {
	case CSV, TSV:
		err = r.csv(lines)
	case JSON:
		err = r.values(lines)
	case Text:
		err = r.plain(lines)
	case YAML:
		err = r.yaml(lines)
	default:
		err = r.jsonl(lines)
	}
	r.file.Encoding = lines.Encoding()
	if lines.Returns() {
		r.file.Notes = append(r.file.Notes, "lines end with a carriage return alone, as on old Macs")
	}
	return err
}

func (r *reader) lines(in io.Reader, max int) (*charset.Lines, error) {
	name := r.o.Encoding
	if name != "" {
		var err error
		if name, err = charset.Canonical(name); err != nil {
			return nil, &rung.Error{Code: rung.CodeUsage, What: err.Error(), Do: "write a name of the WHATWG Encoding Standard, such as utf-8, windows-1252, shift_jis, gb18030"}
		}
	}
	lines, err := charset.NewLines(in, name, max)
	var unclear *charset.Unclear
	if errors.As(err, &unclear) {
		return nil, &rung.Error{Code: rung.CodeInput, Place: r.file.Name, What: err.Error(), Do: "name it with --encoding (encoding: in a dataset.yaml), after a look at the text", Err: err}
	}
	if err != nil {
		return nil, err
	}
	return lines, nil
}
