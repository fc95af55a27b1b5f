package gateway_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/gateway"
	"github.com/rung-dev/rung/internal/model/modeltest"
	"github.com/rung-dev/rung/internal/rollout"
)

// byModel answers by the name of the model that is asked.
func byModel(replies map[string]modeltest.Reply) modeltest.Script {
	return func(c modeltest.Call) modeltest.Reply { return replies[c.Model] }
}

func on(c rung.Candidate, model rung.ModelRef) rung.Candidate {
	c.Model = model
	return c
}

func TestFallbackChain(t *testing.T) {
	for name, first := range map[string]modeltest.Reply{
		"error": {Fault: modeltest.ServerError}, "schema": {Text: "none"}, "timeout": {Fault: modeltest.Hang}, "bad key": {Fault: modeltest.BadKey}, "too long": {Fault: modeltest.TooLong},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, setup{config: "tasks:\n  x:\n    timeout: 200ms\n    fallback: [{release: v2}, {model: openai/third}]",
				script: byModel(map[string]modeltest.Reply{"m": first, "second": {Text: "green"}, "third": {Text: `{"colour":"red"}`}}),
				prepare: func(r *rig) {
					r.release("x", "v1", fixture{cand: candidate(jsonOut)})
					r.release("x", "v2", fixture{cand: on(candidate(jsonOut), "openai/second")})
				}})
			for _, extra := range []string{`"stream":false`, `"stream":true`} {
				got := r.post("/v1/chat/completions", chat("x", "in", extra))
				if got.status != 200 || !strings.Contains(got.body, `red`) {
					t.Errorf("status %d: %s", got.status, got.body)
				}
				tr := r.trace(got)
				if tr.Fallback != 2 || tr.Upstream != "openai/third" || tr.Version != "v1" {
					t.Errorf("trace %+v", tr)
				}
			}
		})
	}
	r := newRig(t, setup{config: "tasks: {x: {fallback: [{release: v2}]}}", prepare: func(r *rig) {
		r.release("x", "v1", fixture{cand: candidate(textOut)})
		r.release("x", "v2", fixture{cand: on(candidate(textOut), "openai/second")})
	}})
	if got := r.post("/v1/chat/completions", chat("x", " ")); got.status != 400 || len(r.seen()) != 0 {
		t.Errorf("the caller's own mistake was answered with %d after %d calls", got.status, len(r.seen()))
	}
}

