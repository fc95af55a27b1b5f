package blocks

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/store/pack"
)

// Source is a database with blocks in it, numbered in the order in which they were written.
type Source interface {
	// Heads gives at most so many heads of the blocks that overlap the range, in the order of their numbers or against it.
	Heads(ctx context.Context, r Range, limit int) ([]Numbered, error)
	// Block gives the head and the body of a block; false when it is not there (any more).
	Block(ctx context.Context, n int64) (head, body []byte, ok bool, err error)
	// Told gives those of the traces between two IDs, both included, that have feedback.
	Told(ctx context.Context, low, high ID) ([]ID, error)
	// Damaged makes an error of what cannot be read.
	Damaged(err error) error
}

// Numbered is the head of a block with its number.
type Numbered struct {
	N    int64
	Head []byte
}

// Range is which blocks are asked for: those numbered above Above and below Below that may have a trace between two IDs, where
// OfIDs says so, else between two times, all included.
type Range struct {
	Above, Below int64
	OfIDs        bool
	Low, High    ID
	From, To     int64
	Oldest       bool // in the order of their numbers, as always with OfIDs; else against it
}

// all is the range that every block is in.
func all() Range { return Range{Below: math.MaxInt64, From: math.MinInt64, To: math.MaxInt64} }

// pageSize is how many heads are read at a time, some 6 KiB each.
const pageSize = 32

// Reader reads traces from a source.
type Reader struct {
	Source Source
	Pack   *pack.Packer
}

// Find finds a trace by its ID or a prefix of it that only one has.
func (r Reader) Find(ctx context.Context, prefix string) (rung.Trace, error) {
	n, id, err := r.locate(ctx, prefix)
	if err != nil {
		return rung.Trace{}, err
	}
	found, err := r.traces(ctx, n, func(e *Entry) bool { return e.ID == id })
	if err == nil && len(found) == 0 {
		err = notFound(prefix)
	}
	if err != nil {
		return rung.Trace{}, err
	}
	return found[0], nil
}

// locate finds the block that has a trace.
func (r Reader) locate(ctx context.Context, prefix string) (block int64, id ID, err error) {
	low, high, ok := bounds(prefix)
	if !ok {
		return 0, id, notFound(prefix)
	}
	q, found := all(), 0
	q.OfIDs, q.Low, q.High, q.Oldest = true, low, high, true
	err = r.each(ctx, q, func(b Numbered, entries []Entry) (bool, error) {
		for i := range entries {
			e := &entries[i]
			if less(e.ID, low) || less(high, e.ID) || found > 0 && e.ID == id {
				continue
			}
			if found++; found > 1 {
				return false, nil
			}
			block, id = b.N, e.ID
		}
		return true, nil
	})
	switch {
	case err != nil:
		return 0, id, err
	case found == 0:
		return 0, id, notFound(prefix)
	case found > 1:
		return 0, id, &rung.Error{Code: rung.CodeNotFound, Place: prefix, What: "several traces begin like this", Do: "give more of the ID"}
	}
	return block, id, nil
}

func notFound(id string) error {
	return &rung.Error{Code: rung.CodeNotFound, Place: id, What: "no such trace", Do: "rung traces lists them; what is older than the retention is gone"}
}

// bounds are the first and the last ID that begin with a prefix.
func bounds(prefix string) (low, high ID, ok bool) {
	if prefix == "" || len(prefix) > 32 || hasUpper(prefix) {
		return low, high, false
	}
	zeros, fs := []byte("00000000000000000000000000000000"), []byte("ffffffffffffffffffffffffffffffff")
	copy(zeros, prefix)
	copy(fs, prefix)
	_, err := hex.Decode(low[:], zeros)
	_, _ = hex.Decode(high[:], fs) // fails where the other does
	return low, high, err == nil
}

// each calls do with the blocks of a range until it says to stop.
func (r Reader) each(ctx context.Context, q Range, do func(Numbered, []Entry) (more bool, err error)) error {
	for {
		page, err := r.Source.Heads(ctx, q, pageSize)
		if err != nil {
			return err
		}
		for _, b := range page {
			entries, err := readHead(b.Head)
			if err != nil {
				return r.Source.Damaged(err)
			}
			if more, err := do(b, entries); err != nil || !more {
				return err
			}
			if q.Oldest {
				q.Above = b.N
			} else {
				q.Below = b.N
			}
		}
		if len(page) < pageSize {
			return nil
		}
	}
}

