package charset

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Mended is what Mend found.
type Mended int

// The findings.
const (
	Fine    Mended = iota
	Mangled        // certain, and repaired
	Doubted        // it looks like it, and may be right as it is
)

// c1 are the characters of 80 to 9F in Windows-1252; what it does not have stands for itself, as on the web.
var c1 = [32]rune{'€', 0x81, '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', 0x8d, 'Ž', 0x8f,
	0x90, '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', 0x9d, 'ž', 'Ÿ'}

// byteOf is the byte of a character in Windows-1252.
func byteOf(r rune) (byte, bool) {
	if r < 0x80 || r >= 0xa0 && r <= 0xff {
		return byte(r), true
	}
	for i, c := range c1 {
		if c == r {
			return byte(0x80 + i), true
		}
	}
	if r >= 0x80 && r < 0xa0 {
		return byte(r), true
	}
	return 0, false
}

// Characters with the bytes 80 to BF that may stand after a letter in a text that is right: signs of a sentence, other signs, and letters
// (Úžas).
const (
	sentence = "’”“‘»«…–—‹›‚„\u00a0\u00ad´¨¯•†‡™"
	signs    = "ªº²³¹®©°·¿¡€£¢¥¶§±"
	letters  = "ŠšŽžŒœŸƒ"
)

// Mend repairs a text that was UTF-8, was read as Windows-1252 and was written as UTF-8 again: "cafÃ©". It is certain, and repaired, when
// every character that is not ASCII belongs to such a sequence and one of the sequences is one that no text has: its second character
// cannot follow a letter (Ã¼), it begins with â€ or ðŸ, a capital begins it right after a small letter (fÃ©), or an Ã followed by a sign
// and a small letter, or by a letter that no word has there (Ã©t, Ãœb), or two sequences of three characters follow each other. Where the sequences could be meant (MANHÃ…) or only a part of the
// text has them, it is doubted and left. It is done up to three times.
func Mend(s string) (string, Mended) {
	found := Fine
	for range 3 {
		out, is := mendOnce(s)
		if is != Mangled {
			if found == Fine {
				return s, is
			}
			return s, Mangled
		}
		s, found = out, Mangled
	}
	return s, found
}

func mendOnce(s string) (string, Mended) {
	if !maybe(s) {
		return s, Fine
	}
	raw := make([]byte, 0, len(s))
	for _, r := range s {
		b, ok := byteOf(r)
		if !ok {
			return s, partly(s)
		}
		raw = append(raw, b)
	}
	if !utf8.Valid(raw) {
		return s, partly(s)
	}
	if !sure([]rune(s)) {
		return s, Doubted
	}
	return string(raw), Mangled
}

// partly looks whether a text that is not mangled as a whole has a sequence that no text has.
func partly(s string) Mended {
	if sure([]rune(s)) {
		return Doubted
	}
	return Fine
}

// maybe looks quickly for a character that begins a sequence, with one after it that goes on.
func maybe(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] != 0xc3 || i+2 >= len(s) || s[i+1] < 0x82 || s[i+1] > 0xb4 {
			continue
		}
		r, _ := utf8.DecodeRuneInString(s[i+2:])
		if b, ok := byteOf(r); ok && b >= 0x80 && b < 0xc0 {
			return true
		}
	}
	return false
}

// sure looks for a sequence that no text has.
func sure(rs []rune) bool {
	for i := 0; i+1 < len(rs); i++ {
		n := sequence(rs[i:])
		if n == 0 {
			continue
		}
		lead, second := rs[i], rs[i+1]
		after := i+n < len(rs) && unicode.IsLower(rs[i+n])
		letter := strings.ContainsRune(letters, second)
		switch {
		case lead == 'â' && second == '€', lead == 'ð' && second == 'Ÿ':
			return true
		case !letter && !strings.ContainsRune(sentence, second) && !strings.ContainsRune(signs, second):
			return true
		case unicode.IsUpper(lead) && i > 0 && unicode.IsLower(rs[i-1]):
			return true
		case n >= 3 && i+n < len(rs) && sequence(rs[i+n:]) >= 3:
			return true
		case lead == 'Ã' && (letter || after && strings.ContainsRune(signs, second)):
			return true
		}
	}
	return false
}

// sequence is how many characters, as bytes of Windows-1252, make one UTF-8 sequence here; 0: they do not.
func sequence(rs []rune) int {
	var b [utf8.UTFMax]byte
	n := 0
	for n < len(b) && n < len(rs) {
		c, ok := byteOf(rs[n])
		if !ok {
			break
		}
		b[n] = c
		n++
	}
	if n < 2 || b[0] < 0xc2 {
		return 0
	}
	if r, size := utf8.DecodeRune(b[:n]); size > 1 && r != utf8.RuneError {
		return size
	}
	return 0
}

// Differing makes the record of a repair from the texts before and after: what stands around the first character that is not ASCII.
func Differing(kind Kind, before, after string) Repair {
	at := firstHigh([]byte(before))
	return Repair{Kind: kind, Before: Excerpt([]byte(before), at), After: Excerpt([]byte(after), min(at, len(after)))}
}

// Printable is bytes as text, with what is no text written \x...
func Printable(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	var out strings.Builder
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if r == utf8.RuneError && size == 1 {
			const hex = "0123456789abcdef"
			out.WriteString(`\x` + string([]byte{hex[b[0]>>4], hex[b[0]&15]}))
		} else {
			out.WriteRune(r)
		}
		b = b[size:]
	}
	return out.String()
}
