package formats

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/rows"
)

// Read reads files in their order and gives each row with its origin to take, and what cannot be read to broken. An error of either ends it.
// Files that cannot be read at all are an error. The row is the caller's to keep.
func Read(ctx context.Context, paths []string, o Options, take func(*rung.DatasetRow, rung.Origin) error, broken func(rung.RemovedRow) error) (report *Report, err error) {
	set, err := rows.Open(ctx, paths, o.Tmp)
	if err != nil {
		return nil, err
	}
	defer func() { _ = set.Close() }()
	report = &Report{}
	for _, f := range set.Files {
		b, err := os.ReadFile(f.Name)
		if err != nil {
			return nil, err
		}
		report.Files = append(report.Files, FileReport{File: f.Name, Container: "jsonl", Format: Rung, Encoding: "utf-8", Bytes: int64(len(b)), Digest: rung.DigestBytes(b)})
	}
	err = set.Each(ctx, func(n int, r rows.Row) error {
		f := &report.Files[r.Place.File]
		row := &rung.DatasetRow{}
		if err := json.Unmarshal(r.Raw, row); err != nil || len(row.Input) == 0 {
			f.Broken++
			report.Broken++
			text, _ := json.Marshal(string(r.Raw))
			return broken(rung.RemovedRow{Step: "import", Reason: "unreadable", Detail: fmt.Sprint(err), File: f.File, Line: r.Line, Row: text})
		}
		if row.ID == "" {
			row.ID = string(rung.DigestBytes(r.Raw))[:16]
		}
		row.Source = o.Source
		f.Rows++
		report.Rows++
		return take(row, rung.Origin{ID: row.ID, Source: o.Source, File: f.File, Line: r.Line, Raw: rung.DigestBytes(r.Raw)})
	})
	return report, err
}
