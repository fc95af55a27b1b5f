package grade

import "slices"

// Character n-grams up to six fit into 64 bits when a text pair has fewer than 1,024 different characters: each position gives a
// key of its next six, the sorted keys of hypothesis and reference are merged once per order, and the runs of equal prefixes are the
// n-grams with their counts. That is several times faster than a table of n-grams. Other pairs take the table.

const (
	charBits  = 10
	maxChars  = 1 << charBits
	plainChar = 128 // characters under it are their own symbols; others get the next free one
)

// charSpace gives characters symbols from 1.
type charSpace struct {
	others map[uint32]uint64
}

// symbol is the symbol of a character; ok is false once there are too many.
func (c *charSpace) symbol(r uint32) (s uint64, ok bool) {
	if r > 0 && r < plainChar {
		return uint64(r), true
	}
	if s, ok := c.others[r]; ok {
		return s, true
	}
	s = uint64(plainChar + len(c.others))
	if s >= maxChars {
		return 0, false
	}
	if c.others == nil {
		c.others = make(map[uint32]uint64)
	}
	c.others[r] = s
	return s, true
}

// keys are the sorted keys of the positions of a text; ok is false when there are too many characters.
func (c *charSpace) keys(out []uint64, text []uint32) (keys []uint64, ok bool) {
	out = slices.Grow(out[:0], len(text))[:len(text)]
	key := uint64(0)
	for i := len(text) - 1; i >= 0; i-- {
		s, ok := c.symbol(text[i])
		if !ok {
			return out[:0], false
		}
		key = key>>charBits | s<<(charBits*(chrfChars-1))
		out[i] = key
	}
	slices.Sort(out)
	return out, true
}

// matches counts the n-grams that two texts have in common, by their sorted keys, for each order from 1.
func matches(hyp, ref []uint64, matched []float64) {
	for n := range matched {
		shift := charBits * (chrfChars - 1 - n)
		sum, i, j := 0, 0, 0
		for i < len(hyp) && j < len(ref) {
			a, b := hyp[i]>>shift, ref[j]>>shift
			switch {
			case a < b:
				i++
			case a > b:
				j++
			default:
				if a&(maxChars-1) != 0 { // the text goes on as long as the order
					sum++
				}
				i++
				j++
			}
		}
		matched[n] = float64(sum)
	}
}
