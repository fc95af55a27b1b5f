package datacheck

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// Languages are told apart by naive Bayes over 1-, 2- and 3-grams of characters, among the languages of the script that most letters are of
// (Cavnar and Trenkle 1994; Nakatani's language-detection, 2010, whose profiles these are). Scripts of one language name it at once. The
// profiles are those of langdetect 1.0.9 (Apache-2.0), cut down by bench/data/lang/profiles.py; docs/data-check.md has what they find.
//
//go:embed languages.gz
var packedLanguages []byte

// scriptLanguages are the languages of one script with the n-grams that tell them apart.
type scriptLanguages struct {
	names []string
	grams map[string][]gramShare
}

type gramShare struct {
	language uint8
	minusLog float32 // of the n-gram's share
}

// floorLog is minus the logarithm of the share of an n-gram that a language's profile does not hold.
const floorLog = 12.4

var languages = sync.OnceValue(func() map[string]*scriptLanguages {
	out := map[string]*scriptLanguages{}
	zr, err := gzip.NewReader(bytes.NewReader(packedLanguages))
	if err != nil {
		panic("datacheck: the languages are damaged: " + err.Error())
	}
	text, err := io.ReadAll(zr)
	if err != nil {
		panic("datacheck: the languages are damaged: " + err.Error())
	}
	var now *scriptLanguages
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if head, ok := strings.CutPrefix(line, "# "); ok {
			words := strings.Fields(head)
			now = &scriptLanguages{names: words[1:], grams: map[string][]gramShare{}}
			out[words[0]] = now
			continue
		}
		gram, shares, _ := strings.Cut(line, "\t")
		for i := 0; i+1 < len(shares); i += 2 {
			now.grams[gram] = append(now.grams[gram], gramShare{shares[i] - '0', float32(shares[i+1]-' ') / 5})
		}
	}
	return out
})

// oneLanguage are the scripts that, here, stand for one language.
var oneLanguage = []struct {
	table *unicode.RangeTable
	name  string
}{
	{unicode.Greek, "el"}, {unicode.Hebrew, "he"}, {unicode.Thai, "th"}, {unicode.Hangul, "ko"}, {unicode.Hiragana, "ja"}, {unicode.Katakana, "ja"},
	{unicode.Han, "zh"}, {unicode.Bengali, "bn"}, {unicode.Gujarati, "gu"}, {unicode.Gurmukhi, "pa"}, {unicode.Tamil, "ta"}, {unicode.Telugu, "te"},
	{unicode.Kannada, "kn"}, {unicode.Malayalam, "ml"}, {unicode.Armenian, "hy"}, {unicode.Georgian, "ka"}, {unicode.Khmer, "km"}, {unicode.Myanmar, "my"},
	{unicode.Ethiopic, "am"}, {unicode.Sinhala, "si"}, {unicode.Lao, "lo"},
}

// scriptOf is the script of a letter: one whose languages are told apart, or the language itself.
func scriptOf(r rune) string {
	switch {
	case r < 0x250 || r >= 0x1e00 && r < 0x1f00:
		return "Latin"
	case r >= 0x400 && r < 0x530:
		return "Cyrillic"
	case r >= 0x600 && r < 0x780 || r >= 0xfb50 && r < 0xfe00:
		return "Arabic"
	case r >= 0x900 && r < 0x980:
		return "Devanagari"
	}
	for _, s := range oneLanguage {
		if unicode.Is(s.table, r) {
			return s.name
		}
	}
	return ""
}

const (
	detectLetters = 400 // letters that are looked at
	fewLetters    = 40  // letters below which no language is named where it is told by n-grams
	sureMargin    = 12. // natural logarithm by which the likeliest language must lead
)

// Language is the language of a text as a two-letter code, and how clearly it leads (natural logarithm of the odds to the next). Empty: it
// cannot be told, because the text is short, has no letters, or two languages fit it.
func Language(text []byte) (name string, margin float64) {
	word, letters, n := scriptWords(text)
	if n == 0 {
		return "", 0
	}
	s := languages()[letters]
	if s == nil {
		if n < 4 {
			return "", 0
		}
		return letters, float64(n)
	}
	best, margin := s.likeliest(word)
	if n < fewLetters || margin < sureMargin {
		return "", margin
	}
	return best, margin
}

// scriptWords are the words of a text in lower case, of its commonest script. Kana make Japanese of what Han there is.
func scriptWords(text []byte) (words [][]rune, script string, letters int) {
	counts := map[string]int{}
	var word []rune
	flush := func() {
		if len(word) > 0 {
			words = append(words, word)
			word = nil
		}
	}
	for _, r := range string(text[:min(len(text), 4*detectLetters*2)]) {
		if !unicode.IsLetter(r) && !unicode.IsMark(r) {
			flush()
			continue
		}
		word = append(word, unicode.ToLower(r))
		counts[scriptOf(r)]++
		if letters++; letters == detectLetters {
			break
		}
	}
	flush()
	most := 0
	for _, name := range sortedKeys(counts) {
		if name != "" && counts[name] > most {
			script, most = name, counts[name]
		}
	}
	if script == "zh" && counts["ja"]*10 > most {
		script = "ja"
	}
	return words, script, most
}

