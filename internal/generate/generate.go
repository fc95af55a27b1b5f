// Package generate makes rows that no person wrote, from a model or from templates, seeded by real mistakes; throws out those that break the
// form, fail a judge, or copy real or held-out rows, each with its reason; measures how diverse the rest is; and has a sample of a batch
// reviewed by people before any of it may be trained on.
package generate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/label"
)

// Allowed reports whether a row may be trained on or shown as a demonstration, and if not, why: rows that no person wrote only after a
// person has reviewed their batch.
func Allowed(row *rung.DatasetRow) (ok bool, why string) { return row.Generated.Trainable() }

// Seed is what a request for rows starts from: a mistake of a failure mode, or real rows.
type Seed struct {
	Mode  string // the failure mode that the rows should help with; empty: none
	Means string // of the mode
	Wrong string // the wrong answer to Rows[0], where there was one
	Rows  []rung.DatasetRow
}

// Draft is a row as it was made, or what was made instead of one.
type Draft struct {
	Row    rung.DatasetRow
	Raw    string // what was made, where it is no row
	Fault  string // why it is none
	Number int    // of the request, from 1
}

// The reasons for which a draft is no row of the batch.
const (
	Unreadable = "unreadable"  // nothing that could be read came back
	BreaksForm = "form"        // input or output is not in the task's form
	CopiesReal = "copies_real" // nearly the same as a real row
	Heldout    = "held-out"    // holds a held-out item; Detail says how it was found
	CopiesSelf = "copies_self" // nearly the same as an earlier generated row
	Judged     = "judge"       // the judge's score is too low
	Unjudged   = "no_verdict"  // the judge gave none
)

// shape checks a draft's input and output against the task, and writes both in its order.
func shape(d *Draft, fields []rung.Field, f *form.Form) {
	row, what := label.ReadRow(mustJSON(map[string]json.RawMessage{"input": d.Row.Input, "output": d.Row.Output}), fields)
	if what != "" {
		d.Fault = "the row " + what
		return
	}
	for _, field := range fields {
		if !hasType(member(row.Input, field.Name), field.Type) {
			d.Fault = fmt.Sprintf("the input field %s is no %s, or empty", field.Name, field.Type)
			return
		}
	}
	if len(row.Output) == 0 {
		d.Fault = "it has no output"
		return
	}
	if err := f.Validate(row.Output, row.Input); err != nil {
		d.Fault = err.Error()
		return
	}
	if f.JSON() { // in the order of the schema
		if text, err := f.Encode(row.Output, row.Input); err == nil {
			row.Output = json.RawMessage(text)
		}
	}
	d.Row.Input, d.Row.Output = row.Input, label.Plain(row.Output)
	d.Row.ID = "gen-" + string(rung.DigestBytes(slices.Concat(d.Row.Input, []byte("\n"), d.Row.Output))[:12])
}

func member(object json.RawMessage, name string) json.RawMessage {
	var all map[string]json.RawMessage
	if json.Unmarshal(object, &all) != nil {
		return nil
	}
	return all[name]
}

// hasType reports that a value is of a field's type, and a text not empty.
func hasType(v json.RawMessage, kind string) bool {
	v = bytes.TrimSpace(v)
	if len(v) == 0 {
		return false
	}
	switch kind {
	case "string":
		var s string
		return json.Unmarshal(v, &s) == nil && len(bytes.TrimSpace([]byte(s))) > 0
	case "number", "integer":
		var n json.Number
		if v[0] == '"' || json.Unmarshal(v, &n) != nil {
			return false
		}
		_, err := n.Int64()
		return kind == "number" || err == nil
	case "boolean":
		return string(v) == "true" || string(v) == "false"
	case "array":
		return v[0] == '['
	case "object":
		return v[0] == '{'
	}
	return true
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil { // a part is no JSON
		return []byte("null")
	}
	return b
}

// Shots are n different rows for the at-th request, drawn by a seed.
func Shots(rows []rung.DatasetRow, n int, seed uint64, at int) []rung.DatasetRow {
	rng := rand.New(rand.NewPCG(seed, 0x5407<<32|uint64(at)))
	var out []rung.DatasetRow
	for _, i := range rng.Perm(len(rows))[:min(n, len(rows))] {
		out = append(out, rows[i])
	}
	return out
}

// InTurns are seeds by failure mode, one of each mode at a time, modes by their names.
func InTurns(byMode map[string][]Seed) []Seed {
	var out []Seed
	names := slices.Sorted(maps.Keys(byMode))
	for turn := 0; ; turn++ {
		before := len(out)
		for _, name := range names {
			if turn < len(byMode[name]) {
				out = append(out, byMode[name][turn])
			}
		}
		if len(out) == before {
			return out
		}
	}
}
