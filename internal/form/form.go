// Package form is the output form of a task: what an answer must look like, how it is written in demonstrations and
// training targets, and how a model's text is read back. All three use one property order, the schema's: a grammar forces
// that order on constrained decoding, and demonstrations in another order make the answers worse.
package form

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/rung-dev/rung"
)

// Form reads and writes answers of one output form. It is safe for concurrent use.
type Form struct {
	out      rung.Output
	fixed    *compiled // of JSON answers and of tools that are the same for every input
	perInput toolCache
	labels   map[string]string // normalised → label
	byLength []string          // normalised labels, longest first
}

// Read is what Parse made of a model's text.
type Read struct {
	Value    json.RawMessage // compact, properties in the schema's order; nil when Problem is not empty
	Problem  rung.Problem
	Detail   string // the validator's message, fit to be sent back to the model
	Repaired bool   // the text was not valid JSON as it stood (fences, trailing commas, words around it)
	JSON     bool   // the text held JSON (repaired or not); for labels and text always true
}

// New prepares the form. A schema that is no schema is a CodeInput error.
func New(out rung.Output) (*Form, error) {
	f := &Form{out: out}
	var err error
	switch {
	case out.Kind == rung.JSONSchema:
		f.fixed, err = compile(out.Schema)
	case out.Kind == rung.Tools && out.ToolsFrom == "":
		f.fixed, err = f.perInput.get(out.Tools, out.ManyCalls)
	case out.Kind == rung.Labels:
		f.indexLabels()
	}
	return f, err
}

// Kind is the output kind.
func (f *Form) Kind() rung.OutputKind { return f.out.Kind }

// JSON reports whether answers are JSON objects or lists.
func (f *Form) JSON() bool { return f.out.Kind == rung.JSONSchema || f.out.Kind == rung.Tools }

// Choices are the labels, nil for other forms.
func (f *Form) Choices() []string { return f.out.Labels }

// Schema is the JSON Schema that an answer to input must meet, nil for labels and text. For tools it is made of the tool
// definitions, which may come with the input.
func (f *Form) Schema(input json.RawMessage) (json.RawMessage, error) {
	c, err := f.compiledFor(input)
	if c == nil {
		return nil, err
	}
	return c.raw, err
}

func (f *Form) compiledFor(input json.RawMessage) (*compiled, error) {
	if f.fixed != nil || f.out.Kind != rung.Tools {
		return f.fixed, nil
	}
	tools, err := f.tools(input)
	if err != nil {
		return nil, err
	}
	return f.perInput.get(tools, f.out.ManyCalls)
}

// Encode writes an expected output as a model should answer it: text and labels bare, JSON compact in the schema's
// property order.
func (f *Form) Encode(output, input json.RawMessage) (string, error) {
	if !f.JSON() {
		var s string
		if err := json.Unmarshal(output, &s); err != nil {
			return "", fmt.Errorf("the output is not a string: %w", err)
		}
		return s, nil
	}
	c, err := f.compiledFor(input)
	if err != nil {
		return "", err
	}
	b, err := c.ordered(output)
	return string(b), err
}

// Parse reads a model's text as an answer to input: finds the JSON or the label in it, repairs what is safe to repair, and
// validates. It never fails: what cannot be read has a Problem.
func (f *Form) Parse(text string, input json.RawMessage) Read {
	if strings.TrimSpace(text) == "" {
		return Read{Problem: rung.EmptyAnswer, Detail: "the answer is empty", JSON: !f.JSON()}
	}
	switch f.out.Kind {
	case rung.Text:
		return parseText(text)
	case rung.Labels:
		label, ok := f.readLabel(text)
		if !ok {
			return Read{Problem: rung.UnknownLabel, Detail: "the answer names none of the labels, or several", JSON: true}
		}
		value, _ := marshal(label)
		return Read{Value: value, JSON: true}
	default:
		return f.parseJSON(text, input)
	}
}

func (f *Form) parseJSON(text string, input json.RawMessage) Read {
	c, err := f.compiledFor(input)
	if err != nil {
		return Read{Problem: rung.BreaksSchema, Detail: err.Error()}
	}
	value, repaired, ok := readJSON(text)
	if !ok {
		return Read{Problem: rung.NotJSON, Detail: "the answer is not JSON"}
	}
	if err := c.check(value); err != nil {
		return Read{Problem: rung.BreaksSchema, Detail: err.Error(), Repaired: repaired, JSON: true}
	}
	ordered, err := c.ordered(value)
	if err != nil {
		return Read{Problem: rung.NotJSON, Detail: err.Error()}
	}
	return Read{Value: ordered, Repaired: repaired, JSON: true}
}

// Validate checks an expected output of an example; the error's message names the failing path.
func (f *Form) Validate(output, input json.RawMessage) error {
	if f.JSON() {
		c, err := f.compiledFor(input)
		if err != nil {
			return err
		}
		return c.check(output)
	}
	var s string
	if err := json.Unmarshal(output, &s); err != nil {
		return fmt.Errorf("the output is not a string")
	}
	if f.out.Kind != rung.Labels {
		return nil
	}
	for _, label := range f.out.Labels {
		if s == label {
			return nil
		}
	}
	return fmt.Errorf("%q is none of the labels", s)
}
