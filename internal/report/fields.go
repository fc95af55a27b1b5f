package report

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/rung-dev/rung"
)

// field is one leaf of a JSON value: where it stands and what it says. The path is empty for a value that has no parts.
type field struct {
	Path string `json:"p,omitempty"`
	Text string `json:"t"`
	Mark string `json:"m,omitempty"` // against what was expected: "" same, "≠" other value, "+" not expected, "–" missing
}

// Marks of a field against what was expected.
const (
	otherValue  = "≠"
	notExpected = "+"
	missing     = "–"
)

// maxFields bounds how many fields of one value are told apart; a value with more is shown as text.
const maxFields = 60

// fieldsOf takes a JSON value apart in its own order, numbers as they were written. Nil when it is no JSON or too large.
func fieldsOf(v json.RawMessage) []field { return leaves(v, maxFields) }

// leaves is fieldsOf with another limit.
func leaves(v json.RawMessage, limit int) []field {
	dec := json.NewDecoder(bytes.NewReader(v))
	dec.UseNumber()
	w := walker{dec: dec, limit: limit}
	if !w.value("", 0) || len(w.out) > limit {
		return nil
	}
	return w.out
}

type walker struct {
	dec   *json.Decoder
	out   []field
	limit int
}

// value reads one value at path; false when it is broken, too deep or too large.
func (w *walker) value(path string, depth int) bool {
	if depth > 20 || len(w.out) > w.limit {
		return false
	}
	tok, err := w.dec.Token()
	if err != nil {
		return false
	}
	switch t := tok.(type) {
	case json.Delim:
		return w.inside(t, path, depth)
	case string:
		w.out = append(w.out, field{Path: path, Text: t})
	case json.Number:
		w.out = append(w.out, field{Path: path, Text: t.String()})
	case bool:
		w.out = append(w.out, field{Path: path, Text: strconv.FormatBool(t)})
	default:
		w.out = append(w.out, field{Path: path, Text: "null"})
	}
	return true
}

func (w *walker) inside(open json.Delim, path string, depth int) bool {
	before := len(w.out)
	for i := 0; w.dec.More(); i++ {
		at := path + "[" + strconv.Itoa(i) + "]"
		if open == '{' {
			key, err := w.dec.Token()
			if err != nil {
				return false
			}
			at = key.(string)
			if path != "" {
				at = path + "." + at
			}
		}
		if !w.value(at, depth+1) {
			return false
		}
	}
	if _, err := w.dec.Token(); err != nil {
		return false
	}
	if len(w.out) == before {
		w.out = append(w.out, field{Path: path, Text: map[json.Delim]string{'{': "{}", '[': "[]"}[open]})
	}
	return true
}

// against marks the fields of an answer with how they differ from the expected ones, and adds what is missing.
func against(expected, got []field) []field {
	want := make(map[string]string, len(expected))
	for _, e := range expected {
		want[e.Path] = e.Text
	}
	out := make([]field, 0, len(got))
	have := map[string]bool{}
	for _, g := range got {
		have[g.Path] = true
		text, there := want[g.Path]
		switch {
		case !there:
			g.Mark = notExpected
		case text != g.Text:
			g.Mark = otherValue
		}
		out = append(out, g)
	}
	for _, e := range expected {
		if !have[e.Path] {
			out = append(out, field{Path: e.Path, Text: e.Text, Mark: missing})
		}
	}
	return out
}

// closest marks an answer against that of several expected values which it differs from least.
func closest(expected [][]field, got []field) []field {
	var best []field
	least := -1
	for _, e := range expected {
		marked := against(e, got)
		n := 0
		for _, f := range marked {
			if f.Mark != "" {
				n++
			}
		}
		if least < 0 || n < least {
			best, least = marked, n
		}
	}
	if best == nil {
		return got
	}
	return best
}

// Readable writes a JSON value for a line of text: a string or a single field bare, an object as "path: value; path: value".
// A value that has too many parts stays JSON.
func Readable(v json.RawMessage) string {
	fs := fieldsOf(v)
	if fs == nil {
		return string(v)
	}
	parts := make([]string, len(fs))
	for i, f := range fs {
		parts[i] = f.Text
		if f.Path != "" && len(fs) > 1 {
			parts[i] = f.Path + ": " + f.Text
		}
	}
	return strings.Join(parts, "; ")
}

// AnswerText is the parsed answer, readable, or the model's text where there is none.
func AnswerText(a *rung.Answer) string {
	if len(a.Value) > 0 {
		return Readable(a.Value)
	}
	return a.Text
}
