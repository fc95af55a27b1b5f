package perturb_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/perturb"
)

var fields = []rung.Field{{Name: "text", Type: "string"}, {Name: "n", Type: "integer"}}

func example(id, text, output string) rung.Example {
	in, err := json.Marshal(map[string]any{"text": text, "n": 3})
	if err != nil {
		panic(err)
	}
	return rung.Example{ID: id, Input: in, Output: json.RawMessage(output), Group: "g"}
}

func textOf(t *testing.T, ex *rung.Example) string {
	t.Helper()
	var in struct {
		Text string
		N    int
	}
	if err := json.Unmarshal(ex.Input, &in); err != nil || in.N != 3 {
		t.Fatalf("%s: %v", ex.Input, err)
	}
	return in.Text
}

func TestCopiesDifferAndKeepWhatMustBeCopied(t *testing.T) {
	var list []rung.Example
	for i := range 40 {
		list = append(list, example(fmt.Sprint(i), "Can you play the newest Concerto by Bach tonight? I would like to hear it at home.", `{"artist":["Bach"],"kind":"concerto"}`))
	}
	for _, kind := range perturb.Kinds {
		got, changed := perturb.Examples(list, kind, fields)
		again, _ := perturb.Examples(list, kind, fields)
		if changed != len(list) || len(got) != len(list) {
			t.Errorf("%s: %d of %d changed", kind, changed, len(list))
		}
		texts := map[string]bool{}
		for i := range got {
			text := textOf(t, &got[i])
			texts[text] = true
			if string(got[i].Input) != string(again[i].Input) {
				t.Fatalf("%s: another copy the second time", kind)
			}
			if text == textOf(t, &list[i]) || !strings.Contains(text, "Bach") || !strings.Contains(text, "Concerto") {
				t.Errorf("%s: %q", kind, text)
			}
			if got[i].ID != list[i].ID || got[i].Group != "g" || string(got[i].Output) != string(list[i].Output) {
				t.Errorf("%s changed more than the input", kind)
			}
		}
		if kind == perturb.Typos && len(texts) < 20 {
			t.Errorf("%d different copies of one text", len(texts))
		}
	}
	if textOf(t, &list[0])[0] != 'C' {
		t.Error("the examples themselves were changed")
	}
}

func TestKinds(t *testing.T) {
	for _, c := range []struct {
		kind       perturb.Kind
		text, want string
	}{
		{perturb.Case, "Where IS it? Over there.", "where is it over there"},
		{perturb.Order, "First one. Second one.", "Second one. First one."},
		{perturb.Paraphrase, "What is the main problem?", "What's the chief issue?"},
		{perturb.Paraphrase, "Buy it, please", "Purchase it, kindly"},
		{perturb.Order, "alpha 12", "alpha 12"},
	} {
		got, _ := perturb.Examples([]rung.Example{example("x", c.text, `"none"`)}, c.kind, fields)
		if text := textOf(t, &got[0]); text != c.want {
			t.Errorf("%s of %q is %q, want %q", c.kind, c.text, text, c.want)
		}
	}
}

// Any text survives, and the input stays JSON with its other fields.
func TestAnyTextCanBePerturbed(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		text := rapid.String().Draw(r, "text")
		ex := example(rapid.String().Draw(r, "id"), text, `"x"`)
		for _, kind := range perturb.Kinds {
			got, _ := perturb.Examples([]rung.Example{ex}, kind, fields)
			if !json.Valid(got[0].Input) {
				r.Fatalf("%s: %s", kind, got[0].Input)
			}
			textOf(t, &got[0])
		}
	})
}
