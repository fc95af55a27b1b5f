package gateway

import (
	"strings"

	"github.com/tidwall/gjson"

	"github.com/rung-dev/rung"
)

// askResponses reads a request of OpenAI's responses API.
func askResponses(e *envelope) (*ask, error) {
	a := &ask{}
	var err error
	switch {
	case e.input.Type == gjson.String:
		err = a.add("user", e.input.Str)
	case e.input.IsArray():
		e.input.ForEach(func(_, item gjson.Result) bool {
			err = a.responsesItem(item)
			return err == nil
		})
	case e.input.Exists():
		return nil, bad("input is neither text nor a list")
	default:
		err = e.listed(e.input, "input")
	}
	if err != nil {
		return nil, err
	}
	if a.tools, err = toolsOf(e.tools); err != nil {
		return nil, err
	}
	return a, a.extras(e)
}

func (a *ask) responsesItem(item gjson.Result) error {
	switch kind := item.Get("type").Str; kind {
	case "message", "":
		text, err := textOf(item.Get("content"))
		if err != nil {
			return err
		}
		switch role := item.Get("role").Str; role {
		case "system", "developer":
			a.system()
			return nil
		case "user", "assistant":
			return a.add(role, text)
		default:
			return bad("a message has the role %q", clipName(role))
		}
	case "function_call":
		return a.add("assistant", callText(item.Get("name").String(), item.Get("arguments").String()))
	case "function_call_output":
		return a.add("user", item.Get("output").String())
	case "reasoning":
		return nil
	default:
		return bad("tasks read messages and function calls, and the input has an item of the type %q", clipName(kind))
	}
}

// appendResponse writes the response object. An unfinished one has no output yet.
func appendResponse(b []byte, r *result, status string) []byte {
	b = append(b, `{"id":"resp_`...)
	b = append(b, r.id...)
	b = append(b, `","object":"response","created_at":`...)
	b = appendInt(b, int(r.created))
	b = append(b, `,"status":"`...)
	b = append(b, status...)
	b = append(b, `","error":null,"incomplete_details":`...)
	if status == "incomplete" {
		b = append(b, `{"reason":"max_output_tokens"}`...)
	} else {
		b = append(b, `null`...)
	}
	b = append(b, `,"instructions":null,"metadata":{},"model":`...)
	b = appendString(b, r.model)
	b = append(b, `,"output":[`...)
	if status != "in_progress" {
		b = appendItems(b, r)
	}
	b = append(b, `],"parallel_tool_calls":true,"temperature":null,"tool_choice":"auto","tools":[],"top_p":null,"usage":`...)
	if status == "in_progress" {
		b = append(b, `null`...)
	} else {
		b = appendResponseUsage(b, r.usage)
		b = r.appendMember(b)
	}
	return append(b, '}')
}

func appendItems(b []byte, r *result) []byte {
	for i := range r.calls {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendCallItem(b, r, i, "completed")
	}
	if len(r.calls) == 0 {
		b = appendMessageItem(b, r, "completed")
	}
	return b
}

func appendCallItem(b []byte, r *result, i int, status string) []byte {
	b = append(b, `{"type":"function_call","id":`...)
	b = appendString(b, r.callID("fc_", i))
	b = append(b, `,"call_id":`...)
	b = appendString(b, r.callID("call_", i))
	b = append(b, `,"name":`...)
	b = appendString(b, r.calls[i].name)
	b = append(b, `,"arguments":`...)
	if status == "completed" {
		b = appendString(b, r.calls[i].arguments)
	} else {
		b = append(b, `""`...)
	}
	b = append(b, `,"status":"`...)
	b = append(b, status...)
	return append(b, `"}`...)
}

func appendMessageItem(b []byte, r *result, status string) []byte {
	b = append(b, `{"type":"message","id":"msg_`...)
	b = append(b, r.id...)
	b = append(b, `","role":"assistant","status":"`...)
	b = append(b, status...)
	b = append(b, `","content":[`...)
	if status == "completed" {
		b = appendPart(b, r.text)
	}
	return append(b, `]}`...)
}

func appendPart(b []byte, text string) []byte {
	b = append(b, `{"type":"output_text","text":`...)
	b = appendString(b, text)
	return append(b, `,"annotations":[],"logprobs":[]}`...)
}

func appendResponseUsage(b []byte, u rung.Usage) []byte {
	b = append(b, `{"input_tokens":`...)
	b = appendInt(b, u.In)
	b = append(b, `,"input_tokens_details":{"cached_tokens":`...)
	b = appendInt(b, u.CachedIn)
	b = append(b, `},"output_tokens":`...)
	b = appendInt(b, u.Out)
	b = append(b, `,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":`...)
	b = appendInt(b, u.In+u.Out)
	return append(b, '}')
}

func responseStatus(r *result) string {
	if r.finish == "length" {
		return "incomplete"
	}
	return "completed"
}

func wholeResponse(b []byte, r *result) []byte {
	return append(appendResponse(b, r, responseStatus(r)), '\n')
}

// responseStream writes the events of the responses API, each with its number.
type responseStream struct {
	r      *result
	n      int
	opened bool
}

