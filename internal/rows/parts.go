package rows

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rung-dev/rung"
)

// Part is the rows of a file whose lines start within some of its bytes. The parts of a set, in their order, hold each row once, so that
// they can be worked on by processes that know nothing of each other.
type Part struct {
	File int   `json:"file"`
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

// Parts cuts the files into parts of so many bytes, without reading them.
func (s *Set) Parts(size int64) []Part {
	var out []Part
	for i, f := range s.Files {
		for from := int64(0); from < f.Size; from += size {
			out = append(out, Part{i, from, min(f.Size, from+size)})
		}
	}
	return out
}

// Shared gives the set again for another process, perhaps on another machine, that has the same files under the same paths: names, paths
// and sizes. A file that is not there, or has another size, is an error that names it.
func Shared(files []File) (*Set, error) {
	if len(files) > 1<<16-1 {
		return nil, &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("%d files are too many", len(files)), Do: "put them together"}
	}
	s := &Set{}
	for _, f := range files {
		info, err := os.Stat(f.Path)
		if err != nil {
			return nil, unreadable(f.Path, err)
		}
		if !info.Mode().IsRegular() || info.Size() != f.Size {
			return nil, &rung.Error{Code: rung.CodeInput, Place: f.Path, What: fmt.Sprintf("is another file here: it has %d bytes and not %d", info.Size(), f.Size),
				Do: "put the data where all machines see the same files under the same path"}
		}
		s.Files = append(s.Files, File{Name: f.Name, Path: f.Path, Staged: f.Staged, Size: f.Size, stat: info})
	}
	return s, nil
}

// Lines says of a part how many lines it has, so that the lines of the next one can be numbered, and which of them is longer than a row
// may be: 0 for none.
type Lines struct {
	N    int `json:"n"`
	Long int `json:"long,omitempty"`
}

// TooLong is the error of a row that is longer than MaxRow.
func (s *Set) TooLong(file, line int) error {
	return &rung.Error{Code: rung.CodeInput, Place: fmt.Sprintf("%s:%d", s.Files[file].Name, line), What: fmt.Sprintf("the row is longer than %d MiB", MaxRow>>20), Do: "take it out, or run rung data convert on the file: it puts such a row with the removed ones and goes on"}
}

// EachBlock calls f with the blocks of a part, one after another. Their lines are counted from 1 at the beginning of the part.
func (s *Set) EachBlock(ctx context.Context, p Part, f func(*Block) error) (Lines, error) {
	lines := Lines{}
	in, err := os.Open(s.Files[p.File].Path)
	if err != nil {
		return lines, unreadable(s.Files[p.File].Name, err)
	}
	defer in.Close()
	at, err := lineStart(in, p)
	for at < p.To && err == nil {
		if ctx.Err() != nil {
			return lines, ctx.Err()
		}
		var b []byte
		var end int
		if b, end, err = readBlock(in, at); err != nil && !errors.Is(err, io.EOF) {
			break
		}
		err = nil
		if end == 0 {
			if len(b) > 0 {
				lines.Long = lines.N + 1
			}
			return lines, nil
		}
		b = upTo(b[:end], p.To-at)
		block := &Block{File: p.File, Bytes: b, at: at, line: lines.N + 1}
		block.skipMark()
		lines.N += bytes.Count(b, []byte("\n"))
		at += int64(len(b))
		if err := f(block); err != nil {
			return lines, err
		}
	}
	if err != nil {
		return lines, unreadable(s.Files[p.File].Name, err)
	}
	return lines, nil
}

// upTo cuts a block of whole lines behind the line that holds its byte number n−1.
func upTo(b []byte, n int64) []byte {
	if n > int64(len(b)) {
		return b
	}
	if end := bytes.IndexByte(b[n-1:], '\n'); end >= 0 {
		return b[:n+int64(end)]
	}
	return b
}

// lineStart is where the first line starts that starts within a part; its end when none does.
func lineStart(in *os.File, p Part) (int64, error) {
	if p.From == 0 {
		return 0, nil
	}
	buf := make([]byte, 64<<10)
	for at := p.From - 1; at < p.To-1; {
		n, err := in.ReadAt(buf[:min(int64(len(buf)), p.To-1-at)], at)
		if i := bytes.IndexByte(buf[:n], '\n'); i >= 0 {
			return at + int64(i) + 1, nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if n == 0 {
			return p.To, nil
		}
		at += int64(n)
	}
	return p.To, nil
}

// skipMark leaves out the byte order mark at the beginning of a file.
func (b *Block) skipMark() {
	mark := []byte("\ufeff")
	if b.at == 0 && bytes.HasPrefix(b.Bytes, mark) {
		b.Bytes, b.at = b.Bytes[len(mark):], int64(len(mark))
	}
}
