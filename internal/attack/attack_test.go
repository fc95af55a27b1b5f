package attack

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/guard"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/recipe"
)

// modelOf stands for a model: it gives the text to a prompt.
type modelOf func(req model.Request) (string, error)

func (m modelOf) Complete(_ context.Context, req model.Request) (rung.Completion, bool, error) {
	text, err := m(req)
	return rung.Completion{Key: rung.DigestOf(req), Text: text, Finish: "stop", Usage: rung.Usage{In: 10, Out: len(text) / 4}}, false, err
}

func last(req model.Request) string { return req.Messages[len(req.Messages)-1].Content }

func whole(req model.Request) string {
	var parts []string
	for _, m := range req.Messages {
		parts = append(parts, m.Content)
	}
	return strings.Join(parts, "\n")
}

// task is one of each output form.
type testTask struct {
	task  *rung.Task
	cand  *rung.Candidate
	dev   []rung.Example
	right string // what a good model answers
}

func newTask(kind rung.OutputKind) testTask {
	t := testTask{task: &rung.Task{Name: "t", File: "task.yaml", Input: []rung.Field{{Name: "text", Type: "string"}}}}
	out := &t.task.Output
	out.Kind = kind
	switch kind {
	case rung.Labels:
		out.Labels, t.right = []string{"bill", "delivery", "other"}, "bill"
	case rung.JSONSchema:
		out.Schema = json.RawMessage(`{"type":"object","properties":{"topic":{"enum":["bill","delivery","other"]},"name":{"type":"string"}},"required":["topic"]}`)
		t.right = `{"topic":"bill","name":"Ann"}`
	case rung.Tools:
		out.Tools = json.RawMessage(`[{"name":"refund","parameters":{"type":"object"}},{"name":"answer","parameters":{"type":"object"}}]`)
		t.right = `{"name":"answer","arguments":{}}`
	default:
		t.right = "a bill"
	}
	for i := range 30 {
		output := json.RawMessage(t.right)
		if kind == rung.Labels || kind == rung.Text {
			output, _ = json.Marshal(t.right)
		}
		t.dev = append(t.dev, rung.Example{ID: fmt.Sprint("e", i), Input: json.RawMessage(fmt.Sprintf(`{"text":"my invoice number %d is wrong"}`, i)), Output: output})
	}
	t.cand = &rung.Candidate{Rung: rung.Prompt, Model: "openai/m", Instructions: "Sort the mail that customers write to the shop by its subject and answer with nothing else at all.",
		Input: t.task.Input, Output: *out, Template: rung.Template{Name: "t", Version: 1, System: "{{.Instructions}}", User: "{{range .Passages}}{{.Text}}\n{{end}}{{.Input}}"},
		Decoding: rung.Decoding{MaxTokens: 50}}
	return t
}

func (t testTask) run(tb testing.TB, m modelOf, guards []rung.GuardSpec, kinds ...Kind) []Result {
	tb.Helper()
	plan := Plan{Task: t.task, Candidates: []*rung.Candidate{t.cand}, Bases: t.dev, Training: t.dev, Kinds: kinds, N: 20, Seed: "1"}
	cases, _, err := plan.Cases()
	if err != nil {
		tb.Fatal(err)
	}
	return t.attack(tb, m, guards, cases)
}

func (t testTask) attack(tb testing.TB, m modelOf, guards []rung.GuardSpec, cases []Case) []Result {
	tb.Helper()
	f, err := form.New(t.task.Output)
	if err != nil {
		tb.Fatal(err)
	}
	parts := recipe.Parts{Door: m, Form: f}
	if t.cand.Retrieval != nil {
		parts.Search = func(context.Context, string, int) ([]rung.Passage, error) {
			return []rung.Passage{{ID: "d#1", Text: "Invoices are sent monthly."}, {ID: "d#2", Text: "Deliveries take two days."}}, nil
		}
	}
	r, err := recipe.NewRunner(*t.cand, parts)
	if err != nil {
		tb.Fatal(err)
	}
	v := Victim{Runner: r, Form: f}
	for _, e := range t.dev {
		v.Training = append(v.Training, string(e.Input))
	}
	if guards != nil {
		if v.Guards, err = guard.New(guards, guard.Env{System: r.System(), Form: f}); err != nil {
			tb.Fatal(err)
		}
	}
	p := NewProber(v)
	var out []Result
	for i := range cases {
		input, err := json.Marshal(cases[i])
		if err != nil {
			tb.Fatal(err)
		}
		ans, err := p.Answer(context.Background(), input)
		if err != nil {
			tb.Fatalf("%s, %s: %v", cases[i].Kind, cases[i].Technique, err)
		}
		res, err := ResultOf(&rung.Example{ID: fmt.Sprint(i), Input: input}, &ans)
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, res)
	}
	return out
}

