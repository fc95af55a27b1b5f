package data

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/rows"
)

// SplitOptions say how rows are dealt out. The zero Shares are those that a task has by default.
type SplitOptions struct {
	Shares rung.Shares
	Rules  rung.SplitRules
	Name   string // of what the rows are from, for errors: the files, or the description
}

// Dealt says where each row went.
type Dealt struct {
	Splits     []rung.Split // of each row, in the order given; empty: left out
	LeftOut    []LeftOut    // in the order given
	Counts     map[rung.Split]int
	Clusters   map[rung.Split]int // copies of each other, and rows of one group, counted once
	Heldout    rung.Digest        // of the held-out set, as a climb on these rows has it
	Digest     rung.Digest        // of all rows and their splits
	Duplicates Duplicates
	Notes      []string
}

// SplitRows deals rows out to train, dev and held-out, as a task's examples are dealt: what it decides follows from the rows' content
// and not from their order, groups and near-copies stay in one split, and a split that a row names is kept. Rows without an output
// are dealt like others. The rows are not changed.
func SplitRows(ctx context.Context, all []rung.DatasetRow, o SplitOptions) (*Dealt, error) {
	if len(all) == 0 {
		return nil, &rung.Error{Code: rung.CodeInput, What: "there are no rows to split", Do: "add rows"}
	}
	if o.Shares == (rung.Shares{}) {
		o.Shares = rung.Shares{Train: .5, Dev: .15, Heldout: .35}
	}
	task, examples := examplesOf(all)
	task.Split, task.SplitRules = o.Shares, o.Rules
	c, err := cluster(ctx, task, examples)
	if err != nil {
		return nil, err
	}
	s := &splitter{shares: o.Shares, rules: o.Rules, examples: examples, name: o.Name}
	splits, err := s.assign(c)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(s.left, func(a, b LeftOut) int { return a.Row - b.Row })
	d := &Dealt{Splits: splits, LeftOut: s.left, Counts: map[rung.Split]int{}, Clusters: map[rung.Split]int{}, Duplicates: c.duplicates, Notes: slices.Concat(c.notes, s.notes)}
	content := make([]sum, len(examples))
	seen := make(map[int32]bool, len(examples))
	for i := range examples {
		content[i] = frozenSum(&examples[i])
		examples[i].Split = splits[i]
		d.Counts[splits[i]]++
		if root := c.forest.Root(int32(i)); !seen[root] && splits[i] != "" {
			seen[root] = true
			d.Clusters[splits[i]]++
		}
	}
	d.Heldout, d.Digest = digests(examples, content)
	return d, nil
}

// examplesOf makes examples of rows, their inputs with all fields in one order, and a task that has these fields.
func examplesOf(all []rung.DatasetRow) (*rung.Task, []rung.Example) {
	task := &rung.Task{}
	index := map[string]int{}
	var x rows.Extractor
	for i := range all {
		members, err := x.Members(all[i].Input)
		if err != nil {
			continue
		}
		for _, m := range members {
			at, known := index[string(m.Key)]
			if !known {
				at = len(task.Input)
				index[string(m.Key)] = at
				task.Input = append(task.Input, rung.Field{Name: string(m.Key)})
			}
			if f := &task.Input[at]; f.Type == "" && string(m.Value) != "null" {
				f.Type = fieldType(m.Value)
			}
		}
	}
	if len(task.Input) == 0 { // bare values
		task.Input = []rung.Field{{Name: "input", Type: "string"}}
	}
	for i := range task.Input {
		if task.Input[i].Type == "" {
			task.Input[i].Type = "string"
		}
	}
	examples := make([]rung.Example, len(all))
	for i := range all {
		r := &all[i]
		examples[i] = rung.Example{ID: r.ID, Input: ordered(&x, task.Input, r.Input), Output: r.Output, Alternatives: r.Alternatives, Segment: r.Segment,
			Group: r.Group, Time: r.Time, Split: r.Split, Generated: r.Generated, Counter: r.Counter, File: "row", Line: i + 1}
	}
	return task, examples
}

// fieldType is the type that an input field with such a value has.
func fieldType(value []byte) string {
	switch value[0] {
	case '"':
		return "string"
	case '[':
		return "array"
	case '{':
		return "object"
	case 't', 'f':
		return "boolean"
	}
	return "number"
}

// ordered is an input with all fields in the order given, null where it has one not; the input itself where it stands so already.
func ordered(x *rows.Extractor, fields []rung.Field, input json.RawMessage) json.RawMessage {
	members, err := x.Members(input)
	if err != nil {
		return slices.Concat(json.RawMessage(`{"input":`), nonEmpty(input), json.RawMessage(`}`))
	}
	b := make([]byte, 0, len(input)+16)
	b = append(b, '{')
	for i, f := range fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(quote(b, f.Name), ':')
		value := rows.Get(members, f.Name)
		if value == nil {
			b = append(b, "null"...)
			continue
		}
		if b, err = compact(b, value); err != nil {
			b = append(b, value...)
		}
	}
	return append(b, '}')
}

func nonEmpty(value json.RawMessage) json.RawMessage {
	if len(value) == 0 {
		return json.RawMessage("null")
	}
	return value
}

// Summary reads "500 train, 150 dev, 350 held-out".
func (d *Dealt) Summary() string {
	return fmt.Sprintf("%d train, %d dev, %d held-out", d.Counts[rung.Train], d.Counts[rung.Dev], d.Counts[rung.HeldoutIs])
}
