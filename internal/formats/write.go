package formats

import (
	"context"
	"encoding/json"
	"iter"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/rows"
)

// Write writes rows to path in a format. The file, or folder, appears when it is whole.
func Write(ctx context.Context, format Format, path string, list iter.Seq2[*rung.DatasetRow, error], o WriteOptions) error {
	if format != Rung {
		return &rung.Error{Code: rung.CodeUnsupported, What: "this format is not written", Do: "write rung"}
	}
	out, err := rows.Create(path)
	if err != nil {
		return err
	}
	defer out.Abandon()
	n := 0
	for row, err := range list {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		line, err := json.Marshal(row)
		if err != nil {
			return err
		}
		if err := out.Line(line); err != nil {
			return err
		}
		n++
	}
	if err := out.Finish(); err != nil {
		return err
	}
	if o.Written != nil {
		*o.Written = Written{Rows: n, Files: []WrittenFile{{File: path, Digest: out.Digest(), Rows: n}}}
	}
	return nil
}
