package form

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/rung-dev/rung"
)

// toolCache keeps compiled schemas of tool lists, since examples that bring their own tools bring the same ones again and
// again: once while candidates are built and once per candidate that is scored. It is emptied when full.
type toolCache struct {
	mu sync.Mutex
	m  map[string]*compiled
}

const toolCacheSize = 4096

func (t *toolCache) get(tools json.RawMessage, many bool) (*compiled, error) {
	key := string(tools)
	t.mu.Lock()
	c, ok := t.m[key]
	t.mu.Unlock()
	if ok {
		return c, nil
	}
	schema, err := toolSchema(tools, many)
	if err != nil {
		return nil, err
	}
	c, err = compile(schema)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.m == nil || len(t.m) >= toolCacheSize {
		t.m = make(map[string]*compiled)
	}
	t.m[key] = c
	return c, nil
}

// toolSchema is the schema of a call to one of the tools, {"name": …, "arguments": {…}}, or of a list of calls.
func toolSchema(tools json.RawMessage, many bool) (json.RawMessage, error) {
	list, err := parseNode(tools)
	if err != nil || list.kind != '[' || len(list.items) == 0 {
		return nil, &rung.Error{Code: rung.CodeInput, What: "the tools are not a list of tool definitions", Do: `give [{"name", "description", "parameters"}]`, Err: err}
	}
	var buf bytes.Buffer
	if many {
		buf.WriteString(`{"type":"array","items":`)
	}
	if len(list.items) > 1 {
		buf.WriteString(`{"anyOf":[`)
	}
	for i, tool := range list.items {
		if i > 0 {
			buf.WriteByte(',')
		}
		if err := writeToolSchema(&buf, tool); err != nil {
			return nil, err
		}
	}
	if len(list.items) > 1 {
		buf.WriteString(`]}`)
	}
	if many {
		buf.WriteByte('}')
	}
	return buf.Bytes(), nil
}

func writeToolSchema(buf *bytes.Buffer, tool *node) error {
	if fn := tool.get("function"); fn != nil { // the OpenAI form wraps the definition
		tool = fn
	}
	name := tool.get("name")
	if name.str() == "" {
		return &rung.Error{Code: rung.CodeInput, What: "a tool has no name", Do: `give every tool a "name"`}
	}
	fmt.Fprintf(buf, `{"type":"object","properties":{"name":{"const":%s},"arguments":`, name.raw)
	if params := tool.get("parameters"); params != nil && params.kind == '{' {
		params.write(buf)
	} else {
		buf.WriteString(`{"type":"object"}`)
	}
	buf.WriteString(`},"required":["name","arguments"],"additionalProperties":false}`)
	return nil
}

// tools are the tool definitions that hold for input.
func (f *Form) tools(input json.RawMessage) (json.RawMessage, error) {
	if f.out.ToolsFrom == "" {
		return f.out.Tools, nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(input, &fields); err != nil {
		return nil, err
	}
	tools, ok := fields[f.out.ToolsFrom]
	if !ok {
		return nil, errors.New("the input has no field " + f.out.ToolsFrom)
	}
	return tools, nil
}
