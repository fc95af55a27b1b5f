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
	wrong := func(what, do string, err error) rung.Errors {
		return rung.Errors{{Code: rung.CodeInput, Place: t.File, What: "metric " + spec.Name + ": " + what, Do: do, Err: err}}
	}
	_, taken := g.index[spec.Name]
	_, reserved := standard[spec.Name]
	if own := spec.Name == "contains" && spec.Kind == "contains"; (taken || reserved) && !own {
		return wrong("the name is taken", "give it a name of its own", nil)
	}
	var m metric
	switch spec.Kind {
	case "regex":
		re, err := regexp.Compile(spec.Pattern)
		if err != nil {
			return wrong("the pattern is not a regular expression: "+patternFault(err), "correct it (RE2 syntax, no look-ahead)", err)
		}
		m = regexMetric(spec.Name, re)
	case "contains":
		if len(spec.Phrases) == 0 {
			m = simple(spec.Name, passFail, containsExpected)(g)
		} else {
			m = phraseMetric(spec.Name, spec.Phrases)
		}
	case "cel":
		made, err := celMetric(spec, t.File)
		if err != nil {
			return rung.Errors{err}
		}
		m = made
	default:
		return wrong(fmt.Sprintf("there is no kind %q", spec.Kind), "use regex, contains or cel", nil)
	}
	if taken {
		g.metrics[g.index[spec.Name]] = m
		return nil
	}
	g.add(m)
	return nil
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
