package recipe

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/model/modeltest"
)

// What flows out in pieces is, put together, what read makes of the whole text: the promise that a streamed answer is the
// evaluated one.
func TestFlowIsTheWholeAnswer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOf(rapid.SampledFrom([]string{" ", "\n", "[", "]", "[1]", " [2]", "1", "23", "4567", "é", "word", "\u00a0", "[[3]4]", "[x]"})).Draw(t, "parts")
		cite := rapid.Bool().Draw(t, "cite")
		var got strings.Builder
		f := newFlow(cite, func(s string) error { got.WriteString(s); return nil })
		for _, p := range parts {
			if err := f.write(p); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.close(); err != nil {
			t.Fatal(err)
		}
		whole := strings.Join(parts, "")
		want := strings.TrimSpace(whole)
		if cite {
			want, _ = cited(whole, nil)
		}
		if got.String() != want {
			t.Fatalf("%q flowed out as %q, want %q", whole, got.String(), want)
		}
	})
}

// White space that a citation's pattern does not take with it is still no end of an answer.
func TestFlowEndsWithoutWhiteSpace(t *testing.T) {
	var got strings.Builder
	f := newFlow(true, func(s string) error { got.WriteString(s); return nil })
	for _, delta := range []string{"[", "\u00a0", "[1]"} {
		if err := f.write(delta); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.close(); err != nil || got.String() != "[" {
		t.Errorf("%q, %v", got.String(), err)
	}
}

func TestServeRendersWhatWasEvaluated(t *testing.T) {
	c := candidate()
	c.Demos = &rung.Demos{Mode: rung.FixedDemos, K: 1, Fixed: []rung.Demo{demo("1", "sky", "blue")}}
	var bodies []string
	r := runner(t, c, func(call modeltest.Call) modeltest.Reply {
		bodies = append(bodies, string(call.Body))
		return modeltest.Reply{Text: "red"}
	}, Parts{})
	if _, err := r.Answer(t.Context(), input("blood")); err != nil {
		t.Fatal(err)
	}
	live := r.On(model.NewLive(model.Options{Provider: providerOf(t, r)}), "", false)
	ans, err := live.Serve(t.Context(), Turn{Input: input("blood")})
	if err != nil || string(ans.Value) != `"red"` {
		t.Fatalf("%+v, %v", ans, err)
	}
	if len(bodies) != 2 || bodies[0] != bodies[1] {
		t.Errorf("evaluated\n%s\nserved\n%s", bodies[0], bodies[1:])
	}
}

// providerOf gives the provider of a runner's door, so that another door asks the same server.
func providerOf(t *testing.T, r *Runner) func(string) (model.Provider, error) {
	t.Helper()
	d := r.parts.Door.(*model.Door)
	return func(name string) (model.Provider, error) { return d.Provider(rung.ModelRef(name + "/m")) }
}

func TestHistoryStandsBetweenDemonstrationsAndInput(t *testing.T) {
	c := candidate()
	c.Demos = &rung.Demos{Mode: rung.FixedDemos, K: 1, Fixed: []rung.Demo{demo("1", "sky", "blue")}}
	var sent []model.Message
	r := runner(t, c, func(call modeltest.Call) modeltest.Reply {
		sent = call.Messages
		return modeltest.Reply{Text: "red"}
	}, Parts{})
	history := []model.Message{{Role: "user", Content: "earlier"}, {Role: "assistant", Content: "blue"}}
	if _, err := r.Serve(t.Context(), Turn{Input: input("blood"), History: history}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range sent[1:] {
		got = append(got, m.Role+": "+m.Content)
	}
	want := []string{"user: sky", "assistant: blue", "user: earlier", "assistant: blue", "user: blood"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPassagesThatAreLeftOutDoNotReachThePrompt(t *testing.T) {
	c := candidate()
	c.Retrieval = &rung.Retrieval{K: 2, Query: []string{"text"}}
	prompt := ""
	r := runner(t, c, func(call modeltest.Call) modeltest.Reply {
		prompt = string(call.Body)
		return modeltest.Reply{Text: "red"}
	}, Parts{Search: func(context.Context, string, int) ([]rung.Passage, error) {
		return []rung.Passage{{ID: "a", Text: "kept words"}, {ID: "b", Text: "forbidden words"}}, nil
	}})
	var spans []string
	ans, err := r.Serve(t.Context(), Turn{Input: json.RawMessage(`{"text":"x"}`),
		Passages: func(_ context.Context, found []rung.Passage) ([]rung.Passage, error) { return found[:1], nil },
		Span:     func(name string, _ time.Time, _ string) { spans = append(spans, name) }})
	if err != nil || len(ans.Passages) != 1 {
		t.Fatalf("%+v, %v", ans, err)
	}
	if strings.Contains(prompt, "forbidden") || !strings.Contains(prompt, "kept words") {
		t.Errorf("the prompt is %s", prompt)
	}
	if diff := cmp.Diff([]string{"retrieve", "render", "model", "parse"}, spans); diff != "" {
		t.Error(diff)
	}
}

// What a provider made is paid for, also where nobody waited for its end.
func TestWhatEndsEarlyIsNotFree(t *testing.T) {
	c := candidate()
	c.Output = rung.Output{Kind: rung.Text}
	file := filepath.Join(t.TempDir(), "prices.json")
	if err := os.WriteFile(file, []byte(`{"models":{"`+string(c.Model)+`":{"in":1000000,"out":1000000}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	prices, err := model.LoadPrices(file)
	if err != nil {
		t.Fatal(err)
	}
	reply := modeltest.Reply{Text: "some text", Pieces: []string{strings.Repeat("word ", 80), "end"}}
	fault := modeltest.None
	r := runner(t, c, func(modeltest.Call) modeltest.Reply {
		out := reply
		out.Fault = fault
		return out
	}, Parts{})
	live := r.On(model.NewLive(model.Options{Provider: providerOf(t, r), Prices: prices, Limits: rung.Limits{Timeout: 300 * time.Millisecond}}), "", false)
	gone := errors.New("gone")
	long := input(strings.Repeat("blood ", 80))
	for name, x := range map[string]struct {
		fault modeltest.Fault
		delta func(string) error
		out   int
	}{
		"the caller goes":    {modeltest.None, func(string) error { return gone }, 99},
		"the stream is cut":  {modeltest.CutStream, func(string) error { return nil }, 99},
		"the stream hangs":   {modeltest.HangStream, func(string) error { return nil }, 99},
		"nothing comes":      {modeltest.Hang, func(string) error { return nil }, 0},
		"nothing comes, all": {modeltest.Hang, nil, 0},
	} {
		fault = x.fault
		ans, err := live.Serve(t.Context(), Turn{Input: long, Delta: x.delta})
		if ans.Usage.In < 119 || ans.Usage.Out < x.out || ans.Usage.Out > x.out+1 || ans.CostUSD < float64(ans.Usage.In+ans.Usage.Out)-.001 || ans.Problem == rung.NoProblem && err == nil {
			t.Errorf("%s: %+v, USD %g, problem %q, %v", name, ans.Usage, ans.CostUSD, ans.Problem, err)
		}
	}
	fault = modeltest.ServerError // costs nothing
	if ans, _ := live.Serve(t.Context(), Turn{Input: long}); ans.Usage != (rung.Usage{}) || ans.CostUSD != 0 {
		t.Errorf("an error of the server: %+v, USD %g", ans.Usage, ans.CostUSD)
	}
}
