package task

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/rung-dev/rung"
)

const outputDo = "write one of {labels: [a, b]}, {json_schema: schema.json}, {text: {}} and {tools: tools.json}"

func (r *reader) output(s section, input []rung.Field) rung.Output {
	n := s.need("output", outputDo)
	if n == nil {
		return rung.Output{}
	}
	if n.kind != mappingKind {
		r.fail(n.at, fmt.Sprintf("output is %s", shown(n)), outputDo)
		return rung.Output{}
	}
	out := r.section(n, "output", "output")
	many := out.flag("many_calls")
	if at := out.get("many_calls"); at != nil && out.values["tools"] == nil {
		r.fail(at.at, "output.many_calls is for tools only", "take it out")
	}
	delete(out.values, "many_calls")
	switch {
	case len(n.pairs) == 0:
		r.fail(n.at, "output is an empty mapping", outputDo)
	case len(out.values) == 0 && len(out.slips) == 0:
		r.fail(n.at, "output does not say which form an answer has", outputDo)
	case len(out.values) > 1:
		r.fail(n.at, fmt.Sprintf("output has %d forms", len(out.values)), "keep one: an answer has one form")
	case out.values["labels"] != nil:
		return rung.Output{Kind: rung.Labels, Labels: r.labels(out)}
	case out.values["text"] != nil:
		return r.textOutput(out)
	case out.values["json_schema"] != nil:
		return rung.Output{Kind: rung.JSONSchema, Schema: r.schema(out.values["json_schema"])}
	case out.values["tools"] != nil:
		tools := r.tools(out.values["tools"], input)
		tools.ManyCalls = many
		return tools
	}
	return rung.Output{}
}

func (r *reader) labels(out section) []string {
	const do = "list at least two labels, such as: labels: [billing, delivery, other]"
	if n := out.values["labels"]; n.kind == nullKind {
		r.fail(n.at, "output.labels has no value", do)
		return nil
	}
	items := out.list("labels", false, do)
	if n := out.get("labels"); n != nil && n.kind == listKind && len(n.items) == 1 {
		r.fail(n.at, "output.labels has one label only", do)
	}
	seen := map[string]string{}
	var labels []string
	for _, it := range items {
		// The parser of answers ignores case, so two labels that differ in case alone could not be told apart.
		key := strings.ToLower(strings.TrimSpace(it.text))
		if before, ok := seen[key]; ok {
			r.fail(it.at, fmt.Sprintf("the label %q is the same as %q", it.text, before), "keep one of the two; capitals and spaces at the ends do not tell labels apart")
			continue
		}
		seen[key] = it.text
		labels = append(labels, it.text)
	}
	return labels
}

func (r *reader) textOutput(out section) rung.Output {
	n := out.values["text"]
	if n.kind == nullKind {
		return rung.Output{Kind: rung.Text}
	}
	text := r.section(n, "output.text", "output.text")
	return rung.Output{Kind: rung.Text, MaxWords: text.whole("max_words", 1, 1_000_000, 0)}
}

// schema reads a path or an inline mapping. The bytes are compacted only: their property order is the order of answers.
func (r *reader) schema(n *node) json.RawMessage {
	const do = "name a JSON Schema file, or write the schema here as a mapping"
	switch n.kind {
	case stringKind:
		raw, src := r.jsonFile(n, "json_schema", do)
		if raw == nil {
			return nil
		}
		if fault := checkSchema(raw); fault != nil {
			r.errs = append(r.errs, src.err(locate(src, fault.path), "not a JSON Schema: "+fault.what, schemaDo))
		}
		return raw
	case mappingKind:
		raw := r.inline(n)
		if raw == nil {
			return nil
		}
		if fault := checkSchema(raw); fault != nil {
			r.fail(n.find(fault.path), "not a JSON Schema: "+fault.what, schemaDo)
		}
		return raw
	}
	r.fail(n.at, "output.json_schema is "+string(n.kind), do)
	return nil
}

// inline is n as JSON.
func (r *reader) inline(n *node) json.RawMessage {
	var b bytes.Buffer
	if bad := n.toJSON(&b); bad != nil {
		r.fail(bad.at, bad.text+" is no number that JSON knows", "write it as JSON would")
		return nil
	}
	return b.Bytes()
}

// jsonFile reads the JSON file that n names, compacted; nil when there is a fault, which is reported.
func (r *reader) jsonFile(n *node, key, do string) (json.RawMessage, *source) {
	name := strings.TrimSpace(n.text)
	if name == "" {
		r.fail(n.at, "output."+key+" is empty", do)
		return nil, nil
	}
	src := r.open(n.at, name)
	if src == nil {
		return nil, nil
	}
	if strings.TrimSpace(src.text) == "" {
		r.fail(n.at, name+" is empty", do)
		return nil, nil
	}
	raw, fault := compactJSON(src)
	if fault != nil {
		r.errs = append(r.errs, fault)
		return nil, nil
	}
	return raw, src
}

const toolsDo = `name a JSON file with a list of tools, write the list here, or write {from: FIELD} where every example brings its own`

func (r *reader) tools(n *node, input []rung.Field) rung.Output {
	out := rung.Output{Kind: rung.Tools}
	switch n.kind {
	case mappingKind:
		out.ToolsFrom = r.toolsFrom(n, input)
	case listKind:
		if raw := r.inline(n); raw != nil {
			tools, fault := normalTools(raw)
			if fault != nil {
				r.fail(n.find(fault.path), fault.what, fault.do)
			}
			out.Tools = tools
		}
	case stringKind:
		raw, src := r.jsonFile(n, "tools", toolsDo)
		if raw == nil {
			return out
		}
		tools, fault := normalTools(raw)
		if fault != nil {
			r.errs = append(r.errs, src.err(locate(src, fault.path), fault.what, fault.do))
		}
		out.Tools = tools
	default:
		r.fail(n.at, "output.tools is "+string(n.kind), toolsDo)
	}
	return out
}

func (r *reader) toolsFrom(n *node, input []rung.Field) string {
	s := r.section(n, "output.tools", "output.tools")
	from := s.need("from", "name the input field that holds the tools")
	name := s.text("from", "name the input field that holds the tools")
	if from == nil || name == "" {
		return ""
	}
	var names []string
	for _, f := range input {
		if f.Name == name {
			if f.Type != "array" {
				r.fail(from.at, fmt.Sprintf("the field %s holds %s, and tools are a list", name, f.Type), "give it the type array under input")
			}
			return name
		}
		names = append(names, f.Name)
	}
	r.fail(from.at, fmt.Sprintf("there is no input field %q", name), "name one of "+strings.Join(names, ", "))
	return name
}

// find is the place of the value that a path of keys and indexes leads to, as far as it goes.
func (n *node) find(path []string) pos {
	at := n.at
	for _, step := range path {
		next := n.step(step)
		if next == nil {
			break
		}
		n, at = next, next.at
	}
	return at
}

func (n *node) step(key string) *node {
	for _, p := range n.pairs {
		if p.key == key {
			return p.value
		}
	}
	for i, item := range n.items {
		if fmt.Sprint(i) == key {
			return item
		}
	}
	return nil
}
