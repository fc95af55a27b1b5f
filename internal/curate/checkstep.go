package curate

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/rows"
	"github.com/rung-dev/rung/internal/task"
)

// The faults for which the check takes rows out. All others it reports.
const (
	faultForm    = "breaks_form" // the output does not fit the output form
	faultEmpty   = "empty"       // the input, or the output, has no text
	faultMissing = "missing"     // the input lacks a field of the task
)

var removable = []string{faultForm, faultEmpty, faultMissing}

// checkWords refuses words of the description that a step does not know.
func (b *build) checkWords(f *task.DescriptionFile) error {
	for i, word := range b.d.Check.Remove {
		if !slices.Contains(removable, word) {
			return f.UnknownFault(fmt.Sprintf("check.remove[%d]", i), word, removable)
		}
	}
	return nil
}

// checkOptions are what is recorded of the step.
type checkOptions struct {
	Remove []string     `json:"remove"`
	Input  []rung.Field `json:"input,omitempty"`
	Output rung.Digest  `json:"output,omitempty"` // of the output form
	Kind   string       `json:"output_form,omitempty"`
	Of     string       `json:"task,omitempty"`
}

func (b *build) checkStep() stepDef {
	o := checkOptions{Remove: b.d.Check.Remove, Input: b.d.Input, Of: b.d.TaskOf, Kind: string(b.d.Output.Kind)}
	if o.Remove == nil {
		o.Remove = removable
	}
	if b.form != nil {
		o.Output = rung.DigestOf(b.d.Output)
	}
	return stepDef{StepCheck, o, func(ctx context.Context, in *table, out *sink) error {
		c := &checking{b: b, remove: o.Remove}
		err := in.each(ctx, func(_ int, raw, origin []byte) error {
			why, detail, err := c.fault(raw)
			if err != nil {
				return err
			}
			if why == "" {
				return out.keep(raw, origin)
			}
			r, err := removedAt(raw, origin, why)
			if err != nil {
				return err
			}
			r.Detail = detail
			return out.remove(r)
		})
		if err != nil {
			return err
		}
		if b.form == nil {
			out.note("no output form is stated, so no output was held against one; name the task: task: task.yaml")
		}
		if out.report, err = c.look(ctx, in); err != nil {
			return err
		}
		if out.kept == 0 {
			return nothingLeft(b.d, out)
		}
		return nil
	}}
}

// nothingLeft is the error of a step after which there are no rows.
func nothingLeft(d *task.Description, out *sink) error {
	why := "no reason"
	if c := out.reasonCounts(); len(c) > 0 {
		why = fmt.Sprintf("most as %s: %d", c[0].Reason, c[0].Rows)
	}
	return &rung.Error{Code: rung.CodeInput, Place: d.File, What: fmt.Sprintf("the step %s took out all %s, %s", out.step, plural(out.gone, "row", "rows"), why),
		Do: "look at some with: rung data check FILE; then correct the files, or the step's options"}
}

// checking is the check under way.
type checking struct {
	b      *build
	remove []string
	x      rows.Extractor
	text   []byte
}

// fault says why a row goes; empty when it stays.
func (c *checking) fault(raw []byte) (why, detail string, err error) {
	row, err := rowOf(raw)
	if err != nil {
		return "", "", err
	}
	if slices.Contains(c.remove, faultMissing) {
		if name := c.missing(row.Input); name != "" {
			return faultMissing, "the input has no field " + name, nil
		}
	}
	if slices.Contains(c.remove, faultEmpty) {
		if c.textless("input", row.Input) {
			return faultEmpty, "the input has no text", nil
		}
		if len(row.Output) > 0 && row.Output[0] == '"' && c.textless("output", row.Output) {
			return faultEmpty, "the output has no text", nil
		}
	}
	if c.b.form == nil || len(row.Output) == 0 || !slices.Contains(c.remove, faultForm) {
		return "", "", nil
	}
	for _, output := range append([]json.RawMessage{row.Output}, row.Alternatives...) {
		if err := c.b.form.Validate(output, row.Input); err != nil {
			return faultForm, err.Error(), nil
		}
	}
	return "", "", nil
}

// missing is the first field of the task that an input lacks.
func (c *checking) missing(input json.RawMessage) string {
	members, err := c.x.Members(input)
	if err != nil {
		return ""
	}
	for _, f := range c.b.d.Input {
		if v := rows.Get(members, f.Name); v == nil || string(v) == "null" {
			return f.Name
		}
	}
	return ""
}

func (c *checking) textless(key string, value json.RawMessage) bool {
	var ok bool
	c.text, ok = rows.Fields{key}.Append(c.text[:0], []rows.Member{{Key: []byte(key), Value: value}})
	return !ok || len(bytes.TrimSpace(c.text)) == 0
}