// likeliest is the language under which the words' n-grams are the likeliest.
func (s *scriptLanguages) likeliest(words [][]rune) (string, float64) {
	score := make([]float64, len(s.names))
	for _, w := range words {
		padded := " " + string(w) + " "
		at := make([]int, 0, len(w)+3)
		for i := range padded {
			at = append(at, i)
		}
		at = append(at, len(padded))
		for n := 1; n <= 3; n++ {
			for i := 0; i+n < len(at); i++ {
				for _, g := range s.grams[padded[at[i]:at[i+n]]] {
					score[g.language] += floorLog - float64(g.minusLog)
				}
			}
		}
	}
	first, second := 0, 1
	for i := range score {
		switch {
		case score[i] > score[first] || i == 0:
			if i > 0 {
				second = first
			}
			first = i
		case score[i] > score[second] && i != first || second == first:
			second = i
		}
	}
	return s.names[first], score[first] - score[second]
}

// LanguageStat is how many rows are in a language.
type LanguageStat struct {
	Language string `json:"language"` // "" for those that cannot be told
	Inputs   int    `json:"inputs"`
	Outputs  int    `json:"outputs"`
}

// languageStat counts languages, and rows whose output is in another than their input.
type languageStat struct {
	in, out map[string]int
	pairs   map[[2]string]int // both told
	first   map[string][]ExampleRow
	other   map[[2]string][]ExampleRow
}

func (l *languageStat) init() {
	l.in, l.out, l.pairs = map[string]int{}, map[string]int{}, map[[2]string]int{}
	l.first, l.other = map[string][]ExampleRow{}, map[[2]string][]ExampleRow{}
}

func (l *languageStat) add(r *row) {
	if r.inLang == "" && r.outLang == "" {
		r.inLang, _ = Language(r.inText)
		r.outLang, _ = Language(r.outText)
	}
	l.in[r.inLang]++
	if len(r.outText) > 0 {
		l.out[r.outLang]++
	}
	if len(l.first[r.inLang]) < 3 {
		l.first[r.inLang] = append(l.first[r.inLang], exampleOf(r, string(r.inText), "looks like "+r.inLang))
	}
	if r.inLang == "" || r.outLang == "" {
		return
	}
	p := [2]string{r.inLang, r.outLang}
	if l.pairs[p]++; len(l.other[p]) < 3 {
		l.other[p] = append(l.other[p], exampleOf(r, string(r.outText), fmt.Sprintf("asked in %s, answered in %s", r.inLang, r.outLang)))
	}
}

func byCount(m map[string]int) []string {
	keys := sortedKeys(m)
	slices.SortStableFunc(keys, func(a, b string) int { return m[b] - m[a] })
	return keys
}

func (c *checker) reportLanguages() {
	c.did("language")
	l := &c.scan.languages
	all := map[string]int{}
	for _, m := range []map[string]int{l.in, l.out} {
		for k, n := range m {
			all[k] += n
		}
	}
	told, main := 0, ""
	for _, k := range byCount(all) {
		c.report.Languages = append(c.report.Languages, LanguageStat{Language: k, Inputs: l.in[k], Outputs: l.out[k]})
	}
	for _, k := range byCount(l.in) {
		if k != "" {
			if told += l.in[k]; main == "" {
				main = k
			}
		}
	}
	if told < 20 {
		c.skip("language", "fewer than 20 inputs are long enough to tell their language")
		return
	}
	var names []string
	var examples []ExampleRow
	for _, k := range byCount(l.in) {
		if k != "" && k != main {
			names, examples = append(names, fmt.Sprintf("%s %d", k, l.in[k])), append(examples, l.first[k]...)
		}
	}
	severity := Warn
	if others := told - l.in[main]; others*10 > told {
		severity = Note // several languages are meant
	}
	c.find("language", severity, told-l.in[main], told, Finding{What: fmt.Sprintf("inputs are not in %s like the others: %s", main, listed(names, 6)), Do: "see whether they belong here; held-out needs enough of each language that the task will meet",
		Method: languageMethod, Examples: examples})
	c.reportAnswerLanguages()
}

const languageMethod = "character n-grams; texts of at least 40 letters whose language leads clearly"

func (c *checker) reportAnswerLanguages() {
	l := &c.scan.languages
	same, other := 0, 0
	counts := map[string]int{}
	var examples []ExampleRow
	for p, n := range l.pairs {
		if p[0] == p[1] {
			same += n
			continue
		}
		other += n
		counts[p[0]+" answered in "+p[1]] += n
		examples = append(examples, l.other[p]...)
	}
	if same < 20 || other*10 > same { // a translation, say
		return
	}
	slices.SortFunc(examples, func(a, b ExampleRow) int { return strings.Compare(a.File, b.File)*1000000000 + a.Line - b.Line })
	c.find("language", Warn, other, same+other, Finding{What: "outputs are in another language than their inputs: " + mostOf(counts, 4), Do: "correct the rows, if the task does not ask for it", Method: languageMethod, Examples: examples})
}
