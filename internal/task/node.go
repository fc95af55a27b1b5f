package task

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/rung-dev/rung"
)

// Bounds on what YAML may unfold to: aliases can name each other until a small file fills the memory.
const (
	maxNodes = 20_000
	maxDepth = 50
)

type kind string

const (
	stringKind  kind = "text"
	numberKind  kind = "a number"
	boolKind    kind = "true or false"
	nullKind    kind = "nothing"
	listKind    kind = "a list"
	mappingKind kind = "a mapping"
)

// node is a YAML value with its place. Aliases are unfolded.
type node struct {
	kind  kind
	text  string // of a scalar, as written
	at    pos
	items []*node
	pairs []pair

	broken bool // reported already, and not to be read
}

type pair struct {
	key   string
	at    pos
	value *node
}

// parse reads the source as one YAML document. The node is nil when the file cannot be read as YAML at all, or is empty;
// it may come together with errors, such as repeated keys.
func parse(src *source) (*node, rung.Errors) {
	if depth, p := nesting(src); depth > maxDepth {
		return nil, rung.Errors{src.err(p, fmt.Sprintf("more than %d levels of nesting", maxDepth), "write it flatter")}
	}
	file, err := parser.ParseBytes([]byte(src.text), 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, rung.Errors{syntaxError(src, err)}
	}
	b := &builder{src: src, anchors: map[string]ast.Node{}}
	var root *node
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if root != nil {
			return nil, rung.Errors{src.err(place(doc.Body), "a second YAML document starts here", "keep one task per file")}
		}
		root = b.build(doc.Body, 0)
	}
	if b.nodes > maxNodes {
		return nil, b.errs[len(b.errs)-1:]
	}
	return root, b.errs
}

// syntaxError turns the parser's error into ours, with a remedy for the usual faults.
func syntaxError(src *source, err error) *rung.Error {
	var se *yaml.SyntaxError
	if !errors.As(err, &se) || se.Token == nil {
		return &rung.Error{Code: rung.CodeInput, Place: src.name, What: "not YAML: " + err.Error(), Do: "correct the YAML"}
	}
	p := pos{se.Token.Position.Line, se.Token.Position.Column}
	what, do := "not YAML: "+se.Message, "correct the YAML"
	switch {
	case strings.Contains(se.Message, "\t") || strings.HasPrefix(strings.TrimLeft(lineOf(src, p), " "), "\t"):
		what, do = "a tab indents this line, which YAML does not allow", "indent with spaces"
	case strings.Contains(lineOf(src, p), " !") || strings.Contains(lineOf(src, p), "[!"):
		do = "put a text that starts with ! in quotes"
	case strings.Contains(se.Message, "mapping value is not allowed"):
		do = "put the text in quotes if it holds a colon, and check the indentation"
	case strings.Contains(se.Message, "reserved character"), strings.Contains(se.Message, "cannot start any token"):
		do = "put the text in quotes"
	case strings.Contains(se.Message, "end character"):
		do = "close the quotes"
	case strings.Contains(se.Message, "value is not allowed in this context"):
		do = "check the indentation"
	case strings.Contains(se.Message, "must be specified"):
		do = "close the bracket"
	}
	return src.err(p, what, do)
}

func lineOf(src *source, p pos) string {
	if p.line < 1 || p.line > len(src.lines) {
		return ""
	}
	return src.lines[p.line-1]
}

// nesting is an upper bound of the depth of brackets and indentation, counted up to the first line that is too deep. The
// parser recurses, so depth is bounded before it runs. Brackets in text and comments count too: the bound is generous.
func nesting(src *source) (depth int, at pos) {
	open := 0
	for i, line := range src.lines {
		indent := len(line) - len(strings.TrimLeft(line, " -?"))
		if indent == 0 && !strings.ContainsAny(line, "[]{}") && strings.TrimSpace(line) != "" {
			open = 0 // a new top-level key
		}
		deepest := 0
		for _, c := range line {
			switch c {
			case '[', '{':
				open++
				deepest = max(deepest, open)
			case ']', '}':
				open = max(open-1, 0)
			}
		}
		if d := max(deepest, indent/2); d > depth && strings.TrimSpace(line) != "" {
			depth, at = d, pos{i + 1, 1}
		}
		if depth > maxDepth {
			break
		}
	}
	return depth, at
}

// builder makes nodes of the parser's tree.
type builder struct {
	src     *source
	anchors map[string]ast.Node
	open    []string // anchors being unfolded
	nodes   int
	errs    rung.Errors
}

