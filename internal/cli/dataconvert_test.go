package cli

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
)

// TestDataConvertThereAndBack: a table in Windows-1252 becomes compressed Alpaca and rows again, its texts are whole, and the row that
// cannot be read is kept with its reason.
func TestDataConvertThereAndBack(t *testing.T) {
	dir := t.TempDir()
	text := "Frage;Antwort;Nr\r\n"
	for i := range 30 {
		text += fmt.Sprintf("Wo ist das Café „Müller“ Nº %d?;Straße %d – gleich links;k%d\r\n", i, i, i)
	}
	text += "nur;zu;viele;Spalten;hier\r\n"
	raw, err := charmap.Windows1252.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, "fragen.csv", raw)
	alpaca, removed, back := filepath.Join(dir, "out.json.gz"), filepath.Join(dir, "broken.jsonl"), filepath.Join(dir, "back.jsonl")
	status, out, stderr := rungOut(t, "data", "convert", filepath.Join(dir, "fragen.csv"), "--map", "input.instruction=Frage,output=Antwort,id=Nr", "--to", "alpaca", "--out", alpaca, "--removed", removed, "--json")
	var doc struct {
		Rows, Broken int
		Files        []struct{ Encoding, Format string }
		Losses       []struct{ What string }
	}
	if err := json.Unmarshal([]byte(out), &doc); status != 0 || err != nil {
		t.Fatalf("status %d, %v: %s%s", status, err, out, stderr)
	}
	if doc.Rows != 30 || doc.Broken != 1 || doc.Files[0].Encoding != "windows-1252" || doc.Files[0].Format != "flat" || len(doc.Losses) != 1 || !strings.Contains(doc.Losses[0].What, "id") {
		t.Errorf("read as %+v", doc)
	}
	if lost, err := os.ReadFile(removed); err != nil || bytes.Count(lost, []byte("\n")) != 1 || !bytes.Contains(lost, []byte(`"line":32`)) || !bytes.Contains(lost, []byte("Spalten")) {
		t.Errorf("%v: removed are %s", err, lost)
	}
	if zipped, err := os.ReadFile(alpaca); err != nil || !bytes.HasPrefix(zipped, []byte{0x1f, 0x8b}) {
		t.Errorf("%v: begins %x", err, zipped[:min(4, len(zipped))])
	}
	if status, out, stderr := rungOut(t, "data", "convert", alpaca, "--out", back); status != 0 || !strings.Contains(out, "alpaca rows in json") {
		t.Fatalf("status %d: %s%s", status, out, stderr)
	}
	rows, err := os.ReadFile(back)
	if err != nil {
		t.Fatal(err)
	}
	if first := `"input":{"instruction":"Wo ist das Café „Müller“ Nº 0?"},"output":"Straße 0 – gleich links"`; !strings.Contains(string(rows[:bytes.IndexByte(rows, '\n')+1]), first) || bytes.Count(rows, []byte("\n")) != 30 {
		t.Errorf("came back as %s", rows[:min(300, len(rows))])
	}
	if status, _, stderr := rungOut(t, "data", "convert", back, "--out", back); status != 2 || !strings.Contains(stderr, "nothing is changed in place") {
		t.Errorf("onto itself: status %d: %s", status, stderr)
	}
}

// TestDataCheckAndSplitReadAsConvert: check and split find formats by looking, take the fields of flat rows as told, and keep the split
// that a file's name says.
func TestDataCheckAndSplitReadAsConvert(t *testing.T) {
	dir := t.TempDir()
	var chats bytes.Buffer
	z := gzip.NewWriter(&chats)
	for i := range 40 {
		fmt.Fprintf(z, `{"conversations":[{"from":"human","value":"How far is it from place %d to town %d?"},{"from":"gpt","value":"It is %d km by road."}]}`+"\n", i*i*7919%9973, i*31, i)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "chats.jsonl.gz", chats.String())
	file := filepath.Join(dir, "chats.jsonl.gz")
	if status, out, stderr := rungOut(t, "data", "check", file); status != 0 || !strings.Contains(out, "40 rows in chats.jsonl.gz") || !strings.Contains(out, "read as sharegpt") || !strings.Contains(out, "duplicate_id: no row has an id") {
		t.Errorf("status %d: %s%s", status, out, stderr)
	}
	out := filepath.Join(dir, "out")
	if status, text, stderr := rungOut(t, "data", "split", file, "--out", out); status != 0 || !strings.Contains(text, "40 rows split by content") {
		t.Fatalf("status %d: %s%s", status, text, stderr)
	}
	held, err := os.ReadFile(filepath.Join(out, "heldout.jsonl"))
	if err != nil || !bytes.Contains(held, []byte(`"output":"It is `)) || !bytes.Contains(held, []byte(`"split":"heldout"`)) {
		t.Errorf("%v: held out are %s", err, held)
	}
	var before, after splitDocument
	for folder, doc := range map[string]*splitDocument{file: &before, out: &after} {
		status, text, stderr := rungOut(t, "data", "split", folder, "--json")
		if err := json.Unmarshal([]byte(text), doc); status != 0 || err != nil {
			t.Fatalf("%s: status %d, %v: %s", folder, status, err, stderr)
		}
	}
	if after.Rows != 40 || after.Heldout != before.Heldout || after.Digest != before.Digest {
		t.Errorf("the folder that was written is split as %+v, its file as %+v", after, before)
	}
	if status, _, stderr := rungOut(t, "data", "split", filepath.Join(out, "train.jsonl")); status == 0 || !strings.Contains(stderr, "--anew") {
		t.Errorf("train alone: status %d: %s", status, stderr)
	}
	if status, text, _ := rungOut(t, "data", "split", filepath.Join(out, "train.jsonl"), "--anew"); status != 0 || strings.Contains(text, "heldout        0") {
		t.Errorf("train anew: status %d: %s", status, text)
	}
	put(t, dir, "flat.csv", "wish,kind,clerk\nmore tea,order,ann\nless noise,complaint,bob\na refund,complaint,ann\n")
	if status, text, stderr := rungOut(t, "data", "check", filepath.Join(dir, "flat.csv"), "--input", "wish", "--output", "kind", "--map", "person=clerk"); status != 0 || !strings.Contains(text, "input: wish; output: kind") {
		t.Errorf("status %d: %s%s", status, text, stderr)
	}
}
