package contam

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// texts draws texts of few words, so that runs of them repeat, with what words can be made of: cases, accents, marks, numbers, scripts without
// spaces, invalid bytes, all white space.
func texts() *rapid.Generator[string] {
	piece := rapid.SampledFrom(strings.Split("the|The|THE|river|rivers|naïve|Ä|ﬁne|e\u0301|3|3.50|1,000|1/2|日本語|ไทย|don't|well-known|-|.|:|\xff|²|a|internationalisation|ﬀ", "|"))
	gap := rapid.SampledFrom([]string{" ", " ", " ", "  ", "\n", "\u00a0", "", ", ", ". "})
	return rapid.Custom(func(t *rapid.T) string {
		var b strings.Builder
		for range rapid.IntRange(0, 60).Draw(t, "n") {
			b.WriteString(piece.Draw(t, "piece"))
			b.WriteString(gap.Draw(t, "gap"))
		}
		return b.String()
	})
}

// TestLookingFirstMissesNothing: the pass that keeps nothing finds exactly the rows whose 8-grams are shared, and lets every item through.
func TestLookingFirstMissesNothing(t *testing.T) {
	touched := 0
	rapid.Check(t, func(t *rapid.T) {
		item, text := texts().Draw(t, "item"), texts().Draw(t, "text")
		if rapid.Bool().Draw(t, "within") && len(item) > 0 {
			from := rapid.IntRange(0, len(item)-1).Draw(t, "from")
			text += " " + item[from:]
		}
		x, err := NewIndex([]Item{{Text: item}})
		if err != nil {
			t.Fatal(err)
		}
		c := NewChecker(x, Options{Share: DefaultShare})
		want := false
		eachGram(c.split.split([]byte(text)), short, func(_ int, h uint64) { want = want || x.grams[0].has(h) })
		if got := c.split.touches([]byte(text), x); got != want {
			t.Fatalf("%q and %q share an 8-gram: %v, and the first look says %v", item, text, want, got)
		}
		if want {
			touched++
		}
		for _, same := range []string{item, strings.ToUpper(item)} {
			if key := c.texts.Canonical([]byte(same)); len(key) == 0 || !bytes.Equal(bytes.Clone(key), c.texts.Canonical([]byte(item))) {
				continue
			}
			if !c.maybeExact([]byte(same)) {
				t.Fatalf("%q is the item and does not get through", same)
			}
		}
	})
	if touched < 10 {
		t.Errorf("only %d texts shared anything", touched)
	}
}
