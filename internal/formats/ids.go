package formats

import (
	"encoding/binary"
	"encoding/hex"

	"github.com/rung-dev/rung"
)

// idSet is which ids there were, at eight bytes each in a table that is at most three quarters full. Two ids with one half digest would only
// get a number behind one of them.
type idSet struct {
	table []uint64
	n     int
	more  map[uint64]int // how often those came that came more than once
}

// half is half of the digest of an id, never 0.
func half(id string) uint64 {
	b, err := hex.DecodeString(string(rung.DigestBytes([]byte(id))[:16]))
	if err != nil { // a digest is hex
		return 1
	}
	return max(binary.BigEndian.Uint64(b), 1)
}

// add enters an id and gives how often it was there, this time included.
func (s *idSet) add(key uint64) int {
	if (s.n+1)*4 > len(s.table)*3 {
		s.grow()
	}
	at := s.place(key)
	if s.table[at] != key {
		s.table[at] = key
		s.n++
		return 1
	}
	if s.more == nil {
		s.more = map[uint64]int{}
	}
	s.more[key] = max(s.more[key], 1) + 1
	return s.more[key]
}

// place is where a key is, or would be.
func (s *idSet) place(key uint64) int {
	mask := len(s.table) - 1
	at := int(key) & mask
	for s.table[at] != 0 && s.table[at] != key {
		at = (at + 1) & mask
	}
	return at
}

func (s *idSet) grow() {
	old := s.table
	s.table = make([]uint64, max(1024, 2*len(old)))
	for _, key := range old {
		if key != 0 {
			s.table[s.place(key)] = key
		}
	}
}
