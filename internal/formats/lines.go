package formats

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/rows"
)

// loseMeta counts what a format without places for it leaves out.
func loseMeta(l *losses, r *rung.DatasetRow, held ...string) error {
	for _, c := range []struct {
		role string
		has  bool
	}{{"id", r.ID != ""}, {"alternatives", len(r.Alternatives) > 0}, {"segment", r.Segment != ""}, {"group", r.Group != ""}, {"split", r.Split != ""}, {"time", r.Time != ""},
		{"person", r.Person != ""}, {"source", r.Source != ""}, {"failure_modes", len(r.Modes) > 0}, {"counter_of", r.Counter != ""}, {"generated", r.Generated != nil}} {
		if c.has && !slices.Contains(held, c.role) {
			if err := l.lose(r, "%s left out", c.role); err != nil {
				return err
			}
		}
	}
	return nil
}

// inputs are the fields of a row's input.
func inputs(r *rung.DatasetRow) (map[string]json.RawMessage, error) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(r.Input, &m); err != nil {
		return nil, &rung.Error{Code: rung.CodeInput, Place: r.ID, What: "the input is no object", Do: "write the row as {\"input\": {…}, \"output\": …}"}
	}
	return m, nil
}

// oneText is the input as one text: the only field when it is called text and is one, or else its JSON, which is reported.
func oneText(l *losses, r *rung.DatasetRow) (string, error) {
	m, err := inputs(r)
	if err != nil {
		return "", err
	}
	if text, ok := scalarText(m["text"]); ok && len(m) == 1 {
		return text, nil
	}
	if len(m) == 1 {
		for name, v := range m {
			if text, ok := scalarText(v); ok {
				return text, l.lose(r, "name of the input field %s", name)
			}
		}
	}
	return string(r.Input), l.lose(r, "input of several fields, or not text, written as JSON")
}

// outputText is the output as text: itself, or its JSON, which is reported.
func outputText(l *losses, r *rung.DatasetRow) (string, error) {
	if text, ok := scalarText(r.Output); ok {
		return text, nil
	}
	return string(r.Output), l.lose(r, "output that is not text, written as JSON")
}

func textLine(l *losses, r *rung.DatasetRow) ([]byte, error) {
	text, err := oneText(l, r)
	if err != nil {
		return nil, err
	}
	if r.Output != nil {
		if err := l.lose(r, "output left out"); err != nil {
			return nil, err
		}
	}
	if strings.ContainsAny(text, "\r\n") {
		text = strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ").Replace(text)
		if err := l.lose(r, "line ends within texts made spaces"); err != nil {
			return nil, err
		}
	}
	if strings.TrimSpace(text) == "" {
		if err := l.lose(r, "texts that are empty"); err != nil {
			return nil, err
		}
	}
	return []byte(text), loseMeta(l, r)
}

// chatTurns are the turns of a row: those before the answer, and the tools.
func chatTurns(l *losses, r *rung.DatasetRow) (list []json.RawMessage, tools json.RawMessage, err error) {
	m, err := inputs(r)
	if err != nil {
		return nil, nil, err
	}
	turn := func(role string, content json.RawMessage) json.RawMessage {
		return object("role", quote(role), "content", content)
	}
	_, isText := scalarText(m["text"])
	_, isSystem := scalarText(m["system"])
	var messages []json.RawMessage
	switch {
	case m["messages"] != nil && len(m) <= 2 && (len(m) == 1 || m["tools"] != nil) && json.Unmarshal(m["messages"], &messages) == nil:
		return messages, m["tools"], nil
	case isText && (len(m) == 1 || len(m) == 2 && isSystem):
		if isSystem {
			list = append(list, turn("system", m["system"]))
		}
		return append(list, turn("user", m["text"])), nil, nil
	}
	text, err := oneText(l, r)
	return []json.RawMessage{turn("user", quote(text))}, nil, err
}

func chatLine(l *losses, r *rung.DatasetRow) ([]byte, error) {
	list, tools, err := chatTurns(l, r)
	if err != nil {
		return nil, err
	}
	if r.Output != nil {
		last, err := assistant(l, r, tools != nil)
		if err != nil {
			return nil, err
		}
		list = append(list, last)
	}
	b, err := encode(list)
	if err != nil {
		return nil, err
	}
	return object("messages", json.RawMessage(b), "tools", tools), loseMeta(l, r)
}

// assistant is the turn of the answer: text, or tool calls where the row has tools and the output is calls.
func assistant(l *losses, r *rung.DatasetRow, tools bool) (json.RawMessage, error) {
	if calls := callsOf(r.Output); tools && calls != nil {
		type function struct {
			Name      string `json:"name"`
			Arguments string `json:"arguments"`
		}
		type item struct {
			ID       string   `json:"id"`
			Type     string   `json:"type"`
			Function function `json:"function"`
		}
		var items []item
		for i, c := range calls {
			items = append(items, item{fmt.Sprintf("call_%d", i+1), "function", function{c.Name, string(c.Arguments)}})
		}
		b, err := encode(items)
		if err != nil {
			return nil, err
		}
		return object("role", quote("assistant"), "tool_calls", json.RawMessage(b)), nil
	}
	text, err := outputText(l, r)
	return object("role", quote("assistant"), "content", quote(text)), err
}

// callsOf reads an output that is a call or a list of them, nil for anything else.
func callsOf(output json.RawMessage) []call {
	var list []call
	if output[0] == '{' {
		var c call
		if json.Unmarshal(output, &c) == nil {
			list = []call{c}
		}
	} else if json.Unmarshal(output, &list) != nil {
		return nil
	}
	for _, c := range list {
		if c.Name == "" || len(c.Arguments) == 0 || c.Arguments[0] != '{' {
			return nil
		}
	}
	return list
}

