package formats_test

import (
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/formats"
)

// TestMappingOfFormatsWithAnInputOfTheirOwn: chats, tests and annotations are named alike with flat rows by a mapping of the fields that
// they give, so that sources of several formats make one dataset.
func TestMappingOfFormatsWithAnInputOfTheirOwn(t *testing.T) {
	const (
		chat   = `{"messages":[{"role":"system","content":"s"},{"role":"user","content":"u"},{"role":"assistant","content":"a"}]}`
		studio = `[{"id":7,"data":{"body":"x","customer":"c9"},"annotations":[{"result":[{"type":"choices","from_name":"s","value":{"choices":["pos"]}}]}]}]`
	)
	as := func(pairs ...string) map[string]string {
		m := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return m
	}
	for _, c := range []struct {
		name, text string
		o          formats.Options
		format     formats.Format
		want       string // input|output|person
	}{
		{"a.jsonl", chat, formats.Options{Input: []string{"text"}}, formats.Chat, `{"text":"u"}|"a"|`},
		{"a.jsonl", "{\"messages\": [\n" + chat, formats.Options{Map: as("input.mail", "text")}, formats.Chat, `{"mail":"u"}|"a"|`},
		{"a.jsonl", chat, formats.Options{Format: formats.Chat, Map: as("input.mail", "text", "input.rules", "system")}, formats.Chat, `{"mail":"u","rules":"s"}|"a"|`},
		{"a.json", studio, formats.Options{Map: as("input.text", "body", "person", "customer")}, formats.LabelStudio, `{"text":"x"}|"pos"|c9`},
		{"a.json", studio, formats.Options{Map: as("person", "customer")}, formats.LabelStudio, `{"body":"x"}|"pos"|c9`},
		{"a.yaml", "- vars: {q: one, want: two}\n", formats.Options{Output: "want", Map: as("input.text", "q")}, formats.Promptfoo, `{"text":"one"}|"two"|`},
		{"a.txt", "one\n", formats.Options{Map: as("input.question", "text")}, formats.Text, `{"question":"one"}||`},
		{"a.jsonl", `{"input":{"q":"one","r":1},"label":"b"}`, formats.Options{Output: "label", Map: as("input.text", "q")}, formats.Rung, `{"text":"one"}|"b"|`},
		{"a.jsonl", `{"messages":"m","body":"b","kind":"k"}`, formats.Options{Input: []string{"body"}, Output: "kind"}, formats.Flat, `{"body":"b"}|"k"|`},
	} {
		list, _, report, err := readAll(t.Context(), c.o, put(t, t.TempDir(), c.name, c.text))
		if err != nil || len(list) != 1 {
			t.Errorf("%s: %v %s", c.text, err, flatten(list))
			continue
		}
		if got := string(list[0].Input) + "|" + string(list[0].Output) + "|" + list[0].Person; got != c.want || report.Files[0].Format != c.format {
			t.Errorf("%s: %s as %s, not %s", c.text, got, report.Files[0].Format, c.want)
		}
	}
	dir := t.TempDir()
	put(t, dir, "1.prompt.txt", "one?")
	if list, _, _, err := readAll(t.Context(), formats.Options{Map: as("input.mail", "text")}, dir); err != nil || string(list[0].Input) != `{"mail":"one?"}` {
		t.Error(err, flatten(list))
	}
}

// TestMappingOfWhatIsNotThere: a misspelt column is told. Without that it is a dataset without labels, or one whose persons nobody can find.
func TestMappingOfWhatIsNotThere(t *testing.T) {
	dir := t.TempDir()
	table, older := put(t, dir, "a.csv", "nr,body,kind,who\n1,b,k,c9\n2,c,,\n"), put(t, dir, "b.csv", "nr,body\n3,d\n")
	for want, o := range map[string]formats.Options{
		`"knd" (the output)`:     {Output: "knd", Input: []string{"body"}},
		`"wo" (the person)`:      {Output: "kind", Map: map[string]string{"person": "wo"}},
		`"bdy" (the input text)`: {Output: "kind", Map: map[string]string{"input.text": "bdy"}},
	} {
		_, _, _, err := readAll(t.Context(), o, table, older)
		if rung.CodeOf(err) != rung.CodeInput || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "nr, body, kind, who") {
			t.Errorf("%s: %v", want, err)
		}
	}
	// One of several files may lack it, which is said; and a column that is empty in some rows is there.
	_, _, report, err := readAll(t.Context(), formats.Options{Output: "kind", Map: map[string]string{"person": "who"}}, table, older)
	if err != nil || len(report.Files[0].Notes) > 0 || len(report.Files[1].Notes) != 1 || !strings.Contains(report.Files[1].Notes[0], "no row has the key kind or who") {
		t.Errorf("%v %+v", err, report)
	}
}

// TestWhyNoRowCanBeReadIsWhatMostSay: not what the first says, which may be broken for a reason of its own.
func TestWhyNoRowCanBeReadIsWhatMostSay(t *testing.T) {
	path := put(t, t.TempDir(), "a.jsonl", "{\"instruction\": \n{\"output\":\"a\"}\n{\"output\":\"b\"}\n")
	_, _, _, err := readAll(t.Context(), formats.Options{Format: formats.Alpaca}, path)
	if err == nil || !strings.Contains(err.Error(), "the row has no instruction (2 of them)") {
		t.Error(err)
	}
}

func TestDatesWithPoints(t *testing.T) {
	path := put(t, t.TempDir(), "a.csv", "text,time\na,24.12.2025\nb,1.2.2025 14:05\nc,3/4/2025\n")
	list, _, _, err := readAll(t.Context(), formats.Options{}, path)
	if err != nil || list[0].Time != "2025-12-24T00:00:00Z" || list[1].Time != "2025-02-01T14:05:00Z" || list[2].Time != "" {
		t.Error(err, flatten(list))
	}
}
