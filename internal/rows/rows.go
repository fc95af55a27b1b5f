// Package rows streams the rows of data files of any size in bounded memory. A row is one JSON object. JSON lines in UTF-8 are read where
// they lie, several blocks at a time, and can be read again by their place; everything else that package records reads is first written out
// as JSON lines to a working file. Nothing is changed in place.
package rows

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/records"
)

const (
	// MaxRow is the most bytes of one row. A longer one is an error: it is a file that is not JSON lines.
	MaxRow    = records.MaxRow
	blockSize = 1 << 20
)

// Set is files that are read as one sequence of rows.
type Set struct {
	Files []File
	work  string // directory of the working files; "" when there are none
}

// File is one of them.
type File struct {
	Name   string // as the user wrote it
	Path   string // what is read: the file itself, or the working file that its rows were written to
	Staged bool   // rows are counted instead of lines
	Size   int64
	stat   os.FileInfo
}

// Place is where a row lies in a set.
type Place struct {
	Offset uint64 // of its first byte in its file
	Length uint32
	File   uint16
}

// Open checks the files and writes out those that are not JSON lines. tmp is where working files go; "" is the system's place for them.
func Open(ctx context.Context, paths []string, tmp string) (*Set, error) {
	if len(paths) > 1<<16-1 {
		return nil, &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("%d files are too many", len(paths)), Do: "put them together"}
	}
	s := &Set{}
	for _, path := range paths {
		f, err := s.open(ctx, path, tmp)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		s.Files = append(s.Files, f)
	}
	return s, nil
}

func (s *Set) open(ctx context.Context, path, tmp string) (File, error) {
	info, err := os.Stat(path) // a cycle of links ends here
	if err != nil {
		return File{}, unreadable(path, err)
	}
	if !info.Mode().IsRegular() {
		return File{}, &rung.Error{Code: rung.CodeInput, Place: path, What: "is no plain file", Do: "name the data files themselves; a folder's files with a pattern such as folder/*.jsonl"}
	}
	f := File{Name: path, Path: path, Size: info.Size(), stat: info}
	plain, err := records.Plain(ctx, path)
	if err != nil || plain {
		return f, err
	}
	if s.work == "" {
		if s.work, err = os.MkdirTemp(tmp, "rung-data-*"); err != nil {
			return f, Unwritable(tmp, err)
		}
	}
	f.Staged, f.Path = true, filepath.Join(s.work, fmt.Sprintf("%d.jsonl", len(s.Files)))
	if err := stage(ctx, path, f.Path, tmp); err != nil {
		return f, err
	}
	info, err = os.Stat(f.Path)
	if err != nil {
		return f, unreadable(f.Path, err)
	}
	f.Size = info.Size()
	return f, nil
}

// Close removes the working files.
func (s *Set) Close() error {
	if s.work == "" {
		return nil
	}
	return os.RemoveAll(s.work)
}

// Size is the bytes of all files, as they are read.
func (s *Set) Size() int64 {
	var n int64
	for _, f := range s.Files {
		n += f.Size
	}
	return n
}

// Holds reports whether path is one of the files, under whatever name: what is read may not be written over.
func (s *Set) Holds(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	for _, f := range s.Files {
		if os.SameFile(info, f.stat) {
			return true
		}
	}
	return false
}

func unreadable(path string, err error) error {
	what := "the file cannot be read"
	var pe *os.PathError
	if errors.As(err, &pe) {
		what += ": " + pe.Err.Error()
	}
	return &rung.Error{Code: rung.CodeInput, Place: path, What: what, Do: "check the path, its links and its rights", Err: err}
}

// Unwritable is the error for a file that cannot be written, such as on a full disk.
func Unwritable(path string, err error) error {
	return &rung.Error{Code: rung.CodeStore, Place: path, What: "it cannot be written: " + reason(err), Do: "make room or write elsewhere; what was read has not been changed", Err: err}
}

// UnwritableWork is the error for a working file that cannot be written: it lies elsewhere than what is written.
func UnwritableWork(path string, err error) error {
	return &rung.Error{Code: rung.CodeStore, Place: path, What: "the working file cannot be written: " + reason(err), Do: "make room there, or set TMPDIR to a place with room; what was read has not been changed", Err: err}
}