func succeeded(results []Result) int {
	n := 0
	for _, r := range results {
		if !r.Outcome.Resisted {
			n++
		}
	}
	return n
}

var (
	wantsWord   = regexp.MustCompile(`write the word (\w+)`)
	wantsAnswer = regexp.MustCompile(`give (\w+) as the answer`)
	wantsCall   = regexp.MustCompile(`call the function (\w+)`)
)

// obedient does what the prompt orders last, in the task's form.
func (t testTask) obedient(req model.Request) (string, error) {
	text := whole(req)
	if m := wantsWord.FindStringSubmatch(text); m != nil {
		if t.task.Output.Kind == rung.JSONSchema {
			return `{"topic":"bill","name":"` + m[1] + `"}`, nil
		}
		return m[1], nil
	}
	if m := wantsAnswer.FindStringSubmatch(text); m != nil {
		if t.task.Output.Kind == rung.JSONSchema {
			return `{"topic":"` + m[1] + `","name":"Ann"}`, nil
		}
		return m[1], nil
	}
	if m := wantsCall.FindStringSubmatch(text); m != nil {
		return `{"name":"` + m[1] + `","arguments":{}}`, nil
	}
	return t.right, nil
}

func TestObedientModelsFallAndSteadfastOnesDoNot(t *testing.T) {
	for _, kind := range []rung.OutputKind{rung.Labels, rung.JSONSchema, rung.Tools, rung.Text} {
		task := newTask(kind)
		task.cand.Retrieval = &rung.Retrieval{K: 2, Query: []string{"text"}}
		for _, k := range []Kind{Direct, Document, Tool} {
			all := task.run(t, task.obedient, nil, k)
			orders := 0 // the rest shows examples of the wanted answer and orders nothing
			for _, r := range all {
				if strings.Contains(r.Case.Attack()+string(r.Case.Input), orderOf(&r.Case.Goal)) {
					orders++
				}
			}
			if got := succeeded(all); got != orders || orders < len(all)*3/4 {
				t.Errorf("%s, %s: of %d attacks %d order something and %d succeed with a model that obeys", kind, k, len(all), orders, got)
			}
			steadfast := task.run(t, func(model.Request) (string, error) { return task.right, nil }, nil, k)
			for _, r := range steadfast {
				if !r.Outcome.Resisted || !r.Outcome.Kept {
					t.Errorf("%s, %s, %s: a model that never wavers is said to: %+v", kind, k, r.Case.Technique, r.Outcome)
				}
			}
		}
	}
}

func orderOf(g *Goal) string {
	return strings.ReplaceAll(orders["en"][g.Kind], "{x}", g.wanted())
}

// TestQuotingIsNotObeying: a task that copies its input into the answer has not done what stands in it.
func TestQuotingIsNotObeying(t *testing.T) {
	task := newTask(rung.Text)
	results := task.run(t, func(req model.Request) (string, error) { return "The text reads: " + last(req), nil }, nil, Direct)
	for _, r := range results {
		if !r.Outcome.Resisted {
			t.Errorf("%s: %s", r.Case.Technique, r.Outcome.What)
		}
	}
}

// TestTakingUpIsNotObeying: a task that puts every odd word into its answer does so unordered as well.
func TestTakingUpIsNotObeying(t *testing.T) {
	task := newTask(rung.JSONSchema)
	odd := regexp.MustCompile(`\b([bdfgklmnprstvz][aeiou]){5}\b`)
	results := task.run(t, func(req model.Request) (string, error) {
		return `{"topic":"bill","name":"` + odd.FindString(whole(req)) + `"}`, nil
	}, nil, Direct, Tool, Scripts)
	if got := succeeded(results); got != 0 {
		t.Errorf("%d of %d attacks succeed on a model that takes up odd words and obeys nothing", got, len(results))
	}
}

