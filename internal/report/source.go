package report

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"

	"github.com/rung-dev/rung"
)

// Source is the part of the store that reports read.
type Source interface {
	Candidate(ctx context.Context, prefix string) (*rung.Candidate, error)
	Scores(ctx context.Context, candidate, set rung.Digest) iter.Seq2[rung.Score, error]
	Completion(ctx context.Context, key rung.Digest) (rung.Completion, bool, error)
	Modes(ctx context.Context, candidate, set rung.Digest) ([]rung.ModeLabel, error)
	Blob(ctx context.Context, kind string, digest rung.Digest) ([]byte, error)
	Step(ctx context.Context, key string) ([]byte, bool, error)
}

// Keeper is the part of the store that KeepExamples writes.
type Keeper interface {
	PutBlob(ctx context.Context, kind string, digest rung.Digest, content []byte) error
	PutStep(ctx context.Context, key string, value []byte) error
}

const exampleBlobs = "examples"

func exampleStep(set rung.Digest) string { return "examples of " + string(set) }

// KeepExamples keeps the examples of a held-out set, so that a report can show what was asked and expected. A climb calls
// it once the set is frozen. Keeping the same set again changes nothing.
func KeepExamples(ctx context.Context, st Keeper, set rung.Heldout) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, ex := range set.Examples() {
		if err := enc.Encode(ex); err != nil {
			return fmt.Errorf("keep example %s: %w", ex.ID, err)
		}
	}
	name := rung.DigestBytes(b.Bytes())
	if err := st.PutBlob(ctx, exampleBlobs, name, b.Bytes()); err != nil {
		return err
	}
	return st.PutStep(ctx, exampleStep(set.Digest()), []byte(name))
}

// Examples are those that KeepExamples kept of a set, in their frozen order; none when nothing was kept.
func Examples(ctx context.Context, src Source, set rung.Digest) ([]rung.Example, error) {
	name, ok, err := src.Step(ctx, exampleStep(set))
	if err != nil || !ok {
		return nil, err
	}
	content, err := src.Blob(ctx, exampleBlobs, rung.Digest(name))
	if gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []rung.Example
	for dec := json.NewDecoder(bytes.NewReader(content)); dec.More(); {
		var ex rung.Example
		if err := dec.Decode(&ex); err != nil {
			return nil, &rung.Error{Code: rung.CodeStore, Place: "examples " + set.Short(), What: "the stored examples are damaged", Do: "run the climb again; it keeps them anew", Err: err}
		}
		out = append(out, ex)
	}
	return out, nil
}

// gone reports that something is not in the store.
func gone(err error) bool { return err != nil && rung.CodeOf(err) == rung.CodeNotFound }
