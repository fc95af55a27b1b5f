package data_test

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/data"
)

// shared is the directory of the shared data, which lies beside the repository or where RUNG_SHARED says.
func shared(t testing.TB) string {
	t.Helper()
	if dir := os.Getenv("RUNG_SHARED"); dir != "" {
		return filepath.Join(dir, "data")
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if filepath.Dir(dir) == dir {
			t.Skip("the repository's root is not above this package")
		}
	}
	path := filepath.Join(filepath.Dir(dir), "shared", "data")
	if _, err := os.Stat(path); err != nil {
		t.Skip("the shared data are not here (set RUNG_SHARED)")
	}
	return path
}

func readRows(t testing.TB, path string, row func(raw []byte)) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Skip("the shared data lack " + filepath.Base(path))
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(nil, 16<<20)
	for s.Scan() {
		row(s.Bytes())
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
}

// TestSMSSpam holds 5,574 real messages, 403 of which repeat an earlier one to the letter (dup_of names it).
func TestSMSSpam(t *testing.T) {
	path := filepath.Join(shared(t), "sms_spam", "all.jsonl")
	d := load(t, labelTask([]string{"ham", "spam"}, path))
	if d.Rows != 5574 || d.Duplicates.Exact < 403 || d.Duplicates.Exact > 430 {
		t.Errorf("%d rows, %d exact copies", d.Rows, d.Duplicates.Exact)
	}
	place := map[string]rung.Split{}
	d.EachSplit(func(split rung.Split, e *rung.Example) { place[e.ID] = split })
	copies := 0
	readRows(t, path, func(raw []byte) {
		var row struct {
			ID  string
			Dup *string `json:"dup_of"`
		}
		if err := json.Unmarshal(raw, &row); err != nil {
			t.Fatal(err)
		}
		if row.Dup == nil {
			return
		}
		if copies++; place[row.ID] != place[*row.Dup] || place[row.ID] == "" {
			t.Errorf("%s is in %s, its original %s in %s", row.ID, place[row.ID], *row.Dup, place[*row.Dup])
		}
	})
	if copies != 403 {
		t.Errorf("%d copies in the file", copies)
	}
}

// TestHateCheck holds 3,728 cases made from templates; those of one template that are nearly equal must not straddle.
func TestHateCheck(t *testing.T) {
	path := filepath.Join(shared(t), "hatecheck", "cases.jsonl")
	d := load(t, labelTask([]string{"hateful", "non-hateful"}, path))
	texts := map[string]rung.Split{}
	d.EachSplit(func(split rung.Split, e *rung.Example) { texts[textOf(t, e)] = split })
	byTemplate := map[string][]string{}
	readRows(t, path, func(raw []byte) {
		var row struct {
			Text     string
			Template string `json:"templ_id"`
		}
		if err := json.Unmarshal(raw, &row); err != nil {
			t.Fatal(err)
		}
		byTemplate[row.Template] = append(byTemplate[row.Template], row.Text)
	})
	near := 0
	for _, family := range byTemplate {
		for i, a := range family {
			for _, b := range family[i+1:] {
				if !alike(a, b) {
					continue
				}
				if near++; texts[a] != texts[b] {
					t.Errorf("%q is in %s, %q in %s", a, texts[a], b, texts[b])
				}
			}
		}
	}
	if near < 50 || d.Duplicates.Near < 50 {
		t.Errorf("%d near pairs in the templates, %d near copies found", near, d.Duplicates.Near)
	}
}

