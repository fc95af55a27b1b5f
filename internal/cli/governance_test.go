package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
)

// governedTask is a task on a dataset whose terms forbid training.
func governedTask(t *testing.T, uses string) (file, store string) {
	t.Helper()
	file = writeTask(t, "licence: CC0-1.0\nrequire_review: production\n")
	dir := filepath.Dir(file)
	if err := os.Mkdir(filepath.Join(dir, "raw"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "examples.jsonl"), filepath.Join(dir, "raw", "words.jsonl")); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "dataset.yaml", "name: wordset\ninput: {word: string}\noutput: {labels: [long, short]}\ndedupe: none\nsources:\n  - {name: list, files: raw/words.jsonl, licence: CC-BY-4.0, uses: "+uses+"}\n")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, "task.yaml", strings.Replace(string(b), "examples: examples.jsonl", "examples: wordset", 1))
	if status, _, errs := rungOut(t, "data", "build", filepath.Join(dir, "dataset.yaml")); status != 0 {
		t.Fatal(errs)
	}
	return file, filepath.Join(dir, ".rung")
}

func TestTermsStopRungsAndReviewGuardsProduction(t *testing.T) {
	serve(t, knows)
	file, store := governedTask(t, "[prompt, evaluate]")
	doc := climbJSON(t, file)
	for _, o := range doc.Rungs {
		if o.Rung == rung.LoRA && (o.Status != rung.Skipped || !strings.Contains(o.Reason, "the terms of the data forbid it: the source list of the dataset wordset may be used for prompts, evaluation, not for training")) {
			t.Errorf("%s: %s, %s", o.Rung, o.Status, o.Reason)
		}
	}
	if len(doc.Data) != 1 || doc.Data[0].Name != "wordset" || strings.Join(doc.Terms.Licence, " ") != "CC-BY-4.0 CC0-1.0" {
		t.Errorf("data %+v, terms %+v", doc.Data, doc.Terms)
	}
	if status, _, errs := rungOut(t, "release", "--store", store, "--allow-dirty"); status != 0 {
		t.Fatal(errs)
	}
	alias := []string{"alias", "words", "production", "v1", "--why", "first", "--store", store}
	if status, _, errs := rungOut(t, alias...); status == 0 || !strings.Contains(errs, "has no risk review") {
		t.Fatalf("status %d: %s", status, errs)
	}
	review := []string{"review", "words@v1", "--store", store}
	if status, out, errs := rungOut(t, review...); status != 0 || !strings.Contains(out, "draft") || !strings.Contains(out, "accuracy") || !strings.Contains(out, "CC-BY-4.0") {
		t.Fatalf("status %d: %s%s", status, out, errs)
	}
	if status, _, errs := rungOut(t, append(review, "--sign", "--name", "Ada Byron")...); status != 2 || !strings.Contains(errs, "not answered: purpose") {
		t.Errorf("an unanswered review is signed: %d, %s", status, errs)
	}
	answers := append([]string(nil), review...)
	for _, q := range app.ReviewTemplate {
		answers = append(answers, "--answer", q.Key+"=looked at")
	}
	key := filepath.Join(t.TempDir(), "key")
	if status, out, errs := rungOut(t, append(answers, "--sign", "--name", "Ada Byron", "--role", "DPO", "--until", "2999-12-31", "--key", key)...); status != 0 || !strings.Contains(out, "Ada Byron signed") || strings.Contains(out, "NOT hold") || !strings.Contains(out, "with SHA256:") {
		t.Fatalf("status %d: %s%s", status, out, errs)
	}
	if status, out, _ := rungOut(t, "releases", "--store", store); status != 0 || !strings.Contains(out, "signed") {
		t.Errorf("the list does not say where the review stands: %s", out)
	}
	if status, _, errs := rungOut(t, alias...); status != 0 {
		t.Errorf("a signed release is refused: %s", errs)
	}
	checkBOM(t, store)
}

