package formats

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/rows"
	"github.com/rung-dev/rung/internal/trace"
)

// studioShape reads tasks of a Label Studio export.
type studioShape struct{ common }

// annotation is one person's work on a task.
type annotation struct {
	Cancelled bool `json:"was_cancelled"`
	Truth     bool `json:"ground_truth"`
	Result    []struct {
		Type  string                     `json:"type"`
		From  string                     `json:"from_name"`
		Value map[string]json.RawMessage `json:"value"`
	} `json:"result"`
}

func (s *studioShape) rows(text []byte) ([]draft, error) {
	var t struct {
		ID          json.RawMessage            `json:"id"`
		Data        json.RawMessage            `json:"data"`
		Meta        map[string]json.RawMessage `json:"meta"`
		Annotations []annotation               `json:"annotations"`
		Completions []annotation               `json:"completions"`
		Predictions []annotation               `json:"predictions"`
	}
	if err := json.Unmarshal(text, &t); err != nil || len(t.Data) == 0 || t.Data[0] != '{' {
		return nil, faulty("the row is no task with data")
	}
	var d draft
	var ours struct {
		rung.DatasetRow
		JSON bool `json:"output_is_json"`
	}
	if meta := t.Meta["rung"]; meta != nil && json.Unmarshal(meta, &ours) == nil {
		d.row = ours.DatasetRow
	} else if id, ok := scalarOf(t.ID); ok {
		d.row.ID = id
	}
	d.row.Input = canonical(t.Data)
	best, others := chosen(append(t.Annotations, t.Completions...))
	if others > 0 {
		d.left = append(d.left, "annotations that differ from the one that was taken")
	}
	if len(t.Predictions) > 0 {
		d.left = append(d.left, "predictions")
	}
	d.row.Output = best
	if text, ok := scalarText(best); ok && ours.JSON && json.Valid([]byte(text)) {
		d.row.Output = canonical([]byte(text))
	}
	members, err := s.members(text)
	if err != nil {
		return nil, err
	}
	for role, key := range s.o.Map {
		if v := s.value(members, key); v != nil && slices.Contains(roles, role) && role != "output" {
			if err := s.meta(&d, role, v); err != nil {
				return nil, err
			}
		}
	}
	return []draft{d}, nil
}

func scalarOf(v json.RawMessage) (string, bool) {
	if len(v) == 0 {
		return "", false
	}
	return scalar(v)
}

// chosen is the output of the annotation that is marked as the truth, or else of the first that was not cancelled; others is how many say
// something else.
func chosen(list []annotation) (best json.RawMessage, others int) {
	var all []json.RawMessage
	truth := -1
	for i := range list {
		if list[i].Cancelled {
			continue
		}
		if list[i].Truth && truth < 0 {
			truth = len(all)
		}
		all = append(all, list[i].output())
	}
	if len(all) == 0 {
		return nil, 0
	}
	best = all[max(truth, 0)]
	for _, o := range all {
		if !bytes.Equal(o, best) {
			others++
		}
	}
	return best, others
}

// output is what an annotation says: the value of its one question, or an object with that of each.
func (a *annotation) output() json.RawMessage {
	by := map[string][]json.RawMessage{}
	var order []string
	for _, r := range a.Result {
		v := valueOf(r.Type, r.Value)
		if v == nil {
			continue
		}
		if by[r.From] == nil {
			order = append(order, r.From)
		}
		by[r.From] = append(by[r.From], v)
	}
	one := func(list []json.RawMessage) json.RawMessage {
		if len(list) == 1 && list[0][0] != '{' {
			return list[0]
		}
		return json.RawMessage("[" + string(bytes.Join(asBytes(list), []byte(","))) + "]")
	}
	if len(order) == 1 {
		return one(by[order[0]])
	}
	var pairs []any
	for _, name := range order {
		pairs = append(pairs, name, one(by[name]))
	}
	if pairs == nil {
		return nil
	}
	return object(pairs...)
}

func asBytes(list []json.RawMessage) [][]byte {
	out := make([][]byte, len(list))
	for i, v := range list {
		out[i] = v
	}
	return out
}

