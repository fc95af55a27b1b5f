package ifeval

import (
	"encoding/json"
	"os"
	"testing"
)

// TestVerdictsAreThoseOfThePublishedChecker: testdata/verdicts.json holds answers written for each rule, with what the checker that
// lm-evaluation-harness 0.4.13 carries says of them (with an untrained Punkt splitter, since a trained one is data).
func TestVerdictsAreThoseOfThePublishedChecker(t *testing.T) {
	b, err := os.ReadFile("testdata/verdicts.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Kind, Answer  string
		Args          Args
		Strict, Loose bool
	}
	if err := json.Unmarshal(b, &cases); err != nil {
		t.Fatal(err)
	}
	seen := map[string][2]int{}
	for _, c := range cases {
		p := Prompt{Instructions: []Instruction{{c.Kind, c.Args}}}
		v := p.Check(c.Answer)
		if v.Strict[0] != c.Strict || v.Loose[0] != c.Loose {
			t.Errorf("%s %+v\n%q: strict %v and loose %v, the published checker says %v and %v", c.Kind, c.Args, c.Answer, v.Strict[0], v.Loose[0], c.Strict, c.Loose)
		}
		n := seen[c.Kind]
		if c.Strict {
			n[0]++
		} else {
			n[1]++
		}
		seen[c.Kind] = n
	}
	for _, kind := range Kinds() {
		if n := seen[kind]; n[0] == 0 || n[1] == 0 {
			t.Errorf("%s: %d answers that follow and %d that do not", kind, n[0], n[1])
		}
	}
}
