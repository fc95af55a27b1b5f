package gateway

import (
	"github.com/tidwall/gjson"

	"github.com/rung-dev/rung"
)

// api is one of the wire formats.
type api struct {
	name      string // as traces have it
	path      string // at an upstream, after its base URL
	anthropic bool
	// ask reads a request to a task; nil where tasks do not answer.
	ask func(e *envelope) (*ask, error)
	// whole writes an answer in one piece.
	whole func(b []byte, r *result) []byte
	// stream writes one as events.
	stream func(r *result) streamWriter
	// usage and text read an upstream's whole answer.
	usage func(body gjson.Result) rung.Usage
	text  func(body gjson.Result) string
	// event reads an upstream's event of a stream into the tally.
	event func(t *tally, data gjson.Result)
}

// streamWriter writes an answer as events, each into b, which it gives back.
type streamWriter interface {
	start(b []byte) []byte
	delta(b []byte, text string) []byte
	calls(b []byte, calls []toolCall) []byte
	end(b []byte) []byte // the result is complete now
	fail(b []byte, f *failure) []byte
}

var (
	chatAPI = &api{name: "chat", path: "/chat/completions", ask: askChat, whole: wholeChat, stream: streamChat,
		usage: func(v gjson.Result) rung.Usage { return readOpenAIUsage(v.Get("usage")) },
		text:  func(v gjson.Result) string { return v.Get("choices.0.message.content").String() }, event: eventChat}
	responsesAPI = &api{name: "responses", path: "/responses", ask: askResponses, whole: wholeResponse, stream: streamResponse,
		usage: func(v gjson.Result) rung.Usage { return readOpenAIUsage(v.Get("usage")) },
		text:  textResponse, event: eventResponse}
	messagesAPI = &api{name: "messages", path: "/v1/messages", anthropic: true, ask: askMessages, whole: wholeMessage, stream: streamMessage,
		usage: func(v gjson.Result) rung.Usage { return readAnthropicUsage(v.Get("usage")) },
		text:  func(v gjson.Result) string { return contentText(v.Get("content")) }, event: eventMessage}
	embeddingsAPI = &api{name: "embeddings", path: "/embeddings",
		usage: func(v gjson.Result) rung.Usage { return readOpenAIUsage(v.Get("usage")) },
		text:  func(gjson.Result) string { return "" }, event: func(*tally, gjson.Result) {}}
)
