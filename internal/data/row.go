package data

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/rung-dev/rung"
)

// member is one key of a row with its JSON value.
type member struct {
	key   []byte
	value []byte
}

// meta are the keys of a row that are not input.
var meta = []string{"id", "input", "output", "label", "alternatives", "segment", "group", "split", "generated", "counter_of",
	"failure_modes", "source", "time", "person"}

// row makes an example of the members of one row. It takes the shapes that the documentation of the task file lists:
// {"input": {…}, "output": …}, the same with a bare value for the only field, flat rows, and chat fine-tuning rows.
func (im *importer) row(members []member) {
	if im.out.Rows++; im.out.Rows > maxRows {
		if im.out.Rows == maxRows+1 {
			im.fault(fmt.Sprintf("there are more than %d rows", maxRows), "take a sample")
		}
		return
	}
	if chat := im.get(members, "messages"); chat != nil && im.get(members, "input") == nil {
		if _, own := im.index["messages"]; !own {
			im.chatRow(members, chat)
			return
		}
	}
	e := rung.Example{Line: im.line, File: im.path}
	input, ok := im.input(members)
	if !ok {
		return
	}
	output := im.get(members, "output")
	if _, own := im.index["label"]; output == nil && !own {
		output = im.get(members, "label")
	}
	form := im.task.Output.Kind
	if output == nil || string(output) == "null" && (form == rung.Labels || form == rung.Text) {
		im.fault("the row has no output", `add the expected answer under "output"`)
		return
	}
	im.complete(&e, members, input, output)
}

// complete fills in everything but the input, checks the row and keeps it. The input is in scratch.
func (im *importer) complete(e *rung.Example, members []member, input, output []byte) {
	e.Input = im.arena.keep(input)
	out, err := compact(im.scratch[:0], output)
	if err != nil {
		im.fault("the output is not JSON: "+err.Error(), "correct it")
		return
	}
	im.scratch = out
	e.Output = im.arena.share(out)
	if !im.generated(e, members) || !im.check(e.Output, e.Input, "the output") || !im.metadata(e, members) || !im.identify(e) {
		return
	}
	im.out.Examples = append(im.out.Examples, *e)
}

// check holds an expected output to the output form.
func (im *importer) check(output, input json.RawMessage, what string) bool {
	err := im.form.Validate(output, input)
	if err == nil {
		return true
	}
	im.out.Broken++
	do := "correct it, or the output form in the task file"
	if im.task.Output.Kind == rung.Labels {
		do = "write one of the labels of the task, or add the label there"
	}
	im.fault(fmt.Sprintf("%s %s does not fit the output form: %s", what, clip(output, 60), err), do)
	return false
}

func (im *importer) get(members []member, key string) []byte {
	for i := range members {
		if string(members[i].key) == key {
			return members[i].value
		}
	}
	return nil
}

// input builds the input object in scratch, its fields in the order of the task.
func (im *importer) input(members []member) ([]byte, bool) {
	nested := im.get(members, "input")
	_, own := im.index["input"]
	switch {
	case nested == nil || own && nested[0] != '{':
		im.noteUnknown(members, true)
		return im.fields(members)
	case nested[0] == '{':
		im.noteUnknown(members, false)
		inner, err := im.objects.members(nested, im.inner[:0])
		if err != nil {
			im.fault("the input is not JSON: "+err.Error(), "correct it")
			return nil, false
		}
		im.inner = inner
		for _, m := range inner {
			if _, ok := im.index[string(m.key)]; !ok {
				im.unknown["input."+string(m.key)]++
			}
		}
		return im.fields(inner)
	case im.single != "":
		im.noteUnknown(members, false)
		return im.fields([]member{{[]byte(im.single), nested}})
	}
	im.fault(fmt.Sprintf("the input is %s, and the task has %d input fields", kindOf(nested), len(im.task.Input)), "write an object with the fields "+im.fieldNames())
	return nil, false
}

func (im *importer) fieldNames() string {
	names := make([]string, len(im.task.Input))
	for i, f := range im.task.Input {
		names[i] = f.Name
	}
	return strings.Join(names, ", ")
}

// noteUnknown counts keys that mean nothing.
func (im *importer) noteUnknown(members []member, flat bool) {
next:
	for i := range members {
		for _, known := range meta {
			if string(members[i].key) == known {
				continue next
			}
		}
		if _, ok := im.index[string(members[i].key)]; flat && ok {
			continue
		}
		if len(im.unknown) < 100 {
			im.unknown[string(members[i].key)]++
		}
	}
}

