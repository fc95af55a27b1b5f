package ifeval

import (
	"os"
	"strings"
	"testing"

	"github.com/rung-dev/rung/internal/sharedtest"
)

func TestRealPrompts(t *testing.T) {
	f, err := os.Open(sharedtest.File(t, "data", "ifeval", "all.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	prompts, err := Read(f, "all.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	kinds, n := map[string]int{}, 0
	for i := range prompts {
		for _, in := range prompts[i].Instructions {
			kinds[in.Kind]++
			n++
		}
		v := prompts[i].Check("")
		if Followed(v.Strict)+Followed(v.Loose) != 0 {
			t.Errorf("%s: an empty answer follows something", prompts[i].ID)
		}
	}
	if len(prompts) != 541 || n != 834 || len(kinds) != 25 || len(Kinds()) != 25 {
		t.Errorf("%d prompts, %d instructions, %d kinds of %d", len(prompts), n, len(kinds), len(Kinds()))
	}
}

func TestFaultsOfAFile(t *testing.T) {
	for _, c := range []struct{ row, want string }{
		{`{"prompt":"p","instruction_ids":["punctuation:no_commas"],"kwargs":[{}]}`, `f:1: there is no instruction kind "punctuation:no_commas"`},
		{`{"prompt":"p","instruction_ids":["punctuation:no_comma"],"kwargs":[]}`, "1 instruction_ids and 0 kwargs"},
		{`{"prompt":" ","instruction_ids":["punctuation:no_comma"],"kwargs":[{}]}`, "no prompt"},
		{`{"prompt":"p","instruction_ids":["length_constraints:number_words"],"kwargs":[{"num_words":3,"relation":"around"}]}`, "at least"},
		{`{"prompt":"p","instruction_ids":["language:response_language"],"kwargs":[{"language":"tlh"}]}`, "tlh"},
		{`{"prompt":"p"`, "not as it should be"},
		{"", "holds no prompt"},
		{`{"id":1,"prompt":"p","instruction_ids":["punctuation:no_comma"],"kwargs":[{}]}` + "\n" +
			`{"id":1,"prompt":"p","instruction_ids":["punctuation:no_comma"],"kwargs":[{}]}`, "f:2: the id \"1\" is that of line 1"},
	} {
		if _, err := Read(strings.NewReader(c.row), "f"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.row, err, c.want)
		}
	}
	got, err := Read(strings.NewReader(`{"key":7,"prompt":"p","instruction_id_list":["punctuation:no_comma"],"kwargs":[{}]}`), "f")
	if err != nil || len(got) != 1 || got[0].ID != "7" {
		t.Errorf("the published spelling: %v, %v", got, err)
	}
}
