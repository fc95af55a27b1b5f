package task

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/rung-dev/rung"
)

const schemaDo = "correct it; https://json-schema.org/understanding-json-schema shows the form"

// jsonFault is what is wrong with a JSON document, and the path of keys and indexes to it.
type jsonFault struct {
	path []string
	what string
	do   string
}

// compactJSON checks that src is one JSON value without repeated keys and compacts it, its order kept.
func compactJSON(src *source) (json.RawMessage, *rung.Error) {
	dec := jsontext.NewDecoder(strings.NewReader(src.text))
	value, err := dec.ReadValue()
	if err == nil {
		value = value.Clone()
		after := skipToToken(src.text, dec.InputOffset())
		if _, err = dec.ReadToken(); errors.Is(err, io.EOF) {
			var b bytes.Buffer
			if err := json.Compact(&b, value); err == nil {
				return b.Bytes(), nil
			}
		} else if err == nil {
			return nil, src.err(src.offset(after), "not JSON: something follows the JSON value", "keep one value in the file")
		}
	}
	what, at := jsonError(err)
	if at < 0 {
		at = dec.InputOffset()
	}
	return nil, src.err(src.offset(at), what, "correct the JSON")
}

// jsonError puts a JSON syntax error into words, with its byte offset, −1 when unknown.
func jsonError(err error) (what string, offset int64) {
	var se *jsontext.SyntacticError
	if !errors.As(err, &se) {
		return "not JSON: " + err.Error(), -1
	}
	reason := se.Err.Error()
	switch {
	case errors.Is(se.Err, io.ErrUnexpectedEOF):
		reason = "it ends too early; a bracket or quote is not closed"
	case errors.Is(se.Err, jsontext.ErrDuplicateName):
		key := se.JSONPointer.LastToken()
		return fmt.Sprintf("the key %q is in one object twice", key), se.ByteOffset
	}
	return "not JSON: " + reason, se.ByteOffset
}

// noLoading refuses references to other files and hosts.
type noLoading struct{}

func (noLoading) Load(url string) (any, error) {
	return nil, fmt.Errorf("it refers to %s; put the definition into the same schema, under $defs", url)
}

// checkSchema says what is wrong with raw as a JSON Schema, nil when nothing is.
func checkSchema(raw json.RawMessage) *jsonFault {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return &jsonFault{what: err.Error()}
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(noLoading{})
	const base = "mem:///" // references to other files must not show where this one lies
	const name = base + "schema.json"
	if err = c.AddResource(name, doc); err == nil {
		_, err = c.Compile(name)
	}
	if err == nil {
		return emptySchema(doc)
	}
	var ve *jsonschema.ValidationError
	var invalid *jsonschema.SchemaValidationError
	if errors.As(err, &invalid) && errors.As(invalid.Err, &ve) {
		leaf := ve
		for len(leaf.Causes) > 0 {
			leaf = leaf.Causes[0]
		}
		what := leaf.ErrorKind.LocalizedString(message.NewPrinter(language.English))
		if len(leaf.InstanceLocation) > 0 {
			what = strings.Join(leaf.InstanceLocation, ".") + ": " + what
		}
		return &jsonFault{path: leaf.InstanceLocation, what: what}
	}
	what, _, _ := strings.Cut(err.Error(), "\n")
	if strings.Contains(what, "it refers to ") {
		what = what[strings.Index(what, "it refers to "):]
	}
	what = strings.ReplaceAll(strings.ReplaceAll(what, name, ""), base, "")
	return &jsonFault{path: badRef(doc, what, nil), what: what}
}

// emptySchema refuses a document that is valid as a schema only because it says nothing.
func emptySchema(doc any) *jsonFault {
	m, ok := doc.(map[string]any)
	if !ok {
		return &jsonFault{what: "it is " + fmt.Sprint(doc) + ", which says nothing about an answer"}
	}
	for _, key := range []string{"type", "properties", "anyOf", "oneOf", "allOf", "enum", "const", "$ref", "items", "prefixItems", "required"} {
		if _, ok := m[key]; ok {
			return nil
		}
	}
	return &jsonFault{what: "none of its keys says anything about an answer (no type, properties, anyOf, enum, $ref)"}
}

