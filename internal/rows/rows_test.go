package rows_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/rows"
)

func put(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// all reads a file with the text of fields of each row.
func all(t *testing.T, fields rows.Fields, paths ...string) ([]string, error) {
	t.Helper()
	set, err := rows.Open(t.Context(), paths, t.TempDir())
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() {
		if err := set.Close(); err != nil {
			t.Error(err)
		}
	})
	var out []string
	var x rows.Extractor
	err = set.Each(t.Context(), func(n int, r rows.Row) error {
		members, err := x.Members(r.Raw)
		if err != nil {
			out = append(out, set.Where(r.Place.File, r.Line)+" "+rows.Reason(err))
			return nil
		}
		text, _ := fields.Append(nil, members)
		out = append(out, string(text))
		return nil
	})
	return out, err
}

func TestRowsOfEveryKindOfFile(t *testing.T) {
	want := []string{"Grüße, \"you\"", "two"}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write([]byte("{\"text\": \"Gr\\u00fc\u00dfe, \\\"you\\\"\"}\n{\"text\": \"two\"}"))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"a.jsonl.gz": zipped.String(),
		"c.csv":      "id,text\n1,\"Gr\xfc\xdfe, \"\"you\"\"\"\n2,two\n", // Windows-1252
		"a.jsonl":    "\ufeff{\"text\": \"Gr\\u00fc\u00dfe, \\\"you\\\"\"}\r\n\n  {\"text\": \"two\"}",
		"a.json":     "[{\"text\": \"Grüße, \\\"you\\\"\"},\n {\"text\": \"two\"}]",
		"a.csv":      "id,text\n1,\"Grüße, \"\"you\"\"\"\n2,two\n",
		"b.csv":      "id;text\n1;\"Grüße, \"\"you\"\"\"\n2;two\n",
		"a.tsv":      "id\ttext\n1\t\"Grüße, \"\"you\"\"\"\n2\ttwo\n",
	} {
		got, err := all(t, rows.Fields{"text"}, put(t, name, text))
		if err != nil || strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
}

// TestRowsHaveTheLinesOfTheirFile: an editor finds a row at the line that is named, under a heading, after an empty line and after a cell of
// two lines; rows on one line are counted.
func TestRowsHaveTheLinesOfTheirFile(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []int
	}{
		"a.csv":   {"id,text\n1,\"two\nlines\"\n\n2,b\n3,c\n", []int{2, 5, 6}},
		"a.json":  {"[\n  {\"text\": \"a\"},\n  {\"text\":\n \"b\"},\n  {\"text\": \"c\"}]", []int{2, 3, 5}},
		"b.json":  {`[{"text": "a"}, {"text": "b"}]`, []int{1, 2}},
		"a.jsonl": {"{\"text\": \"a\"}\n\n{\"text\": \"b\"}", []int{1, 3}},
	} {
		set, err := rows.Open(t.Context(), []string{put(t, name, c.text)}, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		var got []int
		err = rows.Map(t.Context(), set, 1, func(b *rows.Block) ([]int, error) {
			var out []int
			err := b.Each(func(r rows.Row) error { out = append(out, r.Line); return nil })
			return out, err
		}, func(lines []int) error { got = append(got, lines...); return nil })
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: lines %v, want %v, %v", name, got, c.want, err)
		}
		if err := set.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestTextOfFields(t *testing.T) {
	path := put(t, "a.jsonl", `{"messages": [{"role": "user", "content": "How far?"}, {"content": "3 km", "role" : "assistant"}], "n": 4, "input": {"q": "why", "deep": {"x": [1, "two"]}}, "none": null}`)
	for field, want := range map[string]string{"messages": "How far?\n3 km\n", "n": "4", "input.q": "why", "input.deep": "1\ntwo\n", "none": "", "missing": ""} {
		got, err := all(t, rows.Fields{field}, path)
		if err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q %v", field, got, err)
		}
	}
}

