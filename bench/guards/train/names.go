package main

import (
	"unicode/utf8"

	"github.com/rung-dev/rung/internal/guard/linear"
	"github.com/rung-dev/rung/internal/pii"
)

// spans are labelled pieces of a text, in characters.
type labelled struct {
	Text     string `json:"text"`
	Template int    `json:"template_id"`
	Spans    []struct {
		Type       string `json:"type"`
		Start, End int
	} `json:"spans"`
	Tokens []string `json:"tokens"`
	Tags   []string `json:"tags"`
}

var (
	personTypes = map[string]bool{"PERSON": true, "person": true}
	placeTypes  = map[string]bool{"GPE": true, "STREET_ADDRESS": true, "ZIP_CODE": true, "location": true}
)

// nameExamples are words with the answer whether they are part of a name of the types: from sentences made from templates with an
// even number (the benchmark has the odd ones) and from messages of wnut17's train split.
func nameExamples(data string, types map[string]bool) []linear.Example {
	var out []linear.Example
	for _, r := range rows[labelled](data, "presidio_pii", "all.jsonl") {
		if r.Template%2 == 0 {
			out = append(out, wordsOf(r.Text, spansOf(r, types), 1)...)
		}
	}
	for _, r := range rows[labelled](data, "wnut17", "train.jsonl") {
		text, spans := joinTokens(r, types)
		out = append(out, wordsOf(text, spans, .5)...)
	}
	return out
}

func spansOf(r labelled, types map[string]bool) [][2]int {
	var at []int
	for i := range r.Text {
		at = append(at, i)
	}
	at = append(at, len(r.Text))
	var out [][2]int
	for _, s := range r.Spans {
		if types[s.Type] {
			out = append(out, [2]int{at[s.Start], at[s.End]})
		}
	}
	return out
}

// joinTokens writes tokens with spaces between, as people write them, and finds the tagged ones in that.
func joinTokens(r labelled, types map[string]bool) (text string, spans [][2]int) {
	for i, w := range r.Tokens {
		if first, _ := utf8.DecodeRuneInString(w); i > 0 && first != ',' && first != '.' && first != '!' && first != '?' && first != ':' {
			text += " "
		}
		start := len(text)
		text += w
		if len(r.Tags[i]) > 2 && types[r.Tags[i][2:]] {
			spans = append(spans, [2]int{start, len(text)})
		}
	}
	return text, spans
}

func wordsOf(text string, spans [][2]int, weight float64) []linear.Example {
	var out []linear.Example
	for _, w := range pii.Words(text) {
		yes := false
		for _, s := range spans {
			yes = yes || w.Start < s[1] && s[0] < w.End
		}
		out = append(out, linear.Example{Features: w.Features, Yes: yes, Weight: weight})
	}
	return out
}
