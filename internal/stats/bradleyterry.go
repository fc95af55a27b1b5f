package stats

import (
	"fmt"
	"math"
	"slices"
)

// Preference is one comparison of two candidates, named by their index.
type Preference struct {
	First, Second int
	// Result is 1 where the first was preferred, 0 where the second was, and .5 for a tie.
	Result float64
	// Weight is how much it counts; two raters of one item may count half each. 0 is 1.
	Weight float64
	// Cluster holds comparisons that are not independent, such as those of one example.
	Cluster int
}

// StrengthOptions say how strengths are fitted.
type StrengthOptions struct {
	Level     float64 // of the intervals, two-sided; default .95
	Resamples int     // of clusters; 0: intervals by the observed information
	Seed      uint64
	// Prior is how many won and lost comparisons with an imagined average candidate each candidate is given, half of each. It
	// keeps the strengths finite where one candidate won every time. 0 is plain maximum likelihood.
	Prior float64
}

// Strengths are the fitted Bradley–Terry strengths in log odds, with mean 0.
type Strengths struct {
	Log []Interval
	// SE are the standard errors by the observed information, with the comparisons taken as independent.
	SE []float64
	// Tie is the tie parameter ν of Davidson's model, 0 where there was no tie: two equal candidates tie with probability ν/(2+ν).
	Tie float64
	// Beats[i][j] is the probability that i is preferred to j, half of a tie counted, with its interval.
	Beats [][]Interval
}

// BradleyTerry fits the strengths π of k candidates to comparisons by Davidson's model (JASA 1970), in which
//
//	P(i over j) = π_i/D, P(tie) = ν√(π_i·π_j)/D, D = π_i + π_j + ν√(π_i·π_j),
//
// which without ties is Bradley and Terry's (Biometrika 1952). The likelihood is concave in log π and log ν, and Newton's
// method finds its maximum. Candidates that no chain of comparisons joins can be compared only by the prior.
func BradleyTerry(k int, prefs []Preference, o StrengthOptions) Strengths {
	if o.Level == 0 {
		o.Level = .95
	}
	parts, clusters := make([][]float64, len(prefs)), make([]int, len(prefs))
	for i, p := range prefs {
		parts[i], clusters[i] = p.row(k), p.Cluster
	}
	sample := NewSample(parts, clusters)
	fit := newDavidson(k, o.Prior)
	if sample.n == 0 {
		sample.total = make([]float64, 3*k*k+1)
	}
	fit.solve(sample.total)
	out := Strengths{SE: fit.errors(sample.total), Tie: fit.tie()}
	out.Beats = make([][]Interval, k)
	if o.Resamples > 0 && sample.n > 0 {
		fit.bootstrap(sample, o, &out)
		return out
	}
	fit.byInformation(sample, o, &out)
	return out
}

// row counts the comparison among the wins of one over the other and the ties: 3 blocks of k×k.
func (p Preference) row(k int) []float64 {
	w := p.Weight
	if w == 0 {
		w = 1
	}
	i, j := p.First, p.Second
	row := make([]float64, 3*k*k)
	switch {
	case p.Result == 1:
		row[i*k+j] = w
	case p.Result == 0:
		row[j*k+i] = w
	case i < j:
		row[2*k*k+i*k+j] = w
	default:
		row[2*k*k+j*k+i] = w
	}
	return row
}

// davidson is a fit under way: theta are the log strengths, and the log of ν as the last where there are ties.
type davidson struct {
	k     int
	prior float64
	theta []float64
	ties  bool
	grad  []float64
	hess  [][]float64 // of the negative log likelihood
	chol  [][]float64
	exact float64 // steps shorter than this end the fit
}

func newDavidson(k int, prior float64) *davidson {
	return &davidson{k: k, prior: prior, theta: make([]float64, k+1), grad: make([]float64, k+1), hess: grid(k+1, k+1), chol: grid(k+1, k+1), exact: 1e-11}
}

func (d *davidson) tie() float64 {
	if !d.ties {
		return 0
	}
	return math.Exp(d.theta[d.k])
}

const (
	newtonSteps = 100
	// farthest is the largest log odds that are reported: beyond, a candidate won every time and the likelihood has no maximum.
	farthest = 30
)

// solve fits theta to counts, from where it stands.
func (d *davidson) solve(counts []float64) {
	k := d.k
	d.ties = false
	for _, v := range counts[2*k*k : 3*k*k] {
		d.ties = d.ties || v > 0
	}
	value := d.derive(counts)
	for range newtonSteps {
		if !d.factorize() {
			return
		}
		longest := 0.0
		if value, longest = d.climb(counts, value); longest < d.exact {
			break
		}
	}
	d.centre()
}

// climb takes one Newton step, shortened until the likelihood does not fall, and gives the likelihood there and the step's
// largest part.
func (d *davidson) climb(counts []float64, value float64) (next, longest float64) {
	before := slices.Clone(d.theta)
	step := d.solveFor(d.grad)
	for size := 1.0; ; size /= 2 {
		longest = 0
		for i, s := range step {
			d.theta[i] = max(-farthest, min(farthest, before[i]+size*s))
			longest = max(longest, math.Abs(d.theta[i]-before[i]))
		}
		if next = d.derive(counts); next >= value-1e-12*math.Abs(value) || size < 1e-6 {
			return next, longest
		}
	}
}

func (d *davidson) centre() {
	m := mean(d.theta[:d.k])
	for i := range d.k {
		d.theta[i] -= m
	}
}

// free is the number of parameters: the strengths, and ν where there are ties.
func (d *davidson) free() int {
	if d.ties {
		return d.k + 1
	}
	return d.k
}

