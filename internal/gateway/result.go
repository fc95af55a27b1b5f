package gateway

import (
	"encoding/json"
	"strconv"

	"github.com/tidwall/gjson"

	"github.com/rung-dev/rung"
)

// result is an answer to be written in the form of an API.
type result struct {
	id        string // of the trace
	model     string // as the caller asked
	created   int64
	text      string
	calls     []toolCall // in place of text, for tasks whose answers are tool calls
	isCalls   bool
	finish    string // stop, length, content_filter
	usage     rung.Usage
	wantUsage bool // chat: a last chunk with the usage
	task      bool // answered by a release: the member rung is written
	release   string
	arm       string
	passages  []rung.Passage
	cited     []string
}

type toolCall struct {
	name      string
	arguments string // a JSON object
}

// callID names a tool call; clients send it back with the tool's result.
func (r *result) callID(prefix string, i int) string {
	return prefix + r.id[:min(20, len(r.id))] + strconv.Itoa(i)
}

// callsOf reads a value of a tools task: one call or a list of them.
func callsOf(value json.RawMessage) []toolCall {
	v := gjson.ParseBytes(value)
	if v.IsObject() {
		return []toolCall{{v.Get("name").String(), v.Get("arguments").Raw}}
	}
	calls := []toolCall{}
	v.ForEach(func(_, c gjson.Result) bool {
		calls = append(calls, toolCall{c.Get("name").String(), c.Get("arguments").Raw})
		return true
	})
	return calls
}

// appendMember writes the member rung: where the answer comes from, and what it rests on.
func (r *result) appendMember(b []byte) []byte {
	if !r.task {
		return b
	}
	b = append(b, `,"rung":{"trace_id":`...)
	b = appendString(b, r.id)
	b = append(b, `,"release":`...)
	b = appendString(b, r.release)
	if r.arm != "" {
		b = append(b, `,"arm":`...)
		b = appendString(b, r.arm)
	}
	if len(r.passages) > 0 {
		b = append(b, `,"passages":[`...)
		for i := range r.passages {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendPassage(b, &r.passages[i])
		}
		b = append(b, `],"cited":[`...)
		for i, id := range r.cited {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(b, id)
		}
		b = append(b, ']')
	}
	return append(b, '}')
}

func appendPassage(b []byte, p *rung.Passage) []byte {
	b = append(b, `{"id":`...)
	b = appendString(b, p.ID)
	b = append(b, `,"doc":`...)
	b = appendString(b, p.Doc)
	if p.Heading != "" {
		b = append(b, `,"heading":`...)
		b = appendString(b, p.Heading)
	}
	b = append(b, `,"text":`...)
	b = appendString(b, p.Text)
	return append(b, '}')
}

func appendInt(b []byte, n int) []byte { return strconv.AppendInt(b, int64(n), 10) }

// readOpenAIUsage reads the usage of chat completions, responses and embeddings.
func readOpenAIUsage(u gjson.Result) rung.Usage {
	in := u.Get("prompt_tokens")
	if !in.Exists() {
		in = u.Get("input_tokens")
	}
	out := u.Get("completion_tokens")
	if !out.Exists() {
		out = u.Get("output_tokens")
	}
	cached := u.Get("prompt_tokens_details.cached_tokens")
	if !cached.Exists() {
		cached = u.Get("input_tokens_details.cached_tokens")
	}
	got := rung.Usage{In: tokens(in), Out: tokens(out)}
	got.CachedIn = min(got.In, tokens(cached))
	return got
}

// readAnthropicUsage adds up what Anthropic counts apart.
func readAnthropicUsage(u gjson.Result) rung.Usage {
	cached := tokens(u.Get("cache_read_input_tokens"))
	return rung.Usage{In: tokens(u.Get("input_tokens")) + tokens(u.Get("cache_creation_input_tokens")) + cached, CachedIn: cached, Out: tokens(u.Get("output_tokens"))}
}

// tokens bounds a count from outside: a negative or absurd one would break sums.
func tokens(v gjson.Result) int { return int(min(max(v.Int(), 0), 1<<31)) }
