package stats

import "math"

// agreementRange is where α and κ lie: chance agreement or worse is not far below 0, perfect agreement is 1.
var agreementRange = Bounds{-1, 1}

// KrippendorffFigure is Krippendorff with its interval: the bootstrap draws units, since what was rated is the sample and the
// raters are those there are. n is the number of units with two ratings or more. clusters holds each unit's cluster, nil
// when each stands alone.
func KrippendorffFigure(units [][]float64, m Measure, clusters []int, o Options) Estimate {
	values, _ := coincidences(units)
	at := make(map[float64]int, len(values))
	for i, v := range values {
		at[v] = i
	}
	k := len(values)
	parts, of := agreeing(len(units), clusters, func(i int) []float64 { return unitCoincidences(units[i], at) })
	o.Bounds = agreementRange
	return Figure(parts, of, func(sum []float64, _ float64) float64 {
		counts := make([][]float64, k)
		for c := range counts {
			counts[c] = sum[c*k : (c+1)*k]
		}
		return m.alpha(values, counts)
	}, o)
}

// unitCoincidences are the coincidences of one unit as one row, nil where it has fewer than two ratings.
func unitCoincidences(unit []float64, at map[float64]int) []float64 {
	per, m := make([]float64, len(at)), 0.0
	for _, v := range unit {
		if i, ok := at[v]; ok {
			per[i]++
			m++
		}
	}
	if m < 2 {
		return nil
	}
	row := make([]float64, len(at)*len(at))
	for c, a := range per {
		for k, b := range per {
			if c == k {
				b--
			}
			if a > 0 {
				row[c*len(at)+k] = a * b / (m - 1)
			}
		}
	}
	return row
}

// agreeing collects the rows that say something, with their clusters.
func agreeing(n int, clusters []int, row func(i int) []float64) (parts [][]float64, of []int) {
	for i := range n {
		if r := row(i); r != nil {
			parts = append(parts, r)
			if clusters != nil {
				of = append(of, clusters[i])
			}
		}
	}
	return parts, of
}

// FleissFigure is FleissKappa with its interval by the bootstrap over items. Items with fewer than two ratings are left out.
func FleissFigure(counts [][]float64, clusters []int, o Options) Estimate {
	parts, of := agreeing(len(counts), clusters, func(i int) []float64 {
		n, pairs := 0.0, 0.0
		for _, v := range counts[i] {
			n += v
			pairs += v * (v - 1)
		}
		if n < 2 {
			return nil
		}
		return append([]float64{pairs / (n * (n - 1))}, counts[i]...)
	})
	o.Bounds = agreementRange
	return Figure(parts, of, func(sum []float64, n float64) float64 {
		total, chance := 0.0, 0.0
		for _, v := range sum[1:] {
			total += v
		}
		for _, v := range sum[1:] {
			chance += v * v / (total * total)
		}
		if chance > 1-1e-12 {
			return 1
		}
		return (sum[0]/n - chance) / (1 - chance)
	}, o)
}

// CohenFigure is CohenKappa with its interval by the bootstrap over items. first and second hold, for each item, the category
// (0 to k−1) that either rater gave.
func CohenFigure(first, second []int, k int, w Weights, clusters []int, o Options) Estimate {
	if len(first) != len(second) {
		panic("stats: paired categories must be of the same items")
	}
	parts, of := agreeing(len(first), clusters, func(i int) []float64 {
		row := make([]float64, k*k)
		row[first[i]*k+second[i]] = 1
		return row
	})
	o.Bounds = agreementRange
	return Figure(parts, of, func(sum []float64, _ float64) float64 {
		table := make([][]float64, k)
		for i := range table {
			table[i] = sum[i*k : (i+1)*k]
		}
		return CohenKappa(table, w)
	}, o)
}

// AgreementSampleSize is how many items must be rated by raters people for a chance-corrected agreement of about kappa to have an
// interval of ± half, with categories equally frequent categories: the variance of κ in large samples, with the share of
// agreeing pairs averaged over the pairs of raters (an approximation; the pairs are treated as half as informative as
// independent ones).
func AgreementSampleSize(kappa, half float64, categories, raters int, level float64) int {
	if raters < 2 || categories < 2 || half <= 0 {
		return 0
	}
	chance := 1 / float64(categories)
	seen := kappa*(1-chance) + chance
	pairs := float64(raters*(raters-1)) / 2
	effective := 1 + (pairs-1)/2
	zed := z((1 - level) / 2)
	n := zed * zed * seen * (1 - seen) / (half * half * (1 - chance) * (1 - chance) * effective)
	return max(int(math.Ceil(n)), 10)
}
