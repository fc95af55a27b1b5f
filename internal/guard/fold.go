package guard

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// seen is a text as a guard reads it, disguises taken off, with the way back to the text as it came.
type seen struct {
	text string
	at   []int32 // offset in the original of each byte of text, and of its end; nil: the same
}

// original gives the bytes of the original that text[start:end] came from.
func (s seen) original(start, end int) (int, int) {
	if s.at == nil {
		return start, end
	}
	return int(s.at[start]), int(s.at[end])
}

// plain takes off what hides characters from scanners of formats: invisible characters go, full-width letters and digits,
// odd spaces and dashes become the usual ones. Letters keep their case.
func plain(text string) seen {
	if isPlain(text) {
		return seen{text: text}
	}
	return rewrite(text, func(r rune) rune {
		switch {
		case invisible(r):
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
	})
}

func isPlain(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
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

// folded is plain without case, accents and look-alike letters: "Ｉgｎöre" and "іgnоre" (Cyrillic і and о) are "ignore".
func folded(text string) seen {
	return rewrite(text, func(r rune) rune {
		switch {
		case r < utf8.RuneSelf:
			if r >= 'A' && r <= 'Z' {
				return r + 'a' - 'A'
			}
			return r
		case invisible(r) || unicode.Is(unicode.Mn, r):
			return -1
		case unicode.IsSpace(r):
			return ' '
		}
		if latin, ok := lookAlikes[r]; ok {
			return latin
		}
		return base(r)
	})
}

// base is the first character of a rune's compatibility decomposition, in lower case.
func base(r rune) rune {
	var buf [utf8.UTFMax]byte
	n := utf8.EncodeRune(buf[:], r)
	if d := norm.NFKD.Properties(buf[:n]).Decomposition(); len(d) > 0 {
		r, _ = utf8.DecodeRune(d)
	}
	r = unicode.ToLower(r)
	if latin, ok := lookAlikes[r]; ok {
		return latin
	}
	return r
}

// rewrite maps each rune; a negative one is left out. Invalid bytes count as the replacement character.
func rewrite(text string, to func(rune) rune) seen {
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
	return seen{text: b.String(), at: append(at, int32(len(text)))}
}

// invisible characters split words for a scanner and not for a reader: format characters, variation selectors, soft hyphens,
// and the tag characters by which instructions have been smuggled.
func invisible(r rune) bool {
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

// tagged reads text written in Unicode tag characters, which are invisible and which models read.
func tagged(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r >= 0xe0020 && r <= 0xe007e {
			b.WriteRune(r - 0xe0000)
		}
	}
	return b.String()
}

// lookAlikes are letters of other scripts that look like Latin ones (from the confusables of Unicode TS 39, lower case and
// those capitals whose lower case looks different).
var lookAlikes = func() map[rune]rune {
	m := map[rune]rune{}
	for latin, others := range map[rune]string{
		'a': "аɑαᴀ", 'b': "ЬьƄɓВв", 'c': "сϲᴄⅽ", 'd': "ԁɗᴅⅾ", 'e': "еєҽℯᴇ", 'f': "ғƒ", 'g': "ɡցɢ", 'h': "һհНнʜ", 'i': "іıɩιӏɪⅰ",
		'j': "јʝᴊ", 'k': "кκᴋ", 'l': "ⅼʟ", 'm': "мᴍⅿ", 'n': "ոпηɴ", 'o': "оοօσᴏ", 'p': "рρᴘ", 'q': "ԛզ", 'r': "гʀ", 's': "ѕꜱʂ",
		't': "тτᴛ", 'u': "υսᴜ", 'v': "ѵνᴠⅴ", 'w': "ԝωᴡ", 'x': "хχⅹ", 'y': "уγʏү", 'z': "ᴢʐ",
	} {
		for _, r := range others {
			m[r] = latin
		}
	}
	return m
}()

// unleet reads digits and signs inside words as the letters they stand for: "p4ssw0rd", "h@te". It changes no length.
func unleet(text string) string {
	b := []byte(text)
	for i, c := range b {
		before, after := i > 0 && lowerLetter(text[i-1]), i+1 < len(text) && lowerLetter(text[i+1])
		if leet[c] != 0 && (before && after || digit(c) && (before || after)) { // "falcon!" ends with a mark, not with an i
			b[i] = leet[c]
		}
	}
	return string(b)
}

var leet = [256]byte{'0': 'o', '1': 'i', '3': 'e', '4': 'a', '5': 's', '7': 't', '8': 'b', '@': 'a', '$': 's', '!': 'i', '|': 'l'}

func lowerLetter(c byte) bool { return c >= 'a' && c <= 'z' }

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= utf8.RuneSelf }

func digit(c byte) bool { return c >= '0' && c <= '9' }

// joined closes up letters that stand one by one ("i g n o r e", "h.a.t.e"): runs of four or more, of which it gives the words,
// also without the first letter: in "I h a t e" it is a word of its own. It is empty where there are none.
func joined(text string) string {
	var out strings.Builder
	for i := 0; i < len(text); {
		j := i
		var run []byte
		for j < len(text) && lowerLetter(text[j]) && (j+1 >= len(text) || !letter(text[j+1])) && (j == 0 || !letter(text[j-1])) {
			run = append(run, text[j])
			j++
			if j < len(text) && strings.IndexByte(" .-_*", text[j]) >= 0 {
				j++
			}
		}
		if len(run) >= 4 {
			out.Write(run)
			out.WriteByte(' ')
			out.Write(run[1:])
			out.WriteByte(' ')
		}
		i = max(j, i+1)
	}
	return out.String()
}
