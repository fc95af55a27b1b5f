package stats

import (
	"math"
	"slices"

	"github.com/rung-dev/rung/internal/stats/dist"
)

// KolmogorovSmirnov is the greatest distance between the distribution functions of two samples, with its two-sided p-value:
// exact (by counting paths) for up to 10,000 values a side, as in SciPy, else Kolmogorov's limit.
func KolmogorovSmirnov(a, b []float64) (d, p float64) {
	if len(a) == 0 || len(b) == 0 {
		return 0, 1
	}
	x, y := slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	n, m := len(x), len(y)
	h := 0 // n·m·d, an integer
	for i, j := 0, 0; i < n && j < m; {
		v := min(x[i], y[j])
		for i < n && x[i] == v {
			i++
		}
		for j < m && y[j] == v {
			j++
		}
		h = max(h, max(i*m-j*n, j*n-i*m))
	}
	d = float64(h) / float64(n) / float64(m)
	if h == 0 {
		return 0, 1
	}
	if max(n, m) <= 10_000 && n*m <= 10_000_000 {
		return d, pathsOutside(n, m, h)
	}
	return d, kolmogorovTail(d * math.Sqrt(float64(n)*float64(m)/float64(n+m)))
}

// pathsOutside is the probability that a random lattice path from (0, 0) to (n, m), all equally likely, somewhere has
// |i·m − j·n| ≥ h. The probability is carried as "has left" so that tiny values keep their precision.
func pathsOutside(n, m, h int) float64 {
	out := make([]float64, m+1) // for row i: P(a path through (i, j) has left before or at it)
	for i := 0; i <= n; i++ {
		for j := 0; j <= m; j++ {
			switch {
			case max(i*m-j*n, j*n-i*m) >= h:
				out[j] = 1
			case i == 0 && j == 0:
				out[j] = 0
			case i == 0:
				out[j] = out[j-1]
			case j == 0: // from above only: out[0] stands
			default:
				up := float64(i) / float64(i+j) // share of the paths to (i, j) that come from (i−1, j)
				out[j] = up*out[j] + (1-up)*out[j-1]
			}
		}
	}
	return out[m]
}

// kolmogorovTail is P(K > x) = 2 Σ (−1)^{k−1} e^{−2k²x²}.
func kolmogorovTail(x float64) float64 {
	if x < .2 {
		return 1
	}
	sum, sign := 0.0, 1.0
	for k := 1.0; k <= 100; k++ {
		sum += sign * math.Exp(-2*k*k*x*x)
		sign = -sign
	}
	return min(1, max(0, 2*sum))
}

// MannWhitney is the U statistic of a and its two-sided p-value by the normal approximation with correction for ties and
// continuity.
func MannWhitney(a, b []float64) (u, p float64) {
	n1, n2 := float64(len(a)), float64(len(b))
	if n1 == 0 || n2 == 0 {
		return 0, 1
	}
	r, ties := ranks(slices.Concat(a, b))
	for i := range a {
		u += r[i]
	}
	u -= n1 * (n1 + 1) / 2
	n := n1 + n2
	sd := math.Sqrt(n1 * n2 / 12 * (n + 1 - ties/(n*(n-1))))
	if sd == 0 {
		return u, 1
	}
	far := max(u, n1*n2-u) - n1*n2/2 - .5
	if far <= 0 {
		return u, 1
	}
	return u, twoSided(far / sd)
}

// ranks are the ranks of values from 1, equal ones sharing their mean rank, with Σ t³−t over groups of equals.
func ranks(values []float64) (r []float64, ties float64) {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		switch {
		case values[i] < values[j]:
			return -1
		case values[i] > values[j]:
			return 1
		}
		return 0
	})
	r = make([]float64, len(values))
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && values[order[j]] == values[order[i]] {
			j++
		}
		for _, k := range order[i:j] {
			r[k] = float64(i+j+1) / 2
		}
		t := float64(j - i)
		ties += t*t*t - t
		i = j
	}
	return r, ties
}

// ChiSquared tests a table of counts for independence of rows and columns. Rows and columns without counts are left out. p is 1
// with no degree of freedom.
func ChiSquared(table [][]float64) (chi2, p float64, freedom int) {
	rows, cols, n := margins(table)
	r, c := 0, 0
	for _, v := range rows {
		if v > 0 {
			r++
		}
	}
	for _, v := range cols {
		if v > 0 {
			c++
		}
	}
	for i, row := range table {
		for j, v := range row {
			if e := rows[i] * cols[j] / n; e > 0 {
				chi2 += (v - e) * (v - e) / e
			}
		}
	}
	if freedom = (r - 1) * (c - 1); freedom <= 0 {
		return 0, 1, 0
	}
	return chi2, dist.ChiSquared{K: float64(freedom)}.Survival(chi2), freedom
}

func margins(table [][]float64) (rows, cols []float64, n float64) {
	rows = make([]float64, len(table))
	for i, row := range table {
		if cols == nil {
			cols = make([]float64, len(row))
		}
		for j, v := range row {
			rows[i] += v
			cols[j] += v
			n += v
		}
	}
	return rows, cols, n
}

// Fisher is the exact two-sided p-value of a table [[a, b], [c, d]]: the probability, with the margins given, of all tables at
// most as likely as this one.
func Fisher(a, b, c, d int) float64 {
	k1, k2, n := a+b, c+d, a+c
	if k1+k2 == 0 {
		return 1
	}
	all := dist.LogChoose(float64(k1+k2), float64(n))
	at := func(x int) float64 {
		return math.Exp(dist.LogChoose(float64(k1), float64(x)) + dist.LogChoose(float64(k2), float64(n-x)) - all)
	}
	seen := at(a) * (1 + 1e-7) // rounding, as in R and SciPy
	p := 0.0
	for x := max(0, n-k2); x <= min(n, k1); x++ {
		if v := at(x); v <= seen {
			p += v
		}
	}
	return min(1, p)
}

// PSI is the population stability index of shares over the same bins: Σ (q−p)·ln(q/p). Under .1 is usually read as stable, over
// .25 as shifted. Half a count is added to every bin, so that an empty one is not infinitely surprising.
func PSI(before, now []float64) float64 {
	samePairs(before, now)
	k := float64(len(before)) / 2
	nb, nn := k, k
	for i := range before {
		nb += before[i]
		nn += now[i]
	}
	sum := 0.0
	for i := range before {
		p, q := (before[i]+.5)/nb, (now[i]+.5)/nn
		sum += (q - p) * math.Log(q/p)
	}
	return sum
}
