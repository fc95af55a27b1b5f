package grade

import (
	"fmt"

	"github.com/rung-dev/rung"
)

// Row are the scores of one example as a baseline keeps them: enough to compare with, without its answer.
type Row struct {
	ID      string
	Group   string
	Success bool
	Values  []float64   // own scores, in the order of Names
	Parts   [][]float64 // parts, nil for metrics that are means
}

// Rows are the tally's rows in the frozen order.
func (t *Tally) Rows() []Row {
	t.mu.Lock()
	defer t.mu.Unlock()
	rows := t.rows()
	out := make([]Row, len(rows))
	for k, row := range rows {
		r := Row{ID: t.ids[row], Group: t.groups[row], Success: t.success[row], Values: make([]float64, len(t.columns))}
		for i := range t.columns {
			r.Values[i] = t.columns[i].own[row]
			if w := t.g.metrics[i].width; w > 0 {
				if r.Parts == nil {
					r.Parts = make([][]float64, len(t.columns))
				}
				for _, v := range t.columns[i].parts[row*w : (row+1)*w] {
					r.Parts[i] = append(r.Parts[i], float64(v))
				}
			}
		}
		out[k] = r
	}
	return out
}

// FromRows makes a tally of rows whose values are of the named metrics. A metric that the grader has and the rows have not is 0 there:
// compare only those in both.
func (g *Grader) FromRows(metrics []string, rows []Row) (*Tally, error) {
	t := g.NewTally(len(rows))
	for place, r := range rows {
		own, parts, err := g.ofRow(metrics, &r)
		if err != nil {
			return nil, err
		}
		s := rung.Score{Example: r.ID, Success: r.Success}
		t.keep(place, &rung.Example{ID: r.ID, Group: r.Group}, &s, own, parts, 0)
	}
	return t, nil
}

func (g *Grader) ofRow(metrics []string, r *Row) (own, parts []float64, err error) {
	own = make([]float64, len(g.metrics))
	for i := range g.metrics {
		m := &g.metrics[i]
		mine := make([]float64, m.width)
		for j, name := range metrics {
			if name != m.name || j >= len(r.Values) {
				continue
			}
			own[i] = r.Values[j]
			if m.width == 0 {
				continue
			}
			if j >= len(r.Parts) || len(r.Parts[j]) != m.width {
				return nil, nil, &rung.Error{Code: rung.CodeInput, Place: "example " + r.ID, What: fmt.Sprintf("the counts of %s are not those of this task", name), Do: "write the baseline again"}
			}
			copy(mine, r.Parts[j])
		}
		parts = append(parts, mine...)
	}
	return own, parts, nil
}

// Successes says of each example whether it is a success; of several answers, whether more than half are.
func (t *Tally) Successes() map[string]bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	right, all := map[string]int{}, map[string]int{}
	for _, row := range t.rows() {
		all[t.ids[row]]++
		if t.success[row] {
			right[t.ids[row]]++
		}
	}
	out := make(map[string]bool, len(all))
	for id, n := range all {
		out[id] = 2*right[id] > n
	}
	return out
}
