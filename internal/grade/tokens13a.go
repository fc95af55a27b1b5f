package grade

import (
	"strings"
	"unicode"
	"unicode/utf8"
	"unsafe"
)

// text13a is the tokenizer of mteval-v13a as sacrebleu has it, with its memory. Its four substitutions, in sacrebleu's regular
// expressions, are applied here byte by byte; that is the same, because they look at ASCII characters and their neighbours:
//
//	([\{-\~\[-\` -\&\(-\+\:-\@\/])  →  " \1 "
//	([^0-9])([\.,])                 →  "\1 \2 "
//	([\.,])([^0-9])                 →  " \1 \2"
//	([0-9])(-)                      →  "\1 \2 "
type text13a struct{ a, b []byte }

// separate are the characters of the first substitution.
var separate = func() (set [256]bool) {
	for _, span := range []string{"{~", "[`", " &", "(+", ":@", "//"} {
		for c := span[0]; c <= span[1]; c++ {
			set[c] = true
		}
	}
	return set
}()

// tokenize returns s with white space between its tokens. The result lives until the next call.
func (t *text13a) tokenize(s string) string {
	s = strings.TrimRightFunc(s[:min(len(s), maxText)], pythonSpace)
	if strings.IndexByte(s, '<') >= 0 {
		s = strings.ReplaceAll(s, "<skipped>", "")
	}
	if strings.IndexByte(s, '\n') >= 0 {
		s = strings.ReplaceAll(s, "-\n", "")
	}
	if strings.IndexByte(s, '&') >= 0 {
		s = strings.ReplaceAll(s, "&quot;", `"`)
		s = strings.ReplaceAll(s, "&amp;", "&")
		s = strings.ReplaceAll(s, "&lt;", "<")
		s = strings.ReplaceAll(s, "&gt;", ">")
	}
	points, dashes := t.spread(s)
	if points {
		t.b = beforePoints(t.b[:0], t.a)
		t.a = afterPoints(t.a[:0], t.b)
	}
	if dashes {
		t.b = afterDigits(t.b[:0], t.a)
		t.a, t.b = t.b, t.a
	}
	return unsafe.String(unsafe.SliceData(t.a), len(t.a))
}

// spread is the first substitution, into t.a, with a space at both ends. It says whether the others have anything to do.
func (t *text13a) spread(s string) (points, dashes bool) {
	out := append(t.a[:0], ' ')
	for i := range len(s) {
		c := s[i]
		switch {
		case c == '\n':
			out = append(out, ' ')
		case separate[c]:
			out = append(out, ' ', c, ' ')
		default:
			points = points || c == '.' || c == ','
			dashes = dashes || c == '-'
			out = append(out, c)
		}
	}
	t.a = append(out, ' ')
	return points, dashes
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func point(c byte) bool { return c == '.' || c == ',' }

func beforePoints(out, in []byte) []byte {
	for i := 0; i < len(in); i++ {
		c := in[i]
		out = append(out, c)
		if !digit(c) && i+1 < len(in) && point(in[i+1]) {
			i++
			out = append(out, ' ', in[i], ' ')
		}
	}
	return out
}

func afterPoints(out, in []byte) []byte {
	for i := 0; i < len(in); i++ {
		c := in[i]
		if point(c) && i+1 < len(in) && !digit(in[i+1]) {
			i++
			out = append(out, ' ', c, ' ', in[i])
			continue
		}
		out = append(out, c)
	}
	return out
}

func afterDigits(out, in []byte) []byte {
	for i := 0; i < len(in); i++ {
		c := in[i]
		out = append(out, c)
		if digit(c) && i+1 < len(in) && in[i+1] == '-' {
			i++
			out = append(out, ' ', '-', ' ')
		}
	}
	return out
}

// cutToken is the first token of a text and what follows it; without tokens it is "".
func cutToken(s string) (token, rest string) {
	start := -1
	for i := 0; i < len(s); {
		c, size := rune(s[i]), 1
		if c >= utf8.RuneSelf {
			c, size = utf8.DecodeRuneInString(s[i:])
		}
		switch space := pythonSpace(c); {
		case !space && start < 0:
			start = i
		case space && start >= 0:
			return s[start:i], s[i+size:]
		}
		i += size
	}
	if start < 0 {
		return "", ""
	}
	return s[start:], ""
}

// pythonSpace is what Python's str.split cuts at: Unicode white space and the four ASCII separators.
func pythonSpace(r rune) bool {
	if r < utf8.RuneSelf {
		return r == ' ' || r >= '\t' && r <= '\r' || r >= 0x1c && r <= 0x1f
	}
	return unicode.IsSpace(r)
}
