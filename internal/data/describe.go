package data

import (
	"encoding/json"
	"slices"
	"unicode/utf8"

	"github.com/rung-dev/rung"
)

// LabelCount is how many examples of each split have a label.
type LabelCount struct {
	Label   string `json:"label"`
	Train   int    `json:"train"`
	Dev     int    `json:"dev"`
	Heldout int    `json:"heldout"`
}

// Total is over the splits.
func (l LabelCount) Total() int { return l.Train + l.Dev + l.Heldout }

// Lengths are estimated tokens.
type Lengths struct {
	P50 int `json:"p50"`
	P95 int `json:"p95"`
	Max int `json:"max"`
}

// EachSplit calls f with every example and its split.
func (d *Dataset) EachSplit(f func(split rung.Split, e *rung.Example)) {
	for _, part := range []struct {
		split    rung.Split
		examples []rung.Example
	}{{rung.Train, d.Building.Train}, {rung.Dev, d.Building.Dev}, {rung.HeldoutIs, d.Heldout.Examples()}} {
		for i := range part.examples {
			f(part.split, &part.examples[i])
		}
	}
}

// Labels counts the labels of the task, those that no example has included, in the order of the task.
func (d *Dataset) Labels(labels []string) []LabelCount {
	counts := make([]LabelCount, len(labels))
	index := map[string]int{}
	for i, l := range labels {
		counts[i].Label = l
		index[l] = i
	}
	d.EachSplit(func(split rung.Split, e *rung.Example) {
		var label string
		if json.Unmarshal(e.Output, &label) != nil {
			return
		}
		i, ok := index[label]
		if !ok {
			return
		}
		switch split {
		case rung.Train:
			counts[i].Train++
		case rung.Dev:
			counts[i].Dev++
		default:
			counts[i].Heldout++
		}
	})
	return counts
}

// Lengths estimates the tokens of inputs (values only) and outputs.
func (d *Dataset) Lengths() (inputs, outputs Lengths) {
	var in, out []int
	var values [][]byte
	d.EachSplit(func(_ rung.Split, e *rung.Example) {
		n := 0
		values = fieldValues(values[:0], e.Input)
		for _, v := range values {
			n += EstimateTokens(bare(v))
		}
		in = append(in, n)
		out = append(out, EstimateTokens(bare(e.Output)))
	})
	return lengthsOf(in), lengthsOf(out)
}

// bare is the text of a JSON string, and other JSON as it is.
func bare(value []byte) []byte {
	if len(value) > 1 && value[0] == '"' {
		return unquote(value)
	}
	return value
}

func lengthsOf(n []int) Lengths {
	if len(n) == 0 {
		return Lengths{}
	}
	slices.Sort(n)
	at := func(q int) int { return n[min(len(n)-1, len(n)*q/100)] }
	return Lengths{P50: at(50), P95: at(95), Max: n[len(n)-1]}
}

// EstimateTokens is a rough count for text whose tokenizer is not known: four ASCII characters a token, and one token for
// each other character and a half. English prose comes out some 10 % high or low; code and numbers up to a third low.
func EstimateTokens(text []byte) int {
	ascii, other := 0, 0
	for _, c := range text {
		switch {
		case c < utf8.RuneSelf:
			ascii++
		case utf8.RuneStart(c):
			other++
		}
	}
	return (ascii+3)/4 + (other*2+2)/3
}

// HeldoutClusters is the number of independent held-out examples: those of one group, or copies of each other, count once.
func (d *Dataset) HeldoutClusters() int {
	groups := map[string]bool{}
	n := 0
	for _, e := range d.Heldout.Examples() {
		if e.Group == "" || !groups[e.Group] {
			n++
		}
		if e.Group != "" {
			groups[e.Group] = true
		}
	}
	return n
}