// normalTools turns a list of tools, bare or in OpenAI's {"type": "function", "function": {…}}, into rung's form.
func normalTools(raw json.RawMessage) (json.RawMessage, *jsonFault) {
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, &jsonFault{what: "the tools are not a list", do: `write [{"name": …, "description": …, "parameters": {…}}]`}
	}
	if len(list) == 0 {
		return nil, &jsonFault{what: "the list of tools is empty", do: "add a tool"}
	}
	type tool struct {
		Name        string          `json:"name"`
		Description string          `json:"description,omitempty"`
		Parameters  json.RawMessage `json:"parameters,omitempty"`
	}
	seen := map[string]bool{}
	out := make([]tool, len(list))
	for i, item := range list {
		at := []string{strconv.Itoa(i)}
		var wrapped struct{ Function json.RawMessage }
		if json.Unmarshal(item, &wrapped) == nil && wrapped.Function != nil {
			item, at = wrapped.Function, append(at, "function")
		}
		if err := json.Unmarshal(item, &out[i]); err != nil || out[i].Name == "" {
			return nil, &jsonFault{path: at, what: "a tool has no name", do: `give it a "name" that is text`}
		}
		if seen[out[i].Name] {
			return nil, &jsonFault{path: append(at, "name"), what: fmt.Sprintf("there are two tools called %q", out[i].Name), do: "rename one"}
		}
		seen[out[i].Name] = true
		if out[i].Parameters == nil {
			continue
		}
		if fault := checkSchema(out[i].Parameters); fault != nil && len(out[i].Parameters) > len("{}") {
			return nil, &jsonFault{path: append(append(at, "parameters"), fault.path...), what: fmt.Sprintf("the parameters of %s are not a JSON Schema: %s", out[i].Name, fault.what), do: schemaDo}
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(out); err != nil {
		return nil, &jsonFault{what: err.Error(), do: "correct it"}
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

// locate is the place of the value that a path leads to in a JSON source, as far as it goes.
func locate(src *source, path []string) pos {
	dec := jsontext.NewDecoder(strings.NewReader(src.text), jsontext.AllowDuplicateNames(true))
	best, depth, key := skipToToken(src.text, 0), -1, false
	want := ""
	for _, step := range path {
		want += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(step)
	}
	for {
		before := dec.InputOffset()
		if _, err := dec.ReadToken(); err != nil {
			return src.offset(best)
		}
		ptr := string(dec.StackPointer())
		if ptr != want && !strings.HasPrefix(want, ptr+"/") {
			continue
		}
		// A key and its value have the same pointer: the key comes first, the value is what is wanted.
		d := strings.Count(ptr, "/")
		if d > depth || d == depth && key {
			key = d > depth && justReadKey(dec)
			depth, best = d, skipToToken(src.text, before)
		}
	}
}

// justReadKey reports whether the last token was the key of an object: an odd number of tokens in it.
func justReadKey(dec *jsontext.Decoder) bool {
	kind, n := dec.StackIndex(dec.StackDepth())
	return kind == '{' && n%2 == 1
}

func skipToToken(text string, off int64) int64 {
	rest := text[off:]
	return off + int64(len(rest)-len(strings.TrimLeft(rest, " \t\n,:")))
}

// badRef finds the reference that a schema cannot be compiled for: one that leads out of the document, or the one the
// compiler's message names.
func badRef(doc any, message string, path []string) []string {
	switch v := doc.(type) {
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok && (!strings.HasPrefix(ref, "#") || len(ref) > 1 && strings.Contains(message, ref[1:])) {
			return append(path, "$ref")
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if found := badRef(v[key], message, append(path[:len(path):len(path)], key)); found != nil {
				return found
			}
		}
	case []any:
		for i, item := range v {
			if found := badRef(item, message, append(path[:len(path):len(path)], strconv.Itoa(i))); found != nil {
				return found
			}
		}
	}
	return nil
}
