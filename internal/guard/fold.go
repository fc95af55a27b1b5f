package guard

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/rung-dev/rung/internal/pii"
)

// folded is plain without case, accents and look-alike letters: "Ｉgｎöre" and "іgnоre" (Cyrillic і and о) are "ignore".
func folded(text string) pii.Seen {
	return pii.Rewrite(text, func(r rune) rune {
		switch {
		case r < utf8.RuneSelf:
			if r >= 'A' && r <= 'Z' {
				return r + 'a' - 'A'
			}
			return r
		case pii.Invisible(r) || unicode.Is(unicode.Mn, r):
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

func alnum(c byte) bool { return digit(c) || c|0x20 >= 'a' && c|0x20 <= 'z' }

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
