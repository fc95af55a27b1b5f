package pii

import (
	"fmt"
	"regexp"

	"github.com/rung-dev/rung"
)

// Pattern is what a user looks for: a type of his own and a regular expression (RE2, which takes linear time). Where the expression
// has a group, the group is the finding.
type Pattern struct {
	Type  Type     `json:"type" yaml:"type"`
	Expr  string   `json:"pattern" yaml:"pattern"`
	Near  []string `json:"near,omitempty" yaml:"near,omitempty"`   // one of these words must stand within 40 bytes before it
	Check string   `json:"check,omitempty" yaml:"check,omitempty"` // luhn: its digits must pass
}

// maxPatternBytes bounds an expression.
const maxPatternBytes = 4000

type pattern struct {
	Pattern
	expr *regexp.Regexp
}

func (p Pattern) compile() (pattern, error) {
	bad := func(what string) error {
		return &rung.Error{Code: rung.CodeInput, Place: "pattern " + p.Type, What: what, Do: "correct the pattern"}
	}
	if !typeName.MatchString(p.Type) {
		return pattern{}, bad("a type is written in capitals, digits and _")
	}
	if len(p.Expr) > maxPatternBytes {
		return pattern{}, bad(fmt.Sprintf("it is longer than %d bytes", maxPatternBytes))
	}
	if p.Check != "" && p.Check != "luhn" {
		return pattern{}, bad(fmt.Sprintf("there is no check %q; there is luhn", p.Check))
	}
	expr, err := regexp.Compile(p.Expr)
	if err != nil {
		return pattern{}, bad(err.Error())
	}
	if expr.MatchString("") {
		return pattern{}, bad("it matches nothing at all, so it would match everywhere")
	}
	return pattern{p, expr}, nil
}

var typeName = regexp.MustCompile(`^[A-Z][A-Z0-9_]{1,30}$`)

func (p *pattern) find(text string, found []span) []span {
	for _, at := range p.expr.FindAllStringSubmatchIndex(text, -1) {
		sp := span{start: at[0], end: at[1], kind: p.Type, rule: "pattern"}
		if len(at) > 2 && at[2] >= 0 {
			sp.start, sp.end = at[2], at[3]
		}
		if sp.end > sp.start && (len(p.Near) == 0 || near(text, sp.start, 40, p.Near)) && (p.Check == "" || luhnText(text[sp.start:sp.end])) {
			found = append(found, sp)
		}
	}
	return found
}

func luhnText(s string) bool {
	var d []byte
	for i := range len(s) {
		if digit(s[i]) {
			d = append(d, s[i])
		}
	}
	return len(d) > 1 && luhn(d)
}
