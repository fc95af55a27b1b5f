package dedupe

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/rows"
)

// Elsewhere does the work on rows in other processes, on machines that have the same files. Each of its three parts is given to
// functions of this package there (Look, Compare, Settle), and what decides stays here, in the same order: the result is the same.
type Elsewhere interface {
	// Look looks at all rows; take gets them in their order.
	Look(ctx context.Context, o *Options, take func(*Looked) error) error
	// Compare gives the similarity of each pair.
	Compare(ctx context.Context, o *Options, pairs []Pair) ([]float64, error)
	// Settle settles clusters; take gets the results in their order.
	Settle(ctx context.Context, o *Options, clusters []Members, take func(Settled) error) error
}

// Looked is what was found out about rows that follow each other in one file, in columns that are short as JSON.
type Looked struct {
	File     uint16         `json:"file"`
	Offsets  []byte         `json:"offsets"` // 8 bytes a row
	Lengths  []byte         `json:"lengths"` // 4
	Lines    []byte         `json:"lines"`   // 4
	Sums     []byte         `json:"sums"`    // 16
	Sketches []byte         `json:"sketches,omitempty"`
	Broken   map[int]string `json:"broken,omitempty"`
}

// Look looks at the rows of a part. Lines are counted from its beginning.
func Look(ctx context.Context, set *rows.Set, p rows.Part, o Options) (*Looked, rows.Lines, error) {
	w := &looker{o: &o, withNear: o.Near > 0 && !o.Exact}
	out := &Looked{File: uint16(p.File)}
	lines, err := set.EachBlock(ctx, p, func(b *rows.Block) error {
		out.pack(w.look(b))
		return nil
	})
	return out, lines, err
}

func (l *Looked) rows() int { return len(l.Lengths) / 4 }

func (l *Looked) pack(from *looked) {
	le, before := binary.LittleEndian, l.rows()
	for i := range from.places {
		l.Offsets = le.AppendUint64(l.Offsets, from.places[i].Offset)
		l.Lengths = le.AppendUint32(l.Lengths, from.places[i].Length)
		l.Lines = le.AppendUint32(l.Lines, uint32(from.lines[i]))
		l.Sums = append(l.Sums, from.sums[i][:]...)
	}
	for i := range from.sketches {
		for _, v := range from.sketches[i] {
			l.Sketches = le.AppendUint64(l.Sketches, v)
		}
	}
	for i, what := range from.broken {
		if l.Broken == nil {
			l.Broken = map[int]string{}
		}
		l.Broken[before+i] = what
	}
}

// unpack checks what came from elsewhere.
func (l *Looked) unpack(near bool) (*looked, error) {
	le, n := binary.LittleEndian, l.rows()
	if len(l.Offsets) != 8*n || len(l.Lines) != 4*n || len(l.Sums) != 16*n || near && len(l.Sketches) != 8*len(sketch{})*n {
		return nil, garbled("the columns of looked-at rows have different lengths")
	}
	out := &looked{places: make([]rows.Place, n), lines: make([]int32, n), sums: make([]sum, n), broken: l.Broken}
	for i := range n {
		out.places[i] = rows.Place{Offset: le.Uint64(l.Offsets[8*i:]), Length: le.Uint32(l.Lengths[4*i:]), File: l.File}
		out.lines[i] = int32(le.Uint32(l.Lines[4*i:]))
		copy(out.sums[i][:], l.Sums[16*i:])
	}
	if near {
		out.sketches = make([]sketch, n)
		for i := range out.sketches {
			for k := range out.sketches[i] {
				out.sketches[i][k] = le.Uint64(l.Sketches[8*(len(sketch{})*i+k):])
			}
		}
	}
	return out, nil
}

func garbled(what string) error {
	return &rung.Error{Code: rung.CodeInternal, What: "another process answered with something that cannot be: " + what, Do: "report it"}
}

// Pair is two rows to compare.
type Pair struct{ A, B rows.Place }