// valueOf is the value of one result: the one choice or text, the list of several, the span with its labels.
func valueOf(kind string, value map[string]json.RawMessage) json.RawMessage {
	if value["start"] != nil && value["end"] != nil {
		return object("start", canonical(value["start"]), "end", canonical(value["end"]), "text", optional(value["text"]), "labels", optional(value[kind]))
	}
	v := value[kind]
	if kind == "textarea" {
		v = value["text"]
	}
	if len(v) == 0 {
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(v, &list) == nil && len(list) == 1 {
		v = list[0]
	}
	return canonical(v)
}

func optional(v json.RawMessage) json.RawMessage {
	if len(v) == 0 {
		return nil
	}
	return canonical(v)
}

// promptfooShape reads promptfoo's tests: one a row, or a configuration with all of them.
type promptfooShape struct{ common }

type assertion struct {
	Type   string          `json:"type"`
	Value  json.RawMessage `json:"value"`
	Assert []assertion     `json:"assert"`
}

type promptfooTest struct {
	Description string          `json:"description"`
	Vars        json.RawMessage `json:"vars"`
	Assert      []assertion     `json:"assert"`
	Metadata    json.RawMessage `json:"metadata"`
}

func (s *promptfooShape) rows(text []byte) ([]draft, error) {
	var config struct {
		Tests   json.RawMessage `json:"tests"`
		Default promptfooTest   `json:"defaultTest"`
	}
	if json.Unmarshal(text, &config) == nil && len(config.Tests) > 0 {
		var tests []json.RawMessage
		if json.Unmarshal(config.Tests, &tests) != nil {
			return nil, faulty("the tests lie in other files: name those")
		}
		var out []draft
		for _, t := range tests {
			d, err := s.test(t)
			if err != nil {
				return nil, err
			}
			if len(config.Default.Vars) > 0 || len(config.Default.Assert) > 0 {
				d.left = append(d.left, "defaultTest of the configuration")
			}
			out = append(out, d)
		}
		return out, nil
	}
	d, err := s.test(text)
	return []draft{d}, err
}

func (s *promptfooShape) test(text []byte) (d draft, err error) {
	var t promptfooTest
	if err := json.Unmarshal(text, &t); err != nil || len(t.Vars) == 0 || t.Vars[0] != '{' {
		return d, faulty("the test has no vars of its own")
	}
	d.row.ID = t.Description
	if len(t.Metadata) > 0 && t.Metadata[0] == '{' {
		members, err := s.members(t.Metadata)
		if err != nil {
			return d, err
		}
		if err := s.metadata(&d, members); err != nil {
			return d, err
		}
	}
	d.row.Input = canonical(t.Vars)
	for _, a := range t.Assert {
		if a.Type == "assert-set" && d.row.Output == nil && !slices.ContainsFunc(a.Assert, func(x assertion) bool { return x.Type != "equals" || len(x.Value) == 0 }) && len(a.Assert) > 0 {
			d.row.Output = canonical(a.Assert[0].Value)
			d.row.Alternatives = nil
			for _, x := range a.Assert[1:] {
				d.row.Alternatives = append(d.row.Alternatives, canonical(x.Value))
			}
			continue
		}
		if a.Type == "equals" && d.row.Output == nil && len(a.Value) > 0 {
			d.row.Output = canonical(a.Value)
			continue
		}
		d.left = append(d.left, "assert of type "+a.Type)
	}
	return d, nil
}

// traceShape reads traces of a gateway by the rule of rung traces export --examples.
type traceShape struct{ common }

func (s *traceShape) rows(text []byte) ([]draft, error) {
	var t trace.ToldTrace
	if err := json.Unmarshal(text, &t); err != nil {
		return nil, faulty("the row is no trace: %v", err)
	}
	input, output, corrected, reason := trace.ExampleOf(&t)
	if reason != "" {
		return nil, fault{"no_example", reason}
	}
	d := draft{row: rung.DatasetRow{ID: t.ID, Input: canonical(input), Output: canonical(output), Segment: t.Segment, Time: t.At.UTC().Format(time.RFC3339Nano)}}
	if !corrected {
		by := string(t.Upstream)
		if by == "" {
			by = t.Model
		}
		d.row.Generated = &rung.Generated{By: by, Prompt: rung.DigestBytes(input)}
	}
	if members, err := s.members(text); err == nil {
		for role, key := range s.o.Map {
			if v := rows.Get(members, key); v != nil && slices.Contains(roles, role) && role != "output" && !strings.HasPrefix(role, "input.") {
				if err := s.meta(&d, role, canonical(v)); err != nil {
					return nil, err
				}
			}
		}
	}
	return []draft{d}, nil
}
