package data

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/records"
)

// message is a turn of a chat fine-tuning row.
type message struct {
	Role      string          `json:"role"`
	Content   json.RawMessage `json:"content"`
	ToolCalls []struct {
		Function struct {
			Name      string          `json:"name"`
			Arguments json.RawMessage `json:"arguments"`
		} `json:"function"`
	} `json:"tool_calls"`
}

// text is the content as text, where it is text.
func (m *message) text() (string, bool) { return records.ChatText(m.Content) }

// chatRow reads OpenAI's chat fine-tuning form: the last assistant turn is the output, the last user turn before it the input.
func (im *importer) chatRow(members []member, raw []byte) {
	var turns []message
	if err := json.Unmarshal(raw, &turns); err != nil {
		im.fault("messages is not a list of turns with role and content", `write {"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}`)
		return
	}
	last := len(turns) - 1
	for last >= 0 && turns[last].Role != "assistant" {
		last--
	}
	if last < 0 {
		im.fault("the chat has no assistant turn", "end it with the expected answer, role assistant")
		return
	}
	input, ok := im.chatInput(turns[:last])
	if !ok {
		return
	}
	output, ok := im.chatOutput(&turns[last])
	if !ok {
		return
	}
	for i := range members {
		switch key := string(members[i].key); key {
		case "messages", "id", "segment", "group", "time", "split", "alternatives", "generated", "counter_of", "failure_modes", "source", "person":
		default:
			im.unknown[key]++
		}
	}
	im.complete(&rung.Example{Line: im.line, File: im.path}, members, input, output)
}

func (im *importer) chatInput(turns []message) ([]byte, bool) {
	if im.single == "" || im.task.Input[0].Type != "string" {
		im.fault(fmt.Sprintf("a chat row gives one text, and the task has the input fields %s", im.fieldNames()), "give the task one input field of type string, or write rows with input and output")
		return nil, false
	}
	user := -1
	for i, t := range turns {
		switch t.Role {
		case "user":
			if user >= 0 {
				im.odd["chats with several user turns: only the last is the input, earlier turns are left out"]++
			}
			user = i
		case "system", "developer":
			im.odd["system turns of chats are left out: put what they say into the task's instructions"]++
		}
	}
	if user < 0 {
		im.fault("the chat has no user turn before the answer", "add the input, role user")
		return nil, false
	}
	text, ok := turns[user].text()
	if !ok {
		im.fault("the user turn holds something other than text", "leave rows with images or sound out")
		return nil, false
	}
	return im.fields([]member{{[]byte(im.single), quote(nil, text)}})
}

// chatOutput is the assistant's answer as the output form has it.
func (im *importer) chatOutput(turn *message) ([]byte, bool) {
	if len(turn.ToolCalls) > 0 {
		return im.chatCalls(turn)
	}
	text, ok := turn.text()
	if !ok {
		im.fault("the assistant turn holds something other than text", "leave rows with images or sound out")
		return nil, false
	}
	return im.textOutput(text)
}

// textOutput reads an output that a file holds as text: itself for labels and text, JSON for the other forms.
func (im *importer) textOutput(text string) ([]byte, bool) {
	if im.task.Output.Kind == rung.Labels {
		text = strings.TrimSpace(text)
	}
	if im.task.Output.Kind == rung.Labels || im.task.Output.Kind == rung.Text {
		return quote(nil, text), true
	}
	raw := []byte(strings.TrimSpace(text))
	if !json.Valid(raw) {
		im.fault(fmt.Sprintf("the output %s is not JSON", clip(raw, 60)), "the task's output form needs JSON here")
		return nil, false
	}
	return raw, true
}

func (im *importer) chatCalls(turn *message) ([]byte, bool) {
	type call struct {
		Name      string          `json:"name"`
		Arguments json.RawMessage `json:"arguments"`
	}
	var calls []call
	for _, c := range turn.ToolCalls {
		args := c.Function.Arguments
		var text string
		if json.Unmarshal(args, &text) == nil { // OpenAI writes the arguments as a JSON text in a string
			args = json.RawMessage(text)
		}
		if len(args) == 0 {
			args = json.RawMessage("{}")
		}
		if !json.Valid(args) {
			im.fault(fmt.Sprintf("the arguments of the call to %q are not JSON", c.Function.Name), "correct them")
			return nil, false
		}
		calls = append(calls, call{c.Function.Name, args})
	}
	var v any = calls
	if !im.task.Output.ManyCalls {
		if len(calls) > 1 {
			im.fault(fmt.Sprintf("the answer has %d calls, and the task has one", len(calls)), "write many_calls: true under output, or leave the row out")
			return nil, false
		}
		v = calls[0]
	}
	raw, err := json.Marshal(v)
	if err != nil {
		im.fault("the calls have no JSON: "+err.Error(), "correct them")
		return nil, false
	}
	return raw, true
}
