package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/rows"
)

// rowKeys say which keys of a row are what. Rows have {"input": …, "output": …}, or fields beside each other, or chat messages.
type rowKeys struct {
	input  []string // fields of the input, of flat rows; empty: all keys that are nothing else
	output string   // key of the output, of flat rows; empty: the usual ones
}

// usualOutputs are the keys of flat rows that hold what is expected, the first that a row has.
var usualOutputs = []string{"output", "label", "answer", "completion", "response", "target", "gold"}

// usualTimes are the keys that say when a row came about.
var usualTimes = []string{"time", "timestamp", "created_at", "date"}

// files reads rows of files as dataset rows. What is no JSON object goes to broken.
func (k rowKeys) files(ctx context.Context, paths []string, take func(*rung.DatasetRow, rung.Origin) error, broken func(rung.RemovedRow) error) (err error) {
	set, err := rows.Open(ctx, paths, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, set.Close()) }()
	var x rows.Extractor
	return set.Each(ctx, func(_ int, r rows.Row) error {
		file := set.Files[r.Place.File].Name
		members, err := x.Members(r.Raw)
		if err != nil {
			return broken(rung.RemovedRow{Step: "import", Reason: "unreadable", Detail: rows.Reason(err), File: file, Line: r.Line, Row: rawRow(r.Raw[:min(len(r.Raw), 400)])})
		}
		d := k.row(members)
		return take(&d, rung.Origin{ID: d.ID, File: file, Line: r.Line})
	})
}

// row makes a dataset row of the members of one.
func (k rowKeys) row(members []rows.Member) rung.DatasetRow {
	get := func(keys ...string) (string, []byte) {
		for _, key := range keys {
			if v := member(members, key); v != nil && !slices.Contains(k.input, key) {
				return key, v
			}
		}
		return "", nil
	}
	text := func(keys ...string) (key, value string) {
		key, v := get(keys...)
		return key, bareText(v)
	}
	var d rung.DatasetRow
	used := []string{"alternatives"}
	for _, f := range []struct {
		to   *string
		keys []string
	}{{&d.ID, []string{"id"}}, {&d.Group, []string{"group"}}, {&d.Segment, []string{"segment"}}, {&d.Source, []string{"source"}}, {&d.Person, []string{"person"}}, {&d.Time, usualTimes}} {
		key, value := text(f.keys...)
		*f.to, used = value, append(used, key)
	}
	key, split := text("split")
	d.Split, used = splitNamed(split), append(used, key)
	if _, alternatives := get("alternatives"); alternatives != nil {
		_ = json.Unmarshal(alternatives, &d.Alternatives) // what is no list has no alternatives
	}
	names := usualOutputs
	if k.output != "" {
		names = []string{k.output}
	}
	key, output := get(names...)
	d.Output, used = bytes.Clone(output), append(used, key)
	if string(d.Output) == "null" && key != "output" {
		d.Output = nil
	}
	if _, input := get("input"); input != nil && (input[0] == '{' || len(k.input) == 0) {
		d.Input = bytes.Clone(input)
		return d
	}
	k.flat(&d, members, used)
	return d
}

// flat puts the input together from the keys beside each other. Of chat messages the last answer is the output.
func (k rowKeys) flat(d *rung.DatasetRow, members []rows.Member, used []string) {
	b := []byte{'{'}
	for i := range members {
		name := string(members[i].Key)
		if len(k.input) > 0 && !slices.Contains(k.input, name) || len(k.input) == 0 && slices.Contains(used, name) {
			continue
		}
		value := members[i].Value
		if name == "messages" && len(d.Output) == 0 {
			value, d.Output = lastAnswer(value)
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		quoted, err := jsontext.AppendQuote(b, name)
		if err != nil {
			continue
		}
		b = append(append(quoted, ':'), value...)
	}
	d.Input = append(b, '}')
}

// lastAnswer parts chat messages into those before the last, when that is the assistant's, and its text.
func lastAnswer(raw []byte) (before, answer []byte) {
	var turns []json.RawMessage
	if json.Unmarshal(raw, &turns) != nil || len(turns) < 2 {
		return raw, nil
	}
	var last struct {
		Role    string          `json:"role"`
		Content json.RawMessage `json:"content"`
	}
	if json.Unmarshal(turns[len(turns)-1], &last) != nil || last.Role != "assistant" {
		return raw, nil
	}
	before, err := json.Marshal(turns[:len(turns)-1])
	if err != nil {
		return raw, nil
	}
	return before, last.Content
}

func member(members []rows.Member, key string) []byte {
	for i := range members {
		if string(members[i].Key) == key {
			return members[i].Value
		}
	}
	return nil
}

// bareText is the text of a JSON string or number.
func bareText(raw []byte) string {
	switch {
	case len(raw) == 0 || raw[0] == 'n' || raw[0] == '{' || raw[0] == '[':
		return ""
	case raw[0] != '"':
		return string(raw)
	}
	b, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return ""
	}
	return string(b)
}

// splitNamed is a split by the usual names; other names are none.
func splitNamed(s string) rung.Split {
	switch strings.ToLower(s) {
	case "train", "training":
		return rung.Train
	case "dev", "val", "valid", "validation":
		return rung.Dev
	case "heldout", "held-out", "held_out", "test":
		return rung.HeldoutIs
	}
	return ""
}