func place(n ast.Node) pos {
	tk := n.GetToken()
	switch v := n.(type) {
	case *ast.MappingNode:
		if !v.IsFlowStyle && len(v.Values) > 0 {
			return place(v.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return place(v.Key)
	}
	if tk == nil || tk.Position == nil {
		return pos{1, 1}
	}
	return pos{tk.Position.Line, tk.Position.Column}
}

func (b *builder) fail(n ast.Node, what, do string) *node {
	b.errs = append(b.errs, b.src.err(place(n), what, do))
	return &node{kind: nullKind, at: place(n), broken: true}
}

func (b *builder) build(n ast.Node, depth int) *node {
	if b.nodes++; b.nodes > maxNodes || depth > maxDepth {
		if b.nodes <= maxNodes+1 || depth > maxDepth {
			b.nodes = maxNodes + 2 // ends the building
			return b.fail(n, fmt.Sprintf("the file unfolds to more than %d values or %d levels", maxNodes, maxDepth), "write it without aliases of aliases")
		}
		return &node{kind: nullKind, broken: true}
	}
	at := place(n)
	switch v := n.(type) {
	case *ast.StringNode:
		return &node{kind: stringKind, text: v.Value, at: at}
	case *ast.LiteralNode:
		return &node{kind: stringKind, text: v.Value.Value, at: at}
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return &node{kind: numberKind, text: n.GetToken().Value, at: at}
	case *ast.BoolNode:
		return &node{kind: boolKind, text: v.GetToken().Value, at: at}
	case *ast.NullNode:
		return &node{kind: nullKind, at: at}
	case *ast.SequenceNode:
		return b.list(v, at, depth)
	case *ast.MappingNode:
		return b.mapping(v.Values, at, depth)
	case *ast.MappingValueNode:
		return b.mapping([]*ast.MappingValueNode{v}, at, depth)
	case *ast.AnchorNode:
		b.anchors[v.Name.GetToken().Value] = v.Value
		return b.build(v.Value, depth+1)
	case *ast.AliasNode:
		return b.alias(v, depth)
	case *ast.TagNode:
		return b.tag(v, depth)
	}
	return b.fail(n, "this kind of YAML is not used in task files", "write a plain value")
}

func (b *builder) list(v *ast.SequenceNode, at pos, depth int) *node {
	out := &node{kind: listKind, at: at}
	for _, item := range v.Values {
		out.items = append(out.items, b.build(item, depth+1))
	}
	return out
}

func (b *builder) mapping(values []*ast.MappingValueNode, at pos, depth int) *node {
	out := &node{kind: mappingKind, at: at}
	first := map[string]pos{}
	for _, mv := range values {
		if mv.Key.IsMergeKey() {
			b.fail(mv.Key, "merge keys (<<) are not supported", "write the keys out")
			out.broken = true
			continue
		}
		tk := mv.Key.GetToken()
		key, keyAt := tk.Value, place(mv.Key)
		if p, ok := first[key]; ok {
			b.fail(mv.Key, fmt.Sprintf("the key %q is here a second time, after line %d", key, p.line), "keep one of the two")
			continue
		}
		first[key] = keyAt
		value := b.build(mv.Value, depth+1)
		if value.kind == nullKind && !value.broken {
			value.at = keyAt
		}
		out.pairs = append(out.pairs, pair{key, keyAt, value})
	}
	return out
}

func (b *builder) alias(v *ast.AliasNode, depth int) *node {
	name := v.Value.GetToken().Value
	target, ok := b.anchors[name]
	if !ok {
		return b.fail(v, fmt.Sprintf("the alias *%s names no anchor", name), fmt.Sprintf("define it before with &%s, or put the text in quotes", name))
	}
	for _, o := range b.open {
		if o == name {
			return b.fail(v, fmt.Sprintf("the alias *%s contains itself", name), "write the value out")
		}
	}
	b.open = append(b.open, name)
	defer func() { b.open = b.open[:len(b.open)-1] }()
	return b.build(target, depth+1)
}

// tag accepts !!str, which is how YAML says that 3 is text, and nothing else.
func (b *builder) tag(v *ast.TagNode, depth int) *node {
	if v.Start.Value == "!!str" && v.Value != nil {
		inner := b.build(v.Value, depth+1)
		if inner.kind == numberKind || inner.kind == boolKind {
			inner.kind = stringKind
		}
		return inner
	}
	return b.fail(v, "the YAML tag "+v.Start.Value+" is not supported", "put the value in quotes if it is text; an ! at the start of a pattern needs quotes")
}