func TestGuardsStandBeforeAndAfterTheModel(t *testing.T) {
	pii := rung.GuardSpec{Kind: "pii", Stages: []rung.GuardStage{rung.GuardInput}, Action: rung.Redact, Restore: true}
	words := func(stage rung.GuardStage, action rung.GuardAction) rung.GuardSpec {
		return rung.GuardSpec{Kind: "phrases", Stages: []rung.GuardStage{stage}, Action: action, Phrases: []string{"forbidden fruit"}}
	}
	x := index(t, rung.Passage{ID: "a#1", Doc: "a", Text: "office forbidden fruit"}, rung.Passage{ID: "b#1", Doc: "b", Text: "office bread"})
	ragged := candidate(textOut)
	ragged.Rung, ragged.Retrieval = rung.RAG, &rung.Retrieval{K: 5, Query: []string{"text"}}
	r := newRig(t, setup{config: "tasks: {falls: {fallback: [{release: v2}]}}", prepare: func(r *rig) {
		r.release("private", "v1", fixture{cand: candidate(textOut), guards: []rung.GuardSpec{pii}})
		r.release("blocks", "v1", fixture{cand: candidate(textOut), guards: []rung.GuardSpec{words(rung.GuardInput, rung.Block)}})
		r.release("after", "v1", fixture{cand: candidate(textOut), guards: []rung.GuardSpec{words(rung.GuardOutput, rung.Block)}})
		r.release("falls", "v1", fixture{cand: candidate(textOut), guards: []rung.GuardSpec{words(rung.GuardInput, rung.Fallback)}})
		r.release("falls", "v2", fixture{cand: on(candidate(textOut), "openai/second")})
		r.release("passages", "v1", fixture{cand: ragged, index: x, guards: []rung.GuardSpec{words(rung.GuardRetrieved, rung.Block)}})
		r.release("notes", "v1", fixture{cand: candidate(textOut), guards: []rung.GuardSpec{words(rung.GuardInput, rung.Annotate)}})
	}})
	body := func(task, earlier, last string) string {
		return fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":%q},{"role":"assistant","content":"so"},{"role":"user","content":%q}]}`, task, earlier, last)
	}
	for _, stream := range []string{`"stream":false`, `"stream":true`} {
		before := len(r.seen())
		got := r.post("/v1/chat/completions", chat("private", "I am at jane.doe@example.com today", stream))
		if sent := string(r.seen()[before].Body); strings.Contains(sent, "jane.doe") {
			t.Errorf("the model saw %s", sent)
		}
		if !strings.Contains(got.body, "jane.doe@example.com") {
			t.Errorf("it was not put back: %s", got.body)
		}
		if tr := r.trace(got); strings.Contains(string(tr.Input), "jane.doe") || len(tr.Guards) == 0 {
			t.Errorf("trace %+v", tr)
		}
	}
	for _, c := range []struct {
		body   string
		status int
		calls  int
	}{
		{chat("blocks", "a forbidden fruit"), 400, 0}, {body("blocks", "a forbidden fruit", "go on"), 400, 0}, {chat("blocks", "bread"), 200, 1},
		{chat("after", "a forbidden fruit"), 400, 1}, {chat("after", "a forbidden fruit", `"stream":true`), 400, 1},
		{chat("falls", "a forbidden fruit"), 200, 1}, {chat("passages", "office"), 200, 1}, {chat("notes", "a forbidden fruit"), 200, 1},
	} {
		before := len(r.seen())
		got := r.post("/v1/chat/completions", c.body)
		if calls := len(r.seen()) - before; got.status != c.status || calls != c.calls {
			t.Errorf("%s: status %d after %d calls: %s", c.body, got.status, calls, got.body)
		}
		if c.status == 400 && !strings.Contains(got.body, `"code":"blocked"`) {
			t.Errorf("%s: %s", c.body, got.body)
		}
		tr := r.trace(got)
		switch tr.Task {
		case "falls":
			if tr.Fallback != 1 || tr.Upstream != "openai/second" {
				t.Errorf("trace %+v", tr)
			}
		case "passages":
			if sent := string(r.seen()[before].Body); strings.Contains(sent, "forbidden") || !strings.Contains(sent, "bread") {
				t.Errorf("the prompt is %s", sent)
			}
		case "notes":
			if got.header.Get("X-Rung-Guard") != "phrases on input" {
				t.Errorf("headers %v", got.header)
			}
		}
	}
}

func TestRollbackTakesEffectAtOnce(t *testing.T) {
	r := newRig(t, setup{prepare: func(r *rig) {
		r.release("x", "v1", fixture{cand: candidate(textOut)})
		r.release("x", "v2", fixture{cand: on(candidate(textOut), "openai/second")})
	}})
	from, to := "v1", "v2"
	for range 4 {
		r.point("x", rung.Production, to, from)
		start := time.Now()
		r.eventually("requests go to "+to, func() bool {
			return r.post("/v1/chat/completions", chat("x", "hi")).header.Get("X-Rung-Release") == "x@"+to
		})
		if took := time.Since(start); took > time.Second {
			t.Errorf("it took %s", took)
		}
		from, to = to, from
	}
	// A release that cannot be made ready leaves its alias where it was.
	r.mu.Lock()
	r.releases["x@v3"] = fixture{}
	r.mu.Unlock()
	broken := candidate(textOut)
	broken.Template.User = "{{.Nonsense"
	r.release("x", "v3", fixture{cand: broken})
	r.point("x", rung.Production, "v3", "v1")
	r.eventually("the log says so", func() bool { return strings.Contains(r.log.String(), "cannot be made ready") })
	if got := r.post("/v1/chat/completions", chat("x", "hi")); got.status != 200 || got.header.Get("X-Rung-Release") != "x@v1" {
		t.Errorf("status %d from %s", got.status, got.header.Get("X-Rung-Release"))
	}
}

