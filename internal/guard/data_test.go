package guard

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rung-dev/rung"
)

// dataRow is a line of one of the public data sets.
type dataRow struct {
	Text  string          `json:"text"`
	Label json.RawMessage `json:"label"`
	Spans []struct {
		Type  string `json:"type"`
		Value string `json:"value"`
	} `json:"spans"`
}

func sharedRows(t *testing.T, set, file string) []dataRow {
	t.Helper()
	root := os.Getenv("RUNG_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	f, err := os.Open(filepath.Join(root, "data", set, file))
	if err != nil {
		t.Skipf("the data set %s is not here; set RUNG_SHARED to the folder that holds data/%s", set, set)
	}
	defer func() { _ = f.Close() }()
	var out []dataRow
	scan := bufio.NewScanner(f)
	scan.Buffer(nil, 1<<22)
	for scan.Scan() {
		var r dataRow
		if err := json.Unmarshal(scan.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	if err := scan.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func finds(t *testing.T, set *Set, text string) bool {
	t.Helper()
	_, verdicts, err := set.Session().Input(context.Background(), text)
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(verdicts, func(v rung.GuardVerdict) bool { return v.Action != "" })
}

// The floors are a little under what bench/guards prints and docs/guards.md says.
func TestInjectionOnItsTestSplit(t *testing.T) {
	set := newSet(t, Env{}, rung.GuardSpec{Kind: "injection", Stages: []rung.GuardStage{rung.GuardInput}, Action: rung.Annotate})
	var hits, attacks, wrong int
	for _, r := range sharedRows(t, "deepset_prompt_injections", "test.jsonl") {
		found := finds(t, set, r.Text)
		switch {
		case string(r.Label) == "1":
			attacks++
			if found {
				hits++
			}
		case found:
			wrong++
		}
	}
	if recall := float64(hits) / float64(attacks); recall < .7 || wrong > 1 {
		t.Errorf("recall %.3f of %d, %d found in error", recall, attacks, wrong)
	}
}

func TestFormsInPresidiosSentences(t *testing.T) {
	kinds := map[string]string{"EMAIL_ADDRESS": "EMAIL", "CREDIT_CARD": "CREDIT_CARD", "IBAN_CODE": "IBAN", "US_SSN": "US_SSN", "IP_ADDRESS": "IP"}
	hits, all := map[string]int{}, map[string]int{}
	for _, r := range sharedRows(t, "presidio_pii", "all.jsonl") {
		said := shown(r.Text, findPII(r.Text, rung.GuardEntities))
		for _, sp := range r.Spans {
			if kind := kinds[sp.Type]; kind != "" {
				all[kind]++
				if slices.Contains(said, kind+"="+sp.Value) {
					hits[kind]++
				}
			}
		}
	}
	for kind, n := range all {
		if recall := float64(hits[kind]) / float64(n); recall < .92 {
			t.Errorf("%s: %d of %d found to the letter", kind, hits[kind], n)
		}
	}
	if len(all) != len(kinds) {
		t.Errorf("the data hold %v", all)
	}
}

func TestOrdinaryTrafficPasses(t *testing.T) {
	specs := map[string]rung.GuardSpec{
		"forms":     {Kind: "pii", Entities: []string{"EMAIL", "PHONE", "CREDIT_CARD", "IBAN", "US_SSN", "IP", "URL", "DATE_OF_BIRTH"}},
		"secrets":   {Kind: "secrets"},
		"injection": {Kind: "injection", Stages: []rung.GuardStage{rung.GuardInput}},
		"toxicity":  {Kind: "toxicity"},
	}
	for _, data := range []string{"snips", "banking77"} {
		rows := sharedRows(t, data, "test.jsonl")
		for name, spec := range specs {
			spec.Action = rung.Annotate
			set, n := newSet(t, Env{}, spec), 0
			for _, r := range rows {
				if finds(t, set, r.Text) {
					n++
				}
			}
			if rate := float64(n) / float64(len(rows)); rate > .02 {
				t.Errorf("%s finds something in %.3f of %s", name, rate, data)
			}
		}
	}
}
