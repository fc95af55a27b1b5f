package engine

import (
	"context"
	"errors"
	"fmt"
	"math"

	"golang.org/x/sync/errgroup"

	"github.com/rung-dev/rung"
)

const (
	// window is the number of tokens of a text that the embedder reads at once, its first and last special token included:
	// what all-MiniLM-L6-v2 was made for. A longer text is cut into windows, and its vector is their mean, weighted by length.
	window = 256
	// embedBatch is the number of texts, and of windows, sent at once: few enough that all servers have work.
	embedBatch = 16
)

// Embed turns texts into unit vectors. It is for embedding models: local/minilm, or a GGUF file of that kind.
func (e *Engine) Embed(ctx context.Context, ref rung.ModelRef, texts []string) ([][]float32, error) {
	m, err := e.open(ctx, ref)
	if err != nil {
		return nil, err
	}
	if m.kind != embedder {
		return nil, &rung.Error{Code: rung.CodeUnsupported, Place: string(ref), What: "this model makes no embeddings", Do: "use local/minilm"}
	}
	out := make([][]float32, len(texts))
	work, ctx := errgroup.WithContext(ctx)
	next := make(chan int, len(texts)/embedBatch+1) // where a batch begins
	for from := 0; from < len(texts); from += embedBatch {
		next <- from
	}
	close(next)
	for _, s := range m.fleet.servers {
		work.Go(func() error {
			for from := range next {
				batch := texts[from:min(from+embedBatch, len(texts))]
				vectors, err := askingServer(ctx, m, s, func(p *process) ([][]float32, error) { return p.embed(ctx, batch) })
				if err != nil {
					return err
				}
				copy(out[from:], vectors)
			}
			return nil
		})
	}
	if err := work.Wait(); err != nil {
		return nil, err
	}
	return out, nil
}

// embed gives one vector per text.
func (p *process) embed(ctx context.Context, texts []string) ([][]float32, error) {
	var pieces [][]int // the windows of all texts
	owner := []int{}   // the text of each
	for i, text := range texts {
		ids, err := p.tokenize(ctx, text, true, false)
		if err != nil {
			return nil, err
		}
		for _, w := range windows(ids) {
			pieces = append(pieces, w)
			owner = append(owner, i)
		}
	}
	sums := make([][]float32, len(texts))
	for from := 0; from < len(pieces); from += embedBatch {
		to := min(from+embedBatch, len(pieces))
		vectors, err := p.embedTokens(ctx, pieces[from:to])
		if err != nil {
			return nil, err
		}
		for i, v := range vectors {
			sums[owner[from+i]] = addScaled(sums[owner[from+i]], v, float32(len(pieces[from+i])))
		}
	}
	for _, v := range sums {
		if err := normalise(v); err != nil {
			return nil, err
		}
	}
	return sums, nil
}

// windows cuts tokens that begin and end with a special one into pieces that do, too.
func windows(ids []int) [][]int {
	if len(ids) <= window {
		return [][]int{ids}
	}
	first, last, inner := ids[0], ids[len(ids)-1], ids[1:len(ids)-1]
	var out [][]int
	for len(inner) > 0 {
		n := min(len(inner), window-2)
		out = append(out, append(append([]int{first}, inner[:n]...), last))
		inner = inner[n:]
	}
	return out
}

func (p *process) embedTokens(ctx context.Context, pieces [][]int) ([][]float32, error) {
	var out struct {
		Data []struct {
			Index     int       `json:"index"`
			Embedding []float32 `json:"embedding"`
		} `json:"data"`
	}
	if err := p.client.post(ctx, "/v1/embeddings", map[string]any{"input": pieces}, &out); err != nil {
		return nil, err
	}
	if len(out.Data) != len(pieces) {
		return nil, fmt.Errorf("%d embeddings for %d texts", len(out.Data), len(pieces))
	}
	vectors := make([][]float32, len(pieces))
	for _, d := range out.Data {
		if d.Index < 0 || d.Index >= len(vectors) || len(d.Embedding) == 0 || len(d.Embedding) != len(out.Data[0].Embedding) {
			return nil, errors.New("the embeddings do not fit the texts")
		}
		vectors[d.Index] = d.Embedding
	}
	for _, v := range vectors {
		if v == nil {
			return nil, errors.New("an embedding is missing")
		}
	}
	return vectors, nil
}

func addScaled(sum, v []float32, weight float32) []float32 {
	if sum == nil {
		sum = make([]float32, len(v))
	}
	for i, x := range v {
		sum[i] += weight * x
	}
	return sum
}

// normalise gives v length 1.
func normalise(v []float32) error {
	var squares float64
	for _, x := range v {
		squares += float64(x) * float64(x)
	}
	if squares == 0 || math.IsNaN(squares) || math.IsInf(squares, 0) {
		return &rung.Error{Code: rung.CodeProvider, What: "the embedder gave a vector without a direction", Do: "report the text"}
	}
	scale := float32(1 / math.Sqrt(squares))
	for i := range v {
		v[i] *= scale
	}
	return nil
}
