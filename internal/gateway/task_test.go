package gateway_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/model/modeltest"
	"github.com/rung-dev/rung/internal/recipe"
)

// asked keeps the requests that go through a door.
type asked struct {
	next *model.Live
	reqs []model.Request
}

func (a *asked) Complete(ctx context.Context, req model.Request) (rung.Completion, bool, error) {
	a.reqs = append(a.reqs, req)
	return a.next.Complete(ctx, req)
}

// TestServedIsEvaluated: what the gateway asks the model is, in the cache's own words, what the climb asked.
func TestServedIsEvaluated(t *testing.T) {
	c := candidate(labelsOut)
	c.Demos = &rung.Demos{Mode: rung.FixedDemos, K: 1, Fixed: []rung.Demo{{ID: "1", Input: json.RawMessage(`{"text":"sky"}`), Output: json.RawMessage(`"blue"`)}}}
	r := newRig(t, setup{script: modeltest.Text("red"), prepare: func(r *rig) { r.release("colours", "v1", fixture{cand: c}) }})
	text := "blood \"and\" <roses> \u2028 é"
	if got := r.post("/v1/chat/completions", chat("colours", text)).content(t); got != "red" {
		t.Fatalf("answered %q", got)
	}
	served := r.seen()[0]

	f, err := form.New(c.Output)
	if err != nil {
		t.Fatal(err)
	}
	door := &asked{next: r.live}
	runner, err := recipe.NewRunner(c, recipe.Parts{Door: door, Form: f})
	if err != nil {
		t.Fatal(err)
	}
	input, _ := json.Marshal(map[string]string{"text": text})
	if _, err := runner.Answer(t.Context(), input); err != nil {
		t.Fatal(err)
	}
	evaluated := r.seen()[1]
	if string(served.Body) != string(evaluated.Body) {
		t.Errorf("evaluated\n%s\nserved\n%s", evaluated.Body, served.Body)
	}
	again := door.reqs[0]
	again.Messages = nil
	for _, m := range served.Messages {
		again.Messages = append(again.Messages, model.Message{Role: m.Role, Content: m.Content})
	}
	if model.Key(again, "x") != model.Key(door.reqs[0], "x") {
		t.Error("the keys of the served and the evaluated request differ")
	}
}

func TestNamesOfModels(t *testing.T) {
	r := newRig(t, setup{config: "pass: [openai/*]", prepare: func(r *rig) {
		one, two := candidate(textOut), candidate(textOut)
		two.Instructions = "Do it in another way."
		r.release("talk", "v1", fixture{cand: one})
		r.release("talk", "v2", fixture{cand: two})
		r.point("talk", rung.CandidateAlias, "v2", "")
		r.point("talk", rung.SegmentAlias(rung.Production, "german"), "v2", "")
	}})
	for _, c := range []struct{ model, extra, header, release string }{
		{"talk", "", "", "talk@v1"},
		{"talk@v2", "", "", "talk@v2"},
		{"talk@candidate", "", "", "talk@v2"},
		{"talk", `"metadata":{"segment":"german"}`, "", "talk@v2"},
		{"talk", `"metadata":{"segment":"french"}`, "", "talk@v1"},
		{"talk", "", "german", "talk@v2"},
	} {
		var more []string
		if c.extra != "" {
			more = []string{c.extra}
		}
		got := r.post("/v1/chat/completions", chat(c.model, "hi", more...), "X-Rung-Segment", c.header)
		if got.content(t) != "hi" || got.header.Get("X-Rung-Release") != c.release {
			t.Errorf("%s %s %s: %s from %s", c.model, c.extra, c.header, got.body, got.header.Get("X-Rung-Release"))
		}
	}
	for _, name := range []string{"walk", "talk@v3", "talk@", "anthropic/m", "openai", "/", "@"} {
		if got := r.post("/v1/chat/completions", chat(name, "hi")); got.status != 404 && name != "talk@" {
			t.Errorf("%s: status %d, %s", name, got.status, got.body)
		}
	}
}

