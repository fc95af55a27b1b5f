package recipe

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/model/doortest"
	"github.com/rung-dev/rung/internal/model/modeltest"
)

func runner(t *testing.T, c rung.Candidate, script modeltest.Script, parts Parts) *Runner {
	t.Helper()
	f, err := form.New(c.Output)
	if err != nil {
		t.Fatal(err)
	}
	parts.Form = f
	if script != nil {
		parts.Door = doortest.Open(t, script)
	}
	r, err := NewRunner(c, parts)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func candidate() rung.Candidate {
	return rung.Candidate{
		Rung: rung.Prompt, Model: "openai/m", Instructions: "Name the colour.",
		Input: []rung.Field{{Name: "text", Type: "string"}}, Output: rung.Output{Kind: rung.Labels, Labels: []string{"red", "blue"}},
		Template: fullTemplate, Decoding: rung.Decoding{MaxTokens: 8, Reasks: 1},
	}
}

func input(text string) json.RawMessage {
	b, _ := json.Marshal(map[string]string{"text": text})
	return b
}

func demo(id, text, label string) rung.Demo {
	out, _ := json.Marshal(label)
	return rung.Demo{ID: id, Input: input(text), Output: out}
}

func TestMessagesHoldEverythingInOrder(t *testing.T) {
	c := candidate()
	c.Rung = rung.RAG
	c.Demos = &rung.Demos{Mode: rung.FixedDemos, K: 1, Fixed: []rung.Demo{demo("d", "a rose", "red")},
		Counter: []rung.CounterExample{{Demo: demo("c", "the sea", "blue"), Wrong: "red", Why: "said red instead of blue."}}}
	c.Retrieval = &rung.Retrieval{K: 1, Query: []string{"text"}, Cite: true}
	var asked string
	search := func(_ context.Context, query string, _ int) ([]rung.Passage, error) {
		asked = query
		return []rung.Passage{{ID: "sky.md#1", Heading: "Sky", Text: "The sky is blue."}}, nil
	}
	msgs, passages, err := runner(t, c, nil, Parts{Search: search}).Messages(t.Context(), input("the sky"))
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, m := range msgs {
		fmt.Fprintf(&got, "<%s>\n%s\n", m.Role, m.Content)
	}
	want := `<system>
Name the colour.

Answer with exactly one of these labels and nothing else:
red
blue

A mistake to avoid. For the input
the sea
the answer
red
is wrong: said red instead of blue. Right is
blue
<user>
a rose
<assistant>
red
<user>
[1] Sky
The sky is blue.

` + citing + `

the sky
`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
	if asked != "the sky" || len(passages) != 1 {
		t.Errorf("searched for %q, got %v", asked, passages)
	}
}

func TestNearestDemonstrationsComeFarthestFirstAndLeaveTheInputItselfOut(t *testing.T) {
	c := candidate()
	c.Demos = &rung.Demos{Mode: rung.NearestBM25, K: 2}
	pool := []rung.Demo{demo("same", "the sky", "blue"), demo("near", "a blue sky", "blue"), demo("far", "a rose", "red"), demo("farther", "a brick", "red")}
	nearest := func(context.Context, string, int) ([]int, error) { return []int{0, 1, 2, 3}, nil }
	msgs, _, err := runner(t, c, nil, Parts{Pool: pool, Nearest: nearest}).Messages(t.Context(), input("the sky"))
	if err != nil {
		t.Fatal(err)
	}
	var users []string
	for _, m := range msgs {
		if m.Role == "user" {
			users = append(users, m.Content)
		}
	}
	if want := []string{"a rose", "a blue sky", "the sky"}; !slices.Equal(users, want) {
		t.Errorf("got %q, want %q", users, want)
	}
}

func TestToolDefinitionsStayOutOfDemonstrations(t *testing.T) {
	c := candidate()
	c.Input = []rung.Field{{Name: "functions", Type: "array"}, {Name: "text", Type: "string"}}
	c.Output = rung.Output{Kind: rung.Tools, ToolsFrom: "functions"}
	in := json.RawMessage(`{"functions":[{"name":"paint"}],"text":"paint it"}`)
	c.Demos = &rung.Demos{Mode: rung.FixedDemos, Fixed: []rung.Demo{{ID: "d", Input: in, Output: json.RawMessage(`{"name":"paint","arguments":{}}`)}}}
	msgs, _, err := runner(t, c, nil, Parts{}).Messages(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if shown, asked := msgs[1].Content, msgs[3].Content; strings.Contains(shown, "functions") || !strings.Contains(asked, `[{"name":"paint"}]`) {
		t.Errorf("demonstration %q, input %q", shown, asked)
	}
}

func TestAnInvalidAnswerIsAskedForAgainWithTheReason(t *testing.T) {
	var last []model.Message
	r := runner(t, candidate(), func(c modeltest.Call) modeltest.Reply {
		last = c.Messages
		if c.N == 1 {
			return modeltest.Reply{Text: "green", In: 5, Out: 1}
		}
		return modeltest.Reply{Text: "blue", In: 9, Out: 1}
	}, Parts{})
	ans, err := r.Answer(t.Context(), input("the sky"))
	if err != nil {
		t.Fatal(err)
	}
	if string(ans.Value) != `"blue"` || ans.Problem != "" || ans.Made != 2 || ans.Retries != 1 || ans.Usage.In != 14 || len(ans.Calls) != 2 {
		t.Errorf("got %+v", ans)
	}
	if n := len(last); last[n-2].Content != "green" || !strings.Contains(last[n-1].Content, "none of the labels") {
		t.Errorf("asked again with %+v", last)
	}
}

func TestReasksAreBounded(t *testing.T) {
	ans, err := runner(t, candidate(), modeltest.Text("green"), Parts{}).Answer(t.Context(), input("the sky"))
	if err != nil || ans.Problem != rung.UnknownLabel || ans.Made != 2 {
		t.Errorf("got %+v, %v", ans, err)
	}
}

func TestATruncatedAnswerIsNotRepairedIntoARightOne(t *testing.T) {
	c := candidate()
	c.Decoding.Reasks = 0
	c.Output = rung.Output{Kind: rung.JSONSchema, Schema: json.RawMessage(`{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}`)}
	r := runner(t, c, func(modeltest.Call) modeltest.Reply {
		return modeltest.Reply{Text: `{"a": "half a sent`, Finish: "length"}
	}, Parts{})
	ans, err := r.Answer(t.Context(), input("x"))
	if err != nil || ans.Problem != rung.Truncated || ans.Value != nil {
		t.Errorf("got %+v, %v", ans, err)
	}
}

func TestCitationsAreTakenOutOfTheAnswer(t *testing.T) {
	passages := []rung.Passage{{ID: "a#1"}, {ID: "b#2"}}
	for text, want := range map[string]struct {
		text string
		ids  []string
	}{
		"14 days [2]":           {"14 days", []string{"b#2"}},
		"[1] 14 days [1][2].":   {"14 days.", []string{"a#1", "b#2"}},
		"14 days [7]":           {"14 days", nil},
		"no mark":               {"no mark", nil},
		"see [section 4] there": {"see [section 4] there", nil},
	} {
		got, ids := cited(text, passages)
		if got != want.text || !slices.Equal(ids, want.ids) {
			t.Errorf("%q became %q citing %q", text, got, ids)
		}
	}
}

func TestBalancedShowsEveryKindInTurn(t *testing.T) {
	var p pool
	for i, label := range []string{"a", "a", "a", "a", "b", "b", "c"} {
		p.demos = append(p.demos, demo(fmt.Sprint(i), strings.Repeat("x", i+1), label))
	}
	out := rung.Output{Kind: rung.Labels}
	var kinds []string
	for _, d := range p.balanced(5, out) {
		kinds = append(kinds, string(d.Output))
	}
	if want := []string{`"a"`, `"b"`, `"c"`, `"a"`, `"b"`}; !slices.Equal(kinds, want) {
		t.Errorf("got %v, want %v", kinds, want)
	}
}

// Every demonstration is picked at most once, as many as asked for or all there are.
func TestBalancedPicksWithoutRepeating(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		labels := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d"}), 1, 30).Draw(t, "labels")
		k := rapid.IntRange(1, 40).Draw(t, "k")
		var p pool
		for i, label := range labels {
			p.demos = append(p.demos, demo(fmt.Sprint(i), fmt.Sprint("text ", i), label))
		}
		seen := make(map[string]bool)
		for _, d := range p.balanced(k, rung.Output{Kind: rung.Labels}) {
			if seen[d.ID] {
				t.Fatalf("%s twice", d.ID)
			}
			seen[d.ID] = true
		}
		if len(seen) != min(k, len(labels)) {
			t.Fatalf("%d picked of %d, %d wanted", len(seen), len(labels), k)
		}
	})
}

func TestTheDigestNamesEverythingThatShapesAnAnswer(t *testing.T) {
	base := candidate()
	for name, change := range map[string]func(*rung.Candidate){
		"template":     func(c *rung.Candidate) { c.Template = shortTemplate },
		"instructions": func(c *rung.Candidate) { c.Instructions += " Please." },
		"model":        func(c *rung.Candidate) { c.Model = "openai/n" },
		"weights":      func(c *rung.Candidate) { c.Weights = "w" },
		"demos":        func(c *rung.Candidate) { c.Demos = &rung.Demos{K: 1} },
		"retrieval":    func(c *rung.Candidate) { c.Retrieval = &rung.Retrieval{K: 1} },
		"adapter":      func(c *rung.Candidate) { c.Adapter = &rung.Adapter{Digest: "a"} },
		"decoding":     func(c *rung.Candidate) { c.Decoding.Constrained = true },
	} {
		c := candidate()
		change(&c)
		if c.Digest() == base.Digest() {
			t.Errorf("another %s, the same digest", name)
		}
	}
}
