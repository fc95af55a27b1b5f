package data_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/data"
)

// fuzzImport holds, for any bytes: no panic, every fault is placed and has a remedy, and every example is what is promised:
// compact valid JSON with the task's fields in order.
func fuzzImport(f *testing.F, ext string) {
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, body []byte) {
		path := filepath.Join(dir, "e"+ext)
		if err := os.WriteFile(path, body, 0o644); err != nil {
			t.Fatal(err)
		}
		tk := &rung.Task{
			Input:    []rung.Field{{Name: "text", Type: "string"}, {Name: "n", Type: "number"}},
			Output:   rung.Output{Kind: rung.JSONSchema, Schema: json.RawMessage(`{"type":["object","string","number","array"]}`)},
			Examples: []string{path}, Split: rung.Shares{Train: .5, Dev: .15, Heldout: .35},
		}
		fm := formOf(t, tk)
		im, err := data.Import(context.Background(), tk, fm)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range im.Faults {
			if e.Code != rung.CodeInput || e.Place == "" || e.What == "" || e.Do == "" {
				t.Fatalf("incomplete: %+v", e)
			}
		}
		for i := range im.Examples {
			checkExample(t, &im.Examples[i])
		}
		if len(im.Examples) == 0 {
			return
		}
		n := len(im.Examples)
		d, err := data.Freeze(context.Background(), tk, im)
		if err == nil && len(d.Building.Train)+len(d.Building.Dev)+d.Heldout.Len()+d.LeftOut != n {
			t.Fatal("rows got lost")
		}
		if _, err := data.Sniff(context.Background(), path); err != nil && !strings.Contains(err.Error(), path) {
			t.Fatal(err)
		}
	})
}

func checkExample(t *testing.T, e *rung.Example) {
	t.Helper()
	for _, raw := range [][]byte{e.Input, e.Output} {
		var b bytes.Buffer
		if err := json.Compact(&b, raw); err != nil || !bytes.Equal(b.Bytes(), raw) {
			t.Fatalf("not compact JSON: %q (%v)", raw, err)
		}
	}
	if e.ID == "" || e.Line < 1 || !bytes.HasPrefix(e.Input, []byte(`{"text":"`)) || !bytes.Contains(e.Input, []byte(`","n":`)) {
		t.Fatalf("%+v", e)
	}
}

// seed adds the rows of the bad files with one ending.
func seed(f *testing.F, ext string) {
	archives, err := filepath.Glob(filepath.Join("testdata", "bad", "*.txtar"))
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range archives {
		a, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range a.Files {
			if filepath.Ext(file.Name) == ext {
				f.Add(file.Data)
			}
		}
	}
}

func FuzzJSONL(f *testing.F) {
	seed(f, ".jsonl")
	f.Add([]byte("{\"text\": \"a\", \"n\": 1, \"output\": {}}\n{\"input\": {\"text\": \"b\", \"n\": -1e5}, \"output\": [1], \"group\": \"g\"}\n{\"text\": \"c\", \"n\": 2, \"output\": \"x\", \"split\": \"test\"}"))
	f.Add([]byte(`[{"text": "\u00e9\ud83c\udf89", "n": 1, "output": "a"}]`))
	fuzzImport(f, ".jsonl")
}

func FuzzCSV(f *testing.F) {
	seed(f, ".csv")
	f.Add([]byte("text,n,output\n\"a\nb\",1,{}\nc,2,[]\nd,3,\"\"\"x\"\"\"\n"))
	f.Add([]byte("text;n;output;split\na;1;{};train\n"))
	fuzzImport(f, ".csv")
}

func FuzzParquet(f *testing.F) {
	type row struct {
		Text   string  `parquet:"text"`
		N      float64 `parquet:"n"`
		Output string  `parquet:"output"`
	}
	for _, codec := range []parquet.WriterOption{parquet.Compression(&parquet.Uncompressed), parquet.Compression(&parquet.Snappy)} {
		var b bytes.Buffer
		w := parquet.NewGenericWriter[row](&b, codec)
		if _, err := w.Write([]row{{"a", 1, "{}"}, {"b", 2, "[]"}, {"c", 3, "1"}}); err != nil {
			f.Fatal(err)
		}
		if err := w.Close(); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	fuzzImport(f, ".parquet")
}
