// Package fill fills the templates of prompts and pages. It reads them with the standard library's text/template/parse and runs them
// itself. text/template calls methods by names that are known when it runs, and a program in which that is possible keeps every
// exported method of every type: 8.6 MB of the binary, whose limit is 60. Here fields, maps and functions are what a template
// reaches, and no methods. Tests hold what is written to what text/template and html/template write.
package fill

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"io"
	"maps"
	"reflect"
	"strings"
	"text/template/parse"
)

// HTML is markup that a page takes as it is, html/template's. Who makes one has escaped what is in it.
type HTML = template.HTML

// Funcs are the functions of a template by name. Each gives one value, or a value and an error.
type Funcs map[string]any

// Template is a template that has been read. It is safe for concurrent use.
type Template struct {
	name   string
	trees  map[string]*parse.Tree
	funcs  map[string]reflect.Value
	escape bool
}

// Text reads a template of plain text. The later of several texts may use and replace what the earlier define; the last is run.
func Text(name string, texts ...string) (*Template, error) {
	return read(&Template{name: name}, nil, texts)
}

// Page reads a template of HTML. What it writes is escaped for text between tags and for values of attributes in quotation marks,
// and nowhere else may it write: addresses, styles and scripts would need other escapes, and get none.
func Page(name string, funcs Funcs, text string) (*Template, error) {
	return read(&Template{name: name, escape: true}, funcs, []string{text})
}

func read(t *Template, funcs Funcs, texts []string) (*Template, error) {
	t.trees, t.funcs = map[string]*parse.Tree{}, map[string]reflect.Value{}
	known := map[string]any{"and": true, "or": true} // these two do not always look at all their arguments, and are run in place
	for _, of := range []Funcs{builtins, funcs} {
		for name, f := range of {
			known[name], t.funcs[name] = true, reflect.ValueOf(f)
		}
	}
	for _, text := range texts {
		trees, err := parse.Parse(t.name, text, "", "", known)
		if err != nil {
			return nil, err
		}
		maps.Copy(t.trees, trees)
	}
	return t, nil
}

// Execute writes the template with data to w.
func (t *Template) Execute(w io.Writer, data any) error {
	tree := t.trees[t.name]
	if tree == nil {
		return fmt.Errorf("template %s is empty", t.name)
	}
	var out bytes.Buffer
	value := reflect.ValueOf(data)
	r := &run{t: t, w: &out, vars: []variable{{"$", value}}}
	if err := r.walk(value, tree.Root); err != nil {
		return fmt.Errorf("template %s: %w", t.name, err)
	}
	_, err := w.Write(out.Bytes())
	return err
}

// mostNested is how deep templates may call each other.
const mostNested = 1000

var (
	errBreak    = errors.New("break outside of a range")
	errContinue = errors.New("continue outside of a range")
)

type variable struct {
	name  string
	value reflect.Value
}

// run is one execution of a template.
type run struct {
	t     *Template
	w     *bytes.Buffer
	vars  []variable
	depth int
}

func (r *run) walk(dot reflect.Value, node parse.Node) error {
	switch n := node.(type) {
	case *parse.ListNode:
		for _, inner := range n.Nodes {
			if err := r.walk(dot, inner); err != nil {
				return err
			}
		}
		return nil
	case *parse.TextNode:
		r.w.Write(n.Text)
		return nil
	case *parse.ActionNode:
		v, err := r.pipe(dot, n.Pipe)
		if err == nil && len(n.Pipe.Decl) == 0 {
			err = r.print(v)
		}
		return err
	case *parse.IfNode:
		return r.branch(dot, &n.BranchNode, false)
	case *parse.WithNode:
		return r.branch(dot, &n.BranchNode, true)
	case *parse.RangeNode:
		return r.each(dot, n)
	case *parse.TemplateNode:
		return r.call(dot, n)
	case *parse.BreakNode:
		return errBreak
	case *parse.ContinueNode:
		return errContinue
	case *parse.CommentNode:
		return nil
	}
	return fmt.Errorf("%s is not supported", node)
}

// branch runs if and with; of them, with makes the value the dot of what is inside.
func (r *run) branch(dot reflect.Value, n *parse.BranchNode, with bool) error {
	defer r.forget(len(r.vars))
	v, err := r.pipe(dot, n.Pipe)
	switch {
	case err != nil:
		return err
	case truth(v):
		if with {
			dot = v
		}
		return r.walk(dot, n.List)
	case n.ElseList != nil:
		return r.walk(dot, n.ElseList)
	}
	return nil
}

func (r *run) forget(vars int) { r.vars = r.vars[:vars] }

// each runs range over a slice, an array, or a map by its sorted keys.
func (r *run) each(dot reflect.Value, n *parse.RangeNode) error {
	defer r.forget(len(r.vars))
	if n.Pipe.IsAssign {
		return fmt.Errorf("%s is not supported", n.Pipe)
	}
	v, err := r.pipe(dot, n.Pipe)
	if err != nil {
		return err
	}
	keys, items, err := itemsOf(indirect(v))
	if err != nil {
		return err
	}
	if len(items) == 0 && n.ElseList != nil {
		return r.walk(dot, n.ElseList)
	}
	inside := len(r.vars)
	for i, item := range items {
		switch decl := n.Pipe.Decl; len(decl) {
		case 1:
			r.vars[inside-1].value = item
		case 2:
			r.vars[inside-2].value = keys[i]
			r.vars[inside-1].value = item
		}
		err := r.walk(item, n.List)
		r.forget(inside)
		if errors.Is(err, errBreak) {
			break
		}
		if err != nil && !errors.Is(err, errContinue) {
			return err
		}
	}
	return nil
}

// call runs another template, with only its own argument to see.
func (r *run) call(dot reflect.Value, n *parse.TemplateNode) error {
	tree := r.t.trees[n.Name]
	if tree == nil {
		return fmt.Errorf("there is no template %q", n.Name)
	}
	if r.depth == mostNested {
		return fmt.Errorf("template %q calls itself without end", n.Name)
	}
	v, err := r.pipe(dot, n.Pipe)
	if err != nil {
		return err
	}
	inner := &run{t: r.t, w: r.w, vars: []variable{{"$", v}}, depth: r.depth + 1}
	return inner.walk(v, tree.Root)
}

// toHTML escapes as html/template does between tags and in quoted attributes.
var toHTML = strings.NewReplacer("\x00", "\uFFFD", `"`, "&#34;", "&", "&amp;", "'", "&#39;", "+", "&#43;", "<", "&lt;", ">", "&gt;")

func (r *run) print(v reflect.Value) error {
	v = printable(v)
	if !v.IsValid() {
		if !r.t.escape {
			r.w.WriteString("<no value>") // as text/template does; html/template writes nothing
		}
		return nil
	}
	if markup, is := v.Interface().(HTML); is && r.t.escape {
		r.w.WriteString(string(markup))
		return nil
	}
	text := fmt.Sprint(v.Interface())
	if r.t.escape {
		text = toHTML.Replace(text)
	}
	r.w.WriteString(text)
	return nil
}
