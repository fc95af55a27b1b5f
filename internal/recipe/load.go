package recipe

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/retrieve"
)

// PoolKind, IndexKind name what candidates refer to among the store's blobs.
const (
	PoolKind  = poolKind
	IndexKind = indexKind
)

// StoredPool is a stored train pool, ready to choose demonstrations from. It is what a Kit makes of the train split.
type StoredPool struct {
	Demos []rung.Demo
	texts []string // what nearness is measured on
	near  *retrieve.Nearest
}

// LoadPool reads a pool as it was stored for candidate c, and checks that it is the one that c names.
func LoadPool(b []byte, c *rung.Candidate) (*StoredPool, error) {
	if c.Demos == nil || rung.DigestBytes(b) != c.Demos.Pool {
		return nil, &rung.Error{Code: rung.CodeStore, What: "the train pool is not the one that the candidate names", Do: "pull the release again, or make it again"}
	}
	p := &StoredPool{}
	if err := json.Unmarshal(b, &p.Demos); err != nil {
		return nil, &rung.Error{Code: rung.CodeStore, What: "the train pool cannot be read: " + err.Error(), Do: "pull the release again, or make it again", Err: err}
	}
	fields := demoFields(*c)
	for i := range p.Demos {
		text, err := queryText(fields, p.Demos[i].Input)
		if err != nil {
			return nil, fmt.Errorf("demonstration %s of the pool: %w", p.Demos[i].ID, err)
		}
		p.texts = append(p.texts, text)
	}
	p.near = retrieve.NewNearest(p.texts)
	return p, nil
}

// Embed gives the vectors of the pool's texts, in the order of Demos.
func (p *StoredPool) Embed(ctx context.Context, embed retrieve.EmbedFunc) ([][]float32, error) {
	return embed(ctx, p.texts)
}

// Nearest is the way to the pool's nearest texts. Vectors, one per demonstration, and embed are needed for NearestDense only.
func (p *StoredPool) Nearest(mode rung.DemoMode, vectors [][]float32, embed retrieve.EmbedFunc) (Nearest, error) {
	if mode != rung.NearestDense {
		return func(_ context.Context, query string, k int) ([]int, error) { return p.near.BM25(query, k), nil }, nil
	}
	if len(vectors) != len(p.Demos) {
		return nil, &rung.Error{Code: rung.CodeStore, What: fmt.Sprintf("the train pool has %d demonstrations and %d vectors", len(p.Demos), len(vectors)), Do: "pull the release again, or make it again"}
	}
	if err := p.near.SetVectors(vectors); err != nil {
		return nil, &rung.Error{Code: rung.CodeStore, What: "the train pool's vectors are broken: " + err.Error(), Do: "pull the release again, or make it again", Err: err}
	}
	return func(ctx context.Context, query string, k int) ([]int, error) {
		v, err := embed(ctx, []string{query})
		if err != nil {
			return nil, err
		}
		if len(v) != 1 {
			return nil, &rung.Error{Code: rung.CodeProvider, What: fmt.Sprintf("the embedder gave %d vectors for one text", len(v)), Do: "check the server"}
		}
		return p.near.Dense(v[0], k)
	}, nil
}

// Request is the first request that Answer sends for an input. Its key names the answer in the store.
func (r *Runner) Request(ctx context.Context, input json.RawMessage) (model.Request, error) {
	msgs, _, err := r.Messages(ctx, input)
	if err != nil {
		return model.Request{}, err
	}
	return r.request(input, msgs, 0)
}

// Preamble is what stands before every input: the system message and the fixed demonstrations. What is chosen per input is
// not in it.
func (r *Runner) Preamble() ([]model.Message, error) {
	var msgs []model.Message
	if r.system != "" {
		msgs = append(msgs, model.Message{Role: "system", Content: r.system})
	}
	if d := r.cand.Demos; d != nil && d.Mode == rung.FixedDemos {
		for _, demo := range d.Fixed {
			var err error
			if msgs, err = r.appendDemo(msgs, demo); err != nil {
				return nil, err
			}
		}
	}
	return msgs, nil
}

// UserForm is the message of an input without passages, with <FIELD> where the value of each field stands.
func (r *Runner) UserForm() (string, error) {
	values := map[string]string{}
	for _, f := range r.cand.Input {
		values[f.Name] = "<" + f.Name + ">"
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(values); err != nil {
		return "", err
	}
	text, err := inputText(r.cand.Input, b.Bytes())
	if err != nil {
		return "", err
	}
	return r.renderUser(text, nil)
}