func shareLine(l *losses, r *rung.DatasetRow) ([]byte, error) {
	list, tools, err := chatTurns(l, r)
	if err != nil {
		return nil, err
	}
	names := map[string]string{"user": "human", "assistant": "gpt", "system": "system", "tool": "tool"}
	var out []json.RawMessage
	for _, raw := range list {
		var t turn
		if err := json.Unmarshal(raw, &t); err != nil {
			return nil, fmt.Errorf("a turn of row %s: %w", r.ID, err)
		}
		text, ok := t.text()
		if !ok || len(t.ToolCalls) > 0 || names[t.Role] == "" {
			text = string(raw)
			if err := l.lose(r, "turns that are not text, written as JSON"); err != nil {
				return nil, err
			}
		}
		name := names[t.Role]
		if name == "" {
			name = "system"
		}
		out = append(out, object("from", quote(name), "value", quote(text)))
	}
	if tools != nil {
		if err := l.lose(r, "tools left out"); err != nil {
			return nil, err
		}
	}
	if r.Output != nil {
		text, err := outputText(l, r)
		if err != nil {
			return nil, err
		}
		out = append(out, object("from", quote("gpt"), "value", quote(text)))
	}
	b, err := encode(out)
	if err != nil {
		return nil, err
	}
	return object("id", quote(r.ID), "conversations", json.RawMessage(b)), loseMeta(l, r, "id")
}

func alpacaLine(l *losses, r *rung.DatasetRow) ([]byte, error) {
	m, err := inputs(r)
	if err != nil {
		return nil, err
	}
	own := m["instruction"] != nil
	for name, v := range m {
		_, isText := scalarText(v)
		own = own && isText && slices.Contains([]string{"instruction", "input", "system"}, name)
	}
	instruction, input, system := m["instruction"], m["input"], m["system"]
	if !own {
		text, err := oneText(l, r)
		if err != nil {
			return nil, err
		}
		if len(m) == 1 && m["text"] != nil {
			if err := l.lose(r, "name of the input field text"); err != nil {
				return nil, err
			}
		}
		instruction, input, system = quote(text), json.RawMessage(`""`), nil
	}
	output := json.RawMessage(nil)
	if r.Output != nil {
		text, err := outputText(l, r)
		if err != nil {
			return nil, err
		}
		output = quote(text)
	} else if err := l.lose(r, "output missing, which the format always has"); err != nil {
		return nil, err
	} else {
		output = json.RawMessage(`""`)
	}
	return object("instruction", instruction, "input", input, "output", output, "system", system), loseMeta(l, r)
}

// studioLine writes a task of Label Studio: the input as data, the output as a text area that people can correct, the rest under meta.
func studioLine(l *losses, r *rung.DatasetRow) ([]byte, error) {
	meta := *r
	meta.Input, meta.Output = nil, nil
	kept, err := encode(struct {
		rung.DatasetRow
		Input  *struct{} `json:"input,omitempty"`
		JSON   bool      `json:"output_is_json,omitempty"`
		Output *struct{} `json:"output,omitempty"`
	}{DatasetRow: meta, JSON: r.Output != nil && r.Output[0] != '"'})
	if err != nil {
		return nil, err
	}
	annotations := []json.RawMessage{}
	if r.Output != nil {
		text, ok := scalarText(r.Output)
		if !ok {
			text = string(r.Output)
		}
		value := object("text", json.RawMessage("["+string(quote(text))+"]"))
		result := object("type", quote("textarea"), "from_name", quote("output"), "to_name", quote("input"), "value", value)
		annotations = append(annotations, object("result", json.RawMessage("["+string(result)+"]")))
	}
	b, err := encode(annotations)
	if err != nil {
		return nil, err
	}
	_ = l // it holds all
	return object("data", r.Input, "annotations", json.RawMessage(b), "meta", object("rung", json.RawMessage(kept))), nil
}

// promptfooLine writes a test: the output as an assertion of type equals; with other right answers, a set of which one must hold.
func promptfooLine(l *losses, r *rung.DatasetRow) ([]byte, error) {
	if strings.Contains(string(r.Input), "{{") || strings.Contains(string(r.Input), "{%") {
		if err := l.lose(r, "{{ or {%% in the input, which promptfoo takes as a template"); err != nil {
			return nil, err
		}
	}
	var x rows.Extractor
	columns, err := flat(&x, r)
	if err != nil {
		return nil, err
	}
	var meta []any
	for _, c := range columns {
		if slices.Contains(roles, c.name) && c.name != "output" && c.name != "alternatives" {
			meta = append(meta, c.name, c.value)
		}
	}
	equals := func(v json.RawMessage) string { return string(object("type", quote("equals"), "value", v)) }
	var assert json.RawMessage
	switch {
	case r.Output == nil && len(r.Alternatives) > 0:
		return nil, &rung.Error{Code: rung.CodeInput, Place: r.ID, What: "the row has alternatives and no output", Do: "correct it"}
	case r.Output == nil:
	case len(r.Alternatives) == 0:
		assert = json.RawMessage("[" + equals(r.Output) + "]")
	default:
		list := []string{equals(r.Output)}
		for _, a := range r.Alternatives {
			list = append(list, equals(a))
		}
		threshold := json.RawMessage(fmt.Sprintf("%.4f", 0.99/float64(len(list))))
		assert = json.RawMessage("[" + string(object("type", quote("assert-set"), "threshold", threshold, "assert", json.RawMessage("["+strings.Join(list, ",")+"]"))) + "]")
	}
	return object("description", quote(r.ID), "vars", r.Input, "assert", assert, "metadata", object(meta...)), nil
}
