package records

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/rung-dev/rung/internal/charset"
)

// text of the beginning, as far as it is needed to tell what a file is.
func textOf(head []byte) []byte {
	g, err := charset.Detect(head, false)
	if err != nil {
		return head
	}
	lines, err := charset.NewLines(bytes.NewReader(head), g.Name, MaxRow)
	if err != nil {
		return head
	}
	return bytes.TrimLeft(lines.Peek(), "\ufeff \t\r\n")
}

func firstOf(head []byte) byte {
	if text := textOf(head); len(text) > 0 {
		return text[0]
	}
	return 0
}

func arrayOr(c Container, head []byte) Container {
	if firstOf(head) == '[' {
		return JSON
	}
	return c
}

// firstLineIsValue reports whether the first line is JSON by itself, so that the file can be read line by line.
func firstLineIsValue(head []byte) bool {
	line, _, more := bytes.Cut(textOf(head), []byte("\n"))
	line, _ = fixSurrogates(bytes.TrimSpace(line))
	return len(line) == 0 || jsontext.Value(line).IsValid() || !more && len(head) >= charset.Head
}

// jsonl reads one JSON value a line.
func (r *reader) jsonl(lines *charset.Lines) error {
	var c checker
	for {
		line, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if line.More {
			if err := r.longLine(lines, line); err != nil {
				return err
			}
			continue
		}
		text := bytes.TrimSpace(bytes.TrimPrefix(line.Text, []byte("\ufeff")))
		if len(text) == 0 {
			continue
		}
		if err := r.value(&c, text, bytes.TrimSpace(line.Raw), line.Number, line.Repairs); err != nil {
			return err
		}
	}
}

// longLine gives the beginning of a line that is too long and goes on to its end.
func (r *reader) longLine(lines *charset.Lines, line charset.Line) error {
	raw := append([]byte(nil), line.Raw[:min(len(line.Raw), 1<<10)]...)
	length, number := len(line.Raw), line.Number
	for line.More && !r.o.LongEnds {
		if r.ctx.Err() != nil {
			return r.ctx.Err()
		}
		var err error
		if line, err = lines.Next(); err != nil {
			if !errors.Is(err, io.EOF) {
				return err
			}
			break
		}
		length += len(line.Raw)
	}
	return r.tooLong(raw, number, long(int64(length)))
}

func long(n int64) string {
	return fmt.Sprintf("the row has %s, which is more than %d MiB; only its beginning is shown", Bytes(n), MaxRow>>20)
}

// checker checks JSON values and writes them in one way.
type checker struct{ out []byte }

// compact gives the value without white space. What is valid and compact already is copied as it is.
func (c *checker) compact(value []byte) ([]byte, error) {
	out, err := jsontext.AppendFormat(c.out[:0], value, jsontext.PreserveRawStrings(true))
	c.out = out[:0]
	return out, err
}

// value gives one JSON value as a row.
func (r *reader) value(c *checker, text, raw []byte, line int, repairs []charset.Repair) error {
	out, err := c.compact(text)
	if err != nil {
		fixed, done := fixSurrogates(text)
		if done != nil {
			repairs = append(repairs, *done)
			out, err = c.compact(fixed)
		}
	}
	if err != nil {
		return r.fault(raw, line, "%s", Reason(err))
	}
	return r.emit(out, raw, line, repairs)
}

// Reason puts the error of a row that is no JSON into words, without the bytes of the row.
func Reason(err error) string {
	var se *jsontext.SyntacticError
	if !errors.As(err, &se) {
		return err.Error()
	}
	switch {
	case errors.Is(se.Err, io.ErrUnexpectedEOF):
		return "not JSON: the row ends before the value does"
	case errors.Is(se.Err, jsontext.ErrDuplicateName):
		return "a key is there twice"
	}
	return "not JSON: " + se.Err.Error()
}

// fixSurrogates puts \ufffd in the place of escapes of half a character, \ud83d without what goes with it, which is not allowed in JSON.
func fixSurrogates(text []byte) ([]byte, *charset.Repair) {
	var out []byte
	copied, first := 0, -1
	for i := 0; i+6 <= len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		code, ok := escape(text[i:])
		if !ok || code < 0xd800 || code > 0xdfff {
			i++ // what is escaped
			continue
		}
		if next, ok := escape(text[i+6:]); ok && code < 0xdc00 && next >= 0xdc00 && next <= 0xdfff {
			i += 11
			continue
		}
		if first < 0 {
			first = i
		}
		out = append(append(out, text[copied:i]...), `\ufffd`...)
		copied = i + 6
		i += 5
	}
	if first < 0 {
		return text, nil
	}
	out = append(out, text[copied:]...)
	return out, &charset.Repair{Kind: charset.Surrogate, Before: charset.Excerpt(text, first), After: charset.Excerpt(out, first)}
}

// escape reads \uXXXX.
func escape(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	var code rune
	for _, c := range b[2:6] {
		switch {
		case c >= '0' && c <= '9':
			code = code<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			code = code<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			code = code<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return code, true
}

// plain reads a text a line.
func (r *reader) plain(lines *charset.Lines) error {
	var out []byte
	for {
		line, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if line.More {
			if err := r.longLine(lines, line); err != nil {
				return err
			}
			continue
		}
		text := bytes.TrimRight(line.Text, "\r")
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		if out, err = jsontext.AppendQuote(out[:0], text); err != nil {
			return err // the text is valid UTF-8
		}
		if err := r.emit(out, line.Raw, line.Number, line.Repairs); err != nil {
			return err
		}
	}
}
