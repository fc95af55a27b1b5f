// Package blocks keeps traces by the block, for stores that keep bytes by number. A gateway writes a trace for every request,
// hundreds at a time; one row for all of them costs a fraction of a row for each, and traces side by side pack to a tenth of
// what they pack to alone. A block has a head, which says which traces it has and what filters ask about them, and a body:
// their JSON, packed together.
package blocks

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store/pack"
)

// ID is a trace's ID in bytes.
type ID [16]byte

func (id ID) String() string { return hex.EncodeToString(id[:]) }

// ParseID reads 32 lower-case hex digits.
func ParseID(s string) (id ID, ok bool) {
	if len(s) != 2*len(id) {
		return id, false
	}
	_, err := hex.Decode(id[:], []byte(s))
	return id, err == nil && !hasUpper(s)
}

func hasUpper(s string) bool {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'F' {
			return true
		}
	}
	return false
}

// Block is a batch of traces as it is stored.
type Block struct {
	First      ID    // the ID of the first trace: a batch that is put again has the same
	Low, High  ID    // the lowest and the highest ID
	From, To   int64 // the first and the last time, in nanoseconds
	Head, Body []byte
}

// Bytes is what the block takes.
func (b *Block) Bytes() int64 { return int64(len(b.Head) + len(b.Body)) }

// Entry is what a head says of a trace.
type Entry struct {
	ID     ID
	At     int64 // nanoseconds since 1970
	Failed bool  // it has a code or a problem
	Labels
	size int // of its JSON
}

// Labels are what traces of a block have in common more often than not.
type Labels struct{ Task, Version, Arm, Key string }

const (
	maxTraces = 256      // of a block
	maxText   = 1 << 20  // bytes of JSON after which a block is full
	maxTrace  = 16 << 20 // bytes of JSON of one trace
)

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 256<<10); return &b }}

// Make puts traces into blocks, in their order.
func Make(p *pack.Packer, ts []rung.Trace) ([]Block, error) {
	var out []Block
	buf := buffers.Get().(*[]byte)
	defer func() { buffers.Put(buf) }()
	for len(ts) > 0 {
		entries, text, err := fill((*buf)[:0], ts)
		if err != nil {
			return nil, err
		}
		out = append(out, seal(p, entries, text))
		ts = ts[len(entries):]
		if cap(text) <= 4*maxText { // a huge one is not kept
			*buf = text
		}
	}
	return out, nil
}

// fill writes traces until a block is full.
func fill(text []byte, ts []rung.Trace) ([]Entry, []byte, error) {
	entries := make([]Entry, 0, min(len(ts), maxTraces))
	for i := range ts {
		if len(entries) == maxTraces || len(text) >= maxText {
			break
		}
		t := &ts[i]
		id, ok := ParseID(t.ID)
		if !ok {
			return nil, nil, &rung.Error{Code: rung.CodeInternal, Place: t.ID, What: "a trace's ID is not 32 lower-case hex digits"}
		}
		before := len(text)
		text = appendTrace(text, t)
		size := len(text) - before
		if size > maxTrace {
			return nil, nil, &rung.Error{Code: rung.CodeInput, Place: t.ID, What: fmt.Sprintf("a trace of %d MiB is too big to keep", size>>20)}
		}
		entries = append(entries, Entry{ID: id, At: Nanos(t.At), Failed: t.Code != "" || t.Problem != "",
			Labels: Labels{t.Task, t.Version, t.Arm, t.Key}, size: size})
	}
	return entries, text, nil
}

func seal(p *pack.Packer, entries []Entry, text []byte) Block {
	b := Block{First: entries[0].ID, Head: appendHead(nil, entries), Body: p.Pack(text)}
	b.Low, b.High, b.From, b.To = extent(entries)
	return b
}

// extent bounds the IDs and the times of entries, of which there is at least one.
func extent(entries []Entry) (low, high ID, from, to int64) {
	low, high, from, to = entries[0].ID, entries[0].ID, entries[0].At, entries[0].At
	for i := range entries {
		e := &entries[i]
		if less(e.ID, low) {
			low = e.ID
		}
		if less(high, e.ID) {
			high = e.ID
		}
		from, to = min(from, e.At), max(to, e.At)
	}
	return low, high, from, to
}

func less(a, b ID) bool {
	if x, y := binary.BigEndian.Uint64(a[:8]), binary.BigEndian.Uint64(b[:8]); x != y {
		return x < y
	}
	return binary.BigEndian.Uint64(a[8:]) < binary.BigEndian.Uint64(b[8:])
}

// Nanos is a time as stores have it: nanoseconds since 1970, 0 for the zero time.
func Nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// errDamaged says that a head or body is not what was written.
var errDamaged = errors.New("a block of traces is damaged")
