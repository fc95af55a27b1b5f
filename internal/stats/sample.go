package stats

import "math"

// Statistic turns summed parts into a figure. It is called from several goroutines and must not change what it is given. n is
// the number of examples (weighted, where weights are drawn), never 0.
type Statistic func(sum []float64, n float64) float64

// MeanOf is the mean of the part with the given index.
func MeanOf(part int) Statistic {
	return func(sum []float64, n float64) float64 { return sum[part] / n }
}

// Sample is examples grouped into clusters, each cluster held as the sum of its examples' parts.
type Sample struct {
	dim   int       // parts per cluster, with the number of examples as the last
	g     int       // clusters
	n     int       // examples
	dense []float64 // g × dim; nil when sparse
	start []int32   // sparse: cluster c is entries start[c] to start[c+1]
	index []int32
	value []float64
	total []float64
}

// NewSample groups examples by cluster. parts holds one row per example, all of one length; clusters holds each example's
// cluster, and nil means that every example stands alone.
func NewSample(parts [][]float64, clusters []int) *Sample {
	width := 0
	if len(parts) > 0 {
		width = len(parts[0])
	}
	of, g := compact(clusters, len(parts))
	s := &Sample{dim: width + 1, g: g, n: len(parts)}
	s.dense = make([]float64, g*s.dim)
	s.total = make([]float64, s.dim)
	for i, row := range parts {
		if len(row) != width {
			panic("stats: examples with different numbers of parts")
		}
		s.add(of[i], row)
	}
	s.makeSparse()
	return s
}

// newScalarSample is NewSample for one part per example.
func newScalarSample(values []float64, clusters []int) *Sample {
	of, g := compact(clusters, len(values))
	s := &Sample{dim: 2, g: g, n: len(values), dense: make([]float64, 2*g), total: make([]float64, 2)}
	for i := range values {
		s.add(of[i], values[i:i+1])
	}
	return s
}

func (s *Sample) add(cluster int, row []float64) {
	at := s.dense[cluster*s.dim : (cluster+1)*s.dim]
	for j, v := range row {
		at[j] += v
		s.total[j] += v
	}
	at[s.dim-1]++
	s.total[s.dim-1]++
}

// makeSparse drops zeros where most parts are zero, as in counts per class.
func (s *Sample) makeSparse() {
	filled := 0
	for _, v := range s.dense {
		if v != 0 {
			filled++
		}
	}
	if s.dim <= 4 || filled*3 > len(s.dense) || filled > math.MaxInt32 {
		return
	}
	s.start = make([]int32, 1, s.g+1)
	s.index = make([]int32, 0, filled)
	s.value = make([]float64, 0, filled)
	for c := range s.g {
		for j, v := range s.dense[c*s.dim : (c+1)*s.dim] {
			if v != 0 {
				s.index = append(s.index, int32(j))
				s.value = append(s.value, v)
			}
		}
		s.start = append(s.start, int32(len(s.index)))
	}
	s.dense = nil
}

// addTo adds cluster c, weighted, to sum.
func (s *Sample) addTo(sum []float64, c int, weight float64) {
	if s.dense == nil {
		for e := s.start[c]; e < s.start[c+1]; e++ {
			sum[s.index[e]] += weight * s.value[e]
		}
		return
	}
	at := s.dense[c*s.dim : (c+1)*s.dim]
	for j, v := range at {
		sum[j] += weight * v
	}
}

// of is the statistic of a vector of sums whose last entry is the number of examples.
func (s *Sample) of(stat Statistic, sum []float64) float64 {
	return stat(sum[:s.dim-1], sum[s.dim-1])
}

// Clusters turns group names into cluster numbers. An empty name is a cluster of its own.
func Clusters(groups []string) []int {
	known := map[string]int{}
	out := make([]int, len(groups))
	next := 0
	for i, name := range groups {
		c, seen := known[name]
		if !seen || name == "" {
			c = next
			next++
			known[name] = c
		}
		out[i] = c
	}
	return out
}

// compact renumbers clusters from 0 in order of appearance, so that results do not depend on their names.
func compact(clusters []int, n int) (of []int, g int) {
	of = make([]int, n)
	if clusters == nil {
		for i := range of {
			of[i] = i
		}
		return of, n
	}
	if len(clusters) != n {
		panic("stats: every example must have its cluster")
	}
	known := make(map[int]int, n)
	for i, c := range clusters {
		k, ok := known[c]
		if !ok {
			k = len(known)
			known[c] = k
		}
		of[i] = k
	}
	return of, len(known)
}

// ClusteredSE is the clustered standard error (CR0) of the mean: (1/n)·√(Σ_c (Σ_{i∈c} (s_i−s̄))²), without a small-sample
// factor. With nil clusters it is the heteroscedasticity-robust HC0.
func ClusteredSE(values []float64, clusters []int) float64 {
	if len(values) == 0 {
		return 0
	}
	return newScalarSample(values, clusters).meanSE()
}

// meanSE is ClusteredSE of a scalar sample.
func (s *Sample) meanSE() float64 {
	n := float64(s.n)
	mean := s.total[0] / n
	sum := 0.0
	for c := range s.g {
		d := s.dense[2*c] - mean*s.dense[2*c+1]
		sum += d * d
	}
	return math.Sqrt(sum) / n
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}
