package pii

import (
	"bytes"
	"io"
	"maps"
	"slices"
)

// Without writes the vault anew, under a user's key, without the rows that hold what is to go, and says how many those were.
func (v *Vault) Without(holds func([]byte) bool, w io.Writer, user []byte) (gone int, err error) {
	out, err := NewVault(w, user)
	if err != nil {
		return 0, err
	}
	sums := slices.SortedFunc(maps.Keys(v.rows), func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) })
	for _, sum := range sums {
		for _, was := range v.rows[sum] {
			if holds(was) {
				gone++
			} else if err := out.seal(append(sum[:], was...)); err != nil {
				return gone, err
			}
		}
	}
	return gone, out.Close()
}
