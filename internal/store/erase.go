package store

import (
	"bytes"
	"encoding/json"

	"github.com/rung-dev/rung"
)

// Erasure says what is to go from a store for good.
type Erasure struct {
	// Holds reports whether a text, JSON or not, holds what is to go.
	Holds func(text []byte) bool
	// Examples are the ids of rows that go. What is kept about one of them keeps its figures and loses its content.
	Examples map[string]bool
	// Vectors: what is made from texts and made again where it is missing, vectors and rows of tokens, goes in any case. No text can be looked
	// for in it.
	Vectors bool
	// Dry counts what would go, and changes nothing.
	Dry bool
}

// Erased counts what went, by what it was: completions, candidates, train pools, indexes, examples, scores, labels, ratings, queues, documents
// (of runs and evaluations), vectors, token rows, steps, traces, feedback.
type Erased map[string]int

// Total is all of it.
func (e Erased) Total() int {
	n := 0
	for _, k := range e {
		n += k
	}
	return n
}

// Add takes in another count.
func (e Erased) Add(o Erased) {
	for k, n := range o {
		e[k] += n
	}
}

// ErasedText stands where content was.
const ErasedText = "[erased]"

// Scrub puts ErasedText in the place of every text of a JSON value that holds what is to go. What is no JSON is replaced whole.
func (e *Erasure) Scrub(raw []byte) (out []byte, changed bool) {
	if len(raw) == 0 || !e.Holds(raw) {
		return raw, false
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return []byte(`"` + ErasedText + `"`), true
	}
	v, changed = e.scrub(v)
	if !changed { // the whole holds what none of its texts does alone
		return []byte(`"` + ErasedText + `"`), true
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return []byte(`"` + ErasedText + `"`), true
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), true
}

func (e *Erasure) scrub(v any) (any, bool) {
	changed := false
	switch v := v.(type) {
	case string:
		if e.Holds([]byte(v)) {
			return ErasedText, true
		}
	case []any:
		for i := range v {
			var did bool
			if v[i], did = e.scrub(v[i]); did {
				changed = true
			}
		}
	case map[string]any:
		for k := range v {
			got, did := e.scrub(v[k])
			if did {
				v[k], changed = got, true
			}
		}
	}
	return v, changed
}

// Queue takes the texts of items out of a queue of ratings that are about what is to go, and says whether there were any.
func (e *Erasure) Queue(q *rung.RatingQueue) bool {
	changed := false
	gone := json.RawMessage(`"` + ErasedText + `"`)
	for i := range q.Items {
		it := &q.Items[i]
		holds := e.Examples[it.Example] || e.Holds(it.Input) || e.Holds(it.Reference)
		for _, o := range it.Options {
			holds = holds || e.Holds([]byte(o.Text))
		}
		if !holds || bytes.Equal(it.Input, gone) {
			continue
		}
		changed = true
		it.Input = gone
		if len(it.Reference) > 0 {
			it.Reference = gone
		}
		for k := range it.Options {
			it.Options[k].Text = ErasedText
		}
	}
	return changed
}
