package formats_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/formats"
)

func put(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestFormatsAreFound: a file of each format, and the rows that come out of it.
func TestFormatsAreFound(t *testing.T) {
	const traces = `{"id":"t1","at":"2026-01-02T03:04:05Z","gateway":"g","api":"chat","status":200,"upstream":"openai/m","model":"m","usage":{},"cost_usd":0,"latency_ns":1,"input":{"q":"a"},"output":"b"}
{"id":"t2","at":"2026-01-02T03:04:05Z","gateway":"g","api":"chat","status":200,"model":"m","usage":{},"cost_usd":0,"latency_ns":1,"input":{"q":"c"},"output":"d","feedback":[{"id":"f","trace":"t2","at":"2026-01-02T03:04:05Z","correction":"e"}]}
`
	for _, c := range []struct {
		name, text string
		format     formats.Format
		want       string // input|output|what else
	}{
		{"a.jsonl", `{"input":{"q":"a"},"output":1,"segment":"s"}`, formats.Rung, `{"q":"a"}|1|s`},
		{"a.jsonl", `{"input":"a","label":"b"}`, formats.Rung, `{"text":"a"}|"b"|`},
		{"a.jsonl", `{"id":"x","text":"a","label":"b","dup":1}`, formats.Flat, `{"text":"a"}|"b"|`},
		{"a.csv", "subject;body;output\nx;\"a;\nb\";c\n", formats.Flat, `{"subject":"x","body":"a;\nb"}|"c"|`},
		{"a.txt", "one line\n", formats.Text, `{"text":"one line"}||`},
		{"a.jsonl", `"a text"`, formats.Text, `{"text":"a text"}||`},
		{"a.jsonl", `{"messages":[{"role":"system","content":"s"},{"role":"user","content":"u"},{"role":"assistant","content":"a"}]}`, formats.Chat, `{"system":"s","text":"u"}|"a"|`},
		{"a.jsonl", `{"messages":[{"role":"user","content":"u"},{"role":"assistant","tool_calls":[{"type":"function","function":{"name":"f","arguments":"{\"x\": 1}"}}]}],"tools":[{"type":"function"}]}`, formats.Chat,
			`{"messages":[{"role":"user","content":"u"}],"tools":[{"type":"function"}]}|{"name":"f","arguments":{"x":1}}|`},
		{"a.json", `[{"id":"7","conversations":[{"from":"human","value":"u"},{"from":"gpt","value":"a"}]}]`, formats.ShareGPT, `{"text":"u"}|"a"|`},
		{"a.json", `[{"instruction":"i","input":"","output":"o"}]`, formats.Alpaca, `{"instruction":"i","input":""}|"o"|`},
		{"a.json", `[{"id":7,"data":{"t":"x"},"annotations":[{"was_cancelled":true,"result":[]},{"result":[{"type":"choices","from_name":"s","value":{"choices":["pos"]}}]}]}]`, formats.LabelStudio, `{"t":"x"}|"pos"|`},
		{"a.yaml", "tests:\n- vars: {q: one}\n  assert: [{type: equals, value: two}, {type: latency}]\nprompts: [p]\n", formats.Promptfoo, `{"q":"one"}|"two"|`},
		{"a.jsonl", traces, formats.Traces, `{"q":"a"}|"b"|{"q":"c"}|"e"|`},
	} {
		path := put(t, t.TempDir(), c.name, c.text)
		list, broken, report, err := readAll(t.Context(), formats.Options{}, path)
		if err != nil || len(broken) > 0 {
			t.Errorf("%s: %v %v", c.text, err, broken)
			continue
		}
		var got strings.Builder
		for _, r := range list {
			got.WriteString(string(r.Input) + "|" + string(r.Output) + "|" + r.Segment)
		}
		if got.String() != c.want || report.Files[0].Format != c.format {
			t.Errorf("%s: %s as %s", c.text, got.String(), report.Files[0].Format)
		}
		if c.format == formats.Traces && (list[0].Generated == nil || list[1].Generated != nil) {
			t.Error("an answer that nobody corrected is generated, a corrected one is not")
		}
	}
}

func TestMappingIsObeyed(t *testing.T) {
	path := put(t, t.TempDir(), "a.csv", "nr,subject,body,kind,customer,when\n1,s,b,k,c9,2026-02-03 04:05\n")
	o := formats.Options{Input: []string{"subject"}, Output: "kind", Source: "crm", Map: map[string]string{"id": "nr", "group": "customer", "time": "when", "input.text": "body"}}
	list, _, report, err := readAll(t.Context(), o, path)
	if err != nil {
		t.Fatal(err)
	}
	r := list[0]
	if r.ID != "1" || string(r.Input) != `{"text":"b","subject":"s"}` || string(r.Output) != `"k"` || r.Group != "c9" || r.Time != "2026-02-03T04:05:00Z" || r.Source != "crm" || len(report.Files[0].LeftOut) != 0 {
		t.Errorf("%+v %s %+v", r, r.Input, report.Files[0])
	}
	for _, bad := range []formats.Options{{Format: "xml"}, {Map: map[string]string{"colour": "x"}}, {Conversation: "loud"}, {Encoding: "klingon"}} {
		if _, _, _, err := readAll(t.Context(), bad, path); rung.CodeOf(err) != rung.CodeUsage {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// TestSavedByHuggingFace reads what datasets 5.2 wrote with save_to_disk: splits, class names, Arrow.
func TestSavedByHuggingFace(t *testing.T) {
	list, broken, report, err := readAll(t.Context(), formats.Options{Input: []string{"text", "turns"}, Output: "label"}, "testdata/saved")
	if err != nil || len(broken) > 0 || len(list) != 3 {
		t.Fatal(len(list), broken, err)
	}
	if r := list[1]; r.ID != "b" || string(r.Input) != `{"text":"Wo ist mein Päckchen?","turns":[]}` || string(r.Output) != `"delivery"` || r.Split != rung.Train {
		t.Errorf("%+v %s", r, r.Input)
	}
	if list[2].Split != rung.HeldoutIs || report.Files[0].Container != "arrow" || len(report.Files[0].Repairs) != 1 {
		t.Errorf("%+v %+v", list[2], report.Files[0])
	}
}

func TestFolders(t *testing.T) {
	hub, pairs := t.TempDir(), t.TempDir()
	put(t, hub, "README.md", "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: data/a*.csv\n  - split: validation\n    path: data/b.csv\n"+
		"dataset_info:\n  features:\n  - name: label\n    dtype:\n      class_label:\n        names:\n          '0': 'no'\n          '1': 'yes'\n---\n# A card\n")
	put(t, hub, "data/a1.csv", "text,label\nx,1\n")
	put(t, hub, "data/b.csv", "text,label\ny,0\n")
	put(t, hub, "data/unused.csv", "text,label\nz,0\n")
	for name, text := range map[string]string{"1.prompt.txt": "one?\r\nplease\r\n", "1.answer.txt": "1\n", "sub/2.prompt.md": "two?", "notes.txt": "no pair", "3.answer.txt": "3"} {
		put(t, pairs, name, text)
	}
	list, _, _, err := readAll(t.Context(), formats.Options{}, hub)
	if err != nil || len(list) != 2 || string(list[0].Output) != `"1"` || list[1].Split != rung.Dev {
		t.Fatal(err, flatten(list))
	}
	list, broken, report, err := readAll(t.Context(), formats.Options{}, pairs)
	if err != nil || len(list) != 2 || len(broken) != 1 || report.Files[0].Format != formats.Folder {
		t.Fatal(err, flatten(list), broken)
	}
	if string(list[0].Input) != `{"text":"one?\nplease"}` || string(list[0].Output) != `"1"` || list[1].ID != "sub/2" || list[1].Output != nil {
		t.Error(flatten(list))
	}
	out := t.TempDir()
	put(t, out, "state.json", `{"_data_files":[{"filename":"../../etc/passwd"}]}`)
	put(t, out, "dataset_info.json", "{}")
	if _, _, _, err := readAll(t.Context(), formats.Options{}, out); rung.CodeOf(err) != rung.CodeInput || !strings.Contains(err.Error(), "outside") {
		t.Error(err)
	}
}

func packed(t *testing.T, name string, size int) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	line := append(append([]byte(`{"input":"`), bytes.Repeat([]byte("a"), 1<<20)...), "\"}\n"...)
	for range size {
		if _, err := z.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return put(t, t.TempDir(), name, b.String())
}

func zipped(t *testing.T, name, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create(name)
	if err == nil {
		_, err = w.Write([]byte(text))
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return put(t, t.TempDir(), "a.zip", b.String())
}

// TestHostileFiles end in errors that say what is wrong and what to do.
func TestHostileFiles(t *testing.T) {
	dir := t.TempDir()
	cycle, pipe := filepath.Join(dir, "a.jsonl"), filepath.Join(dir, "pipe")
	if err := os.Symlink("a.jsonl", cycle); err != nil {
		t.Skip("no links here")
	}
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip("no pipes here")
	}
	bomb := packed(t, "bomb.jsonl.gz", 70)
	gz, err := os.ReadFile(bomb)
	if err != nil {
		t.Fatal(err)
	}
	laughs := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c <= 'j'; c++ {
		laughs += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+string(c-1)+",", 9) + "]\n"
	}
	for path, want := range map[string]string{
		cycle: "too many levels of symbolic links",
		dir:   "too many levels of symbolic links",
		pipe:  "a named pipe",
		bomb:  "more than 200 times its size",
		zipped(t, "../../x.jsonl", `{"input":1}`):              "leads out of its folder",
		put(t, dir, "cut.jsonl.gz", string(gz[:len(gz)/2])):    "damaged or cut off",
		put(t, dir, "twice.gz", string(double(t, "x"))):        "compressed twice",
		put(t, dir, "laughs.yaml", laughs):                     "aliases",
		put(t, dir, "a.parquet", "PAR1 and no more"):           "not a Parquet file",
		put(t, dir, "a.tar", strings.Repeat("x", 257)+"ustar"): "tar",
		put(t, dir, "broken.jsonl", "{\n"):                     "none of its 1 rows",
	} {
		_, _, _, err := readAll(t.Context(), formats.Options{}, path)
		if rung.CodeOf(err) != rung.CodeInput || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if list, _, _, err := readAll(t.Context(), formats.Options{MaxRatio: 2000}, bomb); err != nil || len(list) != 70 {
		t.Error("a higher limit does not hold", err)
	}
	if _, _, _, err := readAll(t.Context(), formats.Options{MaxRatio: 2000, MaxExpanded: 1 << 20}, bomb); rung.CodeOf(err) != rung.CodeInput {
		t.Error(err)
	}
}

func double(t *testing.T, text string) []byte {
	t.Helper()
	in := []byte(text)
	for range 2 {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write(in); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		in = b.Bytes()
	}
	return in
}

// TestBrokenRowsAreTold: with their place, reason and text, and the rows around them are read.
func TestBrokenRowsAreTold(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		text   string
		rows   int
		line   int
		reason string
	}{
		"a.jsonl":    {"{\"input\":\"a\"}\n{\"input\":\n{\"input\":\"b\"}\n", 2, 2, "ends before"},
		"a.csv":      {"text,label\n\"open,a\nx,b\ny,c\n", 2, 2, "quote is not closed"},
		"b.csv":      {"text,label\na\nx,b\n", 1, 2, "1 values"},
		"a.json":     {"[{\"input\":\"a\"},\n{\"input\" \"b\"},\n{\"input\":\"c\"}]", 2, 2, "not JSON"},
		"long.jsonl": {"{\"input\":\"" + strings.Repeat("x", 17<<20) + "\"}\n{\"input\":\"b\"}\n", 1, 1, "more than 16 MiB"},
	} {
		list, broken, report, err := readAll(t.Context(), formats.Options{}, put(t, dir, name, c.text))
		if err != nil || len(list) != c.rows || len(broken) != 1 || broken[0].Line != c.line || !strings.Contains(broken[0].Detail, c.reason) || len(broken[0].Row) == 0 || report.Broken != 1 {
			t.Errorf("%s: %d rows, %v, %.300v", name, len(list), err, broken)
		}
	}
}

// TestFullDisk: nothing half is left, and the error says what to do.
func TestFullDisk(t *testing.T) {
	const full = "/dev/full" // a device on which nothing more fits
	if _, err := os.Stat(full); err != nil {
		t.Skip("no /dev/full here")
	}
	list := []*rung.DatasetRow{{ID: "a", Input: []byte(`{"text":"x"}`)}}
	for _, format := range []formats.Format{formats.Rung, formats.CSV, formats.Parquet} {
		if err := formats.Write(t.Context(), format, full, seq(list), formats.WriteOptions{}); rung.CodeOf(err) != rung.CodeStore || !strings.Contains(err.Error(), "no space left") {
			t.Errorf("%s: %v", format, err)
		}
	}
}

// TestAnEndedWriteLeavesNothing: neither a file nor a folder nor working files.
func TestAnEndedWriteLeavesNothing(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	dir := t.TempDir()
	list := []*rung.DatasetRow{{ID: "a", Input: []byte(`{"text":"x"}`)}}
	for format, name := range map[formats.Format]string{formats.Rung: "a.jsonl", formats.CSV: "a.csv", formats.HF: "hf", formats.Folder: "pairs"} {
		if err := formats.Write(ctx, format, filepath.Join(dir, name), seq(list), formats.WriteOptions{Tmp: dir}); err == nil {
			t.Errorf("%s was written", format)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

// FuzzRead: whatever a file holds and is called, its rows are read or refused with an error for a person.
func FuzzRead(f *testing.F) {
	for i, s := range []string{`{"input":"a"}`, "a,b\n1,\"2", `[{"conversations":[]}]`, "- vars: {a: &x 1, b: *x}", `{"messages":[{"role":"assistant","content":[{"type":"text"}]}]}`, "\xff\xfe{\x00", "PAR1", "\xff\xff\xff\xff\x10\x00\x00\x00"} {
		f.Add([]byte(s), byte(i))
	}
	names := []string{"a.jsonl", "a.csv", "a.json", "a.yaml", "a.txt", "a", "a.tsv", "a.arrow"}
	f.Fuzz(func(t *testing.T, b []byte, name byte) {
		path := put(t, t.TempDir(), names[int(name)%len(names)], string(b))
		if _, _, _, err := readAll(t.Context(), formats.Options{Number: true}, path); err != nil && rung.CodeOf(err) != rung.CodeInput {
			t.Error(err)
		}
	})
}

// TestFieldsOfATaskAndOwnIDs: flat rows that have fields of the task have these alone as their input, others are found as ever; ids are
// only those that rows have when so asked; and what rung writes beside rows is no row of a folder.
func TestFieldsOfATaskAndOwnIDs(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`{"label":"l","text":"a","clerk":"c","output":"o"}`, `{"label":"l"}|"o"|`},
		{`{"text":"a","answer":"o","id":"x"}`, `{"text":"a"}|"o"|x`},
		{`{"input":{"text":"a"},"output":"o"}`, `{"text":"a"}|"o"|`},
	} {
		dir := t.TempDir()
		put(t, dir, "a.jsonl", c.text+"\n")
		for _, beside := range []string{"left_out.jsonl", "x.removed.jsonl", "removed.jsonl", "split.json"} {
			put(t, dir, beside, `{"reason":"none"}`+"\n")
		}
		var got []string
		_, err := formats.Read(context.Background(), []string{dir}, formats.Options{Fields: []string{"label", "missing"}, OwnIDs: true}, func(r *rung.DatasetRow, _ rung.Origin) error {
			got = append(got, string(r.Input)+"|"+string(r.Output)+"|"+r.ID)
			return nil
		}, func(r rung.RemovedRow) error { t.Errorf("%+v", r); return nil })
		if err != nil || len(got) != 1 || got[0] != c.want {
			t.Errorf("%s: %v, %q", c.text, err, got)
		}
	}
}
