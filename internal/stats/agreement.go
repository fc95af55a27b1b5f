package stats

import (
	"math"
	"slices"
)

// Measure is how far apart two ratings are, for Krippendorff's α.
type Measure int

// The measures.
const (
	Nominal  Measure = iota // equal or not
	Ordinal                 // by the ratings that lie between
	Interv                  // squared difference
	RatioAbs                // squared difference over squared sum
)

// Krippendorff is α over units, each a list of ratings by its raters; NaN marks a gap. Units with fewer than two ratings say
// nothing. It is NaN when no unit has two ratings, and 1 when all ratings are equal.
func Krippendorff(units [][]float64, m Measure) float64 {
	values, counts := coincidences(units)
	return m.alpha(values, counts)
}

// alpha is α from the coincidences of ascending values.
func (m Measure) alpha(values []float64, counts [][]float64) float64 {
	n, totals := 0.0, make([]float64, len(values))
	for c, row := range counts {
		for _, v := range row {
			totals[c] += v
		}
		n += totals[c]
	}
	if n == 0 {
		return math.NaN()
	}
	var seen, expected float64
	for c := range values {
		for k := range values {
			d := m.distance(values, totals, c, k)
			seen += counts[c][k] * d
			expected += totals[c] * totals[k] * d
		}
	}
	if expected == 0 {
		return 1
	}
	return 1 - (n-1)*seen/expected
}

// coincidences counts, over all pairs of ratings within a unit, each value with each, a unit of m ratings weighted 1/(m−1).
func coincidences(units [][]float64) (values []float64, counts [][]float64) {
	for _, u := range units {
		for _, v := range u {
			if !math.IsNaN(v) {
				values = append(values, v)
			}
		}
	}
	slices.Sort(values)
	values = slices.Compact(values)
	counts = make([][]float64, len(values))
	for i := range counts {
		counts[i] = make([]float64, len(values))
	}
	per := make([]float64, len(values))
	for _, u := range units {
		clear(per)
		m := 0.0
		for _, v := range u {
			if i, ok := slices.BinarySearch(values, v); ok && !math.IsNaN(v) {
				per[i]++
				m++
			}
		}
		if m < 2 {
			continue
		}
		for c, a := range per {
			for k, b := range per {
				if c == k {
					b--
				}
				if a > 0 {
					counts[c][k] += a * b / (m - 1)
				}
			}
		}
	}
	return values, counts
}

func (m Measure) distance(values, totals []float64, c, k int) float64 {
	if c == k {
		return 0
	}
	switch m {
	case Ordinal:
		between := -(totals[c] + totals[k]) / 2
		for i := min(c, k); i <= max(c, k); i++ {
			between += totals[i]
		}
		return between * between
	case Interv:
		d := values[c] - values[k]
		return d * d
	case RatioAbs:
		d := (values[c] - values[k]) / (math.Abs(values[c]) + math.Abs(values[k]))
		return d * d
	}
	return 1
}

// Weights say how wrong it is to confuse two ordered categories, for Cohen's κ.
type Weights int

// The weights.
const (
	Unweighted Weights = iota
	Linear
	Quadratic
)

// CohenKappa is the agreement of two raters beyond chance; table[i][j] counts items that the first rates i and the second j.
// It is NaN for an empty table, and 1 where both give one and the same category throughout.
func CohenKappa(table [][]float64, w Weights) float64 {
	rows, cols := make([]float64, len(table)), make([]float64, len(table))
	n := 0.0
	for i, row := range table {
		for j, v := range row {
			rows[i] += v
			cols[j] += v
			n += v
		}
	}
	if n == 0 {
		return math.NaN()
	}
	var seen, chance float64
	for i, row := range table {
		for j, v := range row {
			d := w.of(i, j)
			seen += d * v
			chance += d * rows[i] * cols[j] / n
		}
	}
	if chance == 0 {
		return 1
	}
	return 1 - seen/chance
}

func (w Weights) of(i, j int) float64 {
	d := math.Abs(float64(i - j))
	switch w {
	case Linear:
		return d
	case Quadratic:
		return d * d
	}
	return min(d, 1)
}

// FleissKappa is the agreement of raters beyond chance; counts[i][c] is how many rated item i as c. Items may have different
// numbers of raters, at least two.
func FleissKappa(counts [][]float64) float64 {
	seen, shares := itemAgreement(counts)
	chance := 0.0
	for _, p := range shares {
		chance += p * p
	}
	if chance == 1 {
		return 1
	}
	return (seen - chance) / (1 - chance)
}

// RandolphKappa is Fleiss' κ with chance at one over the number of categories.
func RandolphKappa(counts [][]float64) float64 {
	seen, shares := itemAgreement(counts)
	chance := 1 / float64(len(shares))
	return (seen - chance) / (1 - chance)
}

// itemAgreement is the mean share of agreeing pairs of raters, and each category's share of the ratings.
func itemAgreement(counts [][]float64) (seen float64, shares []float64) {
	ratings := 0.0
	for _, row := range counts {
		if shares == nil {
			shares = make([]float64, len(row))
		}
		n, pairs := 0.0, 0.0
		for c, v := range row {
			shares[c] += v
			n += v
			pairs += v * (v - 1)
		}
		ratings += n
		seen += pairs / (n * (n - 1)) / float64(len(counts))
	}
	for c := range shares {
		shares[c] /= ratings
	}
	return seen, shares
}
