package curate

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/govern"
)

// eraseOptions are what is recorded of the step.
type eraseOptions struct {
	List  rung.Digest `json:"list"`
	Marks int         `json:"marks"`
}

// eraseStep takes out what is on the list of erased rows beside the description. Nothing of such a row is kept but its place.
func (b *build) eraseStep() stepDef {
	return stepDef{StepErase, eraseOptions{b.erased.Digest(), b.erased.Len()}, func(ctx context.Context, in *table, out *sink) error {
		return in.each(ctx, func(_ int, raw, origin []byte) error {
			row, err := rowOf(raw)
			if err != nil {
				return err
			}
			o, err := originOf(origin)
			if err != nil {
				return err
			}
			mark, gone := b.erased.Erased(row, o.Raw)
			if !gone {
				return out.keep(raw, origin)
			}
			return out.remove(&rung.RemovedRow{Reason: string(mark), Detail: "it is on the list of erased rows; nothing of it is kept", File: o.File, Line: o.Line, Item: o.Item})
		})
	}}
}

// forgotten takes the content out of a record that is about an erased row, such as a broken one that holds an erased name.
func (b *build) forgotten(r *rung.RemovedRow) {
	if b.erased.Len() == 0 || len(r.Row) == 0 {
		return
	}
	var row rung.DatasetRow
	if json.Unmarshal(r.Row, &row) != nil || len(row.Input) == 0 {
		row = rung.DatasetRow{Input: r.Row}
	}
	if _, gone := b.erased.Erased(&row, rung.DigestBytes(r.Row)); gone {
		r.ID, r.Row, r.Detail = "", nil, "it is on the list of erased rows; nothing of it is kept"
	}
}

// copyErased puts a copy of the list into the folder.
func (b *build) copyErased(dir string) error {
	if b.erased.Len() == 0 {
		return nil
	}
	list, err := os.ReadFile(filepath.Join(b.d.Dir, govern.ErasedFile))
	if err != nil {
		return unreadable(govern.ErasedFile, err)
	}
	return writeWhole(filepath.Join(dir, govern.ErasedFile), list)
}
