package pii

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// In is a finding with the place of its text in a row.
type In struct {
	Finding
	Field string `json:"field"` // JSON pointer (RFC 6901)
	value string
}

// NewIn is a finding that another process made.
func NewIn(f Finding, field, value string) In { return In{f, field, value} }

// Value is what was found. It belongs into no report.
func (f In) Value() string { return f.value }

// Row looks at the texts of a row, which is a JSON value; names of members are not looked at. fields, pointers such as /input/question,
// say which texts; none: all. With replace, what it gives for a finding stands in the row that comes back, which is otherwise the row as
// it was.
func (e *Engine) Row(raw []byte, fields []string, replace func(In) string) (out []byte, found []In, err error) {
	dec := jsontext.NewDecoder(bytes.NewReader(raw))
	var b []byte
	at := 0
	for {
		if dec.PeekKind() != '"' {
			if _, err := dec.ReadToken(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return nil, nil, err
			}
			continue
		}
		quoted, err := dec.ReadValue()
		if err != nil {
			return nil, nil, err
		}
		if kind, n := dec.StackIndex(dec.StackDepth()); kind == '{' && n%2 == 1 { // it is a name
			continue
		}
		end := int(dec.InputOffset())
		start := end - len(quoted)
		pointer := string(dec.StackPointer())
		if !within(pointer, fields) {
			continue
		}
		text, err := jsontext.AppendUnquote(nil, quoted)
		if err != nil {
			return nil, nil, err
		}
		changed, in := e.text(string(text), pointer, replace)
		found = append(found, in...)
		if len(in) == 0 || replace == nil {
			continue
		}
		b = append(b, raw[at:start]...)
		if b, err = jsontext.AppendQuote(b, changed); err != nil {
			return nil, nil, err
		}
		at = end
	}
	if at == 0 {
		return raw, found, nil
	}
	return append(b, raw[at:]...), found, nil
}

// within reports whether a pointer is one of fields or goes into one.
func within(pointer string, fields []string) bool {
	if len(fields) == 0 {
		return true
	}
	for _, f := range fields {
		if rest, ok := strings.CutPrefix(pointer, f); ok && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}

// Pointer is a name with dots, such as input.question, as a pointer.
func Pointer(name string) string {
	return "/" + strings.ReplaceAll(strings.NewReplacer("~", "~0", "/", "~1").Replace(name), ".", "/")
}

// text looks at one text.
func (e *Engine) text(text, pointer string, replace func(In) string) (string, []In) {
	findings := e.Find(text)
	if len(findings) == 0 {
		return text, nil
	}
	in := make([]In, len(findings))
	var b strings.Builder
	at := 0
	for i, f := range findings {
		in[i] = In{f, pointer, text[f.Start:f.End]}
		if replace != nil {
			b.WriteString(text[at:f.Start])
			b.WriteString(replace(in[i]))
			at = f.End
		}
	}
	b.WriteString(text[at:])
	return b.String(), in
}

// Placeholder is what stands for a finding that is redacted.
func Placeholder(f In) string { return "<" + f.Type + ">" }
