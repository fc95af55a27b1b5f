package grade

import (
	"math"

	"github.com/rung-dev/rung/internal/stats"
)

// maxDraws bounds the work of one bootstrap, in parts added per resample. Beyond it the figure is linearised: an interval from
// thousands of examples needs no resampling.
const maxDraws = 5_000

// estimate is one metric over rows, by the rule of STATISTICS.md.
func (t *Tally) estimate(i int, rows, clusters []int, level float64, seed uint64) stats.Estimate {
	m := &t.g.metrics[i]
	o := stats.Options{Level: level, PassFail: m.kind == passFail, Bounds: m.bounds, Seed: seed}
	if m.kind == passFail || m.kind == graded {
		return t.mean(t.own(i, rows), rows, clusters, o)
	}
	counted := t.counted
	if one := t.alike(i, rows); one != nil && t.plan == nil {
		rows, clusters, counted = one, t.clusters(one), t.single
	}
	if t.plan != nil {
		e := t.anytime(i, rows, clusters, *t.plan).Interval((1 - level) / 2)
		e.Method += " of linearised scores"
		return t.counted(e)
	}
	stat := func(sum []float64, _ float64) float64 { return m.total(sum) }
	if len(rows)*t.effort(i) <= maxDraws {
		return counted(stats.Figure(t.parts(i, rows), clusters, stat, o))
	}
	return counted(t.linearised(i, rows, clusters, o))
}

// effort is what adding one example to a resample costs, in parts.
func (t *Tally) effort(i int) int {
	if t.g.metrics[i].kind == classes {
		return 4 // the row is sparse
	}
	return t.g.metrics[i].width + 1
}

// parts are the rows of parts of a corpus metric or of counts per class.
func (t *Tally) parts(i int, rows []int) [][]float64 {
	w := t.partsWidth(i)
	flat := make([]float64, w*len(rows))
	out := make([][]float64, len(rows))
	for k, row := range rows {
		out[k] = flat[k*w : (k+1)*w]
		t.addParts(out[k], i, row)
	}
	return out
}

func (t *Tally) partsWidth(i int) int {
	if t.g.metrics[i].kind == classes {
		return 3 * len(t.g.labels)
	}
	return t.g.metrics[i].width
}

// addParts adds the parts of one row to sum.
func (t *Tally) addParts(sum []float64, i, row int) {
	w := t.g.metrics[i].width
	p := t.columns[i].parts[row*w : (row+1)*w]
	if t.g.metrics[i].kind == classes {
		classRow(sum, int(p[0]), int(p[1]))
		return
	}
	for j, v := range p {
		sum[j] += float64(v)
	}
}

// linearised is the interval of a function θ of summed parts in large samples, by the delta method: θ + n·∇θ·(part−mean part)
// has mean θ and, clustered, the standard error of θ (the infinitesimal jackknife).
func (t *Tally) linearised(i int, rows, clusters []int, o stats.Options) stats.Estimate {
	values, figure := t.influence(i, rows)
	o.Linearised = true
	e := stats.Mean(values, clusters, o)
	e.Value = figure // free of the rounding of the mean
	e.Low, e.High = min(e.Low, figure), max(e.High, figure)
	e.Method += " of linearised scores"
	return e
}

// influence are pseudo-scores of a corpus metric whose mean is its figure, but for rounding.
func (t *Tally) influence(i int, rows []int) (scores []float64, figure float64) {
	sum := make([]float64, t.partsWidth(i))
	for _, row := range rows {
		t.addParts(sum, i, row)
	}
	n := float64(len(rows))
	total := t.g.metrics[i].total
	figure = total(sum)
	gradient, constant := gradientOf(total, sum, n), figure
	for j, d := range gradient {
		constant -= d * sum[j]
	}
	scores = make([]float64, len(rows))
	for k, row := range rows {
		scores[k] = constant + n*t.dot(gradient, i, row)
	}
	return scores, figure
}

// dot is the product of the gradient with one row's parts.
func (t *Tally) dot(gradient []float64, i, row int) float64 {
	w := t.g.metrics[i].width
	p := t.columns[i].parts[row*w : (row+1)*w]
	sum := 0.0
	if t.g.metrics[i].kind == classes {
		expected, answered := int(p[0]), int(p[1])
		if answered >= 0 {
			sum += gradient[3*answered+1]
		}
		if expected >= 0 {
			sum += gradient[3*expected+2]
			if expected == answered {
				sum += gradient[3*expected]
			}
		}
		return sum
	}
	for j, v := range p {
		sum += gradient[j] * float64(v)
	}
	return sum
}

// gradientOf is the gradient of total at sum by central differences. The step is the weight of half an average example, small
// against the sums of thousands.
func gradientOf(total func([]float64) float64, sum []float64, n float64) []float64 {
	at := append([]float64(nil), sum...)
	out := make([]float64, len(sum))
	for j := range sum {
		step := math.Max(sum[j]/n, 1/n) / 2
		at[j] = sum[j] + step
		high := total(at)
		at[j] = max(sum[j]-step, 0)
		low := total(at)
		out[j] = (high - low) / (sum[j] + step - at[j])
		at[j] = sum[j]
	}
	return out
}
