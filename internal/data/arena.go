package data

import "unsafe"

// arena holds the bytes of many small values in few allocations. What it returns is never changed afterwards.
type arena struct {
	block []byte
	known map[string][]byte // short values that come again and again, such as labels
}

const (
	blockSize  = 64 << 10
	largeValue = 8 << 10
	maxKnown   = 4096
	shortValue = 64
)

// keep copies b into the arena.
func (a *arena) keep(b []byte) []byte {
	if len(b) > largeValue {
		return append(make([]byte, 0, len(b)), b...)
	}
	if len(b) > cap(a.block)-len(a.block) {
		a.block = make([]byte, 0, blockSize)
	}
	start := len(a.block)
	a.block = append(a.block, b...)
	return a.block[start:len(a.block):len(a.block)]
}

// text is keep for a string.
func (a *arena) text(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	kept := a.keep(b)
	return unsafe.String(&kept[0], len(kept)) // the bytes are never written again
}

// share is keep that stores equal short values once.
func (a *arena) share(b []byte) []byte {
	if len(b) > shortValue {
		return a.keep(b)
	}
	if kept, ok := a.known[string(b)]; ok {
		return kept
	}
	if a.known == nil {
		a.known = map[string][]byte{}
	}
	kept := a.keep(b)
	if len(a.known) < maxKnown {
		a.known[unsafe.String(unsafe.SliceData(kept), len(kept))] = kept
	}
	return kept
}

// shareText is share for a string.
func (a *arena) shareText(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	kept := a.share(b)
	return unsafe.String(&kept[0], len(kept))
}
