package openai

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
)

// Complete makes one attempt at a chat completion.
func (p *Provider) Complete(ctx context.Context, req model.Request) (model.Response, error) {
	if p.noKey {
		return model.Response{}, p.missingKey(req.Model)
	}
	params := p.params(req)
	start := time.Now()
	got, err := p.client.Chat.Completions.New(ctx, params, p.extras(req)...)
	if err != nil {
		return model.Response{}, p.caller(req.Model).Failure(err)
	}
	if len(got.Choices) == 0 {
		return model.Response{}, p.caller(req.Model).Failure(errors.New("the server gave no choices"))
	}
	first := got.Choices[0]
	return model.Response{
		Text: first.Message.Content, Finish: finish(first.FinishReason), Served: model.Clean(got.Model), Latency: time.Since(start),
		Usage: rung.Usage{In: count(got.Usage.PromptTokens), Out: count(got.Usage.CompletionTokens),
			CachedIn: min(count(got.Usage.PromptTokens), count(got.Usage.PromptTokensDetails.CachedTokens))},
	}, nil
}

// count reads a token count of a server that may not be trusted: a negative or absurd one would make calls cheaper or break sums.
func count(n int64) int { return int(min(max(n, 0), 1<<31)) }

func finish(reason string) string {
	switch reason {
	case "length", "content_filter":
		return reason
	}
	return "stop"
}

// reasoning matches OpenAI's models that think before they answer. They take max_completion_tokens, no temperature and no stop.
var reasoning = regexp.MustCompile(`^(o\d|gpt-5)`)

func (p *Provider) params(req model.Request) openai.ChatCompletionNewParams {
	params := openai.ChatCompletionNewParams{Model: req.Model.Name(), Messages: make([]openai.ChatCompletionMessageParamUnion, len(req.Messages))}
	for i, m := range req.Messages {
		params.Messages[i] = message(m)
	}
	if p.real && reasoning.MatchString(req.Model.Name()) {
		if req.MaxTokens > 0 {
			params.MaxCompletionTokens = openai.Int(int64(req.MaxTokens))
		}
		return params
	}
	if req.MaxTokens > 0 {
		params.MaxTokens = openai.Int(int64(req.MaxTokens))
	}
	params.Temperature = openai.Float(req.Temperature)
	params.Seed = openai.Int(int64(req.Seed))
	params.Stop.OfStringArray = req.Stop
	return params
}

func message(m model.Message) openai.ChatCompletionMessageParamUnion {
	switch m.Role {
	case "system":
		return openai.SystemMessage(m.Content)
	case "assistant":
		return openai.AssistantMessage(m.Content)
	}
	return openai.UserMessage(m.Content)
}

// extras sends the schema as the bytes it was given in, since servers generate properties in the schema's order.
func (p *Provider) extras(req model.Request) []option.RequestOption {
	if len(req.Schema) == 0 {
		return nil
	}
	format := responseFormat{Type: "json_schema"}
	format.JSONSchema.Name = "answer"
	format.JSONSchema.Strict = strictSchema(req.Schema)
	format.JSONSchema.Schema = req.Schema
	return []option.RequestOption{option.WithJSONSet("response_format", format)}
}

type responseFormat struct {
	Type       string `json:"type"`
	JSONSchema struct {
		Name   string          `json:"name"`
		Strict bool            `json:"strict"`
		Schema json.RawMessage `json:"schema"`
	} `json:"json_schema"`
}

// strictSchema reports whether a schema keeps OpenAI's rules for strict mode: the root is an object, every object lists all
// its properties as required and allows no others. A schema that breaks them would be refused if it were sent as strict.
func strictSchema(raw json.RawMessage) bool {
	dec := json.NewDecoder(bytes.NewReader(raw))
	var root map[string]any
	if dec.Decode(&root) != nil || root["type"] != "object" || root["anyOf"] != nil {
		return false
	}
	return strictNode(root, 0)
}

func strictNode(node any, depth int) bool {
	if depth > 64 {
		return false
	}
	switch n := node.(type) {
	case []any:
		for _, v := range n {
			if !strictNode(v, depth+1) {
				return false
			}
		}
	case map[string]any:
		return strictObject(n, depth)
	}
	return true
}

func strictObject(n map[string]any, depth int) bool {
	for _, key := range []string{"allOf", "not", "if", "patternProperties", "dependentRequired", "dependentSchemas", "oneOf"} {
		if _, ok := n[key]; ok {
			return false
		}
	}
	props, isObject := n["properties"].(map[string]any)
	if n["type"] == "object" || isObject {
		required, _ := n["required"].([]any)
		if n["additionalProperties"] != false || len(required) != len(props) {
			return false
		}
	}
	for _, p := range props {
		if !strictNode(p, depth+1) {
			return false
		}
	}
	for _, key := range []string{"items", "anyOf", "$defs", "definitions"} {
		if !strictChildren(key, n[key], depth) {
			return false
		}
	}
	return true
}

// strictChildren walks $defs, which maps names to schemas, apart from the keywords whose value is a schema or a list of them.
func strictChildren(key string, v any, depth int) bool {
	defs, ok := v.(map[string]any)
	if !ok || key == "items" {
		return strictNode(v, depth+1)
	}
	for _, d := range defs {
		if !strictNode(d, depth+1) {
			return false
		}
	}
	return true
}
