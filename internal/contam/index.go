package contam

import (
	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/dedupe"
)

const (
	short = 8
	long  = 13
)

// Index holds evaluation items for looking up. It is safe for concurrent use once made.
type Index struct {
	Items []Item
	exact map[string]int32
	grams [2]gramTable // of 8 and of 13 words
	count []int32      // of each item, its different 8-grams
	rare  rephrase

	filter bitmap                       // of the 8-grams
	starts map[[beginning]byte]struct{} // of the items' canonical texts
}

// maxItems bounds the evaluation items.
const maxItems = 5_000_000

// NewIndex makes an index of items. Items without any word are never found.
func NewIndex(items []Item) (*Index, error) {
	if len(items) == 0 {
		return nil, &rung.Error{Code: rung.CodeInput, What: "the evaluation sets hold no item", Do: "name files with rows"}
	}
	if len(items) > maxItems {
		return nil, &rung.Error{Code: rung.CodeCapacity, What: "the evaluation sets hold more than five million items", Do: "take fewer at a time"}
	}
	x := &Index{Items: items, exact: make(map[string]int32, len(items)), count: make([]int32, len(items)), starts: map[[beginning]byte]struct{}{}}
	var s splitter
	var canonical dedupe.Texts
	x.rare.begin(len(items))
	for i := range items {
		text := []byte(items[i].Text)
		key := string(canonical.Canonical(text))
		if _, there := x.exact[key]; !there && key != "" {
			x.exact[key] = int32(i)
			if len(key) >= beginning {
				x.starts[[beginning]byte([]byte(key[:beginning]))] = struct{}{}
			}
		}
		words := s.split(text)
		eachGram(words, short, func(_ int, h uint64) {
			if x.grams[0].put(h, int32(i)) {
				x.count[i]++
			}
		})
		eachGram(words, long, func(_ int, h uint64) { x.grams[1].put(h, int32(i)) })
		x.rare.add(words)
	}
	x.rare.end()
	x.filter = newBitmap(&x.grams[0])
	return x, nil
}

// gramBase is the base of the rolling hash of surfaces.
const gramBase = 0x9e3779b97f4a7c15

func power(n int) uint64 {
	top := uint64(1)
	for range n {
		top *= gramBase
	}
	return top
}

var shortTop = power(short)

// eachGram calls f with the hash of each run of n words and the place of its first.
func eachGram(words []word, n int, f func(at int, h uint64)) {
	top := power(n)
	h := uint64(0)
	for i := range words {
		h = h*gramBase + words[i].surface
		if i >= n {
			h -= top * words[i-n].surface
		}
		if i >= n-1 {
			f(i-n+1, mix(h))
		}
	}
}

// gramTable maps the hash of an n-gram to the items that have it. Most have one item; the others are chained.
type gramTable struct {
	slots []gramSlot
	n     int
	more  []gramLink
}

type gramSlot struct {
	hash uint64
	item int32 // + 1; 0 for an empty slot
	next int32 // + 1, in more
}

type gramLink struct{ item, next int32 }

// put reports whether the item did not have the gram before. Items come in their order.
func (t *gramTable) put(h uint64, item int32) bool {
	if (t.n+1)*2 > len(t.slots) {
		t.grow()
	}
	s := t.slot(h)
	if s.item == 0 {
		*s = gramSlot{hash: h, item: item + 1}
		t.n++
		return true
	}
	if s.item == item+1 || s.next != 0 && t.more[s.next-1].item == item {
		return false
	}
	t.more = append(t.more, gramLink{item, s.next})
	s.next = int32(len(t.more))
	return true
}

func (t *gramTable) slot(h uint64) *gramSlot {
	mask := uint64(len(t.slots) - 1)
	i := h & mask
	for t.slots[i].item != 0 && t.slots[i].hash != h {
		i = (i + 1) & mask
	}
	return &t.slots[i]
}

func (t *gramTable) grow() {
	old := t.slots
	t.slots = make([]gramSlot, max(1<<10, len(old)*2))
	for i := range old {
		if old[i].item != 0 {
			*t.slot(old[i].hash) = old[i]
		}
	}
}

func (t *gramTable) has(h uint64) bool { return len(t.slots) > 0 && t.slot(h).item != 0 }

// maxShown bounds the items that one gram is counted for: a gram of more is a phrase.
const maxShown = 64

// each calls f with the items that have a gram.
func (t *gramTable) each(h uint64, f func(item int32)) {
	if len(t.slots) == 0 {
		return
	}
	s := t.slot(h)
	if s.item == 0 {
		return
	}
	f(s.item - 1)
	for n, next := 1, s.next; next != 0 && n < maxShown; n++ {
		f(t.more[next-1].item)
		next = t.more[next-1].next
	}
}
