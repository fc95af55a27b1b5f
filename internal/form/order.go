package form

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// maxDepth bounds nesting, so that hostile input cannot exhaust the stack.
const maxDepth = 200

var errDepth = errors.New("JSON is nested too deeply")

// node is a JSON value that keeps the order of its members.
type node struct {
	raw     json.RawMessage // scalars
	members []member
	items   []*node
	kind    byte // '{', '[', or 0 for a scalar
}

type member struct {
	key   string
	value *node
}

// get is the value of the last member named key, nil when there is none.
func (n *node) get(key string) *node {
	if n == nil || n.kind != '{' {
		return nil
	}
	for i := len(n.members) - 1; i >= 0; i-- {
		if n.members[i].key == key {
			return n.members[i].value
		}
	}
	return nil
}

// str is the string that n holds, empty when it is none.
func (n *node) str() string {
	var s string
	if n == nil || n.kind != 0 || json.Unmarshal(n.raw, &s) != nil {
		return ""
	}
	return s
}

// parseNode reads exactly one JSON value.
func parseNode(b []byte) (*node, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	n, err := readNode(dec, 0)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return n, nil
}

func readNode(dec *json.Decoder, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, errDepth
	}
	tok, err := dec.Token()
	if err != nil {
		return nil, err
	}
	delim, ok := tok.(json.Delim)
	if !ok {
		raw, err := marshal(tok)
		return &node{raw: raw}, err
	}
	if delim == '{' {
		return readObject(dec, depth)
	}
	return readArray(dec, depth)
}

func readObject(dec *json.Decoder, depth int) (*node, error) {
	n := &node{kind: '{'}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, err
		}
		value, err := readNode(dec, depth+1)
		if err != nil {
			return nil, err
		}
		n.members = append(n.members, member{key.(string), value})
	}
	_, err := dec.Token()
	return n, err
}

func readArray(dec *json.Decoder, depth int) (*node, error) {
	n := &node{kind: '['}
	for dec.More() {
		item, err := readNode(dec, depth+1)
		if err != nil {
			return nil, err
		}
		n.items = append(n.items, item)
	}
	_, err := dec.Token()
	return n, err
}

// marshal is json.Marshal without HTML escapes: a model should see < and not \u003c.
func marshal(v any) (json.RawMessage, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(buf.Bytes(), "\n"), nil
}

// write appends n compactly.
func (n *node) write(buf *bytes.Buffer) {
	switch n.kind {
	case '{':
		buf.WriteByte('{')
		for i, m := range n.members {
			if i > 0 {
				buf.WriteByte(',')
			}
			key, _ := marshal(m.key)
			buf.Write(key)
			buf.WriteByte(':')
			m.value.write(buf)
		}
		buf.WriteByte('}')
	case '[':
		buf.WriteByte('[')
		for i, item := range n.items {
			if i > 0 {
				buf.WriteByte(',')
			}
			item.write(buf)
		}
		buf.WriteByte(']')
	default:
		buf.Write(n.raw)
	}
}

func (n *node) bytes() json.RawMessage {
	var buf bytes.Buffer
	n.write(&buf)
	return buf.Bytes()
}

// layout is the property order that a schema prescribes.
type layout struct {
	order []string
	props map[string]*layout
	items *layout
	alts  []*layout // of anyOf and oneOf; the first whose first property fits is taken
}

// layoutOf reads the order out of a schema. Local references are followed, each at most depth times.
func layoutOf(schema, root *node, depth int) *layout {
	if schema == nil || schema.kind != '{' || depth > 16 {
		return nil
	}
	if ref := schema.get("$ref").str(); ref != "" {
		return layoutOf(resolve(root, ref), root, depth+1)
	}
	l := &layout{}
	if props := schema.get("properties"); props != nil && props.kind == '{' {
		l.props = make(map[string]*layout, len(props.members))
		for _, m := range props.members {
			l.order = append(l.order, m.key)
			l.props[m.key] = layoutOf(m.value, root, depth+1)
		}
	}
	l.items = layoutOf(schema.get("items"), root, depth+1)
	for _, key := range []string{"anyOf", "oneOf"} {
		if alts := schema.get(key); alts != nil {
			for _, alt := range alts.items {
				l.alts = append(l.alts, layoutOf(alt, root, depth+1))
			}
		}
	}
	return l
}

// resolve follows a local reference such as #/$defs/slot.
func resolve(root *node, ref string) *node {
	if len(ref) < 2 || ref[:2] != "#/" {
		if ref == "#" {
			return root
		}
		return nil
	}
	n := root
	for _, part := range bytes.Split([]byte(ref[2:]), []byte("/")) {
		part = bytes.ReplaceAll(bytes.ReplaceAll(part, []byte("~1"), []byte("/")), []byte("~0"), []byte("~"))
		n = n.get(string(part))
	}
	return n
}

// apply puts the members of n, and of everything inside it, into the layout's order. Members that the layout does not know
// come last, in their own order.
func (l *layout) apply(n *node) {
	if l == nil || n == nil {
		return
	}
	for _, alt := range l.alts {
		if alt.fits(n) {
			alt.apply(n)
			break
		}
	}
	if n.kind == '[' {
		for _, item := range n.items {
			l.items.apply(item)
		}
	}
	if n.kind != '{' || len(l.order) == 0 {
		return
	}
	sorted := make([]member, 0, len(n.members))
	for _, key := range l.order {
		for _, m := range n.members {
			if m.key == key {
				l.props[key].apply(m.value)
				sorted = append(sorted, m)
			}
		}
	}
	for _, m := range n.members {
		if _, known := l.props[m.key]; !known {
			sorted = append(sorted, m)
		}
	}
	n.members = sorted
}

// fits reports whether n could be of this layout: an object all of whose members it knows.
func (l *layout) fits(n *node) bool {
	if l == nil || n.kind != '{' {
		return false
	}
	for _, m := range n.members {
		if _, ok := l.props[m.key]; !ok {
			return false
		}
	}
	return true
}
