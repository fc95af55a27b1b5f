package gateway_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model/modeltest"
)

func TestTextFlowsWhileItIsMade(t *testing.T) {
	r := newRig(t, setup{script: func(modeltest.Call) modeltest.Reply {
		return modeltest.Reply{Text: "one two three", Gap: 10 * time.Millisecond}
	}, config: "pass: [openai/*]", prepare: func(r *rig) { r.release("talk", "v1", fixture{cand: candidate(textOut)}) }})
	for _, model := range []string{"talk", "openai/m"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+"/v1/chat/completions", strings.NewReader(chat(model, "hi", `"stream":true`, `"stream_options":{"include_usage":true}`)))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var at []time.Time
		all := ""
		lines := bufio.NewScanner(resp.Body)
		for lines.Scan() {
			if strings.Contains(lines.Text(), `"content":"`) && !strings.Contains(lines.Text(), `"content":""`) {
				at = append(at, time.Now())
			}
			all += lines.Text() + "\n"
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
		if len(at) < 3 || at[len(at)-1].Sub(at[0]) < 15*time.Millisecond {
			t.Errorf("%s: %d pieces, the last %s after the first\n%s", model, len(at), at[len(at)-1].Sub(at[0]), all)
		}
		if got := streamedText(t, reply{200, nil, all}); got != "one two three" {
			t.Errorf("%s: %q", model, got)
		}
		if !strings.Contains(all, `"usage":{"prompt_tokens":`) {
			t.Errorf("%s: no usage in %s", model, all)
		}
		tr := r.trace(reply{header: resp.Header})
		if tr.First <= 0 || tr.First >= tr.Latency || !tr.Stream || tr.Usage.Out == 0 || string(tr.Output) != `"one two three"` {
			t.Errorf("%s: trace %+v", model, tr)
		}
	}
}

func TestCitationsAreTakenOutOfAStream(t *testing.T) {
	c := candidate(textOut)
	c.Rung, c.Retrieval = rung.RAG, &rung.Retrieval{K: 1, Query: []string{"text"}, Cite: true}
	x := index(t, rung.Passage{ID: "a#1", Doc: "a", Text: "office nine"})
	r := newRig(t, setup{script: func(modeltest.Call) modeltest.Reply {
		return modeltest.Reply{Text: "At nine [1].", Pieces: []string{"At ", "nine", " ", "[", "1", "]", "."}}
	}, prepare: func(r *rig) { r.release("ask", "v1", fixture{cand: c, index: x}) }})
	got := r.post("/v1/chat/completions", chat("ask", "office", `"stream":true`))
	if text := streamedText(t, got); text != "At nine." || !strings.Contains(got.body, `"cited":["a#1"]`) {
		t.Errorf("%q: %s", text, got.body)
	}
}

func TestStreamsOfTheOtherAPIs(t *testing.T) {
	r := newRig(t, setup{script: modeltest.Text("one two"), prepare: func(r *rig) { r.release("talk", "v1", fixture{cand: candidate(textOut)}) }})
	got := r.post("/v1/messages", chat("talk", "hi", `"stream":true`, `"max_tokens":5`))
	for _, want := range []string{"event: message_start\n", "event: content_block_start\n", `"text_delta","text":"one"`, "event: content_block_stop\n", `"stop_reason":"end_turn"`, "event: message_stop\n"} {
		if !strings.Contains(got.body, want) {
			t.Errorf("messages: no %q in\n%s", want, got.body)
		}
	}
	got = r.post("/v1/responses", `{"model":"talk","input":"hi","stream":true}`)
	number := 0.0
	for _, line := range strings.Split(got.body, "\n") {
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			continue
		}
		var v map[string]any
		if err := json.Unmarshal([]byte(data), &v); err != nil {
			t.Fatalf("%v in %s", err, data)
		}
		if v["sequence_number"] != number {
			t.Errorf("event %s has the number %v, want %v", v["type"], v["sequence_number"], number)
		}
		number++
	}
	for _, want := range []string{"response.created", "response.output_item.added", "response.content_part.added", "response.output_text.delta", "response.output_text.done", "response.output_item.done", "response.completed"} {
		if !strings.Contains(got.body, "event: "+want+"\n") {
			t.Errorf("responses: no %s in\n%s", want, got.body)
		}
	}
}

