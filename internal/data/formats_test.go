package data_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/data"
)

type source struct{ id, text, label, group string }

var sources = []source{
	{"1", "plain words", "ham", ""},
	{"2", "a \"quoted\" word, a comma; a semicolon", "spam", "g"},
	{"3", "two\nlines\tand a tab", "ham", "g"},
	{"4", "Zürich 日本 🎉 <b> & \\ /", "spam", ""},
	{"5", " spaces at the ends ", "ham", ""},
	{"6", "", "ham", ""},
}

// TestFormatsAgree writes the same examples in every form: all give the same data, byte for byte.
func TestFormatsAgree(t *testing.T) {
	forms := map[string]string{
		"nested.jsonl": jsonLines(func(s source) any {
			return map[string]any{"id": s.id, "input": map[string]any{"text": s.text}, "output": s.label, "group": s.group}
		}),
		"bare.jsonl": jsonLines(func(s source) any {
			return map[string]any{"id": s.id, "input": s.text, "output": s.label, "group": s.group, "segment": nil}
		}),
		"flat.jsonl": jsonLines(func(s source) any {
			return map[string]any{"id": s.id, "text": s.text, "label": s.label, "group": s.group}
		}),
		"bom.jsonl": "\ufeff" + strings.ReplaceAll(jsonLines(func(s source) any {
			return map[string]any{"id": s.id, "text": s.text, "output": s.label, "group": s.group}
		}), "\n", "\r\n"),
		"escaped.jsonl": escaped(jsonLines(func(s source) any {
			return map[string]any{"id": s.id, "text": s.text, "output": s.label, "group": s.group}
		})),
		"chat.jsonl": jsonLines(func(s source) any {
			return map[string]any{"id": s.id, "group": s.group, "messages": []any{
				map[string]any{"role": "user", "content": []any{map[string]any{"type": "text", "text": s.text}}},
				map[string]any{"role": "assistant", "content": s.label},
			}}
		}),
		"array.json": "[" + strings.ReplaceAll(strings.TrimSpace(jsonLines(func(s source) any {
			return map[string]any{"id": s.id, "text": s.text, "output": s.label, "group": s.group}
		})), "\n", ",\n") + "]\n",
		"comma.csv":     table(','),
		"semicolon.csv": "\ufeff" + table(';'),
		"tab.tsv":       table('\t'),
	}
	want := examples(t, write(t, forms["nested.jsonl"], "nested.jsonl"))
	for i, s := range sources {
		text, err := json.Marshal(map[string]string{"text": s.text})
		if err != nil {
			t.Fatal(err)
		}
		var a, b any
		if json.Unmarshal(text, &a) != nil || json.Unmarshal(want[i].Input, &b) != nil || !cmp.Equal(a, b) {
			t.Errorf("row %d is %s, not %s", i, want[i].Input, text)
		}
	}
	for name, body := range forms {
		if diff := cmp.Diff(want, examples(t, write(t, body, name))); diff != "" {
			t.Errorf("%s (-nested.jsonl +%s):\n%s", name, name, diff)
		}
	}
	if diff := cmp.Diff(want, examples(t, parquetFile(t))); diff != "" {
		t.Errorf("parquet:\n%s", diff)
	}
}

func examples(t *testing.T, path string) []rung.Example {
	t.Helper()
	tk := labelTask([]string{"ham", "spam"}, path)
	im, err := data.Import(context.Background(), tk, formOf(t, tk))
	if err != nil {
		t.Fatal(err)
	}
	if len(im.Faults) > 0 || len(im.Notes) > 0 {
		t.Fatalf("%s: %v %v", path, im.Faults, im.Notes)
	}
	for i := range im.Examples {
		im.Examples[i].File, im.Examples[i].Line = "", 0
	}
	return im.Examples
}

func jsonLines(row func(source) any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	for _, s := range sources {
		if err := enc.Encode(row(s)); err != nil {
			panic(err)
		}
	}
	return b.String()
}

