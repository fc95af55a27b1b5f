package retrieve

import (
	"strings"
	"unicode"

	"github.com/kljensen/snowball/english"
	"golang.org/x/text/unicode/norm"
)

// Terms are the words of a text as the index counts them: NFKC, lower case, cut where letters and digits end, English stems
// for words of ASCII letters. Scripts written without spaces give overlapping pairs of characters.
func Terms(text string) []string { return terms(text, stem) }

// terms takes the stemmer, so that building an index can remember stems.
func terms(text string, stem func(word string) string) []string {
	text = strings.ToLower(norm.NFKC.String(text))
	var out []string
	start := -1
	flush := func(end int) {
		if start >= 0 {
			out = append(out, stem(text[start:end]))
			start = -1
		}
	}
	var run []rune
	for i, r := range text {
		if isUnspaced(r) {
			flush(i)
			run = append(run, r)
			continue
		}
		out = pairs(out, run)
		run = run[:0]
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
			if start < 0 {
				start = i
			}
		case isApostrophe(r) && start >= 0: // "don't" is one word, and its stem drops the end
		default:
			flush(i)
		}
	}
	flush(len(text))
	return pairs(out, run)
}

func isApostrophe(r rune) bool { return r == '\'' || r == '\u2019' }

func isUnspaced(r rune) bool {
	return r >= 0x0e00 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

func pairs(out []string, run []rune) []string {
	if len(run) == 1 {
		return append(out, string(run))
	}
	for i := 0; i+1 < len(run); i++ {
		out = append(out, string(run[i:i+2]))
	}
	return out
}

// remember makes a stemmer that computes each word once. It is not safe for concurrent use.
func remember(stem func(string) string) func(string) string {
	known := map[string]string{}
	return func(word string) string {
		s, ok := known[word]
		if !ok {
			word = strings.Clone(word) // the map must not hold on to whole texts
			s = stem(word)
			known[word] = s
		}
		return s
	}
}

func stem(word string) string {
	word = strings.TrimRight(strings.ReplaceAll(word, "\u2019", "'"), "'")
	word = strings.TrimSuffix(word, "'s")
	for i := range len(word) {
		if c := word[i]; (c < 'a' || c > 'z') && c != '\'' {
			return word
		}
	}
	return english.Stem(word, false)
}

// queryTerms are the distinct terms of a query in order, without the words that say nothing unless it has no others.
func queryTerms(query string) []string {
	seen := map[string]bool{}
	var all, telling []string
	for _, t := range Terms(query) {
		if seen[t] {
			continue
		}
		seen[t] = true
		all = append(all, t)
		if !stopwords[t] {
			telling = append(telling, t)
		}
	}
	if len(telling) == 0 {
		return all
	}
	return telling
}

// stopwords are stems of English function words. They are left out of queries only: the index keeps them, so that a query of
// nothing else still finds something.
var stopwords = stemSet(`a about after all also am an and any are as at be because been before being but by can could did
do does doing done for from had has have having he her here hers him his how i if in into is it its itself just me might
must my no nor not of on or our ours she should so some such than that the their theirs them then there these they this
those to too us very was we were what when where which while who whom whose why will with would you your yours`)

func stemSet(words string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(words) {
		out[w] = true
		out[stem(w)] = true
	}
	return out
}
