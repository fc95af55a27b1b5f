package curate_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/curate"
	"github.com/rung-dev/rung/internal/data"
)

// TestSourcesOfSeveralFormatsAreNamedAlike: a CSV export and a log of chats give rows of one field, what was left out of them is said, and
// each row is found again by its place in the raw file.
func TestSourcesOfSeveralFormatsAreNamedAlike(t *testing.T) {
	dir := project(t, map[string]string{
		"dataset.yaml": `name: tickets
output: {labels: [billing, delivery]}
sources:
  - name: desk
    files: raw/desk.csv
    mapping: {input: {text: Nachricht}, output: Art, time: Datum}
    person: Kunde
  - name: chats
    files: raw/chats.jsonl
    mapping: {input: {text: text}}
`,
		"raw/desk.csv": "Nachricht;Art;Kunde;Datum\nthe invoice of last month is wrong;billing;c-1;24.12.2025\nwhere is the parcel with my new lamp;delivery;c-2;3/4/2025\n",
		"raw/chats.jsonl": `{"messages":[{"role":"system","content":"Sort it."},{"role":"user","content":"I want to pay by card from now on"},{"role":"assistant","content":"billing"}]}
{"messages":[{"role":"system","content":"Sort it."},{"role":"user","content":"nobody rang the bell yesterday"},{"role":"assistant","content":"delivery"}]}
`})
	r, err := build(t, dir, curate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Dataset.Fields) != 1 || r.Dataset.Fields[0] != "text" {
		t.Errorf("fields %v", r.Dataset.Fields)
	}
	notes := strings.Join(r.Dataset.Steps[0].Notes, "\n")
	if !strings.Contains(notes, "raw/desk.csv: left out: time that is not understood (1 row)") || strings.Contains(notes, "other fields") {
		t.Error(notes)
	}
	f, err := data.OpenFolder(r.Folder)
	if err != nil {
		t.Fatal(err)
	}
	for asked, want := range map[string]string{"raw/desk.csv:3": "my new lamp", "chats.jsonl:1": "pay by card"} {
		answers, err := curate.Why(t.Context(), f, asked)
		if err != nil || len(answers) != 1 || answers[0].Origin == nil || !strings.Contains(string(answers[0].Row.Input), want) {
			t.Errorf("%s: %v %+v", asked, err, answers)
		}
	}
	if _, err := curate.Why(t.Context(), f, "ts.jsonl:1"); rung.CodeOf(err) != rung.CodeNotFound {
		t.Error(err)
	}
	misspelt := project(t, map[string]string{"dataset.yaml": strings.Replace(described, "    licence", "    person: persn\n    licence", 1), "raw.jsonl": raw, "test.jsonl": items})
	if _, err := build(t, misspelt, curate.Options{}); err == nil || !strings.Contains(err.Error(), `"persn" (the person)`) {
		t.Error(err)
	}
	if list, _ := filepath.Glob(filepath.Join(misspelt, "tickets*")); slices.Contains(list, filepath.Join(misspelt, "tickets")) {
		t.Error("a dataset without its persons was built")
	}
}

// TestCardAndReportSayWhatIsStillThere: names that stand in the keys of persons, and terms that only some of the sources state.
func TestCardAndReportSayWhatIsStillThere(t *testing.T) {
	dir := project(t, map[string]string{
		"dataset.yaml": `name: tickets
sources:
  - {name: desk, files: desk.csv, person: who, licence: CC-BY-4.0, consent: contract, retention: 2030-12-31}
  - {name: old, files: old.csv}
pii: redact
`,
		"desk.csv": "text,label,who\nmy parcel did not come please call +41 44 668 18 00,delivery,Ann Miller\nmy invoice of may is wrong,billing,Robert Stone\n",
		"old.csv":  "text,label\nhow do I get a new password,other\nwhere do I see what I have ordered,other\n"})
	r, err := build(t, dir, curate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, wants := range map[string][]string{
		curate.CardFile: {"Names, addresses or numbers of persons are still there: 2 rows of 4", "## Personal data", "| PHONE | 1 | 1 | 25.0 % | replaced by its type |",
			"| CC-BY-4.0 (of 1 of 2 sources; else not stated) | contract (of 1 of 2", "which misses some"},
		curate.ReportFile: {"Names, addresses or numbers of persons are still there: 2 rows of 4", "contract (of 1 of 2 sources; else not stated)"},
	} {
		b, err := os.ReadFile(filepath.Join(r.Folder, name))
		if err != nil {
			t.Fatal(err)
		}
		text := string(b)
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %q", name, want)
			}
		}
		if strings.Contains(text, "Miller") {
			t.Errorf("%s names somebody", name)
		}
	}
	if text := curate.Summarise(r.Dataset, nil).TermsText(); !strings.Contains(text, "2030-12-31 *") || !strings.Contains(text, "* of those sources that have stated it") {
		t.Error(text)
	}
}

// TestMuchContaminationIsSaidFirst: a dataset that is held against its own task loses most of its rows, and is told which key mends it.
func TestMuchContaminationIsSaidFirst(t *testing.T) {
	rows := "text,label\nwhere is the parcel with the blue kettle from last week,a\nthe invoice of march names a wrong amount for the lamp,b\nhow do I reset the password of my account there,c\nyour app has crashed on my telephone since the new year,d\n"
	dir := project(t, map[string]string{"raw.csv": rows, "dataset.yaml": "name: tickets\nsources: [{name: desk, files: raw.csv}]\n"})
	known := func(context.Context) ([]curate.EvaluationSet, []string, error) {
		return []curate.EvaluationSet{curate.HeldoutSet("own", "d", []rung.Example{{ID: "e1", Input: []byte(`{"text":"where is the parcel with the blue kettle from last week"}`), Output: []byte(`"a"`)}})}, nil, nil
	}
	r, err := build(t, dir, curate.Options{Known: known})
	if err != nil {
		t.Fatal(err)
	}
	const want = "are 25.0 % of those that came to decontaminate, and they were removed; most of the items are of own heldout (1 of 1 found)"
	if text := curate.Summarise(r.Dataset, nil).Text(); !strings.Contains(text, want) {
		t.Error(text)
	}
}

