package records

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/rung-dev/rung/internal/charset"
)

// splitter cuts a stream of JSON into the items of its array, or into its values when it is none. It looks at quotes and brackets alone, so
// that an item that is no JSON inside is one broken row.
type splitter struct {
	*reader
	check   checker
	array   bool // inside the outer array
	begun   bool
	closed  bool
	depth   int
	quoted  bool
	escaped bool
	item    []byte // so far
	inItem  bool
	scalar  bool // of the item: neither object, list nor text
	line    int  // that the item begins on
	length  int64
	repairs []charset.Repair
}

// maxRepairs bounds the repairs that are told of one row.
const maxRepairs = 16

// values reads a JSON array, or JSON values one after another that are not one a line.
func (r *reader) values(lines *charset.Lines) error {
	s := &splitter{reader: r}
	for {
		line, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return s.end()
		}
		if err != nil {
			return err
		}
		if r.ctx.Err() != nil {
			return r.ctx.Err()
		}
		if len(s.repairs) < maxRepairs {
			s.repairs = append(s.repairs, line.Repairs...)
		}
		text := line.Text
		if s.inItem {
			s.length += int64(max(0, len(line.Raw)-len(text))) // bytes that were removed count too
		}
		if s.inItem && s.long() {
			return s.finish()
		}
		if line.Number == 1 && !s.begun {
			text = bytes.TrimPrefix(text, []byte("\ufeff"))
		}
		if err := s.piece(text, line.Number); err != nil {
			return err
		}
		if !line.More {
			if err := s.lineEnd(); err != nil {
				return err
			}
		}
	}
}

func (s *splitter) lineEnd() error {
	switch {
	case s.inItem && s.scalar:
		return s.finish()
	case s.inItem:
		s.keep('\n')
	default:
		s.repairs = s.repairs[:0]
	}
	return nil
}

func (s *splitter) keep(c byte) {
	if s.length++; s.length <= MaxRow {
		s.item = append(s.item, c)
	}
}

// long reports an item that is to end the reading.
func (s *splitter) long() bool { return s.o.LongEnds && s.length > MaxRow }

func (s *splitter) piece(b []byte, line int) error {
	for i := 0; i < len(b); i++ {
		c := b[i]
		if s.inItem {
			n, done := s.inside(b[i:])
			if done || s.long() {
				if err := s.finish(); err != nil {
					return err
				}
			}
			i += n - 1
			continue
		}
		if err := s.between(c, line); err != nil {
			return err
		}
	}
	return nil
}

// between reads a character outside items.
func (s *splitter) between(c byte, line int) error {
	switch {
	case c == ' ' || c == '\t' || c == '\r':
		return nil
	case s.closed:
		return fmt.Errorf("something follows the end of the array in line %d", line)
	case c == '[' && !s.begun:
		s.begun, s.array = true, true
		return nil
	case c == ']' && s.array:
		s.closed = true
		return nil
	case c == ',' && s.array:
		return nil
	}
	s.begun, s.inItem, s.line = true, true, line
	s.item, s.length = s.item[:0], 0
	s.depth, s.quoted, s.escaped = 0, false, false
	s.scalar = c != '{' && c != '[' && c != '"'
	s.keep(c)
	switch c {
	case '{', '[':
		s.depth = 1
	case '"':
		s.quoted = true
	}
	return nil
}

// inside reads on in an item; n is what it took, done that the item ended there.
func (s *splitter) inside(b []byte) (n int, done bool) {
	for n < len(b) {
		c := b[n]
		if s.scalar {
			if c == ',' || c == ']' || c == ' ' || c == '\t' || c == '\r' {
				return n, true
			}
			s.keep(c)
			n++
			continue
		}
		s.keep(c)
		n++
		switch {
		case s.escaped:
			s.escaped = false
		case s.quoted:
			switch c {
			case '\\':
				s.escaped = true
			case '"':
				s.quoted = false
				done = s.depth == 0
			}
		case c == '"':
			s.quoted = true
		case c == '{' || c == '[':
			s.depth++
		case c == '}' || c == ']':
			s.depth--
			done = s.depth <= 0
		}
		if done {
			return n, true
		}
	}
	return n, false
}

// finish gives the item.
func (s *splitter) finish() error {
	s.inItem = false
	repairs := s.repairs
	s.repairs = nil
	if s.length > MaxRow {
		return s.tooLong(s.item, s.line, long(s.length))
	}
	return s.value(&s.check, s.item, s.item, s.line, repairs)
}

func (s *splitter) end() error {
	if s.inItem {
		if s.scalar {
			if err := s.finish(); err != nil {
				return err
			}
		} else if s.length > MaxRow {
			return s.finish()
		} else {
			s.inItem = false
			if err := s.fault(s.item, s.line, "not JSON: the file ends before the value does"); err != nil {
				return err
			}
		}
	}
	if s.array && !s.closed {
		s.file.Notes = append(s.file.Notes, "the file ends before its array does: it may be cut off")
	}
	return nil
}
