package generate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/label"
)

// Templates are a file of templates: inputs and outputs with slots such as {city}, and what the slots are filled with.
type Templates struct {
	Templates []Template      `yaml:"templates"`
	Slots     map[string]Slot `yaml:"slots"`
	digest    rung.Digest
}

// Template is one of them. Slots may stand in any text of the input and the output.
type Template struct {
	Input  map[string]any `yaml:"input"`
	Output any            `yaml:"output"`
	Mode   string         `yaml:"mode"` // the failure mode that it should help with
}

// Slot is what a slot is filled with: the values of a list, or those of an input field of real train rows.
type Slot struct {
	Values []string `yaml:"values"`
	Field  string   `yaml:"field"`
}

var slotName = regexp.MustCompile(`\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// ReadTemplates reads a file of templates. All faults come at once.
func ReadTemplates(file string, content []byte, fields []rung.Field) (*Templates, error) {
	t := &Templates{digest: rung.DigestBytes(content)}
	var errs rung.Errors
	fault := func(format string, args ...any) {
		errs = append(errs, &rung.Error{Code: rung.CodeInput, Place: file, What: fmt.Sprintf(format, args...), Do: "see docs/generated-data.md for the form of templates"})
	}
	if err := yaml.UnmarshalWithOptions(content, t, yaml.Strict()); err != nil {
		fault("is no file of templates: %s", strings.TrimSpace(yaml.FormatError(err, false, true)))
		return nil, errs
	}
	if len(t.Templates) == 0 {
		fault("there is no template")
	}
	for name, s := range t.Slots {
		switch known := slices.ContainsFunc(fields, func(f rung.Field) bool { return f.Name == s.Field }); {
		case len(s.Values) == 0 && s.Field == "":
			fault("the slot %s has neither values nor a field", name)
		case s.Field != "" && (!known || len(s.Values) > 0):
			fault("the slot %s has the field %s, which the task's input does not have, or values beside it", name, s.Field)
		}
	}
	for i, one := range t.Templates {
		for _, f := range fields {
			if _, ok := one.Input[f.Name]; !ok {
				fault("template %d has no input field %s", i+1, f.Name)
			}
		}
		if one.Output == nil {
			fault("template %d has no output", i+1)
		}
		for _, m := range slotName.FindAllStringSubmatch(string(mustJSON([]any{one.Input, one.Output})), -1) {
			if _, ok := t.Slots[m[1]]; !ok {
				fault("template %d has the slot {%s}, and there is no such slot", i+1, m[1])
			}
		}
	}
	return t, errs.Or()
}

// Fill makes n drafts: templates in turns, each slot of a draft filled at random, the same text in all places of one draft.
func (t *Templates) Fill(n int, real []rung.DatasetRow, fields []rung.Field, f *form.Form, seed uint64) ([]Draft, error) {
	rng := rand.New(rand.NewPCG(seed, 0x7e3f1a7e))
	values, from := map[string][]string{}, map[string][]string{}
	for name, s := range t.Slots {
		values[name] = s.Values
		if s.Field == "" {
			continue
		}
		for i := range real {
			var text string
			if json.Unmarshal(member(real[i].Input, s.Field), &text) == nil && strings.TrimSpace(text) != "" {
				values[name], from[name] = append(values[name], text), append(from[name], real[i].ID)
			}
		}
		if len(values[name]) == 0 {
			return nil, &rung.Error{Code: rung.CodeInput, What: fmt.Sprintf("no train row has a text in the field %s that the slot %s is filled with", s.Field, name), Do: "name another field, or values"}
		}
	}
	out := make([]Draft, n)
	for i := range out {
		one := &t.Templates[i%len(t.Templates)]
		chosen, used := map[string]string{}, []string{}
		fill := func(text string) string {
			return slotName.ReplaceAllStringFunc(text, func(slot string) string {
				name := slot[1 : len(slot)-1]
				if _, ok := chosen[name]; !ok {
					at := rng.IntN(len(values[name]))
					chosen[name] = values[name][at]
					if ids := from[name]; ids != nil {
						used = append(used, ids[at])
					}
				}
				return chosen[name]
			})
		}
		input := make(map[string]any, len(one.Input))
		for _, field := range fields { // in the task's order, so that the same seed fills alike
			input[field.Name] = filled(one.Input[field.Name], fill)
		}
		d := Draft{Number: i%len(t.Templates) + 1, Row: rung.DatasetRow{Input: plainJSON(input), Output: plainJSON(filled(one.Output, fill))}}
		d.Row.Generated = &rung.Generated{By: "template", Prompt: rung.DigestOf([]any{t.digest, i % len(t.Templates)}), From: used}
		if one.Mode != "" {
			d.Row.Modes = []string{one.Mode}
		}
		shape(&d, fields, f)
		out[i] = d
	}
	return out, nil
}

// filled is a value with the slots in its texts filled.
func filled(v any, fill func(string) string) any {
	switch x := v.(type) {
	case string:
		return fill(x)
	case []any:
		out := make([]any, len(x))
		for i := range x {
			out[i] = filled(x[i], fill)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(x))
		names := make([]string, 0, len(x))
		for name := range x {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			out[name] = filled(x[name], fill)
		}
		return out
	}
	return v
}

func plainJSON(v any) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(v) != nil {
		return nil
	}
	return label.Plain(bytes.TrimSpace(b.Bytes()))
}
