package records

import (
	"bytes"
	"context"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/rung-dev/rung/internal/charset"
)

// Plain reports whether a file is JSON lines in UTF-8, not compressed, so that its rows can be read where they lie. All of it is looked at.
func Plain(ctx context.Context, path string) (bool, error) {
	o := Options{}
	s, err := openFile(path, &o)
	if err != nil {
		return false, err
	}
	defer s.close()
	if s.kind != "" {
		return false, nil
	}
	head := make([]byte, charset.Head)
	n, err := s.f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, Unreadable(path, err)
	}
	if guess, err := charset.Detect(head[:n], n < len(head)); err != nil || guess.Name != charset.UTF8 {
		return false, nil //nolint:nilerr // the reader says it, with the place
	}
	if c, err := containerOf(path, head[:n]); err != nil || c != JSONL {
		return false, withPlace(err, path)
	}
	ok, err := valid(ctx, s.f)
	if err != nil && ctx.Err() == nil {
		err = Unreadable(path, err)
	}
	return ok, err
}

// valid reports whether a file is UTF-8 without NUL bytes.
func valid(ctx context.Context, r io.Reader) (bool, error) {
	buf := make([]byte, 1<<20)
	kept := 0 // bytes of a character that the last block cut
	for {
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		n, err := io.ReadFull(r, buf[kept:])
		b := buf[:kept+n]
		ended := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !ended {
			return false, err
		}
		rest := 0
		if !ended {
			rest = len(b) - len(wholeRunes(b))
		}
		if !utf8.Valid(b[:len(b)-rest]) || bytes.IndexByte(b, 0) >= 0 {
			return false, nil
		}
		if ended {
			return true, nil
		}
		kept = copy(buf, b[len(b)-rest:])
	}
}

// wholeRunes leaves out a character at the end that is not there in full.
func wholeRunes(b []byte) []byte {
	for n := 1; n <= min(utf8.UTFMax, len(b)); n++ {
		if c := b[len(b)-n]; utf8.RuneStart(c) {
			if !utf8.FullRune(b[len(b)-n:]) {
				return b[:len(b)-n]
			}
			break
		}
	}
	return b
}
