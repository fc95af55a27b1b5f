package grade

// Value is one metric's figure without its uncertainty: for choosing among candidates, never for reporting. It is 0 for an
// unknown metric or no examples.
func (t *Tally) Value(metric string) float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	i, ok := t.g.index[metric]
	rows := t.rows()
	if !ok || len(rows) == 0 {
		return 0
	}
	if m := &t.g.metrics[i]; m.kind == passFail || m.kind == graded {
		sum := 0.0
		for _, v := range t.own(i, rows) {
			sum += v
		}
		return sum / float64(len(rows))
	}
	sum := make([]float64, t.partsWidth(i))
	for _, row := range rows {
		t.addParts(sum, i, row)
	}
	return t.g.metrics[i].total(sum)
}
