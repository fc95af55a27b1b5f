package stats

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"

	"github.com/rung-dev/rung/internal/stats/dist"
)

// Bootstrap is the distribution of a statistic over samples of clusters drawn with replacement.
type Bootstrap struct {
	Value float64   // of the sample itself
	Draws []float64 // of the resamples, ascending
	SE    float64   // their standard deviation
	bias  float64   // z₀ of BCa
	accel float64   // a of BCa
}

// Bootstrap draws resamples of clusters; the same seed gives the same draws on any number of processors.
func (s *Sample) Bootstrap(stat Statistic, resamples int, seed uint64) Bootstrap {
	b := Bootstrap{Value: s.of(stat, s.total), Draws: make([]float64, resamples)}
	s.each(resamples, seed, func(rng *rand.PCG, out []float64) { s.draw(stat, rng, out) }, b.Draws)
	b.SE = deviation(b.Draws)
	slices.Sort(b.Draws)
	b.bias = b.biasCorrection()
	b.accel = s.acceleration(stat)
	return b
}

// chunk is how many resamples share a random source. Fixed, so that the number of processors does not show.
const chunk = 250

// each fills out in chunks, in parallel, each chunk from a source of its own.
func (s *Sample) each(resamples int, seed uint64, fill func(*rand.PCG, []float64), out []float64) {
	chunks := (resamples + chunk - 1) / chunk
	next := make(chan int, chunks)
	for c := range chunks {
		next <- c
	}
	close(next)
	workers := min(chunks, runtime.GOMAXPROCS(0))
	if resamples*s.g < 1<<16 {
		workers = 1 // not worth a goroutine
	}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for c := range next {
				rng := rand.NewPCG(seed, uint64(c)*0x9e3779b97f4a7c15+1)
				fill(rng, out[c*chunk:min(resamples, (c+1)*chunk)])
			}
		})
	}
	wg.Wait()
}

// draw fills out with the statistic of resamples.
func (s *Sample) draw(stat Statistic, rng *rand.PCG, out []float64) {
	sum := make([]float64, s.dim)
	for i := range out {
		if s.dense != nil && s.dim == 2 {
			sum[0], sum[1] = s.drawScalar(rng)
		} else {
			clear(sum)
			s.drawVector(rng, sum)
		}
		out[i] = s.of(stat, sum)
	}
}

// drawScalar sums g clusters of one part. Two indexes come from each 64 random bits; the product with g picks an index with a
// bias under g/2³².
func (s *Sample) drawScalar(rng *rand.PCG) (part, n float64) {
	g, d := uint64(s.g), s.dense
	for left := s.g; left > 0; left -= 2 {
		r := rng.Uint64()
		i := (r >> 32) * g >> 32
		part += d[2*i]
		n += d[2*i+1]
		if left > 1 {
			i = (r & math.MaxUint32) * g >> 32
			part += d[2*i]
			n += d[2*i+1]
		}
	}
	return part, n
}

func (s *Sample) drawVector(rng *rand.PCG, sum []float64) {
	g := uint64(s.g)
	for left := s.g; left > 0; left -= 2 {
		r := rng.Uint64()
		s.addTo(sum, int((r>>32)*g>>32), 1)
		if left > 1 {
			s.addTo(sum, int((r&math.MaxUint32)*g>>32), 1)
		}
	}
}

// Percentile is the interval between the draws' quantiles.
func (b Bootstrap) Percentile(level float64) (low, high float64) {
	t := (1 - level) / 2
	return quantile(b.Draws, t), quantile(b.Draws, 1-t)
}

// BCa is the bias-corrected and accelerated interval (Efron 1987). Where all draws lie on one side of the value the
// correction is infinite, and the percentile interval is given.
func (b Bootstrap) BCa(level float64) (low, high float64) {
	if math.IsInf(b.bias, 0) || math.IsNaN(b.accel) {
		return b.Percentile(level)
	}
	at := func(tail float64) float64 {
		q := b.bias + dist.UnitNormal.Quantile(tail)
		d := 1 - b.accel*q
		if d <= 0 { // beyond the reach of the correction: the outermost draw
			return quantile(b.Draws, math.Round(tail))
		}
		return quantile(b.Draws, dist.UnitNormal.CDF(b.bias+q/d))
	}
	t := (1 - level) / 2
	return at(t), at(1 - t)
}

