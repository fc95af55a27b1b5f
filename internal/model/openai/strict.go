package openai

import (
	"bytes"
	"encoding/json"
)

// strictSchema reports whether a schema keeps OpenAI's rules for strict mode: the root is an object, every object lists all
// its properties as required and allows no others. A schema that breaks them would be refused if it were sent as strict.
func strictSchema(raw json.RawMessage) bool {
	dec := json.NewDecoder(bytes.NewReader(raw))
	var root map[string]any
	if dec.Decode(&root) != nil || root["type"] != "object" || root["anyOf"] != nil {
		return false
	}
	return strictNode(root, 0)
}

func strictNode(node any, depth int) bool {
	if depth > 64 {
		return false
	}
	switch n := node.(type) {
	case []any:
		for _, v := range n {
			if !strictNode(v, depth+1) {
				return false
			}
		}
	case map[string]any:
		return strictObject(n, depth)
	}
	return true
}

func strictObject(n map[string]any, depth int) bool {
	for _, key := range []string{"allOf", "not", "if", "patternProperties", "dependentRequired", "dependentSchemas", "oneOf"} {
		if _, ok := n[key]; ok {
			return false
		}
	}
	props, isObject := n["properties"].(map[string]any)
	if n["type"] == "object" || isObject {
		required, _ := n["required"].([]any)
		if n["additionalProperties"] != false || len(required) != len(props) {
			return false
		}
	}
	for _, p := range props {
		if !strictNode(p, depth+1) {
			return false
		}
	}
	for _, key := range []string{"items", "anyOf", "$defs", "definitions"} {
		if !strictChildren(key, n[key], depth) {
			return false
		}
	}
	return true
}

// strictChildren walks $defs, which maps names to schemas, apart from the keywords whose value is a schema or a list of them.
func strictChildren(key string, v any, depth int) bool {
	defs, ok := v.(map[string]any)
	if !ok || key == "items" {
		return strictNode(v, depth+1)
	}
	for _, d := range defs {
		if !strictNode(d, depth+1) {
			return false
		}
	}
	return true
}
