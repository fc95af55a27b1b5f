package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/store/sqlite"
)

// mailbox writes raw files of a mailbox, in which the person c3 has three rows, two of them alike, and a description without their key.
func mailbox(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range []string{"raw", ".rung"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	var b strings.Builder
	for i := range 40 {
		fmt.Fprintf(&b, `{"id":"%d","body":"%s %s %s","label":"%s","customer":"c%d"}`+"\n", i, words[i%len(words)], words[(3*i+1)%len(words)], words[(7*i+2)%len(words)], []string{"a", "b"}[i%2], 100+i)
	}
	b.WriteString(`{"id":"40","body":"Please ring Zoe Okonkwo about the invoice of March","label":"a","customer":"c3"}` + "\n")
	b.WriteString(`{"id":"41","body":"Please ring Zoe Okonkwo about the invoice of March!","label":"a","customer":"c3"}` + "\n")
	b.WriteString(`{"id":"7x","body":"Hi","label":"b","customer":"c3"}` + "\n")
	put(t, dir, "raw/mail.jsonl", b.String())
	describeMail(t, dir, "", "")
	return dir
}

// describeMail writes the description: more are lines of its source, last lines of the file.
func describeMail(t *testing.T, dir, more, last string) {
	t.Helper()
	put(t, dir, "dataset.yaml", "name: mail\nsources:\n  - name: mail\n    files: raw/mail.jsonl\n"+more+"pii: redact\n"+last)
}

func buildMail(t *testing.T, dir string, args ...string) {
	t.Helper()
	mustRun(t, append([]string{"data", "build", filepath.Join(dir, "dataset.yaml")}, args...)...)
}

func forgetIn(t *testing.T, dir string, args ...string) (e app.Erasure) {
	t.Helper()
	decodeJSON(t, &e, append([]string{"data", "forget", "--store", filepath.Join(dir, ".rung"), "--json"}, args...)...)
	return e
}

// holding are the files below a folder that hold a text.
func holding(t *testing.T, dir, text string) (out []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(b), text) {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestForgetFindsRowsOfABuildWithoutTheKeyOfThePerson(t *testing.T) {
	dir := mailbox(t)
	describeMail(t, dir, "    mapping: {id: customer, input: {body: body, from: label}}\n", "") // other ids and other rows than the later builds have
	buildMail(t, dir)
	put(t, dir, "dataset.yaml", strings.Replace(textOf(t, filepath.Join(dir, "dataset.yaml")), "mapping: {id: customer, input: {body: body, from: label}}", "mapping: {id: id}", 1)+"out: second\n")
	buildMail(t, dir)
	describeMail(t, dir, "    person: customer\n", "out: third\n") // never built
	for _, name := range []string{"mail", "second"} {
		if n := len(holding(t, filepath.Join(dir, name), "the invoice of March")); n < 2 {
			t.Fatalf("%s holds it in %d files: the test shows nothing", name, n)
		}
	}
	dry := forgetIn(t, dir, "--person", "c3")
	if !dry.Found || len(dry.Datasets) != 2 || len(dry.NotSearched) != 0 || len(dry.Loose) != 1 || fmt.Sprint(dry.Loose[0].Lines) != "[41 42 43]" {
		t.Fatalf("%+v", dry)
	}
	rows := map[string]int{"mail": rowsIn(t, filepath.Join(dir, "mail")), "second": rowsIn(t, filepath.Join(dir, "second"))}
	done := forgetIn(t, dir, "--person", "c3", "--yes")
	for _, d := range done.Datasets {
		gone := 0
		for _, r := range d.Rows {
			if r.In != "removed.jsonl" {
				gone++
			}
		}
		name := filepath.Base(d.Folder)
		if gone+d.Records != 3 || rowsIn(t, d.Folder) != rows[name]-gone {
			t.Errorf("%s: %d rows and %d records of 3; %d of %d rows are left", name, gone, d.Records, rowsIn(t, d.Folder), rows[name])
		}
		if left := holding(t, d.Folder, "the invoice of March"); len(left) > 0 {
			t.Errorf("it is still in %v", left)
		}
		mustRun(t, "data", "show", d.Folder)
	}
	if again := forgetIn(t, dir, "--person", "c3"); len(again.Datasets[0].Rows)+len(again.Datasets[1].Rows) != 0 {
		t.Errorf("something was left: %+v", again.Datasets)
	}
}

func textOf(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A name that was replaced in the dataset stands in the raw file only.
func TestForgetFindsRowsWhosePersonalDataWasReplaced(t *testing.T) {
	dir := mailbox(t)
	buildMail(t, dir)
	describeMail(t, dir, "    person: customer\n", "out: below/mail\n")
	buildMail(t, dir)
	var named app.Erasure // without a store, the folder alone
	decodeJSON(t, &named, "data", "forget", filepath.Join(dir, "below", "mail"), "--text", "Zoe Okonkwo", "--json")
	if len(named.Datasets) != 1 || len(named.Datasets[0].Rows) != 2 {
		t.Errorf("the description above the folder is not found: %+v", named.Datasets)
	}
	if err := os.RemoveAll(filepath.Join(dir, "below")); err != nil {
		t.Fatal(err)
	}
	describeMail(t, dir, "", "")
	if left := holding(t, filepath.Join(dir, "mail"), "Okonkwo"); len(left) > 0 {
		t.Skipf("the name is not replaced: %v", left)
	}
	done := forgetIn(t, dir, "--text", "Zoe Okonkwo", "--yes")
	if len(done.Datasets[0].Rows) != 2 || len(holding(t, filepath.Join(dir, "mail"), "the invoice of March")) != 0 {
		t.Errorf("%+v", done.Datasets)
	}
	if rest := forgetIn(t, dir, "--person", "c3"); len(rest.NotSearched) != 1 {
		t.Errorf("no description names the column, and nobody is told: %+v", rest)
	}
}

func TestForgetNamesWhatItCannotSearch(t *testing.T) {
	dir := mailbox(t)
	buildMail(t, dir)
	describeMail(t, dir, "    person: customer\n", "")
	raw := filepath.Join(dir, "raw", "mail.jsonl")
	was := textOf(t, raw)
	put(t, dir, "raw/mail.jsonl", `{"id":"1","body":"new one","label":"a","customer":"c900"}`+"\n"+strings.Join(strings.SplitAfter(was, "\n")[:41], ""))
	e := forgetIn(t, dir, "--person", "c3")
	if len(e.NotSearched) != 1 || e.NotSearched[0].Source != "mail" || !strings.Contains(e.NotSearched[0].Why, "has changed since") || e.NotSearched[0].Do == "" {
		t.Errorf("two of the person's rows are in the raw file no more: %+v", e.NotSearched)
	}
	if n := len(e.Datasets[0].Rows); n != 2 { // its copy says the same
		t.Errorf("%d rows are found by the one that is still there", n)
	}
	if err := os.Remove(raw); err != nil {
		t.Fatal(err)
	}
	e = forgetIn(t, dir, "--person", "c3")
	if e.Found || len(e.NotSearched) != 2 { // the description, which names a file that is not there, and the dataset
		t.Errorf("%+v", e)
	}
	status, out, errs := rungOut(t, "data", "forget", "--person", "c3", "--yes", "--store", filepath.Join(dir, ".rung"))
	if status != 0 || !strings.Contains(out, "not everything could be searched") || !strings.Contains(out, "Not searched") {
		t.Errorf("it reads as if it were done: %s%s", out, errs)
	}
}

func TestForgetSaysThatNothingWasFound(t *testing.T) {
	dir := mailbox(t)
	describeMail(t, dir, "    person: customer\n", "")
	buildMail(t, dir)
	st, err := sqlite.Open(t.Context(), filepath.Join(dir, ".rung"))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if err := st.PutStep(t.Context(), "vector:1", []byte{1, 2, 3, 4}); err != nil {
		t.Fatal(err)
	}
	for _, who := range [][]string{{"--person", "nobody"}, {"--row", "no-such-row"}, {"--text", "Nobody Atall"}} {
		status, out, errs := rungOut(t, append([]string{"data", "forget", "--yes", "--store", filepath.Join(dir, ".rung")}, who...)...)
		if status != 0 || !strings.Contains(out, "Nothing was found of whom you asked for") || !strings.Contains(out, "Looked in:  1 dataset (") || strings.Contains(out, " went") || !strings.Contains(out, "Nothing was found, and nothing was changed.") {
			t.Errorf("%v: %s%s", who, out, errs)
		}
	}
	if _, kept, err := st.Step(t.Context(), "vector:1"); err != nil || !kept {
		t.Errorf("vectors went for nothing: %v", err)
	}
	e := forgetIn(t, dir, "--person", "c3", "--yes")
	if _, kept, err := st.Step(t.Context(), "vector:1"); err != nil || kept || e.Store["vectors"] != 1 {
		t.Errorf("a kept vector is left: %v, %v", e.Store, err)
	}
}

// Ids such as 7 are in many datasets; only the row that is the person's goes.
func TestForgetLeavesRowsOfOthersWithTheSameID(t *testing.T) {
	dir := mailbox(t)
	describeMail(t, dir, "    person: customer\n", "")
	buildMail(t, dir)
	var b strings.Builder
	for i := range 45 {
		fmt.Fprintf(&b, `{"id":"%d","body":"an entry of %s and %s","label":"%s"}`+"\n", i, words[i%len(words)], words[(5*i+3)%len(words)], []string{"a", "b"}[i%2])
	}
	put(t, dir, "raw/faq.jsonl", b.String())
	put(t, dir, "faq.yaml", "name: faq\nsources:\n  - {name: faq, files: raw/faq.jsonl}\npii: none\ndedupe: none\n")
	mustRun(t, "data", "build", filepath.Join(dir, "faq.yaml"))
	before := rowsIn(t, filepath.Join(dir, "faq"))
	forgetIn(t, dir, "--person", "c3", "--yes")
	if after := rowsIn(t, filepath.Join(dir, "faq")); after != before {
		t.Errorf("%d rows of another dataset went, which are nobody's", before-after)
	}
}

// Working files of a build that was ended hold rows as well.
func TestForgetTakesWorkingFiles(t *testing.T) {
	dir := mailbox(t)
	describeMail(t, dir, "    person: customer\n", "")
	work := filepath.Join(dir, ".mail.rung-build")
	if err := os.Mkdir(work, 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, work, "1-import.rows.jsonl", `{"id":"40","input":{"body":"Hi"},"person":"c3"}`+"\n")
	forgetIn(t, dir, "--person", "nobody") // makes the store
	job := filepath.Join(dir, ".rung", "training", "0a")
	if err := os.MkdirAll(job, 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, job, "job.json", `{"train":[{"prompt":[1,2],"completion":[3]}]}`)
	job = filepath.Join(job, "job.json")
	if dry := forgetIn(t, dir, "--person", "c3"); !slices.Equal(dry.Work, []string{work, job}) {
		t.Errorf("%+v", dry.Work)
	}
	if none := forgetIn(t, dir, "--person", "nobody", "--yes"); len(none.Work) != 0 {
		t.Errorf("%+v", none.Work)
	}
	forgetIn(t, dir, "--person", "c3", "--yes")
	for _, path := range []string{work, job} {
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("the working files are left: %s, %v", path, err)
		}
	}
}

// The runs of a store keep absolute paths: that of a copied store names the original's datasets.
func TestForgetWarnsOfDatasetsElsewhere(t *testing.T) {
	serve(t, knows)
	file, _ := governedTask(t, "[train, prompt, evaluate]")
	dir := filepath.Dir(file)
	climbJSON(t, file)
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	status, out, errs := rungOut(t, "data", "forget", "--row", "w0", "--store", filepath.Join(copied, ".rung"))
	original := filepath.Join(dir, "wordset")
	if status != 0 || !strings.Contains(errs, original+" lies outside of this store's folder") || !strings.Contains(errs, "its own store is "+filepath.Join(dir, ".rung")) || !strings.Contains(out, "Outside of this store's folder") {
		t.Errorf("status %d: %s%s", status, out, errs)
	}
	var e app.Erasure
	status, out, errs = rungOut(t, "data", "forget", "--row", "w0", "--json", "--store", filepath.Join(dir, ".rung"))
	if status != 0 || json.Unmarshal([]byte(out), &e) != nil || len(e.Outside) != 0 || strings.Contains(errs, "outside") {
		t.Errorf("in its own place: %s%s", out, errs)
	}
}

// A vault that the description names holds rows as they were.
func TestForgetNamesTheVaultOfADescription(t *testing.T) {
	dir := mailbox(t)
	put(t, dir, "key", strings.Repeat("k", 32))
	put(t, dir, "dataset.yaml", "name: mail\nsources:\n  - {name: mail, files: raw/mail.jsonl, person: customer}\npii: {do: redact, key_file: key, vault: sealed}\n")
	buildMail(t, dir)
	vault := filepath.Join(dir, "sealed")
	was := fileSize(t, vault)
	e := forgetIn(t, dir, "--person", "c3", "--yes")
	if len(e.NotSearched) != 1 || e.NotSearched[0].Folder != vault || !strings.Contains(e.NotSearched[0].Do, "--vault "+vault) || fileSize(t, vault) != was {
		t.Fatalf("%+v", e.NotSearched)
	}
	e = forgetIn(t, dir, "--person", "c3", "--yes", "--vault", vault, "--key-file", filepath.Join(dir, "key"))
	if len(e.NotSearched) != 0 || e.Vault == nil || *e.Vault == 0 || fileSize(t, vault) >= was {
		t.Errorf("%+v, vault %v", e.NotSearched, e.Vault)
	}
}
