package grade

import "bytes"

// porter reduces a word of a–z and 0–9 to its stem: Porter's algorithm (1980) with NLTK's extensions, which rouge-score uses.
// The word's memory is reused.
func porter(w []byte) []byte {
	if stem, ok := irregular[string(w)]; ok {
		return append(w[:0], stem...)
	}
	w = porter1a(w)
	w = porter1b(w)
	if n := len(w); n > 2 && w[n-1] == 'y' && consonant(w, n-2) {
		w[n-1] = 'i'
	}
	w = porter2(w)
	w, _ = applySuffix(w, porter3)
	w = porter4(w)
	return porter5(w)
}

var irregular = map[string]string{
	"sky": "sky", "skies": "sky", "dying": "die", "lying": "lie", "tying": "tie", "news": "news",
	"innings": "inning", "inning": "inning", "outings": "outing", "outing": "outing",
	"cannings": "canning", "canning": "canning", "howe": "howe",
	"proceed": "proceed", "exceed": "exceed", "succeed": "succeed",
}

// consonant reports whether letter i is one: not a vowel, and not a y after a consonant.
func consonant(w []byte, i int) bool {
	switch w[i] {
	case 'a', 'e', 'i', 'o', 'u':
		return false
	case 'y':
		odd := false
		for i > 0 && w[i] == 'y' {
			odd = !odd
			i--
		}
		switch w[i] {
		case 'a', 'e', 'i', 'o', 'u':
			return odd
		}
		return !odd
	}
	return true
}

// measure counts the changes from vowel to consonant: m in [C](VC)^m[V].
func measure(w []byte) int {
	m, before := 0, true
	for i, c := range w {
		is := true
		switch c {
		case 'a', 'e', 'i', 'o', 'u':
			is = false
		case 'y':
			is = i == 0 || !before
		}
		if is && !before {
			m++
		}
		before = is
	}
	return m
}

// hasVowel looks for one of aeiou or for a y after a consonant. Before the first vowel all are consonants, so a y counts
// anywhere but at the start.
func hasVowel(w []byte) bool {
	return bytes.ContainsAny(w, "aeiou") || bytes.LastIndexByte(w, 'y') > 0
}

func endsDouble(w []byte) bool {
	n := len(w)
	return n >= 2 && w[n-1] == w[n-2] && consonant(w, n-1)
}

func endsCVC(w []byte) bool {
	n := len(w)
	if n == 2 {
		return !consonant(w, 0) && consonant(w, 1)
	}
	if n < 3 || !consonant(w, n-3) || consonant(w, n-2) || !consonant(w, n-1) {
		return false
	}
	return w[n-1] != 'w' && w[n-1] != 'x' && w[n-1] != 'y'
}

func ends(w []byte, suffix string) bool {
	return len(w) >= len(suffix) && string(w[len(w)-len(suffix):]) == suffix
}

func porter1a(w []byte) []byte {
	n := len(w)
	switch {
	case ends(w, "ies"):
		if n == 4 {
			return w[:n-1]
		}
		return w[:n-2]
	case ends(w, "sses"):
		return w[:n-2]
	case ends(w, "ss"):
		return w
	case ends(w, "s"):
		return w[:n-1]
	}
	return w
}

func porter1b(w []byte) []byte {
	n := len(w)
	var stem []byte
	switch {
	case ends(w, "ied"):
		if n == 4 {
			return w[:n-1]
		}
		return w[:n-2]
	case ends(w, "eed"):
		if measure(w[:n-3]) > 0 {
			return w[:n-1]
		}
		return w
	case ends(w, "ed"):
		stem = w[:n-2]
	case ends(w, "ing"):
		stem = w[:n-3]
	default:
		return w
	}
	if !hasVowel(stem) {
		return w
	}
	return restore(stem)
}

// restore mends a stem that has lost -ed or -ing.
func restore(stem []byte) []byte {
	last := stem[len(stem)-1]
	switch {
	case ends(stem, "at"), ends(stem, "bl"), ends(stem, "iz"):
		return append(stem, 'e')
	case endsDouble(stem):
		if last != 'l' && last != 's' && last != 'z' {
			return stem[:len(stem)-1]
		}
	case measure(stem) == 1 && endsCVC(stem):
		return append(stem, 'e')
	}
	return stem
}

// suffix is a rule: where the word ends in from and the rest has a measure above 0, from becomes to. The first rule whose
// ending fits decides, whether or not its condition holds.
type suffix struct{ from, to string }

var porter2Rules = []suffix{
	{"ational", "ate"}, {"tional", "tion"}, {"enci", "ence"}, {"anci", "ance"}, {"izer", "ize"}, {"bli", "ble"}, {"alli", "al"},
	{"entli", "ent"}, {"eli", "e"}, {"ousli", "ous"}, {"ization", "ize"}, {"ation", "ate"}, {"ator", "ate"}, {"alism", "al"},
	{"iveness", "ive"}, {"fulness", "ful"}, {"ousness", "ous"}, {"aliti", "al"}, {"iviti", "ive"}, {"biliti", "ble"}, {"fulli", "ful"},
}

var porter3 = []suffix{
	{"icate", "ic"}, {"ative", ""}, {"alize", "al"}, {"iciti", "ic"}, {"ical", "ic"}, {"ful", ""}, {"ness", ""},
}

var porter4Endings = []string{"al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou", "ism", "ate",
	"iti", "ous", "ive", "ize"}

// applySuffix applies the rule that fits; fits says whether there was one.
func applySuffix(w []byte, rules []suffix) (out []byte, fits bool) {
	for _, r := range rules {
		if ends(w, r.from) {
			if stem := w[:len(w)-len(r.from)]; measure(stem) > 0 {
				return append(stem, r.to...), true
			}
			return w, true
		}
	}
	return w, false
}

func porter2(w []byte) []byte {
	for ends(w, "alli") && measure(w[:len(w)-4]) > 0 {
		w = w[:len(w)-2]
	}
	out, fits := applySuffix(w, porter2Rules)
	if !fits && ends(w, "logi") && measure(w[:len(w)-3]) > 0 {
		return w[:len(w)-1]
	}
	return out
}

func porter4(w []byte) []byte {
	for _, e := range porter4Endings {
		if !ends(w, e) {
			continue
		}
		stem := w[:len(w)-len(e)]
		if measure(stem) > 1 && (e != "ion" || bytes.IndexByte([]byte("st"), stem[len(stem)-1]) >= 0) {
			return stem
		}
		return w
	}
	return w
}

func porter5(w []byte) []byte {
	if ends(w, "e") {
		stem := w[:len(w)-1]
		if m := measure(stem); m > 1 || m == 1 && !endsCVC(stem) {
			w = stem
		}
	}
	if ends(w, "ll") && measure(w[:len(w)-1]) > 1 {
		return w[:len(w)-1]
	}
	return w
}
