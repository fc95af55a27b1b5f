// Package govern holds what may be done with data: licences as SPDX expressions and what each says, terms joined over sources,
// rulings on a use, and the list of what was erased, which keeps it from coming back. None of it is legal advice: it repeats what
// licences and their owners say, and "not known" is one of its answers.
package govern

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
)

//go:embed spdx.txt
var spdxList string

// list is the SPDX licence list: identifiers in lower case → as they are written. SPDX compares them without regard to case (annex
// D.2 of the specification 2.3).
type list struct{ licences, deprecated, exceptions map[string]string }

var spdx = readList(spdxList)

func readList(text string) list {
	l := list{map[string]string{}, map[string]string{}, map[string]string{}}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '-':
			l.deprecated[strings.ToLower(line[1:])] = line[1:]
		case line[0] == '+':
			l.exceptions[strings.ToLower(line[1:])] = line[1:]
		default:
			l.licences[strings.ToLower(line)] = line
		}
	}
	return l
}

// The two values that SPDX allows in place of an expression.
const (
	None        = "NONE"        // there is no licence: nobody gave permission for anything
	NoAssertion = "NOASSERTION" // nobody has looked
)

// Expression is a licence expression of SPDX: a licence, or several joined by AND (all hold) or OR (one may be chosen).
type Expression struct {
	ID        string // of a licence, as the list writes it, LicenseRef-… or DocumentRef-…:LicenseRef-…; empty for AND and OR
	Later     bool   // this or a later version (+)
	Exception string // what the licence gives beyond its text (WITH)
	Operator  string // AND or OR; empty for a licence
	Of        []*Expression
}

// maxExpression bounds what is parsed, in bytes, and so the depth of its brackets.
const maxExpression = 4096

// Parse reads a licence expression as annex D of the SPDX specification 2.3 has it: WITH binds closest, then AND, then OR. Names and
// operators are taken in any case and written as the list does. An identifier that is on no list is a CodeInput that offers the nearest.
func Parse(text string) (*Expression, error) {
	if len(text) > maxExpression {
		return nil, badLicence(text[:60]+"…", fmt.Sprintf("is longer than %d bytes", maxExpression), "write a shorter expression")
	}
	switch trimmed := strings.TrimSpace(text); trimmed {
	case "":
		return nil, badLicence("licence", "is empty", "write an SPDX identifier, such as CC-BY-4.0, or NOASSERTION")
	case None, NoAssertion:
		return &Expression{ID: trimmed}, nil
	}
	p := parser{text: text, words: words(text)}
	e, err := p.or()
	if err == nil && len(p.words) > 0 {
		err = p.fault(fmt.Sprintf("has %q where it should end", p.words[0]), "join licences by AND or OR")
	}
	if err != nil {
		return nil, err
	}
	return e, nil
}

func badLicence(place, what, do string) *rung.Error {
	return &rung.Error{Code: rung.CodeInput, Place: place, What: what, Do: do}
}

// words are the names, operators and brackets of an expression.
func words(text string) []string {
	return strings.Fields(strings.NewReplacer("(", " ( ", ")", " ) ").Replace(text))
}

type parser struct {
	text  string
	words []string
}

func (p *parser) fault(what, do string) error {
	return badLicence(fmt.Sprintf("%.200q", strings.TrimSpace(p.text)), what, do)
}

func (p *parser) next() string {
	if len(p.words) == 0 {
		return ""
	}
	return p.words[0]
}

// take takes the next word where it is the operator.
func (p *parser) take(operator string) bool {
	if !strings.EqualFold(p.next(), operator) {
		return false
	}
	p.words = p.words[1:]
	return true
}

func (p *parser) or() (*Expression, error)  { return p.joined("OR", p.and) }
func (p *parser) and() (*Expression, error) { return p.joined("AND", p.one) }

func (p *parser) joined(operator string, part func() (*Expression, error)) (*Expression, error) {
	first, err := part()
	if err != nil {
		return nil, err
	}
	all := []*Expression{first}
	for p.take(operator) {
		next, err := part()
		if err != nil {
			return nil, err
		}
		all = append(all, next)
	}
	if len(all) == 1 {
		return first, nil
	}
	return &Expression{Operator: operator, Of: all}, nil
}

func (p *parser) one() (*Expression, error) {
	if p.take("(") {
		e, err := p.or()
		if err == nil && !p.take(")") {
			err = p.fault("has a bracket that is not closed", "close it")
		}
		return e, err
	}
	name := p.next()
	if name == "" || name == ")" || slices.Contains([]string{"AND", "OR", "WITH"}, strings.ToUpper(name)) {
		return nil, p.fault("lacks a licence", "name one on both sides of AND, OR and WITH")
	}
	p.words = p.words[1:]
	e := &Expression{}
	var err error
	if e.ID, e.Later, err = p.licence(name); err != nil {
		return nil, err
	}
	if !p.take("WITH") {
		return e, nil
	}
	exception := p.next()
	known, ok := spdx.exceptions[strings.ToLower(exception)]
	if !ok && !reference(exception, "AdditionRef-") {
		return nil, p.fault(fmt.Sprintf("names the exception %q, which is not on the SPDX list", exception), hint(exception, spdx.exceptions, "AdditionRef-NAME is one of your own"))
	}
	if e.Exception = known; known == "" {
		e.Exception = exception
	}
	p.words = p.words[1:]
	return e, nil
}

