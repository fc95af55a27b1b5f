package rating

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/rung-dev/rung"
)

// RubricFile is what a rubric file says.
type RubricFile struct {
	Question string
	Criteria []rung.Criterion
}

// mostCriteria fit on a screen, and are as many as people keep apart.
const mostCriteria = 8

// ReadRubric reads a rubric: "question", and "criteria", each with "name", "question", "anchors" (1 to 5 → what it means) and
// "checked" (an answer to another input must get a 1 or a 2).
func ReadRubric(file string, content []byte) (*RubricFile, error) {
	var raw struct {
		Question string `yaml:"question"`
		Criteria []struct {
			Name     string         `yaml:"name"`
			Question string         `yaml:"question"`
			Anchors  map[int]string `yaml:"anchors"`
			Checked  bool           `yaml:"checked"`
		} `yaml:"criteria"`
	}
	if err := yaml.UnmarshalWithOptions(content, &raw, yaml.Strict()); err != nil {
		return nil, &rung.Error{Code: rung.CodeInput, Place: file, What: "is no rubric: " + strings.TrimSpace(yaml.FormatError(err, false, true)), Do: "see docs/rating.md for the form of a rubric", Err: err}
	}
	out := &RubricFile{Question: strings.TrimSpace(raw.Question)}
	var errs rung.Errors
	fault := func(format string, args ...any) {
		errs = append(errs, &rung.Error{Code: rung.CodeInput, Place: file, What: fmt.Sprintf(format, args...), Do: "see docs/rating.md for the form of a rubric"})
	}
	if n := len(raw.Criteria); n == 0 || n > mostCriteria {
		fault("a rubric has 1 to %d criteria, this one has %d", mostCriteria, n)
	}
	seen := map[string]bool{}
	for _, c := range raw.Criteria {
		switch {
		case !plain(c.Name, 40):
			fault("%q cannot name a criterion: use letters, digits, '-' and '_'", c.Name)
		case seen[c.Name]:
			fault("the criterion %s is there twice", c.Name)
		case strings.TrimSpace(c.Question) == "":
			fault("the criterion %s has no question", c.Name)
		}
		for v := range c.Anchors {
			if v < 1 || v > 5 {
				fault("the criterion %s has an anchor for %d; values run from 1 to 5", c.Name, v)
			}
		}
		seen[c.Name] = true
		out.Criteria = append(out.Criteria, rung.Criterion{Name: c.Name, Question: c.Question, Anchors: c.Anchors, Checked: c.Checked})
	}
	return out, errs.Or()
}
