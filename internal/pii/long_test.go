package pii_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/rung-dev/rung/internal/pii"
)

// TestALongTextIsReadInPieces: what is found in a text of any length is what is found in its lines, and its words are not all held at once.
func TestALongTextIsReadInPieces(t *testing.T) {
	e := engine(t, pii.Options{})
	line := "My name is Zoe Okonkwo, I am a Brazilian of 34 years old and live in Berlin since 1999, mail zoe@example.org please.\n"
	alone := e.Find(line)
	if len(alone) < 4 {
		t.Fatalf("%d findings in the line: the test shows too little", len(alone))
	}
	const n = 1500 // three pieces
	text := strings.Repeat(line, n)
	found := e.Find(text)
	want, got := map[string]int{}, map[string]int{}
	for _, f := range alone {
		want[f.Type+" "+line[f.Start:f.End]] += n
	}
	for _, f := range found {
		got[f.Type+" "+text[f.Start:f.End]]++
	}
	for what := range want { // a piece and a window begin where they must, and a word at their edge has no neighbours
		if d := want[what] - got[what]; d < -n/10 || d > n/10 {
			t.Errorf("%q %d times, not %d", what, got[what], want[what])
		}
	}
	if !slices.IsSortedFunc(found, func(a, b pii.Finding) int { return a.Start - b.Start }) {
		t.Error("the findings are out of order")
	}
	last := found[len(found)-1]
	if last.End < len(text)-len(line) {
		t.Errorf("nothing is found after byte %d of %d", last.End, len(text))
	}
}

// A row may be 16 MiB of signs, each of them a word of its own.
func TestALongTextOfSignsTakesLittleMemory(t *testing.T) {
	e := engine(t, pii.Options{})
	e.Find("Zoe Okonkwo loads the model and lives in Berlin since the year of the flood") // the lists are read once
	text := strings.Repeat("[.", 150_000)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	e.Find(text)
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 64<<20 {
		t.Errorf("%s for %d signs", mib(took), len(text))
	}
}

func mib(n uint64) string { return fmt.Sprintf("%d MiB", n>>20) }