func streamResponse(r *result) streamWriter { return &responseStream{r: r} }

// event writes the head of an event up to where its own members begin.
func (s *responseStream) event(b []byte, name string) []byte {
	b = append(b, "event: "...)
	b = append(b, name...)
	b = append(b, "\ndata: {\"type\":\""...)
	b = append(b, name...)
	b = append(b, `","sequence_number":`...)
	b = appendInt(b, s.n)
	s.n++
	return b
}

const eventEnd = "}\n\n"

func (s *responseStream) start(b []byte) []byte {
	for _, name := range []string{"response.created", "response.in_progress"} {
		b = s.event(b, name)
		b = append(b, `,"response":`...)
		b = appendResponse(b, s.r, "in_progress")
		b = append(b, eventEnd...)
	}
	return b
}

// where names the part of the answer that an event is about.
func (s *responseStream) where(b []byte) []byte {
	b = append(b, `,"item_id":"msg_`...)
	b = append(b, s.r.id...)
	return append(b, `","output_index":0,"content_index":0`...)
}

func (s *responseStream) delta(b []byte, text string) []byte {
	if !s.opened {
		s.opened = true
		b = s.event(b, "response.output_item.added")
		b = append(b, `,"output_index":0,"item":`...)
		b = appendMessageItem(b, s.r, "in_progress")
		b = append(b, eventEnd...)
		b = s.event(b, "response.content_part.added")
		b = s.where(b)
		b = append(b, `,"part":`...)
		b = appendPart(b, "")
		b = append(b, eventEnd...)
	}
	b = s.event(b, "response.output_text.delta")
	b = s.where(b)
	b = append(b, `,"logprobs":[],"delta":`...)
	b = appendString(b, text)
	return append(b, eventEnd...)
}

func (s *responseStream) calls(b []byte, calls []toolCall) []byte {
	for i, c := range calls {
		b = s.event(b, "response.output_item.added")
		b = append(b, `,"output_index":`...)
		b = appendInt(b, i)
		b = append(b, `,"item":`...)
		b = appendCallItem(b, s.r, i, "in_progress")
		b = append(b, eventEnd...)
		for _, kind := range []string{"delta", "done"} {
			b = s.event(b, "response.function_call_arguments."+kind)
			b = append(b, `,"item_id":`...)
			b = appendString(b, s.r.callID("fc_", i))
			b = append(b, `,"output_index":`...)
			b = appendInt(b, i)
			if kind == "done" {
				b = append(b, `,"name":`...)
				b = appendString(b, c.name)
				b = append(b, `,"arguments":`...)
			} else {
				b = append(b, `,"delta":`...)
			}
			b = appendString(b, c.arguments)
			b = append(b, eventEnd...)
		}
		b = s.event(b, "response.output_item.done")
		b = append(b, `,"output_index":`...)
		b = appendInt(b, i)
		b = append(b, `,"item":`...)
		b = appendCallItem(b, s.r, i, "completed")
		b = append(b, eventEnd...)
	}
	return b
}

func (s *responseStream) end(b []byte) []byte {
	if s.opened {
		b = s.event(b, "response.output_text.done")
		b = s.where(b)
		b = append(b, `,"logprobs":[],"text":`...)
		b = appendString(b, s.r.text)
		b = append(b, eventEnd...)
		b = s.event(b, "response.content_part.done")
		b = s.where(b)
		b = append(b, `,"part":`...)
		b = appendPart(b, s.r.text)
		b = append(b, eventEnd...)
		b = s.event(b, "response.output_item.done")
		b = append(b, `,"output_index":0,"item":`...)
		b = appendMessageItem(b, s.r, "completed")
		b = append(b, eventEnd...)
	}
	status := responseStatus(s.r)
	b = s.event(b, "response."+status)
	b = append(b, `,"response":`...)
	b = appendResponse(b, s.r, status)
	return append(b, eventEnd...)
}

func (s *responseStream) fail(b []byte, f *failure) []byte {
	b = s.event(b, "error")
	b = append(b, `,"code":`...)
	b = appendString(b, f.name)
	b = append(b, `,"message":`...)
	b = appendString(b, f.message)
	b = append(b, `,"param":null`...)
	return append(b, eventEnd...)
}

func textResponse(v gjson.Result) string {
	text := ""
	v.Get("output").ForEach(func(_, item gjson.Result) bool {
		text += contentText(item.Get("content"))
		return true
	})
	return text
}

// eventResponse reads an event of an upstream.
func eventResponse(t *tally, v gjson.Result) {
	switch kind := v.Get("type").Str; kind {
	case "response.output_text.delta":
		t.add(v.Get("delta").String())
		t.events++
	case "response.completed", "response.incomplete", "response.failed":
		t.usage = readOpenAIUsage(v.Get("response.usage"))
		t.counted = t.usage.In+t.usage.Out > 0
		t.failed = kind == "response.failed"
	case "error":
		t.failed = true
	default: // thoughts, refusals and the arguments of calls are made of tokens too
		if strings.HasSuffix(kind, ".delta") {
			t.bytes += len(v.Get("delta").Str)
			t.events++
		}
	}
}
