package ifeval

import "testing"

// FuzzCheck: no answer breaks a rule, and whoever follows an instruction strictly follows it loosely as well.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{"", "*\n* a", "P.S.", "a\n\nb", "<<t>>", "[x] \"q\"", "SECTION 1", "ALL CAPS'S", "日本語。次", "\xff\xfe", "1. First. Mr. X came."} {
		f.Add(s)
	}
	args := Args{Keywords: []string{"a"}, Keyword: "a", Frequency: 1, Relation: atLeast, Forbidden: []string{"b"}, Letter: "c", LetterCount: 1, LetterRelation: lessThan,
		Language: "en", Sentences: 2, Paragraphs: 2, Words: 3, FirstWord: "a", Nth: 2, Placeholders: 1, Marker: "P.S.", Bullets: 1, Highlights: 1, Splitter: "SECTION",
		Sections: 1, Repeat: "a", End: "b", CapitalCount: 1, CapitalRel: atLeast}
	p := Prompt{Text: "p"}
	for _, kind := range Kinds() {
		p.Instructions = append(p.Instructions, Instruction{kind, args})
	}
	f.Fuzz(func(t *testing.T, answer string) {
		v := p.Check(answer)
		for i := range v.Strict {
			if v.Strict[i] && !v.Loose[i] {
				t.Errorf("%s: strict and not loose on %q", p.Instructions[i].Kind, answer)
			}
		}
	})
}
