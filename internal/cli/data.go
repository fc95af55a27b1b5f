package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/rows"
)

func newDataCommand(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use:     "data",
		GroupID: "task",
		Short:   "Make files of rows fit to train on",
		Long: `Data works on files of rows: JSON lines, CSV, TSV, Parquet or a JSON array, of any size. Nothing is changed in place: what stays
and what goes are written to files of their own, and each removed row says why it went and by which other row. The same input
gives the same output, to the byte; its digest is in the report.`,
	}
	c.AddCommand(newDataInitCommand(s), newDataBuildCommand(s), newDataShowCommand(s), newDataWhyCommand(s))
	c.AddCommand(newDataConvertCommand(s))
	c.AddCommand(newDataDedupeCommand(s), newDataDecontaminateCommand(s), newDataPIICommand(s), newDataWorkerCommand(s))
	c.AddCommand(newDataGenerateCommand(s), newDataReviewCommand(s))
	c.AddCommand(newDataCheckCommand(s), newDataSplitCommand(s), newDataCurveCommand(s))
	c.AddCommand(newDataForgetCommand(s))
	return c
}

// splitFiles is where rows go.
type splitFiles struct {
	out     string // rows that stay; "" writes nothing
	removed string // rows that go; "" stands beside out
	embed   string // embedder of comparisons by meaning
}

func (o *splitFiles) flags(c *cobra.Command) {
	c.Flags().StringVar(&o.out, "out", "", "write the rows that stay to this file, as JSON lines (without it, only the report is made)")
	c.Flags().StringVar(&o.removed, "removed", "", "write the rows that go to this file, each with its reason (default: beside --out, ending in .removed.jsonl)")
	c.Flags().StringVar(&o.embed, "semantic", "", "compare by meaning too, with this embedder, such as local/minilm")
}

// check refuses to write over what is read.
func (o *splitFiles) check(sets ...*rows.Set) error {
	if o.out == "" && o.removed != "" {
		return usage("--removed needs --out")
	}
	if o.out != "" && o.removed == "" {
		o.removed = strings.TrimSuffix(o.out, filepath.Ext(o.out)) + ".removed.jsonl"
	}
	if o.out != "" && filepath.Clean(o.out) == filepath.Clean(o.removed) {
		return usage("--out and --removed are one file")
	}
	if err := linesOnly(o.out); err != nil {
		return err
	}
	for _, set := range sets {
		for _, path := range []string{o.out, o.removed} {
			if path != "" && set.Holds(path) {
				return &rung.Error{Code: rung.CodeUsage, Place: path, What: "is a file that is read; nothing is changed in place", Do: "write to another"}
			}
		}
	}
	return nil
}

// linesOnly refuses a name that promises something else than JSON lines: a table that is none is found by whoever opens it, much later.
func linesOnly(path string) error {
	end := strings.ToLower(filepath.Ext(path))
	if !slices.Contains([]string{".csv", ".tsv", ".json", ".parquet", ".arrow", ".yaml", ".yml", ".txt", ".xlsx", ".gz", ".zst", ".bz2", ".zip"}, end) {
		return nil
	}
	return usage("--out %s: JSON lines are written, and the name says %s; write a name that ends in .jsonl, and rung data convert makes other formats of it", path, end[1:])
}

// written says what a data command wrote.
type written struct {
	Out           string      `json:"out,omitempty"`
	Removed       string      `json:"removed_file,omitempty"`
	Digest        rung.Digest `json:"digest"`         // of the rows that stay, as they are written
	RemovedDigest rung.Digest `json:"removed_digest"` // of the removed rows, as they are written
}

// write goes through the set once more: rows for which why gives nothing stay, as they are; the others go with its record. Both files
// appear whole, or neither.
func (o *splitFiles) write(ctx context.Context, set *rows.Set, why func(n int, r rows.Row) any) (w written, err error) {
	stay, err := rows.Create(o.out)
	if err != nil {
		return w, err
	}
	defer stay.Abandon()
	removed := o.removed
	if o.out == "" {
		removed = ""
	}
	gone, err := rows.Create(removed)
	if err != nil {
		return w, err
	}
	defer gone.Abandon()
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	err = set.Each(ctx, func(n int, r rows.Row) error {
		record := why(n, r)
		if record == nil {
			return stay.Line(r.Raw)
		}
		line.Reset()
		if err := enc.Encode(record); err != nil {
			return fmt.Errorf("the record of a removed row: %w", err)
		}
		return gone.Line(bytes.TrimSuffix(line.Bytes(), []byte("\n")))
	})
	if err != nil {
		return w, err
	}
	if err := gone.Finish(); err != nil {
		return w, err
	}
	if err := stay.Finish(); err != nil {
		return w, err
	}
	return written{Out: o.out, Removed: removed, Digest: stay.Digest(), RemovedDigest: gone.Digest()}, nil
}

// place is a row in a file.
type place struct {
	File string `json:"file"`
	Line int    `json:"line,omitempty"` // of CSV and Parquet, the row's number
}

func (p place) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// rawRow is a row as it stands in a record: its JSON, or its text when it is none.
func rawRow(raw []byte) json.RawMessage {
	if json.Valid(raw) {
		return append(json.RawMessage(nil), raw...)
	}
	b, err := json.Marshal(strings.ToValidUTF8(string(raw), "\ufffd"))
	if err != nil { // a string always has JSON
		return json.RawMessage(`""`)
	}
	return b
}

// fieldsOf are the fields that the user named, or those that hold what is asked.
func fieldsOf(ctx context.Context, named []string, set *rows.Set) (rows.Fields, error) {
	if len(named) > 0 {
		return named, nil
	}
	return rows.Choose(ctx, set)
}

// text says where the rows went.
func (w *written) text() string {
	if w.Out == "" {
		return fmt.Sprintf("Nothing was written (--out FILE writes the rows). The rows that stay have the digest %s.\n", w.Digest.Short())
	}
	return fmt.Sprintf("The rows that stay are in %s (digest %s), the others, each with its reason, in %s.\n", w.Out, w.Digest.Short(), w.Removed)
}
