package app

import (
	"context"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
)

// Asked is a model that rows are made with or judged by: what it can do, and the digest of its file where it is a local one.
type Asked struct {
	Model   rung.ModelRef
	Can     model.Can
	Weights rung.Digest
}

// Asking checks that a model can be asked: its provider is known and has its key.
func (p *Project) Asking(ctx context.Context, ref rung.ModelRef) (a Asked, err error) {
	if err := p.Door.Check(ref); err != nil {
		return a, err
	}
	a.Model = ref
	if a.Can, err = p.Door.Can(ref); err != nil {
		return a, err
	}
	if ref.Local() {
		_, a.Weights, err = p.Engine.Weights(ctx, ref)
	}
	return a, err
}
