package task

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
)

// Metric is a standard metric: the greatest value it can have, and the output forms it fits.
type Metric struct {
	Name     string
	Max      float64 // 1, or 100 for BLEU and chrF, as sacrebleu prints them
	PassFail bool    // one example is right or wrong, nothing between
	Forms    []rung.OutputKind
}

var (
	anyForm   = []rung.OutputKind{rung.Labels, rung.JSONSchema, rung.Text, rung.Tools}
	jsonForm  = []rung.OutputKind{rung.JSONSchema, rung.Tools}
	textForm  = []rung.OutputKind{rung.Text}
	proseForm = []rung.OutputKind{rung.Text, rung.JSONSchema}
	wordForm  = []rung.OutputKind{rung.Text, rung.Labels}
)

// Metrics are the standard metrics.
var Metrics = []Metric{
	{"accuracy", 1, true, []rung.OutputKind{rung.Labels, rung.Tools}},
	{"macro_f1", 1, true, []rung.OutputKind{rung.Labels}},
	{"exact_match", 1, true, anyForm},
	{"json_valid", 1, true, jsonForm},
	{"schema_valid", 1, true, jsonForm},
	{"field_f1", 1, false, jsonForm},
	{"slot_f1", 1, false, jsonForm},
	{"token_f1", 1, false, wordForm},
	{"bleu", 100, false, textForm},
	{"chrf", 100, false, textForm},
	{"chrfpp", 100, false, textForm},
	{"inverse_ter", 100, false, textForm},
	{"rouge1", 1, false, textForm},
	{"rouge2", 1, false, textForm},
	{"rougeL", 1, false, textForm},
	{"rougeLsum", 1, false, textForm},
	{"faithfulness", 1, false, proseForm},
	{"citation_precision", 1, false, textForm},
	{"citation_recall", 1, false, textForm},
	{"refusal_correct", 1, true, textForm},
	{"refusal_f1", 1, false, textForm},
	{"not_toxic", 1, true, proseForm},
	{"contains", 1, true, anyForm},
	{"regex", 1, true, anyForm},
	{"cel", 1, true, anyForm},
}

// Standard finds a standard metric by its name.
func Standard(name string) (Metric, bool) {
	i := slices.IndexFunc(Metrics, func(m Metric) bool { return m.Name == name })
	if i < 0 {
		return Metric{}, false
	}
	return Metrics[i], true
}

// metric finds a metric by the name used at p: the user's own first. It reports names that are unknown or do not fit.
func (r *reader) metric(name string, p pos, t *rung.Task) (Metric, bool) {
	for _, own := range t.Metrics {
		if own.Name == name || slices.Contains(criteriaOf(own), name) {
			return Metric{Name: name, Max: 1, PassFail: own.PassFail, Forms: anyForm}, true
		}
	}
	m, ok := Standard(name)
	if !ok {
		known := metricNames(t)
		do := "the metrics here are " + strings.Join(known, ", ")
		if guess := nearest(name, known); guess != "" {
			do = fmt.Sprintf("did you mean %q?", guess)
		}
		r.fail(p, fmt.Sprintf("there is no metric %q", name), do)
		return Metric{}, false
	}
	if t.Output.Kind != "" && !slices.Contains(m.Forms, t.Output.Kind) {
		r.fail(p, fmt.Sprintf("the metric %s does not fit the output form %s", name, t.Output.Kind), "take one of "+strings.Join(metricNames(t), ", "))
		return Metric{}, false
	}
	if name == "regex" || name == "cel" {
		r.fail(p, fmt.Sprintf("the metric %s has no definition", name), fmt.Sprintf("define it under metrics, such as: metrics: [{name: %s, %s: …}]", name, name))
		return Metric{}, false
	}
	return m, true
}

// criteriaOf are the metrics that a judge of several criteria gives besides its own: quality.clear for its criterion clear.
func criteriaOf(own rung.MetricSpec) []string {
	if own.Judge == nil || own.Judge.Pairwise || len(own.Judge.Criteria) < 2 {
		return nil
	}
	var names []string
	for _, c := range own.Judge.Criteria {
		names = append(names, own.Name+"."+c.Name)
	}
	return names
}

// metricNames are the metrics that fit the task: standard ones and its own.
func metricNames(t *rung.Task) []string {
	var names []string
	for _, m := range Metrics {
		if m.Name != "regex" && m.Name != "cel" && (t.Output.Kind == "" || slices.Contains(m.Forms, t.Output.Kind)) {
			names = append(names, m.Name)
		}
	}
	for _, own := range t.Metrics {
		if !slices.Contains(names, own.Name) {
			names = append(names, own.Name)
		}
		names = append(names, criteriaOf(own)...)
	}
	return names
}

func (r *reader) bar(s section, t *rung.Task) rung.Bar {
	const do = "say what good enough means, such as: bar: {metric: accuracy, at_least: 0.9}"
	n := s.need("bar", do)
	if n == nil {
		return rung.Bar{}
	}
	b := r.section(n, "bar", "bar")
	if n.kind != mappingKind {
		return rung.Bar{}
	}
	bar := rung.Bar{
		Metric:            b.text("metric", do),
		MaxP95Latency:     b.duration("max_p95_latency", 0),
		MaxCostPerSuccess: b.number("max_cost_per_success", bounds{low: 0, high: math.Inf(1), above: true}, 0),
	}
	b.need("metric", "name the metric, one of "+strings.Join(metricNames(t), ", "))
	b.need("at_least", "write the value that is good enough, such as: at_least: 0.9")
	bar.Guards = r.guards(b, t)
	m, ok := Metric{Max: math.Inf(1)}, false
	if bar.Metric != "" {
		if m, ok = r.metric(bar.Metric, b.get("metric").at, t); !ok {
			m = Metric{Max: math.Inf(1)}
		}
	}
	bar.AtLeast = b.number("at_least", bounds{low: 0, high: m.Max}, 0)
	unit := 1.0
	if m.Max == 100 {
		unit = 100
	}
	bar.MinGain = b.number("min_gain", bounds{low: 0, high: m.Max}, DefaultMinGain*unit)
	success := bar.AtLeast
	if m.PassFail {
		success = 1
	}
	bar.Success = b.number("success", bounds{low: 0, high: m.Max}, success)
	return bar
}

