package contam

import (
	"github.com/rung-dev/rung/internal/dedupe"
	"github.com/rung-dev/rung/internal/rows"
)

// Hit is the item that a text holds; Item is -1 for none.
type Hit struct {
	Item       int
	Reason     Reason
	Similarity float64
	Shared     string
}

// Checker looks items up. It reuses its memory: one per goroutine.
type Checker struct {
	x      *Index
	o      *Options
	split  splitter
	texts  dedupe.Texts
	counts map[int32]int32 // item → shared 8-grams
	seen   map[uint64]struct{}
	search search
}

func (x *Index) checker(o *Options) *Checker {
	return &Checker{x: x, o: o, counts: map[int32]int32{}, seen: map[uint64]struct{}{}, search: x.rare.search()}
}

// NewChecker is a checker for texts that do not come from files.
func NewChecker(x *Index, o Options) *Checker { return x.checker(&o) }

// Check looks for the items in a text. touched reports whether it shares an 8-gram with one, be it ever so common.
func (c *Checker) Check(text []byte) (hit Hit, touched bool) {
	if c.maybeExact(text) {
		if item, ok := c.x.exact[string(c.texts.Canonical(text))]; ok {
			return Hit{Item: int(item), Reason: Exact, Similarity: 1}, true
		}
	}
	hit.Item = -1
	touched = c.split.touches(text, c.x)
	if !touched && c.o.Rephrased == 0 && c.o.Fuzzy == 0 {
		return hit, false
	}
	words := c.split.split(text)
	if touched {
		hit, touched = c.byGrams(text, words)
	}
	if hit.Item >= 0 || c.o.Rephrased == 0 && c.o.Fuzzy == 0 {
		return hit, touched
	}
	found := c.search.best(words)
	if found.item < 0 {
		return hit, touched
	}
	if c.o.Fuzzy > 0 && found.overlap > worthFuzzy {
		if s := c.texts.Similarity(text, []byte(c.x.Items[found.item].Text)); s >= c.o.Fuzzy {
			return Hit{Item: int(found.item), Reason: Fuzzy, Similarity: s}, touched
		}
	}
	if c.o.Rephrased > 0 && found.score >= c.o.Rephrased {
		return Hit{Item: int(found.item), Reason: Rephrased, Similarity: found.score}, touched
	}
	return hit, touched
}

// worthFuzzy is the overlap of words below which texts are not compared by characters.
const worthFuzzy = 0.2

// byGrams is the tests of 13-grams and 8-grams.
func (c *Checker) byGrams(text []byte, words []word) (hit Hit, touched bool) {
	hit.Item = -1
	at, end := -1, 0 // the first run of shared 8-grams: its first word, and the word after it
	clear(c.counts)
	clear(c.seen)
	eachGram(words, short, func(i int, h uint64) {
		if !c.x.grams[0].has(h) {
			return
		}
		touched = true
		if _, again := c.seen[h]; !again {
			c.seen[h] = struct{}{}
			c.x.grams[0].each(h, func(item int32) { c.counts[item]++ })
		}
		if at < 0 || i <= end-short+1 {
			if at < 0 {
				at = i
			}
			end = i + short
		}
	})
	if !touched {
		return hit, false
	}
	shared := rows.Clip(text[words[at].start:words[end-1].end], shownText)
	eachGram(words, long, func(_ int, h uint64) {
		c.x.grams[1].each(h, func(item int32) {
			if hit.Item < 0 || int(item) < hit.Item {
				hit = Hit{Item: int(item), Reason: Gram13, Similarity: 1, Shared: shared}
			}
		})
	})
	if hit.Item >= 0 || c.o.Share == 0 {
		return hit, true
	}
	for item, n := range c.counts {
		share := float64(n) / float64(c.x.count[item])
		if share < c.o.Share || share < hit.Similarity || share == hit.Similarity && int(item) > hit.Item {
			continue
		}
		hit = Hit{Item: int(item), Reason: Gram8, Similarity: min(share, 1), Shared: shared}
	}
	return hit, true
}
