package formats_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/formats"
)

// TestRowsOfOneLineHavePlacesOfTheirOwn: rows of an array on one line and tests of one configuration are told apart by their item, and no two
// of them have the digest of one raw row.
func TestRowsOfOneLineHavePlacesOfTheirOwn(t *testing.T) {
	dir := t.TempDir()
	for name, want := range map[string]string{
		put(t, dir, "a.json", `[{"text":"a"},{"text":"b"},{bad},`+"\n"+`{"text":"c"}, {"text":"d"}]`):           "1 1.2 2 2.5 | 1.3",
		put(t, dir, "b.json", "[\n{\"text\":\"a\"},\n{\"text\":\"b\"}\n]"):                                      "2 3 | ",
		put(t, dir, "p.yaml", "prompts: [p]\ntests:\n- vars: {q: one}\n- vars: {q: two}\n- vars: {q: three}\n"): "1 1.2 1.3 | ",
	} {
		var got []string
		raws := map[rung.Digest]bool{}
		var broken []string
		_, err := formats.Read(t.Context(), []string{name}, formats.Options{}, func(_ *rung.DatasetRow, o rung.Origin) error {
			got = append(got, placeOf(o.Line, o.Item))
			raws[o.Raw] = true
			return nil
		}, func(r rung.RemovedRow) error {
			broken = append(broken, placeOf(r.Line, r.Item))
			return nil
		})
		if all := strings.Join(got, " ") + " | " + strings.Join(broken, " "); err != nil || all != want || len(raws) != len(got) {
			t.Errorf("%s: %s, not %s; %d digests; %v", filepath.Base(name), all, want, len(raws), err)
		}
	}
	if rung.Place("a.json", 1, 3) != "a.json:1, item 3" || rung.Place("a.json", 2, 0) != "a.json:2" || rung.Place("dir", 0, 0) != "dir" {
		t.Error("a place is written in another way")
	}
}

func placeOf(line, item int) string {
	if item == 0 {
		return string(rune('0' + line))
	}
	return string(rune('0'+line)) + "." + string(rune('0'+item))
}

// TestAFolderNamesWhatItPassesOver: promptfoo's configuration is read, other YAML and what rung wrote beside rows are named.
func TestAFolderNamesWhatItPassesOver(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "a.jsonl", `{"text":"one","label":"x"}`+"\n")
	put(t, dir, "made.removed.jsonl", `{"step":"import","reason":"unreadable"}`+"\n")
	put(t, dir, "promptfooconfig.yaml", "prompts: ['{{text}}']\ntests:\n- vars: {text: two}\n  assert: [{type: equals, value: y}]\n")
	put(t, dir, "deeper/promptfoo.yaml", "prompts: [p]\ntests: file://tests.csv\n")
	put(t, dir, "notes.txt", "a note\n")
	put(t, dir, "README.md", "# what it is\n")
	list, broken, report, err := readAll(t.Context(), formats.Options{}, dir)
	if err != nil || len(broken) > 0 || len(list) != 2 || string(list[1].Output) != `"y"` {
		t.Fatalf("%v %v %v", list, broken, err)
	}
	var passed []string
	for _, p := range report.Passed {
		passed = append(passed, filepath.Base(p))
	}
	if !slices.Equal(passed, []string{"promptfoo.yaml", "made.removed.jsonl", "notes.txt"}) {
		t.Errorf("named: %v", passed)
	}
}
