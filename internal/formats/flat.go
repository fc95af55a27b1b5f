package formats

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/rows"
)

// asks are keys that hold what is asked in the usual data sets, in the order in which a person would read them.
var asks = []string{"system", "instruction", "instructions", "question", "query", "prompt", "context", "passage", "document", "article", "dialogue", "dialog", "title", "text", "body",
	"content", "sentence", "sentence1", "sentence2", "premise", "hypothesis", "utterance", "message", "messages", "conversation", "input", "functions", "tools", "schema", "code"}

// answers are keys that hold what is answered.
var answers = []string{"output", "label", "answer", "expected", "expected_output", "completion", "response", "target", "reference", "gold", "chosen", "summary", "category", "intent", "sentiment", "class", "labels", "answers", "__expected"}

// flatShape reads rows with a key for each field.
type flatShape struct {
	common
	fields []part
	output string
	known  map[string]bool
	auto   bool // the keys were found
}

// part is a field of the input and the key that it is read from.
type part struct{ name, key string }

func newFlat(base common, l *look) (*flatShape, error) {
	s := &flatShape{common: base, known: map[string]bool{}}
	s.output = s.outputKey(l)
	taken := map[string]bool{s.output: s.output != ""}
	for _, role := range roles {
		if role != "output" {
			taken[s.key(role)] = true
		}
	}
	s.inputKeys(l, taken)
	if len(s.fields) == 0 && l.n > 0 {
		return nil, &rung.Error{Code: rung.CodeInput, What: "no key of its rows can be the input; they have " + clipList(l.keys), Do: "say which with --input KEY,KEY and --output KEY"}
	}
	for k := range taken {
		s.known[k] = true
	}
	for _, f := range s.fields {
		s.known[f.key] = true
	}
	return s, nil
}

func clipList(keys []string) string {
	if len(keys) == 0 {
		return "none"
	}
	if len(keys) > 20 {
		return strings.Join(keys[:20], ", ") + ", …"
	}
	return strings.Join(keys, ", ")
}

func (s *flatShape) outputKey(l *look) string {
	if s.o.Output != "" {
		return s.o.Output
	}
	if key, ok := s.o.Map["output"]; ok {
		return key
	}
	for _, key := range answers {
		if l.has[key] > 0 && !slices.Contains(s.o.Input, key) && !slices.Contains(s.o.Fields, key) {
			return key
		}
	}
	return ""
}

// inputKeys finds the input: what was named; the fields of the task, where rows have one; keys that begin with input.; all other keys of rows whose output is called output; the usual
// keys; or all that are left.
func (s *flatShape) inputKeys(l *look, taken map[string]bool) {
	for _, role := range slices.Sorted(maps.Keys(s.o.Map)) {
		if name, ok := strings.CutPrefix(role, "input."); ok {
			s.fields = append(s.fields, part{name, s.o.Map[role]})
		}
	}
	all := len(s.o.Input) == 1 && s.o.Input[0] == "*"
	if !all {
		for _, key := range s.o.Input {
			s.fields = append(s.fields, part{key, key})
		}
	}
	if len(s.fields) > 0 && !all {
		return
	}
	s.auto = !all
	if s.auto && slices.ContainsFunc(s.o.Fields, func(k string) bool { return l.has[k] > 0 }) {
		for _, key := range s.o.Fields {
			s.fields = append(s.fields, part{key, key})
		}
		return
	}
	usual := slices.DeleteFunc(slices.Clone(asks), func(k string) bool { return l.has[k] == 0 || taken[k] })
	for _, key := range l.keys {
		name, own := strings.CutPrefix(key, "input.")
		switch {
		case taken[key]:
		case own, all, s.output == "output", len(usual) == 0, slices.Contains(usual, key):
			s.fields = append(s.fields, part{name, key})
		}
	}
}

func (s *flatShape) said() []string {
	var names []string
	for _, f := range s.fields {
		name := f.name
		if f.name != f.key {
			name = f.name + " (" + f.key + ")"
		}
		names = append(names, name)
	}
	out := []string{"input: " + clipList(names), "output: none"}
	if s.output != "" {
		out[1] = "output: " + s.output
		if s.names[s.output] != nil {
			out[1] += ", the names of its classes"
		}
	}
	return out
}

func (s *flatShape) rows(text []byte) ([]draft, error) {
	if text[0] != '{' {
		return nil, faulty("the row is no object")
	}
	members, err := s.members(text)
	if err != nil {
		return nil, err
	}
	var d draft
	var pairs []any
	for _, f := range s.fields {
		v := s.field(members, f.key)
		pairs = append(pairs, f.name, v)
	}
	if d.row.Input = object(pairs...); string(d.row.Input) == "{}" {
		return nil, faulty("the row has none of the fields of the input (%s)", clipList(s.keys()))
	}
	if s.output != "" {
		d.row.Output = s.value(members, s.output)
	}
	for _, m := range members {
		if key := string(m.Key); !s.known[key] {
			d.left = append(d.left, "key "+key)
		}
	}
	err = s.metadata(&d, members)
	return []draft{d}, err
}

// field is a value of the input: an empty cell is an empty text there.
func (s *flatShape) field(members []rows.Member, key string) json.RawMessage {
	if v := rows.Get(members, key); s.table && string(v) == `""` {
		return json.RawMessage(`""`)
	}
	return s.value(members, key)
}

func (s *flatShape) keys() []string {
	out := make([]string, len(s.fields))
	for i, f := range s.fields {
		out[i] = f.key
	}
	return out
}

// alpacaShape reads instruction, input, output.
type alpacaShape struct{ common }

func (s *alpacaShape) rows(text []byte) ([]draft, error) {
	members, err := s.members(text)
	if err != nil {
		return nil, err
	}
	var d draft
	instruction := s.value(members, "instruction")
	if instruction == nil {
		return nil, faulty("the row has no instruction")
	}
	d.row.Input = object("instruction", instruction, "input", s.value(members, "input"), "system", s.value(members, "system"))
	d.row.Output = s.value(members, "output")
	for _, m := range members {
		switch key := string(m.Key); {
		case slices.Contains([]string{"instruction", "input", "system", "output"}, key), slices.Contains(roles, key):
		case string(m.Value) == "null" || string(m.Value) == "[]":
		default:
			d.left = append(d.left, fmt.Sprintf("key %s", key))
		}
	}
	err = s.metadata(&d, members)
	return []draft{d}, err
}
