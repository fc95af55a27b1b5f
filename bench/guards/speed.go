package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/rung-dev/rung"
)

// measured are the guards that ordinary traffic and latency are measured with.
var measured = []struct {
	name  string
	stage rung.GuardStage
	spec  rung.GuardSpec
}{
	{"pii, with a form", rung.GuardInput, rung.GuardSpec{Kind: "pii", Entities: []string{"EMAIL", "PHONE", "CREDIT_CARD", "IBAN", "US_SSN", "IP", "URL", "DATE_OF_BIRTH"}}},
	{"pii, all kinds", rung.GuardInput, rung.GuardSpec{Kind: "pii"}},
	{"secrets", rung.GuardInput, rung.GuardSpec{Kind: "secrets"}},
	{"injection", rung.GuardInput, rung.GuardSpec{Kind: "injection"}},
	{"injection", rung.GuardRetrieved, rung.GuardSpec{Kind: "injection"}},
	{"toxicity", rung.GuardInput, rung.GuardSpec{Kind: "toxicity"}},
	{"phrases (3)", rung.GuardInput, rung.GuardSpec{Kind: "phrases", Phrases: []string{"project falcon", "internal only", "confidential"}}},
	{"length", rung.GuardInput, rung.GuardSpec{Kind: "length", MaxChars: 4000}},
}

func textsOf(d dir, set, file string) []string {
	var out []string
	for _, r := range lines[text](d, set, file) {
		out = append(out, r.Text)
	}
	return out
}

// ordinary prints how often each guard finds something in messages of people who want nothing bad.
func ordinary(d dir) {
	snips, banking := textsOf(d, "snips", "test.jsonl"), textsOf(d, "banking77", "test.jsonl")
	fmt.Printf("ordinary traffic: share of messages in which a guard finds something (snips test %d, banking77 test %d)\n", len(snips), len(banking))
	fmt.Printf("  %-18s %-10s %8s %10s\n", "guard", "on", "snips", "banking77")
	for _, m := range measured {
		if m.stage == rung.GuardRetrieved { // questions are what it looks for in documents
			continue
		}
		spec := m.spec
		spec.Stages = []rung.GuardStage{m.stage}
		set := one(spec)
		rate := func(texts []string) float64 {
			n := 0
			for _, t := range texts {
				if found(set, m.stage, t) {
					n++
				}
			}
			return ratio(n, len(texts))
		}
		fmt.Printf("  %-18s %-10s %8.4f %10.4f\n", m.name, m.stage, rate(snips), rate(banking))
	}
	fmt.Println()
}

// latency prints what each guard adds to a request, one after another on one core.
func latency(d dir) {
	short := append(textsOf(d, "snips", "test.jsonl"), textsOf(d, "banking77", "test.jsonl")...)
	type context struct{ Context string }
	var long []string
	for _, c := range lines[context](d, "bipia", "contexts.jsonl") {
		long = append(long, c.Context)
	}
	fmt.Printf("latency of one guard on one text: %d messages of %d bytes and %d passages of %d bytes in the mean\n", len(short), mean(short), len(long), mean(long))
	fmt.Printf("  %-18s %-10s %12s %12s %12s %12s %10s\n", "guard", "on", "message p50", "p99", "passage p50", "p99", "MB/s")
	for _, m := range measured {
		spec := m.spec
		spec.Stages = []rung.GuardStage{m.stage}
		set := one(spec)
		timeAll := func(texts []string, rounds int) (took []time.Duration, bytes int, sum time.Duration) {
			for range rounds {
				for _, t := range texts {
					start := time.Now()
					found(set, m.stage, t)
					d := time.Since(start)
					took, bytes, sum = append(took, d), bytes+len(t), sum+d
				}
			}
			slices.Sort(took)
			return took, bytes, sum
		}
		timeAll(short[:min(200, len(short))], 1) // warm
		a, _, _ := timeAll(short, 1)
		b, bytes, sum := timeAll(long, 5)
		fmt.Printf("  %-18s %-10s %12s %12s %12s %12s %10.1f\n", m.name, m.stage, at(a, .5), at(a, .99), at(b, .5), at(b, .99), float64(bytes)/sum.Seconds()/1e6)
	}
	fmt.Println()
}

func at(sorted []time.Duration, q float64) time.Duration {
	return sorted[int(q*float64(len(sorted)-1))].Round(100 * time.Nanosecond)
}

func mean(texts []string) int {
	n := 0
	for _, t := range texts {
		n += len(t)
	}
	return n / max(1, len(texts))
}
