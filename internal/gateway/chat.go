package gateway

import (
	"github.com/tidwall/gjson"

	"github.com/rung-dev/rung"
)

// askChat reads a request of the chat completions API.
func askChat(e *envelope) (*ask, error) {
	a := &ask{}
	if err := e.listed(e.messages, "messages"); err != nil {
		return nil, err
	}
	var err error
	e.messages.ForEach(func(_, m gjson.Result) bool {
		err = a.chatMessage(m)
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

func (a *ask) chatMessage(m gjson.Result) error {
	text, err := textOf(m.Get("content"))
	if err != nil {
		return err
	}
	switch role := m.Get("role").Str; role {
	case "system", "developer":
		a.system()
		return nil
	case "user":
		return a.add("user", text)
	case "tool", "function":
		return a.add("user", text)
	case "assistant":
		m.Get("tool_calls").ForEach(func(_, c gjson.Result) bool {
			if text != "" {
				text += "\n"
			}
			text += callText(c.Get("function.name").String(), c.Get("function.arguments").String())
			return true
		})
		return a.add("assistant", text)
	default:
		return bad("a message has the role %q", clipName(role))
	}
}

func chatFinish(r *result) string {
	if len(r.calls) > 0 {
		return "tool_calls"
	}
	return r.finish
}

func wholeChat(b []byte, r *result) []byte {
	b = append(b, `{"id":"chatcmpl-`...)
	b = append(b, r.id...)
	b = append(b, `","object":"chat.completion","created":`...)
	b = appendInt(b, int(r.created))
	b = append(b, `,"model":`...)
	b = appendString(b, r.model)
	b = append(b, `,"choices":[{"index":0,"message":{"role":"assistant","content":`...)
	if len(r.calls) > 0 {
		b = append(b, `null,"refusal":null,"tool_calls":`...)
		b = appendChatCalls(b, r, false)
	} else {
		b = appendString(b, r.text)
		b = append(b, `,"refusal":null`...)
	}
	b = append(b, `},"logprobs":null,"finish_reason":"`...)
	b = append(b, chatFinish(r)...)
	b = append(b, `"}],"usage":`...)
	b = appendChatUsage(b, r.usage)
	b = r.appendMember(b)
	return append(b, "}\n"...)
}

func appendChatCalls(b []byte, r *result, index bool) []byte {
	b = append(b, '[')
	for i, c := range r.calls {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '{')
		if index {
			b = append(b, `"index":`...)
			b = appendInt(b, i)
			b = append(b, ',')
		}
		b = append(b, `"id":`...)
		b = appendString(b, r.callID("call_", i))
		b = append(b, `,"type":"function","function":{"name":`...)
		b = appendString(b, c.name)
		b = append(b, `,"arguments":`...)
		b = appendString(b, c.arguments)
		b = append(b, "}}"...)
	}
	return append(b, ']')
}

func appendChatUsage(b []byte, u rung.Usage) []byte {
	b = append(b, `{"prompt_tokens":`...)
	b = appendInt(b, u.In)
	b = append(b, `,"completion_tokens":`...)
	b = appendInt(b, u.Out)
	b = append(b, `,"total_tokens":`...)
	b = appendInt(b, u.In+u.Out)
	b = append(b, `,"prompt_tokens_details":{"cached_tokens":`...)
	b = appendInt(b, u.CachedIn)
	return append(b, "}}"...)
}

// chatStream writes chunks of chat completions.
type chatStream struct {
	r    *result
	head []byte // of each chunk, up to the delta
}

func streamChat(r *result) streamWriter {
	s := &chatStream{r: r}
	b := append([]byte(`data: {"id":"chatcmpl-`), r.id...)
	b = append(b, `","object":"chat.completion.chunk","created":`...)
	b = appendInt(b, int(r.created))
	b = append(b, `,"model":`...)
	b = appendString(b, r.model)
	s.head = append(b, `,"choices":[{"index":0,"delta":`...)
	return s
}

const chunkEnd = `,"logprobs":null,"finish_reason":null}]}` + "\n\n"

func (s *chatStream) start(b []byte) []byte {
	b = append(b, s.head...)
	b = append(b, `{"role":"assistant","content":""}`...)
	return append(b, chunkEnd...)
}

func (s *chatStream) delta(b []byte, text string) []byte {
	b = append(b, s.head...)
	b = append(b, `{"content":`...)
	b = appendString(b, text)
	b = append(b, '}')
	return append(b, chunkEnd...)
}

func (s *chatStream) calls(b []byte, _ []toolCall) []byte {
	b = append(b, s.head...)
	b = append(b, `{"tool_calls":`...)
	b = appendChatCalls(b, s.r, true)
	b = append(b, '}')
	return append(b, chunkEnd...)
}

func (s *chatStream) end(b []byte) []byte {
	b = append(b, s.head...)
	b = append(b, `{},"logprobs":null,"finish_reason":"`...)
	b = append(b, chatFinish(s.r)...)
	b = append(b, `"}]`...)
	b = s.r.appendMember(b)
	b = append(b, "}\n\n"...)
	if s.r.wantUsage {
		b = append(b, s.head[:len(s.head)-len(`[{"index":0,"delta":`)]...)
		b = append(b, `[],"usage":`...)
		b = appendChatUsage(b, s.r.usage)
		b = append(b, "}\n\n"...)
	}
	return append(b, "data: [DONE]\n\n"...)
}

func (s *chatStream) fail(b []byte, f *failure) []byte {
	b = append(b, "data: "...)
	b = appendError(b, false, f, s.r.id)
	return append(b, "\n"...)
}

// eventChat reads a chunk of an upstream.
func eventChat(t *tally, v gjson.Result) {
	if u := v.Get("usage"); u.IsObject() {
		t.usage = readOpenAIUsage(u)
		t.counted = t.usage.In+t.usage.Out > 0
	}
	if text := v.Get("choices.0.delta.content"); text.Type == gjson.String {
		t.add(text.Str)
		t.counted = t.counted && (text.Str == "" || v.Get("usage").IsObject()) // else the count was of what came before
	}
	if v.Get("error").IsObject() {
		t.failed = true
	}
	t.events++
}
