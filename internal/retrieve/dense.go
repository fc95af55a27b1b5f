package retrieve

import (
	"fmt"
	"math"
	"slices"

	"github.com/rung-dev/rung"
)

// dense is an exact scan over unit vectors, stored one after another.
type dense struct {
	dim  int
	flat []float32 // len(texts) × dim
}

// newDense copies vectors and makes them unit length. All must have one length; a zero vector stays zero and is never near.
func newDense(vectors [][]float32) (*dense, error) {
	if len(vectors) == 0 || len(vectors[0]) == 0 {
		return nil, fmt.Errorf("no vectors")
	}
	x := &dense{dim: len(vectors[0]), flat: make([]float32, 0, len(vectors)*len(vectors[0]))}
	for i, v := range vectors {
		if len(v) != x.dim {
			return nil, fmt.Errorf("vector %d has %d numbers, the first has %d", i, len(v), x.dim)
		}
		unit, err := unit(v)
		if err != nil {
			return nil, fmt.Errorf("vector %d: %w", i, err)
		}
		x.flat = append(x.flat, unit...)
	}
	return x, nil
}

func unit(v []float32) ([]float32, error) {
	sum := 0.0
	for _, f := range v {
		sum += float64(f) * float64(f)
	}
	if math.IsNaN(sum) || math.IsInf(sum, 0) {
		return nil, fmt.Errorf("it holds numbers that are not finite")
	}
	out := slices.Clone(v)
	if sum == 0 {
		return out, nil
	}
	scale := 1 / math.Sqrt(sum)
	for i := range out {
		out[i] = float32(float64(out[i]) * scale)
	}
	return out, nil
}

// search gives the k texts with the largest cosine to the query vector, of those that are visible; nil: of all.
func (x *dense) search(query []float32, k int, visible []bool) ([]hit, error) {
	if len(query) != x.dim {
		return nil, &rung.Error{Code: rung.CodeProvider,
			What: fmt.Sprintf("the embedder gave a vector of %d numbers, the index holds vectors of %d", len(query), x.dim),
			Do:   "use the embedder that the index was built with"}
	}
	q, err := unit(query)
	if err != nil {
		return nil, &rung.Error{Code: rung.CodeProvider, What: "the embedder's vector of the query is broken: " + err.Error(), Err: err}
	}
	best := newTop(k)
	for doc, at := 0, 0; at < len(x.flat); doc, at = doc+1, at+x.dim {
		if visible == nil || visible[doc] {
			best.offer(hit{doc, float64(dot(q, x.flat[at:at+x.dim]))})
		}
	}
	return best.sorted(), nil
}

// dot is the inner product of two vectors of one length. Eight sums let the processor overlap the additions.
func dot(a, b []float32) float32 {
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	b = b[:len(a)]
	for len(a) >= 8 && len(b) >= 8 {
		x, y := a[:8:8], b[:8:8]
		s0 += x[0] * y[0]
		s1 += x[1] * y[1]
		s2 += x[2] * y[2]
		s3 += x[3] * y[3]
		s4 += x[4] * y[4]
		s5 += x[5] * y[5]
		s6 += x[6] * y[6]
		s7 += x[7] * y[7]
		a, b = a[8:], b[8:]
	}
	for i := range a {
		s0 += a[i] * b[i]
	}
	return (s0 + s1) + (s2 + s3) + ((s4 + s5) + (s6 + s7))
}

// rrfK is the constant of reciprocal rank fusion: Cormack, Clarke and Büttcher, SIGIR 2009.
const rrfK = 60

// fuse joins rankings: a text scores the sum of 1/(60 + its rank) over the rankings that hold it.
func fuse(k int, rankings ...[]hit) []hit {
	scores := map[int]float64{}
	for _, ranking := range rankings {
		for rank, h := range ranking {
			scores[h.doc] += 1 / float64(rrfK+rank+1)
		}
	}
	best := newTop(k)
	for doc, score := range scores {
		best.offer(hit{doc, score})
	}
	return best.sorted()
}
