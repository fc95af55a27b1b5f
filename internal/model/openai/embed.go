package openai

import (
	"context"
	"encoding/json"
	"fmt"
	"math"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
)

// embedBatch is how many texts go into one request; OpenAI takes 2048, small servers fewer.
const embedBatch = 64

// Embed gives one unit vector per text, in their order.
func (p *Provider) Embed(ctx context.Context, ref rung.ModelRef, texts []string) ([][]float32, error) {
	if p.noKey {
		return nil, p.missingKey(ref)
	}
	out := make([][]float32, 0, len(texts))
	for start := 0; start < len(texts); start += embedBatch {
		batch := texts[start:min(start+embedBatch, len(texts))]
		vectors, err := p.embed(ctx, ref, batch)
		if err == nil && len(out) > 0 && len(vectors[0]) != len(out[0]) {
			err = fmt.Errorf("vectors of %d and of %d numbers", len(out[0]), len(vectors[0]))
		}
		if err != nil {
			return nil, p.caller(ref).Failure(err)
		}
		out = append(out, vectors...)
	}
	return out, nil
}

func (p *Provider) embed(ctx context.Context, ref rung.ModelRef, batch []string) ([][]float32, error) {
	body, err := json.Marshal(map[string]any{"model": ref.Name(), "input": batch, "encoding_format": "float"})
	if err != nil {
		return nil, err
	}
	answer, err := p.post(ctx, "/embeddings", body)
	if err != nil {
		return nil, err
	}
	var got struct {
		Data []embedding `json:"data"`
	}
	if err := json.Unmarshal(answer, &got); err != nil {
		return nil, fmt.Errorf("it holds no embeddings: %w", plainJSONError(err, answer))
	}
	return inOrder(got.Data, len(batch))
}

type embedding struct {
	Index     int       `json:"index"`
	Embedding []float64 `json:"embedding"`
}

// inOrder puts the vectors where their indexes say and scales them to length 1. A server that leaves one out, gives one twice
// or gives a vector that has no direction is not believed.
func inOrder(data []embedding, n int) ([][]float32, error) {
	out := make([][]float32, n)
	for _, e := range data {
		if e.Index < 0 || e.Index >= n || out[e.Index] != nil {
			return nil, fmt.Errorf("a vector has the index %d among %d texts", e.Index, n)
		}
		v, err := unit(e.Embedding)
		if err != nil {
			return nil, err
		}
		out[e.Index] = v
	}
	for i, v := range out {
		if v == nil {
			return nil, fmt.Errorf("%d texts were sent and the vector of number %d is missing", n, i+1)
		}
		if len(v) != len(out[0]) {
			return nil, fmt.Errorf("vectors of %d and of %d numbers", len(out[0]), len(v))
		}
	}
	return out, nil
}

func unit(v []float64) ([]float32, error) {
	var sum float64
	for _, x := range v {
		sum += x * x
	}
	length := math.Sqrt(sum)
	if length == 0 || math.IsNaN(length) || math.IsInf(length, 0) {
		return nil, fmt.Errorf("a vector of %d numbers has no direction", len(v))
	}
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(x / length)
	}
	return out, nil
}

var _ model.Embedder = (*Provider)(nil)
