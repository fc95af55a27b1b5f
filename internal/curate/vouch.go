package curate

import (
	"context"
	"path/filepath"
	"slices"

	"github.com/rung-dev/rung"
)

// vouched holds a row that says it was generated and reviewed to the record of that review: beside the raw files, or in the store. It is
// asked of the row as it came in, before any step changes it. A row that nothing vouches for ends the build: a mark that is forged, or older
// than the row, is no row to leave out in silence.
func (b *build) vouched(ctx context.Context, row *rung.DatasetRow, origin *rung.Origin) error {
	if row.Generated == nil || row.Generated.Review == "" {
		return nil
	}
	return b.shelf.Row(ctx, b.recordDirs(), rung.Place(origin.File, origin.Line, origin.Item), row.Generated, row.Input, row.Output)
}

// recordDirs are the folders in which the records of reviews may lie: those of the raw files, and the description's own.
func (b *build) recordDirs() []string {
	if b.dirs != nil {
		return b.dirs
	}
	b.dirs = []string{b.d.Dir}
	for i := range b.d.Sources {
		for _, path := range b.d.Sources[i].Paths {
			for _, dir := range []string{filepath.Dir(path), path} { // a source may be a folder itself
				if !slices.Contains(b.dirs, dir) {
					b.dirs = append(b.dirs, dir)
				}
			}
		}
	}
	return b.dirs
}

// ReviewedBatch is a batch of generated rows of which some are in the dataset.
type ReviewedBatch struct {
	Review     string      `json:"review"`
	Batch      rung.Digest `json:"batch"`             // of the file that was reviewed
	Rows       int         `json:"rows"`              // that stay
	Of         int         `json:"of"`                // rows of the batch
	People     int         `json:"people"`            // who looked
	Looked     int         `json:"looked"`            // at so many rows
	Defects    int         `json:"defects"`           // of which so many were defective
	Bound      int         `json:"at_most_defective"` // of the whole batch, with the confidence
	Tolerable  float64     `json:"tolerable"`         // share of defective rows
	Confidence float64     `json:"confidence"`
}

// reviewed says of each batch how it was reviewed.
func (b *build) reviewed(ctx context.Context, rows map[string]int) ([]ReviewedBatch, error) {
	var out []ReviewedBatch
	for _, name := range sortedNames(rows) {
		r, err := b.shelf.Of(ctx, b.recordDirs(), name)
		if err != nil {
			return nil, err
		}
		p := r.Plan
		out = append(out, ReviewedBatch{Review: name, Batch: p.Batch, Rows: rows[name], Of: p.Rows, People: len(r.Reviewers), Looked: r.Looked, Defects: r.Defects, Bound: r.Bound,
			Tolerable: p.Tolerable, Confidence: p.Confidence})
	}
	return out, nil
}
