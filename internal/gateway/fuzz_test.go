package gateway

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/rung-dev/rung"
)

var seeds = []string{
	`{"model":"a","messages":[{"role":"user","content":"x"}]}`,
	`{"model":"a@v1","stream":true,"messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"x"},{"type":"image_url"}]}],"tools":[{"type":"function","function":{"name":"f","parameters":{}}}],"metadata":{"segment":"x","rung.input":"{}"}}`,
	`{"model":"a","input":[{"type":"function_call","name":"f","arguments":"{"},{"role":"user","content":"x"}],"rung":{"input":{"text":"x"}}}`,
	`{"messages":[{"role":"assistant","content":[{"type":"tool_use","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","content":"x"}]}],"m\u006fdel":"a\ud800"}`,
	`{"model":"a","MODEL":"b"}`, `[]`, `{"model":{}}`, `{"model":"a","messages":{"0":1}}`, "{\"model\":\"\xff\"}",
}

// FuzzRequests: whatever is sent, it is read or refused with an error for the caller; what is rewritten for an upstream is the same
// JSON with another model, and the input that is made of it is JSON with the task's fields.
func FuzzRequests(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	cand := &rung.Candidate{Input: []rung.Field{{Name: "text", Type: "string"}, {Name: "functions", Type: "array"}}, Output: rung.Output{Kind: rung.Tools, ToolsFrom: "functions"}}
	single := &rung.Candidate{Input: []rung.Field{{Name: "text", Type: "string"}}}
	f.Fuzz(func(t *testing.T, body []byte) {
		if checkJSON(body) != nil {
			return
		}
		e, err := open(body)
		if err != nil {
			refused(t, err)
			return
		}
		again := e.rewritten(nil, body, "other")
		if !json.Valid(again) || gjson.GetBytes(again, "model").Str != "other" && !strings.Contains(string(body), `\u`) {
			t.Fatalf("%q was rewritten to %q", body, again)
		}
		_ = e.lastUser()
		for _, a := range []*api{chatAPI, messagesAPI, responsesAPI} {
			asked, err := a.ask(&e)
			if err != nil {
				refused(t, err)
				continue
			}
			_, last, err := asked.split()
			if err != nil {
				refused(t, err)
				continue
			}
			for _, c := range []*rung.Candidate{cand, single} {
				input, err := asked.inputOf(c, last)
				if err != nil {
					refused(t, err)
				} else if !json.Valid(input) || !gjson.GetBytes(input, "text").Exists() {
					t.Fatalf("%q gave the input %q", body, input)
				}
			}
		}
	})
}

func refused(t *testing.T, err error) {
	t.Helper()
	if failure := failureOf(err, false); failure.status < 400 || failure.status >= 500 || !json.Valid(appendError(nil, false, &failure, "x")) || !json.Valid(appendError(nil, true, &failure, "x")) {
		t.Fatalf("%v gave %+v", err, failure)
	}
}

// FuzzAnswers: what a model says is put into each API's form as JSON, whatever it is, and streamed the same.
func FuzzAnswers(f *testing.F) {
	f.Add("text", "name", `{"a":1}`)
	f.Add("\xff\u2028\"", "", "")
	f.Fuzz(func(t *testing.T, text, name, arguments string) {
		if !json.Valid([]byte(arguments)) {
			arguments = "{}"
		}
		for _, r := range []*result{{id: strings.Repeat("a", 32), model: name, text: text, finish: "stop", task: true, release: name, wantUsage: true, passages: []rung.Passage{{ID: name, Text: text}}, cited: []string{name}},
			{id: strings.Repeat("a", 32), calls: []toolCall{{name, arguments}, {name, arguments}}}} {
			for _, a := range []*api{chatAPI, messagesAPI, responsesAPI} {
				if b := a.whole(nil, r); !json.Valid(b) {
					t.Fatalf("%s: %s", a.name, b)
				}
				s := a.stream(r)
				b := s.start(nil)
				if len(r.calls) > 0 {
					b = s.calls(b, r.calls)
				} else {
					b = s.delta(b, text)
				}
				b = s.end(b)
				b = s.fail(b, &failure{message: text, status: 502})
				for _, line := range strings.Split(string(b), "\n") {
					data, ok := strings.CutPrefix(line, "data: ")
					if !ok && line != "" && !strings.HasPrefix(line, "event: ") || ok && data != "[DONE]" && !json.Valid([]byte(data)) {
						t.Fatalf("%s: %q", a.name, line)
					}
				}
			}
		}
	})
}

// FuzzToken: no token but one that was signed gives groups.
func FuzzToken(f *testing.F) {
	g := &Groups{verify: hs256(strings.Repeat("k", 32))}
	for _, s := range []string{"a.b.c", "eyJhbGciOiJub25lIn0.eyJncm91cHMiOlsiYWRtaW4iXSwiZXhwIjo0MTAyNDQ0ODAwfQ.", "...", "eyJhbGciOiJIUzI1NiJ9.e30.AAAA"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, token string) {
		if groups, err := verify(token, g, time.Unix(2e9, 0)); err == nil {
			t.Fatalf("%q gave %v", token, groups)
		}
	})
}

// FuzzTally: the same bytes in any pieces give the same usage and text.
func FuzzTally(f *testing.F) {
	f.Add([]byte("data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}],\"usage\":{\"prompt_tokens\":3}}\n\ndata: [DONE]\n\n"), 3)
	f.Add([]byte("data: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":-5}}}\r\n"), 1)
	f.Fuzz(func(t *testing.T, stream []byte, piece int) {
		piece = max(1, min(piece, 64))
		for _, a := range []*api{chatAPI, messagesAPI, responsesAPI} {
			one, many := &tally{api: a, keep: true}, &tally{api: a, keep: true}
			one.feed(stream)
			for at := 0; at < len(stream); at += piece {
				many.feed(stream[at:min(at+piece, len(stream))])
			}
			if one.usage != many.usage || string(one.text) != string(many.text) || one.events != many.events || one.usage.In < 0 || one.usage.CachedIn > one.usage.In {
				t.Fatalf("%q: %+v and %+v", stream, one, many)
			}
		}
	})
}
