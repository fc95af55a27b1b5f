package stats

import "math/rand/v2"

// SignFlip is the permutation test of paired differences against symmetry about zero: the share of random sign patterns, one
// sign per cluster, whose sum is at least as far from zero as the sample's, the sample itself counted as one. Unlike McNemar's
// and Wilcoxon's tests it holds for clusters.
func SignFlip(differences []float64, clusters []int, flips int, seed uint64) float64 {
	s := newScalarSample(differences, clusters)
	if flips <= 0 {
		flips = Resamples
	}
	seen := s.total[0]
	if seen < 0 {
		seen = -seen
	}
	seen -= 1e-9 * seen // sums that are equal but for rounding are equal
	rng := rand.NewPCG(seed, 0x2545f4914f6cdd1d)
	extreme := 1
	for range flips {
		sum := 0.0
		var bits uint64
		for c := range s.g {
			if c%64 == 0 {
				bits = rng.Uint64()
			}
			if bits&1 == 0 {
				sum += s.dense[2*c]
			} else {
				sum -= s.dense[2*c]
			}
			bits >>= 1
		}
		if sum >= seen || sum <= -seen {
			extreme++
		}
	}
	return float64(extreme) / float64(flips+1)
}
