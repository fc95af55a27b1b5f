package grade

// ngrams is a trie of the n-grams of one hypothesis, into which references are looked up. Nodes are numbered from 1 in order
// of their making; node 0 is the empty n-gram. Children are found in one hash table over (parent, symbol), so that counting
// n-grams makes no strings.
type ngrams struct {
	nodes []ngram
	slots []slot // power of two long
	run   uint32 // slots of another run are empty, which saves clearing them
}

type ngram struct {
	count int32 // in the hypothesis
	seen  int32 // in the reference being looked up
	best  int32 // the most in any reference so far
	in    int32 // the reference that seen is of
}

type slot struct {
	key  uint64
	run  uint32
	node int32
}

const symbolBits = 24 // code points and word numbers both fit

// maxText is the length in bytes beyond which a text is cut before its n-grams are counted, so that a hostile answer costs
// neither memory nor time without limit. It is far above any answer that a model is allowed.
const maxText = 1 << 20

// begin empties the trie and makes room for n nodes.
func (g *ngrams) begin(n int) {
	g.nodes = append(g.nodes[:0], ngram{})
	size := 64
	for size < 2*n {
		size *= 2
	}
	g.run++
	if len(g.slots) < size || g.run == 0 {
		g.slots = make([]slot, max(size, len(g.slots)))
		g.run = 1
	}
}

// find is the slot of a child, empty if there is none.
func (g *ngrams) find(parent int32, symbol uint32) *slot {
	key := uint64(parent)<<symbolBits | uint64(symbol)
	mask := uint64(len(g.slots) - 1)
	i := (key * 0x9e3779b97f4a7c15) >> 32 & mask
	for {
		s := &g.slots[i]
		if s.run != g.run || s.key == key {
			if s.run != g.run {
				s.key = key
			}
			return s
		}
		i = (i + 1) & mask
	}
}

// add counts the child of parent in the hypothesis and returns its node.
func (g *ngrams) add(parent int32, symbol uint32) int32 {
	s := g.find(parent, symbol)
	if s.run != g.run {
		s.run, s.node = g.run, int32(len(g.nodes))
		g.nodes = append(g.nodes, ngram{})
	}
	g.nodes[s.node].count++
	return s.node
}

// child is the node of an n-gram of the hypothesis, 0 if it has no such n-gram.
func (g *ngrams) child(parent int32, symbol uint32) int32 {
	if s := g.find(parent, symbol); s.run == g.run {
		return s.node
	}
	return 0
}

// hypothesis counts the n-grams of symbols up to the given order.
func (g *ngrams) hypothesis(symbols []uint32, order int) {
	for i := range symbols {
		node := int32(0)
		for _, s := range symbols[i:min(i+order, len(symbols))] {
			node = g.add(node, s)
		}
	}
}

// reference counts the n-grams of reference number ref (from 1) that the hypothesis has too, at most as often as it has them.
// matched[n] is increased for every match of order n+1; with over set, only for what no earlier reference has matched.
func (g *ngrams) reference(symbols []uint32, order int, ref int32, over bool, matched []float64) {
	for i := range symbols {
		node := int32(0)
		for n, s := range symbols[i:min(i+order, len(symbols))] {
			if node = g.child(node, s); node == 0 {
				break
			}
			at := &g.nodes[node]
			if at.in != ref {
				at.in, at.seen = ref, 0
			}
			at.seen++
			if at.seen > at.count || over && at.seen <= at.best {
				continue
			}
			at.best = max(at.best, at.seen)
			matched[n]++
		}
	}
}

// trim lets go of memory that one long text has claimed.
func (g *ngrams) trim() {
	if len(g.slots) > 1<<16 {
		*g = ngrams{}
	}
}

// lexicon numbers words, from 1.
type lexicon struct {
	slots []lexeme
	text  []byte // the words, back to back
	used  int
	run   uint32
}

type lexeme struct {
	hash       uint64
	start, end int32 // of the word in text
	run        uint32
	id         uint32
}

func (l *lexicon) begin() {
	l.used, l.text = 0, l.text[:0]
	l.run++
	if len(l.slots) == 0 || l.run == 0 || len(l.slots) > 1<<15 {
		l.slots, l.text, l.run = make([]lexeme, 256), nil, 1
	}
}

// id is the number of a word; a word not met before gets the next one, or 0 unless learn is set. The word is copied.
func (l *lexicon) id(word string, learn bool) uint32 {
	h := uint64(14695981039346656037) // FNV-1a
	for i := range len(word) {
		h = (h ^ uint64(word[i])) * 1099511628211
	}
	h ^= h >> 29
	s := l.find(word, h)
	if s.run == l.run {
		return s.id
	}
	if !learn {
		return 0
	}
	l.used++
	start := len(l.text)
	l.text = append(l.text, word...)
	*s = lexeme{start: int32(start), end: int32(len(l.text)), hash: h, run: l.run, id: uint32(l.used)}
	if 2*l.used > len(l.slots) {
		l.grow()
	}
	return uint32(l.used)
}

func (l *lexicon) find(word string, h uint64) *lexeme {
	mask := uint64(len(l.slots) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		if s := &l.slots[i]; s.run != l.run || s.hash == h && string(l.text[s.start:s.end]) == word {
			return s
		}
	}
}

func (l *lexicon) grow() {
	old := l.slots
	l.slots = make([]lexeme, 2*len(old))
	mask := uint64(len(l.slots) - 1)
	for _, s := range old {
		if s.run != l.run {
			continue
		}
		i := s.hash & mask
		for l.slots[i].run == l.run {
			i = (i + 1) & mask
		}
		l.slots[i] = s
	}
}
