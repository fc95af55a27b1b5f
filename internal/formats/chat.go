package formats

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/rung-dev/rung/internal/records"
	"github.com/rung-dev/rung/internal/rows"
)

// turn is a turn of a chat, in OpenAI's form or ShareGPT's.
type turn struct {
	Role      string          `json:"role"`
	Content   json.RawMessage `json:"content"`
	ToolCalls []toolCall      `json:"tool_calls"`
	From      string          `json:"from"`
	Value     *string         `json:"value"`
	raw       json.RawMessage
}

type toolCall struct {
	Function struct {
		Name      string          `json:"name"`
		Arguments json.RawMessage `json:"arguments"`
	} `json:"function"`
}

// call is a tool call as an output has it.
type call struct {
	Name      string          `json:"name"`
	Arguments json.RawMessage `json:"arguments"`
}

// from are ShareGPT's names of roles.
var from = map[string]string{"human": "user", "user": "user", "gpt": "assistant", "chatgpt": "assistant", "assistant": "assistant", "bot": "assistant", "model": "assistant",
	"function_call": "assistant", "system": "system", "tool": "tool", "observation": "tool", "function_response": "tool"}

// turns reads the turns of a chat.
func turns(list []byte) ([]turn, error) {
	var raws []json.RawMessage
	if err := json.Unmarshal(list, &raws); err != nil {
		return nil, faulty("the turns are no list")
	}
	out := make([]turn, len(raws))
	for i, raw := range raws {
		t := &out[i]
		if err := json.Unmarshal(raw, t); err != nil {
			return nil, faulty("turn %d is no turn with role and content", i+1)
		}
		if t.raw = canonical(raw); t.Role == "" && t.Value != nil {
			role, ok := from[strings.ToLower(t.From)]
			if !ok {
				return nil, faulty("turn %d is from %q, which is not known", i+1, t.From)
			}
			t.Role, t.Content = role, quote(*t.Value)
			t.raw = object("role", quote(role), "content", t.Content)
		}
		if t.Role == "" {
			return nil, faulty("turn %d has no role", i+1)
		}
	}
	return out, nil
}

// text is the content as text, where it is text.
func (t *turn) text() (string, bool) { return records.ChatText(t.Content) }

func lastRole(list []byte) string {
	all, err := turns(list)
	if err != nil || len(all) == 0 {
		return ""
	}
	return all[len(all)-1].Role
}

// simple reports turns before the answer that the fields text and system hold: one of the user, after at most one of the system.
func simple(before []turn) bool {
	if len(before) > 0 && before[0].Role == "system" {
		before = before[1:]
	}
	if len(before) != 1 || before[0].Role != "user" {
		return false
	}
	_, ok := before[0].text()
	return ok
}

// answer is the index of the last turn of the assistant, -1 without one.
func answer(all []turn) int {
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Role == "assistant" {
			return i
		}
	}
	return -1
}

// chat notes what the chats of the first rows need.
func (l *look) chat(f Format, members []rows.Member) {
	all, err := turns(turnsOf(f, members))
	at := -1
	if err == nil {
		at = answer(all)
	}
	if at < 0 {
		return
	}
	if !simple(all[:at]) || rows.Get(members, "tools") != nil || rows.Get(members, "functions") != nil {
		l.multi = true
	}
	if len(all[at].ToolCalls) > 1 {
		l.calls = true
	}
}

func turnsOf(f Format, members []rows.Member) []byte {
	if f == Chat {
		return rows.Get(members, "messages")
	}
	if v := rows.Get(members, "conversations"); v != nil {
		return v
	}
	return rows.Get(members, "conversation")
}

// chatShape reads chats: the last turn of the assistant is the output, what stands before it the input.
type chatShape struct {
	common
	format   Format
	messages bool // the input is messages and tools, not text and system
	lists    bool // answers that are tool calls are lists of them
}

func (s *chatShape) said() []string {
	if s.messages {
		return []string{"input: messages (all turns before the last answer), tools", "output: the last turn of the assistant"}
	}
	return []string{"input: text (the user's turn), system", "output: the last turn of the assistant"}
}

func (s *chatShape) rows(text []byte) ([]draft, error) {
	members, err := s.members(text)
	if err != nil {
		return nil, err
	}
	list := turnsOf(s.format, members)
	if list == nil {
		return nil, faulty("the row has no turns")
	}
	all, err := turns(list)
	if err != nil {
		return nil, err
	}
	var d draft
	at := answer(all)
	before := all
	if at >= 0 {
		before = all[:at]
		if at < len(all)-1 {
			d.left = append(d.left, "turns after the last answer")
		}
		if err := s.output(&d, &all[at]); err != nil {
			return nil, err
		}
	}
	if err := s.input(&d, before, members); err != nil {
		return nil, err
	}
	for _, m := range members {
		switch key := string(m.Key); {
		case slices.Contains([]string{"messages", "conversations", "conversation", "tools", "functions", "system"}, key), slices.Contains(roles, key):
		default:
			d.left = append(d.left, "key "+key)
		}
	}
	err = s.metadata(&d, members)
	return []draft{d}, err
}

func (s *chatShape) input(d *draft, before []turn, members []rows.Member) error {
	var system json.RawMessage
	if v := s.value(members, "system"); v != nil && s.format == ShareGPT {
		system = v
	}
	if len(before) == 0 {
		return faulty("the chat has no turn before the answer")
	}
	if !s.messages {
		if !simple(before) {
			return fault{"chat", "the chat has more than one question, and the first rows had one each; read the file with --chat messages"}
		}
		if before[0].Role == "system" {
			text, _ := before[0].text()
			system = quote(text)
		}
		text, _ := before[len(before)-1].text()
		d.row.Input = object("system", system, "text", quote(text))
		return nil
	}
	list := []byte{'['}
	if system != nil {
		list = append(append(list, object("role", quote("system"), "content", system)...), ',')
	}
	for i, t := range before {
		if i > 0 {
			list = append(list, ',')
		}
		list = append(list, t.raw...)
	}
	tools := s.value(members, "tools")
	if text, ok := scalarText(tools); ok && json.Valid([]byte(text)) {
		tools = canonical([]byte(text)) // a JSON text in a string, as LLaMA-Factory has it
	}
	if tools == nil {
		tools = s.value(members, "functions")
	}
	d.row.Input = object("messages", json.RawMessage(append(list, ']')), "tools", tools)
	return nil
}

func scalarText(v json.RawMessage) (string, bool) {
	if len(v) == 0 || v[0] != '"' {
		return "", false
	}
	return scalar(v)
}

func (s *chatShape) output(d *draft, t *turn) error {
	text, ok := t.text()
	if !ok {
		return faulty("the answer holds something other than text")
	}
	if len(t.ToolCalls) == 0 {
		d.row.Output = quote(text)
		return nil
	}
	if text != "" {
		d.left = append(d.left, "text of answers beside their tool calls")
	}
	var calls []call
	for _, c := range t.ToolCalls {
		args := c.Function.Arguments
		if text, ok := scalarText(args); ok { // OpenAI writes the arguments as a JSON text in a string
			args = json.RawMessage(text)
		}
		if len(args) == 0 {
			args = json.RawMessage("{}")
		}
		if !json.Valid(args) {
			return faulty("the arguments of the call to %s are not JSON", c.Function.Name)
		}
		calls = append(calls, call{c.Function.Name, canonical(args)})
	}
	var v any = calls
	if len(calls) == 1 && !s.lists {
		v = calls[0]
	}
	out, err := json.Marshal(v)
	if err != nil {
		return faulty("the calls have no JSON")
	}
	d.row.Output = out
	return nil
}
