package cli

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model/modeltest"
)

var factLine = regexp.MustCompile(`The (\w+) is kept in room (\d+)\.`)

// reads is a model that knows nothing but can read: it answers from the first passage that names what is asked for.
func reads(c modeltest.Call) modeltest.Reply {
	last := c.Last()
	asked := regexp.MustCompile(`Where is the (\w+) kept`).FindStringSubmatch(last)
	for _, m := range factLine.FindAllStringSubmatch(last, -1) {
		if asked != nil && m[1] == asked[1] {
			return modeltest.Reply{Text: "room " + m[2] + " [1]"}
		}
	}
	return modeltest.Reply{Text: "I do not know"}
}

func TestRetrievalIsTheCheapestRungWhenFactsAreMissing(t *testing.T) {
	serve(t, reads)
	dir := t.TempDir()
	var rows, doc strings.Builder
	for i, w := range words {
		fmt.Fprintf(&doc, "# %s\nThe %s is kept in room %d.\n\n", w, w, 100+i)
		b, _ := json.Marshal(map[string]any{"input": map[string]string{"question": "Where is the " + w + " kept?"}, "output": fmt.Sprint("room ", 100+i), "group": w})
		rows.Write(append(b, '\n'))
	}
	put(t, dir, "examples.jsonl", rows.String())
	put(t, dir, "rooms.md", doc.String())
	put(t, dir, "task.yaml", `task: rooms
instructions: Say where the thing is kept.
input: {question: string}
output: {text: {}}
examples: examples.jsonl
documents: [rooms.md]
bar: {metric: exact_match, at_least: 0.6}
models: [openai/test]
limits: {retries: 0, timeout: 20s}
`)
	got := climbJSON(t, filepath.Join(dir, "task.yaml"))
	if got.Decision.Rung != rung.RAG || got.Decision.Verdict != rung.Pass {
		t.Fatalf("decision %+v", got.Decision)
	}
	if v := got.Rungs[0].Metrics["exact_match"].Value; v != 0 {
		t.Errorf("closed book scores %g", v)
	}
	status, out, errs := rungOut(t, "show", string(got.Decision.Candidate), "--store", filepath.Join(dir, ".rung"))
	if status != 0 || !strings.Contains(out, "passage") {
		t.Errorf("status %d: %s%s", status, out, errs)
	}
}
