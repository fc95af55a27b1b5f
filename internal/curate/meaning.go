package curate

import (
	"cmp"
	"context"
	"math"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/task"
)

// Embedder turns texts into vectors on this machine.
type Embedder struct {
	Digest rung.Digest // of the model's file: what vectors rest on
	Embed  func(ctx context.Context, texts []string) ([][]float32, error)
	Close  func()
}

// meaningOptions are what is recorded of a comparison by meaning.
type meaningOptions struct {
	Model  rung.ModelRef `json:"model"`
	Digest rung.Digest   `json:"model_digest"`
	Cosine float64       `json:"cosine"`
}

// meaning is what a step records of the model that it asks; nil where the description names none.
func (b *build) meaning(ctx context.Context, s task.MeaningSpec, usual float64) (*meaningOptions, error) {
	if s.Model == "" {
		return nil, nil
	}
	e, err := b.embedder(ctx, s.Model)
	if err != nil {
		return nil, err
	}
	if math.IsNaN(s.Cosine) {
		s.Cosine = usual
	}
	return &meaningOptions{s.Model, e.Digest, s.Cosine}, nil
}

// embedder opens a model once for all steps.
func (b *build) embedder(ctx context.Context, ref rung.ModelRef) (*Embedder, error) {
	if e := b.embedders[ref]; e != nil {
		return e, nil
	}
	if b.o.Embedder == nil {
		return nil, &rung.Error{Code: rung.CodeUnsupported, Place: string(ref), What: "no model can be asked here", Do: "take semantic out of the description"}
	}
	e, err := b.o.Embedder(ctx, ref)
	if err != nil {
		return nil, err
	}
	if b.embedders == nil {
		b.embedders = map[rung.ModelRef]*Embedder{}
	}
	b.embedders[ref] = e
	return e, nil
}

// embed gives the vectors of texts, of one length each.
func (b *build) embed(o *meaningOptions) func(context.Context, []string) ([][]float32, error) {
	return b.embedders[o.Model].Embed
}

func (b *build) closeEmbedders() {
	for _, e := range b.embedders {
		e.Close()
	}
}

// meant says in a note by which model rows were compared, and how many went for it alone.
func (o *meaningOptions) meant(out *sink, alone int, what string) {
	out.note("%s by meaning too, with %s (%s) and a cosine of at least %g: %s for that alone. How often such a threshold is wrong is measured in docs/data.md", what, o.Model, cmp.Or(o.Digest.Short(), "of no known digest"), o.Cosine, plural(alone, "row went", "rows went"))
}
