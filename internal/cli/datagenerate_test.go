package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/generate"
	"github.com/rung-dev/rung/internal/model/modeltest"
)

// TestGenerateAndReview goes the whole way: a model writes rows, judged by another; what is kept is not trained on before a person has
// looked at the sample, and is then; a refused batch never is.
func TestGenerateAndReview(t *testing.T) {
	dir := labelProject(t, labelTask)
	words := strings.Fields("violin parcel umbrella garden dentist passport engine bakery museum ladder pension harbour blanket lantern kettle piano")
	url, stop, err := modeltest.New(func(c modeltest.Call) modeltest.Reply {
		if strings.Contains(c.Messages[0].Content, "You write examples") {
			if strings.Contains(c.Last(), "message ") || !strings.Contains(c.Last(), "example ") {
				t.Errorf("not seeded by train examples: %s", c.Last())
			}
			var rows []string
			for i := range 4 {
				n := c.N*4 + i
				rows = append(rows, fmt.Sprintf(`{"input":{"text":"%s and %s, said %d %s"},"output":%q}`, words[n%16], words[(n*7+n/16)%16], n*7919, words[(n*3+n/5)%16], []string{"ham", "spam", "eggs"}[min(i, 2)]))
			}
			return modeltest.Reply{Text: `{"rows":[` + strings.Join(rows, ",") + `]}`}
		}
		return modeltest.Reply{Text: `{"reason": "so it is", "score": 5}`}
	}).Listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	t.Setenv("OPENAI_BASE_URL", url+"/v1")
	t.Setenv("OPENAI_API_KEY", "k")
	args := []string{"data", "generate", "task.yaml", "--model", "openai/strong", "--n", "40", "--per-call", "4", "--judge", "openai/judge", "--out", "made.jsonl", "--json"}
	r := decoded[generate.Report](t, mustRun(t, args...))
	if r.Made != 40 || r.Kept != 20 || r.Calls.Made != 10+2*20 || r.Diversity == nil || r.Reasons[0].Reason != generate.BreaksForm || r.Reasons[0].Rows != 20 {
		t.Fatalf("%+v", r)
	}
	if again := decoded[generate.Report](t, mustRun(t, args...)); again.Calls.Made != 0 || again.Digest != r.Digest {
		t.Errorf("the second time %+v", again)
	}
	trained := func(file string) string {
		put(t, dir, "with.yaml", strings.Replace(labelTask, "examples: ex.jsonl", "examples: [ex.jsonl, "+file+"]", 1))
		_, out, errs := rungCommand(t, "check", "with.yaml", "--json")
		return out + errs
	}
	if out := trained("made.jsonl"); !strings.Contains(out, "no person has reviewed are left out") {
		t.Errorf("unreviewed rows are taken: %s", out)
	}
	v := decoded[reviewed](t, mustRun(t, "data", "review", "made.jsonl", "--task", "task.yaml", "--tolerable", ".2", "--json"))
	sample := v.Verdict.Plan.Sample
	if !v.Made || v.Verdict.State != generate.Open || sample < 9 || sample > 20 || v.Verdict.Plan.Risk > .05 {
		t.Fatalf("%+v %+v", v.Verdict, v.Verdict.Plan)
	}
	if list := mustRun(t, "label", "list"); !strings.Contains(list, "review") {
		t.Errorf("%s", list)
	}
	out := piped(t, "m\n1\n2\n"+strings.Repeat("1\n", sample), "data", "review", "made.jsonl", "--task", "task.yaml", "--rater", "ada", "--terminal")
	for _, want := range []string{"No person wrote it", "Accepted: 1 of", "hypergeometric", "nobody reads a row in that time", "19 rows of 20 may be trained on"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
	content, err := os.ReadFile("made.reviewed.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(content)) {
		var row rung.DatasetRow
		if err := json.Unmarshal([]byte(line), &row); err != nil || row.Generated.Review != v.Verdict.Review {
			t.Fatalf("%v: %s", err, line)
		}
	}
	record := decoded[generate.Verdict](t, fileText(t, "made.review.json"))
	if record.Accepted != 19 || len(record.Reviewers) != 1 || record.Reviewers[0].Looked != sample || record.Why["wrong_output"] != 1 {
		t.Errorf("%+v", record)
	}
	if out := trained("made.reviewed.jsonl"); strings.Contains(out, "left out") {
		t.Errorf("reviewed rows are not taken: %s", out)
	}
	reviewedInABuild(t)
	refusedBatch(t)
}

// reviewedInABuild: reviewed rows are in a dataset when their record lies beside them, and when the store has the review; where neither is, the
// build ends.
func reviewedInABuild(t *testing.T) {
	t.Helper()
	put(t, ".", "dataset.yaml", "name: built\ntask: task.yaml\nsources: [{name: people, files: people.jsonl}, {name: made, files: made.reviewed.jsonl}]\npii: none\n")
	people := ""
	for text, split := range map[string]string{"the ferry leaves at noon": "train", "who has seen my umbrella": "dev", "soup is served on Mondays": "heldout"} {
		people += fmt.Sprintf(`{"input": {"text": %q}, "output": "ham", "split": %q}`+"\n", text, split)
	}
	put(t, ".", "people.jsonl", people)
	if err := os.Rename("made.review.json", "away.json"); err != nil {
		t.Fatal(err)
	}
	if out := mustRun(t, "data", "build", "--dry-run"); !strings.Contains(out, "GENERATED ROWS") {
		t.Errorf("the store's review does not count: %s", out)
	}
	if status, _, errs := rungCommand(t, "data", "build", "--dry-run", "--store", "nowhere"); status != 2 || !strings.Contains(errs, "no store knows it") || !strings.Contains(errs, "made.reviewed.jsonl:1") {
		t.Errorf("status %d, %s", status, errs)
	}
	if err := os.Rename("away.json", "made.review.json"); err != nil {
		t.Fatal(err)
	}
	if out := mustRun(t, "data", "build", "--dry-run", "--store", "nowhere"); !strings.Contains(out, "GENERATED ROWS") {
		t.Errorf("the record beside the rows does not count: %s", out)
	}
}

// refusedBatch: rows of templates, of which the reviewer finds too many defective.
func refusedBatch(t *testing.T) {
	t.Helper()
	put(t, ".", "t.yaml", "templates:\n  - input: {text: \"{a} {b} {c}\"}\n    output: ham\nslots:\n  a: {values: [violin, parcel, garden]}\n  b: {values: [umbrella, dentist, passport]}\n  c: {values: [engine, bakery, museum]}\n")
	out := mustRun(t, "data", "generate", "task.yaml", "--templates", "t.yaml", "--n", "60", "--copy", ".95", "--out", "t.jsonl")
	for _, want := range []string{"by template", "distinct word 2-grams", "it repeats an earlier generated row", "No judge was asked", "rung data review t.jsonl --task task.yaml"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
	out = piped(t, strings.Repeat("2\n", 40), "data", "review", "t.jsonl", "--task", "task.yaml", "--rater", "ada", "--terminal")
	if !strings.Contains(out, "Refused") || !strings.Contains(out, "None of its rows is trained on") {
		t.Errorf("%s", out)
	}
	if _, err := os.Stat("t.reviewed.jsonl"); err == nil {
		t.Error("the rows of a refused batch are written")
	}
	for args, want := range map[string]string{
		"generate task.yaml --out x.jsonl":                "--model",
		"generate task.yaml --model openai/x --out x.csv": ".jsonl",
		"review t.jsonl":                   "--task",
		"review ex.jsonl --task task.yaml": "was not generated",
		"generate task.yaml --model openai/x --mode policy --out x.jsonl":  "--from",
		"generate task.yaml --model openai/x --from nobody --out x.jsonl":  "no scores of that name",
		"review t.jsonl --task task.yaml --tolerable 3 --seed 2 --dry-run": "between 0 and 1",
	} {
		if status, out, errs := rungCommand(t, append([]string{"data"}, strings.Fields(args)...)...); status == 0 || !strings.Contains(errs, want) {
			t.Errorf("%s: status %d, %s %s, want %q", args, status, out, errs, want)
		}
	}
}

func fileText(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