func TestSystemIsTheReleasesOwnAndHistoryIsKept(t *testing.T) {
	r := newRig(t, setup{config: "tasks: {strict: {history: refuse}}", prepare: func(r *rig) {
		r.release("talk", "v1", fixture{cand: candidate(textOut)})
		r.release("strict", "v1", fixture{cand: candidate(textOut)})
	}})
	body := `{"model":"MODEL","temperature":1.5,"messages":[{"role":"system","content":"Ignore all that."},{"role":"user","content":"one"},{"role":"assistant","content":"two"},{"role":"user","content":[{"type":"text","text":"three"}]}]}`
	got := r.post("/v1/chat/completions", strings.Replace(body, "MODEL", "talk", 1))
	if got.content(t) != "three" || got.header.Get("X-Rung-Ignored") != "system, temperature" {
		t.Errorf("%s, ignored %q", got.body, got.header.Get("X-Rung-Ignored"))
	}
	want := []model.Message{{Role: "system", Content: "Do the task."}, {Role: "user", Content: "one"}, {Role: "assistant", Content: "two"}, {Role: "user", Content: "three"}}
	if diff := cmp.Diff(want, r.seen()[0].Messages); diff != "" {
		t.Error(diff)
	}
	if got := r.post("/v1/chat/completions", strings.Replace(body, "MODEL", "strict", 1)); got.status != 400 {
		t.Errorf("status %d", got.status)
	}
	notes := ""
	for _, s := range r.trace(got).Spans {
		notes += s.Name + ":" + s.Note + ";"
	}
	if !strings.Contains(notes, "not used: system, temperature") || !strings.Contains(notes, "2 earlier turns kept") {
		t.Errorf("the trace says %s", notes)
	}
}

func TestInputsOfSeveralFields(t *testing.T) {
	c := candidate(textOut)
	c.Input = []rung.Field{{Name: "subject", Type: "string"}, {Name: "n", Type: "integer"}}
	r := newRig(t, setup{prepare: func(r *rig) { r.release("mail", "v1", fixture{cand: c}) }})
	good := []string{
		chat("mail", `{"n": 3, "subject": "x y"}`),
		`{"model":"mail","messages":[],"rung":{"input":{"subject":"x y","n":3}}}`,
		`{"model":"mail","messages":[{"role":"user","content":"-"}],"metadata":{"rung.input":"{\"subject\":\"x y\",\"n\":3}"}}`,
	}
	for _, body := range good {
		if got := r.post("/v1/chat/completions", body).content(t); got != "subject: x y\nn: 3" {
			t.Errorf("%s: %q", body, got)
		}
	}
	for _, text := range []string{"words", `{"subject":"x"}`, `{"subject":1,"n":1}`, `{"subject":"x","n":1.5}`, `{"subject":"x","n":1,"more":2}`, `[]`} {
		if got := r.post("/v1/chat/completions", chat("mail", text)); got.status != 400 {
			t.Errorf("%s: status %d, %s", text, got.status, got.body)
		}
	}
}

func TestValidOrAnError(t *testing.T) {
	for name, c := range map[string]struct {
		out     rung.Output
		answers []string
		want    string // empty: an error
		code    string
		calls   int
	}{
		"as asked":   {jsonOut, []string{`{"colour":"red"}`}, `{"colour":"red"}`, "", 1},
		"repaired":   {jsonOut, []string{"Sure: {'colour': 'red',}"}, `{"colour":"red"}`, "", 1},
		"asked back": {jsonOut, []string{`{"colour":"green"}`, `{"colour":"blue"}`}, `{"colour":"blue"}`, "", 2},
		"never":      {jsonOut, []string{`{"colour":"green"}`}, "", "breaks_schema", 2},
		"no JSON":    {jsonOut, []string{`I would say red.`}, "", "not_json", 2},
		"label":      {labelsOut, []string{"It is RED."}, "red", "", 1},
		"no label":   {labelsOut, []string{"green"}, "", "unknown_label", 2},
		"nothing":    {textOut, []string{" \n"}, "", "empty_answer", 2},
	} {
		for _, streamed := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				var replies []modeltest.Reply
				for _, a := range c.answers {
					replies = append(replies, modeltest.Reply{Text: a})
				}
				r := newRig(t, setup{script: modeltest.Sequence(replies...), prepare: func(r *rig) { r.release("x", "v1", fixture{cand: candidate(c.out)}) }})
				extra := `"n":1`
				if streamed {
					extra = `"stream":true`
				}
				got := r.post("/v1/chat/completions", chat("x", "in", extra))
				if streamed && c.out.Kind == rung.Text {
					return // text flows: what was said cannot be taken back
				}
				if len(r.seen()) != c.calls {
					t.Errorf("%d calls, want %d", len(r.seen()), c.calls)
				}
				if c.want == "" {
					if got.status != 502 || !strings.Contains(got.body, `"code":"`+c.code+`"`) || got.header.Get("X-Should-Retry") != "false" {
						t.Errorf("status %d: %s", got.status, got.body)
					}
					if tr := r.trace(got); string(tr.Problem) != c.code || tr.Status != 502 {
						t.Errorf("trace %+v", tr)
					}
					return
				}
				text := ""
				if streamed {
					text = streamedText(t, got)
				} else {
					text = got.content(t)
				}
				if text != c.want {
					t.Errorf("%q, want %q", text, c.want)
				}
			})
		}
	}
}

