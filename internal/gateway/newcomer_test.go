package gateway_test

import (
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model/modeltest"
)

// TestNamesInTheConfiguration: what it names and the store does not know is said at the start, and only that.
func TestNamesInTheConfiguration(t *testing.T) {
	r := newRig(t, setup{config: `tasks:
  x: {alias: prodution, fallback: [{release: v9}, {release: v1}, {model: openai/m}]}
  y: {fallback: [{release: v1}]}
  typo: {history: refuse}
`, prepare: func(r *rig) {
		for _, task := range []string{"x", "y", "z"} {
			r.release(task, "v1", fixture{cand: candidate(textOut)})
		}
	}})
	log := r.log.String()
	for _, want := range []string{"no task typo", "x has no alias prodution", "it has production, v1", "x has no version or alias v9"} {
		if !strings.Contains(log, want) {
			t.Errorf("no %q in the log: %s", want, log)
		}
	}
	if n := strings.Count(log, "names what is not there"); n != 3 {
		t.Errorf("%d lines: %s", n, log)
	}
}

// TestAModelThatIsNotPassedThrough: the message says what would let it through.
func TestAModelThatIsNotPassedThrough(t *testing.T) {
	r := newRig(t, setup{config: "pass: [anthropic/*]"})
	if got := r.post("/v1/chat/completions", chat("openai/m", "hi")); got.status != 404 || !strings.Contains(got.body, "pass") || strings.Contains(got.body, "no task") {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := r.post("/v1/chat/completions", chat("nobody", "hi")); got.status != 404 || !strings.Contains(got.body, "there is no task nobody here") {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// TestInputFieldsNeedNoMessages: who gives the fields of the input outright has nothing more to say, in each API; who gives neither is
// told of both.
func TestInputFieldsNeedNoMessages(t *testing.T) {
	r := newRig(t, setup{script: modeltest.Text("red"), prepare: func(r *rig) { r.release("colours", "v1", fixture{cand: candidate(labelsOut)}) }})
	for _, path := range []string{"/v1/chat/completions", "/v1/messages", "/v1/responses"} {
		if got := r.post(path, `{"model":"colours","max_tokens":5,"rung":{"input":{"text":"blood"}}}`); got.status != 200 || !strings.Contains(got.body, "red") {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
		got := r.post(path, `{"model":"colours","max_tokens":5}`)
		if got.status != 400 || !strings.Contains(got.body, `needs `) || !strings.Contains(got.body, `\"rung\": {\"input\"`) {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
		if got := r.post(path, `{"model":"colours","max_tokens":5,"messages":7,"input":7}`); got.status != 400 || !strings.Contains(got.body, "list") {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
}

// TestACorrectionIsAnAnswer: what no answer of the task could be is refused.
func TestACorrectionIsAnAnswer(t *testing.T) {
	r := newRig(t, setup{script: modeltest.Text("red"), prepare: func(r *rig) { r.release("colours", "v1", fixture{cand: candidate(labelsOut)}) }})
	id := r.trace(r.post("/v1/chat/completions", chat("colours", "blood"))).ID
	for correction, status := range map[string]int{`"green"`: 400, `{"colour":"blue"}`: 400, `7`: 400, `"blue"`: 200} {
		got := r.post("/v1/feedback", `{"trace_id":"`+id+`","correction":`+correction+`}`)
		if got.status != status || status == 400 && !strings.Contains(got.body, "no answer of colours") {
			t.Errorf("%s: %d %s", correction, got.status, got.body)
		}
	}
	if kept, err := r.store.Feedback(t.Context(), id); err != nil || len(kept) != 1 {
		t.Errorf("%v, %v", kept, err)
	}
}

// TestTracesSayNoAddress: where a model stands is left out before it would be redacted into something that says nothing.
func TestTracesSayNoAddress(t *testing.T) {
	r := newRig(t, setup{script: func(modeltest.Call) modeltest.Reply { return modeltest.Reply{Fault: modeltest.BadJSON} }, prepare: func(r *rig) {
		r.release("x", "v1", fixture{cand: candidate(textOut)})
	}})
	tr := r.trace(r.post("/v1/chat/completions", chat("x", "hi")))
	if tr.Code != rung.CodeProvider || strings.Contains(tr.Error, "http") || !strings.Contains(tr.Error, "openai/m: ") {
		t.Errorf("%s: %q", tr.Code, tr.Error)
	}
}
