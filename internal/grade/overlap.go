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
