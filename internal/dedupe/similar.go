package dedupe

import (
	"math/bits"
	"unicode/utf8"

	"github.com/rung-dev/rung/internal/rows"
)

// Similarity is the Jaccard similarity of the sets of character 5-grams of two canonical texts. It is computed from the texts
// themselves for every pair that is reported: a sketch only says which pairs are worth it.
const shingle = 5

// maxGrams bounds the work on huge texts: of longer ones, only grams whose hash is a multiple of some number are compared.
const maxGrams = 1 << 18

// gramSet is a set of gram hashes: open addressing, 0 for an empty slot.
type gramSet struct {
	slots []uint64
	n     int
}

// reset empties the set and makes room for so many hashes.
func (g *gramSet) reset(room int) {
	need := 1 << bits.Len(uint(room+room/2+8))
	if cap(g.slots) < need {
		g.slots = make([]uint64, need)
	}
	g.slots = g.slots[:need]
	clear(g.slots)
	g.n = 0
}

// add reports whether h is new. A set that is nearly full, which only texts made for it can bring about, takes nothing more.
func (g *gramSet) add(h uint64) bool {
	mask := uint64(len(g.slots) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		switch g.slots[i] {
		case h:
			return false
		case 0:
			if g.n*8 > len(g.slots)*7 {
				return false
			}
			g.slots[i] = h
			g.n++
			return true
		}
	}
}

func (g *gramSet) has(h uint64) bool {
	mask := uint64(len(g.slots) - 1)
	for i := h & mask; g.slots[i] != 0; i = (i + 1) & mask {
		if g.slots[i] == h {
			return true
		}
	}
	return false
}

// eachGram calls f with the hash, never 0, of each character 5-gram; a shorter text is one gram.
func eachGram(text []byte, thin uint64, f func(uint64)) {
	const char, mask = 21, 1<<21 - 1
	var low, high uint64 // the last five characters, the oldest three in low
	n := 0
	for i := 0; i < len(text); {
		c, size := rune(text[i]), 1
		if c >= utf8.RuneSelf {
			c, size = utf8.DecodeRune(text[i:])
		}
		i += size
		low = low>>char | high&mask<<(2*char)
		high = high>>char | uint64(c)<<char
		if n++; n < shingle {
			continue
		}
		if h := mix(low^high*0x9e3779b97f4a7c15) | 1; thin == 1 || h/2%thin == 0 {
			f(h)
		}
	}
	if n > 0 && n < shingle {
		f(mix(low^high*0x9e3779b97f4a7c15) | 1)
	}
}

// comparer compares rows by their texts, which it reads again. It keeps the last left-hand side.
type comparer struct {
	reader  *rows.Reader
	fields  rows.Fields
	docs    *documents
	numbers bool
	x       rows.Extractor

	raw, scratch []byte
	a, b         []byte
	left         int32 // document of a, -1 for none
	filled       int32 // document of setA, -1 for none
	thin         uint64
	setA, setB   gramSet
}

func newComparer(set *rows.Set, docs *documents, o *Options) *comparer {
	return &comparer{reader: set.Reader(), fields: o.Fields, docs: docs, numbers: o.SameNumbers, left: -1, filled: -1}
}

// text appends the canonical text of a document.
func (c *comparer) text(dst []byte, doc int32) ([]byte, error) {
	line, err := c.reader.Read(c.docs.place(doc))
	if err != nil {
		return nil, err
	}
	members, err := c.x.Members(line)
	if err != nil {
		return nil, changed(c.docs, doc)
	}
	c.raw, _ = c.fields.Append(c.raw[:0], members)
	dst, c.scratch = canonical(dst, c.raw, c.scratch)
	return dst, nil
}

func (c *comparer) similarity(a, b int32) (float64, error) {
	var err error
	if c.left != a {
		c.left = -1
		if c.a, err = c.text(c.a[:0], a); err != nil {
			return 0, err
		}
		c.left = a
	}
	if c.b, err = c.text(c.b[:0], b); err != nil {
		return 0, err
	}
	if c.numbers && !sameNumbers(c.a, c.b) {
		return 0, nil
	}
	if thin := thinning(c.a, c.b); c.filled != a || thin != c.thin {
		c.filled, c.thin = a, thin
		c.setA.fill(c.a, thin)
	}
	return jaccard(&c.setA, &c.setB, c.b, c.thin), nil
}

// sameNumbers reports whether two texts hold the same numbers in the same order.
func sameNumbers(a, b []byte) bool {
	for {
		var x, y []byte
		x, a = number(a)
		y, b = number(b)
		if string(x) != string(y) {
			return false
		}
		if x == nil {
			return true
		}
	}
}

// number is the first run of digits and what follows it.
func number(text []byte) (digits, rest []byte) {
	for i := range text {
		if !isDigit(text[i]) {
			continue
		}
		end := i
		for end < len(text) && isDigit(text[end]) {
			end++
		}
		return text[i:end], text[end:]
	}
	return nil, nil
}

// Texts compares texts that do not come from files. It reuses its memory and is not safe for concurrent use.
type Texts struct {
	a, b, scratch []byte
	setA, setB    gramSet
}

// Canonical is a text as it is compared, valid until the next call.
func (t *Texts) Canonical(text []byte) []byte {
	t.a, t.scratch = canonical(t.a[:0], text, t.scratch)
	return t.a
}

// Similarity is the Jaccard similarity of two texts over character 5-grams.
func (t *Texts) Similarity(a, b []byte) float64 {
	t.a, t.scratch = canonical(t.a[:0], a, t.scratch)
	t.b, t.scratch = canonical(t.b[:0], b, t.scratch)
	thin := thinning(t.a, t.b)
	t.setA.fill(t.a, thin)
	return jaccard(&t.setA, &t.setB, t.b, thin)
}

func thinning(a, b []byte) uint64 { return uint64(max(len(a), len(b))/maxGrams) + 1 }

func (g *gramSet) fill(text []byte, thin uint64) {
	g.reset(roomFor(text, thin))
	eachGram(text, thin, func(h uint64) { g.add(h) })
}

// roomFor is how many grams of a text are expected; with thinning that varies, so there is room for a quarter more.
func roomFor(text []byte, thin uint64) int {
	n := len(text) / int(thin)
	if thin > 1 {
		n += n / 4
	}
	return n
}

// jaccard compares a set with that of a text, which it fills into other.
func jaccard(set, other *gramSet, text []byte, thin uint64) float64 {
	other.reset(roomFor(text, thin))
	common := 0
	eachGram(text, thin, func(h uint64) {
		if other.add(h) && set.has(h) {
			common++
		}
	})
	if union := set.n + other.n - common; union > 0 {
		return float64(common) / float64(union)
	}
	return 1
}
