package dedupe

import (
	"slices"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// What canonical does with an ASCII character.
const (
	keep    = iota
	space   // white space and sentence punctuation part words
	nothing // an apostrophe parts none
	point   // kept before a digit: 3.5, 1,000
	hyphen  // kept unless it stands between letters: -4, 3 - 4, but not well-known
)

var ascii = func() (t [utf8.RuneSelf]byte) {
	for c := range t {
		if c <= ' ' || c == 0x7f {
			t[c] = space
		}
	}
	for _, c := range `;:!?"` {
		t[c] = space
	}
	t['\''], t['`'], t['.'], t[','], t['-'] = nothing, nothing, point, point, hyphen
	return t
}()

// canonical appends text as it is compared: letters in lower case and in compatibility form (NFKC), white space and sentence punctuation
// as single spaces. Signs that say something stay: digits with their points, arithmetic, brackets, currency.
func canonical(dst, text, scratch []byte) (out, scratchOut []byte) {
	for _, c := range text {
		if c >= utf8.RuneSelf {
			scratch = norm.NFKC.Append(scratch[:0], text...)
			return canonicalRunes(dst, scratch), scratch
		}
	}
	return canonicalASCII(dst, text), scratch
}

// plain is what becomes of an ASCII character that is kept: itself, letters in lower case; 0 for those that ascii treats otherwise.
var plain = func() (t [256]byte) {
	for c := range byte(utf8.RuneSelf) {
		if ascii[c] == keep {
			t[c] = c
			if 'A' <= c && c <= 'Z' {
				t[c] = c + 'a' - 'A'
			}
		}
	}
	return t
}()

func canonicalASCII(dst, text []byte) []byte {
	start, gap := len(dst), false
	dst = slices.Grow(dst, len(text))
	for i, c := range text {
		p := plain[c]
		if p == 0 {
			switch special(text, i) {
			case nothing:
				continue
			case space:
				gap = true
				continue
			}
			p = c
		}
		if gap && len(dst) > start {
			dst = append(dst, ' ')
		}
		gap = false
		dst = append(dst, p)
	}
	return dst
}

// special says what becomes of a character that is not kept as it is.
func special(text []byte, i int) byte {
	switch kind := ascii[text[i]&0x7f]; kind {
	case point:
		if i+1 >= len(text) || !isDigit(text[i+1]) {
			return space
		}
	case hyphen:
		if i > 0 && i+1 < len(text) && isLetter(text[i-1]) && isLetter(text[i+1]) {
			return space
		}
	default:
		return kind
	}
	return keep
}

func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func canonicalRunes(dst, text []byte) []byte {
	start, gap := len(dst), false
	last := ' '
	for i := 0; i < len(text); {
		c, size := utf8.DecodeRune(text[i:])
		i += size
		was := last
		last = c
		switch {
		case c < utf8.RuneSelf:
			switch ascii[c] {
			case nothing:
				continue
			case space:
				gap = true
				continue
			case point:
				if i >= len(text) || !isDigit(text[i]) {
					gap = true
					continue
				}
			case hyphen:
				if next, _ := utf8.DecodeRune(text[i:]); unicode.IsLetter(was) && unicode.IsLetter(next) {
					gap = true
					continue
				}
			}
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
		case c == '’' || c == '‘' || unicode.Is(unicode.Cf, c):
			continue
		case unicode.IsSpace(c) || unicode.IsPunct(c):
			gap = true
			continue
		default:
			c = unicode.ToLower(c)
		}
		if gap && len(dst) > start {
			dst = append(dst, ' ')
		}
		gap = false
		dst = utf8.AppendRune(dst, c)
	}
	return dst
}
