package app

import (
	"context"
	"encoding/binary"
	"math"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/store"
)

// vectors embeds texts and keeps every vector, so that a second run embeds nothing again.
type vectors struct {
	store store.Store
	door  Embedder
}

// Embedder gives the vectors of texts, in their order: the door of a climb, or an engine alone.
type Embedder interface {
	Embed(ctx context.Context, ref rung.ModelRef, texts []string) ([][]float32, error)
}

var _ Embedder = (*model.Door)(nil)

// KeepVectors is e with every vector kept in the store, where a climb finds it too.
func KeepVectors(st store.Store, e Embedder) func(ctx context.Context, ref rung.ModelRef, texts []string) ([][]float32, error) {
	return (&vectors{store: st, door: e}).embed
}

// embed gives the vectors of texts, in their order.
func (v *vectors) embed(ctx context.Context, ref rung.ModelRef, texts []string) ([][]float32, error) {
	out := make([][]float32, len(texts))
	var missing []int
	for i, text := range texts {
		b, found, err := v.store.Step(ctx, vectorKey(ref, text))
		if err != nil {
			return nil, err
		}
		if found && len(b) > 0 && len(b)%4 == 0 {
			out[i] = decodeVector(b)
			continue
		}
		missing = append(missing, i)
	}
	if len(missing) == 0 {
		return out, nil
	}
	return out, v.fill(ctx, ref, texts, missing, out)
}

func (v *vectors) fill(ctx context.Context, ref rung.ModelRef, texts []string, missing []int, out [][]float32) error {
	ask := make([]string, len(missing))
	for i, at := range missing {
		ask[i] = texts[at]
	}
	for start := 0; start < len(ask); start += embedBatch {
		batch := missing[start:min(start+embedBatch, len(missing))]
		got, err := v.door.Embed(ctx, ref, ask[start:start+len(batch)])
		if err != nil {
			return err
		}
		if len(got) != len(batch) {
			return &rung.Error{Code: rung.CodeProvider, Place: string(ref), What: "the embedder answered with another number of vectors than texts", Do: "check the server"}
		}
		for i, at := range batch {
			out[at] = got[i]
			if err := v.store.PutStep(ctx, vectorKey(ref, texts[at]), encodeVector(got[i])); err != nil {
				return err
			}
		}
	}
	return nil
}

// embedBatch is how many texts are embedded before their vectors are kept: what a stop can lose.
const embedBatch = 256

func vectorKey(ref rung.ModelRef, text string) string {
	return "vector:" + string(rung.DigestBytes([]byte(string(ref)+"\x00"+text)))
}

func encodeVector(v []float32) []byte {
	b := make([]byte, 4*len(v))
	for i, x := range v {
		binary.LittleEndian.PutUint32(b[4*i:], math.Float32bits(x))
	}
	return b
}

func decodeVector(b []byte) []float32 {
	v := make([]float32, len(b)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return v
}
