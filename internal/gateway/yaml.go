package gateway

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/rung-dev/rung"
)

// reader reads gateway.yaml and collects its faults, each with its place.
type reader struct {
	name  string
	lines []string
	errs  rung.Errors
}

// maxIndent bounds nesting before the parser runs: it recurses.
const maxIndent = 40

// parse gives the file's tree; nil for a file without content.
func (r *reader) parse(text []byte) ast.Node {
	if !utf8.Valid(text) {
		r.errs = append(r.errs, &rung.Error{Code: rung.CodeInput, Place: r.name, What: "the file is not UTF-8 text", Do: "save it as UTF-8"})
		return nil
	}
	clean := strings.ReplaceAll(strings.TrimPrefix(string(text), "\ufeff"), "\r\n", "\n")
	r.lines = strings.Split(clean, "\n")
	for i, line := range r.lines {
		if len(line)-len(strings.TrimLeft(line, " -?")) > maxIndent || strings.Count(line, "[")+strings.Count(line, "{") > maxIndent {
			r.at(i+1, 1, "the line nests too deep", "write it flatter")
			return nil
		}
	}
	file, err := parser.ParseBytes([]byte(clean), 0)
	if err != nil {
		r.syntax(err)
		return nil
	}
	var root ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if root != nil {
			r.fail(doc.Body, "a second YAML document starts here", "keep one configuration per file")
		}
		root = doc.Body
	}
	return root
}

func (r *reader) syntax(err error) {
	var se *yaml.SyntaxError
	if !errors.As(err, &se) || se.Token == nil {
		r.errs = append(r.errs, &rung.Error{Code: rung.CodeInput, Place: r.name, What: "not YAML: " + err.Error(), Do: "correct the YAML"})
		return
	}
	r.at(se.Token.Position.Line, se.Token.Position.Column, "not YAML: "+se.Message, "correct the YAML; check quotes and indentation")
}

func (r *reader) fail(n ast.Node, what, do string) {
	line, col := 1, 1
	if m, ok := n.(*ast.MappingValueNode); ok {
		n = m.Key
	}
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		n = m.Values[0].Key
	}
	if tk := n.GetToken(); tk != nil && tk.Position != nil {
		line, col = tk.Position.Line, tk.Position.Column
	}
	r.at(line, col, what, do)
}

func (r *reader) at(line, col int, what, do string) {
	e := &rung.Error{Code: rung.CodeInput, Place: fmt.Sprintf("%s:%d:%d", r.name, line, col), What: what, Do: do}
	if line >= 1 && line <= len(r.lines) && len(r.lines[line-1]) < 200 {
		e.Excerpt = r.lines[line-1] + "\n" + strings.Repeat(" ", max(col-1, 0)) + "^"
	}
	r.errs = append(r.errs, e)
}

// keys are the members that a mapping may have, each with what reads it.
type keys map[string]func(ast.Node)

// mapping reads a mapping. A key that it does not know is a fault that names those it knows.
func (r *reader) mapping(n ast.Node, known keys) {
	for _, p := range r.pairs(n) {
		name := p.Key.GetToken().Value
		read, ok := known[name]
		if !ok {
			r.fail(p.Key, fmt.Sprintf("there is no key %q here", name), "use "+strings.Join(sorted(known), ", "))
			continue
		}
		read(p.Value)
	}
}

// pairs are the members of a mapping; anything else but nothing is a fault.
func (r *reader) pairs(n ast.Node) []*ast.MappingValueNode {
	switch v := n.(type) {
	case *ast.MappingNode:
		return v.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{v}
	case *ast.NullNode, nil:
		return nil
	}
	r.fail(n, "this is not a mapping of keys to values", "write key: value lines")
	return nil
}

func sorted(known keys) []string {
	var names []string
	for k := range known {
		names = append(names, k)
	}
	slices.Sort(names)
	return names
}

// list reads the items of a list; a single value counts as a list of one.
func (r *reader) list(n ast.Node, each func(ast.Node)) {
	if s, ok := n.(*ast.SequenceNode); ok {
		for _, item := range s.Values {
			each(item)
		}
		return
	}
	each(n)
}

// scalar is the text of a value that is neither list nor mapping.
func (r *reader) scalar(n ast.Node, want string) (string, bool) {
	switch v := n.(type) {
	case *ast.StringNode:
		return v.Value, true
	case *ast.LiteralNode:
		return v.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, true
	}
	r.fail(n, "this is not "+want, "write "+want)
	return "", false
}

func (r *reader) text(into *string) func(ast.Node) {
	return func(n ast.Node) {
		if s, ok := r.scalar(n, "a text"); ok {
			*into = s
		}
	}
}

func (r *reader) flag(into *bool) func(ast.Node) {
	return func(n ast.Node) {
		b, ok := n.(*ast.BoolNode)
		if !ok {
			r.fail(n, "this is neither true nor false", "write true or false")
			return
		}
		*into = b.Value
	}
}

func (r *reader) duration(into *time.Duration, least time.Duration) func(ast.Node) {
	return func(n ast.Node) {
		const want = "a duration such as 500ms, 30s, 5m, 24h or 30d"
		s, ok := r.scalar(n, want)
		if !ok {
			return
		}
		d, err := time.ParseDuration(s)
		if days, isDays := strings.CutSuffix(s, "d"); isDays && err != nil {
			var f float64
			f, err = strconv.ParseFloat(days, 64)
			if err == nil && f >= 0 && f <= 36500 {
				d = time.Duration(f * 24 * float64(time.Hour))
			} else {
				err = strconv.ErrRange
			}
		}
		if err != nil || d < least {
			r.fail(n, fmt.Sprintf("%q is not %s of at least %s", s, want, least), "write "+want)
			return
		}
		*into = d
	}
}

func (r *reader) count(into *int, least int) func(ast.Node) {
	return func(n ast.Node) {
		s, ok := r.scalar(n, "a whole number")
		if !ok {
			return
		}
		v, err := strconv.Atoi(s)
		if err != nil || v < least || v > 10_000_000 {
			r.fail(n, fmt.Sprintf("%q is not a whole number of at least %d", s, least), "write a whole number")
			return
		}
		*into = v
	}
}

var units = []struct {
	suffix string
	factor float64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}, {"", 1}}

func (r *reader) size(into *int64, least int64) func(ast.Node) {
	return func(n ast.Node) {
		const want = "a size such as 64KiB, 4MiB or 1GiB"
		s, ok := r.scalar(n, want)
		if !ok {
			return
		}
		for _, u := range units {
			number, has := strings.CutSuffix(s, u.suffix)
			if !has {
				continue
			}
			v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
			if err == nil && v*u.factor >= float64(least) && v*u.factor < 1<<50 {
				*into = int64(v * u.factor)
				return
			}
			break
		}
		r.fail(n, fmt.Sprintf("%q is not %s of at least %d bytes", s, want, least), "write "+want)
	}
}