// derive gives the log likelihood at theta and fills in its gradient and negative second derivatives.
func (d *davidson) derive(counts []float64) float64 {
	k := d.k
	d.grad = d.grad[:d.free()]
	clear(d.grad)
	for _, row := range d.hess {
		clear(row)
	}
	value := 0.0
	for i := range k {
		for j := i + 1; j < k; j++ {
			won, lost, tied := counts[i*k+j], counts[j*k+i], counts[2*k*k+i*k+j]
			if won+lost+tied > 0 {
				value += d.pair(i, j, won, lost, tied)
			}
		}
	}
	if d.prior > 0 {
		value += d.derivePrior()
	}
	return value
}

// pair adds the comparisons of i with j. The three outcomes have scores linear in theta, so this is a multinomial logit: its
// gradient is counts less expectation, its information the covariance of the scores' coefficients.
func (d *davidson) pair(i, j int, won, lost, tied float64) float64 {
	n, at := d.free(), []int{i, j}
	coef := [3][3]float64{{1, 0, 0}, {0, 1, 0}, {.5, .5, 1}}
	outcomes := 2
	if d.ties {
		at, outcomes = append(at, n-1), 3
	}
	score, top := [3]float64{d.theta[i], d.theta[j], 0}, math.Max(d.theta[i], d.theta[j])
	if d.ties {
		score[2] = (d.theta[i]+d.theta[j])/2 + d.theta[d.k]
		top = math.Max(top, score[2])
	}
	sum := 0.0
	for c := range outcomes {
		sum += math.Exp(score[c] - top)
	}
	count, total, value := [3]float64{won, lost, tied}, won+lost+tied, 0.0
	var p, expected [3]float64
	for c := range outcomes {
		p[c] = math.Exp(score[c]-top) / sum
		value += count[c] * (score[c] - top - math.Log(sum))
		for a := range at {
			expected[a] += p[c] * coef[c][a]
		}
	}
	for c := range outcomes {
		for a, x := range at {
			d.grad[x] += (count[c] - total*p[c]) * coef[c][a]
			for b := a; b < len(at); b++ {
				y := at[b]
				d.hess[x][y] += total * p[c] * (coef[c][a] - expected[a]) * (coef[c][b] - expected[b])
				d.hess[y][x] = d.hess[x][y]
			}
		}
	}
	return value
}

// derivePrior adds half a win and half a loss against strength 1 for each candidate, prior times, and holds ν in the same way.
func (d *davidson) derivePrior() float64 {
	value := 0.0
	for i := range d.free() {
		p := 1 / (1 + math.Exp(-d.theta[i]))
		value += d.prior / 2 * (math.Log(p) + math.Log(1-p))
		d.grad[i] += d.prior * (.5 - p)
		d.hess[i][i] += d.prior * p * (1 - p)
	}
	return value
}

// factorize makes the Cholesky factor of the information, with weight given to the direction in which all strengths grow alike,
// of which comparisons say nothing. It is false where the comparisons do not join the candidates.
func (d *davidson) factorize() bool {
	for i := range d.free() {
		for j := range i + 1 {
			sum := d.hess[i][j]
			if i < d.k {
				sum += 1 / float64(d.k)
			}
			for x := range j {
				sum -= d.chol[i][x] * d.chol[j][x]
			}
			if i != j {
				d.chol[i][j] = sum / d.chol[j][j]
				continue
			}
			if sum <= 1e-12 {
				return false
			}
			d.chol[i][i] = math.Sqrt(sum)
		}
	}
	return true
}

// solveFor is the inverse of what was factorized, times v.
func (d *davidson) solveFor(v []float64) []float64 {
	n := d.free()
	out := slices.Clone(v[:n])
	for i := range n {
		for x := range i {
			out[i] -= d.chol[i][x] * out[x]
		}
		out[i] /= d.chol[i][i]
	}
	for i := n - 1; i >= 0; i-- {
		for x := i + 1; x < n; x++ {
			out[i] -= d.chol[x][i] * out[x]
		}
		out[i] /= d.chol[i][i]
	}
	return out
}

// covariance is that of the centred log strengths; nil where the comparisons do not join the candidates.
func (d *davidson) covariance(counts []float64) [][]float64 {
	d.derive(counts)
	if !d.factorize() {
		return nil
	}
	k, unit := d.k, make([]float64, d.free())
	out, row, all := make([][]float64, k), make([]float64, k), 0.0
	for i := range k {
		clear(unit)
		unit[i] = 1
		out[i] = d.solveFor(unit)[:k]
		row[i] = mean(out[i])
		all += row[i] / float64(k)
	}
	for i := range k {
		for j := range k {
			out[i][j] += all - row[i] - row[j]
		}
	}
	return out
}

func (d *davidson) errors(counts []float64) []float64 {
	out := make([]float64, d.k)
	cov := d.covariance(counts)
	for i := range out {
		out[i] = math.Inf(1)
		if cov != nil {
			out[i] = math.Sqrt(max(0, cov[i][i]))
		}
	}
	return out
}

// beats is the probability that i is preferred to j, half of a tie counted.
func (d *davidson) beats(i, j int) float64 {
	gap := d.theta[i] - d.theta[j]
	a, b, t := math.Exp(gap/2), math.Exp(-gap/2), d.tie()
	return (a + t/2) / (a + b + t)
}

func priorName(prior float64) string {
	if prior == 0 {
		return ""
	}
	return fmt.Sprintf(", with %g comparison against an average candidate added to each", prior)
}
