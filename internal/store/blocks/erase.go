package blocks

import (
	"context"
	"slices"

	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/store/pack"
)

// Eraser is a database that can take traces out of blocks for what they hold.
type Eraser interface {
	// All gives the numbers of all blocks.
	All(ctx context.Context) ([]int64, error)
	// Take takes traces that hold out of blocks, with their feedback, in one transaction; with dry it counts them. It gives how many
	// traces and how much feedback.
	Take(ctx context.Context, blocks []int64, e *store.Erasure) (traces, feedback int, err error)
	// TakeFeedback deletes feedback that holds, and gives how much.
	TakeFeedback(ctx context.Context, e *store.Erasure) (int, error)
}

// EraseAll erases, as store.Serving says.
func EraseAll(ctx context.Context, d Eraser, e *store.Erasure) (store.Erased, error) {
	out := store.Erased{}
	all, err := d.All(ctx)
	if err != nil {
		return out, err
	}
	for some := range slices.Chunk(all, shrinkTogether) {
		traces, feedback, err := d.Take(ctx, some, e)
		out["traces"] += traces
		out["feedback"] += feedback
		if err != nil {
			return out, err
		}
	}
	n, err := d.TakeFeedback(ctx, e)
	out["feedback"] += n
	return out, err
}

// Erase takes the traces out of a block whose JSON holds what is to go, and gives their IDs. Where there are none the block stays.
func Erase(p *pack.Packer, head, body []byte, holds func([]byte) bool) (Shrunk, []ID, error) {
	entries, err := readHead(head)
	if err != nil {
		return Shrunk{}, nil, err
	}
	text, err := p.Unpack(body)
	if err != nil {
		return Shrunk{}, nil, err
	}
	var kept []Entry
	var left []byte
	var gone []ID
	for i := range entries {
		e := &entries[i]
		if e.size > len(text) {
			return Shrunk{}, nil, errDamaged
		}
		if one := text[:e.size]; holds(one) {
			gone = append(gone, e.ID)
		} else {
			kept, left = append(kept, *e), append(left, one...)
		}
		text = text[e.size:]
	}
	out := Shrunk{Dropped: len(gone), Empty: len(kept) == 0}
	if out.Dropped > 0 && !out.Empty {
		out.Block = seal(p, kept, left)
	}
	return out, gone, nil
}