// traces reads those traces of a block that are wanted. The block is read again with its head: it may have shrunk since.
func (r Reader) traces(ctx context.Context, n int64, want func(*Entry) bool) ([]rung.Trace, error) {
	head, body, ok, err := r.Source.Block(ctx, n)
	if err != nil || !ok {
		return nil, err
	}
	entries, err := readHead(head)
	if err != nil {
		return nil, r.Source.Damaged(err)
	}
	text, err := r.Pack.Unpack(body)
	if err != nil {
		return nil, r.Source.Damaged(err)
	}
	var out []rung.Trace
	for i := range entries {
		e := &entries[i]
		if e.size > len(text) {
			return nil, r.Source.Damaged(errDamaged)
		}
		one := text[:e.size]
		text = text[e.size:]
		if !want(e) {
			continue
		}
		var t rung.Trace
		if err := json.Unmarshal(one, &t); err != nil {
			return nil, r.Source.Damaged(fmt.Errorf("trace %s: %w", e.ID, err))
		}
		out = append(out, t)
	}
	return out, nil
}

// Traces gives the traces that match a filter, as store.Serving says.
func (r Reader) Traces(ctx context.Context, f store.TraceFilter) iter.Seq2[rung.Trace, error] {
	return func(yield func(rung.Trace, error) bool) {
		left := f.Limit
		err := r.matching(ctx, f, func(n int64, want func(*Entry) bool) (bool, error) {
			found, err := r.traces(ctx, n, want)
			if err != nil {
				return false, err
			}
			if !f.Oldest && f.After == "" {
				slices.Reverse(found)
			}
			for _, t := range found {
				if !yield(t, nil) {
					return false, nil
				}
				if left--; left == 0 {
					return false, nil
				}
			}
			return true, nil
		})
		if err != nil {
			yield(rung.Trace{}, err)
		}
	}
}

// matching calls do with the blocks that have traces that match, and with what tells which.
func (r Reader) matching(ctx context.Context, f store.TraceFilter, do func(int64, func(*Entry) bool) (bool, error)) error {
	q := all()
	if !f.Since.IsZero() {
		q.From = Nanos(f.Since)
	}
	if !f.Until.IsZero() {
		q.To = Nanos(f.Until) - 1
	}
	var skip ID // the traces of the first block up to this one are not wanted
	if f.After != "" {
		n, id, err := r.locate(ctx, f.After)
		if err != nil {
			return err
		}
		q.Above, skip = n-1, id
	}
	q.Oldest = f.Oldest || f.After != ""
	first := q.Above + 1
	return r.each(ctx, q, func(b Numbered, entries []Entry) (bool, error) {
		told, err := r.told(ctx, f, entries)
		if err != nil {
			return false, err
		}
		fits := func(e *Entry) bool { return matches(e, &f, &q) && (told == nil || told[e.ID]) }
		want := fits
		if f.After != "" && b.N == first {
			passed := map[ID]bool{}
			for i := range entries {
				passed[entries[i].ID] = true
				if entries[i].ID == skip {
					break
				}
			}
			want = func(e *Entry) bool { return !passed[e.ID] && fits(e) }
		}
		for i := range entries {
			if want(&entries[i]) {
				return do(b.N, want)
			}
		}
		return true, nil
	})
}

// told is which of the entries have feedback; nil where the filter does not ask.
func (r Reader) told(ctx context.Context, f store.TraceFilter, entries []Entry) (map[ID]bool, error) {
	if !f.Feedback || len(entries) == 0 {
		return nil, nil
	}
	low, high, _, _ := extent(entries)
	ids, err := r.Source.Told(ctx, low, high)
	out := make(map[ID]bool, len(ids))
	for _, id := range ids {
		out[id] = true
	}
	return out, err
}

func matches(e *Entry, f *store.TraceFilter, q *Range) bool {
	return (f.Task == "" || f.Task == e.Task) && (f.Version == "" || f.Version == e.Version) && (f.Arm == "" || f.Arm == e.Arm) &&
		(f.Key == "" || f.Key == e.Key) && (!f.Errors || e.Failed) && e.At >= q.From && e.At <= q.To
}

// Time is what Nanos was made of, in UTC.
func Time(nanos int64) time.Time {
	if nanos == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanos).UTC()
}
