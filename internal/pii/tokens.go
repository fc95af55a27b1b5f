package pii

import (
	_ "embed"
	"strings"
	"unicode"
	"unicode/utf8"
)

// token is a run of letters and digits, or one other character, with what the model looks at.
type token struct {
	start, end int
	word       uint64 // hash of the lower-case letters, digits as zeros
	shape      uint64
	ends       [6]uint64 // hashes of the first 2 and 3 and the last 1 to 4 characters
	flags      uint32
	gap        uint8 // what stands before: gapNone, gapSpace, gapLine
	hint       uint8 // number of the recogniser that found it, from 1
}

const (
	gapNone = iota
	gapSpace
	gapLine
)

// Flags of a token beside the lists of words.txt, which take the bits from flagList on.
const (
	flagGiven uint32 = 1 << iota
	flagFamily
	flagPlace
	flagCapital // it starts with a capital
	flagUpper   // it has no small letter
	flagDigits  // digits only
	flagYear    // 1900 to 2099
	flagMixed   // letters and digits
	flagAge     // 1 to 110
	flagAbbrev  // a dot follows at once
	flagList    // first of the lists
)

//go:embed words.txt
var wordLists string

// listed gives the flags of the words of words.txt, written for this project.
var listed = readLists(wordLists)

func readLists(text string) map[string]uint32 {
	out, bit := map[string]uint32{}, flagList>>1
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "# ") {
			bit <<= 1
			continue
		}
		for _, w := range strings.Fields(line) {
			out[w] |= bit
		}
	}
	return out
}

// FNV-1a, 64 bits.
const (
	hashStart = 14695981039346656037
	hashPrime = 1099511628211
)

func hashOf(s []byte) uint64 {
	h := uint64(hashStart)
	for _, c := range s {
		h = (h ^ uint64(c)) * hashPrime
	}
	return h
}

// lexer cuts texts into tokens, in memory of its own.
type lexer struct {
	tokens []token
	lower  []byte
	names  *Gazetteer
}

func (l *lexer) cut(text string) []token {
	l.tokens = l.tokens[:0]
	gap := uint8(gapLine)
	for i := 0; i < len(text); {
		r, n := rune(text[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(text[i:])
		}
		switch {
		case r == '\n' || r == '\r' || r == '\f':
			gap = gapLine
			i += n
		case r == ' ' || r == '\t' || r >= utf8.RuneSelf && unicode.IsSpace(r):
			gap = max(gap, gapSpace)
			i += n
		case wordRune(r):
			end := wordEnd(text, i)
			l.add(text, i, end, gap)
			gap, i = gapNone, end
		default:
			h := hashOf([]byte(text[i : i+n]))
			l.tokens = append(l.tokens, token{start: i, end: i + n, word: h, shape: h, gap: gap})
			if r == '.' && gap == gapNone && len(l.tokens) > 1 {
				l.tokens[len(l.tokens)-2].flags |= flagAbbrev
			}
			gap = gapNone
			i += n
		}
	}
	return l.tokens
}

func wordRune(r rune) bool {
	if r < utf8.RuneSelf {
		return alnum(byte(r))
	}
	return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r)
}

// wordEnd is the end of the word at i: apostrophes and dashes between letters belong to it, the s of a genitive does not.
func wordEnd(text string, i int) int {
	for i < len(text) {
		r, n := rune(text[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(text[i:])
		}
		if !wordRune(r) {
			if r != '\'' && r != '’' && r != '-' || i+n >= len(text) {
				return i
			}
			before, _ := utf8.DecodeLastRuneInString(text[:i])
			after, size := utf8.DecodeRuneInString(text[i+n:])
			if !unicode.IsLetter(before) || !unicode.IsLetter(after) {
				return i
			}
			if next, _ := utf8.DecodeRuneInString(text[i+n+size:]); r != '-' && after|0x20 == 's' && !unicode.IsLetter(next) {
				return i
			}
		}
		i += n
	}
	return i
}

// add measures the word text[start:end].
func (l *lexer) add(text string, start, end int, gap uint8) {
	t := token{start: start, end: end, gap: gap}
	l.lower = l.lower[:0]
	var shape [64]byte
	size, digits, letters, small, runes := 0, 0, 0, 0, 0
	for i, r := range text[start:end] {
		c := byte('x')
		switch {
		case r >= '0' && r <= '9':
			c, digits = '9', digits+1
		case r == '-' || r == '\'' || r == '’':
			c = '-'
		case unicode.IsUpper(r):
			c, letters = 'X', letters+1
			if i == 0 {
				t.flags |= flagCapital
			}
		default:
			letters, small = letters+1, small+1
		}
		runes++
		l.lower = utf8.AppendRune(l.lower, unicode.ToLower(r))
		if size < len(shape) && (size < 2 || shape[size-1] != c || shape[size-2] != c) { // at most two of the same in a row
			shape[size] = c
			size++
		} else if c == '9' && size < len(shape) { // of digits the number counts
			shape[size] = c
			size++
		}
	}
	t.flags |= l.look(digits, letters, small, runes)
	t.shape = hashOf(shape[:size])
	if digits > 0 {
		for i, c := range l.lower {
			if digit(c) {
				l.lower[i] = '0'
			}
		}
	}
	t.word = hashOf(l.lower)
	t.ends = ends(l.lower)
	l.tokens = append(l.tokens, t)
}

// look gives the flags of the word in l.lower.
func (l *lexer) look(digits, letters, small, runes int) uint32 {
	var flags uint32
	switch {
	case letters == 0:
		flags = flagDigits
		if n := number4(l.lower); runes == 4 && n >= 1900 && n <= 2099 {
			flags |= flagYear
		} else if runes <= 3 && n >= 1 && n <= 110 {
			flags |= flagAge
		}
		return flags
	case digits > 0:
		return flagMixed
	case small == 0 && runes > 1:
		flags = flagUpper
	}
	flags |= listed[string(l.lower)]
	return flags | l.names.flags(l.lower)
}

// number4 is the value of a number of at most four digits.
func number4(digits []byte) int {
	n := 0
	for _, c := range digits[:min(4, len(digits))] {
		n = 10*n + int(c-'0')
	}
	return n
}

// ends are the hashes of the first 2 and 3 and the last 1 to 4 characters.
func ends(word []byte) (out [6]uint64) {
	at := 0
	for n := 1; n <= 3 && at < len(word); n++ {
		_, size := utf8.DecodeRune(word[at:])
		if at += size; n >= 2 {
			out[n-2] = hashOf(word[:at])
		}
	}
	at = len(word)
	for n := 1; n <= 4 && at > 0; n++ {
		_, size := utf8.DecodeLastRune(word[:at])
		at -= size
		out[n+1] = hashOf(word[at:])
	}
	return out
}
