package grade

// bleuMetric is corpus BLEU; an example's own score is its sentence BLEU. A failed answer is an empty hypothesis.
func bleuMetric(*Grader) metric {
	return metric{name: "bleu", kind: corpus, bounds: percent, width: BLEUWidth,
		total: func(sum []float64) float64 { return min(100, BLEU(sum)) }, // 100.00000000000004 is sacrebleu's 100
		grade: func(r *reading, parts []float64) float64 {
			got, _ := r.texts()
			BLEUParts(parts, got.s, r.references())
			return min(100, SentenceBLEU(parts))
		}}
}

// chrfMetric is corpus chrF: the counts of every example's best reference, summed.
func chrfMetric(*Grader) metric {
	return metric{name: "chrf", kind: corpus, bounds: percent, width: ChrFWidth, total: ChrF,
		grade: func(r *reading, parts []float64) float64 {
			got, _ := r.texts()
			ChrFParts(parts, got.s, r.references())
			return ChrF(parts)
		}}
}

// chrfppMetric is corpus chrF++: chrF with words and pairs of words as well.
func chrfppMetric(*Grader) metric {
	return metric{name: "chrfpp", kind: corpus, bounds: percent, width: ChrFPPWidth, total: ChrF,
		grade: func(r *reading, parts []float64) float64 {
			got, _ := r.texts()
			ChrFPPParts(parts, got.s, r.references())
			return ChrF(parts)
		}}
}

// terMetric is 100 − TER, at least 0, so that more is better as for every other metric.
func terMetric(*Grader) metric {
	inverse := func(parts []float64) float64 { return max(0, 100-TER(parts)) }
	return metric{name: "inverse_ter", kind: corpus, bounds: percent, width: TERWidth, total: inverse,
		grade: func(r *reading, parts []float64) float64 {
			got, _ := r.texts()
			TERParts(parts, got.s, r.references())
			return inverse(parts)
		}}
}

func rougeLsum(r *reading) float64 {
	got, _ := r.texts()
	return RougeLsum(got.s, r.references(), false).F
}

// rougeMetric is the mean of one of the ROUGE F scores.
func rougeMetric(name string, of func(RougeScores) PRF) func(*Grader) metric {
	return simple(name, graded, func(r *reading) float64 {
		if r.rouge == nil {
			got, _ := r.texts()
			scores := Rouge(got.s, r.references(), false)
			r.rouge = &scores
		}
		return of(*r.rouge).F
	})
}
