package label

import (
	"encoding/json"
	"math"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/guard/linear"
	"github.com/rung-dev/rung/internal/rating"
)

// index holds the inputs of a pool, and those whose labels are known, as unit vectors of hashed words and character n-grams, weighted
// by rarity (Sparck Jones, 1972).
type index struct {
	vectors []vector // of the pool, then of known rows
	pool    int
}

// vector is sparse: features in ascending order with their weights, of length 1.
type vector struct {
	at     []uint32
	weight []float32
}

// Text is what an input says, for comparing and classifying: its values, one a line.
func Text(input json.RawMessage) string {
	var all map[string]json.RawMessage
	if json.Unmarshal(input, &all) != nil {
		return rating.TextOf(input)
	}
	if len(all) == 1 {
		for _, v := range all {
			return rating.TextOf(v)
		}
	}
	var b strings.Builder
	for _, in := range rating.InputsOf(input) {
		b.WriteString(in.Text + "\n")
	}
	return b.String()
}

func newIndex(pool []Row, known []rung.DatasetRow) *index {
	x := &index{pool: len(pool)}
	features := make([][]uint32, 0, len(pool)+len(known))
	for i := range pool {
		features = append(features, linear.Features(strings.ToLower(Text(pool[i].Input))))
	}
	for i := range known {
		features = append(features, linear.Features(strings.ToLower(Text(known[i].Input))))
	}
	in := make([]int32, 1<<linear.Bits)
	for _, fs := range features {
		for _, f := range fs {
			in[f]++
		}
	}
	x.vectors = make([]vector, len(features))
	for i, fs := range features {
		x.vectors[i] = weigh(fs, in, len(features))
	}
	return x
}

func weigh(fs []uint32, in []int32, n int) vector {
	v := vector{at: fs, weight: make([]float32, len(fs))}
	sum := 0.0
	for i, f := range fs {
		w := math.Log(float64(1+n)/float64(in[f])) + 1e-3
		v.weight[i] = float32(w)
		sum += w * w
	}
	for i := range v.weight {
		v.weight[i] /= float32(math.Sqrt(max(sum, 1e-12)))
	}
	return v
}

// cosine of two rows of the pool.
func (x *index) cosine(a, b int) float64 {
	v, w := &x.vectors[a], &x.vectors[b]
	sum := float32(0)
	for i, j := 0, 0; i < len(v.at) && j < len(w.at); {
		switch {
		case v.at[i] < w.at[j]:
			i++
		case v.at[i] > w.at[j]:
			j++
		default:
			sum += v.weight[i] * w.weight[j]
			i++
			j++
		}
	}
	return float64(sum)
}

const (
	mostGroups = 150    // groups of inputs that are told apart at most: more make it slow and no better
	rounds     = 8      // of spherical k-means
	mostMoved  = 20_000 // rows that find the centres; of more, every so-manieth does
)

// typical are up to n rows of the pool that were not taken: the rows are put into groups by spherical k-means (Dhillon and Modha, 2001), as
// many as there are labels and rows to choose, and a row is taken of the group with the most rows for each label that it would then have
// (D'Hondt). Of a group without a label it is the one nearest to the centre (Hacohen, Dekel and Weinshall, 2022: with few labels typical
// rows teach more than odd ones); of one that has a label the next at random, by order. Taking the next nearest instead gives row after row
// that says what the centre says, and teaches less than rows drawn at random (docs/labelling.md): so it is random sampling by strata.
func (x *index) typical(n int, taken []bool, order []int) []int {
	if n <= 0 {
		return nil
	}
	labelled := len(x.vectors) - x.pool
	for _, t := range taken {
		if t {
			labelled++
		}
	}
	k := min(mostGroups, labelled+n, x.pool)
	group, near := x.groups(k)
	members, covered, size := make([][]int, k), make([]int, k), make([]int, k)
	for i, g := range group {
		size[g]++
		if i >= x.pool || taken[i] {
			covered[g]++
		}
	}
	for _, i := range order {
		if !taken[i] {
			members[group[i]] = append(members[group[i]], i)
		}
	}
	var out []int
	for len(out) < n {
		best := -1
		for g := range members {
			if len(members[g]) == 0 {
				continue
			}
			if best < 0 || size[g]*(covered[best]+1) > size[best]*(covered[g]+1) {
				best = g
			}
		}
		if best < 0 {
			return out
		}
		at := 0
		for i, m := range members[best] {
			if covered[best] == 0 && near[m] > near[members[best][at]] {
				at = i
			}
		}
		out = append(out, members[best][at])
		members[best] = slices.Delete(members[best], at, at+1)
		covered[best]++
	}
	return out
}

// groups puts all vectors into k groups and says how near each is to its centre. The first centres are rows far from each other.
func (x *index) groups(k int) (group []int, near []float32) {
	centres := x.seeds(k)
	group, near = make([]int, len(x.vectors)), make([]float32, len(x.vectors))
	step := 1 + len(x.vectors)/mostMoved
	for round := range rounds + 1 {
		moved := 0
		if round == rounds {
			step = 1
		}
		for i := 0; i < len(x.vectors); i += step {
			best, at := float32(-1), 0
			for c := range centres {
				if s := x.vectors[i].dot(centres[c]); s > best {
					best, at = s, c
				}
			}
			if group[i] != at {
				group[i] = at
				moved++
			}
			near[i] = best
		}
		if moved == 0 && step == 1 || round == rounds {
			break
		}
		for _, c := range centres {
			clear(c)
		}
		for i := 0; i < len(x.vectors); i += step {
			x.vectors[i].addTo(centres[group[i]])
		}
		for _, c := range centres {
			unit(c)
		}
	}
	return group, near
}

// seeds are k rows as dense vectors: the first, and then always the one that is farthest from those before (Gonzalez, 1985).
func (x *index) seeds(k int) [][]float32 {
	nearest := make([]float32, len(x.vectors))
	var out [][]float32
	next := 0
	for range k {
		c := make([]float32, 1<<linear.Bits)
		x.vectors[next].addTo(c)
		out = append(out, c)
		far := 0
		for i := range x.vectors {
			nearest[i] = max(nearest[i], x.vectors[i].dot(c))
			if nearest[i] < nearest[far] {
				far = i
			}
		}
		next = far
	}
	return out
}

func (v *vector) dot(c []float32) (sum float32) {
	for i, f := range v.at {
		sum += v.weight[i] * c[f]
	}
	return sum
}

func (v *vector) addTo(c []float32) {
	for i, f := range v.at {
		c[f] += v.weight[i]
	}
}

func unit(c []float32) {
	sum := float32(0)
	for _, w := range c {
		sum += w * w
	}
	if sum == 0 {
		return
	}
	length := float32(math.Sqrt(float64(sum)))
	for i := range c {
		c[i] /= length
	}
}