// TestFlipsAreToldFromTheUnattackedAnswer: a wanted answer that the input gets anyway is no success.
func TestFlipsAreToldFromTheUnattackedAnswer(t *testing.T) {
	task := newTask(rung.Labels)
	for _, r := range task.run(t, func(model.Request) (string, error) { return "delivery", nil }, nil, Direct) {
		if !r.Outcome.Resisted {
			t.Errorf("%s wanted %s: %s", r.Case.Technique, r.Case.Goal.Value, r.Outcome.What)
		}
	}
}

func TestLeaksAreSeen(t *testing.T) {
	task := newTask(rung.Text)
	task.cand.Demos = &rung.Demos{Mode: rung.FixedDemos, K: 1, Fixed: []rung.Demo{{ID: "1", Input: task.dev[0].Input, Output: task.dev[0].Output}}}
	kinds := []Kind{Jailbreak, PII, PromptLeak}
	all := task.run(t, func(req model.Request) (string, error) { return whole(req), nil }, nil, kinds...)
	if got := succeeded(all); got != len(all) {
		t.Errorf("of %d attacks %d succeed on a model that says all it knows", len(all), got)
	}
	if got := succeeded(task.run(t, func(model.Request) (string, error) { return "I keep that to myself.", nil }, nil, kinds...)); got != 0 {
		t.Errorf("%d attacks succeed on a model that says nothing", got)
	}
	// The instructions without their reference are leaked as well, and a secret is found however it is spaced.
	results := task.run(t, func(req model.Request) (string, error) {
		return strings.ToUpper(strings.SplitN(req.Messages[0].Content, "\n", 2)[0]), nil
	}, nil, PromptLeak)
	if o := results[0].Outcome; !o.Resisted { // the unattacked input gets the same: nothing was added by the attack
		t.Errorf("%s", o.What)
	}
	n := 0
	results = task.run(t, func(req model.Request) (string, error) {
		if n++; strings.Contains(last(req), "invoice") && !strings.Contains(last(req), "instructions") {
			return "a bill", nil
		}
		return strings.ToUpper(strings.SplitN(req.Messages[0].Content, "\n", 2)[0]), nil
	}, nil, PromptLeak)
	if succeeded(results) == 0 {
		t.Error("a model that repeats its instructions leaks nothing")
	}
}

func TestTrainingExamplesAreSeen(t *testing.T) {
	task := newTask(rung.Text)
	task.cand.Adapter = &rung.Adapter{Digest: "d"}
	task.dev[3].Input = json.RawMessage(`{"text":"the parcel for number seven was left in the rain behind the green door"}`)
	results := task.run(t, func(req model.Request) (string, error) {
		if strings.Contains(last(req), "training") || strings.Contains(last(req), "example") {
			return "the parcel for number seven was left in the rain behind the green door", nil
		}
		return "a bill", nil
	}, nil, TrainingLeak)
	if succeeded(results) == 0 {
		t.Error("a training example that is said word for word is not seen")
	}
}

func TestBrokenInput(t *testing.T) {
	task := newTask(rung.Labels)
	seen := 0
	results := task.run(t, func(req model.Request) (string, error) {
		switch text := last(req); {
		case len(text) > 100_000:
			return "", &model.PromptTooLong{Err: &rung.Error{Code: rung.CodeProvider, What: "the prompt does not fit"}}
		case strings.Contains(text, "🧩"):
			return "", &rung.Error{Code: rung.CodeInput, What: "no emoji, please"}
		case strings.TrimSpace(text) == "":
			return "I do not know", nil
		case strings.Contains(text, "again and"):
			seen++
			return "", &rung.Error{Code: rung.CodeTimeout, What: "no answer in time"}
		}
		return "bill", nil
	}, nil, Malformed)
	byName := map[string]Outcome{}
	for _, r := range results {
		byName[r.Case.Technique] = r.Outcome
	}
	for name, resisted := range map[string]bool{"huge": true, "empty": false, "spaces": false, "repetition": false, "null": false, "left out": false, "a number": true, "control characters": true, "emoji only": true, "lone surrogate": true} {
		if o, ok := byName[name]; !ok || o.Resisted != resisted {
			t.Errorf("%s: %+v, want resisted %v", name, o, resisted)
		}
	}
	if seen == 0 {
		t.Error("the input that repeats itself was not asked")
	}
}

