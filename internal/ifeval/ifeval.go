// Package ifeval checks answers against instructions that a program can verify ("no commas", "at least 300 words", "two responses
// separated by ******"): the 25 kinds of Zhou et al., Instruction-Following Evaluation for Large Language Models, arXiv 2311.07911.
// Each rule is written from its description. docs/attacks.md says where a rule is an approximation (sentences, languages) and how
// far the verdicts agree with the published checker. Every check takes time linear in the answer, or nearly.
package ifeval

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
)

// Prompt is what is asked, with the instructions that stand in it.
type Prompt struct {
	ID           string
	Text         string
	Instructions []Instruction
	Line         int // of its file, 1-based
}

// Instruction is one verifiable instruction.
type Instruction struct {
	Kind string `json:"kind"` // such as punctuation:no_comma
	Args Args   `json:"args"`
}

// Args are what an instruction is about; which of them count depends on its kind.
type Args struct {
	Keywords       []string `json:"keywords,omitempty"`
	Keyword        string   `json:"keyword,omitempty"`
	Frequency      int      `json:"frequency,omitempty"`
	Relation       string   `json:"relation,omitempty"` // "at least" or "less than"
	Forbidden      []string `json:"forbidden_words,omitempty"`
	Letter         string   `json:"letter,omitempty"`
	LetterCount    int      `json:"let_frequency,omitempty"`
	LetterRelation string   `json:"let_relation,omitempty"`
	Language       string   `json:"language,omitempty"` // ISO 639-1
	Sentences      int      `json:"num_sentences,omitempty"`
	Paragraphs     int      `json:"num_paragraphs,omitempty"`
	Words          int      `json:"num_words,omitempty"`
	FirstWord      string   `json:"first_word,omitempty"`
	Nth            int      `json:"nth_paragraph,omitempty"`
	Placeholders   int      `json:"num_placeholders,omitempty"`
	Marker         string   `json:"postscript_marker,omitempty"`
	Bullets        int      `json:"num_bullets,omitempty"`
	Highlights     int      `json:"num_highlights,omitempty"`
	Splitter       string   `json:"section_spliter,omitempty"` // spelt as in the published data
	Sections       int      `json:"num_sections,omitempty"`
	Repeat         string   `json:"prompt_to_repeat,omitempty"`
	End            string   `json:"end_phrase,omitempty"`
	CapitalCount   int      `json:"capital_frequency,omitempty"`
	CapitalRel     string   `json:"capital_relation,omitempty"`
}

// Verdict says for each instruction of a prompt whether an answer follows it. Strict looks at the answer as it stands, Loose also
// without its first or last line and without asterisks, so that "Sure, here is …" or bold type break nothing.
type Verdict struct {
	Strict []bool `json:"strict"`
	Loose  []bool `json:"loose"`
}

// Followed counts the instructions that are followed.
func Followed(each []bool) int {
	n := 0
	for _, ok := range each {
		if ok {
			n++
		}
	}
	return n
}

// All reports whether every instruction is followed.
func All(each []bool) bool { return Followed(each) == len(each) }

// Check holds an answer to the prompt's instructions. An empty answer follows none.
func (p *Prompt) Check(answer string) Verdict {
	v := Verdict{Strict: make([]bool, len(p.Instructions)), Loose: make([]bool, len(p.Instructions))}
	views := loosened(answer)
	for i := range p.Instructions {
		in := &p.Instructions[i]
		follows := rules[in.Kind].follows
		v.Strict[i] = strings.TrimSpace(answer) != "" && follows(answer, &in.Args)
		v.Loose[i] = slices.ContainsFunc(views, func(view string) bool { return follows(view, &in.Args) })
	}
	return v
}

// loosened are the views of an answer that the loose verdict tries: whole, without the first, the last, and both lines, each with
// and without asterisks. Empty ones are left out.
func loosened(answer string) []string {
	lines := strings.Split(answer, "\n")
	views := []string{answer, "", "", ""}
	views[1] = strings.Join(lines[1:], "\n")
	views[2] = strings.Join(lines[:len(lines)-1], "\n")
	if len(lines) > 2 {
		views[3] = strings.Join(lines[1:len(lines)-1], "\n")
	}
	var out []string
	for i, v := range views {
		if i > 0 {
			v = strings.TrimSpace(v)
		}
		for _, w := range []string{v, strings.ReplaceAll(v, "*", "")} {
			if strings.TrimSpace(w) != "" && !slices.Contains(out, w) {
				out = append(out, w)
			}
		}
	}
	return out
}

