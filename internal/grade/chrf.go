package grade

import (
	"strings"
	"sync"
	"unicode/utf8"
)

// chrF (Popović 2015), with sacrebleu's figures: character n-grams up to 6 without white space, β = 2, orders without n-grams
// on either side left out. chrF++ adds words up to 2.

// ChrFWidth and ChrFPPWidth are the numbers of parts of one pair: per order the n-grams of the hypothesis, of the reference,
// and those that match.
const (
	ChrFWidth   = 3 * chrfChars
	ChrFPPWidth = 3 * (chrfChars + chrfWords)
)

const (
	chrfChars = 6
	chrfWords = 2
)

// ChrFParts fills parts, ChrFWidth long, with the parts of a hypothesis and the one of its references that gives the best
// score. They add up over a corpus.
func ChrFParts(parts []float64, hyp string, refs []string) {
	chrfParts(parts[:ChrFWidth], hyp, refs, false)
}

// ChrFPPParts is ChrFParts for chrF++; parts are ChrFPPWidth long.
func ChrFPPParts(parts []float64, hyp string, refs []string) {
	chrfParts(parts[:ChrFPPWidth], hyp, refs, true)
}

// ChrF is the score of summed parts, of one pair or a corpus, between 0 and 100. The number of parts says whether it is chrF
// or chrF++.
func ChrF(parts []float64) float64 {
	const factor = 4.0 // β²
	var precision, recall, orders float64
	for i := 0; i+2 < len(parts); i += 3 {
		if hyp, ref, match := parts[i], parts[i+1], parts[i+2]; hyp > 0 && ref > 0 {
			precision += match / hyp
			recall += match / ref
			orders++
		}
	}
	if precision+recall == 0 {
		return 0
	}
	precision /= orders
	recall /= orders
	return 100 * ((1 + factor) * precision * recall / (factor*precision + recall))
}

func chrfParts(parts []float64, hyp string, refs []string, words bool) {
	clear(parts)
	c := chrfs.Get().(*chrfScratch)
	defer c.release()
	c.hypothesis(hyp, words)
	best := -1.0
	var pair [ChrFPPWidth]float64
	one := pair[:len(parts)]
	for i, ref := range refs {
		clear(one)
		c.reference(one, ref, int32(i+1), words)
		if f := ChrF(one); f > best {
			best = f
			copy(parts, one)
		}
	}
}

// chrfScratch is the memory of one call, kept for the next.
type chrfScratch struct {
	words     lexicon
	grams     ngrams // of characters
	wordGrams ngrams
	hyp, ref  []uint32
	hypWords  []uint32
	refWords  []uint32

	space            charSpace
	hypKeys, refKeys []uint64
	packed           bool // hypKeys are made; else grams
}

var chrfs = sync.Pool{New: func() any { return new(chrfScratch) }}

func (c *chrfScratch) release() {
	c.grams.trim()
	c.wordGrams.trim()
	if cap(c.hyp)+cap(c.ref) < 1<<16 && len(c.space.others) < 256 {
		chrfs.Put(c)
	}
}

func (c *chrfScratch) hypothesis(s string, words bool) {
	c.hyp = characters(c.hyp[:0], s)
	clear(c.space.others)
	if c.hypKeys, c.packed = c.space.keys(c.hypKeys, c.hyp); !c.packed {
		c.count()
	}
	if words {
		c.words.begin()
		c.hypWords = c.wordSymbols(c.hypWords[:0], s, true)
		c.wordGrams.begin(chrfWords * len(c.hypWords))
		c.wordGrams.hypothesis(c.hypWords, chrfWords)
	}
}

// count makes the table of the hypothesis's n-grams, for pairs with too many different characters.
func (c *chrfScratch) count() {
	c.packed = false
	c.grams.begin(chrfChars * len(c.hyp))
	c.grams.hypothesis(c.hyp, chrfChars)
}

func (c *chrfScratch) reference(parts []float64, s string, number int32, words bool) {
	var matched [chrfChars + chrfWords]float64
	c.ref = characters(c.ref[:0], s)
	ok := c.packed
	if ok {
		if c.refKeys, ok = c.space.keys(c.refKeys, c.ref); !ok {
			c.count()
		}
	}
	if ok {
		matches(c.hypKeys, c.refKeys, matched[:chrfChars])
	} else {
		c.grams.reference(c.ref, chrfChars, number, false, matched[:chrfChars])
	}
	fillChrF(parts[:ChrFWidth], len(c.hyp), len(c.ref), matched[:chrfChars])
	if words {
		c.refWords = c.wordSymbols(c.refWords[:0], s, false)
		c.wordGrams.reference(c.refWords, chrfWords, number, false, matched[chrfChars:])
		fillChrF(parts[ChrFWidth:], len(c.hypWords), len(c.refWords), matched[chrfChars:])
	}
}

// fillChrF writes the parts of consecutive orders from 1. An order that the reference is too short for counts no n-grams of
// the hypothesis either.
func fillChrF(parts []float64, hyp, ref int, matched []float64) {
	for n := range matched {
		if ref > n {
			parts[3*n] = float64(max(0, hyp-n))
			parts[3*n+1] = float64(ref - n)
			parts[3*n+2] = matched[n]
		}
	}
}

// characters are the code points of s that are not white space.
func characters(out []uint32, s string) []uint32 {
	for _, r := range s[:min(len(s), maxText)] {
		if !pythonSpace(r) {
			out = append(out, uint32(r))
		}
	}
	return out
}

// wordSymbols are the numbers of the words of s, each with one punctuation mark cut off: the last character, or else the first.
func (c *chrfScratch) wordSymbols(out []uint32, s string, learn bool) []uint32 {
	for line := s[:min(len(s), maxText)]; ; {
		word, rest := cutToken(line)
		if word == "" {
			return out
		}
		line = rest
		last := len(word) - 1
		switch {
		case utf8.RuneCountInString(word) == 1:
			out = append(out, c.words.id(word, learn))
		case chrfPunctuation(word[last]):
			out = append(out, c.words.id(word[:last], learn), c.words.id(word[last:], learn))
		case chrfPunctuation(word[0]):
			out = append(out, c.words.id(word[:1], learn), c.words.id(word[1:], learn))
		default:
			out = append(out, c.words.id(word, learn))
		}
	}
}

func chrfPunctuation(b byte) bool {
	return strings.IndexByte("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", b) >= 0
}
