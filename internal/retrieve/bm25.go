package retrieve

import (
	"container/heap"
	"math"
	"slices"
)

// bm25 is an inverted index with the scores of Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and
// Beyond" (2009), and the inverse document frequency ln(1 + (N − n + ½)/(n + ½)), which is never negative.
type bm25 struct {
	postings map[string][]posting
	lengths  []int // in terms, by text
	k1, b    float64
}

type posting struct {
	doc int32
	tf  float32
}

func newBM25(texts []string, k1, b float64) *bm25 {
	x := &bm25{postings: map[string][]posting{}, lengths: make([]int, len(texts)), k1: k1, b: b}
	stemmer := remember(stem)
	for doc, text := range texts {
		terms := terms(text, stemmer)
		x.lengths[doc] = len(terms)
		x.add(int32(doc), terms)
	}
	return x
}

// view is what a search may see of the texts, with what BM25 must know of them. Counts come from the visible texts alone, so
// that neither the order nor the scores of an answer tell anything about the others.
type view struct {
	visible []bool // by text; nil: all
	n       int    // visible texts
	norms   []float64
}

// view counts the texts that visible lets through; nil lets all through.
func (x *bm25) view(visible []bool) *view {
	v := &view{visible: visible, norms: make([]float64, len(x.lengths))}
	total := 0
	for doc, n := range x.lengths {
		if v.sees(doc) {
			v.n++
			total += n
		}
	}
	average := max(1, float64(total)/float64(max(1, v.n)))
	for doc, n := range x.lengths {
		v.norms[doc] = x.k1 * (1 - x.b + x.b*float64(n)/average) // of Robertson and Zaragoza's formula
	}
	return v
}

func (v *view) sees(doc int) bool { return v.visible == nil || v.visible[doc] }

// count is how many of the texts in list the view sees.
func (v *view) count(list []posting) int {
	if v.visible == nil {
		return len(list)
	}
	n := 0
	for _, p := range list {
		if v.visible[p.doc] {
			n++
		}
	}
	return n
}

func (x *bm25) add(doc int32, terms []string) {
	for _, term := range terms {
		list := x.postings[term]
		if n := len(list); n > 0 && list[n-1].doc == doc {
			list[n-1].tf++
			continue
		}
		x.postings[term] = append(list, posting{doc, 1})
	}
}

// search gives the k best texts of a view that share a term with the query.
func (x *bm25) search(query string, k int, v *view) []hit {
	scores := make([]float64, len(x.lengths))
	var found []int32
	n := float64(v.n)
	for _, term := range queryTerms(query) {
		list := x.postings[term]
		df := float64(v.count(list))
		idf := math.Log(1 + (n-df+.5)/(df+.5))
		for _, p := range list {
			if !v.sees(int(p.doc)) {
				continue
			}
			if scores[p.doc] == 0 {
				found = append(found, p.doc)
			}
			tf := float64(p.tf)
			scores[p.doc] += idf * tf * (x.k1 + 1) / (tf + v.norms[p.doc])
		}
	}
	best := newTop(k)
	for _, doc := range found {
		best.offer(hit{int(doc), scores[doc]})
	}
	return best.sorted()
}

// hit is a text's place in the index and its score.
type hit struct {
	doc   int
	score float64
}

// better orders hits: higher score first, then the earlier text.
func (h hit) better(other hit) bool {
	if h.score != other.score {
		return h.score > other.score
	}
	return h.doc < other.doc
}

// top keeps the k best hits: a heap with the worst of them at its root.
type top struct {
	k    int
	hits []hit
}

func newTop(k int) *top { return &top{k: k} }

func (t *top) Len() int           { return len(t.hits) }
func (t *top) Less(i, j int) bool { return t.hits[j].better(t.hits[i]) }
func (t *top) Swap(i, j int)      { t.hits[i], t.hits[j] = t.hits[j], t.hits[i] }
func (t *top) Push(x any)         { t.hits = append(t.hits, x.(hit)) }
func (t *top) Pop() any {
	last := t.hits[len(t.hits)-1]
	t.hits = t.hits[:len(t.hits)-1]
	return last
}

func (t *top) offer(h hit) {
	switch {
	case t.k <= 0:
	case len(t.hits) < t.k:
		heap.Push(t, h)
	case h.better(t.hits[0]):
		t.hits[0] = h
		heap.Fix(t, 0)
	}
}

func (t *top) sorted() []hit {
	slices.SortFunc(t.hits, func(a, b hit) int {
		if a.better(b) {
			return -1
		}
		return 1
	})
	return t.hits
}
