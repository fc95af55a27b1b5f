package recipe

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
)

func TestConfirmedMistakesBecomeCounterExamples(t *testing.T) {
	ex := func(id string) rung.Example {
		return rung.Example{ID: id, Input: json.RawMessage(`{"q":"` + id + `"}`), Output: json.RawMessage(`"right"`)}
	}
	k := &Kit{Building: rung.Building{Train: []rung.Example{ex("t1"), ex("t2")}, Dev: []rung.Example{ex("d1"), ex("d2")}}}
	if len(k.confirmed()) != 0 {
		t.Error("counter-examples of nothing")
	}
	k.Counters = []Counter{
		{Example: "h1", Mode: "refused", Means: "It declines.", Wrong: "no"}, // held out: the kit does not know it
		{Example: "d1", Mode: "length", Means: "It is too long.", Wrong: strings.Repeat("x", maxWrongShown+1)},
		{Example: "t1", Mode: "wrong_fact", Means: "It is not so.", Note: "Another year.", Wrong: "1067"},
		{Example: "d2", Mode: "wrong_fact", Means: "It is not so.", Wrong: "1068"},
		{Example: "t2", Mode: "refused", Means: "It declines.", Wrong: "I cannot say."},
	}
	got := k.confirmed()
	if len(got) != counterShown || got[0].ID != "t1" || got[0].Wrong != "1067" || got[0].Why != "It is not so. Another year." || string(got[0].Output) != `"right"` ||
		got[1].ID != "t2" {
		t.Errorf("%+v", got)
	}
	train, twice := k.emphasised()
	if twice != 2 || len(train) != 4 || train[2].ID != "t1" || train[3].ID != "t2" || len(k.Building.Train) != 2 {
		t.Errorf("%d twice: %+v", twice, train)
	}
}
