// Package crf is a linear-chain conditional random field over hashed features (Lafferty, McCallum, Pereira: Conditional random
// fields, ICML 2001): small enough to be embedded, fast enough for every request, and trained to the same bytes from the same
// data. It knows nothing of what its tags mean.
package crf

import (
	"slices"
)

// Hash is a feature: a kind mixed with what was seen. Kinds keep what was seen at different places apart.
func Hash(kind uint32, seen uint64) uint32 {
	x := seen ^ uint64(kind)*0x9e3779b97f4a7c15
	x ^= x >> 32
	x *= 0xd6e8feb86659fd93
	x ^= x >> 32
	return uint32(x)
}

// width is the most tags that a model can have; rows of weights are this wide.
const width = 32

// row holds the weights of one feature, one per tag, in units of the model's scale.
type row [width]int8

// Model gives each step of a sequence a tag. It is safe for concurrent use.
type Model struct {
	tags  int
	scale float32   // one unit of a weight
	trans []float32 // tags × tags, from the row's tag to the column's; forbidden where it is very small
	keys  []uint32  // open addressing over a power of two, 0: empty
	at    []int32   // row of each key
	rows  []row
}

// forbidden is the weight of a step from one tag to another that never happens.
const forbidden = -1e6

// Tags is the number of tags.
func (m *Model) Tags() int { return m.tags }

// Features is the number of features that have a weight.
func (m *Model) Features() int { return len(m.rows) }

// find gives the row of a feature, nil when it has no weight.
func (m *Model) find(feature uint32) *row {
	if feature == 0 {
		feature = 1
	}
	mask := uint32(len(m.keys) - 1)
	for i := feature & mask; ; i = (i + 1) & mask {
		switch m.keys[i] {
		case feature:
			return &m.rows[m.at[i]]
		case 0:
			return nil
		}
	}
}

// index builds the table that finds rows, keys in the order of the rows.
func (m *Model) index(keys []uint32) {
	size := 16
	for size < 2*len(keys) {
		size *= 2
	}
	m.keys, m.at = make([]uint32, size), make([]int32, size)
	for r, key := range keys {
		if key == 0 {
			key = 1
		}
		i := key & uint32(size-1)
		for m.keys[i] != 0 {
			i = (i + 1) & uint32(size-1)
		}
		m.keys[i], m.at[i] = key, int32(r)
	}
}

// Scratch is memory that is used again from one sequence to the next. It must not be shared.
type Scratch struct {
	scores []float32 // steps × tags
	back   []uint8
	best   []float32
	tags   []uint8
	margin []float32
}

// Decode gives the best tag of each step (Viterbi), each step being its features, and how sure each is: the distance, in
// natural logarithms, from the best tag to the best other one at the same step, the neighbours kept as they are. What it gives
// is the scratch's own.
func (m *Model) Decode(steps [][]uint32, s *Scratch) (tags []uint8, margins []float32) {
	n, k := len(steps), m.tags
	if n == 0 {
		return nil, nil
	}
	s.scores = slices.Grow(s.scores[:0], n*k)[:n*k]
	s.back = slices.Grow(s.back[:0], n*k)[:n*k]
	s.best = slices.Grow(s.best[:0], 2*k)[:2*k]
	s.tags = slices.Grow(s.tags[:0], n)[:n]
	for i, features := range steps {
		m.emit(features, s.scores[i*k:(i+1)*k])
	}
	now, next := s.best[:k], s.best[k:]
	copy(now, s.scores[:k])
	for i := 1; i < n; i++ {
		for to := range k {
			high, from := float32(-1e30), 0
			for f := range k {
				if v := now[f] + m.trans[f*k+to]; v > high {
					high, from = v, f
				}
			}
			next[to], s.back[i*k+to] = high+s.scores[i*k+to], uint8(from)
		}
		now, next = next, now
	}
	last := 0
	for t := range k {
		if now[t] > now[last] {
			last = t
		}
	}
	for i := n - 1; i >= 0; i-- {
		s.tags[i] = uint8(last)
		if i > 0 {
			last = int(s.back[i*k+last])
		}
	}
	m.margins(s, n)
	return s.tags, s.margin
}

// emit sums the weights of a step's features.
func (m *Model) emit(features []uint32, out []float32) {
	var sum [width]int32
	for _, f := range features {
		if r := m.find(f); r != nil {
			for t, w := range r {
				sum[t] += int32(w)
			}
		}
	}
	for t := range out {
		out[t] = float32(sum[t]) * m.scale
	}
}

func (m *Model) margins(s *Scratch, n int) {
	k := m.tags
	s.margin = slices.Grow(s.margin[:0], n)[:n]
	for i := range n {
		var own, other float32 = 0, -1e30
		for t := range k {
			v := s.scores[i*k+t]
			if i > 0 {
				v += m.trans[int(s.tags[i-1])*k+t]
			}
			if i+1 < n {
				v += m.trans[t*k+int(s.tags[i+1])]
			}
			if t == int(s.tags[i]) {
				own = v
			} else {
				other = max(other, v)
			}
		}
		s.margin[i] = own - other
	}
}
