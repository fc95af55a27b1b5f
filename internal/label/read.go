package label

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/rung-dev/rung"
)

// ReadRow reads a row for a task with these input fields: a dataset row, or a flat one with a key for each field and, where it is labelled,
// output or label. what says what is wrong with it; empty when nothing is. The input is compact, its fields in the task's order, as
// examples have it; an ID is given to rows without one, by their content.
func ReadRow(raw []byte, fields []rung.Field) (row rung.DatasetRow, what string) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		return row, "is no JSON object: " + err.Error()
	}
	input := all
	if nested, ok := all["input"]; ok && !(len(fields) == 1 && fields[0].Name == "input" && !bytes.HasPrefix(nested, []byte("{"))) {
		if err := json.Unmarshal(raw, &row); err != nil {
			return row, "is no row of a dataset: " + err.Error()
		}
		if json.Unmarshal(nested, &input) != nil {
			if len(fields) != 1 {
				return row, fmt.Sprintf("its input is no object, and the task has %d fields", len(fields))
			}
			input = map[string]json.RawMessage{fields[0].Name: nested}
		}
	} else {
		row.Output = all["output"]
		if row.Output == nil {
			row.Output = all["label"]
		}
		_ = json.Unmarshal(all["id"], &row.ID)       // what is no text is no name
		_ = json.Unmarshal(all["group"], &row.Group) // likewise
	}
	var b bytes.Buffer
	b.WriteByte('{')
	for i, f := range fields {
		v, ok := input[f.Name]
		if !ok {
			return row, fmt.Sprintf("has no input field %s", f.Name)
		}
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:", f.Name)
		if err := json.Compact(&b, v); err != nil {
			return row, "its field " + f.Name + " is no JSON"
		}
	}
	b.WriteByte('}')
	row.Input = Plain(b.Bytes())
	if bytes.Equal(row.Output, []byte("null")) {
		row.Output = nil
	}
	if row.ID == "" {
		row.ID = "x" + string(rung.DigestBytes(row.Input)[:12])
	}
	return row, ""
}
