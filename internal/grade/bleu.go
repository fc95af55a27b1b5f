package grade

import (
	"math"
	"sync"
)

// BLEU (Papineni et al. 2002), with sacrebleu's figures: tokenizer 13a, n-grams up to 4, exponential smoothing.

// BLEUWidth is the number of parts of one pair: length of the hypothesis and of the reference nearest to it in tokens, then the
// n-grams that match, n from 1 to 4, and those that the hypothesis has.
const BLEUWidth = 2 + 2*bleuOrder

const bleuOrder = 4

// BLEUParts fills parts, BLEUWidth long, with the parts of a hypothesis and its references. They add up over a corpus. Without
// references there is nothing to match.
func BLEUParts(parts []float64, hyp string, refs []string) {
	clear(parts[:BLEUWidth])
	b := bleus.Get().(*bleuScratch)
	defer b.release()
	b.words.begin()
	b.hyp = b.symbols(b.hyp[:0], hyp, true)
	b.grams.begin(bleuOrder * len(b.hyp))
	b.grams.hypothesis(b.hyp, bleuOrder)
	length, nearest := len(b.hyp), -1
	for i, ref := range refs {
		b.ref = b.symbols(b.ref[:0], ref, false)
		b.grams.reference(b.ref, bleuOrder, int32(i+1), true, parts[2:2+bleuOrder])
		nearest = nearer(length, nearest, len(b.ref))
	}
	parts[0], parts[1] = float64(length), float64(max(0, nearest))
	for n := range bleuOrder {
		parts[2+bleuOrder+n] = float64(max(0, length-n))
	}
}

// nearer is the reference length nearest to the hypothesis's, the shorter one where two are; a negative one is none.
func nearer(length, best, ref int) int {
	if best < 0 {
		return ref
	}
	was, is := max(length-best, best-length), max(length-ref, ref-length)
	if is < was || is == was && ref < best {
		return ref
	}
	return best
}

// BLEU is the corpus score of summed parts, between 0 and 100.
func BLEU(parts []float64) float64 { return bleu(parts, false) }

// SentenceBLEU is the score of one pair's parts, between 0 and 100. It leaves out orders for which the hypothesis is too short
// (sacrebleu's effective order).
func SentenceBLEU(parts []float64) float64 { return bleu(parts, true) }

func bleu(parts []float64, effective bool) float64 {
	length, refLength := parts[0], parts[1]
	correct, total := parts[2:2+bleuOrder], parts[2+bleuOrder:BLEUWidth]
	if correct[0] == 0 && correct[1] == 0 && correct[2] == 0 && correct[3] == 0 {
		return 0
	}
	smooth, sum, order := 1.0, 0.0, bleuOrder
	for n := range bleuOrder {
		if total[n] == 0 {
			if effective {
				break
			}
			return 0
		}
		if effective {
			order = n + 1
		}
		if correct[n] == 0 {
			smooth *= 2
			sum += math.Log(100 / (smooth * total[n]))
		} else {
			sum += math.Log(100 * correct[n] / total[n])
		}
	}
	brevity := 1.0
	if length < refLength {
		brevity = math.Exp(1 - refLength/length)
	}
	return brevity * math.Exp(sum/float64(order))
}

// bleuScratch is the memory of one call, kept for the next.
type bleuScratch struct {
	words    lexicon
	grams    ngrams
	spans    []span
	hyp, ref []uint32
}

var bleus = sync.Pool{New: func() any { return new(bleuScratch) }}

func (b *bleuScratch) release() {
	b.grams.trim()
	if cap(b.hyp)+cap(b.ref) < 1<<16 {
		bleus.Put(b)
	}
}

// symbols are the numbers of the tokens of s. A token of a reference that the hypothesis lacks is 0, which no n-gram of the
// hypothesis holds.
func (b *bleuScratch) symbols(out []uint32, s string, learn bool) []uint32 {
	s = prepare13a(s)
	b.spans = tokens13a(b.spans[:0], s)
	for _, t := range b.spans {
		out = append(out, b.words.id(s[t.start:t.end], learn))
	}
	return out
}