// TestBlocksKeepPlaces: rows that cross the ends of blocks are read whole, in their order, and again by their places.
func TestBlocksKeepPlaces(t *testing.T) {
	var b strings.Builder
	const n = 3000
	for i := range n {
		fmt.Fprintf(&b, "{\"text\": \"%d %s\"}\n", i, strings.Repeat("x", i%1500))
	}
	set, err := rows.Open(t.Context(), []string{put(t, "a.jsonl", b.String()), put(t, "b.jsonl", `{"text": "last"}`)}, "")
	if err != nil {
		t.Fatal(err)
	}
	reader := set.Reader()
	defer reader.Close()
	count := 0
	err = rows.Map(t.Context(), set, 4, func(b *rows.Block) ([]rows.Row, error) {
		var out []rows.Row
		err := b.Each(func(r rows.Row) error { out = append(out, r); return nil })
		return out, err
	}, func(block []rows.Row) error {
		for _, r := range block {
			again, err := reader.Read(r.Place)
			if err != nil || string(again) != string(r.Raw) {
				t.Errorf("row %d is read again as %.40q, %v", count, again, err)
			}
			if r.Place.File == 0 && (r.Line != count+1 || !strings.HasPrefix(string(r.Raw), fmt.Sprintf(`{"text": "%d `, count))) {
				t.Errorf("row %d has line %d and is %.40q", count, r.Line, r.Raw)
			}
			count++
		}
		return nil
	})
	if err != nil || count != n+1 {
		t.Errorf("%d rows, %v", count, err)
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	cycle := filepath.Join(dir, "a.jsonl")
	for _, link := range [][2]string{{"b.jsonl", "a.jsonl"}, {"a.jsonl", "b.jsonl"}} {
		if err := os.Symlink(link[0], filepath.Join(dir, link[1])); err != nil {
			t.Skip("no links here")
		}
	}
	for path, want := range map[string]string{
		cycle:                                   "too many levels of symbolic links",
		filepath.Join(dir, "none"):              "no such file",
		dir:                                     "is no plain file",
		put(t, "a.jsonl.gz", "x"):               "compressed",
		put(t, "a.parquet", "PAR1 and no more"): "not a Parquet file",
		put(t, "a.csv", "a,a\n1,2\n"):           "two columns",
		put(t, "a.zip", "PK\x05\x06"):           "damaged",
	} {
		_, err := all(t, rows.Fields{"a"}, path)
		if rung.CodeOf(err) != rung.CodeInput || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestOneEndlessLine: a file that is one long line is refused after some megabytes of it, whatever its length. The files are sparse, so
// they take no room, and shorter here, so that a reader that does not stop fails soon; bench/data with -hostile has the two gigabytes.
func TestOneEndlessLine(t *testing.T) {
	for _, c := range []struct{ name, head string }{{"a.jsonl", `{"text": "`}, {"a.csv", "text,n\n\""}, {"a.json", `[{"text": "`}} {
		path := put(t, c.name, c.head)
		if err := os.Truncate(path, 256<<20); err != nil {
			t.Skip("no sparse files here")
		}
		tmp := t.TempDir()
		set, err := rows.Open(t.Context(), []string{path}, tmp)
		if err == nil { // JSON lines are read in place
			err = errors.Join(set.Each(t.Context(), func(int, rows.Row) error { return nil }), set.Close())
		}
		if rung.CodeOf(err) != rung.CodeInput || !strings.Contains(err.Error(), "longer than 16 MiB") {
			t.Errorf("%s: %v", c.name, err)
		}
		if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
			t.Errorf("%s: %v is left, %v", c.name, left, err)
		}
	}
}

func TestAWorkingFileSaysWhereItsRoomIs(t *testing.T) {
	err := rows.UnwritableWork("/somewhere/rung-data-1/rows", &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC})
	if rung.CodeOf(err) != rung.CodeStore || !strings.Contains(err.Error(), "TMPDIR") || !strings.Contains(err.Error(), "/somewhere/rung-data-1/rows: the working file cannot be written: no space left") {
		t.Error(err)
	}
}

func TestAnOutputIsWholeOrNotThere(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out.jsonl")
	o, err := rows.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Line([]byte("{}")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the file is there before it is whole")
	}
	o.Abandon()
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%v is left, %v", left, err)
	}
	if o, err = rows.Create(path); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(o.Line([]byte("{}")), o.Finish()); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "{}\n" || o.Digest() != rung.DigestBytes(b) {
		t.Errorf("%q %v", b, err)
	}
	if _, err := rows.Create(filepath.Join(dir, "none", "out")); rung.CodeOf(err) != rung.CodeStore {
		t.Error(err)
	}
}

func TestAFullDiskIsSaid(t *testing.T) {
	const full = "/dev/full" // a device on which nothing more fits
	if _, err := os.Stat(full); err != nil {
		t.Skip("no /dev/full here")
	}
	o, err := rows.Create(full)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Abandon()
	err = errors.Join(o.Line([]byte("{}")), o.Finish())
	if rung.CodeOf(err) != rung.CodeStore || !strings.Contains(err.Error(), "no space left") || !strings.Contains(err.Error(), "has not been changed") {
		t.Error(err)
	}
}

func TestStoppingStops(t *testing.T) {
	path := put(t, "a.jsonl", strings.Repeat("{\"text\": \"x\"}\n", 200_000))
	set, err := rows.Open(t.Context(), []string{path}, "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	err = set.Each(ctx, func(n int, _ rows.Row) error {
		if n == 10 {
			stop()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	boom := errors.New("boom")
	if err := set.Each(t.Context(), func(int, rows.Row) error { return boom }); !errors.Is(err, boom) {
		t.Error(err)
	}
}

func TestChoose(t *testing.T) {
	for text, want := range map[string]string{
		`{"id": 1, "text": "a", "label": "b"}`:                 "text",
		`{"instruction": "a", "input": "b", "output": "c"}`:    "input instruction",
		`{"messages": [], "text": "b"}`:                        "messages",
		"{\"question\": \"a\"}\nbroken\n{\"question\": \"b\"}": "question",
	} {
		set, err := rows.Open(t.Context(), []string{put(t, "a.jsonl", text)}, "")
		if err != nil {
			t.Fatal(err)
		}
		got, err := rows.Choose(t.Context(), set)
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %q %v", text, got, err)
		}
	}
	set, err := rows.Open(t.Context(), []string{put(t, "a.jsonl", `{"foo": "a"}`)}, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rows.Choose(t.Context(), set); rung.CodeOf(err) != rung.CodeUsage || !strings.Contains(err.Error(), "foo") {
		t.Error(err)
	}
}

// FuzzRows: whatever a file holds, it is read to its end or refused with an error for a person.
func FuzzRows(f *testing.F) {
	for _, s := range []string{"", "{}", "[", "[{}]", "{\"a\": [1, \"x\\\"\"]}\n\xff", "a,b\n1,2", "\ufeff\n{}"} {
		f.Add(s, byte(0))
		f.Add(s, byte(1))
		f.Add(s, byte(2))
	}
	f.Fuzz(func(t *testing.T, text string, kind byte) {
		name := []string{"a.jsonl", "a.csv", "a.parquet"}[kind%3]
		_, err := all(t, rows.Fields{"a", "a.b"}, put(t, name, text))
		if err != nil && rung.CodeOf(err) != rung.CodeInput {
			t.Error(err)
		}
	})
}
