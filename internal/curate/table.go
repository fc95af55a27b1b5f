package curate

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/rows"
)

// table is rows between two steps: one file of rows and one of their origins, line by line.
type table struct {
	rows, origins string
	n             int
	digest        rung.Digest // of the file of rows
}

// open opens the rows as a set, which has one file and nothing to close.
func (t *table) open(ctx context.Context) (*rows.Set, error) {
	return rows.Open(ctx, []string{t.rows}, "")
}

// each goes through the rows with their origins. Both are valid until the next.
func (t *table) each(ctx context.Context, f func(n int, row, origin []byte) error) error {
	set, err := t.open(ctx)
	if err != nil {
		return err
	}
	origins, err := openLines(t.origins)
	if err != nil {
		return err
	}
	defer origins.close()
	return set.Each(ctx, func(n int, r rows.Row) error {
		origin, err := origins.next()
		if err != nil {
			return err
		}
		return f(n, r.Raw, origin)
	})
}

// lines reads a file line by line.
type lines struct {
	path string
	f    *os.File
	r    *bufio.Reader
}

func openLines(path string) (*lines, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	return &lines{path: path, f: f, r: bufio.NewReaderSize(f, 256<<10)}, nil
}

// next is the next line without its end; io.EOF after the last.
func (l *lines) next() ([]byte, error) {
	b, err := l.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		long := bytes.Clone(b)
		for errors.Is(err, bufio.ErrBufferFull) && len(long) <= 2*rows.MaxRow {
			b, err = l.r.ReadSlice('\n')
			long = append(long, b...)
		}
		b = long
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, unreadable(l.path, err)
	}
	if len(b) == 0 {
		return nil, io.EOF
	}
	return bytes.TrimSuffix(b, []byte("\n")), nil
}

func (l *lines) close() { _ = l.f.Close() }

func unreadable(path string, err error) error {
	return &rung.Error{Code: rung.CodeInput, Place: path, What: "it cannot be read: " + reasonOf(err), Do: "check the path, its links and its rights", Err: err}
}

// digestOfFile is of the bytes of a file.
func digestOfFile(path string) (rung.Digest, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, unreadable(path, err)
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return "", 0, unreadable(path, err)
	}
	return rung.Digest(hex.EncodeToString(h.Sum(nil))), n, nil
}

func rowOf(raw []byte) (*rung.DatasetRow, error) {
	var row rung.DatasetRow
	if err := json.Unmarshal(raw, &row); err != nil {
		return nil, fmt.Errorf("a working row: %w", err)
	}
	return &row, nil
}

func originOf(raw []byte) (*rung.Origin, error) {
	var o rung.Origin
	if err := json.Unmarshal(raw, &o); err != nil {
		return nil, fmt.Errorf("the origin of a working row: %w", err)
	}
	return &o, nil
}

// removedAt is the record of a row that a step takes out.
func removedAt(raw, origin []byte, why string) (*rung.RemovedRow, error) {
	o, err := originOf(origin)
	if err != nil {
		return nil, err
	}
	return &rung.RemovedRow{ID: o.ID, Reason: why, File: o.File, Line: o.Line, Item: o.Item, Row: bytes.Clone(raw)}, nil
}
