package gateway

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
)

// ask is a request to a task, read from whichever API.
type ask struct {
	turns   []model.Message // user and assistant, in order; the last one is the user's
	tools   json.RawMessage // definitions as {"name","description","parameters"}; nil where none came
	input   json.RawMessage // given as such, in place of the last turn; nil: none
	segment string
	user    string
	dropped []string // what came and is not used
}

const maxTurns = 1000

// system notes that instructions of the caller came: the release has its own.
func (a *ask) system() { a.drop("system") }

func (a *ask) drop(what string) {
	for _, d := range a.dropped {
		if d == what {
			return
		}
	}
	a.dropped = append(a.dropped, what)
}

func (a *ask) add(role, text string) error {
	if len(a.turns) >= maxTurns {
		return bad("the conversation has more than %d turns", maxTurns)
	}
	a.turns = append(a.turns, model.Message{Role: role, Content: text})
	return nil
}

// listed refuses what is no list of messages. There may be none where the fields of the input are given as such.
func (e *envelope) listed(v gjson.Result, name string) error {
	switch {
	case v.IsArray(), !v.Exists() && (e.rung.Get("input").Exists() || e.metadata.Get("rung\\.input").Exists()):
		return nil
	case v.Exists():
		return bad("%s is not a list", name)
	}
	return bad(`the body needs %s, or the task's input fields as "rung": {"input": {…}}`, name)
}

// extras reads what all APIs share: metadata, and the member rung with its input.
func (a *ask) extras(e *envelope) error {
	a.user, a.segment = e.user, e.metadata.Get("segment").String()
	if a.user == "" {
		a.user = e.metadata.Get("user_id").String()
	}
	for _, name := range e.ignored {
		a.drop(name)
	}
	if e.many {
		return bad("a task gives one answer: leave n out")
	}
	if e.previous {
		return bad("no conversations are kept here: send the turns")
	}
	input := e.rung.Get("input")
	if !input.Exists() {
		if text := e.metadata.Get("rung\\.input"); text.Type == gjson.String {
			if err := checkJSON([]byte(text.Str)); err != nil {
				return bad("metadata rung.input: %s", err)
			}
			input = gjson.Parse(text.Str)
		}
	}
	if !input.Exists() {
		return nil
	}
	if !input.IsObject() {
		return bad("rung.input is not an object of the task's input fields")
	}
	a.input = json.RawMessage(input.Raw)
	return nil
}

// split takes the last turn, which must be the user's, from the conversation before it.
func (a *ask) split() (history []model.Message, last string, err error) {
	if a.input != nil && (len(a.turns) == 0 || a.turns[len(a.turns)-1].Role != "user") {
		return a.turns, "", nil
	}
	if len(a.turns) == 0 {
		return nil, "", bad("there is no message of the user")
	}
	n := len(a.turns) - 1
	if a.turns[n].Role != "user" {
		return nil, "", bad("the last message is not the user's")
	}
	return a.turns[:n], a.turns[n].Content, nil
}

