package rating

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/stats"
)

// LabelForm is how a screen asks for a label: a list to choose from, or a text that is edited.
type LabelForm struct {
	Kind       rung.OutputKind    `json:"kind"`
	Labels     []string           `json:"labels,omitempty"`
	Schema     json.RawMessage    `json:"schema,omitempty"`
	Modes      []rung.FailureMode `json:"modes,omitempty"` // that may be said of the shown answer
	Guidelines string             `json:"guidelines,omitempty"`
	Review     bool               `json:"review,omitempty"` // a generated row is looked at
}

// labelForm is the form of a queue of labels, nil for another kind.
func labelForm(q *rung.RatingQueue) (*LabelForm, *form.Form, error) {
	if q.Kind != rung.Labelled {
		return nil, nil, nil
	}
	if q.Labels == nil {
		return nil, nil, &rung.Error{Code: rung.CodeInput, Place: q.Name, What: "the queue does not say what a label looks like", Do: "make it anew with rung label make"}
	}
	f, err := form.New(q.Labels.Output)
	if err != nil {
		return nil, nil, err
	}
	l := q.Labels
	return &LabelForm{Kind: l.Output.Kind, Labels: l.Output.Labels, Schema: l.Output.Schema, Modes: l.Modes, Guidelines: l.Guidelines, Review: l.Batch != nil}, f, nil
}

// longestLabel is what a label may take, in bytes.
const longestLabel = 32 << 10

// label reads what was typed or chosen, in the form of the task: compact, in the order of the schema, so that equal labels have equal
// bytes.
func (s *Session) label(text string, input json.RawMessage) (json.RawMessage, error) {
	refuse := func(what string) (json.RawMessage, error) {
		return nil, &rung.Error{Code: rung.CodeUsage, What: what, Do: "correct it, or skip the item"}
	}
	text = strings.TrimSpace(text)
	if len(text) > longestLabel {
		return refuse(fmt.Sprintf("the label is longer than %d bytes", longestLabel))
	}
	return LabelOf(s.form, text, input, refuse)
}

// LabelOf is a typed label as the form writes it: compact, with properties in the order of the schema, and the bytes that
// encoding/json writes, so that it is the same before and after the store. refuse makes the error.
func LabelOf(f *form.Form, text string, input json.RawMessage, refuse func(string) (json.RawMessage, error)) (json.RawMessage, error) {
	value := json.RawMessage(text)
	if !f.JSON() {
		if text == "" {
			return refuse("there is no label")
		}
		value, _ = json.Marshal(text) // a string always has JSON
	} else if !json.Valid(value) {
		var syntax any
		return refuse("this is no JSON: " + json.Unmarshal(value, &syntax).Error())
	}
	if err := f.Validate(value, input); err != nil {
		return refuse(err.Error())
	}
	written, err := f.Encode(value, input)
	if err != nil {
		return refuse(err.Error())
	}
	if f.JSON() {
		return json.Marshal(json.RawMessage(written))
	}
	return json.Marshal(written)
}

// modes are those of the queue's taxonomy that were marked, in its order.
func (s *Session) modes(said []string) ([]string, error) {
	var out []string
	for _, m := range s.q.Labels.Modes {
		if slices.Contains(said, m.Name) {
			out = append(out, m.Name)
		}
	}
	if len(out) != len(said) {
		return nil, &rung.Error{Code: rung.CodeUsage, What: "a failure mode is marked that the queue does not have", Do: "reload the page"}
	}
	return out, nil
}

// Label is the verdict on an item: the adjudicated label, else that of more than half of those who labelled it. It is false where they
// are split and nobody settled it.
func (j *Judged) Label() (json.RawMessage, bool) {
	if j.Adjudicated != nil {
		return j.Adjudicated.Label, len(j.Adjudicated.Label) > 0
	}
	votes := map[string]int{}
	for i := range j.Ratings {
		label := string(j.Ratings[i].Label)
		if votes[label]++; label != "" && 2*votes[label] > len(j.Ratings) {
			return j.Ratings[i].Label, true
		}
	}
	return nil, false
}

// FailureModes are those that an adjudicator marked, else more than half of those who labelled the item.
func (j *Judged) FailureModes() []string {
	if j.Adjudicated != nil {
		return j.Adjudicated.Modes
	}
	votes := map[string]int{}
	var out []string
	for i := range j.Ratings {
		for _, m := range j.Ratings[i].Modes {
			if votes[m]++; 2*votes[m] > len(j.Ratings) && !slices.Contains(out, m) {
				out = append(out, m)
			}
		}
	}
	slices.Sort(out)
	return out
}

