package curate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/rung-dev/rung/internal/pii"
)

// elsewhere replaces values that were found in one place of a row where they stand in another, such as a name of the question in the
// answer, where nothing says that it is one. Numbers of few digits and single letters are left alone.
func (p *privacy) elsewhere(raw []byte, found []pii.In) ([]byte, int, error) {
	values := map[string]string{}
	var order []string
	for _, f := range found {
		v := strings.TrimSpace(f.Value())
		if utf8.RuneCountInString(v) < 3 || values[v] != "" {
			continue
		}
		values[v] = p.replace(f)
		order = append(order, v)
	}
	slices.SortFunc(order, func(a, b string) int { return len(b) - len(a) })
	n := 0
	out, err := mapTexts(raw, p.pointers, p.left, func(text string) string {
		for _, v := range order {
			if strings.Contains(text, v) {
				var k int
				text, k = replaceWord(text, v, values[v])
				n += k
			}
		}
		return text
	})
	return out, n, err
}

// replaceWord replaces v where no letter or digit goes on before or after it.
func replaceWord(text, v, with string) (string, int) {
	var b strings.Builder
	n := 0
	for {
		i := strings.Index(text, v)
		if i < 0 {
			b.WriteString(text)
			return b.String(), n
		}
		before, _ := utf8.DecodeLastRuneInString(text[:i])
		after, _ := utf8.DecodeRuneInString(text[i+len(v):])
		b.WriteString(text[:i])
		if i > 0 && wordly(before) || i+len(v) < len(text) && wordly(after) {
			b.WriteString(v)
		} else {
			b.WriteString(with)
			n++
		}
		text = text[i+len(v):]
	}
}

func wordly(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// mapTexts changes the texts of a JSON value below some pointers, but for those below left.
func mapTexts(raw []byte, pointers, left []string, change func(string) string) ([]byte, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(raw))
	var b []byte
	at := 0
	for {
		if dec.PeekKind() != '"' {
			if _, err := dec.ReadToken(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return nil, fmt.Errorf("a working row: %w", err)
			}
			continue
		}
		quoted, err := dec.ReadValue()
		if err != nil {
			return nil, fmt.Errorf("a working row: %w", err)
		}
		if kind, n := dec.StackIndex(dec.StackDepth()); kind == '{' && n%2 == 1 { // it is a name
			continue
		}
		end := int(dec.InputOffset())
		pointer := string(dec.StackPointer())
		if !below(pointer, pointers) || below(pointer, left) {
			continue
		}
		was, err := jsontext.AppendUnquote(nil, quoted)
		if err != nil {
			return nil, fmt.Errorf("a working row: %w", err)
		}
		now := change(string(was))
		if now == string(was) {
			continue
		}
		b = append(b, raw[at:end-len(quoted)]...)
		if b, err = jsontext.AppendQuote(b, now); err != nil {
			return nil, fmt.Errorf("a working row: %w", err)
		}
		at = end
	}
	if at == 0 {
		return raw, nil
	}
	return append(b, raw[at:]...), nil
}
