package grade_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/grade"
)

// task is a task with the given output and bar; the other fields do not matter for grading.
func task(out rung.Output, bar rung.Bar, own ...rung.MetricSpec) *rung.Task {
	return &rung.Task{Name: "t", File: "task.yaml", Output: out, Bar: bar, Metrics: own}
}

func grader(t testing.TB, tk *rung.Task) *grade.Grader {
	t.Helper()
	f, err := form.New(tk.Output)
	if err != nil {
		t.Fatal(err)
	}
	g, err := grade.New(tk, f)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

var (
	labels = rung.Output{Kind: rung.Labels, Labels: []string{"a", "b", "c"}}
	plain  = rung.Output{Kind: rung.Text}
	tools  = rung.Output{Kind: rung.Tools, ManyCalls: true, Tools: json.RawMessage(`[{"name":"f","parameters":{"type":"object"}},{"name":"g"}]`)}
	object = rung.Output{Kind: rung.JSONSchema, Schema: json.RawMessage(`{"type":"object"}`)}
	intent = rung.Output{Kind: rung.JSONSchema, Schema: json.RawMessage(`{"type":"object","properties":{"intent":{"type":"string"},"slots":{"type":"object"}}}`)}
	flat   = rung.Output{Kind: rung.JSONSchema, Schema: json.RawMessage(`{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"number"}}}`)}
	nested = rung.Output{Kind: rung.JSONSchema, Schema: json.RawMessage(`{"type":"object","properties":{"kind":{"type":"string"},"entities":{"type":"array","items":{"$ref":"#/$defs/e"}}},"$defs":{"e":{"type":"object"}}}`)}
)

func example(want ...string) *rung.Example {
	ex := &rung.Example{ID: "x", Input: json.RawMessage(`{"q":"?"}`), Output: json.RawMessage(want[0])}
	for _, w := range want[1:] {
		ex.Alternatives = append(ex.Alternatives, json.RawMessage(w))
	}
	return ex
}

func said(value string) rung.Answer { return rung.Answer{Text: value, Value: json.RawMessage(value)} }

func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

func TestOwnScores(t *testing.T) {
	cases := []struct {
		name   string
		out    rung.Output
		metric string
		want   []string
		got    string
		score  float64
	}{
		{"label right", labels, "accuracy", []string{`"a"`}, `"a"`, 1},
		{"label wrong", labels, "accuracy", []string{`"a"`}, `"b"`, 0},
		{"label alternative", labels, "accuracy", []string{`"a"`, `"b"`}, `"b"`, 1},
		{"member order", object, "exact_match", []string{`{"x":1,"y":2}`}, `{"y":2,"x":1}`, 1},
		{"whole number as decimal", object, "exact_match", []string{`{"x":1}`}, `{"x":1.0}`, 1},
		{"exponent", object, "exact_match", []string{`{"x":1500}`}, `{"x":1.5e3}`, 1},
		{"minus zero", object, "exact_match", []string{`{"x":0}`}, `{"x":-0.0}`, 1},
		{"long number keeps its digits", object, "exact_match", []string{`{"x":9007199254740993}`}, `{"x":9007199254740992}`, 0},
		{"number is no string", object, "exact_match", []string{`{"x":1}`}, `{"x":"1"}`, 0},
		{"escape", object, "exact_match", []string{`{"x":"é"}`}, `{"x":"\u00e9"}`, 1},
		{"list order counts", object, "exact_match", []string{`{"x":[1,2]}`}, `{"x":[2,1]}`, 0},
		{"missing is not null", object, "exact_match", []string{`{"x":null}`}, `{}`, 0},
		{"empty list is not missing", object, "exact_match", []string{`{"x":[]}`}, `{}`, 0},
		{"last of equal members", object, "exact_match", []string{`{"x":2}`}, `{"x":1,"x":2}`, 1},
		{"fields half", object, "field_f1", []string{`{"x":1,"y":2}`}, `{"x":1,"y":3}`, .5},
		{"fields missing", object, "field_f1", []string{`{"x":1,"y":2}`}, `{"x":1}`, 2. / 3},
		{"fields extra", object, "field_f1", []string{`{"x":1}`}, `{"x":1,"y":2,"z":3}`, .5},
		{"list positions ignored", object, "field_f1", []string{`{"x":[1,2]}`}, `{"x":[2,1]}`, 1},
		{"list is a bag", object, "field_f1", []string{`{"x":[1,1]}`}, `{"x":[1]}`, 2. / 3},
		{"nothing expected, nothing said", object, "field_f1", []string{`{}`}, `{}`, 1},
		{"nothing expected, something said", object, "field_f1", []string{`{}`}, `{"x":1}`, 0},
		{"alternative with more fields", object, "field_f1", []string{`{"x":1}`, `{"x":1,"y":2}`}, `{"y":2,"x":1}`, 1},
		{"slots without intent", intent, "slot_f1", []string{`{"intent":"play","slots":{"artist":["A"],"year":["B"]}}`}, `{"intent":"stop","slots":{"artist":["A"]}}`, 2. / 3},
		{"slots elsewhere are no slots", intent, "slot_f1", []string{`{"intent":"play","slots":{"artist":"A"}}`}, `{"intent":"play","artist":"A"}`, 0},
		{"flat slots", flat, "slot_f1", []string{`{"a":"x","b":1}`}, `{"a":"x","b":2}`, .5},
		{"entities whole", nested, "slot_f1", []string{`{"kind":"k","entities":[{"type":"PER","text":"Ada"},{"type":"LOC","text":"Rome"}]}`}, `{"kind":"z","entities":[{"text":"Rome","type":"LOC"},{"type":"LOC","text":"Ada"}]}`, .5},
		{"call right", tools, "accuracy", []string{`[{"name":"f","arguments":{"x":1,"y":"u"}}]`}, `[{"name":"f","arguments":{"y":"u","x":1.0}}]`, 1},
		{"one call bare", tools, "accuracy", []string{`[{"name":"f","arguments":{"x":1}}]`}, `{"name":"f","arguments":{"x":1}}`, 1},
		{"calls in any order", tools, "accuracy", []string{`[{"name":"f","arguments":{"x":1}},{"name":"g","arguments":{}}]`}, `[{"name":"g","arguments":{}},{"name":"f","arguments":{"x":1}}]`, 1},
		{"call twice", tools, "accuracy", []string{`[{"name":"g","arguments":{}},{"name":"g","arguments":{}}]`}, `[{"name":"g","arguments":{}}]`, 0},
		{"no call wanted", tools, "accuracy", []string{`[]`}, `[]`, 1},
		{"accepted call", tools, "accuracy", []string{`[{"name":"f","arguments":{"x":"NY"}}]`, `[{"name":"f","arguments":{"x":"New York"}}]`}, `[{"name":"f","arguments":{"x":"New York"}}]`, 1},
		{"call fields", tools, "field_f1", []string{`[{"name":"f","arguments":{"x":1,"y":2}}]`}, `[{"name":"f","arguments":{"x":1,"y":3}}]`, 2. / 3},
		{"call slots", tools, "slot_f1", []string{`[{"name":"f","arguments":{"x":1,"y":2}}]`}, `[{"name":"f","arguments":{"x":1,"y":3}}]`, .5},
		{"text articles and case", plain, "exact_match", []string{`"The Cat!"`}, `"a cat"`, 1},
		{"text decomposed", plain, "exact_match", []string{`"caf\u00e9"`}, `"cafe\u0301"`, 1},
		{"text differs", plain, "exact_match", []string{`"cat"`}, `"cats"`, 0},
		{"token overlap", plain, "token_f1", []string{`"in the 10th and 11th centuries"`}, `"10th century"`, 2. / 7},
		{"token alternative", plain, "token_f1", []string{`"in the 10th and 11th centuries"`, `"10th and 11th centuries"`}, `"10th and 11th centuries"`, 1},
		{"token multiplicity", plain, "token_f1", []string{`"b b c"`}, `"b b b"`, 2. / 3},
		{"choice that is an article", plain, "exact_match", []string{`"A"`}, `"a."`, 1},
		{"two choices, both articles", plain, "exact_match", []string{`"A"`}, `"The"`, 0},
		{"choice within words", plain, "contains", []string{`"A"`}, `"Answer: A."`, 1},
		{"choice not in words", plain, "contains", []string{`"A"`}, `"Answer: B."`, 0},
		{"sign for a sign", plain, "token_f1", []string{`"?"`}, `"!"`, 0},
		{"sign within words", plain, "contains", []string{`"!="`}, `"use a != b"`, 1},
		{"article at a sign", plain, "exact_match", []string{`"the€5"`}, `"€5"`, 1},
		{"chinese by character", plain, "token_f1", []string{`"北京大学"`}, `"北京"`, 2. / 3},
		{"contains", plain, "contains", []string{`"15 days"`}, `"You get 15 days, I think."`, 1},
		{"contains whole words", plain, "contains", []string{`"15 days"`}, `"You get 115 days."`, 0},
		{"contains alternative", plain, "contains", []string{`"fifteen days"`, `"15 days"`}, `"15 days"`, 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			g := grader(t, task(c.out, rung.Bar{Metric: c.metric, AtLeast: .5}))
			got := g.Score(example(c.want...), said(c.got)).Values[c.metric]
			if !near(got, c.score) {
				t.Errorf("%s of %s against %s is %v, want %v", c.metric, c.got, strings.Join(c.want, " or "), got, c.score)
			}
		})
	}
}