// LabelShare is how often a label was given, among the items that were drawn at random: others were chosen because they are hard or
// rare, so that their shares say nothing of the pool.
type LabelShare struct {
	Label string         `json:"label"`
	Items int            `json:"items"` // all that have it, however they were chosen
	Share *rung.Interval `json:"share,omitempty"`
}

// chosenAtRandom marks the items from which shares may be estimated.
const chosenAtRandom = "random"

// labels fills in the shares of labels, where they are from a list.
func (b *builder) labels(out *Result) {
	all, drawn, n := map[string]int{}, map[string]int{}, 0
	for i := range b.judged {
		label, ok := b.judged[i].Label()
		if !ok {
			continue
		}
		out.Settled++
		text := TextOf(label)
		all[text]++
		if b.judged[i].Item.Chosen == chosenAtRandom {
			drawn[text]++
			n++
		}
	}
	if b.q.Labels == nil || b.q.Labels.Output.Kind != rung.Labels {
		return
	}
	for _, label := range b.q.Labels.Output.Labels {
		if all[label] == 0 {
			continue
		}
		one := LabelShare{Label: label, Items: all[label]}
		if n > 0 {
			one.Share = b.share(drawn[label], n)
		}
		out.Labels = append(out.Labels, one)
	}
}

// labelTable are the labels of a field of JSON outputs, or of whole outputs where field is empty, as categories.
func labelTable(judged []Judged, field string) table {
	t := table{}
	names := map[string]float64{}
	code := func(r *rung.Rating) (float64, bool) {
		v := string(r.Label)
		if field != "" {
			var all map[string]json.RawMessage
			if json.Unmarshal(r.Label, &all) != nil {
				return 0, false
			}
			v = string(all[field]) // one who leaves it out says that it is not there
		}
		if r.Label == nil {
			return 0, false
		}
		if _, known := names[v]; !known {
			names[v] = float64(len(names))
		}
		return names[v], true
	}
	t.fill(judged, code)
	t.k = max(len(names), 2)
	return t
}

// mostFields of a JSON output have a figure of agreement of their own.
const mostFields = 12

// fields are the properties of the schema's top level, in its order.
func fields(q *rung.RatingQueue) []string {
	if q.Labels == nil || q.Labels.Output.Kind != rung.JSONSchema {
		return nil
	}
	var schema struct {
		Properties json.RawMessage `json:"properties"`
	}
	if json.Unmarshal(q.Labels.Output.Schema, &schema) != nil || schema.Properties == nil {
		return nil
	}
	var out []string
	for _, in := range InputsOf(schema.Properties) {
		if in.Name != "" && len(out) < mostFields {
			out = append(out, in.Name)
		}
	}
	return out
}

// labelAgreements are the figures of labels: of whole outputs, and of each field of JSON outputs.
func (b *builder) labelAgreements() []Agreement {
	var out []Agreement
	for _, field := range append([]string{""}, fields(b.q)...) {
		t := labelTable(b.judged, field)
		if len(t.units) == 0 {
			return nil
		}
		opt := t.options(b.o)
		if field != "" && opt.Resamples == 0 {
			opt.Resamples = 2000 // of many figures, each a part of the first
		}
		clusters := stats.Clusters(t.clusters)
		e := stats.KrippendorffFigure(t.units, stats.Nominal, clusters, opt)
		out = append(out, Agreement{field, "Krippendorff's α, nominal", t.raters, rung.Interval(e.Interval)})
		if field != "" {
			continue
		}
		if len(t.raters) > 2 {
			e := stats.FleissFigure(t.counts(), clusters, opt)
			out = append(out, Agreement{"", "Fleiss' κ", t.raters, rung.Interval(e.Interval)})
		}
		out = append(out, t.cohens("", b.q.Kind, opt)...)
	}
	return out
}

// labelSections are the tables of labels.
func (r *Result) labelSections() Section {
	s := Section{Title: "Labels", Rows: [][]string{{"label", "items", "share of the pool", "n"}}}
	var ivs []rung.Interval
	for _, l := range r.Labels {
		share, n := "–", "–"
		if l.Share != nil {
			ivs = append(ivs, *l.Share)
			share, n = figure(*l.Share), fmt.Sprint(l.Share.N)
		}
		s.Rows = append(s.Rows, []string{l.Label, fmt.Sprint(l.Items), share, n})
	}
	s.Footer = methods(ivs...)
	if len(ivs) > 0 {
		s.Footer = append(s.Footer, "Shares are of the items that were drawn at random: the others were chosen, and say nothing of the pool.")
	}
	return s
}