// Kinds are the kinds of instructions that are checked, sorted.
func Kinds() []string {
	out := make([]string, 0, len(rules))
	for k := range rules {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// maxLine bounds a row of a prompts file, in bytes, and maxPrompts their number.
const (
	maxLine    = 1 << 20
	maxPrompts = 100_000
)

// row is a line of a prompts file, in the spelling of the published data or of the copies in circulation.
type row struct {
	ID    json.RawMessage `json:"id"`
	Key   json.RawMessage `json:"key"`
	Text  string          `json:"prompt"`
	Kinds []string        `json:"instruction_ids"`
	List  []string        `json:"instruction_id_list"`
	Args  []Args          `json:"kwargs"`
}

// Read reads prompts from JSON lines {"id", "prompt", "instruction_ids", "kwargs"}; the published file's "key" and
// "instruction_id_list" do as well. All faults of the file come at once, as rung.Errors; name is what they call it.
func Read(r io.Reader, name string) ([]Prompt, error) {
	scan := bufio.NewScanner(r)
	scan.Buffer(nil, maxLine)
	var out []Prompt
	var faults rung.Errors
	seen := map[string]int{}
	for n := 1; scan.Scan(); n++ {
		line := bytes.TrimSpace(scan.Bytes())
		if len(line) == 0 {
			continue
		}
		p, err := parse(line, n)
		if err == nil && seen[p.ID] > 0 {
			err = fmt.Errorf("the id %q is that of line %d", p.ID, seen[p.ID])
		}
		if err != nil {
			faults = append(faults, &rung.Error{Code: rung.CodeInput, Place: fmt.Sprintf("%s:%d", name, n), What: err.Error(), Do: "correct the row"})
			if len(faults) == 20 {
				break
			}
			continue
		}
		seen[p.ID] = n
		if out = append(out, p); len(out) > maxPrompts {
			return nil, &rung.Error{Code: rung.CodeInput, Place: name, What: fmt.Sprintf("it has more than %d prompts", maxPrompts), Do: "use fewer"}
		}
	}
	if err := scan.Err(); err != nil {
		faults = append(faults, &rung.Error{Code: rung.CodeInput, Place: name, What: "it cannot be read: " + err.Error(), Do: "check that each line is one JSON object", Err: err})
	}
	if len(out) == 0 && len(faults) == 0 {
		faults = append(faults, &rung.Error{Code: rung.CodeInput, Place: name, What: "it holds no prompt", Do: `write rows {"id", "prompt", "instruction_ids", "kwargs"}`})
	}
	if err := faults.Or(); err != nil {
		return nil, err
	}
	return out, nil
}

func parse(line []byte, n int) (Prompt, error) {
	var r row
	if err := json.Unmarshal(line, &r); err != nil {
		return Prompt{}, fmt.Errorf("the row is not as it should be: %w", err)
	}
	kinds := r.Kinds
	if kinds == nil {
		kinds = r.List
	}
	p := Prompt{ID: idOf(r.ID, r.Key, n), Text: r.Text, Line: n}
	switch {
	case strings.TrimSpace(r.Text) == "":
		return p, fmt.Errorf("the row has no prompt")
	case len(kinds) == 0:
		return p, fmt.Errorf("the row has no instruction_ids")
	case len(kinds) != len(r.Args):
		return p, fmt.Errorf("the row has %d instruction_ids and %d kwargs", len(kinds), len(r.Args))
	}
	for i, kind := range kinds {
		rule, known := rules[kind]
		if !known {
			return p, fmt.Errorf("there is no instruction kind %q", kind)
		}
		if rule.fault != nil {
			if what := rule.fault(&r.Args[i]); what != "" {
				return p, fmt.Errorf("%s %s", kind, what)
			}
		}
		p.Instructions = append(p.Instructions, Instruction{kind, r.Args[i]})
	}
	return p, nil
}

// idOf is the row's name: its id, the published file's key, or its line.
func idOf(id, key json.RawMessage, line int) string {
	for _, raw := range []json.RawMessage{id, key} {
		if text := strings.Trim(string(raw), `"`); text != "" && text != "null" {
			return text
		}
	}
	return fmt.Sprintf("line-%d", line)
}

// Sample takes n prompts, those whose text has the least digest: the same on every machine, in an order without meaning.
func Sample(prompts []Prompt, n int) []Prompt {
	out := slices.Clone(prompts)
	slices.SortFunc(out, func(a, b Prompt) int {
		return cmp.Or(cmp.Compare(rung.DigestBytes([]byte(a.Text)), rung.DigestBytes([]byte(b.Text))), cmp.Compare(a.ID, b.ID))
	})
	return out[:min(n, len(out))]
}
