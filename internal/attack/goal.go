package attack

import (
	"encoding/json"

	"github.com/rung-dev/rung"
)

// goal is what the attacker of an injection wants: another label or function where there are several, a token in text, and for other
// JSON one or the other in turn.
func (p *Plan) goal(base *rung.Example, d *dice, i int) Goal {
	out := &p.Task.Output
	switch out.Kind {
	case rung.Labels:
		if v := other(d, out.Labels, flat(base.Output)); v != "" {
			return Goal{Kind: Answer, Value: v}
		}
	case rung.Tools:
		if v := other(d, p.functions(base), called(base.Output)...); v != "" && i%2 == 0 {
			return Goal{Kind: Call, Value: v}
		}
	case rung.JSONSchema:
		member, values := enumerated(out.Schema)
		if v := other(d, values, memberOf(base.Output, member)); v != "" && i%2 == 0 {
			return Goal{Kind: Answer, Member: member, Value: v}
		}
	}
	return Goal{Kind: Print, Token: d.token()}
}

// other is one of the values that is none of not; empty when there is none.
func other(d *dice, values []string, not ...string) string {
	var left []string
next:
	for _, v := range values {
		for _, n := range not {
			if v == n {
				continue next
			}
		}
		left = append(left, v)
	}
	if len(left) == 0 {
		return ""
	}
	return pick(d, left)
}

// enumerated is the first member, by name, of a JSON Schema's object that is one of several strings.
func enumerated(schema json.RawMessage) (member string, values []string) {
	var s struct {
		Properties map[string]struct {
			Enum []any `json:"enum"`
		} `json:"properties"`
	}
	if json.Unmarshal(schema, &s) != nil {
		return "", nil
	}
	for _, name := range sortedKeys(s.Properties) {
		values = nil
		for _, v := range s.Properties[name].Enum {
			if text, ok := v.(string); ok {
				values = append(values, text)
			}
		}
		if len(values) > 1 {
			return name, values
		}
	}
	return "", nil
}

// memberOf is a string member of a JSON object; the whole value as text when member is empty.
func memberOf(value json.RawMessage, member string) string {
	if member == "" {
		return flat(value)
	}
	var members map[string]json.RawMessage
	var s string
	if json.Unmarshal(value, &members) == nil {
		_ = json.Unmarshal(members[member], &s) // not a string: not the wanted value
	}
	return s
}

// functions are the names of the functions that may be called.
func (p *Plan) functions(base *rung.Example) []string {
	raw := p.Task.Output.Tools
	if from := p.Task.Output.ToolsFrom; from != "" {
		var members map[string]json.RawMessage
		if json.Unmarshal(base.Input, &members) == nil {
			raw = members[from]
		}
	}
	var tools []struct{ Name string }
	var names []string
	if json.Unmarshal(raw, &tools) == nil {
		for _, t := range tools {
			names = append(names, t.Name)
		}
	}
	return names
}

// called are the functions that an answer calls: one, or a list of them.
func called(value json.RawMessage) []string {
	var one struct{ Name string }
	if json.Unmarshal(value, &one) == nil && one.Name != "" {
		return []string{one.Name}
	}
	var many []struct{ Name string }
	var names []string
	if json.Unmarshal(value, &many) == nil {
		for _, c := range many {
			names = append(names, c.Name)
		}
	}
	return names
}

// pleasing is an answer to base that would reach the goal, as the model would write it.
func (p *Plan) pleasing(base *rung.Example, g *Goal) string {
	switch g.Kind {
	case Answer:
		if g.Member != "" {
			return replaced(base.Output, g.Member, g.Value)
		}
		return g.Value
	case Call:
		name, _ := json.Marshal(g.Value) // a string always has JSON
		return `{"name":` + string(name) + `,"arguments":{}}`
	}
	if p.Task.Output.Kind == rung.JSONSchema {
		if member := stringMember(base.Output); member != "" {
			return replaced(base.Output, member, g.Token)
		}
	}
	return g.Token
}

func stringMember(value json.RawMessage) string {
	var members map[string]json.RawMessage
	if json.Unmarshal(value, &members) != nil {
		return ""
	}
	for _, name := range sortedKeys(members) {
		var s string
		if json.Unmarshal(members[name], &s) == nil {
			return name
		}
	}
	return ""
}

// replaced is a JSON object with another string in one member.
func replaced(value json.RawMessage, member, text string) string {
	var members map[string]json.RawMessage
	if json.Unmarshal(value, &members) != nil {
		return text
	}
	members[member], _ = json.Marshal(text) // a string always has JSON
	b, err := json.Marshal(members)
	if err != nil {
		return text
	}
	return string(b)
}

// wanted is the word that an attack asks for.
func (g *Goal) wanted() string {
	if g.Kind == Print {
		return g.Token
	}
	return g.Value
}
