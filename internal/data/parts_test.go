package data

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/unionfind"
)

// TestTheIndexInPartsFindsTheSame: how much of the index is in memory at a time changes nothing of what is found.
func TestTheIndexInPartsFindsTheSame(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	words := strings.Fields("call me when you are home from work today please and bring some bread milk or tea for the long evening")
	var examples []rung.Example
	var rows []int32
	for i := range 900 {
		text := make([]string, 20)
		for j := range text {
			text[j] = words[rng.IntN(len(words))]
		}
		if i%3 == 2 {
			var before map[string]string
			if err := json.Unmarshal(examples[i-1].Input, &before); err != nil {
				t.Fatal(err)
			}
			text = strings.Fields(before["text"])
			text[rng.IntN(len(text))] = "bred"
		}
		examples = append(examples, rung.Example{Input: json.RawMessage(fmt.Sprintf(`{"text":%q}`, strings.Join(text, " ")))})
		rows = append(rows, int32(i))
	}
	find := func(limit int) (unionfind.Forest, bool) {
		f := &finder{examples: examples, view: view{texts: []int{0}}, rows: rows, limit: limit}
		joined := unionfind.New(len(examples))
		if err := f.find(t.Context(), joined); err != nil {
			t.Fatal(err)
		}
		return joined, f.cut
	}
	whole, cut := find(0)
	joined := 0
	for i := range whole {
		if whole[i] != int32(i) {
			joined++
		}
	}
	if joined < 50 {
		t.Fatalf("%d rows joined only", joined)
	}
	for _, limit := range []int{1000, 77} {
		if got, c := find(limit); !slices.Equal(got, whole) || c != cut {
			t.Errorf("with %d entries at a time another forest", limit)
		}
	}
}

// TestANumberAtTheEndIsTheSameNumber: texts that differ in their first and last letters hold the same numbers wherever these stand.
func TestANumberAtTheEndIsTheSameNumber(t *testing.T) {
	f := &finder{view: view{texts: []int{0}}, examples: []rung.Example{
		{Input: json.RawMessage(`{"text":"7he quick brown fox jumps over the lazy dog near the river bank today, and nobody saw it"}`)},
		{Input: json.RawMessage(`{"text":"the quick brown fox jumps over the lazy dog near the river bank today, and nobody saw i7"}`)},
	}, rows: []int32{0, 1}}
	joined := unionfind.New(2)
	if err := f.find(t.Context(), joined); err != nil || joined.Root(1) != 0 {
		t.Errorf("not joined, %v", err)
	}
}
