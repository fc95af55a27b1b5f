package recipe

import (
	"context"

	"github.com/rung-dev/rung"
)

// ragLoRA trains an adapter with the retrieved passages in its prompts, as many as the rag rung chose, and serves it so.
// Facts stay in the documents; the adapter learns to read them.
func (k *Kit) ragLoRA(ctx context.Context, ref rung.ModelRef) (*Built, error) {
	rag, err := k.rag(ctx, ref)
	if err != nil {
		return nil, err
	}
	c, err := k.start(ctx, rung.RAGLoRA, ref, shortTemplate)
	if err != nil {
		return nil, err
	}
	retrieval := *rag.Candidate.Retrieval
	retrieval.Cite = false // the training answers name no passage, so the adapter learns not to
	c.Retrieval = &retrieval
	return k.train(ctx, c)
}
