package grade

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The tokenizer of mteval-v13a as sacrebleu has it. Its four substitutions, in sacrebleu's regular expressions, only put spaces
// around ASCII characters, by what stands next to them:
//
//	([\{-\~\[-\` -\&\(-\+\:-\@\/])  →  " \1 "
//	([^0-9])([\.,])                 →  "\1 \2 "
//	([\.,])([^0-9])                 →  " \1 \2"
//	([0-9])(-)                      →  "\1 \2 "
//
// So the tokens are pieces of the text, and one pass finds them. A point or comma stands alone unless a digit follows it and the
// second substitution passed it over: after a digit, or after a point that the substitution has just used up, as in "a..5".

// span is a token: bytes start to end of a text.
type span struct{ start, end int32 }

// prepare13a is what happens to a text before it is cut.
func prepare13a(s string) string {
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
	return s
}

// part is what a byte is to the tokenizer.
type part byte

const (
	inside part = iota // of a token
	gap                // white space
	alone              // a token by itself: the first substitution
	point              // . and ,
	dash
	beyond // not ASCII
)

var parts13a = func() (table [256]part) {
	for _, span := range []string{"{~", "[`", "!&", "(+", ":@", "//"} {
		for c := span[0]; c <= span[1]; c++ {
			table[c] = alone
		}
	}
	for c := range table {
		if c >= utf8.RuneSelf {
			table[c] = beyond
		} else if pythonSpace(rune(c)) {
			table[c] = gap
		}
	}
	table['.'], table[','], table['-'] = point, point, dash
	return table
}()

// tokens13a cuts a prepared text.
func tokens13a(out []span, s string) []span {
	start := -1   // start of the token being read
	used := false // the byte before is a point that the second substitution has used up
	var size int  // bytes of the character
	for i := 0; i < len(s); i += size {
		what := parts13a[s[i]]
		size = 1
		afterUsed := used
		used = false
		switch what {
		case beyond:
			var r rune
			if r, size = utf8.DecodeRuneInString(s[i:]); unicode.IsSpace(r) {
				what = gap
			} else {
				what = inside
			}
		case dash:
			what = inside
			if i > 0 && digit(s[i-1]) {
				what = alone
			}
		case point:
			used = !afterUsed && (i == 0 || !digit(s[i-1]))
			what = alone
			if !used && i+1 < len(s) && digit(s[i+1]) {
				what = inside
			}
		}
		if what == inside {
			if start < 0 {
				start = i
			}
			continue
		}
		if start >= 0 {
			out = append(out, span{int32(start), int32(i)})
			start = -1
		}
		if what == alone {
			out = append(out, span{int32(i), int32(i + 1)})
		}
	}
	if start >= 0 {
		out = append(out, span{int32(start), int32(len(s))})
	}
	return out
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// cutToken is the first word of a text, by white space, and what follows it; without words it is "".
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
