package recipe

import (
	"context"
	"errors"
	"fmt"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/retrieve"
)

// indexKind names retrieval indexes among the store's blobs.
const indexKind = "index"

// documentIndex cuts and indexes the task's documents once. The index is stored under its digest; a second run with the same
// documents and settings reads it back instead of embedding again.
func (k *Kit) documentIndex(ctx context.Context) (*retrieve.Index, error) {
	if k.index != nil {
		return k.index, nil
	}
	k.Observer.Step("indexing the documents")
	docs, err := k.Documents(ctx)
	if err != nil {
		return nil, err
	}
	passages, err := retrieve.Chunk(docs, retrieve.ChunkOptions{Target: k.Task.Retrieval.ChunkTokens, Overlap: k.Task.Retrieval.Overlap})
	if err != nil {
		return nil, err
	}
	opts := retrieve.Options{}
	if k.Embedder != "" {
		opts.Embedder, opts.Embed = k.Embedder, k.Embed
	}
	step := "index:" + string(rung.DigestOf([]any{passages, k.Embedder}))
	if k.index, err = k.storedIndex(ctx, step, opts); k.index != nil || err != nil {
		return k.index, err
	}
	index, err := retrieve.Build(ctx, passages, opts)
	if err != nil {
		return nil, err
	}
	b, err := index.MarshalBinary()
	if err != nil {
		return nil, err
	}
	if err := k.Store.PutBlob(ctx, indexKind, index.Digest(), b); err != nil {
		return nil, err
	}
	k.index = index
	return index, k.Store.PutStep(ctx, step, []byte(index.Digest()))
}

func (k *Kit) storedIndex(ctx context.Context, step string, opts retrieve.Options) (*retrieve.Index, error) {
	digest, err := k.Store.Step(ctx, step)
	if err != nil || digest == nil {
		return nil, ignoreNotFound(err)
	}
	b, err := k.Store.Blob(ctx, indexKind, rung.Digest(digest))
	if err != nil {
		return nil, ignoreNotFound(err)
	}
	return retrieve.Load(b, opts)
}

func ignoreNotFound(err error) error {
	var e *rung.Error
	if errors.As(err, &e) && e.Code == rung.CodeNotFound {
		return nil
	}
	return err
}

// rag puts retrieved passages into the prompt. On dev it chooses how many, and whether a few demonstrations of the form of
// an answer help. Answers in text cite the passage.
func (k *Kit) rag(ctx context.Context, ref rung.ModelRef) (*Built, error) {
	if len(k.Task.Documents) == 0 {
		return skip("the task has no documents to retrieve from"), nil
	}
	return once(&k.rags, ref, func() (*Built, error) {
		base, err := k.prompt(ctx, ref)
		if err != nil {
			return nil, err
		}
		index, err := k.documentIndex(ctx)
		if err != nil {
			return nil, err
		}
		opts, err := k.ragOptions(ctx, base.Candidate, index.Digest())
		if err != nil {
			return nil, err
		}
		b := &Built{}
		best, err := k.choose(ctx, b, opts, k.dev())
		if err != nil {
			return nil, err
		}
		b.Candidate = &opts[best].cand
		return b, nil
	})
}

// passageCounts are the numbers of passages that are tried.
func (k *Kit) passageCounts() []int {
	if n := k.Task.Retrieval.K; n > 0 {
		return []int{n}
	}
	return []int{1, 3, 5}
}

// ragShots is the number of demonstrations, without passages, that show what an answer looks like.
const ragShots = 3

func (k *Kit) ragOptions(ctx context.Context, base *rung.Candidate, index rung.Digest) ([]option, error) {
	var opts []option
	for _, cite := range k.citeChoices() {
		for _, shots := range []int{0, ragShots} {
			for _, n := range k.passageCounts() {
				o, err := k.ragOption(ctx, base, index, n, shots, cite)
				if err != nil {
					return nil, err
				}
				opts = append(opts, o)
			}
		}
	}
	return opts, nil
}

// citeChoices: answers in text are asked to cite; since that costs weak models accuracy, going without is tried as well.
// Other forms have no room for a citation; their passages are in the trace.
func (k *Kit) citeChoices() []bool {
	if k.Task.Output.Kind == rung.Text {
		return []bool{true, false}
	}
	return []bool{false}
}

func (k *Kit) ragOption(ctx context.Context, base *rung.Candidate, index rung.Digest, n, shots int, cite bool) (option, error) {
	c := *base
	c.Rung = rung.RAG
	c.Retrieval = &rung.Retrieval{Index: index, K: n, Embedder: k.Embedder, Query: demoFields(c), Cite: cite}
	label := fmt.Sprintf("%d passages", n)
	if cite {
		label += ", cited"
	}
	if shots > 0 && len(k.Building.Train) >= shots {
		p, err := k.trainPool(ctx)
		if err != nil {
			return option{}, err
		}
		c.Demos = &rung.Demos{Mode: rung.FixedDemos, K: shots, Fixed: p.balanced(shots, k.Task.Output)}
		label += fmt.Sprintf(", %d fixed demonstrations", shots)
	}
	return option{label, c}, nil
}
