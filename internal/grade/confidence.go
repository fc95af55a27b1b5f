package grade

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/rung-dev/rung"
)

// Calibration of stated confidence: a field of the answer says how sure it is. The figure is 1 − ECE, where the expected
// calibration error (Naeini, Cooper and Hauskrecht, 2015) is the mean distance of stated confidence and share of right answers
// over ten equal bins, weighted by their counts. An example's own score is 1 − (confidence − right)², after Brier (1950).

const calibrationBins = 10

// binParts are the parts of one bin: how many answers, the sum of their confidence, how many of them are right.
const binParts = 3

func calibrationMetric(spec rung.MetricSpec) metric {
	return metric{name: spec.Name, kind: corpus, bounds: unit, width: calibrationBins * binParts, field: spec.Field,
		grade: func(r *reading, parts []float64) float64 {
			confidence, right := r.confidence(spec)
			bin := min(int(confidence*calibrationBins), calibrationBins-1)
			clear(parts)
			parts[bin*binParts], parts[bin*binParts+1], parts[bin*binParts+2] = 1, confidence, right
			return 1 - (confidence-right)*(confidence-right)
		},
		total: func(sum []float64) float64 { return 1 - expectedCalibrationError(sum) }}
}

// confidence is what the answer says and whether its other fields are right. An answer that does not say, or says nonsense, was
// as sure as can be and counts as wrong, so that leaving it out is never the better choice.
func (r *reading) confidence(spec rung.MetricSpec) (stated, right float64) {
	if r.failed {
		return 1, 0
	}
	field := r.got.get(spec.Field)
	stated, ok := statedConfidence(&field)
	if !ok {
		r.faults = append(r.faults, fault{spec.Name, "no confidence"})
		return 1, 0
	}
	for i := range r.want {
		if r.got.without(spec.Field) == r.want[i].without(spec.Field) {
			return stated, 1
		}
	}
	return stated, 0
}

// without is the canonical form of an object but for one member.
func (v *value) without(key string) string {
	rest := *v
	rest.members = slices.DeleteFunc(slices.Clone(v.members), func(m member) bool { return m.key == key })
	return rest.canonical()
}

// words for confidence, as models are often asked to give it.
var confidenceWords = map[string]float64{"very low": .1, "low": .25, "medium": .5, "moderate": .5, "high": .75, "very high": .9,
	"certain": 1}

// statedConfidence reads 0.8, "80%", 80 or "high". Numbers above 1 are percent.
func statedConfidence(v *value) (float64, bool) {
	s := strings.ToLower(strings.TrimSpace(v.text))
	if v.kind == 's' {
		if f, ok := confidenceWords[s]; ok {
			return f, true
		}
	} else if v.kind != 'n' {
		return 0, false
	}
	number, percent := strings.CutSuffix(s, "%")
	f, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if percent || f > 1 {
		f /= 100
	}
	return f, err == nil && f >= 0 && f <= 1
}

func expectedCalibrationError(sum []float64) float64 {
	n, gap := 0.0, 0.0
	for b := range calibrationBins {
		n += sum[b*binParts]
		gap += math.Abs(sum[b*binParts+1] - sum[b*binParts+2])
	}
	if n == 0 {
		return 0
	}
	return gap / n
}

// calibrations are the reliability diagrams of the metrics of stated confidence.
func (t *Tally) calibrations(rows []int, level float64) []rung.Calibration {
	var out []rung.Calibration
	for i := range t.g.metrics {
		m := &t.g.metrics[i]
		if m.field == "" {
			continue
		}
		c := rung.Calibration{Metric: m.name, Field: m.field}
		for b := range calibrationBins {
			bin := rung.CalibrationBin{Low: float64(b) / calibrationBins, High: float64(b+1) / calibrationBins}
			var said float64
			var in []int
			var right []float64
			for _, row := range rows {
				if p := t.columns[i].parts[row*m.width+b*binParts:]; p[0] > 0 {
					in, right = append(in, row), append(right, float64(p[2]))
					said += float64(p[1])
				}
			}
			if bin.N = len(in); bin.N == 0 {
				continue
			}
			bin.Confidence = said / float64(bin.N)
			bin.Right = t.shareIn(right, in, level)
			c.Bins = append(c.Bins, bin)
		}
		out = append(out, c)
	}
	return out
}