// licence finds an identifier. Some end in + themselves (GPL-2.0+, deprecated), so the whole is looked up first.
func (p *parser) licence(name string) (id string, later bool, err error) {
	if _, rest, ok := strings.Cut(name, ":"); ok && strings.HasPrefix(name, "DocumentRef-") && reference(rest, "LicenseRef-") || reference(name, "LicenseRef-") {
		return name, false, nil
	}
	for _, later := range []bool{false, true} {
		bare := strings.ToLower(name)
		if later {
			if bare = strings.TrimSuffix(bare, "+"); len(bare) == len(name) {
				break
			}
		}
		for _, known := range []map[string]string{spdx.licences, spdx.deprecated} {
			if id, ok := known[bare]; ok {
				return id, later, nil
			}
		}
	}
	return "", false, p.fault(fmt.Sprintf("names %q, which is not on the SPDX list", name), hint(name, spdx.licences, "LicenseRef-NAME is a licence of your own"))
}

// reference reports whether a name is one of the user's own: the prefix, then letters, digits, points and dashes.
func reference(name, prefix string) bool {
	rest, ok := strings.CutPrefix(name, prefix)
	return ok && rest != "" && strings.Trim(rest, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") == ""
}

func hint(name string, known map[string]string, own string) string {
	if guess := nearest(name, known); guess != "" {
		return fmt.Sprintf("did you mean %q? %s", guess, own)
	}
	return "spdx.org/licenses has the list; " + own
}

// usual are how people call licences that the list calls otherwise.
var usual = map[string]string{
	"apache": "Apache-2.0", "apache2": "Apache-2.0", "apache-2": "Apache-2.0", "apachev2": "Apache-2.0", "bsd": "BSD-3-Clause", "bsd-3": "BSD-3-Clause", "bsd-2": "BSD-2-Clause",
	"gpl": "GPL-3.0-only", "gpl3": "GPL-3.0-only", "gplv3": "GPL-3.0-only", "gplv2": "GPL-2.0-only", "agpl": "AGPL-3.0-only", "agplv3": "AGPL-3.0-only", "lgpl": "LGPL-3.0-only",
	"mpl": "MPL-2.0", "cc0": "CC0-1.0", "cc-0": "CC0-1.0", "cc-by": "CC-BY-4.0", "ccby": "CC-BY-4.0", "cc-by-sa": "CC-BY-SA-4.0", "cc-by-nc": "CC-BY-NC-4.0", "cc-by-nd": "CC-BY-ND-4.0",
	"cc-by-nc-sa": "CC-BY-NC-SA-4.0", "cc-by-nc-nd": "CC-BY-NC-ND-4.0", "odbl": "ODbL-1.0", "odc-by": "ODC-By-1.0", "pddl": "PDDL-1.0", "public-domain": "CC-PDM-1.0", "publicdomain": "CC-PDM-1.0",
	"cdla": "CDLA-Permissive-2.0", "ogl": "OGL-UK-3.0", "public domain": "CC-PDM-1.0",
}

// nearest is the identifier that a name is most likely a slip of: how people call it, else the one with the fewest edits, at most a
// third of the letters; empty when none is near.
func nearest(name string, known map[string]string) string {
	flat := strings.ToLower(strings.NewReplacer("_", "-", " ", "-").Replace(strings.TrimSpace(name)))
	if id, ok := usual[flat]; ok && known[strings.ToLower(id)] != "" {
		return id
	}
	best, distance := "", 1+max(1, len(flat)/3)
	for low, id := range known {
		if d := edits(flat, low, distance); d < distance || d == distance && best != "" && id < best {
			best, distance = id, d
		}
	}
	return best
}

// edits is Levenshtein's distance; what cannot be below limit is not computed.
func edits(a, b string, limit int) int {
	if d := len(a) - len(b); d > limit || -d > limit || len(a) > 100 {
		return limit + 1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		corner := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			d := corner
			if a[i-1] != b[j-1] {
				d = 1 + min(corner, row[j], row[j-1])
			}
			corner, row[j] = row[j], d
		}
	}
	return row[len(b)]
}

// String writes the expression as SPDX does, with brackets only where they are needed.
func (e *Expression) String() string {
	if e.Operator == "" {
		s := e.ID
		if e.Later {
			s += "+"
		}
		if e.Exception != "" {
			s += " WITH " + e.Exception
		}
		return s
	}
	parts := make([]string, len(e.Of))
	for i, of := range e.Of {
		if parts[i] = of.String(); e.Operator == "AND" && of.Operator == "OR" {
			parts[i] = "(" + parts[i] + ")"
		}
	}
	return strings.Join(parts, " "+e.Operator+" ")
}

// IDs are the licences of the expression, each once, in its order.
func (e *Expression) IDs() []string {
	if e.Operator == "" {
		return []string{e.ID}
	}
	var out []string
	for _, of := range e.Of {
		for _, id := range of.IDs() {
			if !slices.Contains(out, id) {
				out = append(out, id)
			}
		}
	}
	return out
}

// Deprecated are those of its licences that the list has kept for old texts only, such as GPL-2.0.
func (e *Expression) Deprecated() []string {
	return slices.DeleteFunc(e.IDs(), func(id string) bool { return spdx.deprecated[strings.ToLower(id)] == "" })
}
