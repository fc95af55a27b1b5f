// Package grade scores answers. A Grader holds the metrics of one task and turns an example with its answer into a
// rung.Score; a Tally collects the scores of many examples in columns and turns them into a rung.Scorecard with intervals;
// Compare sets two tallies of the same examples side by side. Definitions and units stand in docs/metrics.md.
//
// Failures count: an answer with a problem scores 0 on every metric, and n is the number of examples, always.
package grade

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/form"
)

// Grader is the metrics of one task. It is safe for concurrent use.
type Grader struct {
	kind     rung.OutputKind
	metrics  []metric
	index    map[string]int
	bar      int // index of the bar's metric; −1 when the task has no bar
	success  float64
	slotForm slotForm
	labels   []string
	labelNo  map[string]int

	modes    []modeRule // the taxonomy of failures
	maxWords int        // that the task allows; 0: any number
	voices   map[string]*Voice

	outsiders []string // metrics of the task's own whose values come from outside
	source    Outside  // of these values; nil: none yet
}

// New prepares the metrics that the output form, the bar, its guards and the task itself ask for. Errors are *rung.Error or
// rung.Errors: a metric that does not exist or does not suit the output form, a pattern or expression that does not compile.
func New(t *rung.Task, f *form.Form) (*Grader, error) {
	g := &Grader{kind: f.Kind(), index: map[string]int{}, bar: -1, slotForm: slotFormOf(t.Output), labels: t.Output.Labels}
	g.labelNo = make(map[string]int, len(g.labels))
	for i, label := range g.labels {
		g.labelNo[label] = i
	}
	var errs rung.Errors
	for _, name := range order {
		if slices.Contains(standard[name].standard, g.kind) {
			g.add(standard[name].make(g))
		}
	}
	for _, spec := range t.Metrics {
		errs = append(errs, g.addOwn(t, spec)...)
	}
	for _, name := range asked(t.Bar) {
		if err := g.addNamed(t, name); err != nil {
			errs = append(errs, err)
		}
	}
	errs = append(errs, g.setModes(t)...)
	if err := errs.Or(); err != nil {
		return nil, err
	}
	g.setBar(t.Bar)
	return g, nil
}

// asked are the metrics of the bar and its guards.
func asked(bar rung.Bar) []string {
	var names []string
	if bar.Metric != "" {
		names = append(names, bar.Metric)
	}
	guards := make([]string, 0, len(bar.Guards))
	for name := range bar.Guards {
		guards = append(guards, name)
	}
	slices.Sort(guards)
	return append(names, guards...)
}

func (g *Grader) add(m metric) {
	g.index[m.name] = len(g.metrics)
	g.metrics = append(g.metrics, m)
}

// addNamed adds a standard metric unless it is there.
func (g *Grader) addNamed(t *rung.Task, name string) *rung.Error {
	if _, there := g.index[name]; there || defined(t, name) {
		return nil // what is wrong with a definition is said once
	}
	if name == "regex" || name == "cel" {
		return &rung.Error{Code: rung.CodeInput, Place: t.File, What: "the metric " + name + " has no definition",
			Do: "define it under metrics, with its pattern or expression"}
	}
	forms, known := standard[name]
	if !known {
		return &rung.Error{Code: rung.CodeInput, Place: t.File, What: fmt.Sprintf("there is no metric %q", name),
			Do: "use one of " + strings.Join(g.possible(), ", ") + ", or define it under metrics"}
	}
	if !forms.suits(g.kind) {
		return &rung.Error{Code: rung.CodeInput, Place: t.File, What: "the metric " + name + " does not suit this output form", Do: forms.advice}
	}
	g.add(forms.make(g))
	return nil
}

func defined(t *rung.Task, name string) bool {
	return slices.ContainsFunc(t.Metrics, func(spec rung.MetricSpec) bool { return spec.Name == name || spec.Name == "" && spec.Kind == name })
}

func (f forms) suits(k rung.OutputKind) bool {
	return f.possible == nil || slices.Contains(f.possible, k)
}

// possible are the standard metrics that suit the output form.
func (g *Grader) possible() []string {
	var names []string
	for _, name := range order {
		if standard[name].suits(g.kind) {
			names = append(names, name)
		}
	}
	return names
}

// setBar finds the metric that decides, and what its own score must reach for an example to be a success.
func (g *Grader) setBar(bar rung.Bar) {
	i, ok := g.index[bar.Metric]
	if !ok {
		return
	}
	g.bar, g.success = i, bar.Success
	if g.success == 0 {
		g.success = bar.AtLeast
		if k := g.metrics[i].kind; k == passFail || k == classes {
			g.success = 1
		}
	}
}

// Names are the metrics in the order of reports: those of the output form, the task's own, those of the bar and its guards.
func (g *Grader) Names() []string {
	names := make([]string, len(g.metrics))
	for i := range g.metrics {
		names[i] = g.metrics[i].name
	}
	return names
}

// PassFail reports whether the metric's own scores are 0 or 1 only, and whether there is such a metric.
func (g *Grader) PassFail(metric string) (passes, known bool) {
	i, ok := g.index[metric]
	return ok && g.metrics[i].kind == passFail, ok
}

// Summed reports whether the metric's figure is a function of summed counts (micro- and macro-F1, BLEU, chrF) and not a mean.
func (g *Grader) Summed(metric string) bool {
	i, ok := g.index[metric]
	return ok && (g.metrics[i].kind == corpus || g.metrics[i].kind == classes)
}

// Score grades one answer.
func (g *Grader) Score(ex *rung.Example, ans rung.Answer) rung.Score {
	r := g.read(ex, &ans)
	values := make([]float64, len(g.metrics))
	for i := range g.metrics {
		values[i] = g.metrics[i].score(r, make([]float64, g.metrics[i].width))
	}
	return g.scoreOf(r, values)
}

// scoreOf is the score that own values make.
func (g *Grader) scoreOf(r *reading, values []float64) rung.Score {
	s := rung.Score{Example: r.ex.ID, Answer: *r.ans, Values: make(map[string]float64, len(values))}
	for i, v := range values {
		s.Values[g.metrics[i].name] = v
	}
	s.Success = g.succeeds(r, values)
	if !s.Success {
		s.Mistake = r.mistake()
	}
	return s
}

// succeeds compares the own score of the bar's metric with what makes a success. Without a bar, a success is a right answer.
func (g *Grader) succeeds(r *reading, values []float64) bool {
	if r.failed && (g.bar < 0 || g.metrics[g.bar].name != "json_valid") {
		return false
	}
	if g.bar < 0 {
		return r.right()
	}
	const slack = 1e-12 // a third of three thirds is one
	return values[g.bar] >= g.success-slack
}
