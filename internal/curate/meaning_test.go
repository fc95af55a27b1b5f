package curate_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/curate"
	"github.com/rung-dev/rung/internal/engine"
)

// minilm opens the local embedding model, and counts the texts that it is asked for.
func minilm(t *testing.T, asked *int) func(context.Context, rung.ModelRef) (*curate.Embedder, error) {
	t.Helper()
	e, err := engine.New(engine.Options{})
	if err == nil {
		t.Cleanup(func() { _ = e.Close() })
		_, _, err = e.Weights(t.Context(), "local/minilm")
	}
	switch rung.CodeOf(err) {
	case "":
	case rung.CodeMissing, rung.CodeUnreachable:
		t.Skipf("the local engine cannot be installed here: %v", err)
	default:
		t.Fatal(err)
	}
	return func(ctx context.Context, ref rung.ModelRef) (*curate.Embedder, error) {
		_, digest, err := e.Weights(ctx, ref)
		return &curate.Embedder{Digest: digest, Close: func() {}, Embed: func(ctx context.Context, texts []string) ([][]float32, error) {
			*asked += len(texts)
			return e.Embed(ctx, ref, texts)
		}}, err
	}
}

// alike has rows that say the same in other words: one answers alike, one otherwise, and one says what an evaluation item says.
const alike = `{"id": "a", "input": {"text": "My parcel has not arrived yet."}, "output": "delivery"}
{"id": "b", "input": {"text": "The package that I am waiting for is still not here, my parcel has not come."}, "output": "delivery"}
{"id": "c", "input": {"text": "My package has not arrived so far."}, "output": "billing"}
{"id": "d", "input": {"text": "How many people live in Berlin?"}, "output": "other"}
{"id": "e", "input": {"text": "Please cancel the newsletter."}, "output": "other"}
{"id": "f", "input": {"text": "What does a new kettle cost?"}, "output": "billing"}
`

const alikeDescribed = `name: tickets
output: {labels: [billing, delivery, other]}
sources: [{name: desk, files: raw.jsonl}]
pii: none
dedupe: {semantic: local/minilm, cosine: 0.75}
decontaminate: {against: test.jsonl, semantic: local/minilm, cosine: 0.8}
`

func alikeProject(t *testing.T) string {
	t.Helper()
	return project(t, map[string]string{"dataset.yaml": alikeDescribed, "raw.jsonl": alike, "test.jsonl": `{"text": "What is the population of Berlin?"}` + "\n"})
}

// TestRowsOfOneMeaningGo: with a model named, rows in other words go from copies and from what holds evaluation items, by their own
// reason; one that answers otherwise stays; the records name the model, and a second build gives the same bytes.
func TestRowsOfOneMeaningGo(t *testing.T) {
	asked := 0
	open := minilm(t, &asked)
	r, err := build(t, alikeProject(t), curate.Options{Version: "v", Embedder: open})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range records(t, r.Folder, "removed.jsonl") {
		got = append(got, fmt.Sprintf("%s %s/%s %s", x.ID, x.Step, x.Reason, x.Of))
	}
	if want := []string{"b dedupe/semantic a", "d decontaminate/semantic test.jsonl:1"}; !slices.Equal(got, want) {
		t.Errorf("removed %q, want %q", got, want)
	}
	if asked == 0 {
		t.Error("no text was embedded")
	}
	all := contents(t, r.Folder)
	for _, s := range r.Dataset.Steps {
		if s.Name != curate.StepDedupe && s.Name != curate.StepAgainst {
			continue
		}
		var o struct {
			Semantic struct {
				Model  string      `json:"model"`
				Digest rung.Digest `json:"model_digest"`
			} `json:"semantic"`
		}
		if err := json.Unmarshal(s.Options, &o); err != nil || o.Semantic.Model != "local/minilm" || len(o.Semantic.Digest) != 64 {
			t.Errorf("%s records %s (%v)", s.Name, s.Options, err)
		}
		if s.Name == curate.StepDedupe && !strings.Contains(string(s.Report), `"contrasts":1`) {
			t.Errorf("the row that answers otherwise is not counted among those that stay: %s", s.Report)
		}
		if !slices.ContainsFunc(s.Notes, func(n string) bool { return strings.Contains(n, "1 row went for that alone") }) {
			t.Errorf("%s notes %q", s.Name, s.Notes)
		}
	}
	for _, file := range []string{"README.md", "report.html"} {
		if !strings.Contains(all[file], "semantic") || !strings.Contains(all[file], "local/minilm") {
			t.Errorf("%s does not say what went by meaning, and by which model", file)
		}
	}
	again, err := build(t, alikeProject(t), curate.Options{Version: "v", Embedder: open})
	if err != nil {
		t.Fatal(err)
	}
	if again.Dataset.Digest != r.Dataset.Digest || !same(contents(t, again.Folder), all) {
		t.Errorf("built again it is %s, was %s", again.Dataset.Digest.Short(), r.Dataset.Digest.Short())
	}
}

// TestWithoutAModelNobodyIsAsked: a description that names no model opens none; one that names one where there is none is refused.
func TestWithoutAModelNobodyIsAsked(t *testing.T) {
	fault := &rung.Error{Code: rung.CodeMissing, What: "there is no model", Do: "install one"}
	refuse := func(context.Context, rung.ModelRef) (*curate.Embedder, error) { return nil, fault }
	if _, err := build(t, usual(t), curate.Options{Version: "v", Embedder: refuse}); err != nil {
		t.Errorf("a description without semantic: %v", err)
	}
	dir := alikeProject(t)
	if _, err := build(t, dir, curate.Options{Version: "v", Embedder: refuse}); rung.CodeOf(err) != rung.CodeMissing {
		t.Errorf("%v, want the model's own fault", err)
	}
	if _, err := build(t, dir, curate.Options{Version: "v"}); rung.CodeOf(err) != rung.CodeUnsupported {
		t.Errorf("%v, want that no model can be asked", err)
	}
	if left := leftovers(t, dir, "dataset.yaml", "raw.jsonl", "test.jsonl"); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}
