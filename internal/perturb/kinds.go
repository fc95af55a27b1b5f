package perturb

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// typoRate is the share of words that get a typing error; at least one word does, if any may.
const typoRate = 1. / 6

// typoLength is the shortest word that gets one, in letters.
const typoLength = 4

func (w *writer) typos(text string) string {
	ps := pieces(text)
	var may []int
	for i, p := range ps {
		if w.free(p) && utf8.RuneCountInString(p.text) >= typoLength {
			may = append(may, i)
		}
	}
	if len(may) == 0 {
		return text
	}
	hit := may[w.random.IntN(len(may))]
	for _, i := range may {
		if chance := w.random.Float64() < typoRate; chance || i == hit {
			ps[i].text = w.typo(ps[i].text)
		}
	}
	return joined(ps)
}

// rows of an English keyboard, for keys hit beside.
var keyRows = []string{"qwertyuiop", "asdfghjkl", "zxcvbnm"}

// typo changes one letter after the first.
func (w *writer) typo(word string) string {
	r := []rune(word)
	i := 1 + w.random.IntN(len(r)-2)
	switch w.random.IntN(4) {
	case 0:
		if r[i] != r[i+1] {
			r[i], r[i+1] = r[i+1], r[i]
			return string(r)
		}
	case 1:
		return string(r[:i]) + string(r[i+1:])
	case 2:
		return string(r[:i]) + string(r[i]) + string(r[i:])
	}
	for _, row := range keyRows {
		if at := strings.IndexRune(row, unicode.ToLower(r[i])); at >= 0 {
			r[i] = rune(row[max(at-1, 0)])
			if at == 0 {
				r[i] = rune(row[1])
			}
			return string(r)
		}
	}
	return string(r[:i]) + string(r[i+1:])
}

// lower writes what may be changed in lower case and takes the marks at the ends of sentences away.
func (w *writer) lower(text string) string {
	ps := pieces(text)
	for i := range ps {
		switch {
		case w.free(ps[i]):
			ps[i].text = strings.ToLower(ps[i].text)
		case !ps[i].word && (i == len(ps)-1 || strings.ContainsAny(ps[i].text, " \n")):
			ps[i].text = strings.Map(func(r rune) rune {
				if strings.ContainsRune(".!?", r) {
					return -1
				}
				return r
			}, ps[i].text)
		}
	}
	return strings.TrimSpace(joined(ps))
}

// swapRate is the share of neighbouring pairs of words that are exchanged within one sentence; at least one is, if any may.
const swapRate = 1. / 6

func (w *writer) reorder(text string) string {
	if parts := sentences(text); len(parts) > 1 {
		before := strings.Join(parts, " ")
		for range 8 { // a shuffle may leave all in place
			w.random.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
			if strings.Join(parts, " ") != before {
				break
			}
		}
		return strings.Join(parts, " ")
	}
	ps := pieces(text)
	var may []int // of the first of two words with a space between
	for i := 0; i+2 < len(ps); i++ {
		if w.free(ps[i]) && ps[i+1].text == " " && w.free(ps[i+2]) && !strings.EqualFold(ps[i].text, ps[i+2].text) {
			may = append(may, i)
		}
	}
	if len(may) == 0 {
		return text
	}
	hit, done := may[w.random.IntN(len(may))], -1
	for _, i := range may {
		if chance := w.random.Float64() < swapRate; (chance || i == hit) && i > done {
			ps[i].text, ps[i+2].text = ps[i+2].text, ps[i].text
			done = i + 2
		}
	}
	return joined(ps)
}

// sentences are the parts of a text that end in . ! or ? before a space, or at a line end.
func sentences(text string) []string {
	var out []string
	start := 0
	flush := func(end int) {
		if s := strings.TrimSpace(text[start:end]); s != "" {
			out = append(out, s)
		}
		start = end
	}
	for i := range len(text) {
		if text[i] == '\n' || strings.IndexByte(".!?", text[i]) >= 0 && i+1 < len(text) && text[i+1] == ' ' {
			flush(i + 1)
		}
	}
	flush(len(text))
	return out
}

// otherWords are words and short phrases that say the same in most uses, the longer ones first. Each pair is read both ways
// except where the second would say more than the first.
var otherWords = [][2]string{
	{"i would like to", "i want to"}, {"i'd like to", "i want to"}, {"can you", "could you"}, {"how many", "what number of"},
	{"is there", "do you have"}, {"what is", "what's"}, {"who is", "who's"}, {"where is", "where's"}, {"i am", "i'm"}, {"do not", "don't"},
	{"does not", "doesn't"}, {"did not", "didn't"}, {"cannot", "can't"}, {"is not", "isn't"}, {"it is", "it's"}, {"i have", "i've"},
	{"please", "kindly"}, {"begin", "start"}, {"began", "started"}, {"buy", "purchase"}, {"help", "assist"}, {"get", "obtain"},
	{"show me", "let me see"}, {"tell me", "let me know"}, {"find", "look up"}, {"big", "large"}, {"small", "little"},
	{"quickly", "fast"}, {"often", "frequently"}, {"almost", "nearly"}, {"about", "regarding"}, {"because", "since"}, {"also", "too"},
	{"main", "chief"}, {"kind of", "sort of"}, {"people", "persons"}, {"happen", "occur"}, {"happened", "occurred"}, {"used", "employed"},
	{"use", "employ"}, {"need", "require"}, {"want", "wish"}, {"why", "for what reason"}, {"now", "right now"}, {"lots of", "many"},
	{"film", "movie"}, {"shop", "store"}, {"phone", "telephone"}, {"money", "cash"}, {"problem", "issue"}, {"error", "mistake"},
	{"answer", "reply"}, {"change", "alter"}, {"stop", "end"}, {"near", "close to"}, {"during", "in the course of"}, {"called", "named"},
}

// paraphraseMost bounds how many words of a text are exchanged.
const paraphraseMost = 4

func (w *writer) paraphrase(text string) string {
	done := 0
	for _, pair := range otherWords {
		for _, from := range []int{0, 1} {
			if done == paraphraseMost {
				return text
			}
			if other, ok := w.exchange(text, pair[from], pair[1-from]); ok {
				text = other
				done++
				break
			}
		}
	}
	if done == 0 && len(text) > 0 && strings.HasSuffix(strings.TrimSpace(text), "?") {
		return "I have a question: " + text
	}
	return text
}

// exchange replaces the first standing of a phrase as whole words, unless one of them must stay. A capital at its beginning is kept.
func (w *writer) exchange(text, phrase, other string) (string, bool) {
	for _, word := range strings.Fields(phrase) {
		if w.kept[word] {
			return text, false
		}
	}
	low := strings.ToLower(text)
	if len(low) != len(text) {
		return text, false // lower case moved the letters
	}
	for start := 0; ; {
		i := strings.Index(low[start:], phrase)
		if i < 0 {
			return text, false
		}
		at, end := start+i, start+i+len(phrase)
		if boundary(low, at-1) && boundary(low, end) {
			if text[at] >= 'A' && text[at] <= 'Z' {
				other = strings.ToUpper(other[:1]) + other[1:]
			}
			return text[:at] + other + text[end:], true
		}
		start = end
	}
}

func boundary(s string, i int) bool {
	return i < 0 || i >= len(s) || s[i] < utf8.RuneSelf && !unicode.IsLetter(rune(s[i])) && !unicode.IsNumber(rune(s[i])) && s[i] != '\''
}
