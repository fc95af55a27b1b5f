package cli

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
)

// TestInitProposesOneSetOfFields: files of different fields are said to have them, with a mapping for each, and what a pattern catches of rung's
// own files is left out.
func TestInitProposesOneSetOfFields(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	var mail, qa, tests strings.Builder
	tests.WriteString("prompts: ['{{q}}']\ntests:\n")
	for i := range 20 {
		fmt.Fprintf(&mail, `{"body":"%s and %s","label":"a"}`+"\n", words[i], words[19-i])
		fmt.Fprintf(&qa, `{"question":"what is %s or %s in long words","context":"c","answer":"b"}`+"\n", words[i], words[(3*i)%20])
		fmt.Fprintf(&tests, "- vars: {q: '%s beside %s', lang: en}\n  assert: [{type: equals, value: a}]\n", words[i], words[(7*i+1)%20])
	}
	put(t, dir, "mail.jsonl", mail.String())
	put(t, dir, "qa.jsonl", qa.String())
	put(t, dir, "promptfooconfig.yaml", tests.String())
	put(t, dir, "mail.removed.jsonl", `{"step":"import","reason":"unreadable"}`+"\n")
	status, out, errs := rungOut(t, "data", "init", "mail.jsonl", "mail.removed.jsonl", "qa.jsonl", "promptfooconfig.yaml", "--name", "all")
	text := textOf(t, "dataset.yaml")
	if status != 0 || !strings.Contains(out, "THE SOURCES HAVE DIFFERENT INPUT FIELDS") || !strings.Contains(out, "mail.removed.jsonl: left out") || strings.Contains(text, "removed.jsonl") {
		t.Fatalf("status %d: %s%s", status, out, errs)
	}
	for _, want := range []string{"# mapping: {input: {text: body}}", "# mapping: {input: {text: question}}", "# mapping: {input: {text: q}}", "    format: promptfoo\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("it lacks %q: %s", want, text)
		}
	}
	put(t, dir, "dataset.yaml", strings.ReplaceAll(text, "# mapping", "mapping")+"dedupe: none\n")
	var doc struct{ Dataset rung.Dataset }
	if decodeJSON(t, &doc, "data", "build", "--json"); len(doc.Dataset.Fields) != 1 || doc.Dataset.Fields[0] != "text" || doc.Dataset.Steps[0].Kept != 60 {
		t.Errorf("%v, %d rows", doc.Dataset.Fields, doc.Dataset.Steps[0].Kept)
	}
}

// TestPatternsLeaveOutWhatRungWrote: removed rows beside rows are no rows, and a file that is named itself is read.
func TestPatternsLeaveOutWhatRungWrote(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	var b strings.Builder
	for i := range 12 {
		fmt.Fprintf(&b, `{"text":"%s then %s","label":"a"}`+"\n", words[i], words[19-i])
	}
	put(t, dir, "made.jsonl", b.String())
	put(t, dir, "made.removed.jsonl", strings.ReplaceAll(b.String(), "then", "never"))
	for files, want := range map[string]int{"made*.jsonl": 12, "[made.jsonl, made.removed.jsonl]": 24} {
		put(t, dir, "dataset.yaml", "name: made\nsources:\n  - {name: made, files: "+files+"}\npii: skip\ndedupe: none\ncheck: none\n")
		var doc struct{ Dataset rung.Dataset }
		decodeJSON(t, &doc, "data", "build", "--dry-run", "--json")
		if n := doc.Dataset.Steps[0].Kept; n != want || (want == 12) != strings.Contains(strings.Join(doc.Dataset.Steps[0].Notes, "\n"), "made.removed.jsonl: not read") {
			t.Errorf("%s: %d rows, not %d: %v", files, n, want, doc.Dataset.Steps[0].Notes)
		}
	}
	put(t, dir, "dataset.yaml", "name: made\nsources:\n  - {name: made, files: \"*.removed.jsonl\"}\n")
	if status, _, errs := rungOut(t, "data", "build"); status != 2 || !strings.Contains(errs, "only what rung writes beside rows") {
		t.Errorf("status %d: %s", status, errs)
	}
}
