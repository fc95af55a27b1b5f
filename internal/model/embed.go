package model

import (
	"context"
	"fmt"

	"github.com/rung-dev/rung"
)

// embedBatch is how many texts one call embeds, so that a failed attempt repeats little.
const embedBatch = 64

var _ Embedder = (*Door)(nil)

// Embed gives one unit vector per text by the provider of ref, within the limits, retries and budget that hold for completions.
// It keeps nothing: its callers know which vectors they have. Where they cost something, the budget counts their upper
// estimate, as servers say what a batch cost but not what they charged.
func (d *Door) Embed(ctx context.Context, ref rung.ModelRef, texts []string) ([][]float32, error) {
	if ctx.Err() != nil {
		return nil, interrupted(ctx)
	}
	l, err := d.laneOf(ref)
	if err != nil {
		return nil, err
	}
	e, ok := l.provider.(Embedder)
	if !ok {
		return nil, &rung.Error{Code: rung.CodeUnsupported, Place: string(ref), What: ref.Provider() + " has no embeddings",
			Do: "name another embedder in the task file, such as local/minilm"}
	}
	out := make([][]float32, 0, len(texts))
	for start := 0; start < len(texts); start += embedBatch {
		batch := texts[start:min(start+embedBatch, len(texts))]
		vectors, err := d.embed(ctx, l, e, ref, batch)
		if err != nil {
			return nil, err
		}
		if len(vectors) != len(batch) {
			return nil, &rung.Error{Code: rung.CodeProvider, Place: string(ref), Do: "check the server",
				What: fmt.Sprintf("%d texts were sent and %d vectors came back", len(batch), len(vectors))}
		}
		out = append(out, vectors...)
	}
	return out, nil
}

func (d *Door) embed(ctx context.Context, l *lane, e Embedder, ref rung.ModelRef, batch []string) (vectors [][]float32, err error) {
	price, err := d.priceOf(l, ref)
	if err != nil {
		return nil, err
	}
	req := Request{Model: ref, Messages: make([]Message, len(batch))} // for the limits only
	for i, text := range batch {
		req.Messages[i].Content = text
	}
	cost := price.cost(rung.Usage{In: tokensUpTo(req)}, 0)
	pay, err := reserve(ctx, ref, price, cost)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			cost = 0
		}
		pay(cost)
	}()
	if err := d.budget.reserve(ctx, cost); err != nil {
		return nil, err
	}
	n, err := d.attempts(ctx, l, req, func(ctx context.Context) (err error) {
		vectors, err = e.Embed(ctx, ref, batch)
		return err
	})
	d.count.retries.Add(int64(max(0, n-1)))
	if err != nil {
		d.budget.settle(cost, 0)
		return nil, err
	}
	d.budget.settle(cost, cost)
	d.count.nanoUSD.Add(int64(cost * 1e9))
	return vectors, nil
}
