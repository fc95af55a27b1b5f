package grade

import (
	"slices"
	"strings"

	"github.com/rung-dev/rung"
)

// Fields and slots are pairs of a path and a value. Positions in lists are left out of the path, so lists count as bags.

// pathSeparator stands between the names of a path; no JSON name of sane make holds it.
const pathSeparator = "\x1f"

// pair is one leaf of a JSON value.
type pair struct {
	path string
	leaf string // canonical
}

func (p pair) compare(q pair) int {
	if c := strings.Compare(p.path, q.path); c != 0 {
		return c
	}
	return strings.Compare(p.leaf, q.leaf)
}

// leaves appends the scalars under v. Empty objects and lists have none.
func leaves(out []pair, v *value, path string) []pair {
	switch v.kind {
	case 0:
		return out
	case '{':
		for i := range v.members {
			m := &v.members[i]
			out = leaves(out, &m.value, join(path, m.key))
		}
		return out
	case '[':
		for i := range v.items {
			out = leaves(out, &v.items[i], path)
		}
		return out
	}
	return append(out, pair{path, v.canonical()})
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + pathSeparator + name
}

// shown is a path as people read it.
func shown(path string) string {
	if path == "" {
		return "the answer itself"
	}
	return clip(strings.ReplaceAll(path, pathSeparator, "."))
}

// slotForm says where the slots of an answer are. It is the same for every example of a task, so that an answer in another
// shape than the expected one does not choose how it is judged.
type slotForm int

const (
	slotsMember slotForm = iota // the members of the object named "slots"
	belowFirst                  // what lies below the first level; plain members of the first level are no slots
	everything                  // flat objects: every member
	arguments                   // of tool calls
)

// slotFormOf reads the form from the schema of the answers.
func slotFormOf(out rung.Output) slotForm {
	if out.Kind == rung.Tools {
		return arguments
	}
	schema := readValue(out.Schema)
	properties := schema.get("properties")
	form := everything
	for i := range properties.members {
		m := &properties.members[i]
		if m.key == "slots" {
			return slotsMember
		}
		if nested(&schema, &m.value, 0) {
			form = belowFirst
		}
	}
	return form
}

// nested reports whether a property's schema allows objects, or lists of objects.
func nested(root, schema *value, depth int) bool {
	if depth > 8 {
		return false
	}
	if ref := schema.get("$ref"); ref.kind == 's' {
		target := follow(root, ref.text)
		return nested(root, &target, depth+1)
	}
	if items := schema.get("items"); items.kind == '{' {
		return nested(root, &items, depth+1)
	}
	for _, key := range []string{"anyOf", "oneOf", "allOf"} {
		alternatives := schema.get(key)
		for i := range alternatives.items {
			if nested(root, &alternatives.items[i], depth+1) {
				return true
			}
		}
	}
	return allowsObject(schema)
}

func allowsObject(schema *value) bool {
	if schema.get("properties").kind == '{' {
		return true
	}
	t := schema.get("type")
	if t.kind == '[' {
		return slices.ContainsFunc(t.items, func(v value) bool { return v.text == "object" })
	}
	return t.text == "object"
}

// follow resolves a local reference such as #/$defs/slot.
func follow(root *value, ref string) value {
	rest, ok := strings.CutPrefix(ref, "#/")
	if !ok {
		return value{}
	}
	at := *root
	for _, name := range strings.Split(rest, "/") {
		at = at.get(strings.NewReplacer("~1", "/", "~0", "~").Replace(name))
	}
	return at
}

// slots are the slots of v. An object in a list is one slot, right only as a whole: an entity with the wrong type is wrong.
func (f slotForm) slots(v *value) []pair {
	switch f {
	case slotsMember:
		s := v.get("slots")
		return bundled(nil, &s, "")
	case arguments:
		var out []pair
		for _, c := range calls(v) {
			out = bundled(out, &c.arguments, c.name)
		}
		return out
	case belowFirst:
		var out []pair
		for i := range v.members {
			if m := &v.members[i]; m.value.kind == '{' || m.value.kind == '[' {
				out = bundled(out, &m.value, m.key)
			}
		}
		return out
	}
	return bundled(nil, v, "")
}

// bundled is leaves with every object in a list taken as one value.
func bundled(out []pair, v *value, path string) []pair {
	switch v.kind {
	case 0:
		return out
	case '{':
		for i := range v.members {
			m := &v.members[i]
			out = bundled(out, &m.value, join(path, m.key))
		}
		return out
	case '[':
		for i := range v.items {
			if item := &v.items[i]; item.kind == '{' {
				out = append(out, pair{path, item.canonical()})
			} else {
				out = bundled(out, item, path)
			}
		}
		return out
	}
	return append(out, pair{path, v.canonical()})
}

// call is one tool call.
type call struct {
	name      string
	arguments value
}

// calls are the tool calls of an answer: one object {"name", "arguments"} or a list of them.
func calls(v *value) []call {
	list := v.items
	if v.kind == '{' {
		list = []value{*v}
	}
	out := make([]call, 0, len(list))
	for i := range list {
		c := call{name: list[i].get("name").text, arguments: list[i].get("arguments")}
		if c.arguments.kind == 0 {
			c.arguments.kind = '{' // none given: none there
		}
		out = append(out, c)
	}
	return out
}

// callFields are the fields of tool calls: the name of each, and its arguments under that name.
func callFields(v *value) []pair {
	var out []pair
	for _, c := range calls(v) {
		out = append(out, pair{path: c.name, leaf: "call"})
		out = leaves(out, &c.arguments, join(c.name, "arguments"))
	}
	return out
}

// canonicalCalls is the canonical form of tool calls in any order.
func canonicalCalls(v *value) string {
	if v.kind != '{' && v.kind != '[' {
		return v.canonical()
	}
	list := calls(v)
	texts := make([]string, len(list))
	for i := range list {
		name := value{kind: 's', text: list[i].name}
		texts[i] = string(list[i].arguments.appendCanonical(append(name.appendCanonical(nil), ':')))
	}
	slices.Sort(texts)
	return strings.Join(texts, "\n")
}

// hits is how many pairs two sorted bags have in common.
func hits(got, want []pair) int {
	n, i, j := 0, 0, 0
	for i < len(got) && j < len(want) {
		switch c := got[i].compare(want[j]); {
		case c == 0:
			n++
			i++
			j++
		case c < 0:
			i++
		default:
			j++
		}
	}
	return n
}