func rolloutOf(mode rung.RolloutMode, share float64) rung.Rollout {
	return rung.Rollout{ID: "r1", Task: "x", Alias: rung.Production, Mode: mode, Baseline: "v1", Target: "v2", Share: share, Rules: []rung.RolloutRule{{Metric: rollout.Success, Margin: .05}},
		Alpha: .05, MinN: 1000, State: rung.Active, By: "test", Started: time.Now().UTC()}
}

func TestRolloutsShareTrafficAndLearn(t *testing.T) {
	for _, mode := range []rung.RolloutMode{rung.Canary, rung.AB, rung.Shadow} {
		t.Run(string(mode), func(t *testing.T) {
			r := newRig(t, setup{script: byModel(map[string]modeltest.Reply{"m": {Text: "red"}, "second": {Text: "none of them"}}), prepare: func(r *rig) {
				r.release("x", "v1", fixture{cand: candidate(labelsOut)})
				r.release("x", "v2", fixture{cand: on(candidate(labelsOut), "openai/second")})
				if _, err := r.store.PutRollout(t.Context(), rolloutOf(mode, .5)); err != nil {
					t.Fatal(err)
				}
			}})
			statuses := map[string]map[int]int{"": {}, "baseline": {}, "target": {}}
			byUser := map[string]string{}
			for i := range 60 {
				user := fmt.Sprint("user", i%10)
				got := r.post("/v1/chat/completions", chat("x", "in", fmt.Sprintf(`"user":%q`, user)))
				tr := r.trace(got)
				statuses[tr.Arm][got.status]++
				if tr.Rollout == "" {
					continue // a shadow has a share too
				}
				if was := byUser[user]; mode == rung.AB && was != "" && was != tr.Arm {
					t.Errorf("%s was on %s and is on %s", user, was, tr.Arm)
				}
				byUser[user] = tr.Arm
			}
			if mode == rung.Shadow {
				if len(statuses["target"]) > 0 || statuses["baseline"][200] == 0 {
					t.Errorf("%v", statuses)
				}
				r.eventually("the shadow's traces are there", func() bool {
					for _, call := range r.seen() {
						if call.Model == "second" {
							return true
						}
					}
					return false
				})
			} else if statuses["target"][502] == 0 || statuses["target"][200] > 0 || statuses["baseline"][200] == 0 {
				t.Errorf("%v", statuses)
			}
			r.eventually("what was observed is in the store", func() bool {
				if err := r.rollouts.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				m, err := r.store.Moments(t.Context(), "r1")
				return err == nil && len(m) > 0
			})
		})
	}
}

func TestFeedbackIsKeptBeforeTheAnswer(t *testing.T) {
	key := ""
	r := newRig(t, setup{config: "pass: ['*']", prepare: func(r *rig) {
		key = r.key(rung.APIKey{ID: "1", Name: "a", Scopes: []string{gateway.ScopeServe, gateway.ScopeFeedback}})
	}})
	auth := []string{"Authorization", "Bearer " + key}
	id := r.post("/v1/chat/completions", chat("openai/m", "hi"), auth...).header.Get("X-Rung-Trace")
	for body, status := range map[string]int{
		`{"trace_id":"ID","thumb":1}`: 200, `{"trace_id":"ID","thumb":"down","comment":"no"}`: 200, `{"trace_id":"ID","score":0.5}`: 200, `{"trace_id":"ID","correction":{"a":1}}`: 200,
		`{"trace_id":"ID"}`: 400, `{"trace_id":"x","thumb":1}`: 400, `{"trace_id":"ID","thumb":2}`: 400, `{"trace_id":"ID","score":2}`: 400, `{`: 400, `[]`: 400,
	} {
		got := r.post("/v1/feedback", strings.ReplaceAll(body, "ID", id), auth...)
		if got.status != status {
			t.Errorf("%s: %d %s", body, got.status, got.body)
		}
		if status != 200 {
			continue
		}
		var v struct{ ID string }
		if err := json.Unmarshal([]byte(got.body), &v); err != nil {
			t.Fatal(err)
		}
		kept, err := r.store.Feedback(t.Context(), id)
		found := false
		for _, f := range kept {
			found = found || f.ID == v.ID && f.By == "1"
		}
		if err != nil || !found {
			t.Errorf("%s was acknowledged and is not there: %+v, %v", body, kept, err)
		}
	}
	if got := r.post("/v1/feedback", `{"trace_id":"`+id+`","thumb":1}`); got.status != 401 {
		t.Errorf("without a key: %d", got.status)
	}
}

