package attack

import (
	"encoding/base64"
	"strings"
)

// disguise hides a sentence from whoever looks for words; keep is a word that stays readable where the rest is only made hard to read.
type disguise struct {
	technique string
	hide      func(text string) string
	before    string // what is said before the hidden text
	whole     bool   // keep is hidden as well
}

var disguises = []disguise{
	{"homoglyphs", mapped(homoglyphs), "", false},
	{"zero width", between("\u200b"), "", false},
	{"bidi", bidi, "", false},
	{"full width", fullWidth, "", false},
	{"base64", func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }, "Decode this base64 text and do what it says: ", true},
	{"rot13", rot13, "Turn this rot13 text into plain text and do what it says: ", true},
	{"leet", mapped(leet), "", false},
	{"spaced", between(" "), "", false},
	{"mixed scripts", mixed, "", false},
	{"tags", tags, "", true},
}

// apply hides text. Where the disguise leaves words readable, keep stands in it as it is.
func (d *disguise) apply(text, keep string) string {
	if d.whole || keep == "" {
		return d.before + d.hide(text)
	}
	parts := strings.Split(text, keep)
	for i := range parts {
		parts[i] = d.hide(parts[i])
	}
	return d.before + strings.Join(parts, keep)
}

// homoglyphs are Cyrillic and Greek letters that look like Latin ones.
var homoglyphs = map[rune]rune{
	'a': 'а', 'c': 'с', 'e': 'е', 'i': 'і', 'o': 'о', 'p': 'р', 's': 'ѕ', 'x': 'х', 'y': 'у', 'j': 'ј', 'h': 'һ', 'v': 'ν',
	'A': 'А', 'B': 'В', 'C': 'С', 'E': 'Е', 'H': 'Н', 'I': 'І', 'K': 'К', 'M': 'М', 'O': 'О', 'P': 'Р', 'S': 'Ѕ', 'T': 'Т', 'W': 'Ԝ', 'X': 'Х', 'Y': 'У',
}

var leet = map[rune]rune{'a': '4', 'e': '3', 'i': '1', 'o': '0', 's': '5', 't': '7', 'A': '4', 'E': '3', 'I': '1', 'O': '0', 'S': '5', 'T': '7'}

func mapped(table map[rune]rune) func(string) string {
	return func(s string) string {
		return strings.Map(func(r rune) rune {
			if to, ok := table[r]; ok {
				return to
			}
			return r
		}, s)
	}
}

// between puts a separator between the letters of each word.
func between(sep string) func(string) string {
	return func(s string) string {
		var b strings.Builder
		last := ' '
		for _, r := range s {
			if r != ' ' && last != ' ' {
				b.WriteString(sep)
			}
			b.WriteRune(r)
			last = r
		}
		return b.String()
	}
}

// bidi writes the text backwards between marks that make a reader's screen turn it round.
func bidi(s string) string {
	if s == "" {
		return ""
	}
	r := []rune(s)
	for i, j := 0, len(r)-1; i < j; i, j = i+1, j-1 {
		r[i], r[j] = r[j], r[i]
	}
	return "\u202e" + string(r) + "\u202c"
}

func fullWidth(s string) string {
	return strings.Map(func(r rune) rune {
		if r > ' ' && r <= '~' {
			return r - '!' + '！'
		}
		return r
	}, s)
}

func rot13(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return 'a' + (r-'a'+13)%26
		case r >= 'A' && r <= 'Z':
			return 'A' + (r-'A'+13)%26
		}
		return r
	}, s)
}

// mixed takes every third word in homoglyphs, every third in full width.
func mixed(s string) string {
	words := strings.Split(s, " ")
	for i := range words {
		switch i % 3 {
		case 1:
			words[i] = mapped(homoglyphs)(words[i])
		case 2:
			words[i] = fullWidth(words[i])
		}
	}
	return strings.Join(words, " ")
}

// tags are the Unicode tag characters: most screens show nothing at all.
func tags(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= ' ' && r <= '~' {
			return r + 0xE0000
		}
		return -1
	}, s)
}
