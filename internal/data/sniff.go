package data

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/rung-dev/rung"
)

// Sniffed is what a file of examples looks like before there is a task for it.
type Sniffed struct {
	Rows    int
	Fields  []rung.Field      // keys that every row has, each with one type
	Chat    bool              // OpenAI chat fine-tuning rows; the only field is text
	Outputs []json.RawMessage // different outputs, at most maxSniffed
	Many    bool              // there are more different outputs than Outputs holds
	Answers int               // rows that have an output
	Dropped []string          // keys left out of Fields: missing, null or of changing type in some rows
}

// maxSniffed bounds the different outputs that are kept.
const maxSniffed = 1000

// Sniff reads a file of examples to find its fields and outputs. Rows that cannot be read are its error, as rung.Errors.
func Sniff(ctx context.Context, path string) (*Sniffed, error) {
	im := newImporter(&rung.Task{Output: rung.Output{Kind: rung.Text}}, nil)
	s := &sniffer{types: map[string]string{}, rows: map[string]int{}, outputs: map[string]bool{}}
	im.sniff = true
	im.take = func(members []member) {
		im.out.Rows++
		s.row(members)
	}
	im.open(path)
	if err := im.file(ctx, path); err != nil {
		return nil, err
	}
	if im.faults == 0 && s.out.Rows == 0 {
		im.faultAt(im.name, "the file holds no examples", "add rows with input and output")
	}
	if len(im.out.Faults) > 0 {
		return nil, im.out.Faults
	}
	return s.finish(), nil
}

type sniffer struct {
	out     Sniffed
	order   []string          // fields as they first appear
	types   map[string]string // field → its type, "" when it changes
	rows    map[string]int    // field → rows that have it
	outputs map[string]bool
}

func (s *sniffer) row(members []member) {
	s.out.Rows++
	get := func(key string) []byte {
		for _, m := range members {
			if string(m.key) == key {
				return m.value
			}
		}
		return nil
	}
	output := get("output")
	if output == nil {
		output = get("label")
	}
	switch input := get("input"); {
	case len(input) > 0 && input[0] == '{':
		var o objectReader
		if inner, err := o.members(input, nil); err == nil {
			s.fields(inner, nil)
		}
	case input != nil:
		s.fields([]member{{[]byte("text"), input}}, nil)
	case get("messages") != nil && output == nil:
		s.out.Chat = true
		s.fields([]member{{[]byte("text"), []byte(`""`)}}, nil)
		output = lastAnswer(get("messages"))
	default:
		s.fields(members, meta)
	}
	s.output(output)
}

func lastAnswer(messages []byte) []byte {
	var turns []message
	if json.Unmarshal(messages, &turns) != nil {
		return nil
	}
	for i := len(turns) - 1; i >= 0; i-- {
		if turns[i].Role != "assistant" {
			continue
		}
		if text, ok := turns[i].text(); ok {
			return quote(nil, text)
		}
	}
	return nil
}

func (s *sniffer) fields(members []member, without []string) {
next:
	for _, m := range members {
		key := string(m.key)
		for _, w := range without {
			if w == key {
				continue next
			}
		}
		typ := typeOf(m.value)
		if s.rows[key]++; s.rows[key] == 1 {
			s.order = append(s.order, key)
			s.types[key] = typ
		}
		switch was := s.types[key]; {
		case was == typ:
		case was == "number" && typ == "integer", was == "integer" && typ == "number":
			s.types[key] = "number"
		default:
			s.types[key] = ""
		}
	}
}

// typeOf is the field type of a JSON value, empty for null.
func typeOf(value []byte) string {
	for _, typ := range []string{"string", "integer", "number", "boolean", "array", "object"} {
		if hasType(value, typ) {
			return typ
		}
	}
	return ""
}

func (s *sniffer) output(value []byte) {
	if value == nil {
		return
	}
	s.out.Answers++
	text := string(value)
	if s.outputs[text] {
		return
	}
	if len(s.outputs) == maxSniffed {
		s.out.Many = true
		return
	}
	s.outputs[text] = true
	s.out.Outputs = append(s.out.Outputs, json.RawMessage(text))
}

func (s *sniffer) finish() *Sniffed {
	for _, key := range s.order {
		valid := key != "" && strings.IndexFunc(key, func(c rune) bool {
			return c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z')
		}) < 0 && (key[0] < '0' || key[0] > '9')
		if s.rows[key] == s.out.Rows && s.types[key] != "" && valid {
			s.out.Fields = append(s.out.Fields, rung.Field{Name: key, Type: s.types[key]})
			continue
		}
		s.out.Dropped = append(s.out.Dropped, key)
	}
	return &s.out
}
