package data

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"github.com/rung-dev/rung"
)

// fieldValues appends the values of a compact object, in its order, to dst. They point into input.
func fieldValues(dst [][]byte, input []byte) [][]byte {
	depth, start, quoted := 0, 0, false
	for i := 0; i < len(input); i++ {
		c := input[i]
		if quoted {
			switch c {
			case '\\':
				i++
			case '"':
				quoted = false
			}
			continue
		}
		switch c {
		case '"':
			quoted = true
		case '{', '[':
			depth++
		case ':':
			if depth == 1 {
				start = i + 1
			}
		case '}', ']':
			if depth--; depth == 0 && start > 0 {
				return append(dst, input[start:i])
			}
		case ',':
			if depth == 1 {
				dst = append(dst, input[start:i])
			}
		}
	}
	return dst
}

// normalise appends the text of a JSON value as it is compared: letters in lower case, white space as single spaces, and of
// lists and objects their strings only.
func normalise(dst, value []byte) []byte {
	if len(value) == 0 {
		return dst
	}
	switch value[0] {
	case '"':
		return normaliseText(dst, unquote(value))
	case '{', '[':
		return normaliseStrings(dst, value)
	}
	return append(dst, value...)
}

func normaliseText(dst, text []byte) []byte {
	start, space := len(dst), false
	for len(text) > 0 {
		c, size := rune(text[0]), 1
		if c >= utf8.RuneSelf {
			c, size = utf8.DecodeRune(text)
			c = unicode.ToLower(c)
		} else if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		text = text[size:]
		if c <= ' ' || c >= utf8.RuneSelf && unicode.IsSpace(c) {
			space = true
			continue
		}
		if space && len(dst) > start {
			dst = append(dst, ' ')
		}
		space = false
		if c < utf8.RuneSelf {
			dst = append(dst, byte(c))
			continue
		}
		dst = utf8.AppendRune(dst, c)
	}
	return dst
}

// normaliseStrings keeps the string values of a nested value and drops its keys, numbers and signs.
func normaliseStrings(dst, value []byte) []byte {
	for i := 0; i < len(value); i++ {
		if value[i] != '"' {
			continue
		}
		end := i + 1
		for end < len(value) && value[end] != '"' {
			if value[end] == '\\' {
				end++
			}
			end++
		}
		if end >= len(value) {
			return dst
		}
		if end+1 >= len(value) || value[end+1] != ':' {
			dst = normaliseText(dst, unquote(value[i:end+1]))
			dst = append(dst, '\n')
		}
		i = end
	}
	return dst
}

// view says which input fields are compared and how.
type view struct {
	texts []int // fields whose text must be alike
	key   int   // the one of them with the most different values: candidates are found by it
	equal []int // numbers and booleans, which must be equal
}

// viewOf chooses the compared fields: text fields without identifiers, or, where there are none, lists and objects without
// the tool definitions, which are long and nearly constant.
func viewOf(task *rung.Task, examples []rung.Example) view {
	var v view
	var nested []int
	for i, f := range task.Input {
		switch f.Type {
		case "string":
			v.texts = append(v.texts, i)
		case "array", "object":
			if f.Name != task.Output.ToolsFrom {
				nested = append(nested, i)
			}
		default:
			v.equal = append(v.equal, i)
		}
	}
	if len(v.texts) == 0 {
		v.texts = nested
	}
	v.choose(examples)
	return v
}

// sampleSize bounds the rows that are looked at to choose fields.
const sampleSize = 2000

func (v *view) choose(examples []rung.Example) {
	if len(v.texts) < 2 {
		if len(v.texts) == 1 {
			v.key = v.texts[0]
		}
		return
	}
	step := max(1, len(examples)/sampleSize)
	distinct := make([]map[string]bool, len(v.texts))
	identifiers := make([]int, len(v.texts))
	var values [][]byte
	n := 0
	for i := 0; i < len(examples); i += step {
		n++
		values = fieldValues(values[:0], examples[i].Input)
		for j, f := range v.texts {
			if distinct[j] == nil {
				distinct[j] = map[string]bool{}
			}
			distinct[j][string(values[f])] = true
			if looksLikeID(values[f]) {
				identifiers[j]++
			}
		}
	}
	keep, best := v.texts[:0:0], 0
	for j, f := range v.texts {
		if n >= 10 && identifiers[j] == n && len(distinct[j])*100 >= n*95 {
			continue
		}
		keep = append(keep, f)
		if len(distinct[j]) > best {
			best, v.key = len(distinct[j]), f
		}
	}
	if len(keep) == 0 {
		keep, v.key = v.texts, v.texts[0]
	}
	v.texts = keep
}

// looksLikeID reports a short text without spaces that holds a digit: a ticket number, a UUID.
func looksLikeID(value []byte) bool {
	return len(value) <= 66 && bytes.IndexByte(value, ' ') < 0 && bytes.ContainsAny(value, "0123456789")
}
