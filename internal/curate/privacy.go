package curate

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/formats"
	"github.com/rung-dev/rung/internal/pii"
	"github.com/rung-dev/rung/internal/task"
)

// privacy finds personal data, and says what stands in its place.
type privacy struct {
	spec     *task.PIISpec
	engine   *pii.Engine
	reports  *pii.Engine // for what stands in reports: all types that identify, whatever the description asks for
	options  pii.Options // of engine
	types    []pii.Type
	pointers []string
	left     []string            // pointers below these that are left alone: definitions of tools, which no person is in
	replace  func(pii.In) string // nil: rows stay as they are
	key      rung.Digest         // of the key of stand-ins, salted; "" without one
	secret   []byte              // the key itself, of stand-ins and the vault
	patterns rung.Digest
}

// newPrivacy makes what looks. Labels are not texts: where outputs are labels, they are left alone.
func newPrivacy(spec *task.PIISpec, output rung.Output, f *task.DescriptionFile) (*privacy, error) {
	p := &privacy{spec: spec, types: pii.Identifying, pointers: []string{"/input"}}
	if output.Kind != rung.Labels {
		p.pointers = append(p.pointers, "/output", "/alternatives")
	}
	p.left = []string{"/input/tools", "/input/functions"}
	if output.ToolsFrom != "" {
		p.left = append(p.left, pii.Pointer("input."+output.ToolsFrom))
	}
	if len(spec.Fields) > 0 {
		p.pointers, p.left = nil, nil
		for _, name := range spec.Fields {
			p.pointers = append(p.pointers, pii.Pointer(name))
		}
	}
	if err := p.chooseTypes(f); err != nil {
		return nil, err
	}
	patterns, err := p.readPatterns()
	if err != nil {
		return nil, err
	}
	p.options = pii.Options{Types: p.types, Patterns: patterns, Sure: spec.Sure}
	if p.engine, err = pii.New(p.options); err != nil {
		return nil, err
	}
	all := append(slices.Clone(p.types), pii.Identifying...)
	if p.reports, err = pii.New(pii.Options{Types: all, Patterns: patterns}); err != nil {
		return nil, err
	}
	for _, own := range patterns {
		p.types = append(slices.Clip(p.types), own.Type)
	}
	return p, p.chooseReplacement()
}

func (p *privacy) chooseTypes(f *task.DescriptionFile) error {
	if len(p.spec.Types) == 0 {
		return nil
	}
	p.types = nil
	for i, t := range p.spec.Types {
		switch {
		case t == "ALL":
			p.types = append(p.types, pii.Types...)
		case slices.Contains(pii.Types, t):
			p.types = append(p.types, t)
		default:
			return f.UnknownFault(fmt.Sprintf("pii.types[%d]", i), t, append([]string{"all"}, pii.Types...))
		}
	}
	return nil
}

func (p *privacy) readPatterns() (out []pii.Pattern, err error) {
	if p.spec.Patterns == "" {
		return nil, nil
	}
	b, err := os.ReadFile(p.spec.Patterns)
	if err != nil {
		return nil, unreadable(p.spec.Patterns, err)
	}
	p.patterns = rung.DigestBytes(b)
	if err := yaml.UnmarshalWithOptions(b, &out, yaml.Strict()); err != nil {
		return nil, &rung.Error{Code: rung.CodeInput, Place: p.spec.Patterns, What: "the patterns are not a list of type, pattern, near and check: " + yaml.FormatError(err, false, false), Do: "see docs/data-pii.md", Err: err}
	}
	return out, nil
}

func (p *privacy) chooseReplacement() (err error) {
	if p.spec.Do == task.PIIPseudonyms || p.spec.Vault != "" {
		if p.secret, err = os.ReadFile(p.spec.KeyFile); err != nil {
			return unreadable(p.spec.KeyFile, err)
		}
	}
	switch p.spec.Do {
	case task.PIIRedact:
		p.replace = pii.Placeholder
	case task.PIIPseudonyms:
		key := p.secret
		stand, err := pii.NewPseudonyms(key)
		if err != nil {
			return err
		}
		// The record says whether two builds had one key, and nothing by which a key could be guessed: keys are random bytes.
		p.key = rung.DigestBytes(append([]byte("rung data build key 1\n"), key...))
		p.replace = stand.For
	}
	return nil
}

// row looks at a row, and changes it where the description says so.
func (p *privacy) row(raw []byte) ([]byte, []pii.In, error) {
	replace := p.replace
	if replace != nil && len(p.left) > 0 {
		replace = func(f pii.In) string {
			if below(f.Field, p.left) {
				return f.Value()
			}
			return p.replace(f)
		}
	}
	out, found, err := p.engine.Row(raw, p.pointers, replace)
	return out, slices.DeleteFunc(found, func(f pii.In) bool { return below(f.Field, p.left) }), err
}

// below reports whether a pointer is one of others or goes into one.
func below(pointer string, others []string) bool {
	return slices.ContainsFunc(others, func(o string) bool { return pointer == o || strings.HasPrefix(pointer, o+"/") })
}

// blank is JSON with personal data and secrets of all types redacted, whatever the description says: for reports.
func (p *privacy) blank(raw json.RawMessage) json.RawMessage {
	if out, _, err := p.reports.Row(raw, nil, pii.Placeholder); err == nil {
		return out
	}
	return json.RawMessage(`"(not shown)"`)
}

// blankText is blank for a text.
func (p *privacy) blankText(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		return ""
	}
	var out string
	if json.Unmarshal(p.blank(quoted), &out) != nil {
		return ""
	}
	return out
}

// blankForms is blank for a sentence of our own that may hold a piece of a row: what has a form is taken out, words are not taken for names.
func (p *privacy) blankForms(text string) string {
	found := p.reports.Find(text)
	var b strings.Builder
	at := 0
	for _, f := range found {
		if !pii.Named(f.Type) {
			b.WriteString(text[at:f.Start] + "<" + f.Type + ">")
			at = f.End
		}
	}
	return b.String() + text[at:]
}

// covered does to a removed row what the description says about personal data, where the row went before that step.
func (p *privacy) covered(r *rung.RemovedRow) error {
	if p.replace == nil || r.Step != StepImport && r.Step != StepCheck {
		return nil
	}
	quoted, err := json.Marshal(r.Detail)
	if err != nil {
		return fmt.Errorf("a removed row: %w", err)
	}
	if quoted, _, err = p.engine.Row(quoted, nil, p.replace); err != nil {
		return fmt.Errorf("a removed row: %w", err)
	}
	if err := json.Unmarshal(quoted, &r.Detail); err != nil {
		return fmt.Errorf("a removed row: %w", err)
	}
	if len(r.Row) == 0 {
		return nil
	}
	out := []byte(r.Row)
	if out[0] == '"' { // it was no JSON
		out, _, err = p.engine.Row(out, nil, p.replace)
	} else {
		out, _, err = p.row(out)
	}
	if err != nil {
		return fmt.Errorf("a removed row: %w", err)
	}
	r.Row = out
	return nil
}

// repairs shows repairs without personal data.
func (p *privacy) repairs(in []formats.RepairExample) []formats.RepairExample {
	out := slices.Clone(in)
	for i := range out {
		out[i].Before, out[i].After = p.blankText(out[i].Before), p.blankText(out[i].After)
	}
	return out
}

func hexBytes(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		return []byte(s)
	}
	return b
}