// fields writes the input object.
func (im *importer) fields(members []member) ([]byte, bool) {
	b, ok := append(im.scratch[:0], '{'), true
	for i, f := range im.task.Input {
		value := im.get(members, f.Name)
		if value == nil {
			im.fault(fmt.Sprintf("the input field %s is missing", f.Name), im.missingHint(members, f.Name))
			ok = false
			continue
		}
		if !hasType(value, f.Type) {
			im.fault(fmt.Sprintf("the input field %s is %s, and the task says %s", f.Name, kindOf(value), f.Type), "correct the row, or the type in the task file")
			ok = false
			continue
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), f.Name...), '"', ':')
		var err error
		if b, err = compact(b, value); err != nil {
			im.fault(fmt.Sprintf("the input field %s is not JSON: %v", f.Name, err), "correct it")
			ok = false
		}
	}
	im.scratch = append(b, '}')
	return im.scratch, ok
}

func (im *importer) missingHint(members []member, name string) string {
	var keys []string
	for _, m := range members {
		keys = append(keys, string(m.key))
		if len(keys) == 8 {
			break
		}
	}
	if len(keys) == 0 {
		return "add it"
	}
	return fmt.Sprintf("add it, or rename it in the task file; the row has %s", strings.Join(keys, ", "))
}

// metadata reads alternatives, segment, group, time and split.
func (im *importer) metadata(e *rung.Example, members []member) bool {
	ok := true
	for _, key := range []string{"segment", "group", "time", "split", "id"} {
		value := im.get(members, key)
		if _, own := im.index[key]; value == nil || own || string(value) == "null" {
			continue
		}
		text, fine := scalar(value)
		if !fine {
			im.fault(fmt.Sprintf("%s is %s", key, kindOf(value)), "write text or a number")
			ok = false
			continue
		}
		switch key {
		case "segment":
			e.Segment = im.arena.shareText(text)
		case "group":
			e.Group = im.arena.shareText(text)
		case "time":
			e.Time = im.arena.text(text)
		case "id":
			e.ID = im.arena.text(text)
		case "split":
			if e.Split, fine = splitOf(string(text)); !fine {
				im.fault(fmt.Sprintf("the split is %q", text), "write train, dev or heldout")
				ok = false
			}
		}
	}
	return im.alternatives(e, members) && ok
}

// splitOf reads a split by its name here or by the usual other names.
func splitOf(s string) (rung.Split, bool) {
	switch strings.ToLower(s) {
	case "":
		return "", true
	case "train", "training":
		return rung.Train, true
	case "dev", "val", "valid", "validation":
		return rung.Dev, true
	case "heldout", "held-out", "held_out", "test":
		return rung.HeldoutIs, true
	}
	return "", false
}

func (im *importer) alternatives(e *rung.Example, members []member) bool {
	value := im.get(members, "alternatives")
	if _, own := im.index["alternatives"]; value == nil || own || string(value) == "null" {
		return true
	}
	var list []json.RawMessage
	if err := json.Unmarshal(value, &list); err != nil {
		im.fault("alternatives is "+kindOf(value), "write a list of other outputs that are right")
		return false
	}
	for i, item := range list {
		b, err := compact(im.scratch[:0], item)
		if err != nil {
			im.fault("an alternative is not JSON: "+err.Error(), "correct it")
			return false
		}
		im.scratch = b
		kept := json.RawMessage(im.arena.share(b))
		if !im.check(kept, e.Input, fmt.Sprintf("alternative %d,", i+1)) {
			return false
		}
		e.Alternatives = append(e.Alternatives, kept)
	}
	return true
}

// identify refuses an id that another example has.
func (im *importer) identify(e *rung.Example) bool {
	at := int32(len(im.out.Examples))
	if e.ID == "" {
		im.missing = append(im.missing, at)
		return true
	}
	if i, ok := im.first[e.ID]; ok {
		other := im.out.Examples[i]
		where := fmt.Sprintf("line %d", other.Line)
		if other.File != e.File {
			where = fmt.Sprintf("%s:%d", shownPath(other.File), other.Line)
		}
		im.fault(fmt.Sprintf("the id %q is also in %s", e.ID, where), "give every example its own id, or leave ids out")
		return false
	}
	im.first[e.ID] = at
	return true
}

// objectReader splits objects; the decoder is used again for every row, which spares most allocations.
type objectReader struct {
	buf bytes.Buffer
	dec *jsontext.Decoder
}

// members splits a JSON object into its keys and values, which point into raw.
func (o *objectReader) members(raw []byte, into []member) ([]member, error) {
	o.buf = *bytes.NewBuffer(raw)
	if o.dec == nil {
		o.dec = jsontext.NewDecoder(&o.buf)
	} else {
		o.dec.Reset(&o.buf)
	}
	dec := o.dec
	if dec.PeekKind() != '{' {
		if _, err := dec.ReadValue(); err != nil {
			return nil, err
		}
		return nil, errNotObject
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	for dec.PeekKind() != '}' {
		key, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		end := dec.InputOffset()
		name := raw[end-int64(len(key))+1 : end-1]
		if bytes.IndexByte(name, '\\') >= 0 {
			if name, err = jsontext.AppendUnquote(nil, key); err != nil {
				return nil, err
			}
		}
		value, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		end = dec.InputOffset()
		into = append(into, member{name, raw[end-int64(len(value)) : end]})
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	return into, atEnd(dec)
}
