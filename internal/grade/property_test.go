package grade_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rung-dev/rung"
)

// anyJSON draws a small JSON value with awkward names and numbers.
func anyJSON(depth int) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		top := 7
		if depth == 0 {
			top = 5
		}
		switch rapid.IntRange(0, top).Draw(t, "kind") {
		case 0:
			return rapid.SampledFrom([]string{"", "a", "the cat", "é", "北京", "a\x1fb", "\"q\"", "😀"}).Draw(t, "text")
		case 1:
			return json.Number(rapid.SampledFrom([]string{"0", "-0", "1", "1.0", "10e-1", "1e999", "-2.50", "123456789012345678901234567890"}).Draw(t, "number"))
		case 2:
			return true
		case 3:
			return false
		case 4, 5:
			return nil
		case 6:
			return rapid.SliceOfN(anyJSON(depth-1), 0, 4).Draw(t, "list")
		}
		return rapid.MapOfN(rapid.SampledFrom([]string{"x", "y", "slots", "name", "arguments", "", "a.b"}), anyJSON(depth-1), 0, 4).Draw(t, "object")
	})
}

func encode(t *rapid.T, v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Of any answer and any expected outputs: scores are in range, the answer equals itself, an alternative never lowers a score.
func TestScoresOfAnyJSON(t *testing.T) {
	for _, out := range []rung.Output{object, intent, flat, nested, tools} {
		g := grader(t, task(out, rung.Bar{}))
		rapid.Check(t, func(t *rapid.T) {
			got := encode(t, anyJSON(3).Draw(t, "got"))
			want := encode(t, anyJSON(3).Draw(t, "want"))
			other := encode(t, anyJSON(3).Draw(t, "other"))
			one, two := g.Score(example(want), said(got)), g.Score(example(want, other), said(got))
			for name, v := range one.Values {
				if !(v >= 0 && v <= 1) {
					t.Fatalf("%s of %s against %s is %v", name, got, want, v)
				}
				if two.Values[name] < v {
					t.Fatalf("%s of %s against %s falls from %v to %v with the alternative %s", name, got, want, v, two.Values[name], other)
				}
			}
			for name, v := range g.Score(example(got), said(got)).Values {
				if v != 1 {
					t.Fatalf("%s of %s against itself is %v", name, got, v)
				}
			}
		})
	}
}

func TestScoresOfAnyText(t *testing.T) {
	g := grader(t, task(plain, rung.Bar{}))
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", " ", "the", "The cat.", "a cat sat", "cafe\u0301", "«ça»", "北京 大学", "3.14", "\u0000", "the€5"}))
		got, want, other := texts.Draw(t, "got"), texts.Draw(t, "want"), texts.Draw(t, "other")
		one, two := g.Score(example(quote(want)), said(quote(got))), g.Score(example(quote(want), quote(other)), said(quote(got)))
		for name, v := range one.Values {
			top := 1.0
			if name == "bleu" || name == "chrf" {
				top = 100
			}
			if !(v >= 0 && v <= top+1e-9) {
				t.Fatalf("%s of %q against %q is %v", name, got, want, v)
			}
			// Another reference changes BLEU's reference length, and may lower it.
			if name != "bleu" && two.Values[name] < v-1e-9 {
				t.Fatalf("%s of %q against %q falls from %v to %v with the alternative %q", name, got, want, v, two.Values[name], other)
			}
		}
		if two.Values["exact_match"] == 1 && (two.Values["token_f1"] != 1 || two.Values["contains"] != 1) {
			t.Fatalf("%q is an exact match of %q or %q with %v", got, want, other, two.Values)
		}
	})
}

