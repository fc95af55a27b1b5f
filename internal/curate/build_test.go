package curate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/curate"
	"github.com/rung-dev/rung/internal/data"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/govern"
	"github.com/rung-dev/rung/internal/task"
)

// raw is a file with something for every step: a copy in other letters, a near-copy, a contrast, personal data, a broken row, a row
// without a text, an unreviewed generated row, an evaluation item, a row without an output.
const raw = `{"id": "a", "input": {"text": "my invoice is wrong, please write to ann.miller@example.org about it"}, "output": "billing", "person": "p1"}
{"id": "b", "input": {"text": "My invoice is wrong, please write to ann.miller@example.org about it!"}, "output": "billing", "person": "p2"}
{"id": "c", "input": {"text": "the parcel with the blue kettle did not arrive here in three weeks"}, "output": "delivery"}
{"id": "d", "input": {"text": "the parcel with the blue kettle did not arrive there in three weeks"}, "output": "delivery"}
{"id": "e", "input": {"text": "the parcel with the blue kettle did not arrive here in five weeks"}, "output": "other"}
{"id": "f", "input": {"text": "how do I change my password"}, "output": "other"}
call bob.stone@example.net, this is no row
{"id": "g", "input": {"text": "  "}, "output": "other"}
{"id": "h", "input": {"text": "where is the shop that you opened last year in spring"}, "output": "nonsense"}
{"id": "i", "input": {"text": "a model wrote this sentence about a lost parcel"}, "output": "delivery", "generated": {"by": "m", "prompt": ""}}
{"id": "j", "input": {"text": "a model wrote this other sentence about an invoice that is wrong"}, "output": "billing", "generated": {"by": "m", "prompt": "", "review": "review-000000000001"}}
{"id": "k", "input": {"text": "seventeen brown foxes jump over nine lazy dogs and then they all go home together for dinner tonight"}, "output": "other"}
{"id": "l", "input": {"text": "can you send me a new invoice please, to 4111 1111 1111 1111"}}
{"input": {"text": "do you have a shop in the north of the town"}, "output": "other"}
{"id": "a", "input": {"text": "the courier left everything out in the rain"}, "output": "delivery"}
`

const described = `name: tickets
output: {labels: [billing, delivery, other]}
sources:
  - name: desk
    files: raw.jsonl
    licence: CC-BY-4.0
pii: redact
decontaminate: {against: test.jsonl}
`

const items = `{"text": "seventeen brown foxes jump over nine lazy dogs and then they all go home together for dinner"}
`

// project writes a description with its files.
func project(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		recordReviews(t, dir, text)
	}
	return dir
}

func usual(t *testing.T) string {
	return project(t, map[string]string{"dataset.yaml": described, "raw.jsonl": raw, "test.jsonl": items})
}

