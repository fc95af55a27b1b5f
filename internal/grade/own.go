package grade

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/rung-dev/rung"
)

// addOwn adds a metric that the task defines.
func (g *Grader) addOwn(t *rung.Task, spec rung.MetricSpec) rung.Errors {
	if spec.Name == "" {
		spec.Name = spec.Kind
	}
	_, taken := g.index[spec.Name]
	_, reserved := standard[spec.Name]
	if own := spec.Name == "contains" && spec.Kind == "contains"; (taken || reserved) && !own {
		return rung.Errors{ownFault(t, spec, "the name is taken", "give it a name of its own", nil)}
	}
	if spec.Kind == "program" || spec.Kind == "judge" {
		for _, m := range outsideMetrics(spec) {
			g.add(m)
		}
		g.outsiders = append(g.outsiders, spec.Name)
		return nil
	}
	m, err := g.makeOwn(t, spec)
	switch {
	case err != nil:
		return rung.Errors{err}
	case taken:
		g.metrics[g.index[spec.Name]] = m
	default:
		g.add(m)
	}
	return nil
}

func ownFault(t *rung.Task, spec rung.MetricSpec, what, do string, err error) *rung.Error {
	return &rung.Error{Code: rung.CodeInput, Place: t.File, What: "metric " + spec.Name + ": " + what, Do: do, Err: err}
}

func (g *Grader) makeOwn(t *rung.Task, spec rung.MetricSpec) (metric, *rung.Error) {
	switch spec.Kind {
	case "regex":
		re, err := regexp.Compile(spec.Pattern)
		if err != nil {
			return metric{}, ownFault(t, spec, "the pattern is not a regular expression: "+patternFault(err), "correct it (RE2 syntax, no look-ahead)", err)
		}
		return regexMetric(spec.Name, re), nil
	case "contains":
		if len(spec.Phrases) == 0 {
			return simple(spec.Name, passFail, containsExpected)(g), nil
		}
		return phraseMetric(spec.Name, spec.Phrases), nil
	case "cel":
		return celMetric(spec, t.File)
	case "style":
		return styleMetric(spec), nil
	case "like":
		return g.makeLike(t, spec)
	case "confidence":
		if g.kind != rung.JSONSchema {
			return metric{}, ownFault(t, spec, "only JSON answers have a field that says how sure they are", "use an output form with a JSON schema", nil)
		}
		return calibrationMetric(spec), nil
	}
	return metric{}, ownFault(t, spec, fmt.Sprintf("there is no kind %q", spec.Kind), "use regex, contains, cel, style, like, confidence, program or judge", nil)
}

func patternFault(err error) string {
	var se *syntax.Error
	if errors.As(err, &se) {
		return se.Code.String() + ": " + se.Expr
	}
	return err.Error()
}

// regexMetric is 1 where the pattern matches somewhere in the answer: text and labels as they are, other JSON compact.
func regexMetric(name string, re *regexp.Regexp) metric {
	return metric{name: name, kind: passFail, bounds: unit, missed: patternNo, grade: func(r *reading, _ []float64) float64 {
		got, _ := r.texts()
		return score01(re.MatchString(got.s))
	}}
}

// phraseMetric is 1 where every phrase occurs in the answer, compared as normalised words.
func phraseMetric(name string, phrases []string) metric {
	wanted := make([]text, len(phrases))
	for i, phrase := range phrases {
		wanted[i] = text{s: strings.TrimSpace(phrase)}
		wanted[i].prepare() // now: afterwards they are read by many goroutines
	}
	return metric{name: name, kind: passFail, bounds: unit, grade: func(r *reading, _ []float64) float64 {
		got, _ := r.texts()
		for i := range wanted {
			if !got.holds(&wanted[i]) {
				r.faults = append(r.faults, fault{name, "missing phrase: " + clip(wanted[i].s)})
				return 0
			}
		}
		return 1
	}}
}
