package blocks

import (
	"github.com/rung-dev/rung/internal/store/pack"
)

// Dropping is which traces of a block go.
type Dropping struct {
	Before int64       // those that began before this time
	Keep   map[ID]bool // but none of these
}

// NewDropping drops what began before a time and is not in keep.
func NewDropping(before int64, keep []ID) Dropping {
	d := Dropping{Before: before, Keep: make(map[ID]bool, len(keep))}
	for _, id := range keep {
		d.Keep[id] = true
	}
	return d
}

// Shrunk is a block after some of its traces have gone.
type Shrunk struct {
	Dropped int
	Empty   bool // nothing is left: delete it
	Block   Block
}

// Shrink takes traces out of a block. Where Dropped is 0 the block stays as it is, and Block is not set.
func Shrink(p *pack.Packer, head, body []byte, d Dropping) (Shrunk, error) {
	entries, err := readHead(head)
	if err != nil {
		return Shrunk{}, err
	}
	var kept []Entry
	for i := range entries {
		if d.keeps(&entries[i]) {
			kept = append(kept, entries[i])
		}
	}
	out := Shrunk{Dropped: len(entries) - len(kept), Empty: len(kept) == 0}
	if out.Dropped == 0 || out.Empty {
		return out, nil
	}
	text, err := p.Unpack(body)
	if err != nil {
		return Shrunk{}, err
	}
	var left []byte
	for i := range entries {
		e := &entries[i]
		if e.size > len(text) {
			return Shrunk{}, errDamaged
		}
		if d.keeps(e) {
			left = append(left, text[:e.size]...)
		}
		text = text[e.size:]
	}
	out.Block = seal(p, kept, left)
	return out, nil
}

func (d *Dropping) keeps(e *Entry) bool { return e.At >= d.Before || d.Keep[e.ID] }
