package grade_test

import (
	"slices"
	"testing"

	"github.com/rung-dev/rung"
)

func TestFailureModesByRule(t *testing.T) {
	brief := plain
	brief.MaxWords = 4
	cut := rung.Answer{Problem: rung.Truncated, Text: `{"a":1,`}
	refused := rung.Answer{Problem: rung.NotJSON, Text: "I'm sorry, but I can't help with that."}
	for _, c := range []struct {
		name string
		out  rung.Output
		want string
		ans  rung.Answer
		show []string
	}{
		{"right", object, `{"a":1}`, said(`{"a":1}`), nil},
		{"no JSON", object, `{"a":1}`, rung.Answer{Problem: rung.NotJSON, Text: "one"}, []string{"format"}},
		{"cut off", object, `{"a":1}`, cut, []string{"length"}},
		{"missing and wrong", object, `{"a":1,"b":2,"c":3}`, said(`{"a":1,"b":5}`), []string{"missing_field", "wrong_fact"}},
		{"too much", object, `{"a":1}`, said(`{"a":1,"b":5}`), []string{"unsupported_claim"}},
		{"one of a list", object, `{"a":["x","y"]}`, said(`{"a":["x"]}`), []string{"missing_field"}},
		{"other order", object, `{"a":["x","y"]}`, said(`{"a":["y","x"]}`), []string{"format"}},
		{"refused", object, `{"a":1}`, refused, []string{"format", "refused"}},
		{"label", labels, `"refund"`, said(`"delivery"`), []string{"wrong_fact"}},
		{"needless call", tools, `[]`, said(`[{"name":"book","arguments":{}}]`), []string{"unsupported_claim"}},
		{"no call", tools, `[{"name":"book","arguments":{}}]`, said(`[]`), []string{"missing_field"}},
		{"answered where there is none", plain, `"unanswerable"`, said(`"in 1066"`), []string{"unsupported_claim"}},
		{"abstained", plain, `"in 1066"`, said(`"unanswerable"`), []string{"refused"}},
		{"refused text", plain, `"in 1066"`, said(`"As an AI language model, I cannot answer that."`), []string{"refused"}},
		{"long", brief, `"in 1066"`, said(`"it was in the year 1066"`), []string{"length"}},
		{"abuse", plain, `"in 1066"`, said(`"You are a stupid idiot, moron"`), []string{"policy"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bar := rung.Bar{Metric: "exact_match", AtLeast: 1}
			if c.out.Kind == rung.Labels || c.out.Kind == rung.Tools {
				bar.Metric = "accuracy"
			}
			g := grader(t, task(c.out, bar))
			if got := g.Found(example(c.want), &c.ans); !slices.Equal(got, c.show) {
				t.Errorf("found %q, want %q", got, c.show)
			}
		})
	}
}

func TestFailureModesOfTheTask(t *testing.T) {
	tk := task(object, rung.Bar{Metric: "exact_match", AtLeast: 1})
	tk.Modes = []rung.FailureMode{{Name: "wrong_unit", Means: "The unit is wrong.", Mistakes: []string{"wrong value: u*"}},
		{Name: "shouts", Means: "It shouts.", Pattern: `[A-Z]{4}`}, {Name: "policy", Means: "ours"}}
	g := grader(t, tk)
	answer := said(`{"unit":"MILES"}`)
	answer.Text = `{"unit":"MILES"}`
	if got := g.Found(example(`{"unit":"km"}`), &answer); !slices.Equal(got, []string{"wrong_unit", "shouts"}) {
		t.Errorf("found %q", got)
	}
	tally := g.NewTally(4)
	for i := range 4 {
		ex := example(`{"unit":"km"}`)
		ex.ID = string(rune('a' + i))
		if i == 3 {
			answer = said(`{"unit":"km"}`)
		}
		tally.Add(i, ex, &answer)
	}
	modes := tally.Scorecard(.95, 1).Modes
	if len(modes) != 2 || modes[0].Count != 3 || modes[0].Status != rung.ModeFound || modes[0].Share.N != 4 || modes[0].Share.Value != .75 ||
		modes[0].Share.Low >= .75 || modes[0].Share.High <= .75 || !slices.Equal(modes[0].Examples, []string{"a", "b", "c"}) {
		t.Errorf("the scorecard has %+v", modes)
	}
}
