package cli

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/model/modeltest"
)

// TestLearningCurve: a model that knows only what it is shown gets better with more examples to show, and the curve says by how much, how
// it knows, and that it looks ahead; a second run asks nothing again.
func TestLearningCurve(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	words := strings.Fields("violin parcel umbrella garden dentist passport engine bakery museum ladder pension harbour blanket lantern kettle piano")
	var b strings.Builder
	row := func(i int, split string) {
		label := []string{"ham", "spam"}[i*7/3%2]
		fmt.Fprintf(&b, `{"id":"%s%d","input":{"text":"the %s of number %d, %s"},"output":%q,"split":%q}`+"\n", split, i, words[i%16]+words[i/16%16], i, split, label, split)
	}
	for i := range 96 {
		row(i, "train")
	}
	for i := range 12 {
		row(i*5+1, "dev")
	}
	for i := range 60 {
		row(i*3, "heldout")
	}
	put(t, dir, "ex.jsonl", b.String())
	put(t, dir, "task.yaml", `task: words
instructions: Say ham or spam.
input: {text: string}
output: {labels: [ham, spam]}
examples: ex.jsonl
bar: {metric: accuracy, at_least: 0.8, min_gain: 0.02}
models: [openai/m]
`)
	url, stop, err := modeltest.New(func(c modeltest.Call) modeltest.Reply { return modeltest.Reply{Text: fromShown(c.Messages)} }).Listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	t.Setenv("OPENAI_BASE_URL", url+"/v1")
	t.Setenv("OPENAI_API_KEY", "k")
	args := []string{"data", "curve", "task.yaml", "fewshot", "--extra", "50"}
	status, text, errs := rungCommand(t, args...)
	if status != 0 {
		t.Fatalf("status %d: %s", status, errs)
	}
	for _, want := range []string{"Learning curve of fewshot (openai/m): accuracy on heldout, n=60", "Another 50 train examples (146 instead of 96)", "95 % interval", "n=60)", "not measured",
		"interval: percentile bootstrap", "Tried where the truth is known", "what chance moves a size", "holds only if the errors go on falling by the same law", "from the store"} {
		if !strings.Contains(strings.Join(strings.Fields(text), " "), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for _, want := range []string{"size 1 of 5: what 6 train examples give", "size 5 of 5: what 96 train examples give"} {
		if !strings.Contains(errs, want) {
			t.Errorf("who watches does not see %q in\n%s", want, errs)
		}
	}
	doc := decoded[app.LearningCurve](t, mustRun(t, append(args, "--json")...))
	if len(doc.Points) != 5 || doc.Foretold == nil || doc.Foretold.From != 48 || doc.Foretold.At != 96 || doc.Gain == nil || doc.Gain.N != 60 || doc.Then.Value < doc.Now.Value {
		t.Errorf("%+v", doc)
	}
	if first, last := doc.Points[0].Score.Value, doc.Points[4].Score.Value; last < first+.1 {
		t.Errorf("%.3f with 6 examples, %.3f with 96", first, last)
	}
	for _, p := range doc.Points {
		if p.Calls.Made != 0 || p.Calls.Cached != 60 {
			t.Errorf("%d examples are paid for again: %+v", p.N, p.Calls)
		}
	}
}

// fromShown answers with the label of a shown example that shares the odd word; without one, always ham.
func fromShown(messages []model.Message) string {
	word := func(text string) string {
		if f := strings.Fields(text[strings.LastIndex(text, "the ")+1:]); len(f) > 1 {
			return f[1]
		}
		return "?"
	}
	last := messages[len(messages)-1].Content
	for i := 0; i+1 < len(messages)-1; i++ {
		if messages[i].Role == "user" && word(messages[i].Content) == word(last) {
			return messages[i+1].Content
		}
	}
	return "ham"
}