// checkBOM holds the bill of materials to the official schema, which the module of CycloneDX's own library brings along.
func checkBOM(t *testing.T, store string) {
	t.Helper()
	status, first, errs := rungOut(t, "bom", "words@v1", "--store", store)
	if status != 0 {
		t.Fatal(errs)
	}
	if _, again, _ := rungOut(t, "bom", "words@v1", "--store", store); again != first {
		t.Error("the same release has two bills of materials")
	}
	for _, want := range []string{`"bomFormat": "CycloneDX"`, `"specVersion": "1.6"`, `"wordset"`, `"CC-BY-4.0"`, `"confidenceInterval"`, `"machine-learning-model"`} {
		if !strings.Contains(first, want) {
			t.Errorf("it lacks %s", want)
		}
	}
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	if err != nil {
		t.Skip("the module of CycloneDX is not here")
	}
	c := jsonschema.NewCompiler()
	for name, as := range map[string]string{"bom-1.6.schema.json": "bom-1.6.schema.json", "spdx.schema.json": "spdx.schema.json", "jsf-0.82.schemax.json": "jsf-0.82.schema.json"} {
		b, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "schema", name))
		if err != nil {
			t.Skip("the module of CycloneDX has no schema: " + err.Error())
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource("http://cyclonedx.org/schema/"+as, doc); err != nil {
			t.Fatal(err)
		}
	}
	schema, err := c.Compile("http://cyclonedx.org/schema/bom-1.6.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(first))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(doc); err != nil {
		t.Error(err)
	}
}

func TestForgetTakesARowOutEverywhere(t *testing.T) {
	serve(t, knows)
	file, store := governedTask(t, "[train, prompt, evaluate]")
	dir := filepath.Dir(file)
	climbJSON(t, file)
	if status, _, errs := rungOut(t, "release", "--store", store, "--allow-dirty"); status != 0 {
		t.Fatal(errs)
	}
	name := words[0]
	args := []string{"data", "forget", "--text", name, "--row", "w0", "--why", "request 1", "--store", store, "--json"}
	ask := func(extra ...string) (e app.Erasure) {
		t.Helper()
		status, out, errs := rungOut(t, append(args, extra...)...)
		if status != 0 || json.Unmarshal([]byte(out), &e) != nil {
			t.Fatalf("status %d: %s%s", status, out, errs)
		}
		return e
	}
	dry := ask()
	if dry.Done || len(dry.Datasets) != 1 || len(dry.Datasets[0].Rows) != 1 || dry.Store["completions"] == 0 {
		t.Fatalf("%+v", dry)
	}
	before, err := os.ReadFile(filepath.Join(dir, "wordset", "dataset.json"))
	if err != nil {
		t.Fatal(err)
	}
	done := ask("--yes")
	if done.Store["completions"] != dry.Store["completions"] || done.Datasets[0].After == "" {
		t.Errorf("would: %v, did: %v", dry.Store, done.Store)
	}
	after, err := os.ReadFile(filepath.Join(dir, "wordset", "dataset.json"))
	if err != nil || bytes.Equal(before, after) {
		t.Errorf("the dataset has not changed: %v", err)
	}
	for _, f := range []string{"wordset/train.jsonl", "wordset/dev.jsonl", "wordset/heldout.jsonl", "wordset/origins.jsonl", "wordset/report.html", "wordset/erased.jsonl", "erased.jsonl", ".rung/rung.db", ".rung/gateway.db"} {
		b, err := os.ReadFile(filepath.Join(dir, f))
		if err != nil || bytes.Contains(b, []byte(`"`+name+`"`)) {
			t.Errorf("%s still holds it, or is not there: %v", f, err)
		}
	}
	if status, _, errs := rungOut(t, "data", "show", filepath.Join(dir, "wordset")); status != 0 {
		t.Errorf("the dataset is not as it says: %s", errs)
	}
	if status, _, errs := rungOut(t, "data", "build", filepath.Join(dir, "dataset.yaml"), "--replace"); status != 0 {
		t.Fatal(errs)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "wordset", "train.jsonl")); err != nil || bytes.Contains(b, []byte(`"`+name+`"`)) {
		t.Errorf("building again brought it back: %v", err)
	}
	if again := ask("--yes"); again.Store["completions"] != 0 || len(again.Datasets[0].Rows) != 0 {
		t.Errorf("something was left: %+v", again)
	}
}
