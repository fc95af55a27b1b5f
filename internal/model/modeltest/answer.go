package modeltest

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"hash/fnv"
	"math"
	"net/http"
	"strconv"
)

func writeAnswer(w http.ResponseWriter, c Call, r Reply) {
	r = r.counted(c)
	var v any
	switch c.API {
	case "anthropic":
		v = anthropicAnswer(c, r)
	case "responses":
		v = responsesAnswer(c, r)
	case "embeddings":
		v = embeddings(c, r)
	default:
		v = chatAnswer(c, r)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // a client that has gone is not our concern
}

// counted fills in the usage that the script left open.
func (r Reply) counted(c Call) Reply {
	if r.In == 0 {
		r.In = 1 + len(c.Body)/4
	}
	if r.Out == 0 {
		r.Out = 1 + len(r.Text)/4
	}
	return r
}

type chatMessage struct {
	Role    string           `json:"role"`
	Content *string          `json:"content"`
	Calls   []map[string]any `json:"tool_calls,omitempty"`
}

type chatChoice struct {
	Index   int         `json:"index"`
	Message chatMessage `json:"message"`
	Finish  string      `json:"finish_reason"`
}

type chatUsage struct {
	Prompt     int `json:"prompt_tokens"`
	Completion int `json:"completion_tokens"`
	Total      int `json:"total_tokens"`
	Details    struct {
		Cached int `json:"cached_tokens"`
	} `json:"prompt_tokens_details"`
}

type chatCompletion struct {
	ID      string       `json:"id"`
	Object  string       `json:"object"`
	Created int64        `json:"created"`
	Model   string       `json:"model"`
	Choices []chatChoice `json:"choices"`
	Usage   chatUsage    `json:"usage"`
}

func chatAnswer(c Call, r Reply) chatCompletion {
	out := chatCompletion{ID: "chatcmpl-1", Object: "chat.completion", Created: 1, Model: c.Model, Choices: []chatChoice{}}
	if r.Fault != NoChoices {
		out.Choices = append(out.Choices, chatChoice{Message: chatMessageOf(r), Finish: r.finish()})
	}
	out.Usage = chatUsage{Prompt: r.In, Completion: r.Out, Total: r.In + r.Out}
	out.Usage.Details.Cached = r.CachedIn
	return out
}

func chatMessageOf(r Reply) chatMessage {
	if len(r.Calls) == 0 {
		return chatMessage{Role: "assistant", Content: &r.Text}
	}
	m := chatMessage{Role: "assistant"}
	for i, call := range r.Calls {
		m.Calls = append(m.Calls, chatCall(i, call))
	}
	return m
}

func chatCall(i int, call ToolCall) map[string]any {
	return map[string]any{"index": i, "id": "call_" + strconv.Itoa(i), "type": "function", "function": map[string]any{"name": call.Name, "arguments": call.Arguments}}
}

func (r Reply) finish() string {
	if len(r.Calls) > 0 {
		return "tool_calls"
	}
	return or(r.Finish, "stop")
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func anthropicAnswer(c Call, r Reply) map[string]any {
	reason := anthropicReason(r)
	content := []map[string]any{}
	for i, call := range r.Calls {
		content = append(content, map[string]any{"type": "tool_use", "id": "toolu_" + strconv.Itoa(i), "name": call.Name, "input": json.RawMessage(call.Arguments)})
	}
	if r.Fault != NoChoices && len(r.Calls) == 0 {
		content = append(content, map[string]any{"type": "text", "text": r.Text})
	}
	// Anthropic counts what was read from its cache apart from input_tokens.
	return map[string]any{"id": "msg_1", "type": "message", "role": "assistant", "model": c.Model, "content": content, "stop_reason": reason,
		"stop_sequence": nil, "usage": map[string]any{"input_tokens": r.In - r.CachedIn, "output_tokens": r.Out, "cache_read_input_tokens": r.CachedIn, "cache_creation_input_tokens": 0}}
}

func anthropicReason(r Reply) string {
	if len(r.Calls) > 0 {
		return "tool_use"
	}
	return map[string]string{"": "end_turn", "stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}[r.Finish]
}

// responsesAnswer is an answer of OpenAI's responses API.
func responsesAnswer(c Call, r Reply) map[string]any {
	output := []any{}
	for i, call := range r.Calls {
		output = append(output, map[string]any{"type": "function_call", "id": "fc_" + strconv.Itoa(i), "call_id": "call_" + strconv.Itoa(i), "name": call.Name, "arguments": call.Arguments, "status": "completed"})
	}
	if len(r.Calls) == 0 && r.Fault != NoChoices {
		output = append(output, map[string]any{"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
			"content": []any{map[string]any{"type": "output_text", "text": r.Text, "annotations": []any{}}}})
	}
	return map[string]any{"id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": c.Model, "output": output,
		"parallel_tool_calls": true, "tool_choice": "auto", "tools": []any{}, "error": nil, "incomplete_details": nil, "instructions": nil, "metadata": nil,
		"usage": map[string]any{"input_tokens": r.In, "input_tokens_details": map[string]any{"cached_tokens": r.CachedIn},
			"output_tokens": r.Out, "output_tokens_details": map[string]any{"reasoning_tokens": 0}, "total_tokens": r.In + r.Out}}
}

// embeddingSize is the length of the vectors; they depend on the text alone and are not normalised, as with some servers.
const embeddingSize = 8

func embeddings(c Call, r Reply) map[string]any {
	type row struct {
		Object    string `json:"object"`
		Index     int    `json:"index"`
		Embedding any    `json:"embedding"`
	}
	rows := []row{}
	if r.Fault != NoChoices {
		for i := range c.Inputs {
			at := len(c.Inputs) - 1 - i // in reverse: the index says where each belongs, not its place in the list
			rows = append(rows, row{"embedding", at, encoded(c, vector(c.Inputs[at]))})
		}
	}
	return map[string]any{"object": "list", "model": c.Model, "data": rows, "usage": map[string]any{"prompt_tokens": r.In, "total_tokens": r.In}}
}

// encoded is a vector in the encoding that was asked for; base64 holds little-endian float32.
func encoded(c Call, v []float64) any {
	if !bytes.Contains(c.Body, []byte(`"encoding_format":"base64"`)) {
		return v
	}
	var raw []byte
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(float32(x)))
	}
	return base64.StdEncoding.EncodeToString(raw)
}

func vector(text string) []float64 {
	v := make([]float64, embeddingSize)
	for i := range v {
		h := fnv.New32a()
		_, _ = h.Write([]byte{byte(i)})
		_, _ = h.Write([]byte(text))
		v[i] = math.Sin(float64(h.Sum32()%10_000)) * 3
	}
	return v
}