// mixed is a set of examples with answers, some failed, in groups.
func mixed(n int) ([]rung.Example, []rung.Answer) {
	rng := rand.New(rand.NewPCG(1, 2))
	examples, answers := make([]rung.Example, n), make([]rung.Answer, n)
	for i := range n {
		want := fmt.Sprintf(`{"intent":"i%d","slots":{"a":["v%d"],"b":["w%d"]}}`, rng.IntN(3), rng.IntN(4), rng.IntN(2))
		got := fmt.Sprintf(`{"intent":"i%d","slots":{"a":["v%d"],"b":["w%d"]}}`, rng.IntN(3), rng.IntN(4), rng.IntN(2))
		examples[i] = rung.Example{ID: fmt.Sprint("e", i), Input: json.RawMessage(`{}`), Output: json.RawMessage(want), Group: fmt.Sprint(i / 3)}
		answers[i] = rung.Answer{Value: json.RawMessage(got), CostUSD: rng.Float64(), Latency: 1 + time.Duration(rng.IntN(500))*time.Millisecond, Cached: 1}
		if i%13 == 0 {
			answers[i] = rung.Answer{Problem: rung.NotJSON, Failed: 1}
		}
	}
	return examples, answers
}

// The order and the number of goroutines in which answers arrive change no figure.
func TestOrderOfArrivalChangesNothing(t *testing.T) {
	const n = 150
	g := grader(t, task(intent, rung.Bar{Metric: "slot_f1", AtLeast: .4}))
	examples, answers := mixed(n)
	first := g.NewTally(n)
	for i := range n {
		first.Add(i, &examples[i], &answers[i])
	}
	second := g.NewTally(0)
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for k := n - 1 - worker; k >= 0; k -= 4 {
				second.Add(k, &examples[k], &answers[k])
				second.Add(k, &examples[k], &answers[k]) // again: replaces
			}
		})
	}
	wg.Wait()
	a, b := first.Scorecard(.95, 3), second.Scorecard(.95, 3)
	if !reflect.DeepEqual(a, b) {
		t.Errorf("scorecards differ:\n%+v\n%+v", a, b)
	}
	if m := a.Metrics["slot_f1"]; !strings.Contains(m.Method, "cluster bootstrap") || m.N != n {
		t.Errorf("slot F1 of examples in groups is %+v", m)
	}
}

func TestScorecardsOfFewExamples(t *testing.T) {
	for _, out := range []rung.Output{labels, plain, tools, intent} {
		g := grader(t, task(out, rung.Bar{}))
		empty := g.NewTally(0).Scorecard(.95, 1)
		if empty.N != 0 || empty.CostPerSuccess != nil {
			t.Errorf("the scorecard of nothing is %+v", empty)
		}
		want := map[rung.OutputKind]string{rung.Labels: `"a"`, rung.Text: `"so it is with the old cat"`, rung.Tools: `[{"name":"f","arguments":{}}]`, rung.JSONSchema: `{"slots":{"x":"y"}}`}[out.Kind]
		for _, n := range []int{1, 5, 250} {
			right, wrong := g.NewTally(n), g.NewTally(n)
			for i := range n {
				good, bad := said(want), rung.Answer{Problem: rung.CallFailed}
				right.Add(i, example(want), &good)
				wrong.Add(i, example(want), &bad)
			}
			for name, m := range right.Scorecard(.95, 1).Metrics {
				if m.N != n || math.IsNaN(m.Low) || m.High < m.Value || m.Low > m.Value || m.Low >= m.High {
					t.Errorf("%s of %d right answers (%s) is %+v", name, n, out.Kind, m)
				}
			}
			for name, m := range wrong.Scorecard(.95, 1).Metrics {
				if m.N != n || m.Value != 0 || m.Low != 0 || m.High <= 0 || m.High > 100 {
					t.Errorf("%s of %d failed answers (%s) is %+v, want 0 with an upper bound", name, n, out.Kind, m)
				}
			}
		}
	}
}

func TestMicroF1OfFailuresOnExamplesWithoutSlots(t *testing.T) {
	g := grader(t, task(intent, rung.Bar{Metric: "slot_f1"}))
	tally := g.NewTally(2)
	good, bad := said(`{"slots":{}}`), rung.Answer{Problem: rung.NotJSON}
	tally.Add(0, example(`{"slots":{}}`), &good)
	tally.Add(1, example(`{"slots":{}}`), &bad)
	if v := tally.Scorecard(.95, 1).Metrics["slot_f1"].Value; v == 1 {
		t.Error("a failed answer costs nothing where no slots were expected")
	}
}
