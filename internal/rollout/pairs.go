package rollout

import (
	"math"

	"github.com/rung-dev/rung"
)

// A rollout is judged by differences of neighbours in time: the mean of a few requests of the target less the mean of a few of the
// baseline. What the hour, the provider's mood or the kind of traffic does to both cancels out, the differences of all gateways
// add up, and each has the true difference as its mean whatever was seen before, which is all that stats.Running asks for.
// Unpaired, the baseline's unknown level would have to be paid for in evidence too.

// blocks are how many requests of each arm make one difference: as many as come in the same time, so that none are wasted.
func blocks(share float64, mode rung.RolloutMode) (baseline, target int) {
	switch {
	case mode == rung.Shadow:
		return 1, 1
	case share <= .5:
		return min(mostBlock, int(math.Round((1-share)/share))), 1
	}
	return 1, min(mostBlock, int(math.Round(share/(1-share))))
}

const (
	mostBlock = 50  // beyond it the larger arm's noise is nothing beside the other's
	mostAhead = 128 // full blocks of one arm that wait for the other; the oldest is forgotten
)

// side is one arm's requests that wait for the other's.
type side struct {
	size  int // requests of a block
	n     int
	sum   float64
	means [mostAhead]float64 // of full blocks, a ring
	first int
	full  int
}

// add takes a value in.
func (s *side) add(x float64) {
	s.n, s.sum = s.n+1, s.sum+x
	if s.n < s.size {
		return
	}
	if s.full == mostAhead {
		s.first, s.full = (s.first+1)%mostAhead, s.full-1
	}
	s.means[(s.first+s.full)%mostAhead] = s.sum / float64(s.n)
	s.full++
	s.n, s.sum = 0, 0
}

func (s *side) take() float64 {
	mean := s.means[s.first]
	s.first, s.full = (s.first+1)%mostAhead, s.full-1
	return mean
}

// pairing makes differences of one metric.
type pairing struct {
	baseline, target side
	differences      rung.Moments
}

func (p *pairing) setBlocks(baseline, target int) {
	if p.baseline.size == baseline && p.target.size == target {
		return
	}
	p.baseline, p.target = side{size: baseline}, side{size: target}
}

func (p *pairing) add(target bool, x float64) {
	if target {
		p.target.add(x)
	} else {
		p.baseline.add(x)
	}
	if p.target.full > 0 && p.baseline.full > 0 {
		p.differences.Add(p.target.take() - p.baseline.take())
	}
}
