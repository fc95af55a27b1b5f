package trace

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"time"
)

// NewID makes the ID of a trace that begins at a time: the second in 8 hex digits, then 96 random bits. It is a W3C trace id, as
// AWS X-Ray makes them. Because it begins with the time, stores find it without an index of random places. A caller's own trace id
// is no ID of ours, because one of his traces may make many requests: it goes to Trace.Parent.
func NewID(at time.Time) string {
	var id [16]byte
	rand.Read(id[4:]) // never fails: crypto/rand ends the program instead
	binary.BigEndian.PutUint32(id[:], uint32(at.Unix()))
	var text [32]byte
	hex.Encode(text[:], id[:])
	return string(text[:])
}