func build(t *testing.T, dir string, o curate.Options) (*curate.Result, error) {
	t.Helper()
	f, err := task.OpenDescription(filepath.Join(dir, "dataset.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return curate.Build(t.Context(), f, o)
}

func mustBuild(t *testing.T, dir string) *curate.Result {
	t.Helper()
	r, err := build(t, dir, curate.Options{Version: "v"})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// contents are all files of a folder.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[f.Name()] = string(b)
	}
	return out
}

// leftovers are what lies beside the project's own files.
func leftovers(t *testing.T, dir string, own ...string) []string {
	t.Helper()
	var out []string
	for name := range names(t, dir) {
		if !slices.Contains(own, name) && !strings.HasSuffix(name, ".review.json") {
			out = append(out, name)
		}
	}
	return out
}

func names(t *testing.T, dir string) map[string]bool {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for _, f := range files {
		out[f.Name()] = true
	}
	return out
}

func records(t *testing.T, dir, file string) []rung.RemovedRow {
	t.Helper()
	var out []rung.RemovedRow
	for line := range strings.Lines(contents(t, dir)[file]) {
		var r rung.RemovedRow
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

// TestEveryRowIsKeptOrRecorded: each row of the raw file is in a split, apart as unlabelled, or removed for its own reason.
func TestEveryRowIsKeptOrRecorded(t *testing.T) {
	dir := usual(t)
	r := mustBuild(t, dir)
	var got []string
	for _, x := range records(t, r.Folder, "removed.jsonl") {
		got = append(got, fmt.Sprintf("%s %s/%s %d %s", x.ID, x.Step, x.Reason, x.Line, x.Of))
	}
	want := []string{" import/unreadable 7 ", "g check/empty 8 ", "h check/breaks_form 9 ", "b dedupe/normalised 2 a", "d dedupe/near 4 c",
		"k decontaminate/13-gram 12 test.jsonl:1", "i generated/unreviewed 10 "}
	if !slices.Equal(got, want) {
		t.Errorf("removed:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	d := r.Dataset
	kept := 0
	for _, s := range d.Splits {
		kept += s.Rows
		if s.Split == rung.HeldoutIs && s.Generated > 0 {
			t.Error("a generated row is in held-out")
		}
	}
	if kept != 7 || d.Files[len(d.Files)-1].File != "unlabelled.jsonl" || d.Files[len(d.Files)-1].Rows != 1 {
		t.Errorf("%d rows in splits, files %v", kept, d.Files)
	}
	if n := len(leftovers(t, dir, "dataset.yaml", "raw.jsonl", "test.jsonl", "tickets")); n != 0 {
		t.Errorf("left over: %v", names(t, dir))
	}
	in := d.Steps[0].Out
	for _, s := range d.Steps[1:] {
		if s.In != in || s.Rows != s.Kept+s.Removed {
			t.Errorf("the step %s goes from %s and not from %s, or loses rows: %d, %d, %d", s.Name, s.In, in, s.Rows, s.Kept, s.Removed)
		}
		in = s.Out
	}
	if !strings.Contains(contents(t, r.Folder)["origins.jsonl"], "id: was a, which another row has") {
		t.Error("the second row with the id a does not say so")
	}
}

// TestNoPersonalDataIsLeft: also not in the records of rows that went before it was looked for, and not in card and report.
func TestNoPersonalDataIsLeft(t *testing.T) {
	r := mustBuild(t, usual(t))
	for name, text := range contents(t, r.Folder) {
		for _, value := range []string{"ann.miller", "bob.stone", "4111"} {
			if strings.Contains(text, value) {
				t.Errorf("%s holds %s", name, value)
			}
		}
	}
}

// TestValuesAreReplacedInAllOfARow: what is known for a name in the question is one in the answer; definitions of tools stay as they are.
func TestValuesAreReplacedInAllOfARow(t *testing.T) {
	text := `{"id": "a", "input": {"question": "Please book a table for Hannah Steinberg in Manchester on Friday evening", "tools": [{"name": "book", "description": "books a table, such as one in Manchester for hannah@example.org"}]}, "output": {"name": "Hannah Steinberg", "city": "Manchester"}}
{"id": "b", "input": {"question": "two", "tools": []}, "output": {"name": "x", "city": "y"}}
{"id": "c", "input": {"question": "three", "tools": []}, "output": {"name": "z", "city": "y"}}
`
	r := mustBuild(t, project(t, map[string]string{"dataset.yaml": "name: tools\nsources: [{name: a, files: a.jsonl}]\npii: redact\n", "a.jsonl": text}))
	all := contents(t, r.Folder)
	rows := all["train.jsonl"] + all["dev.jsonl"] + all["heldout.jsonl"]
	if !strings.Contains(rows, `"output":{"name":"<PERSON>","city":"<LOCATION>"}`) || !strings.Contains(rows, "such as one in Manchester for hannah@example.org") {
		t.Errorf("rows:\n%s", rows)
	}
}

// TestTheReportShowsNoPersonalData, whatever the description says about it: the rows keep it, the report does not.
func TestTheReportShowsNoPersonalData(t *testing.T) {
	dir := project(t, map[string]string{"dataset.yaml": strings.Replace(described, "redact", "none", 1), "raw.jsonl": raw, "test.jsonl": items})
	r := mustBuild(t, dir)
	all := contents(t, r.Folder)
	if !strings.Contains(all["removed.jsonl"], "bob.stone") {
		t.Error("pii: none has changed a row")
	}
	for _, name := range []string{"report.html", "README.md", "dataset.json"} {
		if strings.Contains(all[name], "bob.stone") || strings.Contains(all[name], "ann.miller") {
			t.Errorf("%s holds personal data", name)
		}
	}
	if !strings.Contains(all["report.html"], "they are still there") {
		t.Error("the report does not say that personal data is still there")
	}
	for _, word := range []string{"not stated", "GENERATED ROWS"} {
		if !strings.Contains(all["report.html"], word) {
			t.Errorf("the report does not say %q", word)
		}
	}
}

// endAt has a build ended before a step.
func endAt(t *testing.T, dir, at string) {
	t.Helper()
	f, err := task.OpenDescription(filepath.Join(dir, "dataset.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	_, err = curate.Build(ctx, f, curate.Options{Version: "v", Tell: func(step string, _ bool) {
		if step == at {
			stop()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("ended at %s: %v", at, err)
	}
}

// TestTheSameBytes: another folder, another day, an interrupted build.
func TestTheSameBytes(t *testing.T) {
	want := contents(t, mustBuild(t, usual(t)).Folder)
	if got := contents(t, mustBuild(t, usual(t)).Folder); !same(got, want) {
		t.Error("built elsewhere it has other bytes")
	}
	for _, at := range []string{"check", "dedupe", "split"} {
		dir := usual(t)
		endAt(t, dir, at)
		if _, err := os.Stat(filepath.Join(dir, "tickets")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("ended at %s: there is a folder", at)
		}
		r := mustBuild(t, dir)
		if n := slices.Index([]string{"import", "check", "pii", "dedupe", "decontaminate", "generated", "split"}, at); len(r.Resumed) != n {
			t.Errorf("ended at %s: went on after %v", at, r.Resumed)
		}
		if !same(contents(t, r.Folder), want) {
			t.Errorf("ended at %s: other bytes", at)
		}
	}
}

func same(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for name := range a {
		if a[name] != b[name] {
			return false
		}
	}
	return true
}

// TestAnEndedBuildWithOtherOptionsBeginsAnew: working files of other options, raw files or programs are not taken.
func TestAnEndedBuildWithOtherOptionsBeginsAnew(t *testing.T) {
	for name, change := range map[string]func(dir string){
		"options": func(dir string) {
			write(t, dir, "dataset.yaml", strings.Replace(described, "redact", "none", 1))
		},
		"raw file": func(dir string) {
			write(t, dir, "raw.jsonl", raw+"\n{\"input\": {\"text\": \"one more\"}, \"output\": \"other\"}\n")
		},
		"working file": func(dir string) { spoil(t, filepath.Join(dir, ".tickets.rung-build")) },
	} {
		dir := usual(t)
		f, err := task.OpenDescription(filepath.Join(dir, "dataset.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		_, _ = curate.Build(ctx, f, curate.Options{Version: "v", Tell: func(step string, _ bool) {
			if step == "generated" {
				stop()
			}
		}})
		change(dir)
		if r := mustBuild(t, dir); len(r.Resumed) != 0 {
			t.Errorf("another %s: went on after %v", name, r.Resumed)
		}
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func spoil(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.rows.jsonl"))
	if err != nil || len(files) != 1 {
		t.Fatalf("working rows: %v %v", files, err)
	}
	write(t, "", files[0], "{}\n")
}

// TestAFolderIsNeverWrittenOver by another dataset, and --replace keeps it.
func TestAFolderIsNeverWrittenOver(t *testing.T) {
	dir := usual(t)
	first := mustBuild(t, dir)
	was := contents(t, first.Folder)
	if again := mustBuild(t, dir); again.State != curate.Unchanged {
		t.Errorf("built again: %s", again.State)
	}
	write(t, dir, "dataset.yaml", strings.Replace(described, "redact", "none", 1))
	_, err := build(t, dir, curate.Options{Version: "v"})
	if rung.CodeOf(err) != rung.CodeConflict || !strings.Contains(err.Error(), "--replace") || !same(contents(t, first.Folder), was) {
		t.Fatalf("another dataset: %v", err)
	}
	r, err := build(t, dir, curate.Options{Version: "v", Replace: true})
	if err != nil || r.State != curate.Replaced || !same(contents(t, r.Kept), was) || !strings.HasSuffix(r.Kept, "@"+first.Dataset.Digest.Short()) {
		t.Fatalf("replaced: %v %+v", err, r)
	}
	write(t, r.Folder, "train.jsonl", "")
	if _, err := build(t, dir, curate.Options{Version: "v"}); rung.CodeOf(err) != rung.CodeConflict || !strings.Contains(err.Error(), "not as they were built") {
		t.Errorf("a changed folder: %v", err)
	}
}

// TestABuildDoesNotReadWhatItWrites.
func TestABuildDoesNotReadWhatItWrites(t *testing.T) {
	for _, text := range []string{"name: tickets\nsources: [{name: desk, files: \"**/*.jsonl\"}]\n", "name: tickets\nout: raw/tickets\nsources: [{name: desk, files: raw}]\n"} {
		dir := project(t, map[string]string{"dataset.yaml": text, "raw/a.jsonl": raw, "tickets/train.jsonl": raw})
		_, err := build(t, dir, curate.Options{})
		var e *rung.Error
		if !errors.As(err, &e) || !strings.Contains(e.What, "lie in one another") || e.Excerpt == "" {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestWhatCannotBeRead ends in a sentence, and nothing is left behind.
func TestWhatCannotBeRead(t *testing.T) {
	dir := project(t, map[string]string{"dataset.yaml": "name: tickets\nsources: [{name: desk, files: long.jsonl}]\n", "long.jsonl": `{"text": "`})
	if err := os.Truncate(filepath.Join(dir, "long.jsonl"), 64<<20); err != nil {
		t.Skip("no sparse files here")
	}
	_, err := build(t, dir, curate.Options{})
	if rung.CodeOf(err) != rung.CodeInput || !strings.Contains(err.Error(), "long.jsonl") {
		t.Errorf("a line of 64 MiB: %v", err)
	}
	if left := leftovers(t, dir, "dataset.yaml", "long.jsonl"); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
	write(t, dir, "none.jsonl", "no row\nno row either\n")
	write(t, dir, "dataset.yaml", "name: tickets\nsources: [{name: desk, files: none.jsonl}]\n")
	if _, err = build(t, dir, curate.Options{}); rung.CodeOf(err) != rung.CodeInput || !strings.Contains(err.Error(), "none.jsonl") {
		t.Errorf("no row: %v", err)
	}
}

// TestWhichCopyStays: one with a label before one without, one that the files hold out before one that they do not.
func TestWhichCopyStays(t *testing.T) {
	text := `{"id": "open", "input": {"text": "the label of this row was written by a person later"}}
{"id": "train", "input": {"text": "this question of the held-out set is in train too"}, "output": "a", "split": "train"}
{"id": "held", "input": {"text": "This question of the held-out set is in train too."}, "output": "a", "split": "heldout"}
{"id": "labelled", "input": {"text": "The label of this row was written by a person later."}, "output": "b"}
{"id": "made", "input": {"text": "is my parcel with the customs office in the harbour"}, "output": "a", "generated": {"by": "template"}}
{"id": "made-reviewed", "input": {"text": "is my parcel with the customs office in the harbour"}, "output": "a", "generated": {"by": "template", "review": "review-000000000002"}}
{"id": "yes", "input": {"text": "please cancel the order that I made on Friday"}, "output": "cancel"}
{"id": "no", "input": {"text": "please do not cancel the order that I made on Friday"}, "output": "keep"}
{"id": "more", "input": {"text": "where can I read what you do with my data"}, "output": "a", "split": "dev"}
{"id": "most", "input": {"text": "is there a telephone that I can call"}, "output": "a", "split": "train"}
`
	r := mustBuild(t, project(t, map[string]string{"dataset.yaml": "name: copies\nsources: [{name: a, files: a.jsonl}]\ndedupe: {near: 0.5}\n", "a.jsonl": text}))
	var got []string
	for _, x := range records(t, r.Folder, "removed.jsonl") {
		got = append(got, x.ID+" for "+x.Of)
	}
	if want := []string{"open for labelled", "train for held", "made for made-reviewed"}; !slices.Equal(got, want) {
		t.Errorf("%v, not %v", got, want)
	}
	if !strings.Contains(strings.Join(r.Dataset.Steps[3].Notes, ""), "1 near-copy stays, since their answer is another") {
		t.Errorf("notes: %q", r.Dataset.Steps[3].Notes)
	}
}

// TestLongRowsStayWhole: the split compares them by their ends, keeps copies together, and writes them as they are.
func TestLongRowsStayWhole(t *testing.T) {
	var b strings.Builder
	long := map[string]string{}
	for i := range 40 {
		text := fmt.Sprintf("number %d begins ", i*7919) + strings.Repeat(fmt.Sprintf("%d and ", i*104729), 1000) + fmt.Sprintf("ends at %d", i*31)
		long[text] = ""
		for range 2 {
			fmt.Fprintf(&b, "{\"input\": {\"text\": %q}, \"output\": %q}\n", text, strings.Repeat("x", 3000)+fmt.Sprint(i))
		}
	}
	r := mustBuild(t, project(t, map[string]string{"dataset.yaml": "name: long\nsources: [{name: a, files: a.jsonl}]\ndedupe: none\npii: skip\ncheck: none\n", "a.jsonl": b.String()}))
	for _, s := range r.Dataset.Splits {
		for line := range strings.Lines(contents(t, r.Folder)[s.File]) {
			var row struct{ Input struct{ Text string } }
			if err := json.Unmarshal([]byte(line), &row); err != nil {
				t.Fatal(err)
			}
			was, there := long[row.Input.Text]
			if !there || was != "" && was != string(s.Split) {
				t.Fatalf("a row of %s is new, or its copy is in %q", s.Split, was)
			}
			long[row.Input.Text] = string(s.Split)
		}
	}
}

// TestADryRunLeavesNothing.
func TestADryRunLeavesNothing(t *testing.T) {
	dir := usual(t)
	r, err := build(t, dir, curate.Options{Version: "v", DryRun: true})
	if err != nil || r.State != curate.Dry || len(r.Samples) == 0 {
		t.Fatalf("%v %+v", err, r)
	}
	if left := leftovers(t, dir, "dataset.yaml", "raw.jsonl", "test.jsonl"); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
	if want := mustBuild(t, dir).Dataset.Digest; r.Dataset.Digest != want {
		t.Errorf("the dry run says %s, the build %s", r.Dataset.Digest, want)
	}
}

// TestWhy answers for rows that stay, rows that went, and texts.
func TestWhy(t *testing.T) {
	r := mustBuild(t, usual(t))
	f, err := data.OpenFolder(r.Folder)
	if err != nil {
		t.Fatal(err)
	}
	for asked, want := range map[string][]string{
		"a":                                {"raw.jsonl:1", "pii: redacted EMAIL in /input/text", "stays in the place of 1 removed row: b"},
		"a-2":                              {"raw.jsonl:15", "id: was a"},
		"d":                                {"removed by the step dedupe", "is c, score 0."},
		"k":                                {"holds the evaluation item test.jsonl:1", "both have: seventeen brown foxes"},
		"raw.jsonl:7":                      {"removed by the step import", "this is no row"},
		"l":                                {"unlabelled.jsonl"},
		"blue kettle did not arrive there": {"d: removed by the step dedupe", "c: kept", "Jaccard"},
	} {
		answers, err := curate.Why(t.Context(), f, asked)
		if err != nil {
			t.Errorf("%s: %v", asked, err)
			continue
		}
		text := ""
		for i := range answers {
			text += answers[i].Text()
		}
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s: no %q in\n%s", asked, w, text)
			}
		}
	}
	if _, err := curate.Why(t.Context(), f, "zzz"); rung.CodeOf(err) != rung.CodeNotFound {
		t.Errorf("no row: %v", err)
	}
}

const forTask = `task: support
instructions: Sort.
input: {text: string}
output: {labels: [billing, delivery, other]}
examples: tickets
bar: {metric: accuracy, at_least: 0.5}
models: [local/m]
`

// TestATaskTakesADataset with its splits, and refuses one that was changed.
func TestATaskTakesADataset(t *testing.T) {
	dir := usual(t)
	write(t, dir, "task.yaml", forTask)
	r := mustBuild(t, dir)
	load := func() (*data.Dataset, error) {
		f, err := task.Open(filepath.Join(dir, "task.yaml"))
		if err != nil {
			return nil, err
		}
		output, err := form.New(f.Task.Output)
		if err != nil {
			return nil, err
		}
		return data.Load(t.Context(), f.Task, output)
	}
	d, err := load()
	if err != nil {
		t.Fatal(err)
	}
	want := map[rung.Split]int{}
	for _, s := range r.Dataset.Splits {
		want[s.Split] = s.Rows
	}
	if len(d.Building.Train) != want[rung.Train] || len(d.Building.Dev) != want[rung.Dev] || d.Heldout.Len() != want[rung.HeldoutIs] {
		t.Errorf("%d, %d, %d, and the dataset has %v", len(d.Building.Train), len(d.Building.Dev), d.Heldout.Len(), want)
	}
	if len(d.From) != 1 || d.From[0].Dataset.Digest != r.Dataset.Digest {
		t.Errorf("from %v", d.From)
	}
	var split curate.SplitReport
	if err := json.Unmarshal(r.Dataset.Steps[len(r.Dataset.Steps)-1].Report, &split); err != nil || split.Heldout != d.Heldout.Digest() {
		t.Errorf("the report gives the held-out set the digest %s, the climb %s (%v)", split.Heldout, d.Heldout.Digest(), err)
	}
	held := filepath.Join(r.Folder, "heldout.jsonl")
	b, err := os.ReadFile(held)
	if err != nil {
		t.Fatal(err)
	}
	write(t, "", held, string(bytes.Replace(b, []byte("e"), []byte("x"), 1)))
	if _, err = load(); rung.CodeOf(err) != rung.CodeInput || !strings.Contains(err.Error(), "heldout.jsonl: the file was changed after the dataset was built") {
		t.Errorf("a changed file: %v", err)
	}
	write(t, "", held, string(b))
	manifest := filepath.Join(r.Folder, "dataset.json")
	if b, err = os.ReadFile(manifest); err != nil {
		t.Fatal(err)
	}
	write(t, "", manifest, strings.Replace(string(b), "CC-BY-4.0", "CC0-1.0", 1))
	if _, err = load(); rung.CodeOf(err) != rung.CodeInput || !strings.Contains(err.Error(), "dataset.json: it was changed after the dataset was built") {
		t.Errorf("changed terms: %v", err)
	}
}

// TestErasedRowsStayAway, and nothing of them is kept.
func TestErasedRowsStayAway(t *testing.T) {
	dir := usual(t)
	list, err := govern.OpenTombstones(filepath.Join(dir, govern.ErasedFile))
	if err != nil {
		t.Fatal(err)
	}
	list.Add(govern.MarkPerson, "p1", "2026-01-01", "asked for it")
	list.Add(govern.MarkPhrase, "this is no row", "2026-01-01", "asked for it")
	if err := list.Save(filepath.Join(dir, govern.ErasedFile)); err != nil {
		t.Fatal(err)
	}
	r := mustBuild(t, dir)
	all := contents(t, r.Folder)
	for name, text := range all {
		if strings.Contains(text, `"person":"p1"`) || strings.Contains(text, "this is no row") {
			t.Errorf("%s holds what was erased", name)
		}
	}
	if got := records(t, r.Folder, "removed.jsonl"); got[1].Step != "erase" || got[1].Reason != "person" || got[1].Line != 1 || len(got[1].Row) > 0 {
		t.Errorf("recorded as %+v", got[1])
	}
	if all[govern.ErasedFile] == "" {
		t.Error("the folder has no copy of the list")
	}
}

// TestAFullDisk ends in a sentence, leaves no half folder, and the build goes on when there is room.
func TestAFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skip("no small disk can be made here: " + err.Error())
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	var b strings.Builder
	for i := range 600 {
		fmt.Fprintf(&b, "{\"input\": {\"text\": \"message %d about %d and %d\"}, \"output\": \"other\"}\n", i, i*7919, i*104729)
	}
	b.WriteString(raw)
	src := project(t, map[string]string{"raw.jsonl": b.String()})
	write(t, dir, "dataset.yaml", "name: tickets\nsources: [{name: desk, files: "+filepath.Join(src, "raw.jsonl")+"}]\npii: redact\ndedupe: none\n")
	write(t, dir, "filler", strings.Repeat("x", 40<<10))
	_, err := build(t, dir, curate.Options{Version: "v"})
	if rung.CodeOf(err) != rung.CodeStore || !strings.Contains(err.Error(), "no space left on device") {
		t.Fatalf("a full disk: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "tickets")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("there is a folder")
	}
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT, "size=8m"); err != nil {
		t.Fatal(err)
	}
	if r := mustBuild(t, dir); r.State != curate.Built {
		t.Errorf("with room again: %s", r.State)
	}
}