func (r *reader) guards(b section, t *rung.Task) map[string]float64 {
	const do = "write metrics with the value each must not fall below, such as: guards: {json_valid: 0.99}"
	n := b.get("guards")
	if n == nil {
		return nil
	}
	if n.kind != mappingKind {
		r.fail(n.at, "bar.guards is "+string(n.kind), do)
		return nil
	}
	guards := map[string]float64{}
	for _, p := range n.pairs {
		r.at["bar.guards."+p.key] = p.value.at
		m, ok := r.metric(p.key, p.at, t)
		if !ok {
			continue
		}
		if f, ok := r.number(p.value, "bar.guards."+p.key, bounds{low: 0, high: m.Max}); ok {
			guards[p.key] = f
		}
	}
	return guards
}

func (r *reader) metrics(s section) []rung.MetricSpec {
	const do = "list the task's own metrics, such as: metrics: [{name: has_code, regex: '[A-Z]{3}-[0-9]+'}]"
	n := s.get("metrics")
	if n == nil {
		return nil
	}
	if n.kind != listKind {
		r.fail(n.at, "metrics is "+string(n.kind), do)
		return nil
	}
	var specs []rung.MetricSpec
	for i, it := range n.items {
		path := fmt.Sprintf("metrics[%d]", i)
		m := r.section(it, path, "metrics[]")
		if it.kind != mappingKind {
			continue
		}
		spec, ok := r.metricSpec(m, it, path)
		if ok && slices.ContainsFunc(specs, func(o rung.MetricSpec) bool { return o.Name == spec.Name }) {
			r.fail(it.at, fmt.Sprintf("there are two metrics called %q", spec.Name), "give one of them another name")
			continue
		}
		if ok {
			specs = append(specs, spec)
		}
	}
	return specs
}

func (r *reader) metricSpec(m section, it *node, path string) (rung.MetricSpec, bool) {
	const do = "give it exactly one of regex, contains, cel, style, like, confidence, program and judge"
	var spec rung.MetricSpec
	for _, k := range []string{"regex", "contains", "cel", "style", "like", "confidence", "program", "judge"} {
		if m.get(k) == nil {
			continue
		}
		if spec.Kind != "" {
			r.fail(it.at, fmt.Sprintf("%s has both %s and %s", path, spec.Kind, k), do)
			return spec, false
		}
		spec.Kind = k
	}
	if spec.Kind == "" {
		r.fail(it.at, path+" does not say what it measures", do)
		return spec, false
	}
	spec.Name = m.text("name", "name the metric, such as: name: has_code")
	if spec.Name == "" {
		spec.Name = spec.Kind
	}
	_, taken := Standard(spec.Name)
	switch {
	case taken && spec.Name != spec.Kind:
		r.fail(m.get("name").at, fmt.Sprintf("%s is the name of a standard metric", spec.Name), "give it another name")
		return spec, false
	case !fieldRule.MatchString(spec.Name):
		r.fail(m.get("name").at, fmt.Sprintf("%q cannot be the name of a metric", spec.Name), "use letters, digits and _, and start with a letter")
		return spec, false
	}
	switch spec.Kind {
	case "regex":
		spec.Pattern = m.text("regex", "write a regular expression (RE2)")
		if _, err := regexp.Compile(spec.Pattern); err != nil {
			r.fail(m.get("regex").at, "not a regular expression: "+strings.TrimPrefix(err.Error(), "error parsing regexp: "), "correct it; the syntax is RE2, without look-around and back-references")
		}
	case "contains":
		for _, p := range m.list("contains", true, "list the phrases, such as: contains: [sorry, refund]") {
			spec.Phrases = append(spec.Phrases, p.text)
		}
	case "cel":
		spec.Expr = m.text("cel", "write a CEL expression over input, output and expected")
	case "style":
		spec.Style = r.style(m, path)
	case "like":
		spec.Like = r.like(m, path)
	case "confidence":
		spec.Field = m.text("confidence", "name the field of the answer that says how sure it is, such as: confidence: confidence")
	case "program":
		spec.Program = r.program(m, path)
	case "judge":
		spec.Judge = r.judge(m, path)
	}
	spec.Tests = r.tests(m, path)
	spec.PassFail = slices.Contains([]string{"regex", "contains", "cel"}, spec.Kind)
	if n := m.get("pass_fail"); n != nil {
		switch {
		case n.kind != boolKind:
			r.fail(n.at, path+".pass_fail is "+string(n.kind), "write true or false")
		case spec.Kind == "judge":
			r.fail(n.at, "a judge's scores are graded", "take pass_fail out")
		case spec.Kind == "confidence":
			r.fail(n.at, "a calibration is graded", "take pass_fail out")
		case slices.Contains([]string{"regex", "contains"}, spec.Kind) && strings.EqualFold(n.text, "false"):
			r.fail(n.at, spec.Kind+" is either right or wrong", "take pass_fail out; it is for metrics that give a number")
		default:
			spec.PassFail = strings.EqualFold(n.text, "true")
		}
	}
	return spec, true
}
