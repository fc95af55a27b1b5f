package dedupe

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/rows"
	"github.com/rung-dev/rung/internal/unionfind"
)

// sum is half of a SHA-256 of what is compared.
type sum [16]byte

// documents are the rows of a set, as far as they are kept in memory.
type documents struct {
	set      *rows.Set
	places   []rows.Place
	lines    []int32
	sums     []sum
	first    []int32  // the first document with the same sum; the document itself for others
	unique   []int32  // documents that have a sketch: the first with their text
	sketches sketches // of unique
	broken   map[int32]string
	textless int
	edges    []edge   // sorted
	vectors  *vectors // nil unless rows are compared by meaning
}

func (d *documents) n() int                     { return len(d.places) }
func (d *documents) place(doc int32) rows.Place { return d.places[doc] }
func (d *documents) files(doc int32) uint16     { return d.places[doc].File }
func (d *documents) copies() unionfind.Forest   { return append(unionfind.Forest(nil), d.first...) }
func (d *documents) hasText(doc int32) bool     { return d.sums[doc] != sum{} }

// looked is what is found out about the rows of a block, side by side with others.
type looked struct {
	places   []rows.Place
	lines    []int32
	sums     []sum
	sketches []sketch
	broken   map[int]string
}

// maxDocs bounds the rows: documents are numbered with 32 bits.
const maxDocs = 1 << 30

// read goes through the set once: sums find copies, and the first of each kind gets a sketch.
func read(ctx context.Context, set *rows.Set, o *Options) (*documents, error) {
	d := &documents{set: set, broken: map[int32]string{}}
	index := newSumIndex(d)
	if o.Elsewhere != nil {
		return d, readElsewhere(ctx, d, index, o)
	}
	pool := newLookers(o)
	err := rows.Map(ctx, set, o.Workers, func(b *rows.Block) (*looked, error) {
		l := <-pool
		defer func() { pool <- l }()
		return l.look(b), nil
	}, func(l *looked) error { return d.take(l, index, o) })
	return d, err
}

// take numbers the rows of a block.
func (d *documents) take(l *looked, index *sumIndex, o *Options) error {
	if d.n()+len(l.places) > maxDocs {
		return &rung.Error{Code: rung.CodeCapacity, What: "the files hold more than a billion rows", Do: "take parts of them"}
	}
	for i := range l.places {
		doc := int32(d.n())
		d.places, d.lines, d.sums = append(d.places, l.places[i]), append(d.lines, l.lines[i]), append(d.sums, l.sums[i])
		if what, ok := l.broken[i]; ok {
			d.broken[doc] = what
			d.first = append(d.first, doc)
			continue
		}
		if l.sums[i] == (sum{}) {
			d.textless++
			d.first = append(d.first, doc)
			continue
		}
		first := index.find(doc)
		d.first = append(d.first, first)
		if first == doc && o.Near > 0 && !o.Exact {
			d.unique = append(d.unique, doc)
			d.sketches.add(l.sketches[i])
		}
	}
	return nil
}

// looker has the memory of one worker.
type looker struct {
	o        *Options
	x        rows.Extractor
	text     []byte
	folded   []byte
	scratch  []byte
	withNear bool
}

func newLookers(o *Options) chan *looker {
	n := o.Workers + 2 // as many blocks as rows.Map works on
	pool := make(chan *looker, n)
	for range n {
		pool <- &looker{o: o, withNear: o.Near > 0 && !o.Exact}
	}
	return pool
}

func (w *looker) look(b *rows.Block) *looked {
	n := bytes.Count(b.Bytes, []byte("\n")) + 1
	l := &looked{places: make([]rows.Place, 0, n), lines: make([]int32, 0, n), sums: make([]sum, 0, n)}
	if w.withNear {
		l.sketches = make([]sketch, 0, n)
	}
	_ = b.Each(func(r rows.Row) error { // it has no errors of its own
		var s sum
		var sk sketch
		members, err := w.x.Members(r.Raw)
		if err != nil {
			if l.broken == nil {
				l.broken = map[int]string{}
			}
			l.broken[len(l.places)] = rows.Reason(err)
		} else {
			s, sk = w.row(members)
		}
		l.places, l.lines, l.sums = append(l.places, r.Place), append(l.lines, int32(r.Line)), append(l.sums, s)
		if w.withNear {
			l.sketches = append(l.sketches, sk)
		}
		return nil
	})
	return l
}

// row is the sum and the sketch of a row's text; the sum is zero when it has none.
func (w *looker) row(members []rows.Member) (s sum, sk sketch) {
	var ok bool
	if w.text, ok = w.o.Fields.Append(w.text[:0], members); !ok {
		return s, sk
	}
	compared := w.text
	if !w.o.Exact {
		w.folded, w.scratch = canonical(w.folded[:0], w.text, w.scratch)
		if len(w.folded) > 0 { // a text of punctuation alone is compared as it is
			compared = w.folded
		}
	}
	full := sha256.Sum256(compared)
	s = sum(full[:16])
	if w.withNear {
		sk = sketchOf(compared)
	}
	return s, sk
}

// sumIndex finds the first document with a sum: open addressing over document numbers.
type sumIndex struct {
	docs  *documents
	slots []int32 // document + 1
	n     int
}

func newSumIndex(d *documents) *sumIndex { return &sumIndex{docs: d, slots: make([]int32, 1<<12)} }

// find gives the first document with doc's sum, which is doc itself when there was none.
func (x *sumIndex) find(doc int32) int32 {
	if (x.n+1)*3 > len(x.slots)*2 {
		x.grow()
	}
	s := &x.docs.sums[doc]
	at := x.slot(s)
	if x.slots[at] != 0 {
		return x.slots[at] - 1
	}
	x.slots[at] = doc + 1
	x.n++
	return doc
}

func (x *sumIndex) slot(s *sum) int {
	mask := len(x.slots) - 1
	at := int(binary.LittleEndian.Uint64(s[:])) & mask
	for x.slots[at] != 0 && x.docs.sums[x.slots[at]-1] != *s {
		at = (at + 1) & mask
	}
	return at
}

func (x *sumIndex) grow() {
	old := x.slots
	x.slots = make([]int32, len(old)*2)
	for _, v := range old {
		if v != 0 {
			x.slots[x.slot(&x.docs.sums[v-1])] = v
		}
	}
}