// biasCorrection is the normal quantile of the share of draws below the value, draws equal to it counted as half.
func (b Bootstrap) biasCorrection() float64 {
	below, _ := slices.BinarySearch(b.Draws, b.Value)
	atMost, _ := slices.BinarySearch(b.Draws, math.Nextafter(b.Value, math.Inf(1)))
	return dist.UnitNormal.Quantile(float64(below+atMost) / float64(2*len(b.Draws)))
}

// acceleration is a sixth of the skewness of the jackknife values, leaving out one cluster at a time. It is 0 for a
// statistic that does not vary.
func (s *Sample) acceleration(stat Statistic) float64 {
	if s.g < 2 {
		return 0
	}
	left := make([]float64, s.g)
	sum := make([]float64, s.dim)
	for c := range s.g {
		copy(sum, s.total)
		s.addTo(sum, c, -1)
		left[c] = s.of(stat, sum)
	}
	m := mean(left)
	var squares, cubes float64
	for _, v := range left {
		d := m - v
		squares += d * d
		cubes += d * d * d
	}
	if squares == 0 {
		return 0
	}
	return cubes / (6 * math.Pow(squares, 1.5))
}

// boundedDraws are the draws whose quantiles bound any statistic with a known range, as in bounded.go: the statistic of
// exponentially weighted clusters, mixed with the low and with the high end of the range by the weight of the imagined cluster. Both
// ascend.
func (s *Sample) boundedDraws(stat Statistic, b Bounds, resamples int, seed uint64) (low, high []float64) {
	draws := make([]float64, 2*resamples)
	low, high = draws[:resamples], draws[resamples:]
	// The share of the imagined cluster in g+1 uniform weights is independent of the other weights' proportions.
	s.each(resamples, seed^0x5bd1e9955bd1e995, func(rng *rand.PCG, out []float64) { s.drawWeighted(stat, rng, out) }, low)
	rng := rand.New(rand.NewPCG(seed, 0xda942042e4dd58b5))
	for i, v := range low {
		share := -math.Expm1(-rng.ExpFloat64() / float64(s.g)) // Beta(1, g)
		low[i], high[i] = v+share*(b.Low-v), v+share*(b.High-v)
	}
	slices.Sort(low)
	slices.Sort(high)
	return low, high
}

// notBeyond is the share of ascending draws at or below zero, the sample itself counted as one draw (Davison & Hinkley 1997).
func notBeyond(ascending []float64) float64 {
	n, _ := slices.BinarySearch(ascending, math.SmallestNonzeroFloat64)
	return float64(1+n) / float64(1+len(ascending))
}

// notBefore is the share at or above zero.
func notBefore(ascending []float64) float64 {
	n, _ := slices.BinarySearch(ascending, 0)
	return float64(1+len(ascending)-n) / float64(1+len(ascending))
}

func (s *Sample) drawWeighted(stat Statistic, rng *rand.PCG, out []float64) {
	r := rand.New(rng)
	sum := make([]float64, s.dim)
	for i := range out {
		clear(sum)
		for c := range s.g {
			s.addTo(sum, c, r.ExpFloat64())
		}
		out[i] = s.of(stat, sum)
	}
}

// quantile interpolates linearly in ascending values, as NumPy does by default.
func quantile(ascending []float64, p float64) float64 {
	at := p * float64(len(ascending)-1)
	i := int(math.Floor(at))
	if i+1 >= len(ascending) {
		return ascending[len(ascending)-1]
	}
	f := at - float64(i)
	return ascending[i] + f*(ascending[i+1]-ascending[i])
}

// deviation is the standard deviation with divisor n−1, 0 below two values.
func deviation(values []float64) float64 {
	if len(values) < 2 {
		return 0
	}
	m, sum := mean(values), 0.0
	for _, v := range values {
		sum += (v - m) * (v - m)
	}
	return math.Sqrt(sum / float64(len(values)-1))
}
