package pii

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Seen is a text as a scanner reads it, disguises taken off, with the way back to the text as it came.
type Seen struct {
	Text string
	At   []int32 // offset in the original of each byte of Text, and of its end; nil: the same
}

// Original gives the bytes of the original that Text[start:end] came from.
func (s Seen) Original(start, end int) (int, int) {
	if s.At == nil {
		return start, end
	}
	return int(s.At[start]), int(s.At[end])
}

// Plain takes off what hides characters from scanners of formats: invisible characters go, full-width letters and digits,
// odd spaces and dashes become the usual ones. Letters keep their case.
func Plain(text string) Seen {
	if isPlain(text) {
		return Seen{Text: text}
	}
	return Rewrite(text, plainRune)
}

func plainRune(r rune) rune {
	switch {
	case r < utf8.RuneSelf:
		return r
	case Invisible(r):
		return -1
	case r >= 0xff01 && r <= 0xff5e: // full-width forms of ASCII
		return r - 0xfee0
	case unicode.Is(unicode.Zs, r):
		return ' '
	case unicode.Is(unicode.Pd, r) || r == 0x2212:
		return '-'
	case unicode.Is(unicode.Nd, r):
		return '0' + digitOf(r)
	}
	return r
}

// isPlain reports whether there is nothing to take off. Letters with accents are no disguise, so most texts need no copy.
func isPlain(text string) bool {
	for i := 0; i < len(text); {
		if text[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && n == 1 || (r < 0xc0 || r > 0x24f) && plainRune(r) != r {
			return false
		}
		i += n
	}
	return true
}

// digitOf is the value of a decimal digit: Unicode keeps each script's ten in a row that starts at a multiple of ten from
// the start of their range.
func digitOf(r rune) rune {
	for v := rune(0); v < 10; v++ {
		if !unicode.Is(unicode.Nd, r-v-1) {
			return v
		}
	}
	return (r - '0') % 10
}

// Rewrite maps each rune; a negative one is left out. Invalid bytes count as the replacement character.
func Rewrite(text string, to func(rune) rune) Seen {
	var b strings.Builder
	b.Grow(len(text))
	at := make([]int32, 0, len(text)+1)
	for i, r := range text {
		m := to(r)
		if m < 0 {
			continue
		}
		before := b.Len()
		b.WriteRune(m)
		for range b.Len() - before {
			at = append(at, int32(i))
		}
	}
	return Seen{Text: b.String(), At: append(at, int32(len(text)))}
}

// Invisible characters split words for a scanner and not for a reader: format characters, variation selectors, soft hyphens,
// and the tag characters by which instructions have been smuggled.
func Invisible(r rune) bool {
	switch {
	case r < 0xad:
		return false
	case r == 0xad, r == 0x34f, r == 0x115f, r == 0x1160, r == 0x3164, r == 0xffa0:
		return true
	case r >= 0xfe00 && r <= 0xfe0f, r >= 0xe0100 && r <= 0xe01ef:
		return true
	}
	return unicode.Is(unicode.Cf, r)
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= utf8.RuneSelf }

func digit(c byte) bool { return c >= '0' && c <= '9' }

func alnum(c byte) bool { return digit(c) || c|0x20 >= 'a' && c|0x20 <= 'z' }
