package recipe

import (
	"context"
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
	spec := retrieve.SpecOf(k.Task.Retrieval, nil)
	var passages []rung.Passage
	for _, doc := range docs {
		passages = append(passages, retrieve.Chunk(doc, spec)...)
	}
	if len(passages) == 0 {
		return nil, &rung.Error{Code: rung.CodeInput, Place: k.Task.File, What: "the documents hold no text", Do: "correct documents, or leave it out"}
	}
	step := "index:" + string(rung.DigestOf([]any{passages, k.Embedder}))
	if found, err := k.storedIndex(ctx, step); found || err != nil {
		return k.index, err
	}
	if k.index, err = retrieve.Build(ctx, passages, retrieve.Settings{Embedder: k.Embedder}, k.Embed); err != nil {
		return nil, err
	}
	b, err := k.index.Bytes()
	if err != nil {
		return nil, err
	}
	k.indexDigest = rung.DigestBytes(b)
	if err := k.Store.PutBlob(ctx, indexKind, k.indexDigest, b); err != nil {
		return nil, err
	}
	return k.index, k.Store.PutStep(ctx, step, []byte(k.indexDigest))
}

// storedIndex reads the index that an earlier run built.
func (k *Kit) storedIndex(ctx context.Context, step string) (bool, error) {
	digest, found, err := k.Store.Step(ctx, step)
	if err != nil || !found {
		return false, err
	}
	b, err := k.Store.Blob(ctx, indexKind, rung.Digest(digest))
	if err != nil {
		return false, err
	}
	k.index, err = retrieve.Load(b, k.Embed)
	k.indexDigest = rung.Digest(digest)
	return err == nil, err
}

// rag puts retrieved passages into the prompt. On dev it chooses how many, and whether a few demonstrations of the form of
// an answer help. Answers in text cite the passage.
func (k *Kit) rag(ctx context.Context, ref rung.ModelRef) (*Built, error) {
	return once(&k.rags, ref, func() (*Built, error) {
		base, err := k.prompt(ctx, ref)
		if err != nil {
			return nil, err
		}
		if _, err := k.documentIndex(ctx); err != nil {
			return nil, err
		}
		opts, err := k.ragOptions(ctx, base.Candidate, k.indexDigest)
		if err != nil {
			return nil, err
		}
		b := &Built{}
		best, err := k.choose(ctx, b, opts, k.dev(ref))
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
	if n == 1 {
		label = "1 passage"
	}
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
