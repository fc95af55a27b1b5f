package retrieve

// Nearest finds the texts nearest to a query: the train inputs that make the best demonstrations. It is safe for concurrent
// use once its vectors are set.
type Nearest struct {
	words   *bm25
	all     *view
	vectors *dense
	n       int
}

// NewNearest indexes texts by their words.
func NewNearest(texts []string) *Nearest {
	words := newBM25(texts, 1.2, .75)
	return &Nearest{words: words, all: words.view(nil), n: len(texts)}
}

// SetVectors adds one vector per text, in the order of the texts.
func (n *Nearest) SetVectors(vectors [][]float32) error {
	d, err := newDense(vectors)
	if err != nil {
		return err
	}
	n.vectors = d
	return nil
}

// BM25 gives the places of the k nearest texts by words, nearest first. Texts that share no word with the query follow in
// their own order, so that there are k whenever there are k texts.
func (n *Nearest) BM25(query string, k int) []int { return n.fill(n.words.search(query, k, n.all), k) }

// Dense gives the places of the k nearest texts by vectors, nearest first. SetVectors must have been called.
func (n *Nearest) Dense(query []float32, k int) ([]int, error) {
	hits, err := n.vectors.search(query, k, nil)
	if err != nil {
		return nil, err
	}
	return n.fill(hits, k), nil
}

func (n *Nearest) fill(hits []hit, k int) []int {
	k = max(0, min(k, n.n))
	out := make([]int, 0, k)
	seen := map[int]bool{}
	for _, h := range hits {
		out = append(out, h.doc)
		seen[h.doc] = true
	}
	for i := 0; len(out) < k; i++ {
		if !seen[i] {
			out = append(out, i)
		}
	}
	return out
}
