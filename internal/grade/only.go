package grade

import "github.com/rung-dev/rung"

// Only is the grader with some of its metrics and the first of them as the bar's: for suites that measure something else than the
// task. Names that it does not have are left out.
func (g *Grader) Only(names ...string) *Grader {
	out := *g
	out.metrics, out.index, out.bar, out.outsiders = nil, map[string]int{}, -1, nil
	for _, name := range names {
		if i, ok := g.index[name]; ok {
			out.add(g.metrics[i])
		}
	}
	if len(out.metrics) > 0 {
		out.setBar(rung.Bar{Metric: out.metrics[0].name, Success: 1})
	}
	return &out
}
