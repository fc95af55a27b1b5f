package grade_test

import (
	"strings"
	"testing"

	"github.com/rung-dev/rung"
)

func TestKindsOfMistakes(t *testing.T) {
	cases := []struct {
		out    rung.Output
		metric string
		want   string
		got    string
		kind   string
	}{
		{labels, "accuracy", `"a"`, `"b"`, "said b instead of a"},
		{labels, "accuracy", `"a"`, `"a"`, ""},
		{object, "exact_match", `{"x":1,"y":2}`, `{"y":2}`, "missing field: x"},
		{object, "exact_match", `{"x":1,"y":2}`, `{"y":3,"x":1}`, "wrong value: y"},
		{object, "exact_match", `{"x":1,"y":{"z":[2]}}`, `{"x":1,"y":{"z":[3]}}`, "wrong value: y.z"},
		{object, "exact_match", `{"x":1}`, `{"x":1,"q":2}`, "extra field: q"},
		{object, "exact_match", `{"x":[1,2]}`, `{"x":[2,1]}`, "other shape or order"},
		{tools, "accuracy", `[{"name":"f","arguments":{"x":1}}]`, `[{"name":"g","arguments":{"x":1}}]`, "wrong function"},
		{tools, "accuracy", `[{"name":"f","arguments":{"x":1}}]`, `[{"name":"f","arguments":{"x":2}}]`, "wrong argument: x"},
		{tools, "accuracy", `[{"name":"f","arguments":{"x":1}}]`, `[{"name":"f","arguments":{}}]`, "missing argument: x"},
		{tools, "accuracy", `[{"name":"f","arguments":{}}]`, `[{"name":"f","arguments":{"x":2}}]`, "extra argument: x"},
		{tools, "accuracy", `[{"name":"f","arguments":{}}]`, `[]`, "no call"},
		{tools, "accuracy", `[]`, `[{"name":"f","arguments":{}}]`, "needless call"},
		{tools, "accuracy", `[{"name":"f"},{"name":"g"}]`, `[{"name":"g"}]`, "missing call"},
		{tools, "accuracy", `[{"name":"f"}]`, `[{"name":"g"},{"name":"f"}]`, "extra call"},
		{plain, "exact_match", `"Paris"`, `"Rome"`, "no overlap"},
		{plain, "exact_match", `"Paris"`, `"It is Paris."`, "right answer plus other words"},
		{plain, "exact_match", `"Paris, France"`, `"Paris"`, "part of the right answer"},
		{plain, "exact_match", `"Paris, France"`, `"Paris, Texas"`, "partial"},
		{plain, "exact_match", `"Paris"`, `"I don't know."`, "abstained"},
		{plain, "exact_match", `"Paris"`, `"The documents do not say; it cannot be answered."`, "abstained"},
		{plain, "exact_match", `""`, `"Paris"`, "answered where there is no answer"},
	}
	for _, c := range cases {
		g := grader(t, task(c.out, rung.Bar{Metric: c.metric, AtLeast: 1}))
		s := g.Score(example(c.want), said(c.got))
		if s.Mistake != c.kind || s.Success != (c.kind == "") {
			t.Errorf("%s for %s is the mistake %q (success %v), want %q", c.got, c.want, s.Mistake, s.Success, c.kind)
		}
	}
}

func TestProblemsComeFirst(t *testing.T) {
	g := grader(t, task(object, rung.Bar{Metric: "field_f1", AtLeast: .5}))
	for _, p := range []rung.Problem{rung.CallFailed, rung.TimedOut, rung.Truncated, rung.NotJSON, rung.BreaksSchema, rung.EmptyAnswer} {
		s := g.Score(example(`{}`), rung.Answer{Text: "{", Problem: p})
		if s.Mistake != string(p) || s.Success {
			t.Errorf("an answer with the problem %s has the mistake %q", p, s.Mistake)
		}
		for name, v := range s.Values {
			if v != 0 && !(name == "json_valid" && p == rung.BreaksSchema) {
				t.Errorf("an answer with the problem %s scores %v on %s", p, v, name)
			}
		}
	}
}

func TestNamesOfMistakesAreShort(t *testing.T) {
	g := grader(t, task(object, rung.Bar{Metric: "exact_match"}))
	long := strings.Repeat("長い\\n", 5000)
	s := g.Score(example(`{}`), said(`{"`+long+`":1}`))
	if n := len([]rune(s.Mistake)); n > 64 || strings.Contains(s.Mistake, "\n") {
		t.Errorf("a field with a hostile name makes a kind of %d characters", n)
	}
}

func TestSuccessFollowsTheBar(t *testing.T) {
	ex := example(`{"x":1,"y":2}`)
	half := said(`{"x":1,"y":3}`)
	for _, c := range []struct {
		bar  rung.Bar
		want bool
	}{
		{rung.Bar{Metric: "field_f1", AtLeast: .45}, true},
		{rung.Bar{Metric: "field_f1", AtLeast: .55}, false},
		{rung.Bar{Metric: "field_f1", AtLeast: .45, Success: .6}, false},
		{rung.Bar{Metric: "exact_match", AtLeast: .45}, false},
		{rung.Bar{Metric: "json_valid", AtLeast: .99}, true},
		{rung.Bar{}, false},
	} {
		if s := grader(t, task(object, c.bar)).Score(ex, half); s.Success != c.want {
			t.Errorf("success under %+v is %v, want %v", c.bar, s.Success, c.want)
		}
	}
}

func TestEmptyTextIsRightWhereNothingIsExpected(t *testing.T) {
	g := grader(t, task(plain, rung.Bar{Metric: "token_f1", AtLeast: .5}))
	nothing := rung.Answer{Problem: rung.EmptyAnswer}
	if s := g.Score(example(`""`), nothing); !s.Success || s.Values["token_f1"] != 1 || s.Values["exact_match"] != 1 {
		t.Errorf("an empty answer where none is right scores %v", s.Values)
	}
	if s := g.Score(example(`"Paris"`), nothing); s.Success || s.Values["token_f1"] != 0 || s.Mistake != "empty_answer" {
		t.Errorf("an empty answer where one is expected scores %v, mistake %q", s.Values, s.Mistake)
	}
}