func reason(err error) string {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

// Block is some whole lines of a file.
type Block struct {
	File  int
	Bytes []byte
	at    int64 // offset of Bytes in the file
	line  int   // of the first line, 1-based
}

// Row is one line that is not empty.
type Row struct {
	Raw   []byte // without the white space around it; valid until the next block
	Place Place
	Line  int // 1-based: the line on which it begins; of Parquet and Arrow, and of rows that begin on one line, the row's number
}

// Each calls f with each row of the block.
func (b *Block) Each(f func(Row) error) error {
	rest, at, line := b.Bytes, b.at, b.line
	for len(rest) > 0 {
		end := bytes.IndexByte(rest, '\n') + 1
		if end == 0 {
			end = len(rest)
		}
		raw := bytes.TrimSpace(rest[:end])
		if len(raw) > 0 {
			lead := bytes.Index(rest[:end], raw[:1])
			p := Place{Offset: uint64(at) + uint64(lead), Length: uint32(len(raw)), File: uint16(b.File)}
			if err := f(Row{Raw: raw, Place: p, Line: line}); err != nil {
				return err
			}
		}
		rest, at, line = rest[end:], at+int64(end), line+1
	}
	return nil
}

// Map reads all blocks in their order, works on several at a time and takes the results in order. The first error ends it.
func Map[T any](ctx context.Context, s *Set, workers int, work func(*Block) (T, error), take func(T) error) error {
	type result struct {
		value T
		err   error
	}
	g, ctx := errgroup.WithContext(ctx)
	queue := make(chan chan result, workers+1) // bounds the blocks in memory
	g.Go(func() error {
		defer close(queue)
		return s.blocks(ctx, func(b *Block) error {
			done := make(chan result, 1)
			select {
			case queue <- done:
			case <-ctx.Done():
				return ctx.Err()
			}
			go func() {
				v, err := work(b)
				done <- result{v, err}
			}()
			return nil
		})
	})
	g.Go(func() error {
		for done := range queue {
			r := <-done
			if r.err != nil {
				return r.err
			}
			if err := take(r.value); err != nil {
				return err
			}
			if ctx.Err() != nil { // also when all was read before it was ended
				return ctx.Err()
			}
		}
		return nil
	})
	return g.Wait()
}

// blocks cuts the files into blocks at line ends.
func (s *Set) blocks(ctx context.Context, f func(*Block) error) error {
	for i := range s.Files {
		if err := s.fileBlocks(ctx, i, f); err != nil {
			return err
		}
	}
	return nil
}

func (s *Set) fileBlocks(ctx context.Context, i int, f func(*Block) error) error {
	in, err := os.Open(s.Files[i].Path)
	if err != nil {
		return unreadable(s.Files[i].Name, err)
	}
	defer in.Close()
	at, line := int64(0), 1
	for {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		b, end, err := readBlock(in, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return unreadable(s.Files[i].Name, err)
		}
		if len(b) > 0 && end == 0 {
			return s.TooLong(i, line)
		}
		if end == 0 {
			return nil
		}
		block := &Block{File: i, Bytes: b[:end], at: at, line: line}
		block.skipMark()
		line += bytes.Count(b[:end], []byte("\n"))
		at += int64(end)
		if err := f(block); err != nil {
			return err
		}
	}
}

// readBlock reads from offset at up to the last line end within a block, or, for a longer row, up to its end. end is 0 with bytes read
// when the row is too long.
func readBlock(in *os.File, at int64) (b []byte, end int, err error) {
	for size := blockSize; ; size *= 4 {
		size = min(size, MaxRow+1)
		b = make([]byte, size)
		n, err := in.ReadAt(b, at)
		b = b[:n]
		if errors.Is(err, io.EOF) {
			return b, len(b), err
		}
		if err != nil {
			return nil, 0, err
		}
		if end := bytes.LastIndexByte(b, '\n') + 1; end > 0 {
			return b, end, nil
		}
		if size > MaxRow {
			return b, 0, nil
		}
	}
}

// Reader reads rows again by their places. It is not safe for concurrent use.
type Reader struct {
	set   *Set
	files []*os.File
	buf   []byte
}

// Reader opens a reader of single rows.
func (s *Set) Reader() *Reader { return &Reader{set: s, files: make([]*os.File, len(s.Files))} }

// Read gives a row's bytes, valid until the next call.
func (r *Reader) Read(p Place) ([]byte, error) {
	f := r.files[p.File]
	if f == nil {
		var err error
		if f, err = os.Open(r.set.Files[p.File].Path); err != nil {
			return nil, unreadable(r.set.Files[p.File].Name, err)
		}
		r.files[p.File] = f
	}
	if cap(r.buf) < int(p.Length) {
		r.buf = make([]byte, p.Length+p.Length/2)
	}
	r.buf = r.buf[:p.Length]
	if _, err := f.ReadAt(r.buf, int64(p.Offset)); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, &rung.Error{Code: rung.CodeInput, Place: r.set.Files[p.File].Name, What: "the file became shorter while it was read", Do: "run again when nothing writes to it"}
		}
		return nil, unreadable(r.set.Files[p.File].Name, err)
	}
	return r.buf, nil
}

// Close closes the files.
func (r *Reader) Close() error {
	var errs []error
	for _, f := range r.files {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

// Where names a row for people: "train.jsonl:17", or "table.csv:row 17".
func (s *Set) Where(file uint16, line int) string {
	if s.Files[file].Staged {
		return fmt.Sprintf("%s:row %d", s.Files[file].Name, line)
	}
	return fmt.Sprintf("%s:%d", s.Files[file].Name, line)
}