// Compare gives the similarity of each pair, as it is found in one process.
func Compare(ctx context.Context, set *rows.Set, pairs []Pair, o Options) ([]float64, error) {
	d := &documents{set: set}
	at := map[rows.Place]int32{}
	number := func(p rows.Place) int32 {
		i, known := at[p]
		if !known {
			i = int32(len(d.places))
			at[p] = i
			d.places, d.lines = append(d.places, p), append(d.lines, 0)
		}
		return i
	}
	c := newComparer(set, d, &o)
	defer c.reader.Close()
	out := make([]float64, len(pairs))
	for i, p := range pairs {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var err error
		if out[i], err = c.similarity(number(p.A), number(p.B)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Members is a cluster with all that is known of its rows: by their numbers within it, in the order of the set.
type Members struct {
	Places []rows.Place `json:"places"`
	Lines  []int32      `json:"lines"`
	First  []int32      `json:"first"` // the first of the same canonical text
	Edges  []Edge       `json:"edges,omitempty"`
}

// Edge is a pair of a cluster whose similarity is known.
type Edge struct {
	A, B       int32
	Similarity float64
}

// Settled is a cluster with what goes.
type Settled struct {
	Removed  []Removed `json:"removed"`
	Cluster  Cluster   `json:"cluster"`
	Contrast int       `json:"contrast,omitempty"`
}

// Settle chooses what stays of a cluster, as it is done in one process.
func Settle(set *rows.Set, m Members, o Options) (Settled, error) {
	n := len(m.Places)
	if len(m.Lines) != n || len(m.First) != n {
		return Settled{}, garbled("the columns of a cluster have different lengths")
	}
	d := &documents{set: set, places: m.Places, lines: m.Lines, first: m.First, sums: make([]sum, n)}
	members := make([]int32, n)
	for i := range n {
		if m.First[i] < 0 || int(m.First[i]) > i {
			return Settled{}, garbled("a row comes before the first of its text")
		}
		members[i] = int32(i)
		binary.LittleEndian.PutUint32(d.sums[i][:], uint32(m.First[i])+1)
	}
	for _, e := range m.Edges {
		d.edges = append(d.edges, edge{e.A, e.B, e.Similarity})
	}
	slices.SortFunc(d.edges, edge.compare)
	s := &settler{comparer: newComparer(set, d, &o), o: &o}
	defer s.reader.Close()
	removed, c, err := s.cluster(members)
	return Settled{removed, c, s.contrasts}, err
}

// settleElsewhere is settle with the clusters settled elsewhere.
func (r *Result) settleElsewhere(ctx context.Context, groups [][]int32, o *Options) error {
	const some = 1 << 14 // clusters that are under way at a time
	for len(groups) > 0 {
		now := groups[:min(some, len(groups))]
		groups = groups[len(now):]
		members := make([]Members, len(now))
		for i := range now {
			members[i] = r.docs.members(now[i])
		}
		next := 0
		err := o.Elsewhere.Settle(ctx, o, members, func(s Settled) error {
			if next >= len(now) {
				return garbled("more clusters than there are")
			}
			next++
			return r.take(s, now[next-1])
		})
		if err != nil {
			return err
		}
		if next != len(now) {
			return garbled(fmt.Sprintf("%d of %d clusters", next, len(now)))
		}
	}
	r.finish()
	return nil
}

// members is a cluster as it is sent elsewhere.
func (d *documents) members(group []int32) Members {
	m := Members{}
	for _, doc := range group {
		first, _ := slices.BinarySearch(group, d.first[doc])
		m.Places, m.Lines, m.First = append(m.Places, d.places[doc]), append(m.Lines, d.lines[doc]), append(m.First, int32(first))
		from, _ := slices.BinarySearchFunc(d.edges, edge{a: doc}, edge.compare)
		for _, e := range d.edges[from:] {
			if e.a != doc {
				break
			}
			if other, found := slices.BinarySearch(group, e.b); found {
				m.Edges = append(m.Edges, Edge{int32(len(m.Places)) - 1, int32(other), e.similarity})
			}
		}
	}
	return m
}

// take gives a cluster that was settled elsewhere the numbers of its rows here.
func (r *Result) take(s Settled, group []int32) error {
	inside := func(i int32) bool { return i >= 0 && int(i) < len(group) }
	for i := range s.Removed {
		x := &s.Removed[i]
		if !inside(x.Doc) || !inside(x.Kept) {
			return garbled("a row that is not in its cluster")
		}
		x.Doc, x.Kept = group[x.Doc], group[x.Kept]
	}
	for _, list := range [][]int32{s.Cluster.Kept, s.Cluster.Gone} {
		for i := range list {
			if !inside(list[i]) {
				return garbled("a row that is not in its cluster")
			}
			list[i] = group[list[i]]
		}
	}
	r.Removed = append(r.Removed, s.Removed...)
	r.Contrast += s.Contrast
	if len(s.Removed) > 0 {
		r.Clusters = append(r.Clusters, s.Cluster)
	}
	return nil
}

// readElsewhere is read with the rows looked at elsewhere.
func readElsewhere(ctx context.Context, d *documents, index *sumIndex, o *Options) error {
	near := o.Near > 0 && !o.Exact
	return o.Elsewhere.Look(ctx, o, func(l *Looked) error {
		if int(l.File) >= len(d.set.Files) {
			return garbled("a file that was not named")
		}
		got, err := l.unpack(near)
		if err != nil {
			return err
		}
		return d.take(got, index, o)
	})
}

// After moves the lines of looked-at rows behind so many before them.
func (l *Looked) After(lines int) {
	for i := 0; i+4 <= len(l.Lines); i += 4 {
		binary.LittleEndian.PutUint32(l.Lines[i:], binary.LittleEndian.Uint32(l.Lines[i:])+uint32(lines))
	}
}
