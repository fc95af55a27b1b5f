package curate

import (
	"context"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/formats"
	"github.com/rung-dev/rung/internal/task"
)

// EachRaw reads the raw files of one source of a description as a build reads them, before any step: take is given each row with its
// origin, whose file is named as the dataset's records name it, broken what cannot be read. It gives the files with their digests. Rows have
// the ids that they have in the file; a build gives the second row of an id a number.
func EachRaw(ctx context.Context, d *task.Description, source int, take func(*rung.DatasetRow, rung.Origin) error, broken func(rung.RemovedRow) error) ([]rung.SourceFile, error) {
	spec := &d.Sources[source]
	report, err := formats.Read(ctx, spec.Paths, readOptions(d, spec), func(row *rung.DatasetRow, o rung.Origin) error {
		o.File = d.Shown(o.File)
		return take(row, o)
	}, func(r rung.RemovedRow) error {
		r.File = d.Shown(r.File)
		return broken(r)
	})
	if err != nil {
		return nil, err
	}
	var out []rung.SourceFile
	for _, f := range report.Files {
		out = append(out, rung.SourceFile{File: d.Shown(f.File), Digest: f.Digest, Bytes: f.Bytes, Rows: f.Rows})
	}
	return out, nil
}
