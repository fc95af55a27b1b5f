package formats

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/rows"
)

// parts are the fields of the input that were named, each with the key that it is read from: those with a name of their own first. Input of
// "*" names none.
func (o *Options) parts() (out []part) {
	for _, role := range slices.Sorted(maps.Keys(o.Map)) {
		if name, ok := strings.CutPrefix(role, "input."); ok {
			out = append(out, part{name, o.Map[role]})
		}
	}
	if len(o.Input) == 1 && o.Input[0] == "*" {
		return out
	}
	for _, key := range o.Input {
		out = append(out, part{key, key})
	}
	return out
}

// named are the keys that were named, each with what it was named for.
func (o *Options) named() map[string]string {
	out := map[string]string{}
	for role, key := range o.Map {
		out[key] = role
	}
	for _, p := range o.parts() {
		if out[p.key] == "" {
			out[p.key] = "input"
		}
	}
	if o.Output != "" {
		out[o.Output] = "output"
	}
	return out
}

// mapped obeys a mapping in a format that knows itself what is asked and answered: of the input that the format gives it takes the fields
// that were named, and what has another role there leaves it.
type mapped struct {
	shape
	common
	parts  []part
	others map[string]string // the keys of roles that are no fields of the input
	seen   map[string]bool   // keys that were found in an input
}

func (m *mapped) rows(text []byte) ([]draft, error) {
	drafts, err := m.shape.rows(text)
	if err != nil {
		return nil, err
	}
	for i := range drafts {
		if err := m.one(&drafts[i]); err != nil {
			return nil, err
		}
	}
	return drafts, nil
}

func (m *mapped) one(d *draft) error {
	members, err := m.members(d.row.Input)
	if err != nil {
		return nil //nolint:nilerr // an input that is no object is found by the check
	}
	members = slices.Clone(members)
	if members, err = m.take(d, members); err != nil || len(m.parts) == 0 && len(members) > 0 {
		d.row.Input = written(members)
		return err
	}
	var pairs []any
	for _, p := range m.parts {
		if v := rows.Get(members, p.key); len(v) > 0 {
			m.seen[p.key] = true
			pairs = append(pairs, p.name, canonical(v))
		}
	}
	if len(pairs) == 0 {
		return faulty("the row has none of the fields of the input (%s)", strings.Join(m.keys(), ", "))
	}
	for _, f := range members {
		if !slices.Contains(m.keys(), string(f.Key)) {
			d.left = append(d.left, "field "+string(f.Key)+" of the input")
		}
	}
	d.row.Input = object(pairs...)
	return nil
}

// take gives the row what has another role among the fields of its input, and leaves these.
func (m *mapped) take(d *draft, members []rows.Member) ([]rows.Member, error) {
	taken := map[string]bool{}
	for _, role := range slices.Sorted(maps.Keys(m.others)) {
		key := m.others[role]
		v := m.value(members, key)
		if v == nil {
			continue
		}
		taken[key], m.seen[key] = true, true
		if role == "output" {
			d.row.Output = v
		} else if err := m.meta(d, role, v); err != nil {
			return members, err
		}
	}
	return slices.DeleteFunc(members, func(f rows.Member) bool { return taken[string(f.Key)] }), nil
}

// written is an object of its members.
func written(members []rows.Member) json.RawMessage {
	var pairs []any
	for _, f := range members {
		pairs = append(pairs, string(f.Key), canonical(f.Value))
	}
	return object(pairs...)
}

func (m *mapped) keys() (out []string) {
	for _, p := range m.parts {
		out = append(out, p.key)
	}
	return out
}

// obeying is a shape that obeys the mapping. Flat rows do so themselves.
func (r *reading) obeying(s shape, format Format) shape {
	if format == Flat || len(r.named) == 0 {
		return s
	}
	m := &mapped{shape: s, common: common{o: r.o, names: r.f.Names}, parts: r.o.parts(), others: map[string]string{}, seen: r.found}
	for role, key := range r.o.Map {
		if !strings.HasPrefix(role, "input.") {
			m.others[role] = key
		}
	}
	if r.o.Output != "" {
		m.others["output"] = r.o.Output
	}
	return m
}

// find notes which of the keys that were named the row has.
func (r *reading) find(text []byte, drafts []draft) {
	if len(r.found) == len(r.named) || len(text) == 0 {
		return
	}
	members, err := r.x.Members(text)
	for key, role := range r.named {
		switch {
		case err == nil && rows.Get(members, key) != nil:
			r.found[key] = true
		case r.out.Format == Promptfoo && slices.ContainsFunc(drafts, func(d draft) bool { return hasRole(&d.row, role) }):
			r.found[key] = true // it stood in the metadata of a test
		}
	}
}

func hasRole(row *rung.DatasetRow, role string) bool {
	switch role {
	case "segment":
		return row.Segment != ""
	case "group":
		return row.Group != ""
	case "split":
		return row.Split != ""
	case "time":
		return row.Time != ""
	case "person":
		return row.Person != ""
	case "alternatives":
		return len(row.Alternatives) > 0
	}
	return false
}

// absent are the keys that were named and that none of the rows had.
func (s *session) absent(found map[string]bool) (out []string) {
	for _, key := range slices.Sorted(maps.Keys(s.named)) {
		if !found[key] {
			out = append(out, key)
		}
	}
	return out
}

// noSuchKey is the error of a mapping that names what is not there. Left alone, a misspelt column would be a dataset without labels, or one
// whose persons nobody can find.
func (s *session) noSuchKey(place string, absent []string) error {
	var what []string
	for _, key := range absent {
		role := s.named[key]
		if name, ok := strings.CutPrefix(role, "input."); ok {
			role = "the input " + name
		} else {
			role = "the " + role
		}
		what = append(what, fmt.Sprintf("%q (%s)", key, role))
	}
	return &rung.Error{Code: rung.CodeInput, Place: place, What: "no row has the key " + strings.Join(what, " or ") + ", which was named; rows have " + clipList(s.keys),
		Do: "name the keys as the rows have them, or leave out what is not there"}
}
