package ifeval

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// allCapital reports whether there is a letter with case and none of them is small.
func allCapital(s string) bool {
	cased := false
	for _, r := range s {
		switch {
		case unicode.IsLower(r), unicode.IsTitle(r), unicode.Is(unicode.Other_Lowercase, r):
			return false
		case unicode.IsUpper(r), unicode.Is(unicode.Other_Uppercase, r):
			cased = true
		}
	}
	return cased
}

// allLower reports whether there is a letter with case and none of them is capital.
func allLower(s string) bool {
	cased := false
	for _, r := range s {
		switch {
		case unicode.IsUpper(r), unicode.IsTitle(r), unicode.Is(unicode.Other_Uppercase, r):
			return false
		case unicode.IsLower(r), unicode.Is(unicode.Other_Lowercase, r):
			cased = true
		}
	}
	return cased
}

// countCapitalWords counts the words without a small letter, "I" and "A" and "USA." among them. Punctuation stands apart from
// words, a hyphen joins, and contractions fall in two at their apostrophe, as in the Penn Treebank: "IT'S" is two words.
func countCapitalWords(text string) int {
	n := 0
	for _, field := range strings.FieldsFunc(text, splits) {
		for _, w := range contraction(field) {
			if allCapital(w) {
				n++
			}
		}
	}
	return n
}

// splits reports what parts words: space and the punctuation that the Treebank sets apart. Two hyphens do as well; see contraction.
func splits(r rune) bool {
	return unicode.IsSpace(r) || strings.ContainsRune(`()[]{}<>"“”«»,;:?!@#$%&*=+^~|—…`+"`", r)
}

// contraction takes what follows an apostrophe for a word of its own where the Treebank does, and parts at double hyphens.
func contraction(w string) []string {
	if before, after, found := strings.Cut(w, "--"); found {
		return append(contraction(before), contraction(after)...)
	}
	w = strings.Trim(w, "'’")
	low := strings.ToLower(w)
	if strings.HasSuffix(low, "n't") && len(low) > len("n't") {
		return []string{w[:len(w)-3], w[len(w)-3:]}
	}
	for _, end := range []string{"'s", "'m", "'d", "'ll", "'re", "'ve"} {
		if strings.HasSuffix(low, end) && len(low) > len(end) {
			at := len(w) - len(end)
			return []string{w[:at], w[at:]}
		}
	}
	return []string{w}
}

// abbreviations do not end a sentence when a point follows them.
var abbreviations = wordSet(`mr mrs ms dr prof sr jr st mt ft vs etc al fig no vol pp approx dept est inc ltd co corp gen col sgt capt lt
cmdr rev hon gov sen rep pres jan feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu fri sat sun ave blvd rd e.g i.e a.m p.m u.s u.k
u.n cf ca ed eds p.s p.p.s`)

func wordSet(list string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(list) {
		out[w] = true
	}
	return out
}

// countSentences counts sentences: a sentence ends at . ! ? or … (and their full-width and Indic kin) that is followed by space or
// the end, unless the point stands after an abbreviation or a single letter, or what follows begins small. The published checker
// uses a trained splitter (Punkt), which this only approximates; line ends alone end no sentence there, nor here.
func countSentences(text string) int {
	n, open := 0, false // open: something was said since the last end
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		i += size
		if !ends(r) {
			open = open || !unicode.IsSpace(r) && !closes(r)
			continue
		}
		start := i - size
		for i < len(text) { // of "?!" and "..." and a quotation mark after them the last counts
			next, w := utf8.DecodeRuneInString(text[i:])
			if !ends(next) && !closes(next) {
				break
			}
			i += w
		}
		if open && final(text, start, i, r) {
			n, open = n+1, false
		}
	}
	if open {
		n++
	}
	return n
}

func ends(r rune) bool { return strings.ContainsRune(".!?…。！？।؟۔", r) }

func closes(r rune) bool { return strings.ContainsRune(`"'”’)]}»*_`, r) }

// final reports whether the mark at start, with what clings to it up to end, ends a sentence.
func final(text string, start, end int, mark rune) bool {
	rest := text[end:]
	next, _ := utf8.DecodeRuneInString(rest)
	switch {
	case strings.ContainsRune("。！？", mark) || rest == "":
		return true
	case !unicode.IsSpace(next):
		return false
	}
	follow := strings.TrimLeftFunc(rest, unicode.IsSpace)
	first, _ := utf8.DecodeRuneInString(strings.TrimLeft(follow, `"'“‘([*_-`))
	if mark != '.' {
		return mark != '…' || !unicode.IsLower(first)
	}
	return !abbreviated(text[:start]) && !unicode.IsLower(first)
}

// abbreviated reports whether the last word of text is an abbreviation, an initial or the number of a list.
func abbreviated(text string) bool {
	at := strings.LastIndexFunc(text, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`("'“‘[`, r) }) + 1
	if at > 0 {
		_, size := utf8.DecodeRuneInString(text[at-1:])
		at += size - 1
	}
	word := text[at:]
	if abbreviations[strings.ToLower(word)] {
		return true
	}
	r, size := utf8.DecodeRuneInString(word)
	if size == len(word) && unicode.IsUpper(r) && r != 'I' {
		return true // an initial
	}
	line := strings.TrimSpace(text[strings.LastIndexByte(text, '\n')+1:])
	return line == word && word != "" && strings.Trim(word, "0123456789") == "" // "1. First"
}
