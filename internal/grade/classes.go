package grade

import "github.com/rung-dev/rung"

// macroF1 is the mean over classes of their F1. Its two parts are the numbers of the expected and of the answered label; they
// stand for a row of counts per class, see classRow.
func macroF1(g *Grader) metric {
	return metric{name: "macro_f1", kind: classes, bounds: unit, width: 2, grade: g.gradeClass, total: macroOf}
}

// gradeClass notes which label was answered where which was expected, −1 for none of the labels. An accepted alternative
// stands for the expected label.
func (g *Grader) gradeClass(r *reading, parts []float64) float64 {
	parts[0], parts[1] = float64(g.label(r.want[0].text)), -1
	if r.failed {
		return 0
	}
	parts[1] = float64(g.label(r.got.text))
	if r.right() {
		parts[0] = parts[1]
		return 1
	}
	return 0
}

func (g *Grader) label(s string) int {
	if i, ok := g.labelNo[s]; ok {
		return i
	}
	return -1
}

// classRow writes an example's counts: for every class whether it was hit, answered, expected.
func classRow(row []float64, expected, answered int) {
	if answered >= 0 {
		row[3*answered+1]++
	}
	if expected >= 0 {
		row[3*expected+2]++
		if expected == answered {
			row[3*expected]++
		}
	}
}

// macroOf is the mean F1 over the classes that are expected at all. In a resample that misses a class, that class does not
// count: a class without examples has no recall.
func macroOf(sum []float64) float64 {
	total, n := 0.0, 0.0
	for c := 0; c+2 < len(sum); c += 3 {
		if sum[c+2] > 0 {
			total += f1(sum[c], sum[c+1], sum[c+2])
			n++
		}
	}
	if n == 0 {
		return 0
	}
	return total / n
}

// classScores and the confusion table follow from the summed counts of pairs.
func (g *Grader) classScores(counts [][]int) []rung.ClassScore {
	k := len(g.labels)
	scores := make([]rung.ClassScore, k)
	for c, label := range g.labels {
		hit, answered, expected := counts[c][c], 0, 0
		for other := range k {
			answered += counts[other][c]
		}
		for _, n := range counts[c] {
			expected += n
		}
		scores[c] = rung.ClassScore{Label: label, Support: expected, F1: share(2*hit, answered+expected),
			Precision: share(hit, answered), Recall: share(hit, expected)}
	}
	return scores
}

// share is a/b, 0 when b is 0.
func share(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}