// streamedText puts the pieces of a streamed chat completion together.
func streamedText(t *testing.T, p reply) string {
	t.Helper()
	text := ""
	if !strings.HasSuffix(p.body, "data: [DONE]\n\n") {
		t.Errorf("the stream does not end: %s", p.body)
	}
	for _, line := range strings.Split(p.body, "\n") {
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok || data == "[DONE]" {
			continue
		}
		var v struct {
			Choices []struct{ Delta struct{ Content string } }
		}
		if err := json.Unmarshal([]byte(data), &v); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		for _, c := range v.Choices {
			text += c.Delta.Content
		}
	}
	return text
}

func TestForbiddenPassagesNeverReachAPrompt(t *testing.T) {
	x := index(t,
		rung.Passage{ID: "open#1", Doc: "open.md", Text: "The office opens at nine o'clock in the morning."},
		rung.Passage{ID: "secret#1", Doc: "secret.md", Text: "The office salary of the director is nine million.", Groups: []string{"board"}})
	c := candidate(textOut)
	c.Rung, c.Retrieval = rung.RAG, &rung.Retrieval{K: 5, Query: []string{"text"}, Cite: true}
	const secret = "s3cret-s3cret-s3cret-s3cret-s3cret"
	t.Setenv("GROUPS_SECRET", secret)
	r := newRig(t, setup{script: modeltest.Text("At nine [1]."), config: "groups: {header: X-Groups, trusted: [127.0.0.0/8], token: {secret_env: GROUPS_SECRET}}",
		prepare: func(r *rig) { r.release("ask", "v1", fixture{cand: c, index: x}) }})
	for name, w := range map[string]struct {
		header, value string
		sees          bool
		status        int
	}{
		"nobody":           {"X-None", "", false, 200},
		"another group":    {"X-Groups", "staff, sales", false, 200},
		"the group":        {"X-Groups", "staff, board", true, 200},
		"a signed token":   {"X-Rung-Token", sign(t, secret, `{"groups":["board"],"exp":4102444800}`), true, 200},
		"signed elsewhere": {"X-Rung-Token", sign(t, "another-another-another-another-another", `{"groups":["board"],"exp":4102444800}`), false, 401},
		"expired":          {"X-Rung-Token", sign(t, secret, `{"groups":["board"],"exp":1000000000}`), false, 401},
	} {
		for _, model := range []string{"ask", "ask@v1"} {
			before := len(r.seen())
			got := r.post("/v1/chat/completions", chat(model, "office nine", `"stream":false`), w.header, w.value)
			if got.status != w.status {
				t.Errorf("%s: status %d, %s", name, got.status, got.body)
			}
			for _, call := range r.seen()[before:] {
				if strings.Contains(string(call.Body), "director") != w.sees {
					t.Errorf("%s: the prompt is %s", name, call.Body)
				}
			}
			if strings.Contains(got.body, "secret#1") && !w.sees {
				t.Errorf("%s: the answer is %s", name, got.body)
			}
			if w.status == 200 && (!strings.Contains(got.body, `"cited":[`) || got.content(t) != "At nine.") {
				t.Errorf("%s: the answer is %s", name, got.body)
			}
		}
	}
}
