package recipe

import (
	"fmt"

	"github.com/rung-dev/rung"
)

// Counter is a mistake on a train or dev example that a person has confirmed. It becomes a counter-example of few-shot prompts, and
// its example counts twice in training where it is a train example.
type Counter struct {
	Example string // its id
	Mode    string
	Means   string // what the mode means, a sentence
	Note    string // what the person added
	Wrong   string // the answer as it was
}

// maxWrongShown is the longest wrong answer that is shown to a model, in bytes.
const maxWrongShown = 1000

// why is what the model is told.
func (c *Counter) why() string {
	if c.Note != "" {
		return c.Means + " " + c.Note
	}
	return c.Means
}

// confirmed are up to counterShown confirmed mistakes as counter-examples, of different modes where there are several. An example
// of neither train nor dev is not among them, whatever it is: the Building has no held-out examples.
func (k *Kit) confirmed() []rung.CounterExample {
	byID := make(map[string]*rung.Example, len(k.Building.Train)+len(k.Building.Dev))
	for _, list := range [][]rung.Example{k.Building.Train, k.Building.Dev} {
		for i := range list {
			byID[list[i].ID] = &list[i]
		}
	}
	var out, later []rung.CounterExample
	modes, used := map[string]bool{}, map[string]bool{}
	for i := range k.Counters {
		c := &k.Counters[i]
		ex := byID[c.Example]
		if ex == nil || used[c.Example] || c.Wrong == "" || len(c.Wrong) > maxWrongShown {
			continue
		}
		used[c.Example] = true
		shown := rung.CounterExample{Demo: rung.Demo{ID: ex.ID, Input: ex.Input, Output: ex.Output}, Wrong: c.Wrong, Why: c.why()}
		if modes[c.Mode] {
			later = append(later, shown)
			continue
		}
		modes[c.Mode] = true
		out = append(out, shown)
	}
	out = append(out, later...)
	return out[:min(len(out), counterShown)]
}

// withCounters is an option with counter-examples.
func withCounters(o option, shown []rung.CounterExample, what string) option {
	with := option{label: fmt.Sprintf("%s, %d %s", o.label, len(shown), what), cand: o.cand}
	demos := *o.cand.Demos
	demos.Counter = shown
	with.cand.Demos = &demos
	return with
}

// emphasised are the train examples, those with a confirmed mistake and those that correct one once more at the end, and how many these
// are.
func (k *Kit) emphasised() ([]rung.Example, int) {
	wrong := map[string]bool{}
	for i := range k.Counters {
		wrong[k.Counters[i].Example] = true
	}
	train := k.Building.Train
	out := train[:len(train):len(train)]
	for i := range train {
		if wrong[train[i].ID] || train[i].Counter != "" {
			out = append(out, train[i])
		}
	}
	return out, len(out) - len(train)
}
