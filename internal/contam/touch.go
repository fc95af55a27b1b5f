package contam

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// Most rows share no 8-gram with any item and are no item. That is found out first, in one pass over the text that keeps nothing: a
// rolling hash over the last eight words against a bitmap that lies in the processor's cache, and the beginning of the text against the
// beginnings of the items. Only rows that pass are taken apart.

// bitmap has two bits of one word for the hash of each 8-gram of the items: no gram is missed, one or two in a hundred others pass. (A Bloom
// filter of blocks, Putze, Sanders and Singler 2007, whose blocks are words.)
type bitmap struct {
	words []uint64
	shift int
}

func newBitmap(t *gramTable) bitmap {
	size := max(10, bits.Len(uint(t.n/4))) // four grams a word, or fewer
	b := bitmap{words: make([]uint64, 1<<size), shift: 64 - size}
	for i := range t.slots {
		if t.slots[i].item != 0 {
			b.words[t.slots[i].hash>>b.shift] |= twoBits(t.slots[i].hash)
		}
	}
	return b
}

func twoBits(h uint64) uint64 { return 1<<(h&63) | 1<<(h>>6&63) }

func (b *bitmap) has(h uint64) bool {
	two := twoBits(h)
	return b.words[h>>b.shift]&two == two
}

// What a byte begins.
const (
	otherByte = iota
	letterByte
	digitByte
	highByte // of a character that is not ASCII
)

var classes = func() (t [256]byte) {
	for c := range t {
		switch r := rune(c); {
		case c >= utf8.RuneSelf:
			t[c] = highByte
		case isDigit(r):
			t[c] = digitByte
		case isWord(r):
			t[c] = letterByte
		}
	}
	return t
}()

// touches reports whether a text shares an 8-gram with an item. Words are those of split, with the same surfaces.
func (s *splitter) touches(text []byte, x *Index) bool {
	var ring [short]uint64
	h, n := uint64(0), 0
	for i := 0; i < len(text); {
		var surface uint64
		switch classes[text[i]] {
		case otherByte:
			i++
			continue
		case letterByte:
			end := i + 1
			for end < len(text) && classes[text[end]] == letterByte {
				end++
			}
			if end < len(text) && text[end] >= utf8.RuneSelf {
				surface, i = s.slowly(text, i)
			} else {
				surface, i = lettersHash(text, i, end), end
			}
		default:
			at := i
			if surface, i = s.slowly(text, at); surface == 0 {
				continue
			}
		}
		old := &ring[n%short]
		h = h*gramBase + surface - shortTop**old
		*old = surface
		if n++; n >= short {
			if m := mix(h); x.filter.has(m) && x.grams[0].has(m) {
				return true
			}
		}
	}
	return false
}

// slowly takes one word, or steps over a character that is none: its surface is 0.
func (s *splitter) slowly(text []byte, i int) (surface uint64, next int) {
	s.words = s.words[:0]
	if next = s.step(text, i); len(s.words) > 0 {
		surface = s.words[0].surface
	}
	return surface, next
}

// surfaceOf hashes a word in lower case, eight bytes at a time.
func surfaceOf(low []byte) uint64 {
	h := uint64(len(low))
	for len(low) >= 8 {
		h = fold(h ^ binary.LittleEndian.Uint64(low))
		low = low[8:]
	}
	var rest [8]byte
	copy(rest[:], low)
	return fold(h^binary.LittleEndian.Uint64(rest[:])) | 1 // never 0
}

func fold(x uint64) uint64 {
	high, low := bits.Mul64(x^0x9e3779b97f4a7c15, 0xd6e8feb86659fd93)
	return high ^ low
}

// lettersHash is surfaceOf the ASCII letters from start to end, in lower case.
func lettersHash(text []byte, start, end int) uint64 {
	const lower = 0x2020202020202020
	h := uint64(end - start)
	for ; end-start >= 8; start += 8 {
		h = fold(h ^ (binary.LittleEndian.Uint64(text[start:]) | lower))
	}
	left := end - start
	var v uint64
	if start+8 <= len(text) {
		v = binary.LittleEndian.Uint64(text[start:])
	} else {
		var rest [8]byte
		copy(rest[:], text[start:end])
		v = binary.LittleEndian.Uint64(rest[:])
	}
	return fold(h^(v|lower)&(1<<(8*left)-1)) | 1
}

// beginning is how much of a canonical text is compared first.
const beginning = 24

// maybeExact reports whether a text can be an item: a text whose canonical form begins otherwise than that of every item is none.
func (c *Checker) maybeExact(text []byte) bool {
	cut := cutBehind(text, 2*beginning)
	if cut == 0 {
		return true
	}
	key := c.texts.Canonical(text[:cut])
	if len(key) < beginning {
		return true
	}
	_, there := c.x.starts[[beginning]byte(key)]
	return there
}

// cutBehind is a place behind byte n where a text can be cut without changing the canonical form of what comes before: between a space and
// an ASCII letter or digit, which combine with nothing. 0 when there is none near.
func cutBehind(text []byte, n int) int {
	for i := n; i < len(text) && i < 4*n; i++ {
		if text[i-1] == ' ' && (classes[text[i]] == letterByte || classes[text[i]] == digitByte) {
			return i
		}
	}
	return 0
}