// TestReportSaysWhatTheHeldOutRowsAreEnoughFor: by those that there are, not by those that the check expected before copies went.
func TestReportSaysWhatTheHeldOutRowsAreEnoughFor(t *testing.T) {
	var b strings.Builder
	b.WriteString("text,input.<b>x</b>,output\n")
	for i := range 60 {
		fmt.Fprintf(&b, "%s number %d of the house is asked for,x,%d\n", strings.Repeat(string(rune('a'+i%26)), 3+i), i*7919, i%2)
	}
	dir := project(t, map[string]string{"raw.csv": b.String(), "dataset.yaml": "name: tickets\nsources: [{name: desk, files: raw.csv}]\ndedupe: {near: 0}\nsplit: {counts: {train: 20, dev: 8, heldout: 32}}\n"})
	r, err := build(t, dir, curate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	text := curate.Summarise(r.Dataset, nil).Text()
	if !strings.Contains(text, "32 held-out rows tell differences between two candidates") || strings.Contains(text, "would be held out") {
		t.Error(text)
	}
	card, err := os.ReadFile(filepath.Join(r.Folder, curate.CardFile))
	if err != nil || strings.Contains(strings.SplitN(string(card), "\n# ", 2)[1], "<b>") {
		t.Errorf("%v: what rows say is HTML in the card\n%s", err, card)
	}
}

// TestCopiesGoForWhatTheyAre: a labelled row whose copy without a label is near to a third row is no exact copy of that one; and of copies that
// answer otherwise than a near-copy, one stays.
func TestCopiesGoForWhatTheyAre(t *testing.T) {
	const a, b = "the parcel with the blue kettle did not arrive here in three weeks", "the parcel with the blue kettle did not arrive there in three weeks"
	rows := `{"id":"open","input":{"text":"` + b + `"}}
{"id":"kept","input":{"text":"` + a + `"},"output":"late"}
{"id":"other","input":{"text":"` + b + `"},"output":"lost"}
{"id":"again","input":{"text":"` + b + `"},"output":"lost"}
{"id":"same","input":{"text":"` + strings.Replace(a, "three", "four", 1) + `"},"output":"late"}
{"id":"x","input":{"text":"how do I change my password"},"output":"other"}
{"id":"y","input":{"text":"do you sell lamps for the garden"},"output":"other"}
{"id":"z","input":{"text":"the invoice of may is wrong by ten"},"output":"other"}
`
	dir := project(t, map[string]string{"raw.jsonl": rows, "dataset.yaml": "name: tickets\nsources: [{name: desk, files: raw.jsonl}]\n"})
	r, err := build(t, dir, curate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f, err := data.OpenFolder(r.Folder)
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]string{"open": "exact other", "again": "exact other", "same": "near kept", "kept": "", "other": ""} {
		answers, err := curate.Why(t.Context(), f, id)
		if err != nil || len(answers) != 1 {
			t.Errorf("%s: %v", id, err)
			continue
		}
		got := ""
		if x := answers[0].Removed; x != nil {
			if got = x.Reason + " " + x.Of; x.Detail != "" || x.Reason == "near" && x.Score == 1 {
				t.Errorf("%s: %q, score %g", id, x.Detail, x.Score)
			}
		}
		if got != want {
			t.Errorf("%s: %q, not %q", id, got, want)
		}
	}
}

// TestAPlaceOnTheDiskMarksNoRows: a project in a folder called test gives the dataset that it gives elsewhere; a file or folder of the data that
// is called so marks its rows, and where it marks all of them that is what is said.
func TestAPlaceOnTheDiskMarksNoRows(t *testing.T) {
	var text strings.Builder
	for i := range 20 {
		fmt.Fprintf(&text, "{\"text\":\"%s row %d\",\"label\":\"%d\"}\n", strings.Repeat(string(rune('a'+i)), 4+i), i*7919, i%2)
	}
	digests := map[rung.Digest]bool{}
	for _, name := range []string{"mine", "test", "my-test"} {
		dir := filepath.Join(t.TempDir(), name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for file, content := range map[string]string{"mail.jsonl": text.String(), "dataset.yaml": "name: tickets\nsources: [{name: desk, files: mail.jsonl}]\n"} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		r, err := build(t, dir, curate.Options{})
		if err != nil {
			t.Fatal(err)
		}
		digests[r.Dataset.Digest] = true
	}
	if len(digests) != 1 {
		t.Errorf("%d datasets", len(digests))
	}
	for _, file := range []string{"test/mail.jsonl", "mail_dev.jsonl"} {
		dir := project(t, map[string]string{file: text.String(), "dataset.yaml": "name: tickets\nsources: [{name: desk, files: " + file + "}]\n"})
		if _, err := build(t, dir, curate.Options{}); err == nil || !strings.Contains(err.Error(), "every row is marked for") || !strings.Contains(err.Error(), "by the name of its file or folder") {
			t.Errorf("%s: %v", file, err)
		}
	}
}
