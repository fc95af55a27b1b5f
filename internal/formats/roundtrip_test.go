package formats_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/formats"
)

// readAll reads files to the end.
func readAll(ctx context.Context, o formats.Options, paths ...string) (list []*rung.DatasetRow, broken []rung.RemovedRow, report *formats.Report, err error) {
	report, err = formats.Read(ctx, paths, o, func(r *rung.DatasetRow, origin rung.Origin) error {
		if origin.ID != r.ID || origin.Raw == "" || origin.Line < 1 {
			return fmt.Errorf("the origin of %s is %+v", r.ID, origin)
		}
		list = append(list, r)
		return nil
	}, func(r rung.RemovedRow) error {
		broken = append(broken, r)
		return nil
	})
	return list, broken, report, err
}

func seq(list []*rung.DatasetRow) func(func(*rung.DatasetRow, error) bool) {
	return func(yield func(*rung.DatasetRow, error) bool) {
		for _, r := range list {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func quoted(s string) json.RawMessage {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return canonical(b)
}

func canonical(b []byte) json.RawMessage {
	var v any
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		panic(err)
	}
	var out strings.Builder
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
	return json.RawMessage(strings.TrimSpace(out.String()))
}

// words are texts with what breaks formats: separators, quotes, line ends, templates, other scripts, and what looks like mojibake and is not.
var words = []string{"a", "Ü", "x,y", "semi;colon", `"quoted"`, "tab\there", "line\nend", "'", "{{x}}", "日本", "🙂", "[1]", "- dash", ": colon", "#", "null", "true", "12", " lead", "trail ", "\\", "MANHÃ…", "<b>"}

func word(t *rapid.T, label string) string {
	return strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 1, 4).Draw(t, label), " ")
}

func someRow(t *rapid.T, i int, fields []string) *rung.DatasetRow {
	r := &rung.DatasetRow{ID: fmt.Sprintf("row-%d", i)}
	var pairs []string
	for _, f := range fields {
		pairs = append(pairs, string(quoted(f))+":"+string(quoted(word(t, f))))
	}
	r.Input = json.RawMessage("{" + strings.Join(pairs, ",") + "}")
	r.Output = quoted(word(t, "output"))
	if rapid.Bool().Draw(t, "meta") {
		r.Segment, r.Group, r.Split = word(t, "segment"), word(t, "group"), rapid.SampledFrom([]rung.Split{rung.Train, rung.Dev, rung.HeldoutIs}).Draw(t, "split")
		r.Time, r.Person, r.Source, r.Counter = "2026-05-04T03:02:01Z", word(t, "person"), "crm", "row-0"
		r.Alternatives = []json.RawMessage{quoted(word(t, "alternative")), json.RawMessage(`{"a":1}`)}
		r.Modes = []string{"format"}
		r.Generated = &rung.Generated{By: "m", Prompt: rung.DigestBytes([]byte("p"))}
	}
	return r
}

// TestRoundTrips: what is written in a format is read back as it was where the format holds it, and any difference was reported as a loss.
func TestRoundTrips(t *testing.T) {
	names := map[formats.Format]string{formats.Rung: "a.jsonl.gz", formats.JSONL: "a.jsonl", formats.JSON: "a.json", formats.CSV: "a.csv", formats.TSV: "a.tsv", formats.Parquet: "a.parquet",
		formats.HF: "hf", formats.Text: "a.txt", formats.Chat: "a.jsonl", formats.ShareGPT: "a.json", formats.Alpaca: "a.json", formats.LabelStudio: "a.json", formats.Promptfoo: "a.yaml", formats.Folder: "pairs"}
	// What holds every row whole. HF gives each row a split, so rows have one here.
	whole := []formats.Format{formats.Rung, formats.JSONL, formats.JSON, formats.CSV, formats.TSV, formats.Parquet, formats.LabelStudio, formats.Promptfoo}
	dir := t.TempDir()
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		format := rapid.SampledFrom([]formats.Format{formats.Rung, formats.JSONL, formats.JSON, formats.CSV, formats.TSV, formats.Parquet, formats.HF, formats.Text, formats.Chat, formats.ShareGPT,
			formats.Alpaca, formats.LabelStudio, formats.Promptfoo, formats.Folder}).Draw(t, "format")
		fields := rapid.SampledFrom([][]string{{"text"}, {"system", "text"}, {"zeta", "alpha"}, {"id", "text"}, {"instruction", "input"}}).Draw(t, "fields")
		var list []*rung.DatasetRow
		for i := range rapid.IntRange(1, 8).Draw(t, "n") {
			list = append(list, someRow(t, i, fields))
		}
		at := filepath.Join(dir, fmt.Sprint(run))
		if err := os.Mkdir(at, 0o700); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(at, names[format])
		var written formats.Written
		if err := formats.Write(context.Background(), format, path, seq(list), formats.WriteOptions{Written: &written, Tmp: at}); err != nil {
			t.Fatal(format, err)
		}
		if written.Rows != len(list) || len(written.Files) == 0 {
			t.Fatalf("%s: %+v", format, written)
		}
		got, broken, report, err := readAll(context.Background(), formats.Options{}, path)
		if err != nil || len(broken) > 0 {
			t.Fatalf("%s: %v %+v", format, err, broken)
		}
		if format == formats.HF {
			slices.SortFunc(got, func(a, b *rung.DatasetRow) int { return strings.Compare(a.ID, b.ID) })
		}
		same := reflect.DeepEqual(flatten(list), flatten(got))
		lossless := slices.Contains(whole, format) && !(format == formats.Promptfoo && len(written.Losses) > 0)
		if !same && (lossless || len(written.Losses) == 0) {
			t.Fatalf("%s, %v, losses %v:\n%s\nbecame\n%s\n(%+v)", format, fields, written.Losses, flatten(list), flatten(got), report.Files)
		}
		// With nothing to lose, strict writing is the same; else it refuses.
		err = formats.Write(context.Background(), format, filepath.Join(at, "strict", names[format]), seq(list), formats.WriteOptions{Strict: true})
		if len(written.Losses) > 0 && rung.CodeOf(err) != rung.CodeUnsupported && rung.CodeOf(err) != rung.CodeStore {
			t.Fatalf("%s: losses %v, and strictly %v", format, written.Losses, err)
		}
	})
}

// flatten writes rows so that they can be compared.
func flatten(list []*rung.DatasetRow) string {
	var b strings.Builder
	for _, r := range list {
		c := *r
		if c.Input != nil {
			c.Input = canonical(c.Input)
		}
		if c.Output != nil {
			c.Output = canonical(c.Output)
		}
		line, err := json.Marshal(c)
		if err != nil {
			panic(err)
		}
		b.Write(append(line, '\n'))
	}
	return b.String()
}
