package gateway

import (
	"github.com/tidwall/gjson"

	"github.com/rung-dev/rung"
)

// askMessages reads a request of Anthropic's messages API.
func askMessages(e *envelope) (*ask, error) {
	a := &ask{}
	if err := e.listed(e.messages, "messages"); err != nil {
		return nil, err
	}
	var err error
	e.messages.ForEach(func(_, m gjson.Result) bool {
		err = a.anthropicMessage(m)
		return err == nil
	})
	if err != nil {
		return nil, err
	}
	if a.tools, err = toolsOf(e.tools); err != nil {
		return nil, err
	}
	return a, a.extras(e)
}

func (a *ask) anthropicMessage(m gjson.Result) error {
	role := m.Get("role").Str
	if role != "user" && role != "assistant" {
		return bad("a message has the role %q", clipName(role))
	}
	content := m.Get("content")
	if !content.IsArray() {
		text, err := textOf(content)
		if err != nil {
			return err
		}
		return a.add(role, text)
	}
	text := ""
	var err error
	content.ForEach(func(_, part gjson.Result) bool {
		piece := ""
		switch kind := part.Get("type").Str; kind {
		case "text":
			piece = part.Get("text").String()
		case "tool_use":
			piece = callText(part.Get("name").String(), part.Get("input").Raw)
		case "tool_result":
			piece, err = textOf(part.Get("content"))
		case "thinking", "redacted_thinking":
		default:
			err = bad("tasks read text, and a message has a part of the type %q", clipName(kind))
		}
		if text != "" && piece != "" {
			text += "\n"
		}
		text += piece
		return err == nil
	})
	if err != nil {
		return err
	}
	return a.add(role, text)
}

func messageReason(r *result) string {
	switch {
	case len(r.calls) > 0:
		return "tool_use"
	case r.finish == "length":
		return "max_tokens"
	case r.finish == "content_filter":
		return "refusal"
	}
	return "end_turn"
}

func wholeMessage(b []byte, r *result) []byte {
	b = append(b, `{"id":"msg_`...)
	b = append(b, r.id...)
	b = append(b, `","type":"message","role":"assistant","model":`...)
	b = appendString(b, r.model)
	b = append(b, `,"content":[`...)
	for i, c := range r.calls {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"type":"tool_use","id":`...)
		b = appendString(b, r.callID("toolu_", i))
		b = append(b, `,"name":`...)
		b = appendString(b, c.name)
		b = append(b, `,"input":`...)
		b = append(b, c.arguments...)
		b = append(b, '}')
	}
	if len(r.calls) == 0 {
		b = append(b, `{"type":"text","text":`...)
		b = appendString(b, r.text)
		b = append(b, '}')
	}
	b = append(b, `],"stop_reason":"`...)
	b = append(b, messageReason(r)...)
	b = append(b, `","stop_sequence":null,"usage":`...)
	b = appendMessageUsage(b, r.usage)
	b = r.appendMember(b)
	return append(b, "}\n"...)
}

func appendMessageUsage(b []byte, u rung.Usage) []byte {
	b = append(b, `{"input_tokens":`...)
	b = appendInt(b, u.In-u.CachedIn)
	b = append(b, `,"cache_creation_input_tokens":0,"cache_read_input_tokens":`...)
	b = appendInt(b, u.CachedIn)
	b = append(b, `,"output_tokens":`...)
	b = appendInt(b, u.Out)
	return append(b, '}')
}

// messageStream writes the events of the messages API.
type messageStream struct {
	r      *result
	opened bool // a block of text
}

func streamMessage(r *result) streamWriter { return &messageStream{r: r} }

func (s *messageStream) start(b []byte) []byte {
	b = append(b, "event: message_start\ndata: "+`{"type":"message_start","message":{"id":"msg_`...)
	b = append(b, s.r.id...)
	b = append(b, `","type":"message","role":"assistant","model":`...)
	b = appendString(b, s.r.model)
	return append(b, `,"content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"output_tokens":0}}}`+"\n\n"...)
}

func (s *messageStream) delta(b []byte, text string) []byte {
	if !s.opened {
		s.opened = true
		b = append(b, "event: content_block_start\ndata: "+`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`+"\n\n"...)
	}
	b = append(b, "event: content_block_delta\ndata: "+`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":`...)
	b = appendString(b, text)
	return append(b, "}}\n\n"...)
}

func (s *messageStream) calls(b []byte, calls []toolCall) []byte {
	for i, c := range calls {
		b = append(b, "event: content_block_start\ndata: "+`{"type":"content_block_start","index":`...)
		b = appendInt(b, i)
		b = append(b, `,"content_block":{"type":"tool_use","id":`...)
		b = appendString(b, s.r.callID("toolu_", i))
		b = append(b, `,"name":`...)
		b = appendString(b, c.name)
		b = append(b, `,"input":{}}}`+"\n\nevent: content_block_delta\ndata: "+`{"type":"content_block_delta","index":`...)
		b = appendInt(b, i)
		b = append(b, `,"delta":{"type":"input_json_delta","partial_json":`...)
		b = appendString(b, c.arguments)
		b = append(b, "}}\n\n"...)
		b = appendBlockStop(b, i)
	}
	return b
}

func appendBlockStop(b []byte, i int) []byte {
	b = append(b, "event: content_block_stop\ndata: "+`{"type":"content_block_stop","index":`...)
	b = appendInt(b, i)
	return append(b, "}\n\n"...)
}

func (s *messageStream) end(b []byte) []byte {
	if s.opened {
		b = appendBlockStop(b, 0)
	}
	b = append(b, "event: message_delta\ndata: "+`{"type":"message_delta","delta":{"stop_reason":"`...)
	b = append(b, messageReason(s.r)...)
	b = append(b, `","stop_sequence":null},"usage":`...)
	b = appendMessageUsage(b, s.r.usage)
	b = s.r.appendMember(b)
	return append(b, "}\n\nevent: message_stop\ndata: "+`{"type":"message_stop"}`+"\n\n"...)
}

func (s *messageStream) fail(b []byte, f *failure) []byte {
	b = append(b, "event: error\ndata: "...)
	b = appendError(b, true, f, s.r.id)
	return append(b, "\n"...)
}

// eventMessage reads an event of an upstream.
func eventMessage(t *tally, v gjson.Result) {
	switch v.Get("type").Str {
	case "message_start": // its count of what comes out is that of the beginning
		t.usage = readAnthropicUsage(v.Get("message.usage"))
	case "message_delta":
		if u := v.Get("usage.output_tokens"); u.Exists() {
			t.usage.Out, t.counted = tokens(u), true
		}
	case "content_block_delta":
		switch d := v.Get("delta"); d.Get("type").Str {
		case "input_json_delta":
			t.bytes += len(d.Get("partial_json").Str)
		case "thinking_delta":
			t.bytes += len(d.Get("thinking").Str)
		default:
			if text := d.Get("text"); text.Type == gjson.String {
				t.add(text.Str)
			}
		}
		t.events++
	case "error":
		t.failed = true
	}
}
