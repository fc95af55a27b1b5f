package grade

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/rung-dev/rung"
)

// rule is one rule of a style; broken names it among the mistakes.
type rule struct {
	broken string
	kept   func(*prose) bool
}

// prose is an answer as the rules of a style read it.
type prose struct {
	text
	value   *value // of JSON answers
	json    bool
	counted readability
}

// styleMetric is the share of a style's rules that the answer keeps, or with PassFail whether it keeps all.
func styleMetric(spec rung.MetricSpec) metric {
	rules := styleRules(spec.Style)
	k := graded
	if spec.PassFail {
		k = passFail
	}
	return metric{name: spec.Name, kind: k, bounds: unit, grade: func(r *reading, _ []float64) float64 {
		p := r.prose()
		kept := 0
		for _, rule := range rules {
			if rule.kept(p) {
				kept++
			} else {
				r.faults = append(r.faults, fault{spec.Name, rule.broken})
			}
		}
		if spec.PassFail {
			return score01(kept == len(rules))
		}
		return float64(kept) / float64(len(rules))
	}}
}

// prose is the answer's text: of text and labels their own, of JSON its strings, one a line.
func (r *reading) prose() *prose {
	got, _ := r.texts()
	p := &prose{text: text{s: got.s}, value: &r.got, json: r.got.kind == '{' || r.got.kind == '['}
	if p.json {
		p.s = strings.Join(stringsOf(nil, &r.got), "\n")
	}
	return p
}

// stringsOf are the strings of a JSON value in their order.
func stringsOf(out []string, v *value) []string {
	for i := range v.members {
		out = stringsOf(out, &v.members[i].value)
	}
	for i := range v.items {
		out = stringsOf(out, &v.items[i])
	}
	if v.kind == 's' {
		out = append(out, v.text)
	}
	return out
}

func styleRules(s *rung.StyleSpec) []rule {
	var rules []rule
	add := func(ask bool, broken string, kept func(*prose) bool) {
		if ask {
			rules = append(rules, rule{broken, kept})
		}
	}
	add(s.MinWords > 0, fmt.Sprintf("under %d words", s.MinWords), func(p *prose) bool { return p.reading().words >= s.MinWords })
	add(s.MaxWords > 0, fmt.Sprintf("over %d words", s.MaxWords), func(p *prose) bool { return p.reading().words <= s.MaxWords })
	add(s.MaxSentenceWords > 0, fmt.Sprintf("a sentence over %d words", s.MaxSentenceWords), func(p *prose) bool { return p.reading().longest <= s.MaxSentenceWords })
	add(s.MinGrade > 0, fmt.Sprintf("reads below grade %g", s.MinGrade), func(p *prose) bool { return p.reading().grade() >= s.MinGrade })
	add(s.MaxGrade > 0, fmt.Sprintf("reads above grade %g", s.MaxGrade), func(p *prose) bool { return p.reading().grade() <= s.MaxGrade })
	for _, phrase := range s.Required {
		wanted := preparedText(phrase)
		add(true, "missing phrase: "+clip(phrase), func(p *prose) bool { return p.holds(wanted) })
	}
	for _, phrase := range s.Forbidden {
		unwanted := preparedText(phrase)
		add(true, "forbidden phrase: "+clip(phrase), func(p *prose) bool { return !p.holds(unwanted) })
	}
	for _, name := range s.Structure {
		add(true, "no "+strings.ReplaceAll(name, "_", " "), structures[name])
	}
	add(len(s.Sections) > 0, "sections: "+clip(strings.Join(s.Sections, ", ")), func(p *prose) bool { return p.inOrder(s.Sections) })
	return rules
}

// preparedText is a phrase that many goroutines may compare with.
func preparedText(phrase string) *text {
	t := &text{s: strings.TrimSpace(phrase)}
	t.prepare()
	return t
}

var (
	bulletLine  = regexp.MustCompile(`(?m)^[ \t]*[-*•–][ \t]+\S`)
	numberLine  = regexp.MustCompile(`(?m)^[ \t]*\d{1,3}[.)][ \t]+\S`)
	headingLine = regexp.MustCompile(`(?m)^(?:#{1,6}[ \t]+\S.*|\*\*[^*\n]{1,80}\*\*:?[ \t]*|\S[^\n.!?]{0,79}\n[=-]{3,}[ \t]*)$`)
	tableLine   = regexp.MustCompile(`(?m)^[ \t]*\|?[ \t]*:?-{3,}:?[ \t]*(?:\|[ \t]*:?-{3,}:?[ \t]*)+\|?[ \t]*$`)
	codeFence   = regexp.MustCompile("(?m)^[ \t]*(?:```|~~~)")
	markup      = regexp.MustCompile(`\*\*[^*\n]+\*\*|__[^_\n]+__|\[[^\]\n]+\]\([^)\n]+\)|</?[a-zA-Z][^<>\n]{0,200}>`)
	emptyLine   = regexp.MustCompile(`\S[ \t]*\n[ \t]*\n\s*\S`)
)

// structures are what a style can ask of an answer's structure.
var structures = map[string]func(*prose) bool{
	rung.HasBullets:  func(p *prose) bool { return bulletLine.MatchString(p.s) },
	rung.HasNumbers:  func(p *prose) bool { return numberLine.MatchString(p.s) },
	rung.HasHeadings: func(p *prose) bool { return headingLine.MatchString(p.s) },
	rung.HasTable:    func(p *prose) bool { return tableLine.MatchString(p.s) },
	rung.HasCode:     func(p *prose) bool { return codeFence.MatchString(p.s) },
	rung.PlainText: func(p *prose) bool {
		return !slices.ContainsFunc([]*regexp.Regexp{bulletLine, numberLine, headingLine, tableLine, codeFence, markup},
			func(re *regexp.Regexp) bool { return re.MatchString(p.s) })
	},
	rung.OneParagraph: func(p *prose) bool { return !emptyLine.MatchString(p.s) },
	rung.IsJSON: func(p *prose) bool {
		if p.json {
			return true
		}
		v := readValue([]byte(strings.TrimSpace(p.s)))
		return v.kind == '{' || v.kind == '['
	},
}

// inOrder reports whether the sections are there in their order: members of a JSON object, or headings, which are lines that
// begin with the name and hold little else than markup around it.
func (p *prose) inOrder(sections []string) bool {
	var found []string
	if p.json {
		for i := range p.value.members {
			found = append(found, sectionName(p.value.members[i].key))
		}
	} else {
		for line := range strings.Lines(p.s) {
			name, _, _ := strings.Cut(line, ":")
			found = append(found, sectionName(name))
		}
	}
	at := 0
	for _, section := range sections {
		i := slices.Index(found[at:], sectionName(section))
		if i < 0 {
			return false
		}
		at += i + 1
	}
	return true
}

func sectionName(s string) string {
	return strings.ToLower(strings.TrimFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) }))
}
