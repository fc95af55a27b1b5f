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
	norms    []float64 // k1·(1 − b + b·length/average), by text
	k1       float64
}

type posting struct {
	doc int32
	tf  float32
}

func newBM25(texts []string, k1, b float64) *bm25 {
	x := &bm25{postings: map[string][]posting{}, norms: make([]float64, len(texts)), k1: k1}
	lengths := make([]int, len(texts))
	total := 0
	stemmer := remember(stem)
	for doc, text := range texts {
		terms := terms(text, stemmer)
		lengths[doc] = len(terms)
		total += len(terms)
		x.add(int32(doc), terms)
	}
	average := max(1, float64(total)/float64(max(1, len(texts))))
	for doc, n := range lengths {
		x.norms[doc] = k1 * (1 - b + b*float64(n)/average)
	}
	return x
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

// search gives the k best texts that share a term with the query.
func (x *bm25) search(query string, k int) []hit {
	scores := make([]float64, len(x.norms))
	var found []int32
	n := float64(len(x.norms))
	for _, term := range queryTerms(query) {
		list := x.postings[term]
		df := float64(len(list))
		idf := math.Log(1 + (n-df+.5)/(df+.5))
		for _, p := range list {
			if scores[p.doc] == 0 {
				found = append(found, p.doc)
			}
			tf := float64(p.tf)
			scores[p.doc] += idf * tf * (x.k1 + 1) / (tf + x.norms[p.doc])
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
