package curate

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// shape is what the rows' JSON looks like over all rows: the features that Hugging Face's datasets needs, since it would else take them
// from the first file and refuse the next one where a key is missing.
type shape struct {
	root kind
}

// kind is a JSON value's type, over many values.
type kind struct {
	seen  uint8
	items *kind
	keys  []string
	of    map[string]*kind
}

const (
	isString = 1 << iota
	isInt
	isFloat
	isBool
	isList
	isObject
)

// Bounds on what the shape describes: deeper or wider values are not described at all.
const (
	maxShapeDepth = 8
	maxShapeKeys  = 200
)

func (s *shape) add(raw []byte) {
	dec := jsontext.NewDecoder(bytes.NewReader(raw))
	s.value(dec, &s.root, 0)
}

func (s *shape) value(dec *jsontext.Decoder, k *kind, depth int) {
	switch c := dec.PeekKind(); {
	case c == '{' && depth < maxShapeDepth:
		k.seen |= isObject
		s.object(dec, k, depth)
		return
	case c == '[' && depth < maxShapeDepth:
		k.seen |= isList
		if k.items == nil {
			k.items = &kind{}
		}
		_, _ = dec.ReadToken() // rows are valid JSON
		for dec.PeekKind() != ']' && dec.PeekKind() > 0 {
			s.value(dec, k.items, depth+1)
		}
		_, _ = dec.ReadToken()
		return
	case c == '"':
		k.seen |= isString
	case c == 't' || c == 'f':
		k.seen |= isBool
	case c == '0':
		v, _ := dec.ReadValue()
		if bytes.ContainsAny(v, ".eE") {
			k.seen |= isFloat
		} else {
			k.seen |= isInt
		}
		return
	case c == '{' || c == '[':
		k.seen |= isObject | isString // too deep to be described
	}
	_ = dec.SkipValue()
}

func (s *shape) object(dec *jsontext.Decoder, k *kind, depth int) {
	if k.of == nil {
		k.of = map[string]*kind{}
	}
	_, _ = dec.ReadToken()
	for dec.PeekKind() != '}' && dec.PeekKind() > 0 {
		t, err := dec.ReadToken()
		if err != nil {
			return
		}
		name := t.String()
		sub := k.of[name]
		if sub == nil {
			if len(k.keys) >= maxShapeKeys {
				k.seen |= isString
				_ = dec.SkipValue()
				continue
			}
			sub = &kind{}
			k.of[name], k.keys = sub, append(k.keys, name)
		}
		s.value(dec, sub, depth+1)
	}
	_, _ = dec.ReadToken()
}

// mixed is the path of a value that has several types, which Hugging Face's datasets cannot load; empty where there is none.
func (k *kind) mixed(path string) string {
	one := k.seen
	if one&isFloat != 0 {
		one &^= isInt
	}
	if one&(one-1) != 0 {
		return path
	}
	if k.items != nil {
		if at := k.items.mixed(path + "[]"); at != "" {
			return at
		}
	}
	for _, name := range k.keys {
		if at := k.of[name].mixed(strings.TrimPrefix(path+"."+name, ".")); at != "" {
			return at
		}
	}
	return ""
}

// features writes the features of the rows as the head of a card has them.
func (k *kind) features(b *strings.Builder, indent string) {
	for _, name := range rowOrder(k.keys) {
		fmt.Fprintf(b, "%s- name: %s\n", indent, yamlText(name))
		k.of[name].typed(b, indent+"  ")
	}
}

func (k *kind) typed(b *strings.Builder, indent string) {
	switch {
	case k.seen&isObject != 0 && len(k.keys) > 0:
		fmt.Fprintf(b, "%sstruct:\n", indent)
		k.features(b, indent)
	case k.seen&isList != 0 && k.items.seen&isObject != 0:
		fmt.Fprintf(b, "%slist:\n", indent)
		k.items.features(b, indent)
	case k.seen&isList != 0:
		fmt.Fprintf(b, "%slist: %s\n", indent, k.items.plain())
	default:
		fmt.Fprintf(b, "%sdtype: %s\n", indent, k.plain())
	}
}

func (k *kind) plain() string {
	switch {
	case k.seen&isFloat != 0:
		return "float64"
	case k.seen&isInt != 0:
		return "int64"
	case k.seen&isBool != 0:
		return "bool"
	case k.seen == 0:
		return "null"
	}
	return "string"
}

// rowOrder puts the keys of a row into the order in which rows have them; other keys stay as they first appeared.
func rowOrder(keys []string) []string {
	order := []string{"id", "input", "output", "alternatives", "segment", "group", "split", "time", "person", "source"}
	out := slices.Clone(keys)
	slices.SortStableFunc(out, func(a, b string) int {
		return rank(order, a) - rank(order, b)
	})
	return out
}

func rank(order []string, key string) int {
	if i := slices.Index(order, key); i >= 0 {
		return i
	}
	return len(order)
}

// yamlText writes a text for YAML: bare where nothing can be misread, else in quotes.
func yamlText(s string) string {
	bare := s != ""
	for i, c := range s {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '-' && c != '.') {
			bare = false
		}
	}
	switch strings.ToLower(s) {
	case "true", "false", "yes", "no", "on", "off", "null", "y", "n":
		bare = false
	}
	if bare {
		return s
	}
	b, err := jsontext.AppendQuote(nil, s)
	if err != nil {
		return `""`
	}
	return string(b)
}