// inputOf makes the task's input object, its members in the task's order and compact.
func (a *ask) inputOf(c *rung.Candidate, last string) (json.RawMessage, error) {
	fields, tools := c.Input, ""
	if c.Output.Kind == rung.Tools && c.Output.ToolsFrom != "" && a.tools != nil {
		tools = c.Output.ToolsFrom
		fields = nil
		for _, f := range c.Input {
			if f.Name != tools {
				fields = append(fields, f)
			}
		}
	}
	members, err := a.members(fields, last)
	if err != nil {
		return nil, err
	}
	if tools != "" {
		members[tools] = a.tools
	}
	var b bytes.Buffer
	for i, f := range c.Input {
		b.WriteByte(",{"[btoi(i == 0)])
		b.Write(appendString(nil, f.Name))
		b.WriteByte(':')
		v, ok := members[f.Name]
		if !ok {
			return nil, bad("the input needs the field %q (%s)", f.Name, f.Type)
		}
		if err := json.Compact(&b, v); err != nil {
			return nil, bad("the field %q is not JSON", f.Name)
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// members are the fields that the last turn, or the input given as such, has.
func (a *ask) members(fields []rung.Field, last string) (map[string]json.RawMessage, error) {
	members := make(map[string]json.RawMessage, len(fields)+1)
	switch {
	case a.input != nil:
		return members, objectOf(gjson.Parse(string(a.input)), fields, members)
	case len(fields) == 1 && fields[0].Type == "string":
		if strings.TrimSpace(last) == "" {
			return nil, bad("the last message has no text")
		}
		members[fields[0].Name] = appendString(nil, last)
		return members, nil
	}
	if err := checkJSON([]byte(last)); err != nil {
		return nil, bad("the task has the input fields %s: send them as a JSON object in the last message, or as rung.input (%s)", names(fields), err)
	}
	v := gjson.Parse(last)
	if len(fields) == 1 && !(v.IsObject() && v.Get(gjson.Escape(fields[0].Name)).Exists()) {
		if !typed(v, fields[0].Type) {
			return nil, bad("the input field %q is not of the type %s", fields[0].Name, fields[0].Type)
		}
		members[fields[0].Name] = json.RawMessage(v.Raw)
		return members, nil
	}
	if !v.IsObject() {
		return nil, bad("the task has the input fields %s: send them as a JSON object in the last message, or as rung.input", names(fields))
	}
	return members, objectOf(v, fields, members)
}

func names(fields []rung.Field) string {
	list := make([]string, len(fields))
	for i, f := range fields {
		list[i] = f.Name
	}
	return strings.Join(list, ", ")
}

// objectOf takes the members of v that are fields; any other is refused.
func objectOf(v gjson.Result, fields []rung.Field, into map[string]json.RawMessage) (err error) {
	v.ForEach(func(key, value gjson.Result) bool {
		for _, f := range fields {
			if f.Name != key.Str {
				continue
			}
			if !typed(value, f.Type) {
				err = bad("the input field %q is not of the type %s", f.Name, f.Type)
			}
			into[f.Name] = json.RawMessage(value.Raw)
			return err == nil
		}
		err = bad("the task has no input field %q; it has %s", clipName(key.Str), names(fields))
		return false
	})
	return err
}

func typed(v gjson.Result, kind string) bool {
	switch kind {
	case "string":
		return v.Type == gjson.String
	case "number":
		return v.Type == gjson.Number
	case "integer":
		return v.Type == gjson.Number && !strings.ContainsAny(v.Raw, ".eE")
	case "boolean":
		return v.Type == gjson.True || v.Type == gjson.False
	case "array":
		return v.IsArray()
	}
	return v.IsObject()
}

// toolsOf reads tool definitions of any API into rung's own form: {"name","description","parameters"}.
func toolsOf(v gjson.Result) (json.RawMessage, error) {
	if !v.IsArray() || v.Get("#").Int() == 0 {
		return nil, nil
	}
	var b bytes.Buffer
	var err error
	v.ForEach(func(_, t gjson.Result) bool {
		if f := t.Get("function"); f.IsObject() { // chat completions wrap it
			t = f
		}
		name := t.Get("name")
		if name.Type != gjson.String || name.Str == "" {
			err = bad("a tool has no name, or is not a function")
			return false
		}
		b.WriteByte(",["[btoi(b.Len() == 0)])
		b.WriteString(`{"name":` + name.Raw)
		if d := t.Get("description"); d.Type == gjson.String {
			b.WriteString(`,"description":` + d.Raw)
		}
		params := t.Get("parameters")
		if !params.IsObject() {
			params = t.Get("input_schema") // Anthropic's name for it
		}
		if params.IsObject() {
			b.WriteString(`,"parameters":` + params.Raw)
		}
		b.WriteByte('}')
		return true
	})
	if err != nil {
		return nil, err
	}
	b.WriteByte(']')
	return b.Bytes(), nil
}

// textOf is a content that is a text or parts of text; what a task cannot read, such as an image, is an error.
func textOf(v gjson.Result) (string, error) {
	switch {
	case v.Type == gjson.String:
		return v.Str, nil
	case v.Type == gjson.Null:
		return "", nil
	case !v.IsArray():
		return "", bad("a message's content is neither text nor a list of parts")
	}
	var b strings.Builder
	var err error
	v.ForEach(func(_, part gjson.Result) bool {
		switch kind := part.Get("type").Str; kind {
		case "text", "input_text", "output_text", "refusal":
			b.WriteString(part.Get("text").String())
			b.WriteString(part.Get("refusal").String())
		default:
			err = bad("tasks read text, and a message has a part of the type %q", clipName(kind))
		}
		return err == nil
	})
	return b.String(), err
}

// callText is a tool call of an earlier turn as a model of ours writes it.
func callText(name, arguments string) string {
	if !gjson.Valid(arguments) {
		arguments = string(appendString(nil, arguments))
	}
	return `{"name":` + string(appendString(nil, name)) + `,"arguments":` + arguments + `}`
}
