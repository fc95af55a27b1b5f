package records_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"

	"github.com/rung-dev/rung/internal/records"
)

// read gives the rows of a file with such a content: their JSON, or ! and why they cannot be read.
func read(t *testing.T, name string, content []byte, o records.Options) (got []string, found *records.File, err error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	err = records.Read(context.Background(), path, o, func(f *records.File) (records.Take, error) {
		found = f
		return func(r *records.Record) error {
			line := fmt.Sprintf("%d %s", r.Line, r.JSON)
			if r.Fault != "" {
				line = fmt.Sprintf("%d !%s", r.Line, r.Fault)
			}
			for _, p := range r.Repairs {
				line += " (" + string(p.Kind) + ")"
			}
			got = append(got, line)
			return nil
		}, nil
	})
	return got, found, err
}

// TestReadTellsEachRow holds what the rows of hostile and odd files become.
func TestReadTellsEachRow(t *testing.T) {
	for _, c := range []struct {
		name, file, content string
		want                []string
	}{
		{"half characters", "a.jsonl", `{"a":"x\ud83d y"}` + "\n" + `{"a":"\udc00\ud83d\ude00"}` + "\n" + `{"a":"\\ud83d"}` + "\n",
			[]string{`1 {"a":"x\ufffd y"} (lone surrogate replaced)`, `2 {"a":"\ufffd\ud83d\ude00"} (lone surrogate replaced)`, `3 {"a":"\\ud83d"}`}},
		{"a key twice", "a.jsonl", `{"a":1,"a":2}` + "\n" + `{"a":3}`, []string{"1 !a key is there twice", `2 {"a":3}`}},
		{"a row cut off", "a.jsonl", `{"a":1}` + "\n" + `{"a":`, []string{`1 {"a":1}`, "2 !not JSON: the row ends before the value does"}},
		{"an array of all kinds", "a.json", "[1, \"b]\\\"\",\n {\"c\":[\"}\"]} , [2],null]", []string{"1 1", `1 "b]\""`, `2 {"c":["}"]}`, "2 [2]", "2 null"}},
		{"objects one after another", "a.json", "{\"a\":1}{\"a\":2}\n{\"a\":\n3}", []string{`1 {"a":1}`, `1 {"a":2}`, `2 {"a":3}`}},
		{"quotes over lines", "a.csv", "a,b\n1,\"x\ny\"\n2,z\n", []string{`2 {"a":"1","b":"x\ny"}`, `4 {"a":"2","b":"z"}`}},
		{"a quote that stays open", "a.csv", "a,b\n1,\"x\n2,z\n", []string{`2 !a quote is not closed; inside a quoted value quotes are doubled ("")`, `3 {"a":"2","b":"z"}`}},
		{"columns without a name", "a.tsv", "a\t\n1\t2\n", []string{`2 {"a":"1","column 2":"2"}`}},
		{"too few cells", "a.csv", "a,b\n1\n2,3\n", []string{"2 !the row has 1 values, the header 2: values that hold the separator must be in quotes", `3 {"a":"2","b":"3"}`}},
		{"texts", "a.txt", "one\n\ntwo \"2\"\n", []string{`1 "one"`, `3 "two \"2\""`}},
	} {
		got, _, err := read(t, c.file, []byte(c.content), records.Options{})
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v\n got %q\nwant %q", c.name, err, got, c.want)
		}
	}
}

