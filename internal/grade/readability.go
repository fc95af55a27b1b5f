package grade

import (
	"strings"
	"unicode"
)

// readability is what the reading level is made of.
type readability struct {
	made      bool
	words     int
	sentences int
	syllables int
	longest   int // words of the longest sentence
}

// reading counts words, sentences and syllables of the answer, once.
func (p *prose) reading() *readability {
	if p.counted.made {
		return &p.counted
	}
	p.counted = readability{made: true}
	for _, s := range sentences(p.s) {
		n := 0
		for _, w := range strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || r == '—' || r == '–' || r == '/' }) {
			if !strings.ContainsFunc(w, wordRune) {
				continue
			}
			n++
			p.counted.syllables += syllables(w)
		}
		if n > 0 {
			p.counted.words += n
			p.counted.sentences++
			p.counted.longest = max(p.counted.longest, n)
		}
	}
	return &p.counted
}

// grade is the reading level in years of school, by Kincaid et al. (1975): 0.39·words/sentences + 11.8·syllables/words − 15.59;
// 0 for a text without words. It is made for English prose.
func (r *readability) grade() float64 {
	if r.words == 0 {
		return 0
	}
	words := float64(r.words)
	return .39*words/float64(r.sentences) + 11.8*float64(r.syllables)/words - 15.59
}

// abbreviations end in a full stop that ends no sentence.
var abbreviations = map[string]bool{"mr": true, "mrs": true, "ms": true, "dr": true, "prof": true, "st": true, "no": true, "vs": true,
	"etc": true, "e.g": true, "i.e": true, "fig": true, "approx": true, "inc": true, "ltd": true, "co": true, "jr": true, "sr": true}

// sentences cuts a text after . ! ? … and at line ends; numbers such as 3.5 and some abbreviations are left whole.
func sentences(s string) []string {
	s = s[:min(len(s), maxText)]
	var out []string
	start := 0
	flush := func(end int) {
		if t := strings.TrimSpace(s[start:end]); t != "" {
			out = append(out, t)
		}
		start = end
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\n':
			flush(i)
		case c == '!' || c == '?' || c == '.':
			end := i + 1
			for end < len(s) && strings.IndexByte(".!?\"')]", s[end]) >= 0 {
				end++
			}
			if end < len(s) && s[end] != ' ' && s[end] != '\n' && s[end] != '\t' || c == '.' && abbreviated(s[start:i]) {
				continue
			}
			flush(end)
			i = end - 1
		}
	}
	flush(len(s))
	return out
}

func abbreviated(before string) bool {
	word := before[strings.LastIndexAny(before, " \n\t(")+1:]
	return abbreviations[strings.ToLower(word)] || len(word) == 1 && word >= "A" && word <= "Z" && word != "I"
}

// syllables estimates the syllables of an English word: groups of vowels, less a silent e at the end.
func syllables(word string) int {
	w := strings.ToLower(word)
	n, vowel, letters := 0, false, 0
	for _, r := range w {
		is := strings.ContainsRune("aeiouyáàâäãåéèêëíìîïóòôöõúùûüý", r)
		if is && !vowel {
			n++
		}
		vowel = is
		if unicode.IsLetter(r) {
			letters++
		}
	}
	if letters == 0 {
		return 1 // a number is read as something
	}
	w = strings.TrimRightFunc(w, func(r rune) bool { return !unicode.IsLetter(r) })
	switch {
	case strings.HasSuffix(w, "le") && len(w) > 2 && !strings.ContainsRune("aeiouy", rune(w[len(w)-3])):
	case strings.HasSuffix(w, "es") && len(w) > 3 && !strings.ContainsAny(w[len(w)-3:len(w)-2], "szxcgh"), strings.HasSuffix(w, "e"),
		strings.HasSuffix(w, "ed") && len(w) > 3 && !strings.ContainsAny(w[len(w)-3:len(w)-2], "td"):
		if len(w) > 2 && !strings.ContainsRune("aeiouy", rune(w[len(w)-2])) || strings.HasSuffix(w, "ed") || strings.HasSuffix(w, "es") {
			n--
		}
	}
	return max(n, 1)
}
