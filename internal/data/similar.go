package data

import (
	"bytes"
	"cmp"
	"context"
	"math/bits"
	"slices"
	"unicode/utf8"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/unionfind"
)

// Near-duplicates are pairs whose compared texts have a Jaccard similarity of at least .85 over character 5-grams, the same
// numbers in the same order, and equal number and boolean fields. They are found exactly, by prefix filtering (Chaudhuri et
// al. 2006; Xiao et al., PPJoin, 2008): if two sets are that alike, then the rarest 15 % of each, plus one, share an element.
const (
	shingle    = 5
	fullRun    = 1000 // rows with a rare shingle in common that are all compared with each other
	window     = 200  // of a longer run, which only templated data have, each row is compared with so many before it
	maxGrams   = 30_000_000
	frequency  = 20 // bits of the table of shingle frequencies
	sketchBits = 256
)

// sketch is a bitmap of a shingle set. Two sets differ in at least as many elements as their sketches in bits.
type sketch [sketchBits / 64]uint64

// finder looks for near-duplicates among rows.
type finder struct {
	examples []rung.Example
	view     view
	rows     []int32 // representatives, one per exact text
	limit    int     // of the index's entries in memory; 0: maxEntries
	thin     uint64  // only shingles whose hash is a multiple are used; 1: all
	sizes    []int32
	sketches []sketch

	a, b gramBuffer
	cut  bool // a window was too small for all pairs
}

// gramBuffer is scratch memory for the shingles of one text.
type gramBuffer struct {
	values [][]byte
	text   []byte
	grams  []uint64
}

// load makes the shingle set of the key field of a row, sorted. The row's numbers are part of every shingle, so rows with
// other numbers share none.
func (f *finder) load(g *gramBuffer, row int32) []uint64 {
	g.values = fieldValues(g.values[:0], f.examples[row].Input)
	tag := f.tag(g)
	g.text = normalise(g.text[:0], g.values[f.view.key])
	g.grams = grams(g.grams[:0], g.text, tag, f.thin)
	return g.grams
}

// tag hashes what must be equal: numbers in texts, and number and boolean fields.
func (f *finder) tag(g *gramBuffer) uint64 {
	h := uint64(14695981039346656037)
	for _, i := range f.view.texts {
		g.text = normalise(g.text[:0], g.values[i])
		inside := false
		for _, c := range g.text {
			digit := c >= '0' && c <= '9'
			if digit {
				h = (h ^ uint64(c)) * 1099511628211
			} else if inside {
				h = (h ^ ',') * 1099511628211
			}
			inside = digit
		}
		if inside { // a number at the end is the same number
			h = (h ^ ',') * 1099511628211
		}
		h = (h ^ ';') * 1099511628211
	}
	for _, i := range f.view.equal {
		for _, c := range g.values[i] {
			h = (h ^ uint64(c)) * 1099511628211
		}
		h = (h ^ ';') * 1099511628211
	}
	return h
}

// mix is the finaliser of SplitMix64.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// grams appends the hashes of the character 5-grams of text, each once, sorted. A shorter text is one gram.
func grams(dst []uint64, text []byte, tag, thin uint64) []uint64 {
	var last [shingle]uint64
	n := 0
	add := func() {
		h := tag
		for i := range last {
			h = h*0x9e3779b97f4a7c15 + last[(n+i)%shingle]
		}
		if h = mix(h); thin == 1 || h%thin == 0 {
			dst = append(dst, h)
		}
	}
	for len(text) > 0 {
		c, size := rune(text[0]), 1
		if c >= utf8.RuneSelf {
			c, size = utf8.DecodeRune(text)
		}
		text = text[size:]
		last[n%shingle] = uint64(c) + 1
		if n++; n >= shingle {
			add()
		}
	}
	if n > 0 && n < shingle {
		add()
	}
	slices.Sort(dst)
	return slices.Compact(dst)
}

// find joins the rows that are near-duplicates in the forest.
func (f *finder) find(ctx context.Context, joined unionfind.Forest) error {
	f.thin = 1
	var total int
	for _, row := range f.rows {
		total += len(f.examples[row].Input)
	}
	if total > maxGrams {
		f.thin = uint64(total/maxGrams) + 1
	}
	counts, room, err := f.measure(ctx)
	if err != nil {
		return err
	}
	limit := cmp.Or(f.limit, maxEntries)
	parts := uint64(room/limit) + 1
	entries := make([]uint64, 0, min(room, limit+limit/8))
	for part := range parts {
		if entries, err = f.index(ctx, entries[:0], counts, part, parts); err != nil {
			return err
		}
		slices.Sort(entries)
		if err := f.runs(ctx, entries, joined); err != nil {
			return err
		}
	}
	return nil
}

// maxEntries bounds the index in memory: a larger one is made and gone through in parts, by ranges of the shingles' hashes, in the order in
// which the whole would be, so that nothing but the memory changes.
const maxEntries = 1 << 20

// runs compares the rows of each run of equal shingles.
func (f *finder) runs(ctx context.Context, entries []uint64, joined unionfind.Forest) error {
	for start := 0; start < len(entries); {
		end := start + 1
		for end < len(entries) && entries[end]>>32 == entries[start]>>32 {
			end++
		}
		f.pairs(entries[start:end], joined)
		if start&0xfff == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		start = end
	}
	return nil
}

