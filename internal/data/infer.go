package data

import (
	"bytes"
	"encoding/json"
	"slices"
)

// shape is what a set of JSON values have in common, on the way to a JSON Schema.
type shape struct {
	types  []string
	seen   int // objects
	order  []string
	fields map[string]*shape
	counts map[string]int
	items  *shape
}

// InferSchema writes a JSON Schema that all the values meet: their types, the properties of objects in the order in which
// they first appear, and those that every object has as required.
func InferSchema(values []json.RawMessage) json.RawMessage {
	var s shape
	for _, v := range values {
		s.add(v)
	}
	var b bytes.Buffer
	s.write(&b)
	var out bytes.Buffer
	if err := json.Indent(&out, b.Bytes(), "", "  "); err != nil {
		return b.Bytes()
	}
	return append(out.Bytes(), '\n')
}

func (s *shape) add(value []byte) {
	typ := typeOf(value)
	if typ == "" {
		typ = "null"
	}
	if typ == "integer" && slices.Contains(s.types, "number") {
		typ = "number"
	}
	if i := slices.Index(s.types, "integer"); typ == "number" && i >= 0 {
		s.types[i] = "number"
	}
	if !slices.Contains(s.types, typ) {
		s.types = append(s.types, typ)
	}
	switch typ {
	case "object":
		s.addObject(value)
	case "array":
		var items []json.RawMessage
		if json.Unmarshal(value, &items) != nil {
			return
		}
		if s.items == nil {
			s.items = &shape{}
		}
		for _, item := range items {
			s.items.add(item)
		}
	}
}

func (s *shape) addObject(value []byte) {
	var o objectReader
	members, err := o.members(value, nil)
	if err != nil {
		return
	}
	s.seen++
	if s.fields == nil {
		s.fields, s.counts = map[string]*shape{}, map[string]int{}
	}
	for _, m := range members {
		key := string(m.key)
		if s.fields[key] == nil {
			s.fields[key] = &shape{}
			s.order = append(s.order, key)
		}
		s.counts[key]++
		s.fields[key].add(m.value)
	}
}

func (s *shape) write(b *bytes.Buffer) {
	if len(s.types) == 0 {
		b.WriteString("{}")
		return
	}
	types, _ := json.Marshal(s.types)
	if len(s.types) == 1 {
		types, _ = json.Marshal(s.types[0])
	}
	b.WriteString(`{"type":`)
	b.Write(types)
	if s.seen > 0 {
		s.writeProperties(b)
	}
	if s.items != nil && len(s.items.types) > 0 {
		b.WriteString(`,"items":`)
		s.items.write(b)
	}
	b.WriteByte('}')
}

func (s *shape) writeProperties(b *bytes.Buffer) {
	required := []string{}
	b.WriteString(`,"properties":{`)
	for i, key := range s.order {
		if i > 0 {
			b.WriteByte(',')
		}
		name, _ := json.Marshal(key)
		b.Write(name)
		b.WriteByte(':')
		s.fields[key].write(b)
		if s.counts[key] == s.seen {
			required = append(required, key)
		}
	}
	names, _ := json.Marshal(required)
	b.WriteString(`},"required":`)
	b.Write(names)
	b.WriteString(`,"additionalProperties":false`)
}
