package grade

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Text is normalised as in SQuAD's evaluation script (Rajpurkar et al. 2016) in its extension to other languages, MLQA (Lewis
// et al. 2020): lower case, no punctuation (Unicode category P and the ASCII symbols), no English articles, white space
// collapsed. Before that, composed and decomposed letters are made the same (NFC). Characters of scripts written without
// spaces count as one word each; on other text the figures are those of SQuAD's script.

// A text of which nothing would be left ("A" as the answer to a question with choices, "?") keeps its articles, and failing
// that its punctuation; the script would call all such texts equal.

// words are the normalised words of s. bare says that articles or punctuation had to be kept for there to be any.
func words(s string) (kept []string, bare bool) {
	if !norm.NFC.IsNormalString(s) {
		s = norm.NFC.String(s)
	}
	fields := strings.Fields(stripPunctuation(s))
	for _, field := range fields {
		kept = appendWords(kept, field)
	}
	switch {
	case len(kept) > 0:
		return kept, false
	case len(fields) > 0:
		return fields, true
	}
	return strings.Fields(s), true
}

// stripPunctuation lowers s and deletes its punctuation.
func stripPunctuation(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for _, r := range s {
		switch {
		case r >= 'A' && r <= 'Z':
			b.WriteByte(byte(r) + 'a' - 'A')
		case r < utf8.RuneSelf:
			if !asciiPunctuation(byte(r)) {
				b.WriteByte(byte(r))
			}
		case unicode.Is(unicode.P, r):
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

// asciiPunctuation is Python's string.punctuation.
func asciiPunctuation(c byte) bool {
	return c >= '!' && c <= '/' || c >= ':' && c <= '@' || c >= '[' && c <= '`' || c >= '{' && c <= '~'
}

// appendWords adds the words of a field that holds no white space and no punctuation.
func appendWords(out []string, field string) []string {
	start, whole := 0, true
	for i, r := range field {
		if r < utf8.RuneSelf || unicode.IsLetter(r) && !spaceless(r) || unicode.IsNumber(r) {
			continue
		}
		whole = false
		if spaceless(r) {
			out = appendRun(out, field[start:i])
			out = append(out, field[i:i+utf8.RuneLen(r)])
			start = i + utf8.RuneLen(r)
		}
	}
	if whole {
		if article(field) {
			return out
		}
		return append(out, field)
	}
	return appendRun(out, field[start:])
}

// appendRun adds a field with characters that are neither letters nor digits. The script takes out articles at the borders of
// letters and such characters too, so "the€5" becomes "€5".
func appendRun(out []string, field string) []string {
	if field == "" {
		return out
	}
	var b strings.Builder
	for field != "" {
		n := strings.IndexFunc(field, func(r rune) bool { return !wordRune(r) })
		if n < 0 {
			n = len(field)
		}
		if !article(field[:n]) {
			b.WriteString(field[:n])
		} else {
			b.WriteByte(' ')
		}
		rest := field[n:]
		m := strings.IndexFunc(rest, wordRune)
		if m < 0 {
			m = len(rest)
		}
		b.WriteString(rest[:m])
		field = rest[m:]
	}
	return append(out, strings.Fields(b.String())...)
}

func wordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }

func article(s string) bool { return s == "a" || s == "an" || s == "the" }

// spaceless reports whether r belongs to a script that is written without spaces between words.
func spaceless(r rune) bool {
	return r >= 0x0E00 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// text is a string with what the text metrics need of it, made when first asked for.
type text struct {
	s      string
	read   bool
	bare   bool
	words  []string
	sorted []string
	joined string
}

func (t *text) prepare() {
	if t.read {
		return
	}
	t.read = true
	t.words, t.bare = words(t.s)
	t.sorted = slices.Clone(t.words)
	slices.Sort(t.sorted)
	t.joined = strings.Join(t.words, " ")
}

// tokenF1 is the harmonic mean of the shares of words that two texts have in common, counted with multiplicity. Two texts
// without words are equal.
func tokenF1(got, want *text) float64 {
	got.prepare()
	want.prepare()
	if len(got.sorted) == 0 || len(want.sorted) == 0 {
		if len(got.sorted) == len(want.sorted) {
			return 1
		}
		return 0
	}
	return f1(float64(common(got.sorted, want.sorted)), float64(len(got.sorted)), float64(len(want.sorted)))
}

// common is the size of the intersection of two sorted multisets.
func common(a, b []string) int {
	n, i, j := 0, 0, 0
	for i < len(a) && j < len(b) {
		switch c := strings.Compare(a[i], b[j]); {
		case c == 0:
			n++
			i++
			j++
		case c < 0:
			i++
		default:
			j++
		}
	}
	return n
}

// f1 is 2·hits/(answered+expected), and 1 when there was nothing to answer and nothing was answered.
func f1(hits, answered, expected float64) float64 {
	if answered+expected == 0 {
		return 1
	}
	return 2 * hits / (answered + expected)
}

// sameText reports equality after normalisation.
func sameText(got, want *text) bool {
	got.prepare()
	want.prepare()
	return got.joined == want.joined
}

// holds reports whether the words of phrase occur in t one after another. An empty phrase occurs in an empty text only.
func (t *text) holds(phrase *text) bool {
	t.prepare()
	phrase.prepare()
	switch {
	case len(phrase.words) == 0:
		return len(t.words) == 0
	case !phrase.bare:
		return strings.Contains(" "+t.joined+" ", " "+phrase.joined+" ")
	}
	with := " " + strings.Join(strings.Fields(stripPunctuation(t.s)), " ") + " " // with its articles
	return strings.Contains(with, " "+phrase.joined+" ") || strings.Contains(t.s, strings.TrimSpace(phrase.s)) && !wordRune(firstRune(phrase.joined))
}

func firstRune(s string) rune {
	r, _ := utf8.DecodeRuneInString(s)
	return r
}
