package modeltest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Faults of streams alone: each happens after the first piece.
const (
	CutStream   Fault = "cut-stream"   // the connection ends between two events
	HangStream  Fault = "hang-stream"  // nothing more comes
	ErrorStream Fault = "error-stream" // an error in place of the next event
	BadStream   Fault = "bad-stream"   // an event that is no JSON
	HugeEvent   Fault = "huge-event"   // a line without end
	ShortStream Fault = "short-stream" // the stream ends well, but without its last events
)

// event is one server-sent event; name is empty for chat completions.
type event struct {
	name string
	data any
}

// stream answers with server-sent events, each flushed.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, c Call, reply Reply) {
	reply = reply.counted(c)
	w.Header().Set("Content-Type", "text/event-stream")
	before, pieces, after := eventsOf(c, reply)
	out := &events{w: w, control: http.NewResponseController(w)}
	out.all(before)
	for i, p := range pieces {
		s.pause(r, reply.Gap)
		out.send(p)
		if i == 0 && reply.Fault != None && s.breakStream(out, r, c, reply.Fault) {
			return
		}
	}
	out.all(after)
	if c.API == "openai" {
		out.raw("data: [DONE]\n\n")
	}
}

type events struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func (e *events) raw(text string) {
	_, _ = fmt.Fprint(e.w, text) // a client that has gone is not our concern
	_ = e.control.Flush()
}

func (e *events) send(ev event) {
	b, _ := json.Marshal(ev.data)
	if ev.name != "" {
		e.raw("event: " + ev.name + "\ndata: " + string(b) + "\n\n")
		return
	}
	e.raw("data: " + string(b) + "\n\n")
}

func (e *events) all(list []event) {
	for _, ev := range list {
		e.send(ev)
	}
}

// breakStream reports whether the stream has ended.
func (s *Server) breakStream(out *events, r *http.Request, c Call, f Fault) bool {
	switch f {
	case CutStream:
		panic(http.ErrAbortHandler)
	case HangStream:
		s.hang(r)
		panic(http.ErrAbortHandler)
	case ErrorStream:
		if c.API == "openai" {
			out.raw("data: {\"error\":{\"message\":\"The server had an error\",\"type\":\"server_error\"}}\n\n")
		} else {
			out.raw("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"The server had an error\"}}\n\n")
		}
	case BadStream:
		out.raw("data: {\"choices\":[{\"delta\n\n")
	case HugeEvent:
		endless(out.w, "data: ", strings.Repeat("x", 32<<10))
	case ShortStream:
	default:
		return false
	}
	return true
}

func (r Reply) pieces() []string {
	if len(r.Pieces) > 0 || r.Text == "" {
		return r.Pieces
	}
	return strings.SplitAfter(r.Text, " ")
}

// eventsOf gives what comes before the pieces, the pieces, and what comes after them.
func eventsOf(c Call, r Reply) (before, pieces, after []event) {
	switch c.API {
	case "anthropic":
		return anthropicEvents(c, r)
	case "responses":
		return responsesEvents(c, r)
	}
	return chatEvents(c, r)
}

func chatEvents(c Call, r Reply) (before, pieces, after []event) {
	chunk := func(delta map[string]any, finish any) event {
		return event{"", map[string]any{"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": c.Model,
			"choices": []any{map[string]any{"index": 0, "delta": delta, "finish_reason": finish}}}}
	}
	before = []event{chunk(map[string]any{"role": "assistant", "content": ""}, nil)}
	for i, call := range r.Calls {
		pieces = append(pieces, chunk(map[string]any{"tool_calls": []any{chatCall(i, call)}}, nil))
	}
	if len(r.Calls) == 0 {
		for _, p := range r.pieces() {
			pieces = append(pieces, chunk(map[string]any{"content": p}, nil))
		}
	}
	after = []event{chunk(map[string]any{}, r.finish())}
	if strings.Contains(string(c.Body), `"include_usage":true`) {
		usage := chatAnswer(c, r).Usage
		after = append(after, event{"", map[string]any{"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": c.Model, "choices": []any{}, "usage": usage}})
	}
	return before, pieces, after
}

func anthropicEvents(c Call, r Reply) (before, pieces, after []event) {
	usage := anthropicAnswer(c, r)["usage"].(map[string]any)
	start := map[string]any{}
	for k, v := range usage {
		start[k] = v
	}
	start["output_tokens"] = 1
	before = []event{{"message_start", map[string]any{"type": "message_start", "message": map[string]any{"id": "msg_1", "type": "message", "role": "assistant",
		"model": c.Model, "content": []any{}, "stop_reason": nil, "stop_sequence": nil, "usage": start}}}}
	for i, call := range r.Calls {
		pieces = append(pieces,
			event{"content_block_start", map[string]any{"type": "content_block_start", "index": i, "content_block": map[string]any{"type": "tool_use", "id": fmt.Sprint("toolu_", i), "name": call.Name, "input": map[string]any{}}}},
			event{"content_block_delta", map[string]any{"type": "content_block_delta", "index": i, "delta": map[string]any{"type": "input_json_delta", "partial_json": call.Arguments}}},
			event{"content_block_stop", map[string]any{"type": "content_block_stop", "index": i}})
	}
	if len(r.Calls) == 0 {
		before = append(before, event{"content_block_start", map[string]any{"type": "content_block_start", "index": 0, "content_block": map[string]any{"type": "text", "text": ""}}},
			event{"ping", map[string]any{"type": "ping"}})
		for _, p := range r.pieces() {
			pieces = append(pieces, event{"content_block_delta", map[string]any{"type": "content_block_delta", "index": 0, "delta": map[string]any{"type": "text_delta", "text": p}}})
		}
		after = []event{{"content_block_stop", map[string]any{"type": "content_block_stop", "index": 0}}}
	}
	after = append(after, event{"message_delta", map[string]any{"type": "message_delta", "delta": map[string]any{"stop_reason": anthropicReason(r), "stop_sequence": nil}, "usage": map[string]any{"output_tokens": r.Out}}},
		event{"message_stop", map[string]any{"type": "message_stop"}})
	return before, pieces, after
}

// responsesEvents are as few as a client needs: the pieces of the text, and the whole answer at the end.
func responsesEvents(c Call, r Reply) (before, pieces, after []event) {
	begun := responsesAnswer(c, r)
	begun["status"], begun["output"], begun["usage"] = "in_progress", []any{}, nil
	before = []event{{"response.created", map[string]any{"type": "response.created", "sequence_number": 0, "response": begun}}}
	for i, p := range r.pieces() {
		pieces = append(pieces, event{"response.output_text.delta", map[string]any{"type": "response.output_text.delta", "sequence_number": i + 1, "item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": p}})
	}
	after = []event{{"response.completed", map[string]any{"type": "response.completed", "sequence_number": len(pieces) + 1, "response": responsesAnswer(c, r)}}}
	return before, pieces, after
}
