package blocks

import (
	"context"
	"math"
	"slices"
	"time"
)

// Dropper is a database that can make blocks smaller.
type Dropper interface {
	// Older gives the blocks with a trace from before a time.
	Older(ctx context.Context, before int64) ([]int64, error)
	// Beyond gives the blocks that, with all that were written later, take more than maxBytes.
	Beyond(ctx context.Context, maxBytes int64) ([]int64, error)
	// Bytes is what all blocks take.
	Bytes(ctx context.Context) (int64, error)
	// Shrink takes the traces from before a time that have no correction out of blocks, in one transaction. It gives how many.
	Shrink(ctx context.Context, blocks []int64, before int64) (int64, error)
	// Forget deletes feedback from before a time that is no correction.
	Forget(ctx context.Context, before int64) error
}

// shrinkTogether is how many blocks are made smaller in one transaction: writers wait for it.
const shrinkTogether = 16

// Drop deletes traces, as store.Serving says of DropTraces.
func Drop(ctx context.Context, d Dropper, before time.Time, maxBytes int64) (int64, error) {
	var dropped int64
	if !before.IsZero() {
		old, err := d.Older(ctx, Nanos(before))
		if err != nil {
			return 0, err
		}
		if dropped, err = shrinkAll(ctx, d, old, Nanos(before)); err != nil {
			return dropped, err
		}
		if err := d.Forget(ctx, Nanos(before)); err != nil {
			return dropped, err
		}
	}
	if maxBytes <= 0 {
		return dropped, nil
	}
	n, err := dropBeyond(ctx, d, maxBytes)
	return dropped + n, err
}

// dropBeyond deletes the first written traces until the others fit. Corrected traces stay, so the room that they take in blocks
// already looked at is taken off the limit, and more of the others go.
func dropBeyond(ctx context.Context, d Dropper, maxBytes int64) (dropped int64, err error) {
	for limit := maxBytes; ; {
		have, err := d.Bytes(ctx)
		if err != nil || have <= maxBytes {
			return dropped, err
		}
		blocks, err := d.Beyond(ctx, limit)
		if err != nil {
			return dropped, err
		}
		n, err := shrinkAll(ctx, d, blocks, math.MaxInt64)
		dropped += n
		if err != nil {
			return dropped, err
		}
		left, err := d.Bytes(ctx)
		if err != nil || left <= maxBytes || limit < 0 {
			return dropped, err
		}
		limit -= left - maxBytes
	}
}

func shrinkAll(ctx context.Context, d Dropper, blocks []int64, before int64) (dropped int64, err error) {
	for some := range slices.Chunk(blocks, shrinkTogether) {
		n, err := d.Shrink(ctx, some, before)
		dropped += n
		if err != nil {
			return dropped, err
		}
	}
	return dropped, nil
}