func TestBodiesAreBounded(t *testing.T) {
	r := newRig(t, setup{config: "pass: ['*']\nlimits: {body: 2KiB}"})
	for body, status := range map[string]int{
		chat("openai/m", strings.Repeat("x", 3000)):                 413,
		`{"model":"openai/m","x":` + strings.Repeat("[", 500) + `}`: 400,
		`{"model":"openai/m"`:                                       400,
		`"openai/m"`:                                                400,
		`{"model":7}`:                                               400,
		``:                                                          400,
		`{"model":"openai/m","model":"openai/other","messages":[]}`:       400,
		`{"model":"openai/m","messages":[{"role":"user","content":"x"}]}`: 200,
	} {
		if got := r.post("/v1/chat/completions", body); got.status != status {
			t.Errorf("%.60s: status %d, %s", body, got.status, got.body)
		}
	}
	for _, path := range []string{"local/../../x.gguf", "local//etc/x.gguf", `local/..\\x.gguf`} {
		if got := r.post("/v1/chat/completions", chat(path, "x")); got.status != 404 {
			t.Errorf("a file of this machine, %s: status %d, %s", path, got.status, got.body)
		}
	}
	if got := r.get("/v1/chat/completions"); got.status != 405 {
		t.Errorf("GET: %d", got.status)
	}
	if got := r.get("/v2/else"); got.status != 404 || !strings.Contains(got.body, `"error":{`) {
		t.Errorf("another path: %d %s", got.status, got.body)
	}
}

// A caller who says the same thing again, or whose client does, counts once.
func TestFeedbackCountsOnceInARollout(t *testing.T) {
	r := newRig(t, setup{script: byModel(map[string]modeltest.Reply{"m": {Text: "red"}}), prepare: func(r *rig) {
		r.release("x", "v1", fixture{cand: candidate(labelsOut)})
		r.release("x", "v2", fixture{cand: candidate(labelsOut)})
		ro := rolloutOf(rung.Canary, .5)
		ro.Rules = []rung.RolloutRule{{Metric: rollout.Feedback, Margin: .05}}
		if _, err := r.store.PutRollout(t.Context(), ro); err != nil {
			t.Fatal(err)
		}
	}})
	id := r.post("/v1/chat/completions", chat("x", "in")).header.Get("X-Rung-Trace")
	for _, body := range []string{`"comment":"hm"`, `"thumb":-1`, `"thumb":-1`, `"score":0`, `"thumb":1`} {
		if got := r.post("/v1/feedback", `{"trace_id":"`+id+`",`+body+`}`); got.status != 200 {
			t.Fatalf("%s: %d %s", body, got.status, got.body)
		}
	}
	if err := r.rollouts.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	m, err := r.store.Moments(t.Context(), "r1")
	if err != nil {
		t.Fatal(err)
	}
	if got := m["baseline"][rollout.Feedback].N + m["target"][rollout.Feedback].N; got != 1 {
		t.Errorf("one answer was judged %d times: %v", got, m)
	}
}