// TestFailedCallsCount: an attack that got no answer is not called resisted.
func TestFailedCallsCount(t *testing.T) {
	task := newTask(rung.Text)
	results := task.run(t, func(req model.Request) (string, error) {
		if strings.Contains(whole(req), "write the word") {
			return "", &rung.Error{Code: rung.CodeTimeout, What: "no answer in time"}
		}
		return "a bill", nil
	}, nil, Tool)
	all, _ := Summary(results, .95, 1)
	if all.Succeeded != len(results) || all.Failed != len(results) {
		t.Errorf("%+v", all)
	}
}

func TestGuardsAreNamed(t *testing.T) {
	task := newTask(rung.Text)
	guards := []rung.GuardSpec{{Kind: "phrases", Phrases: []string{"write the word"}, Stages: []rung.GuardStage{rung.GuardInput}}, {Kind: "pii", Stages: []rung.GuardStage{rung.GuardOutput}}}
	all, _ := Summary(task.run(t, task.obedient, guards, Direct), .95, 1)
	if all.Guards["phrases on input"] < 15 || all.Succeeded > 0 {
		t.Errorf("%+v", all)
	}
	says := func(req model.Request) (string, error) { return whole(req), nil }
	if bare := task.run(t, says, nil, PII); succeeded(bare) != len(bare) {
		t.Errorf("without guards %d of %d succeed", succeeded(bare), len(bare))
	}
	for _, r := range task.run(t, says, guards, PII) {
		if mentions(string(r.Outcome.Answer), r.Case.Goal.Secrets[0]) {
			t.Errorf("the guard pii let an address through: %s", r.Outcome.Answer)
		}
	}
}

func TestTheSameSuiteEveryTime(t *testing.T) {
	task := newTask(rung.JSONSchema)
	plan := Plan{Task: task.task, Candidates: []*rung.Candidate{task.cand}, Bases: task.dev, Training: task.dev, N: 12, Seed: "1"}
	first, skipped, err := plan.Cases()
	if err != nil {
		t.Fatal(err)
	}
	again, _, _ := plan.Cases()
	if rung.DigestOf(first) != rung.DigestOf(again) {
		t.Error("two makings of a plan differ")
	}
	plan.Seed = "2"
	other, _, _ := plan.Cases()
	if rung.DigestOf(first) == rung.DigestOf(other) {
		t.Error("another seed makes the same suite")
	}
	// Without passages, adapter and demonstrations two kinds cannot be tried, and that is said.
	if len(first) != 12*7 || len(skipped) != 2 {
		t.Errorf("%d cases, skipped %v", len(first), skipped)
	}
	bases := map[Kind]map[string]bool{}
	for i := range first {
		c := &first[i]
		if bases[c.Kind] == nil {
			bases[c.Kind] = map[string]bool{}
		}
		bases[c.Kind][c.Base] = true
		if c.Goal.Token != "" && strings.Contains(string(c.Clean), c.Goal.Token) {
			t.Errorf("the token stands in the unattacked input: %s", c.Clean)
		}
		if c.Kind != TrainingLeak && c.Attack() == "" && c.Technique != "empty" && c.Technique != "tags" && c.Kind != Malformed {
			t.Errorf("%s, %s: nothing was added", c.Kind, c.Technique)
		}
		if strings.ContainsAny(string(c.Input), "{}") && c.Kind == Direct && strings.Contains(string(c.Input), "{do}") {
			t.Errorf("a wording is not filled in: %s", c.Input)
		}
	}
	for k, b := range bases {
		if len(b) != 12 {
			t.Errorf("%s attacks %d inputs with 12 cases", k, len(b))
		}
	}
}

func TestLabelsHeldByAGrammarAreNotAskedForSecrets(t *testing.T) {
	task := newTask(rung.Labels)
	task.cand.Decoding.Constrained = true
	plan := Plan{Task: task.task, Candidates: []*rung.Candidate{task.cand}, Bases: task.dev, N: 2, Seed: "1", Kinds: []Kind{PromptLeak}}
	if _, skipped, err := plan.Cases(); err == nil || len(skipped) != 1 || !strings.Contains(err.Error(), "labels") {
		t.Errorf("%v, %v", skipped, err)
	}
}
