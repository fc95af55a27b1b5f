package openai_test

import (
	"testing"

	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/model/openai"
)

// BenchmarkChat is the work of building and reading one chat call, without a network.
func BenchmarkChat(b *testing.B) {
	p, err := openai.New(openai.Config{Name: "openai", BaseURL: "http://localhost:1/v1", HTTP: canned(`{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hello world"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12,"prompt_tokens_details":{"cached_tokens":0}}}`)})
	if err != nil {
		b.Fatal(err)
	}
	req := model.Request{Model: "openai/m", MaxTokens: 64, Seed: 1, Messages: []model.Message{
		{Role: "system", Content: "You are a helpful thing. Extract the intent and the slots."},
		{Role: "user", Content: "play the newest song by abc on spotify please"}}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Complete(b.Context(), req); err != nil {
			b.Fatal(err)
		}
	}
}