// TestFaultyUpstream: whatever a provider does, the caller gets an answer or an error in the API's own form, in time, and the trace
// says which.
func TestFaultyUpstream(t *testing.T) {
	faults := map[modeltest.Fault]int{modeltest.RateLimited: 502, modeltest.ServerError: 502, modeltest.Unavailable: 502, modeltest.HTMLError: 502, modeltest.Cut: 502, modeltest.CutEarly: 502,
		modeltest.Hang: 504, modeltest.HangBody: 504, modeltest.BadJSON: 502, modeltest.WrongShape: 502, modeltest.Endless: 502, modeltest.NoChoices: 502, modeltest.BadKey: 502, modeltest.NoModel: 502,
		modeltest.TooLong: 400, modeltest.Redirect: 502, modeltest.HugeHeaders: 502}
	for fault, status := range faults {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, setup{script: modeltest.Sequence(modeltest.Reply{Fault: fault}), config: "limits: {request: 400ms, attempt: 300ms}", prepare: func(r *rig) { r.release("talk", "v1", fixture{cand: candidate(textOut)}) }})
			for _, path := range []string{"/v1/chat/completions", "/v1/messages"} {
				start := time.Now()
				got := r.post(path, chat("talk", "hi"))
				if got.status != status || time.Since(start) > 5*time.Second {
					t.Errorf("%s: status %d after %s: %s", path, got.status, time.Since(start), got.body)
				}
				var e struct {
					Type  string
					Error struct{ Message, Type string }
				}
				if err := json.Unmarshal([]byte(got.body), &e); err != nil || e.Error.Message == "" || e.Error.Type == "" || (path == "/v1/messages") != (e.Type == "error") {
					t.Errorf("%s: %v in %s", path, err, got.body)
				}
				if strings.Contains(got.body, "127.0.0.1") || strings.Contains(got.body, "up-key") || strings.Contains(got.body, "_API_KEY") {
					t.Errorf("the answer shows what is the gateway's own: %s", got.body)
				}
				if tr := r.trace(got); tr.Status != status || tr.Code == "" {
					t.Errorf("trace %+v", tr)
				}
			}
		})
	}
}

// TestStreamThatBreaksDoesNotLookWhole: after the first piece there is no status to tell it by.
func TestStreamThatBreaksDoesNotLookWhole(t *testing.T) {
	for _, fault := range []modeltest.Fault{modeltest.CutStream, modeltest.HangStream, modeltest.ErrorStream, modeltest.BadStream, modeltest.HugeEvent, modeltest.ShortStream} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, setup{script: func(modeltest.Call) modeltest.Reply { return modeltest.Reply{Text: "one two three", Fault: fault} },
				config: "pass: [openai/*]\nlimits: {request: 500ms}", prepare: func(r *rig) { r.release("talk", "v1", fixture{cand: candidate(textOut)}) }})
			got := r.post("/v1/chat/completions", chat("talk", "hi", `"stream":true`))
			if strings.Contains(got.body, "[DONE]") || strings.Contains(got.body, `"finish_reason":"stop"`) || !strings.Contains(got.body, `"error":{`) {
				t.Errorf("the stream looks whole: %s", got.body)
			}
			if tr := r.trace(got); tr.Code == "" {
				t.Errorf("trace %+v", tr)
			}
			if fault == modeltest.HugeEvent || fault == modeltest.ErrorStream || fault == modeltest.BadStream || fault == modeltest.ShortStream {
				return // passed through, these are the provider's own words
			}
			got = r.post("/v1/chat/completions", chat("openai/m", "hi", `"stream":true`))
			if strings.Contains(got.body, "[DONE]") || !strings.Contains(got.body, "!!") {
				t.Errorf("the connection did not break: %s", got.body)
			}
		})
	}
}

// TestRestoredTextFlows: a guard that only puts values back does not hold the stream up, wherever a placeholder is cut.
func TestRestoredTextFlows(t *testing.T) {
	pii := rung.GuardSpec{Kind: "pii", Stages: []rung.GuardStage{rung.GuardInput}, Action: rung.Redact, Restore: true}
	r := newRig(t, setup{script: func(modeltest.Call) modeltest.Reply {
		return modeltest.Reply{Text: "I write to <EMAIL_1> and <EMAIL_9> now <EMAIL_", Pieces: []string{"I write", " to <EM", "AIL", "_1", "> and", " <EMAIL_9> ", "now <EMAIL_"}}
	}, prepare: func(r *rig) {
		r.release("talk", "v1", fixture{cand: candidate(textOut), guards: []rung.GuardSpec{pii}})
	}})
	got := r.post("/v1/chat/completions", chat("talk", "write to ann@example.org", `"stream":true`))
	if text := streamedText(t, got); text != "I write to ann@example.org and <EMAIL_9> now <EMAIL_" {
		t.Errorf("streamed %q", text)
	}
	if n := strings.Count(got.body, `"delta":{"content":"`); n < 4 {
		t.Errorf("%d pieces: the answer did not flow\n%s", n, got.body)
	}
	if sent := r.seen()[0].Last(); strings.Contains(sent, "ann@") {
		t.Errorf("the model saw %q", sent)
	}
}
