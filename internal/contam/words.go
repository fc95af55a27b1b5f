package contam

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// word is one word of a text.
type word struct {
	start, end int32  // in the text
	surface    uint64 // hash of the word in lower case
	feature    uint64 // hash of what survives rephrasing: the stem, or the number however it is written; 0 for none
	number     bool
}

const (
	fnvStart = 14695981039346656037
	fnvPrime = 1099511628211
)

// mix is the finaliser of SplitMix64.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func hashOf(b []byte) uint64 {
	h := uint64(fnvStart)
	for _, c := range b {
		h = (h ^ uint64(c)) * fnvPrime
	}
	return mix(h)
}

// splitter takes texts apart; it reuses its memory.
type splitter struct {
	words []word
	low   []byte
}

// split gives the words of a text: runs of letters and digits, and in scripts without spaces between words each character.
func (s *splitter) split(text []byte) []word {
	s.words = s.words[:0]
	for i := 0; i < len(text); {
		i = s.step(text, i)
	}
	return s.words
}

// step takes the word that starts at i, or goes past a character that is none.
func (s *splitter) step(text []byte, i int) int {
	c, size := rune(text[i]), 1
	if c >= utf8.RuneSelf {
		c, size = utf8.DecodeRune(text[i:])
	}
	switch {
	case isDigit(c):
		return s.number(text, i)
	case isAlone(c):
		h := mix(uint64(c) * fnvPrime)
		s.words = append(s.words, word{int32(i), int32(i + size), h, h, false})
	case isWord(c):
		return s.word(text, i)
	}
	return i + size
}

func isDigit(c rune) bool { return '0' <= c && c <= '9' }

func isWord(c rune) bool {
	if c < utf8.RuneSelf {
		return 'a' <= c|0x20 && c|0x20 <= 'z'
	}
	return unicode.IsLetter(c) || unicode.IsMark(c) || unicode.IsDigit(c)
}

// isAlone reports characters that are written without spaces between words.
func isAlone(c rune) bool {
	return c >= 0x0e00 && unicode.In(c, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// number takes 1,000 and 1000 for the same number, 3.50 and 3.5 as well, and 1/2 as one.
func (s *splitter) number(text []byte, start int) int {
	i := start
	s.low = s.low[:0]
	point := false
	for i < len(text) {
		c := rune(text[i])
		switch next := i + 1; {
		case isDigit(c):
			s.low = append(s.low, byte(c))
		case c == ',' && next+3 <= len(text) && allDigits(text[next:next+3]) && (next+3 == len(text) || !isDigit(rune(text[next+3]))):
		case c == '.' && !point && next < len(text) && isDigit(rune(text[next])):
			point = true
			s.low = append(s.low, '.')
		case c == '/' && next < len(text) && isDigit(rune(text[next])):
			s.low = append(s.low, '/')
		default:
			s.addNumber(text, start, i, point)
			return i
		}
		i++
	}
	s.addNumber(text, start, i, point)
	return i
}

func (s *splitter) addNumber(text []byte, start, end int, point bool) {
	if point && bytes.IndexByte(s.low, '/') < 0 {
		s.low = bytes.TrimRight(bytes.TrimRight(s.low, "0"), ".")
	}
	s.words = append(s.words, word{int32(start), int32(end), surfaceOf(text[start:end]), numberFeature(s.low), true})
}

func allDigits(b []byte) bool {
	for _, c := range b {
		if !isDigit(rune(c)) {
			return false
		}
	}
	return true
}

const numberSalt = 0x6e756d626572

func numberFeature(digits []byte) uint64 { return mix(hashOf(digits) ^ numberSalt) }

// word takes a word in lower case. Its feature is its stem, or the number that it names; words of one letter have none.
func (s *splitter) word(text []byte, start int) int {
	s.low = s.low[:0]
	i, letters := start, 0
	for i < len(text) {
		c, size := rune(text[i]), 1
		if c >= utf8.RuneSelf {
			c, size = utf8.DecodeRune(text[i:])
		}
		if !isWord(c) || isAlone(c) {
			break
		}
		if c < utf8.RuneSelf {
			s.low = append(s.low, byte(c|0x20))
		} else {
			s.low = utf8.AppendRune(s.low, unicode.ToLower(c))
		}
		i += size
		letters++
	}
	w := word{start: int32(start), end: int32(i), surface: surfaceOf(s.low)}
	if digits, ok := numberWords[string(s.low)]; ok {
		w.feature, w.number = numberFeature([]byte(digits)), true
	} else if letters > 1 {
		w.feature = hashOf(stem(s.low))
	}
	s.words = append(s.words, w)
	return i
}

// numberWords are numbers that people write as words, and words that a rephrased text has for a number.
var numberWords = map[string]string{
	"zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9", "ten": "10",
	"eleven": "11", "twelve": "12", "thirteen": "13", "fourteen": "14", "fifteen": "15", "sixteen": "16", "seventeen": "17", "eighteen": "18",
	"nineteen": "19", "twenty": "20", "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "seventy": "70", "eighty": "80", "ninety": "90",
	"hundred": "100", "thousand": "1000", "million": "1000000", "half": "1/2", "third": "1/3", "quarter": "1/4", "twice": "2", "double": "2", "doubled": "2",
	"thrice": "3", "triple": "3", "tripled": "3", "once": "1", "dozen": "12",
}

var endings = []string{"ingly", "edly", "ings", "ing", "ies", "ied", "ed", "es", "s", "ly"}

// stem cuts an English ending where at least three letters stay. It need not be right, only the same for most forms of a word.
func stem(w []byte) []byte {
	for _, e := range endings {
		if len(w)-len(e) >= 3 && string(w[len(w)-len(e):]) == e {
			return w[:len(w)-len(e)]
		}
	}
	return w
}
