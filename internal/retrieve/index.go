package retrieve

import (
	"context"
	"fmt"
	"slices"

	"github.com/rung-dev/rung"
)

// EmbedFunc turns texts into vectors of one length, as model.Embedder does once its model is chosen.
type EmbedFunc func(ctx context.Context, texts []string) ([][]float32, error)

// Settings are what an index was built with; they are part of its digest.
type Settings struct {
	K1       float64       `json:"k1"`                 // of BM25, default 1.2
	B        float64       `json:"b"`                  // of BM25, default .75
	Embedder rung.ModelRef `json:"embedder,omitempty"` // of the vectors; empty: BM25 alone
}

func (s Settings) filled() Settings {
	if s.K1 == 0 {
		s.K1 = 1.2
	}
	if s.B == 0 {
		s.B = .75
	}
	return s
}

// Index finds passages. It never changes once built and is safe for concurrent use.
type Index struct {
	settings Settings
	passages []rung.Passage
	words    *bm25
	vectors  *dense    // nil: BM25 alone
	embed    EmbedFunc // for queries, when there are vectors
	access   *access   // who sees what
}

// embedBatch is how many passages are embedded in one call.
const embedBatch = 32

// Build makes an index. With an embedder named in the settings, embed turns passages and later queries into vectors.
func Build(ctx context.Context, passages []rung.Passage, settings Settings, embed EmbedFunc) (*Index, error) {
	if len(passages) == 0 {
		return nil, &rung.Error{Code: rung.CodeInput, What: "the documents hold no text", Do: "correct documents in the task file"}
	}
	x := newIndex(passages, settings.filled())
	if x.settings.Embedder == "" || embed == nil {
		x.settings.Embedder = ""
		return x, nil
	}
	vectors, err := embedAll(ctx, x.texts(), embed)
	if err != nil {
		return nil, err
	}
	if x.vectors, err = newDense(vectors); err != nil {
		return nil, &rung.Error{Code: rung.CodeProvider, Place: string(settings.Embedder), What: "the embedder's vectors are broken: " + err.Error(), Err: err}
	}
	x.embed = embed
	return x, nil
}

func newIndex(passages []rung.Passage, settings Settings) *Index {
	x := &Index{settings: settings, passages: slices.Clone(passages)}
	for i := range x.passages {
		x.passages[i].Score = 0 // a score belongs to a search, not to the index and its digest
	}
	x.words = newBM25(x.texts(), settings.K1, settings.B)
	x.access = newAccess(x.passages, x.words)
	return x
}

// texts are the passages as they are searched: with their headings, which often hold the words of a question.
func (x *Index) texts() []string {
	out := make([]string, len(x.passages))
	for i, p := range x.passages {
		out[i] = p.Text
		if p.Heading != "" {
			out[i] = p.Heading + "\n" + p.Text
		}
	}
	return out
}

func embedAll(ctx context.Context, texts []string, embed EmbedFunc) ([][]float32, error) {
	out := make([][]float32, 0, len(texts))
	for from := 0; from < len(texts); from += embedBatch {
		batch := texts[from:min(from+embedBatch, len(texts))]
		vectors, err := embed(ctx, batch)
		if err != nil {
			return nil, err
		}
		if len(vectors) != len(batch) {
			return nil, &rung.Error{Code: rung.CodeProvider,
				What: fmt.Sprintf("the embedder gave %d vectors for %d texts", len(vectors), len(batch))}
		}
		out = append(out, vectors...)
	}
	return out, nil
}

// Len is the number of passages.
func (x *Index) Len() int { return len(x.passages) }

// Passages are all passages in document order. The slice is not to be changed.
func (x *Index) Passages() []rung.Passage { return x.passages }

// Settings are what the index was built with.
func (x *Index) Settings() Settings { return x.settings }

// Digest names the index: over its passages, its settings and the model of its vectors.
func (x *Index) Digest() rung.Digest {
	return rung.DigestOf(header{Format: format, Settings: x.settings, Passages: x.passages})
}

// fuseDepth is how many hits of each ranking take part in a fusion.
const fuseDepth = 100

// Search gives the k best passages, best first, by BM25 and vectors fused, or by BM25 alone when there are no vectors.
// Scores compare within one answer only. It may give fewer than k, and none if no word of the query occurs. A context of
// WithGroups limits it to what the groups may read; without one it sees every passage, as a climb does.
func (x *Index) Search(ctx context.Context, query string, k int) ([]rung.Passage, error) {
	return x.search(ctx, query, k, x.access.view(ctx, false))
}

// SearchRestricted is Search for serving: a context without groups sees only what everybody may read.
func (x *Index) SearchRestricted(ctx context.Context, query string, k int) ([]rung.Passage, error) {
	return x.search(ctx, query, k, x.access.view(ctx, true))
}

func (x *Index) search(ctx context.Context, query string, k int, v *view) ([]rung.Passage, error) {
	if x.vectors == nil {
		return x.take(x.words.search(query, k, v)), nil
	}
	near, err := x.nearest(ctx, query, max(k, fuseDepth), v)
	if err != nil {
		return nil, err
	}
	return x.take(fuse(k, x.words.search(query, max(k, fuseDepth), v), near)), nil
}

// SearchWords is Search over all passages by BM25 alone.
func (x *Index) SearchWords(query string, k int) []rung.Passage {
	return x.take(x.words.search(query, k, x.access.all))
}

// SearchVectors is Search by vectors alone. The index must have vectors.
func (x *Index) SearchVectors(ctx context.Context, query string, k int) ([]rung.Passage, error) {
	if x.vectors == nil {
		return nil, &rung.Error{Code: rung.CodeUnsupported, What: "the index has no vectors", Do: "name an embedder in the task file"}
	}
	hits, err := x.nearest(ctx, query, k, x.access.view(ctx, false))
	return x.take(hits), err
}

func (x *Index) nearest(ctx context.Context, query string, k int, v *view) ([]hit, error) {
	if x.embed == nil {
		return nil, &rung.Error{Code: rung.CodeMissing, Place: string(x.settings.Embedder),
			What: "the index was built with this embedder, which is not available now", Do: "install it; `rung doctor` says how"}
	}
	vectors, err := embedAll(ctx, []string{query}, x.embed)
	if err != nil {
		return nil, err
	}
	return x.vectors.search(vectors[0], k, v.visible)
}

func (x *Index) take(hits []hit) []rung.Passage {
	out := make([]rung.Passage, len(hits))
	for i, h := range hits {
		out[i] = x.passages[h.doc]
		out[i].Score = h.score
	}
	return out
}
