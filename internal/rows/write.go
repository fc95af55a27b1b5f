package rows

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"unicode/utf8"

	"github.com/rung-dev/rung"
)

// Output is a file that is there whole or not at all: it is written under another name and put in its place at the end.
type Output struct {
	path   string
	file   *os.File
	direct bool // a pipe or device, written to as it is
	w      *bufio.Writer
	sum    interface {
		io.Writer
		Sum([]byte) []byte
	}
}

// Create begins an output. Without a path nothing is written, and there is still the digest.
func Create(path string) (*Output, error) {
	if path == "" {
		o := &Output{sum: sha256.New()}
		o.w = bufio.NewWriterSize(o.sum, 256<<10)
		return o, nil
	}
	f, direct, err := openOutput(path)
	if err != nil {
		return nil, Unwritable(path, err)
	}
	o := &Output{path: path, file: f, direct: direct, sum: sha256.New()}
	o.w = bufio.NewWriterSize(io.MultiWriter(f, o.sum), 256<<10)
	return o, nil
}

// openOutput opens the file that becomes path, or path itself where it is a pipe or device, such as /dev/stdout.
func openOutput(path string) (f *os.File, direct bool, err error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		return f, true, err
	}
	f, err = os.CreateTemp(filepath.Dir(path), ".rung-*")
	return f, false, err
}

// Line writes b and a line feed.
func (o *Output) Line(b []byte) error {
	if _, err := o.w.Write(b); err != nil {
		return Unwritable(o.path, err)
	}
	if err := o.w.WriteByte('\n'); err != nil {
		return Unwritable(o.path, err)
	}
	return nil
}

// Write writes b as it is, for what is not made of lines.
func (o *Output) Write(b []byte) (int, error) {
	n, err := o.w.Write(b)
	if err != nil {
		return n, Unwritable(o.path, err)
	}
	return n, nil
}

// Digest is of what was written, after Finish.
func (o *Output) Digest() rung.Digest { return rung.Digest(hex.EncodeToString(o.sum.Sum(nil))) }

// Finish makes the file appear under its name, on disk.
func (o *Output) Finish() error {
	if o.file == nil {
		return o.w.Flush()
	}
	if o.direct {
		if err := errors.Join(o.w.Flush(), o.file.Close()); err != nil {
			return Unwritable(o.path, err)
		}
		return nil
	}
	err := errors.Join(o.w.Flush(), o.file.Sync(), o.file.Chmod(0o644), o.file.Close())
	if err == nil {
		err = os.Rename(o.file.Name(), o.path)
	}
	if err != nil {
		_ = os.Remove(o.file.Name()) // the first error says more
		return Unwritable(o.path, err)
	}
	return nil
}

// Abandon removes what was written so far. It does nothing after Finish.
func (o *Output) Abandon() {
	if o.file == nil {
		return
	}
	_ = o.file.Close() // it may be closed already
	if !o.direct {
		_ = os.Remove(o.file.Name()) // it may have been put in its place
	}
}

// Each calls f with the rows in their order, one after another, and their numbers from 0.
func (s *Set) Each(ctx context.Context, f func(n int, r Row) error) error {
	n := 0
	return Map(ctx, s, 1, func(b *Block) (*Block, error) { return b, nil }, func(b *Block) error {
		return b.Each(func(r Row) error {
			n++
			return f(n-1, r)
		})
	})
}

// Clip shortens a text for a message.
func Clip(b []byte, limit int) string {
	if len(b) <= limit {
		return string(b)
	}
	for limit > 0 && !utf8.RuneStart(b[limit]) {
		limit--
	}
	return string(b[:limit]) + "…"
}

// Cosine is of two vectors of one length; 0 when one of them is zero.
func Cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range min(len(a), len(b)) {
		x, y := float64(a[i]), float64(b[i])
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}
