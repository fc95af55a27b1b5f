package gateway

import (
	"strings"

	"github.com/tidwall/gjson"
)

// envelope is what the gateway reads of a request at the top level, whatever its API. Values point into the body.
type envelope struct {
	model      string
	start, end int // of the model's value in the body, quotes included
	stream     bool
	usage      bool // stream_options.include_usage
	messages   gjson.Result
	input      gjson.Result
	tools      gjson.Result
	metadata   gjson.Result
	rung       gjson.Result
	user       string
	previous   bool     // responses: continues a stored conversation
	many       bool     // more than one answer is asked for
	ignored    []string // settings that a task's release has its own of
}

// ignorable are the settings that a release fixes: what was evaluated is what is served.
var ignorable = map[string]bool{
	"temperature": true, "top_p": true, "top_k": true, "max_tokens": true, "max_completion_tokens": true, "max_output_tokens": true,
	"seed": true, "stop": true, "stop_sequences": true, "response_format": true, "text": true, "instructions": true, "system": true,
	"presence_penalty": true, "frequency_penalty": true, "logit_bias": true, "reasoning": true, "reasoning_effort": true, "thinking": true,
	"output_config": true, "tool_choice": true,
}

// open reads the top level of a body that is valid JSON. A member that is there twice is refused: two readers could take two
// different ones, and one of them decides what a key may do.
func open(body []byte) (envelope, error) {
	var e envelope
	root := gjson.Parse(view(body))
	if !root.IsObject() {
		return e, bad("the body is not a JSON object")
	}
	var err error
	seen := 0 // bits of the members that matter
	root.ForEach(func(key, value gjson.Result) bool {
		bit := e.take(key.Str, value)
		if bit != 0 && seen&bit != 0 {
			err = bad("the body has the member %q twice", strings.ToLower(key.Str))
			return false
		}
		seen |= bit
		return true
	})
	if err != nil {
		return e, err
	}
	if e.model == "" || len(e.model) > 512 {
		return e, bad("the body needs a model: a task's name, task@version, or provider/name")
	}
	return e, nil
}

// take keeps a member and gives the bit of its name, 0 for those that do not matter. Names are compared without regard to case, as
// some servers do.
func (e *envelope) take(name string, v gjson.Result) int {
	switch name {
	case "model":
		if v.Type == gjson.String {
			e.model, e.start, e.end = v.Str, v.Index, v.Index+len(v.Raw)
		}
		return 1
	case "stream":
		e.stream = v.Type == gjson.True
		return 2
	case "messages":
		e.messages = v
		return 4
	case "input":
		e.input = v
		return 8
	case "tools":
		e.tools = v
		return 16
	case "metadata":
		e.metadata = v
		return 32
	case "rung":
		e.rung = v
		return 64
	}
	return e.takeMore(name, v)
}

func (e *envelope) takeMore(name string, v gjson.Result) int {
	switch name {
	case "stream_options":
		e.usage = v.Get("include_usage").Bool()
		return 128
	case "user", "safety_identifier":
		e.user = v.String()
		return 0
	case "previous_response_id", "conversation", "prompt":
		e.previous = e.previous || v.Type != gjson.Null
		return 0
	case "n":
		e.many = v.Int() > 1
		return 0
	}
	if ignorable[name] && v.Type != gjson.Null {
		e.ignored = append(e.ignored, name)
		return 0
	}
	switch {
	case strings.EqualFold(name, "model"):
		return 1
	case strings.EqualFold(name, "stream"):
		return 2
	}
	return 0
}

// rewritten is the body with another model's name, all other bytes as they came.
func (e *envelope) rewritten(into, body []byte, model string) []byte {
	into = append(into, body[:e.start]...)
	into = appendString(into, model)
	return append(into, body[e.end:]...)
}

// lastUser is the text of the last message of the user, for the trace.
func (e *envelope) lastUser() string {
	list := e.messages
	if !list.IsArray() {
		list = e.input
	}
	if list.Type == gjson.String {
		return list.Str
	}
	text := ""
	list.ForEach(func(_, m gjson.Result) bool {
		switch {
		case m.Type == gjson.String: // embeddings
			text = m.Str
		case m.Get("role").Str == "user":
			text = contentText(m.Get("content"))
		}
		return true
	})
	return text
}

// contentText is a content that is a text, or the texts of its parts one after another.
func contentText(v gjson.Result) string {
	if v.Type == gjson.String {
		return v.Str
	}
	text := ""
	v.ForEach(func(_, part gjson.Result) bool {
		text += part.Get("text").String()
		return true
	})
	return text
}
