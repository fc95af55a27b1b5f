package stats

import (
	"math"

	"github.com/rung-dev/rung/internal/stats/dist"
)

// Acceptance sampling of a finite batch by attributes: of N rows n are looked at, and the batch is accepted when at most c of them are
// defective. How many defective rows fall into the sample is hypergeometric, exactly; no binomial takes its place, since batches are
// small (Schilling and Neubauer, Acceptance Sampling in Quality Control, 3rd ed. 2017, ch. 5 and 16; ISO 2859-2 plans by the same
// consumer's risk).

// Hypergeometric is P(X ≤ x) where n of N rows are drawn without replacement and D of the N are defective.
func Hypergeometric(x, n, d, rows int) float64 {
	low, high := max(0, n+d-rows), min(n, d)
	if x >= high {
		return 1
	}
	sum := 0.0
	for k := low; k <= x; k++ {
		sum += math.Exp(dist.LogChoose(float64(d), float64(k)) + dist.LogChoose(float64(rows-d), float64(n-k)) - dist.LogChoose(float64(rows), float64(n)))
	}
	return min(sum, 1)
}

// AcceptancePlan says how many rows of a batch to look at and how many of them may be defective.
type AcceptancePlan struct {
	Sample int
	Accept int
	Risk   float64 // probability that a batch with one defective row more than tolerable is accepted (consumer's risk)
	Power  float64 // probability that a batch with the expected share of defects is accepted
}

// AcceptanceSampling is the plan with the smallest sample such that a batch of so many rows that has more than the tolerable share of
// defective ones is accepted with probability 1 − confidence at most, and one with the expected share with probability power at least.
// Where no sample short of all rows does both, all rows are looked at and as many defects accepted as are tolerable.
func AcceptanceSampling(rows int, tolerable, expected, confidence, power float64) AcceptancePlan {
	bad := int(tolerable*float64(rows)+1e-9) + 1 // the fewest defects that are too many
	usual := int(math.Round(expected * float64(rows)))
	for accept := 0; accept < bad; accept++ {
		n := smallestSample(rows, bad, accept, 1-confidence)
		if n >= rows {
			break
		}
		if p := Hypergeometric(accept, n, usual, rows); p >= power {
			return AcceptancePlan{n, accept, Hypergeometric(accept, n, bad, rows), p}
		}
	}
	p := 1.0
	if usual >= bad {
		p = 0
	}
	return AcceptancePlan{Sample: rows, Accept: bad - 1, Power: p}
}

// smallestSample is the fewest rows to look at such that a batch with so many defects passes with probability risk at most: the
// probability falls as the sample grows.
func smallestSample(rows, defects, accept int, risk float64) int {
	low, high := accept+1, rows
	for low < high {
		n := (low + high) / 2
		if Hypergeometric(accept, n, defects, rows) <= risk {
			high = n
		} else {
			low = n + 1
		}
	}
	return low
}

// DefectBound is the largest number of defective rows that a batch can have so that a sample of n with x defective ones, or fewer, is
// not less likely than 1 − confidence: the one-sided exact bound, Clopper and Pearson's for a finite population (Wright, Exact
// confidence bounds when sampling from small finite universes, 1991).
func DefectBound(x, n, rows int, confidence float64) int {
	low, high := x, rows-(n-x)
	for low < high {
		d := (low + high + 1) / 2
		if Hypergeometric(x, n, d, rows) > 1-confidence {
			low = d
		} else {
			high = d - 1
		}
	}
	return low
}