// TestReadRefuses holds what ends the reading, each with its reason.
func TestReadRefuses(t *testing.T) {
	long := `{"a":"` + strings.Repeat("x", records.MaxRow) + `"}`
	for _, c := range []struct {
		name, file, content, want string
		o                         records.Options
	}{
		{"two columns of one name", "a.csv", "a,b,a\n1,2,3\n", `two columns called "a"`, records.Options{}},
		{"an array that goes on", "a.json", "[1]\n2", "follows the end of the array in line 2", records.Options{}},
		{"Parquet cut off", "a.parquet", "PAR1abcdefgh", "PAR1", records.Options{}},
		{"a footer longer than its file", "a.parquet", "PAR1....\xff\xff\x00\x00PAR1", "its footer claims a length of 65535 bytes", records.Options{}},
		{"a long row that is to end it", "a.jsonl", long, "the row is longer than", records.Options{LongEnds: true}},
		{"a long item that is to end it", "a.json", "[" + long + "]", "the row is longer than", records.Options{LongEnds: true}},
	} {
		if _, _, err := read(t, c.file, []byte(c.content), c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if got, found, err := read(t, "a.json", []byte("[{\"a\":1},\n"), records.Options{}); err != nil || len(got) != 1 || len(found.Notes) != 1 || !strings.Contains(found.Notes[0], "cut off") {
		t.Errorf("an array without an end: %v, %q", err, got)
	}
	got, _, err := read(t, "a.jsonl", []byte(long+"\n{\"a\":1}\n"), records.Options{})
	if err != nil || len(got) != 2 || !strings.HasPrefix(got[0], "1 !") || got[1] != `2 {"a":1}` {
		t.Errorf("a long row between others: %v, %.200q", err, got)
	}
}

func packed(t *testing.T, kind string, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	var err error
	switch kind {
	case "gz":
		w := gzip.NewWriter(&b)
		_, err = w.Write([]byte(content))
		err = errors.Join(err, w.Close())
	case "zst":
		w, e := zstd.NewWriter(&b)
		if e != nil {
			t.Fatal(e)
		}
		_, err = w.Write([]byte(content))
		err = errors.Join(err, w.Close())
	case "zip":
		w := zip.NewWriter(&b)
		for _, name := range []string{"b.csv", "a.jsonl", "__MACOSX/a.jsonl"} {
			f, e := w.Create(name)
			if e != nil {
				t.Fatal(e)
			}
			text := content
			if name == "b.csv" {
				text = "a\n9\n"
			}
			if _, err = f.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestReadUnpacks reads compressed files, and refuses those that expand beyond their bounds or are cut off.
func TestReadUnpacks(t *testing.T) {
	for _, kind := range []string{"gz", "zst", "zip"} {
		got, found, err := read(t, "a.jsonl."+kind, packed(t, kind, `{"a":1}`+"\n"), records.Options{})
		if err != nil || !slices.Contains(got, `1 {"a":1}`) || found.Compression == "" || len(found.Digest) != 64 {
			t.Errorf("%s: %v, %q, %+v", kind, err, got, found)
		}
		if kind == "zip" && len(got) != 2 {
			t.Errorf("the archive gave %q", got)
		}
		bomb := packed(t, kind, strings.Repeat(`{"a":"                                            "}`+"\n", 4000))
		if _, _, err := read(t, "a.jsonl."+kind, bomb, records.Options{MaxExpanded: 64 << 10}); err == nil || !strings.Contains(err.Error(), "expand") {
			t.Errorf("%s that expands: %v", kind, err)
		}
		if _, _, err := read(t, "a.jsonl."+kind, bomb[:len(bomb)/2], records.Options{}); err == nil {
			t.Errorf("%s cut off was read", kind)
		}
	}
}

// TestReadParquetValues holds how values of Parquet that JSON does not have are written.
func TestReadParquetValues(t *testing.T) {
	type inner struct {
		N int32 `parquet:"n"`
	}
	type row struct {
		At   time.Time `parquet:"at,timestamp(microsecond)"`
		Day  int32     `parquet:"day,date"`
		Cost int64     `parquet:"cost,decimal(2:12)"`
		Tags []string  `parquet:"tags,list"`
		In   inner     `parquet:"in"`
		None *string   `parquet:"none,optional"`
		Raw  string    `parquet:"raw"`
	}
	var b bytes.Buffer
	if err := parquet.Write(&b, []row{{time.Date(2026, 2, 3, 4, 5, 6, 7000, time.UTC), 20000, -5, []string{"x", "y"}, inner{7}, nil, "é"}, {Cost: 12345}}); err != nil {
		t.Fatal(err)
	}
	got, _, err := read(t, "a.parquet", b.Bytes(), records.Options{})
	if err != nil || len(got) != 2 {
		t.Fatalf("%v: %q", err, got)
	}
	for _, want := range []string{`"2026-02-03T04:05:06.000007Z"`, `"day":"2024-10-04"`, `"cost":-0.05`, `"tags":["x","y"]`, `"in":{"n":7}`, `"none":null`, `"raw":"é"`} {
		if !strings.Contains(got[0], want) {
			t.Errorf("%s has no %s", got[0], want)
		}
	}
	if !strings.Contains(got[1], `"cost":123.45`) {
		t.Errorf("the second is %s", got[1])
	}
}

// TestPlain: only JSON lines in UTF-8 may be read where they lie, wherever in the file the fault is.
func TestPlain(t *testing.T) {
	line := `{"a":"` + strings.Repeat("é", 600) + `"}` + "\n"
	body := strings.Repeat(line, 2000) // over two blocks, with characters across their border
	for _, c := range []struct {
		name, file, content string
		want                bool
	}{
		{"lines", "a.jsonl", body, true},
		{"shifted by a byte", "a.jsonl", " " + body, true},
		{"a byte that is no text, far on", "a.jsonl", body + "{\"a\":\"\xff\"}\n", false},
		{"NUL, far on", "a.jsonl", body + "{\"a\":\"\x00\"}\n", false},
		{"a character cut at the end", "a.jsonl", body + "\xc3", false},
		{"a table", "a.csv", "a,b\n1,2\n", false},
		{"an array", "a.json", "[{\"a\":1}]", false},
		{"compressed", "a.jsonl.gz", string(packed(t, "gz", line)), false},
	} {
		path := filepath.Join(t.TempDir(), c.file)
		if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := records.Plain(context.Background(), path); err != nil || got != c.want {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
	}
}

// TestClassNames: numbers of classes become names only where the description says so.
func TestClassNames(t *testing.T) {
	names := records.ClassNames([]byte(`{"info":{"features":{"label":{"_type":"ClassLabel","names":["no","yes"]},"text":{"_type":"Value"}}}}`))
	if len(names) != 1 || records.ClassNames([]byte("{")) != nil {
		t.Fatalf("the names are %v", names)
	}
	for value, want := range map[string]string{"1": `"yes"`, "0": `"no"`, "2": "", "-1": "", `"1"`: "", "1.0": ""} {
		if got := string(records.ClassName(names["label"], []byte(value))); got != want {
			t.Errorf("%s is %s", value, got)
		}
	}
}
