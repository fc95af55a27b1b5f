package stats

import (
	"cmp"
	"math"
	"slices"
)

// Zeros says what the signed-rank test does with pairs that do not differ.
type Zeros int

// The treatments of zero differences.
const (
	DropZeros  Zeros = iota // Wilcoxon: leave them out
	PrattZeros              // rank them, then leave their ranks out
	SplitZeros              // give half their ranks to each side
)

// RankMethod says where the p-value of a rank test comes from.
type RankMethod int

// The ways to a p-value.
const (
	AutoRank      RankMethod = iota // exact for at most 50 differences without ties and zeros, else normal
	ExactRank                       // the null distribution without ties; a statistic between two integers is rounded against significance
	NormalRank                      // normal approximation with the tie correction
	CorrectedRank                   // the same with a continuity correction of ½
)

// WilcoxonTest is the signed-rank test of paired differences against symmetry about zero.
type WilcoxonTest struct {
	W     float64 // the smaller of the two rank sums
	P     float64 // two-sided
	N     int     // differences ranked
	Exact bool
}

// Wilcoxon tests differences, dropping zeros, in the way SciPy does: exact for small samples without ties and zeros.
func Wilcoxon(differences []float64) WilcoxonTest {
	return WilcoxonWith(differences, DropZeros, AutoRank)
}

// WilcoxonWith tests differences with the given treatment of zeros and source of the p-value. Without any difference p is 1.
func WilcoxonWith(differences []float64, zeros Zeros, method RankMethod) WilcoxonTest {
	s := signedRanks(differences, zeros)
	t := WilcoxonTest{W: min(s.plus, s.minus), P: 1, N: s.n}
	if s.n == 0 || (s.plus == 0 && s.minus == 0) {
		return t
	}
	if method == AutoRank {
		method = NormalRank
		if s.n <= 50 && s.ties == 0 && s.zeros == 0 {
			method = ExactRank
		}
	}
	if method == ExactRank {
		t.Exact = true
		t.P = exactSignedRank(s)
		return t
	}
	t.P = normalSignedRank(s, zeros, method == CorrectedRank)
	return t
}

// rankSums are the signed rank sums of a sample.
type rankSums struct {
	plus, minus float64
	n           int     // ranked
	zeros       int     // zero differences in the sample
	ties        float64 // Σ t³−t over groups of equal ranks, as the chosen treatment of zeros counts them
}

func signedRanks(d []float64, zeros Zeros) rankSums {
	var s rankSums
	kept := make([]float64, 0, len(d))
	for _, v := range d {
		if v == 0 {
			s.zeros++
			if zeros == DropZeros {
				continue
			}
		}
		kept = append(kept, v)
	}
	s.n = len(kept)
	slices.SortFunc(kept, func(a, b float64) int { return cmp.Compare(math.Abs(a), math.Abs(b)) })
	for i := 0; i < len(kept); {
		j := i
		for j < len(kept) && math.Abs(kept[j]) == math.Abs(kept[i]) {
			j++
		}
		s.addGroup(kept[i:j], float64(i+j+1)/2, zeros)
		i = j
	}
	return s
}

// addGroup adds the differences of one absolute size, which share a rank.
func (s *rankSums) addGroup(group []float64, rank float64, zeros Zeros) {
	t := float64(len(group))
	if group[0] != 0 || zeros == SplitZeros {
		s.ties += t*t*t - t
	}
	for _, v := range group {
		switch {
		case v > 0:
			s.plus += rank
		case v < 0:
			s.minus += rank
		case zeros == SplitZeros:
			s.plus += rank / 2
			s.minus += rank / 2
		}
	}
}

func normalSignedRank(s rankSums, zeros Zeros, corrected bool) float64 {
	n, nz := float64(s.n), float64(s.zeros)
	mean, v := n*(n+1)/4, n*(n+1)*(2*n+1)
	if zeros == PrattZeros { // Cureton 1967
		mean -= nz * (nz + 1) / 4
		v -= nz * (nz + 1) * (2*nz + 1)
	}
	se := math.Sqrt((v - s.ties/2) / 24)
	if se == 0 {
		return 1
	}
	d := s.plus - mean
	if corrected && d != 0 {
		d -= math.Copysign(.5, d)
	}
	return twoSided(d / se)
}

// exactSignedRank counts, over the 2ⁿ sign patterns, how many give rank sums at least as extreme.
func exactSignedRank(s rankSums) float64 {
	top := s.n * (s.n + 1) / 2
	prob := make([]float64, top+1) // prob[w] = P(W⁺ = w) for the ranks so far
	prob[0] = 1
	for r, reach := 1, 0; r <= s.n; r++ {
		reach += r
		for w := reach; w >= 0; w-- {
			prob[w] /= 2
			if w >= r {
				prob[w] += prob[w-r] / 2
			}
		}
	}
	var lower, upper float64
	for w, p := range prob {
		if float64(w) <= math.Ceil(s.plus) {
			lower += p
		}
		if float64(w) >= math.Floor(s.plus) {
			upper += p
		}
	}
	return min(1, 2*min(lower, upper))
}
