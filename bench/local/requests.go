package main

import (
	"fmt"
	"strings"

	"github.com/rung-dev/rung/internal/model"
)

// workload is requests that resemble one stage of an evaluation.
type workload struct {
	name     string
	requests [][]model.Message
}

var (
	verbs  = []string{"play", "queue", "find", "rate", "book", "skip", "share", "save"}
	things = []string{"the song", "a table", "the film", "this book", "the playlist", "a train", "the podcast", "the recipe"}
	whens  = []string{"tonight", "tomorrow at nine", "next Friday", "in an hour", "on Sunday morning", "right now", "for my sister", "in the kitchen"}
)

func utterance(i int) string {
	return fmt.Sprintf("please %s %s number %d %s", verbs[i%8], things[i/8%8], i, whens[(i/3)%8])
}

// workloads are n requests each: short and all different; behind one long prefix; behind five long prefixes in turns, as when
// several candidates are tried at once.
func workloads(n int) []workload {
	short := workload{name: "short chat"}
	one := workload{name: "one long prefix"}
	five := workload{name: "five prefixes, mixed"}
	for i := range n {
		user := model.Message{Role: "user", Content: "utterance: " + utterance(i)}
		short.requests = append(short.requests, []model.Message{{Role: "user", Content: "Answer in a few words: " + utterance(i)}})
		one.requests = append(one.requests, []model.Message{{Role: "system", Content: prefix(0)}, user})
		five.requests = append(five.requests, []model.Message{{Role: "system", Content: prefix(i % 5)}, user})
	}
	return []workload{short, one, five}
}

// prefix is an instruction with demonstrations, about 700 tokens.
func prefix(k int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Version %d. Extract the intent and the slots of the user's request. Answer with one JSON object and nothing else.\n", k)
	for i := range 18 {
		j := 100*k + 7*i
		fmt.Fprintf(&b, "utterance: %s\nanswer: {\"intent\":\"%s\",\"slots\":{\"number\":\"%d\",\"when\":\"%s\"}}\n", utterance(j), verbs[j%8], j, whens[(j/3)%8])
	}
	return b.String()
}
