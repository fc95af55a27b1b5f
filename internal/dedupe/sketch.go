package dedupe

import (
	"encoding/binary"
	"math/bits"
)

// A sketch is a one-permutation MinHash (Li, Owen, Zhang 2012) of the set of byte 8-grams of a canonical text: the grams are dealt by
// their hashes into 64 bins, and of each bin's smallest hash eight bits are kept (b-bit MinHash, Li and König 2010). Empty bins borrow
// from others (optimal densification, Shrivastava 2017). Two sketches agree in a bin with probability J + (1−J)/256, J the Jaccard
// similarity of the sets. Grams of eight and not five bytes, since unrelated texts of a language share many of five and hardly any of eight.
const (
	bins     = 64
	gramSize = 8
)

type sketch [bins / 8]uint64

// mix is the finaliser of SplitMix64.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func sketchOf(text []byte) (s sketch) {
	var least [bins]uint64
	for i := range least {
		least[i] = ^uint64(0)
	}
	if len(text) < gramSize {
		var gram [gramSize]byte
		copy(gram[:], text)
		h := mix(binary.LittleEndian.Uint64(gram[:]) + 0x9e3779b97f4a7c15)
		least[h>>58] = h << 6
	}
	for i := 0; i+gramSize <= len(text); i++ {
		h := mix(binary.LittleEndian.Uint64(text[i:]) + 0x9e3779b97f4a7c15)
		if bin, v := h>>58, h<<6; v < least[bin] {
			least[bin] = v
		}
	}
	for i := range least {
		v := least[i]
		for k := uint64(0); v == ^uint64(0); k++ {
			v = least[mix(uint64(i)<<32|k)%bins]
		}
		s[i/8] |= mix(v) >> 56 << (i % 8 * 8)
	}
	return s
}

// agree counts the bins in which two sketches agree.
func (s *sketch) agree(t *sketch) int {
	const low = 0x7f7f7f7f7f7f7f7f
	n := 0
	for i := range s {
		x := s[i] ^ t[i]
		n += bits.OnesCount64(^((x&low + low) | x | low)) // one bit per zero byte
	}
	return n
}

func (s *sketch) bin(i int) uint64 { return s[i/8] >> (i % 8 * 8) & 0xff }

// bandCount bands of three bins: each of four ways to take the first 63 bins apart gives 21. Texts whose sets of grams have a similarity
// of .5 agree in some band with a probability of .995.
const (
	bandCount = 63
	bandBits  = 24
)

var bands = func() (b [bandCount][3]int) {
	for way, step := range []int{1, 5, 11} { // coprime to 63
		for i := range 63 {
			b[way*21+i/3][i%3] = i * step % 63
		}
	}
	return b
}()

// key is what a sketch says in a band.
func (s *sketch) key(band int) uint64 {
	b := &bands[band]
	return s.bin(b[0]) | s.bin(b[1])<<8 | s.bin(b[2])<<16
}

// sketches holds many sketches without ever copying them.
type sketches struct {
	chunks [][]sketch
	n      int
}

const chunkBits = 14

func (s *sketches) add(x sketch) {
	if s.n>>chunkBits == len(s.chunks) {
		s.chunks = append(s.chunks, make([]sketch, 0, 1<<chunkBits))
	}
	last := len(s.chunks) - 1
	s.chunks[last] = append(s.chunks[last], x)
	s.n++
}

func (s *sketches) at(i uint32) *sketch { return &s.chunks[i>>chunkBits][i&(1<<chunkBits-1)] }