// escaped writes characters beyond ASCII and slashes in their longest form.
func escaped(s string) string {
	var b strings.Builder
	for _, c := range s {
		switch {
		case c == '/':
			b.WriteString(`\/`)
		case c > 0xffff:
			c -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+c>>10, 0xdc00+c&0x3ff)
		case c > 127:
			fmt.Fprintf(&b, `\u%04X`, c)
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

func table(comma rune) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	w.Comma = comma
	_ = w.Write([]string{"group", "text", "id", " label "})
	for _, s := range sources {
		_ = w.Write([]string{s.group, s.text, s.id, s.label})
	}
	w.Flush()
	return b.String()
}

func parquetFile(t *testing.T) string {
	t.Helper()
	type row struct {
		ID    string  `parquet:"id"`
		Text  string  `parquet:"text,dict"`
		Label string  `parquet:"label,dict"`
		Group *string `parquet:"group,optional"`
	}
	path := filepath.Join(t.TempDir(), "rows.parquet")
	var rows []row
	for _, s := range sources {
		r := row{ID: s.id, Text: s.text, Label: s.label}
		if s.group != "" {
			r.Group = &s.group
		}
		rows = append(rows, r)
	}
	if err := parquet.WriteFile(path, rows); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestParquetTypes reads numbers, booleans, lists and records, as the writers of tables write them.
func TestParquetTypes(t *testing.T) {
	type message struct {
		Role    string `parquet:"role"`
		Content string `parquet:"content"`
	}
	type row struct {
		ID     int64             `parquet:"id"`
		Text   string            `parquet:"text"`
		Size   int32             `parquet:"size"`
		Weight float64           `parquet:"weight"`
		Flag   bool              `parquet:"flag"`
		Turns  []message         `parquet:"turns,list"`
		Tags   []string          `parquet:"tags,list"`
		More   map[string]string `parquet:"more"`
		Output string            `parquet:"output"`
	}
	path := filepath.Join(t.TempDir(), "rows.parquet")
	rows := make([]row, 300)
	for i := range rows {
		rows[i] = row{ID: int64(i), Text: fmt.Sprint("row ", i), Size: int32(i), Weight: .5, Flag: i%2 == 0, Turns: []message{{"user", "hi"}},
			Tags: []string{"x", "y"}, More: map[string]string{"k": "v"}, Output: `{"a": 1}`}
	}
	if err := parquet.WriteFile(path, rows); err != nil {
		t.Fatal(err)
	}
	tk := &rung.Task{
		Input: []rung.Field{{Name: "turns", Type: "array"}, {Name: "text", Type: "string"}, {Name: "size", Type: "integer"}, {Name: "weight", Type: "number"},
			{Name: "flag", Type: "boolean"}, {Name: "tags", Type: "array"}, {Name: "more", Type: "object"}},
		Output:   rung.Output{Kind: rung.JSONSchema, Schema: json.RawMessage(`{"type":"object","properties":{"a":{"type":"integer"}}}`)},
		Examples: []string{path},
	}
	im, err := data.Import(context.Background(), tk, formOf(t, tk))
	if err != nil || len(im.Faults) > 0 || len(im.Examples) != len(rows) {
		t.Fatal(err, im.Faults, len(im.Examples))
	}
	e := im.Examples[299]
	want := `{"turns":[{"content":"hi","role":"user"}],"text":"row 299","size":299,"weight":0.5,"flag":false,"tags":["x","y"],"more":{"k":"v"}}`
	if string(e.Input) != want || string(e.Output) != `{"a":1}` || e.ID != "299" || e.Line != 300 {
		t.Errorf("got  %s %s %s %d\nwant %s", e.Input, e.Output, e.ID, e.Line, want)
	}
}

// TestDamagedParquet cuts and flips a real file: every fault is an error, never a panic.
func TestDamagedParquet(t *testing.T) {
	raw, err := os.ReadFile(parquetFile(t))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(raw); i += 3 {
		damaged := append([]byte(nil), raw...)
		damaged[i] ^= 0x55
		tk := labelTask([]string{"ham", "spam"}, write(t, string(damaged), "x.parquet"))
		im, err := data.Import(context.Background(), tk, formOf(t, tk))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range im.Faults {
			if e.Place == "" || e.Do == "" {
				t.Errorf("byte %d: %+v", i, e)
			}
		}
	}
}

// TestToolCallsInChats reads OpenAI's tool calls, whose arguments are JSON in a string.
func TestToolCallsInChats(t *testing.T) {
	body := `{"messages": [{"role": "user", "content": "five minutes"}, {"role": "assistant", "content": null, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "timer", "arguments": "{\"minutes\": 5, \"note\": \"<x>\"}"}}]}]}` + "\n"
	tk := &rung.Task{
		Input:    []rung.Field{{Name: "request", Type: "string"}},
		Output:   rung.Output{Kind: rung.Tools, Tools: json.RawMessage(`[{"name":"timer","parameters":{"type":"object","properties":{"minutes":{"type":"integer"},"note":{"type":"string"}}}}]`)},
		Examples: []string{write(t, body, "c.jsonl")},
	}
	for many, want := range map[bool]string{
		false: `{"name":"timer","arguments":{"minutes":5,"note":"<x>"}}`,
		true:  `[{"name":"timer","arguments":{"minutes":5,"note":"<x>"}}]`,
	} {
		tk.Output.ManyCalls = many
		im, err := data.Import(context.Background(), tk, formOf(t, tk))
		if err != nil || len(im.Faults) > 0 {
			t.Fatal(err, im.Faults)
		}
		if got := string(im.Examples[0].Output); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// TestFieldOrder: the input has the task's order whatever the file's, and the output keeps its own.
func TestFieldOrder(t *testing.T) {
	tk := &rung.Task{
		Input:    []rung.Field{{Name: "b", Type: "string"}, {Name: "a", Type: "object"}, {Name: "input", Type: "string"}},
		Output:   rung.Output{Kind: rung.JSONSchema, Schema: json.RawMessage(`{"type":"object"}`)},
		Examples: []string{write(t, `{"output": {"z": 1, "y": {"x": [1, 2.50, 1e3]}}, "input": "i", "a": {"q" : 1, "p":2}, "b": "x\u00e9"}`+"\n", "f.jsonl")},
	}
	im, err := data.Import(context.Background(), tk, formOf(t, tk))
	if err != nil || len(im.Faults) > 0 {
		t.Fatal(err, im.Faults)
	}
	if got := string(im.Examples[0].Input); got != `{"b":"xé","a":{"q":1,"p":2},"input":"i"}` {
		t.Error(got)
	}
	if got := string(im.Examples[0].Output); got != `{"z":1,"y":{"x":[1,2.50,1e3]}}` {
		t.Error(got)
	}
}

// TestLongRows reads a row longer than the reader's buffer, and refuses one without end.
func TestLongRows(t *testing.T) {
	long := fmt.Sprintf(`{"text": "%s", "output": "ham"}`+"\n", strings.Repeat("long words ", 60_000))
	got := examples(t, write(t, long+`{"text": "short", "output": "ham"}`+"\n"+strings.TrimSpace(long), "l.jsonl"))
	if len(got) != 3 || len(got[0].Input) < 600_000 || string(got[1].Input) != `{"text":"short"}` {
		t.Fatal(len(got))
	}
	endless := write(t, `{"text": "`+strings.Repeat("x", 17<<20), "e.jsonl")
	tk := labelTask([]string{"ham", "spam"}, endless)
	im, err := data.Import(context.Background(), tk, formOf(t, tk))
	if err != nil || len(im.Faults) != 1 || !strings.Contains(im.Faults[0].What, "longer than 16 MiB") {
		t.Error(err, im.Faults)
	}
}

func TestDerivedIDs(t *testing.T) {
	a := examples(t, write(t, `{"text": "a", "output": "ham"}
{"text": "b", "output": "ham"}
{"text": "a", "output": "ham"}
{"text": "a", "output": "spam"}
`, "a.jsonl"))
	b := examples(t, write(t, `{"text": "new", "output": "ham"}
{"text": "b", "output": "ham"}
{"text": "a", "output": "ham"}
`, "b.jsonl"))
	if a[0].ID != b[2].ID || a[1].ID != b[1].ID {
		t.Error("an id depends on the order of the rows")
	}
	if a[2].ID != a[0].ID+"-2" || a[3].ID == a[0].ID {
		t.Errorf("%s %s %s", a[0].ID, a[2].ID, a[3].ID)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	tk := labelTask([]string{"ham", "spam"}, write(t, strings.Repeat(`{"text": "a", "output": "ham"}`+"\n", 5000), "a.jsonl"))
	if _, err := data.Load(ctx, tk, formOf(t, tk)); err != context.Canceled {
		t.Error(err)
	}
}