// measure counts how many rows have each shingle, makes the sketches, and says how many entries an index of all rows has at most.
func (f *finder) measure(ctx context.Context) (counts []uint32, room int, err error) {
	counts = make([]uint32, 1<<frequency)
	f.sizes = make([]int32, len(f.rows))
	f.sketches = make([]sketch, len(f.rows))
	for i, row := range f.rows {
		if i&1023 == 0 && ctx.Err() != nil {
			return nil, 0, ctx.Err()
		}
		set := f.load(&f.a, row)
		f.sizes[i] = int32(len(set))
		room += prefix(len(set))
		for _, h := range set {
			counts[h>>rankBits]++
			bit := h % sketchBits
			f.sketches[i][bit/64] |= 1 << (bit % 64)
		}
	}
	return counts, room, nil
}

// index lists, for each row, those of its rarest shingles whose hashes lie in a part of all: 32 bits of the shingle's hash, then the row's
// place in rows.
func (f *finder) index(ctx context.Context, entries []uint64, counts []uint32, part, parts uint64) ([]uint64, error) {
	for i, row := range f.rows {
		if i&1023 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		for _, ranked := range rarest(f.load(&f.a, row), counts) {
			if ranked>>rankBits < 2 { // a shingle of one row finds nothing
				continue
			}
			if entry := ranked << (64 - rankBits); entry>>32*parts>>32 == part {
				entries = append(entries, entry&^(1<<32-1)|uint64(i))
			}
		}
	}
	return entries, nil
}

// rankBits is how much of a shingle's hash stands behind its frequency in a rank.
const rankBits = 64 - frequency

// rarest turns the set into ranks, frequency before hash, and returns the smallest: the prefix that is indexed. All rows
// rank by the same order, which is what makes prefix filtering exact.
func rarest(set []uint64, counts []uint32) []uint64 {
	if len(set) == 0 {
		return nil
	}
	for i, h := range set {
		n := min(uint64(counts[h>>rankBits]), 1<<frequency-1)
		set[i] = n<<rankBits | h>>frequency
	}
	slices.Sort(set)
	return set[:prefix(len(set))]
}

// prefix is how many of a set's n shingles are indexed.
func prefix(n int) int {
	if n == 0 {
		return 0
	}
	return n - atLeast(n) + 1
}

// atLeast is the smallest whole number of at least .85·n, in whole arithmetic.
func atLeast(n int) int { return (n*85 + 99) / 100 }

// pairs compares the rows of one run of the index.
func (f *finder) pairs(run []uint64, joined unionfind.Forest) {
	reach := len(run)
	if len(run) > fullRun {
		reach, f.cut = window, true
	}
	for j := 1; j < len(run); j++ {
		b := uint32(run[j])
		root := joined.Root(f.rows[b])
		for _, entry := range run[max(0, j-reach):j] {
			a := uint32(entry)
			if joined.Root(f.rows[a]) == root || !f.plausible(a, b) {
				continue
			}
			if f.alike(f.rows[a], f.rows[b]) {
				joined.Join(f.rows[a], f.rows[b])
				root = joined.Root(f.rows[b])
			}
		}
	}
}

// plausible rules out pairs by their sizes and sketches. Sets of sizes m and n with Jaccard ≥ t differ in at most
// (1−t)/(1+t)·(m+n) elements.
func (f *finder) plausible(a, b uint32) bool {
	m, n := int(f.sizes[a]), int(f.sizes[b])
	if m > n {
		m, n = n, m
	}
	if m < atLeast(n) {
		return false
	}
	differ := 0
	for i := range f.sketches[a] {
		differ += bits.OnesCount64(f.sketches[a][i] ^ f.sketches[b][i])
	}
	return differ*185 <= 15*(m+n)
}

// alike compares all text fields of two rows.
func (f *finder) alike(a, b int32) bool {
	f.a.values = fieldValues(f.a.values[:0], f.examples[a].Input)
	f.b.values = fieldValues(f.b.values[:0], f.examples[b].Input)
	if f.tag(&f.a) != f.tag(&f.b) {
		return false
	}
	for _, i := range f.view.texts {
		f.a.text = normalise(f.a.text[:0], f.a.values[i])
		f.b.text = normalise(f.b.text[:0], f.b.values[i])
		if bytes.Equal(f.a.text, f.b.text) {
			continue
		}
		f.a.grams = grams(f.a.grams[:0], f.a.text, 0, 1)
		f.b.grams = grams(f.b.grams[:0], f.b.text, 0, 1)
		if !jaccard(f.a.grams, f.b.grams) {
			return false
		}
	}
	return true
}

// jaccard reports whether two sorted sets have a similarity of at least .85.
func jaccard(a, b []uint64) bool {
	common := 0
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] < b[j]:
			i++
		case a[i] > b[j]:
			j++
		default:
			common, i, j = common+1, i+1, j+1
		}
	}
	union := len(a) + len(b) - common
	return union > 0 && common*100 >= union*85
}
