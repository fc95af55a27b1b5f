package grade

import (
	"math/bits"
	"sync"
	"unsafe"
)

// ROUGE-1, ROUGE-2 and ROUGE-L (Lin 2004), with rouge-score's figures: words are runs of a–z and 0–9 after lowering, all other
// scripts count for nothing.

// PRF is precision, recall and their harmonic mean, each between 0 and 1.
type PRF struct{ Precision, Recall, F float64 }

// RougeScores are the three scores of one hypothesis. The score of a corpus is their mean.
type RougeScores struct{ Rouge1, Rouge2, RougeL PRF }

// Rouge scores a hypothesis against its references; for each score the reference with the best F counts, the first of equals.
// With stem set, words of more than three letters are reduced by Porter's stemmer as NLTK has it.
func Rouge(hyp string, refs []string, stem bool) RougeScores {
	var best RougeScores
	r := rouges.Get().(*rougeScratch)
	defer r.release()
	r.words.begin()
	r.hyp = r.symbols(r.hyp[:0], hyp, stem, true)
	r.grams.begin(2 * len(r.hyp))
	r.grams.hypothesis(r.hyp, 2)
	for i, ref := range refs {
		r.ref = r.symbols(r.ref[:0], ref, stem, false)
		var matched [2]float64
		r.grams.reference(r.ref, 2, int32(i+1), false, matched[:])
		m, n := len(r.hyp), len(r.ref)
		one := RougeScores{
			Rouge1: prf(matched[0], m, n),
			Rouge2: prf(matched[1], m-1, n-1),
			RougeL: prf(float64(r.common()), m, n),
		}
		best.Rouge1.better(one.Rouge1)
		best.Rouge2.better(one.Rouge2)
		best.RougeL.better(one.RougeL)
		if i == 0 {
			best = one
		}
	}
	return best
}

func (p *PRF) better(q PRF) {
	if q.F > p.F {
		*p = q
	}
}

func prf(match float64, hyp, ref int) PRF {
	p := PRF{Precision: match / float64(max(hyp, 1)), Recall: match / float64(max(ref, 1))}
	if p.Precision+p.Recall > 0 {
		p.F = 2 * p.Precision * p.Recall / (p.Precision + p.Recall)
	}
	return p
}

// rougeScratch is the memory of one call, kept for the next.
type rougeScratch struct {
	words    lexicon
	grams    ngrams
	hyp, ref []uint32
	text     []byte   // the word being read
	masks    []uint64 // per word number, where the block has it
	carry    []uint64
}

var rouges = sync.Pool{New: func() any { return new(rougeScratch) }}

func (r *rougeScratch) release() {
	r.grams.trim()
	if cap(r.hyp)+cap(r.ref)+cap(r.text) < 1<<17 {
		rouges.Put(r)
	}
}

// symbols are the numbers of the words of s.
func (r *rougeScratch) symbols(out []uint32, s string, stem, learn bool) []uint32 {
	s = s[:min(len(s), maxText)]
	word := r.text[:0]
	flush := func() {
		if len(word) > 3 && stem {
			word = porter(word)
		}
		if len(word) > 0 {
			out = append(out, r.words.id(unsafe.String(unsafe.SliceData(word), len(word)), learn))
		}
		word = word[:0]
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z' || digit(c):
			word = append(word, c)
		case c >= 'A' && c <= 'Z':
			word = append(word, c+'a'-'A')
		case c == 0xe2 && i+2 < len(s) && s[i+1] == 0x84 && s[i+2] == 0xaa: // the Kelvin sign lowers to k
			word = append(word, 'k')
			i += 2
		case c == 0xc4 && i+1 < len(s) && s[i+1] == 0xb0: // İ lowers to i and a combining dot
			word = append(word, 'i')
			flush()
			i++
		default:
			flush()
		}
	}
	flush()
	r.text = word
	return out
}

// common is the length of the longest common subsequence of hypothesis and reference, by the bit-parallel method of Crochemore
// et al. (2001), 64 words of the hypothesis at a time. The bit carried into a block, per word of the reference, is kept
// between blocks, so that memory grows with the texts and not with their product.
func (r *rougeScratch) common() int {
	r.masks = grown(r.masks, r.words.used+1)
	r.carry = grown(r.carry, len(r.ref))
	clear(r.masks)
	clear(r.carry)
	length := 0
	for start := 0; start < len(r.hyp); start += 64 {
		block := r.hyp[start:min(start+64, len(r.hyp))]
		for i, w := range block {
			r.masks[w] |= 1 << i
		}
		row := ^uint64(0)
		for j, w := range r.ref {
			if w == 0 {
				continue // a word that the hypothesis lacks
			}
			mask := r.masks[w]
			var sum uint64
			sum, r.carry[j] = bits.Add64(row, row&mask, r.carry[j])
			row = sum | row&^mask
		}
		length += bits.OnesCount64(^row << (64 - len(block)))
		for _, w := range block {
			r.masks[w] = 0
		}
	}
	return length
}

func grown(s []uint64, n int) []uint64 {
	if cap(s) < n {
		return make([]uint64, n)
	}
	return s[:n]
}
