package grade_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/grade"
)

func TestExpressions(t *testing.T) {
	cases := []struct {
		expr     string
		passFail bool
		want     []string
		got      string
		score    float64
		mistake  string // a part of it
	}{
		{`output.x == expected.x`, true, []string{`{"x":1}`}, `{"x":1.0}`, 1, ""},
		{`output.x == expected.x`, true, []string{`{"x":1}`, `{"x":2}`}, `{"x":2}`, 1, ""},
		{`output.x > 3`, true, []string{`{}`}, `{"x":2}`, 0, "expression says no"},
		{`has(output.x) && input.q == "?"`, true, []string{`{}`}, `{"x":null}`, 1, ""},
		{`output.x + 1`, false, []string{`{}`}, `{"x":1}`, 0, "no such overload"},
		{`double(output.items.filter(i, i in expected.items).size()) / 4.0`, false, []string{`{"items":[1,2]}`}, `{"items":[2,5]}`, .25, "no"},
		{`output.missing == 1`, true, []string{`{}`}, `{}`, 0, "no such key: missing"},
		{`output.x / 0.0`, false, []string{`{}`}, `{"x":1.0}`, 0, "a number that is none"},
		{`output.x`, false, []string{`{}`}, `{"x":"five"}`, 0, "gives a string"},
		{`output.x`, true, []string{`{}`}, `{"x":0.5}`, 0, "a number where pass_fail is set"},
		{`output.x`, true, []string{`{}`}, `{"x":true}`, 1, ""},
		{`output.name.lowerAscii().startsWith("ad")`, true, []string{`{}`}, `{"name":"ADA"}`, 1, ""},
		{`output.l.all(a, output.l.all(b, output.l.all(c, output.l.all(d, a+b+c+d >= 0.0))))`, true, []string{`{}`},
			`{"l":[` + strings.Repeat("1,", 99) + `1]}`, 0, "too much work"},
		{`["a","b","c","d"].map(x, ["a","b","c","d"].map(y, output.s + output.s + output.s)).size() > 0`, true, []string{`{}`},
			`{"s":"` + strings.Repeat("x", 1<<20) + `"}`, 0, ""},
	}
	for _, c := range cases {
		spec := rung.MetricSpec{Name: "mine", Kind: "cel", Expr: c.expr, PassFail: c.passFail}
		g := grader(t, task(object, rung.Bar{Metric: "mine", AtLeast: .9}, spec))
		start := time.Now()
		s := g.Score(example(c.want...), said(c.got))
		if s.Values["mine"] != c.score || (c.score < .9 && !strings.Contains(s.Mistake, c.mistake)) {
			t.Errorf("%s is %v with mistake %q, want %v and %q", c.expr, s.Values["mine"], s.Mistake, c.score, c.mistake)
		}
		if took := time.Since(start); took > 15*time.Second {
			t.Errorf("%s took %v", c.expr, took)
		}
	}
}

func TestPatternsAndPhrases(t *testing.T) {
	specs := []rung.MetricSpec{
		{Name: "regex", Kind: "regex", Pattern: `(?i)\bref-\d+\b`},
		{Name: "polite", Kind: "contains", Phrases: []string{"thank you", "regards"}},
	}
	g := grader(t, task(plain, rung.Bar{Metric: "polite"}, specs...))
	s := g.Score(example(`"x"`), said(`"Thank you! See REF-12. Regards, Ada"`))
	if s.Values["regex"] != 1 || s.Values["polite"] != 1 || !s.Success {
		t.Errorf("scores are %v", s.Values)
	}
	s = g.Score(example(`"x"`), said(`"Thank you! See REF-x."`))
	if s.Values["regex"] != 0 || s.Values["polite"] != 0 || s.Mistake != "missing phrase: regards" {
		t.Errorf("scores are %v, mistake %q", s.Values, s.Mistake)
	}
}

func TestTaskErrors(t *testing.T) {
	cases := []struct {
		name string
		task *rung.Task
		want string // of the message
		do   string
	}{
		{"unknown", task(plain, rung.Bar{Metric: "acuracy"}), `there is no metric "acuracy"`, "exact_match"},
		{"guard", task(plain, rung.Bar{Guards: map[string]float64{"json_valid": 1}}), "json_valid does not suit", "leave it out"},
		{"label metric on text", task(plain, rung.Bar{Metric: "accuracy"}), "accuracy does not suit", "exact_match"},
		{"no pattern", task(plain, rung.Bar{Metric: "regex"}), "regex has no definition", "under metrics"},
		{"pattern", task(plain, rung.Bar{}, rung.MetricSpec{Name: "r", Kind: "regex", Pattern: "a("}), "not a regular expression: missing closing )", "RE2"},
		{"name taken", task(plain, rung.Bar{}, rung.MetricSpec{Name: "bleu", Kind: "regex", Pattern: "a"}), "the name is taken", "of its own"},
		{"twice", task(plain, rung.Bar{}, rung.MetricSpec{Kind: "regex", Pattern: "a"}, rung.MetricSpec{Kind: "regex", Pattern: "b"}), "the name is taken", "of its own"},
		{"kind", task(plain, rung.Bar{}, rung.MetricSpec{Name: "r", Kind: "python"}), `there is no kind "python"`, "regex, contains, cel, style, like, confidence, program or judge"},
		{"cel name", task(plain, rung.Bar{}, rung.MetricSpec{Name: "r", Kind: "cel", Expr: "outputs == 1"}), "undeclared reference to 'outputs'", "input, output and expected"},
		{"cel syntax", task(plain, rung.Bar{}, rung.MetricSpec{Name: "r", Kind: "cel", Expr: "output =="}), "Syntax error", "correct it"},
		{"cel number", task(plain, rung.Bar{}, rung.MetricSpec{Name: "r", Kind: "cel", Expr: "size(output) / 2", PassFail: true}), "gives a number", "pass_fail: false"},
		{"cel type", task(plain, rung.Bar{}, rung.MetricSpec{Name: "r", Kind: "cel", Expr: `"yes"`}), "gives a string", "true or false"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f, err := form.New(c.task.Output)
			if err != nil {
				t.Fatal(err)
			}
			_, err = grade.New(c.task, f)
			var e *rung.Error
			if !errors.As(err, &e) {
				t.Fatalf("the error is %v, want a *rung.Error", err)
			}
			if e.Code != rung.CodeInput || e.Place != "task.yaml" || !strings.Contains(e.What, c.want) || !strings.Contains(e.Do, c.do) {
				t.Errorf("the error is %+v, want %q and %q", e, c.want, c.do)
			}
		})
	}
}

func TestExpressionFaultHasACaret(t *testing.T) {
	tk := task(plain, rung.Bar{}, rung.MetricSpec{Name: "r", Kind: "cel", Expr: "output == wanted"})
	f, err := form.New(tk.Output)
	if err != nil {
		t.Fatal(err)
	}
	_, err = grade.New(tk, f)
	var e *rung.Error
	if !errors.As(err, &e) || e.Excerpt != "output == wanted\n          ^" {
		t.Errorf("the excerpt is %q", e.Excerpt)
	}
}

func TestAllErrorsAtOnce(t *testing.T) {
	tk := task(plain, rung.Bar{Metric: "nope", Guards: map[string]float64{"json_valid": 1}}, rung.MetricSpec{Kind: "regex", Pattern: "("})
	f, err := form.New(tk.Output)
	if err != nil {
		t.Fatal(err)
	}
	_, err = grade.New(tk, f)
	var all rung.Errors
	if !errors.As(err, &all) || len(all) != 3 {
		t.Errorf("errors are %v, want three", err)
	}
}
