package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// byInformation gives intervals from the observed information: the strengths normal, the probabilities from that of the gap.
func (d *davidson) byInformation(s *Sample, o StrengthOptions, out *Strengths) {
	zed, method := z((1-o.Level)/2), "Bradley–Terry (Davidson's ties), observed information"+priorName(o.Prior)
	cov := d.covariance(s.total)
	iv := func(v, low, high float64) Interval {
		return Interval{Value: v, Low: low, High: high, N: s.n, Level: o.Level, Method: method}
	}
	for i := range d.k {
		v := d.theta[i]
		out.Log = append(out.Log, iv(v, v-zed*out.SE[i], v+zed*out.SE[i]))
		out.Beats[i] = make([]Interval, d.k)
		for j := range d.k {
			low, high := 0.0, 1.0
			if cov != nil {
				half := zed * math.Sqrt(max(0, cov[i][i]+cov[j][j]-2*cov[i][j]))
				low, high = d.shifted(i, j, -half), d.shifted(i, j, half)
			}
			out.Beats[i][j] = iv(d.beats(i, j), low, high)
		}
	}
}

// shifted is beats with the gap moved.
func (d *davidson) shifted(i, j int, by float64) float64 {
	moved := *d
	moved.theta = slices.Clone(d.theta)
	moved.theta[i] += by
	return moved.beats(i, j)
}

// bootstrap gives percentile intervals over resampled clusters, widened to the bound of extremes.
func (d *davidson) bootstrap(s *Sample, o StrengthOptions, out *Strengths) {
	k, found := d.k, slices.Clone(d.theta)
	plain := newStrengthDraws(k, o.Resamples)
	sum := make([]float64, s.dim)
	d.exact = 1e-7
	for r := range o.Resamples {
		clear(sum)
		s.drawVector(rand.NewPCG(o.Seed, uint64(r)*0x9e3779b97f4a7c15+1), sum)
		copy(d.theta, found)
		d.solve(sum)
		plain.keep(d, r, -1)
	}
	low, high := d.extremes(s, o, found)
	copy(d.theta, found)
	d.prior = o.Prior
	d.ties, d.exact = slices.ContainsFunc(s.total[2*k*k:3*k*k], func(v float64) bool { return v > 0 }), 1e-11
	for i := range k {
		out.Log = append(out.Log, s.strengthInterval(d.theta[i], plain.logs[i], low.logs[i], high.logs[i], o))
		out.Beats[i] = make([]Interval, k)
		if d.met(s.total, i) == 0 { // the prior alone speaks of it
			out.Log[i].Low, out.Log[i].High = -farthest, farthest
		}
		for j := range k {
			at := i*k + j
			if i != j && d.met(s.total, i)*d.met(s.total, j) == 0 {
				out.Beats[i][j] = Interval{Value: d.beats(i, j), High: 1, N: s.n, Level: o.Level, Method: out.Log[i].Method}
				continue
			}
			out.Beats[i][j] = s.strengthInterval(d.beats(i, j), plain.beats[at], low.beats[at], high.beats[at], o)
		}
	}
}

// extremeShare: there is one draw of the extremes, which cost two fits for each candidate, for so many plain ones.
const extremeShare = 4

// strengthDraws are resampled strengths and chances of winning.
type strengthDraws struct{ logs, beats [][]float64 }

func newStrengthDraws(k, n int) strengthDraws { return strengthDraws{grid(k, n), grid(k*k, n)} }

// keep writes the figures of the fit as draw r: those of candidate only, or of all where only is negative.
func (x strengthDraws) keep(d *davidson, r, only int) {
	for i := range d.k {
		if only >= 0 && i != only {
			continue
		}
		x.logs[i][r] = d.theta[i]
		for j := range d.k {
			x.beats[i*d.k+j][r] = d.beats(i, j)
		}
	}
}

// extremes are draws for a lower and an upper bound of each candidate that claim nothing which a few more comparisons could take
// back: resamples of comparisons that one candidate always won are all alike, and their quantiles a point. As with the bounded mean, the
// clusters get random weights, uniform over the simplex, and with them one imagined cluster, in which the candidate lost (for the lower
// bound) or won all that it was in on average. The prior, which draws a clean sheet towards the average, is all but taken away: nothing
// that was seen speaks against a candidate that wins more often than the fit says.
func (d *davidson) extremes(s *Sample, o StrengthOptions, found []float64) (low, high strengthDraws) {
	k, g, n := d.k, float64(s.g), (o.Resamples+extremeShare-1)/extremeShare
	low, high = newStrengthDraws(k, n), newStrengthDraws(k, n)
	sum, with := make([]float64, s.dim), make([]float64, s.dim)
	d.prior = o.Prior / 50
	rng := rand.New(rand.NewPCG(o.Seed, 1))
	for r := range n {
		weights, all := make([]float64, s.g+1), 0.0
		for c := range weights {
			weights[c] = rng.ExpFloat64()
			all += weights[c]
		}
		clear(sum)
		for c := range s.g {
			s.addTo(sum, c, weights[c]*g/all)
		}
		for i := range k {
			for side, draws := range []strengthDraws{low, high} {
				copy(with, sum)
				d.imagine(with, s.total, i, side == 1, weights[s.g]/all)
				copy(d.theta, found)
				d.solve(with)
				draws.keep(d, r, i)
			}
		}
	}
	return low, high
}

// imagine adds comparisons in which candidate i won, or lost, all that it was in, times weight.
func (d *davidson) imagine(counts, total []float64, i int, won bool, weight float64) {
	k := d.k
	for j := range k {
		if j == i {
			continue
		}
		first, second := min(i, j), max(i, j)
		met := weight * (total[i*k+j] + total[j*k+i] + total[2*k*k+first*k+second])
		if won {
			counts[i*k+j] += met
		} else {
			counts[j*k+i] += met
		}
	}
}

// met is how many comparisons candidate i was in.
func (d *davidson) met(total []float64, i int) float64 {
	k, sum := d.k, 0.0
	for j := range k {
		sum += total[i*k+j] + total[j*k+i] + total[2*k*k+min(i, j)*k+max(i, j)]
	}
	return sum
}

// strengthInterval is the percentile interval of plain draws, widened where the extremes reach farther. Like the bounded mean, they are
// taken one-sided at 1 − level, so ordinary comparisons keep the ordinary interval.
func (s *Sample) strengthInterval(v float64, plain, lower, upper []float64, o StrengthOptions) Interval {
	for _, draws := range [][]float64{plain, lower, upper} {
		slices.Sort(draws)
	}
	low, high := Bootstrap{Draws: plain}.Percentile(o.Level)
	low, high = min(low, v), max(high, v)
	kind, widened := "percentile cluster bootstrap", ""
	if s.g == s.n {
		kind = "percentile bootstrap"
	}
	if l, h := quantile(lower, 1-o.Level), quantile(upper, o.Level); l < low || h > high {
		low, high, widened = min(low, l), max(high, h), ", widened by an imagined comparison at either extreme"
	}
	method := fmt.Sprintf("Bradley–Terry (Davidson's ties), %s, %d resamples%s%s", kind, o.Resamples, priorName(o.Prior), widened)
	return Interval{Value: v, Low: low, High: high, N: s.n, Level: o.Level, Method: method}
}

func grid(rows, columns int) [][]float64 {
	out := make([][]float64, rows)
	for i := range out {
		out[i] = make([]float64, columns)
	}
	return out
}