// TestBanking77 keeps an official split: the 3,080 test rows stay whole, and what of train is a copy of them goes.
func TestBanking77(t *testing.T) {
	dir := filepath.Join(shared(t), "banking77")
	var labels []string
	readRows(t, filepath.Join(dir, "labels.jsonl"), func(raw []byte) {
		var row struct{ Label string }
		if err := json.Unmarshal(raw, &row); err != nil {
			t.Fatal(err)
		}
		labels = append(labels, row.Label)
	})
	d := load(t, labelTask(labels, filepath.Join(dir, "train.jsonl"), filepath.Join(dir, "test.jsonl")))
	if d.Heldout.Len() != 3080 || d.LeftOut == 0 || len(d.Building.Dev) < 1500 {
		t.Errorf("%d held out, %d left out, %d dev", d.Heldout.Len(), d.LeftOut, len(d.Building.Dev))
	}
	held := map[string]bool{}
	for i := range d.Heldout.Examples() {
		held[normal(textOf(t, &d.Heldout.Examples()[i]))] = true
	}
	for i := range d.Building.Train {
		if text := textOf(t, &d.Building.Train[i]); held[normal(text)] {
			t.Errorf("%q is in train and held out", text)
		}
	}
	for _, l := range d.Labels(labels) {
		if l.Heldout == 0 || l.Train == 0 {
			t.Errorf("%+v", l)
		}
	}
}

// TestSNIPS: a look at the real file finds its fields and that its answers are JSON, and the schema found fits all rows.
func TestSNIPS(t *testing.T) {
	var b strings.Builder
	n := 0
	readRows(t, filepath.Join(shared(t), "snips", "test.jsonl"), func(raw []byte) {
		var row struct {
			ID, Text string
			Gold     json.RawMessage
		}
		if err := json.Unmarshal(raw, &row); err != nil {
			t.Fatal(err)
		}
		line, err := json.Marshal(map[string]any{"id": row.ID, "input": map[string]string{"utterance": row.Text}, "output": row.Gold})
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(line, '\n'))
		n++
	})
	path := write(t, b.String(), "snips.jsonl")
	found, err := data.Sniff(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	if found.Rows != n || len(found.Fields) != 1 || found.Fields[0] != (rung.Field{Name: "utterance", Type: "string"}) || found.Answers != n {
		t.Errorf("%+v", found.Fields)
	}
	tk := &rung.Task{Input: found.Fields, Output: rung.Output{Kind: rung.JSONSchema, Schema: data.InferSchema(found.Outputs)}, Examples: []string{path},
		Split: rung.Shares{Train: .5, Dev: .15, Heldout: .35}}
	if d := load(t, tk); d.Heldout.Len() < 200 {
		t.Errorf("%d held out", d.Heldout.Len())
	}
}

// TestLargeFile holds the promise for 100,000 rows of some 150 bytes: they stay below 40 MB on the heap.
func TestLargeFile(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const rows = 50_000
	tk := labelTask([]string{"ham", "spam"}, largeFile(t, rows))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	d := load(t, tk)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if d.Rows != rows || len(d.Building.Train)+len(d.Building.Dev)+d.Heldout.Len() != rows {
		t.Errorf("%d rows", d.Rows)
	}
	if heap := int64(after.HeapAlloc) - int64(before.HeapAlloc); heap > 20<<20 {
		t.Errorf("%d MB on the heap", heap>>20)
	}
	runtime.KeepAlive(d)
}

func largeFile(t testing.TB, rows int) string {
	t.Helper()
	var b strings.Builder
	for i, text := range manyTexts(rows) {
		b.WriteString(`{"id": "row-`)
		b.WriteString(strings.Repeat("0", 6-len(strconv.Itoa(i))) + strconv.Itoa(i))
		b.WriteString(`", "input": {"text": "` + text + `"}, "output": "` + []string{"ham", "spam"}[i%2] + "\"}\n")
	}
	return write(t, b.String(), "large.jsonl")
}

func BenchmarkImport(b *testing.B) {
	tk := labelTask([]string{"ham", "spam"}, largeFile(b, 100_000))
	f := formOf(b, tk)
	for b.Loop() {
		im, err := data.Import(context.Background(), tk, f)
		if err != nil || len(im.Examples) != 100_000 {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(100_000*b.N)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkLoad(b *testing.B) {
	tk := labelTask([]string{"ham", "spam"}, largeFile(b, 100_000))
	f := formOf(b, tk)
	for b.Loop() {
		if _, err := data.Load(context.Background(), tk, f); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(100_000*b.N)/b.Elapsed().Seconds(), "rows/s")
}
