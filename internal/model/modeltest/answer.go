package modeltest

import (
	"encoding/json"
	"hash/fnv"
	"math"
	"net/http"
)

func writeAnswer(w http.ResponseWriter, c Call, r Reply) {
	if r.In == 0 {
		r.In = 1 + len(c.Body)/4
	}
	if r.Out == 0 {
		r.Out = 1 + len(r.Text)/4
	}
	var v any
	switch c.API {
	case "anthropic":
		v = anthropicAnswer(c, r)
	case "embeddings":
		v = embeddings(c, r)
	default:
		v = chatAnswer(c, r)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // a client that has gone is not our concern
}

type chatMessage struct {
	Role    string `json:"role"`
	Content string `json:"content"`
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
		out.Choices = append(out.Choices, chatChoice{Message: chatMessage{"assistant", r.Text}, Finish: or(r.Finish, "stop")})
	}
	out.Usage = chatUsage{Prompt: r.In, Completion: r.Out, Total: r.In + r.Out}
	out.Usage.Details.Cached = r.CachedIn
	return out
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func anthropicAnswer(c Call, r Reply) map[string]any {
	reason := map[string]string{"": "end_turn", "stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}[r.Finish]
	content := []map[string]any{}
	if r.Fault != NoChoices {
		content = append(content, map[string]any{"type": "text", "text": r.Text})
	}
	// Anthropic counts what was read from its cache apart from input_tokens.
	return map[string]any{"id": "msg_1", "type": "message", "role": "assistant", "model": c.Model, "content": content, "stop_reason": reason,
		"stop_sequence": nil, "usage": map[string]any{"input_tokens": r.In - r.CachedIn, "output_tokens": r.Out, "cache_read_input_tokens": r.CachedIn, "cache_creation_input_tokens": 0}}
}

// embeddingSize is the length of the vectors; they depend on the text alone and are not normalised, as with some servers.
const embeddingSize = 8

func embeddings(c Call, r Reply) map[string]any {
	type row struct {
		Object    string    `json:"object"`
		Index     int       `json:"index"`
		Embedding []float64 `json:"embedding"`
	}
	rows := []row{}
	if r.Fault != NoChoices {
		for i := range c.Inputs {
			at := len(c.Inputs) - 1 - i // in reverse: the index says where each belongs, not its place in the list
			rows = append(rows, row{"embedding", at, vector(c.Inputs[at])})
		}
	}
	return map[string]any{"object": "list", "model": c.Model, "data": rows, "usage": map[string]any{"prompt_tokens": r.In, "total_tokens": r.In}}
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
