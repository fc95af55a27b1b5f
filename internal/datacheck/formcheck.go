package datacheck

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/rows"
)

// formStat holds outputs to the task's form.
type formStat struct {
	rows    int
	breaks  atMost
	kinds   map[string]int // what is wrong → rows
	noTools atMost         // the row's own tools are no tools at all
	oddRows atMost
	odd     map[string]int // odd word of a type → rows
	tools   int            // rows with tool definitions
}

// otherTypes are names of types that tool definitions have in the wild (Python's, mostly), and what JSON Schema calls them.
var otherTypes = map[string]string{"dict": "object", "float": "number", "double": "number", "tuple": "array", "list": "array", "str": "string", "int": "integer", "bool": "boolean", "any": "", "Any": "",
	"char": "string", "long": "integer", "HashMap": "object", "ArrayList": "array", "Array": "array", "String": "string", "Boolean": "boolean", "Integer": "integer", "Object": "object", "byte": "integer", "short": "integer", "set": "array"}

// standardTypes are JSON Schema's.
var standardTypes = map[string]bool{"object": true, "number": true, "array": true, "string": true, "integer": true, "boolean": true, "null": true}

func (f *formStat) add(form *form.Form, t *rung.Task, r *row) {
	if len(r.output) == 0 {
		return
	}
	f.rows++
	input := r.input
	err := form.Validate(r.output, input)
	var wrong *rung.Error
	if t.Output.ToolsFrom != "" && errors.As(err, &wrong) { // the tools are at fault, not the output
		fixed, changed := standardInput(input, t.Output.ToolsFrom)
		if changed {
			err = form.Validate(r.output, fixed)
		}
		if errors.As(err, &wrong) {
			f.noTools.add(exampleOf(r, string(r.inText), wrong.What))
			return
		}
	}
	if err == nil {
		return
	}
	f.breaks.add(exampleOf(r, string(r.output), err.Error()))
	if f.kinds == nil {
		f.kinds = map[string]int{}
	}
	if kind := kindOfBreak(err.Error()); len(f.kinds) < 200 || f.kinds[kind] > 0 {
		f.kinds[kind]++
	}
}

// kindOfBreak is a fault without what differs from row to row.
func kindOfBreak(s string) string {
	if i := strings.IndexByte(s, '"'); i == 0 {
		return "no label of the task"
	}
	place, what, ok := strings.Cut(s, ": ")
	if !ok {
		return s
	}
	var parts []string
	for _, p := range strings.Split(place, ".") {
		if strings.Trim(p, "0123456789") == "" {
			p = "[]"
		}
		parts = append(parts, p)
	}
	return strings.Join(parts, ".") + ": " + rows.Clip([]byte(what), 60)
}

// odd counts types in a row's tool definitions that JSON Schema does not know.
func (f *formStat) oddTypes(r *row) {
	for i := range r.fields {
		raw := r.fields[i].Value
		if !isTools(raw) {
			continue
		}
		f.tools++
		found := map[string]bool{}
		eachType(raw, func(name string) {
			if !standardTypes[name] {
				found[name] = true
			}
		})
		if len(found) == 0 {
			continue
		}
		if f.odd == nil {
			f.odd = map[string]int{}
		}
		names := sortedKeys(found)
		for _, name := range names {
			if len(f.odd) < 200 {
				f.odd[name]++
			}
		}
		f.oddRows.add(exampleOf(r, string(r.inText), "type: "+strings.Join(names, ", type: ")))
	}
}

// eachType calls f with each word under "type" inside "parameters" of tool definitions.
func eachType(raw []byte, f func(string)) {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return
	}
	walkTypes(v, false, func(m map[string]any) {
		if s, ok := m["type"].(string); ok {
			f(s)
		}
	})
}

// walkTypes visits the schemas below "parameters". The members of "properties" are names and no keywords.
func walkTypes(v any, schema bool, visit func(map[string]any)) {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			walkTypes(x, schema, visit)
		}
	case map[string]any:
		if schema {
			visit(v)
		}
		for key, x := range v {
			switch {
			case schema && (key == "enum" || key == "default" || key == "const" || key == "examples"):
			case schema && (key == "properties" || key == "$defs" || key == "definitions"):
				if m, ok := x.(map[string]any); ok {
					for _, p := range m {
						walkTypes(p, true, visit)
					}
				}
			case schema || key == "parameters" || key == "function":
				walkTypes(x, schema || key == "parameters", visit)
			}
		}
	}
}

// standardInput is an input whose tool definitions say dict, float or tuple, in the words of JSON Schema.
func standardInput(input json.RawMessage, field string) (json.RawMessage, bool) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(input, &fields) != nil {
		return input, false
	}
	d := json.NewDecoder(bytes.NewReader(fields[field]))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return input, false
	}
	changed := false
	walkTypes(v, false, func(m map[string]any) {
		name, ok := m["type"].(string)
		if !ok || standardTypes[name] {
			return
		}
		changed = true
		if to := otherTypes[name]; to != "" {
			m["type"] = to
		} else {
			delete(m, "type") // any, or a word that nobody knows: everything fits
		}
	})
	if !changed {
		return input, false
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return input, false
	}
	fields[field] = raw
	out, err := json.Marshal(fields)
	return out, err == nil
}

func (c *checker) reportForm() {
	f := &c.scan.form
	if c.o.Form == nil {
		c.skip("breaks_form", "no task says what the outputs are to look like; name one with --task")
	} else {
		what := "outputs break the task's output form"
		if kinds := mostOf(f.kinds, 3); kinds != "" {
			what += " (" + kinds + ")"
		}
		c.find("breaks_form", Bad, f.breaks.n, f.rows, Finding{What: what, Do: "correct the rows, or the output form in the task file", Method: "every output is held to the form that the climb uses", Examples: f.breaks.kept})
		c.find("breaks_form", Bad, f.noTools.n, f.rows, Finding{What: "the row's own tool definitions are none", Do: `give a list of {"name", "description", "parameters"}, parameters a JSON Schema`, Method: "compiled as JSON Schema, also after dict, float and the like were read as object, number", Examples: f.noTools.kept})
	}
	if f.tools == 0 {
		c.skip("odd_schema", "no row brings tool definitions")
		return
	}
	c.find("odd_schema", Note, f.oddRows.n, f.tools, Finding{What: "tool definitions use types that JSON Schema does not know: " + mostOf(f.odd, 6), Do: "write object for dict, number for float, array for tuple and list: constrained decoding refuses the others. Here they were read so",
		Method: "every type in parameters against JSON Schema's seven", Examples: f.oddRows.kept})
}

// mostOf lists the commonest of counted things.
func mostOf(counts map[string]int, n int) string {
	var parts []string
	for _, s := range byCount(counts) {
		parts = append(parts, fmt.Sprintf("%s %d", s, counts[s]))
	}
	return listed(parts, n)
}
