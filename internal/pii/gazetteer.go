package pii

import (
	_ "embed"
	"sync"
)

// names.bin holds three Bloom filters (Bloom, CACM 1970): given names, family names, words of places. It says "perhaps" for one
// word in a hundred that is in none, and no list can be read from it. bench/data/pii/train makes it.
//
//go:embed names.bin
var namesFile []byte

// Gazetteer is a set of names, as filters.
type Gazetteer struct{ filters [3][]byte }

// bitsPerName and probes make about one false answer in a hundred.
const (
	bitsPerName = 10
	probes      = 7
)

var gazetteer = sync.OnceValue(func() *Gazetteer {
	g := &Gazetteer{}
	file := namesFile
	for i := range g.filters {
		n := int(file[0]) | int(file[1])<<8 | int(file[2])<<16
		g.filters[i], file = file[3:3+n], file[3+n:]
	}
	return g
})

// NewGazetteer makes the filters of lower-case words: given names, family names, words of places.
func NewGazetteer(lists [3][]string) *Gazetteer {
	g := &Gazetteer{}
	for i, list := range lists {
		g.filters[i] = make([]byte, len(list)*bitsPerName/8+1)
		for _, name := range list {
			each(g.filters[i], hashOf([]byte(name)), func(at uint64) bool {
				g.filters[i][at/8] |= 1 << (at % 8)
				return true
			})
		}
	}
	return g
}

// Bytes is the file.
func (g *Gazetteer) Bytes() []byte {
	var out []byte
	for _, f := range g.filters {
		out = append(out, byte(len(f)), byte(len(f)>>8), byte(len(f)>>16))
		out = append(out, f...)
	}
	return out
}

// each visits the places of a hash in a filter, while visit says true. It says whether it visited all.
func each(filter []byte, h uint64, visit func(at uint64) bool) bool {
	size := uint64(len(filter)) * 8
	if size == 0 {
		return false
	}
	step := h>>33 | 1
	for range probes {
		if !visit(h % size) {
			return false
		}
		h += step * hashPrime
	}
	return true
}

// flags says in which lists a lower-case word may be.
func (g *Gazetteer) flags(word []byte) uint32 {
	if len(word) < 2 {
		return 0
	}
	h, out := hashOf(word), uint32(0)
	for i, f := range g.filters {
		if each(f, h, func(at uint64) bool { return f[at/8]>>(at%8)&1 == 1 }) {
			out |= flagGiven << i
		}
	}
	return out
}
