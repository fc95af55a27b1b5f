package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/formats"
	"github.com/rung-dev/rung/internal/rows"
)

type convertOptions struct {
	files []string
	readFlags
	out, removed string
	to           string
	strict       bool
}

func newDataConvertCommand(s *settings) *cobra.Command {
	var o convertOptions
	c := &cobra.Command{
		Use:   "convert FILE…",
		Short: "Read rows of any of the usual formats, repair their encoding, and write them in another",
		Long: `Convert reads files and folders: JSON lines, JSON, CSV, TSV, Parquet, Arrow, YAML and plain text, also compressed (gzip, zip, zstd, bzip2)
and in other encodings; rows of rung, flat rows, OpenAI chats, ShareGPT, Alpaca, Label Studio exports, promptfoo tests, traces of a gateway,
Hugging Face dataset folders, and folders of prompts and answers. Format and encoding are found by looking. The report says what was
chosen, what was repaired and what was left out; rows that cannot be read go to a file of their own, each with its place and reason.

Without --out, only the report is made. docs/data-formats.md has the rules of every format.`,
		Example: `  rung data convert export.csv
  rung data convert chats.jsonl.gz --out rows.jsonl
  rung data convert export.csv --input subject,body --output label --map group=customer --out rows.jsonl
  rung data convert rows.jsonl --to hf --out dataset`,
		Args: someFiles,
		RunE: func(c *cobra.Command, args []string) error {
			o.files = args
			doc, err := runConvert(c.Context(), &o)
			if err != nil {
				return err
			}
			if s.json {
				return s.printJSON(doc)
			}
			_, err = fmt.Fprint(s.Out, doc.text())
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&o.out, "out", "", "write the rows to this file or folder; a name that ends in .gz is compressed")
	f.StringVar(&o.removed, "removed", "", "write the rows that cannot be read to this file (default: beside --out, ending in .removed.jsonl)")
	f.StringVar(&o.to, "to", "", "format to write: rung, jsonl, json, csv, tsv, parquet, hf, text, chat, sharegpt, alpaca, labelstudio, promptfoo, folder (default: by the ending of --out)")
	f.BoolVar(&o.strict, "strict", false, "end with an error where the format that is written cannot hold a row as it is")
	o.add(f)
	return c
}

// convertDocument is what rung data convert --json prints.
type convertDocument struct {
	formats.Report
	To            string                `json:"to,omitempty"`
	Out           string                `json:"out,omitempty"`
	Written       []formats.WrittenFile `json:"written"`
	Losses        []formats.Count       `json:"losses"` // what the format that was written does not hold as it was
	Removed       string                `json:"removed_file,omitempty"`
	RemovedDigest rung.Digest           `json:"removed_digest,omitempty"`
}

// formatByEnding is what is written without --to.
var formatByEnding = map[string]formats.Format{".jsonl": formats.Rung, ".ndjson": formats.Rung, ".json": formats.JSON, ".csv": formats.CSV, ".tsv": formats.TSV,
	".parquet": formats.Parquet, ".txt": formats.Text, ".yaml": formats.Promptfoo, ".yml": formats.Promptfoo, "": formats.HF}

// check completes the options and refuses what does not go together.
func (o *convertOptions) check() error {
	if o.out == "" {
		if o.to != "" || o.removed != "" {
			return usage("--to and --removed need --out")
		}
		return nil
	}
	name := strings.TrimSuffix(o.out, ".gz")
	if o.to == "" {
		format, ok := formatByEnding[strings.ToLower(filepath.Ext(name))]
		if !ok {
			return usage("it is not known in which format %s is to be written: say it with --to", o.out)
		}
		o.to = string(format)
	}
	if o.removed == "" {
		o.removed = strings.TrimSuffix(name, filepath.Ext(name)) + ".removed.jsonl"
	}
	if filepath.Clean(o.out) == filepath.Clean(o.removed) {
		return usage("--out and --removed are one file")
	}
	for _, to := range []string{o.out, o.removed} {
		if isRead(to, o.files) {
			return &rung.Error{Code: rung.CodeUsage, Place: to, What: "is a file that is read; nothing is changed in place", Do: "write to another"}
		}
	}
	return nil
}

func runConvert(ctx context.Context, o *convertOptions) (*convertDocument, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	read, err := o.options()
	if err != nil {
		return nil, err
	}
	read.Number = true
	gone, err := rows.Create(o.removed)
	if err != nil {
		return nil, err
	}
	defer gone.Abandon()
	broken := func(r rung.RemovedRow) error {
		line, err := jsonLine(r)
		if err != nil {
			return err
		}
		return gone.Line(line)
	}
	doc := &convertDocument{Written: []formats.WrittenFile{}, Losses: []formats.Count{}}
	if o.out == "" {
		found, err := formats.Read(ctx, o.files, read, func(*rung.DatasetRow, rung.Origin) error { return nil }, broken)
		if err != nil {
			return nil, err
		}
		doc.Report = *found
		return doc, nil
	}
	return doc, convertInto(ctx, o, read, doc, gone, broken)
}

// errEnough ends the reading when the writer has failed.
var errEnough = errors.New("the writer takes no more")

func convertInto(ctx context.Context, o *convertOptions, read formats.Options, doc *convertDocument, gone *rows.Output, broken func(rung.RemovedRow) error) error {
	var written formats.Written
	list := func(yield func(*rung.DatasetRow, error) bool) {
		found, err := formats.Read(ctx, o.files, read, func(r *rung.DatasetRow, _ rung.Origin) error {
			if !yield(r, nil) {
				return errEnough
			}
			return nil
		}, broken)
		switch {
		case errors.Is(err, errEnough):
		case err != nil:
			yield(nil, err)
		default:
			doc.Report = *found
		}
	}
	if err := formats.Write(ctx, formats.Format(o.to), o.out, list, formats.WriteOptions{Written: &written, Strict: o.strict}); err != nil {
		return err
	}
	doc.To, doc.Out, doc.Written = o.to, o.out, written.Files
	doc.Losses = append(doc.Losses, written.Losses...)
	if doc.Broken == 0 {
		return nil // no file for nothing
	}
	if err := gone.Finish(); err != nil {
		return err
	}
	doc.Removed, doc.RemovedDigest = o.removed, gone.Digest()
	return nil
}

func jsonLine(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("a record has no JSON: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// text is the report for people.
func (d *convertDocument) text() string {
	var b strings.Builder
	for i := range d.Files {
		convertedFile(&b, &d.Files[i])
	}
	fmt.Fprintf(&b, "\n%s read", someRows(d.Rows))
	if d.Broken > 0 {
		fmt.Fprintf(&b, ", %d cannot be", d.Broken)
	}
	if len(d.Fields) > 0 {
		fmt.Fprintf(&b, "; fields of the input: %s", strings.Join(d.Fields, ", "))
	}
	b.WriteString(".\n")
	if d.Out == "" {
		b.WriteString("Nothing was written (--out FILE writes the rows).\n")
		return b.String()
	}
	fmt.Fprintf(&b, "Written as %s: %s", d.To, d.Out)
	if len(d.Written) == 1 && d.Written[0].Digest != "" {
		fmt.Fprintf(&b, " (digest %s)", d.Written[0].Digest.Short())
	}
	b.WriteString(".\n")
	for _, l := range d.Losses {
		fmt.Fprintf(&b, "  not held as it was: %s (%s)\n", l.What, someRows(l.Rows))
	}
	if d.Removed != "" {
		fmt.Fprintf(&b, "Rows that cannot be read, each with its reason: %s\n", d.Removed)
	}
	return b.String()
}

func convertedFile(b *strings.Builder, f *formats.FileReport) {
	how := []string{f.Container}
	if string(f.Format) != f.Container && f.Format != "" {
		how = []string{string(f.Format) + " rows in " + f.Container}
	}
	if f.Compression != "" {
		how = append(how, f.Compression)
	}
	if f.Encoding != "utf-8" {
		how = append(how, f.Encoding)
	}
	fmt.Fprintf(b, "%s: %s, %s\n", f.File, strings.Join(how, ", "), someRows(f.Rows))
	for _, c := range f.Chosen {
		fmt.Fprintf(b, "  %s\n", c)
	}
	if f.Broken > 0 {
		fmt.Fprintf(b, "  cannot be read: %s\n", someRows(f.Broken))
	}
	for i, l := range f.LeftOut {
		if i == 10 {
			fmt.Fprintf(b, "  left out: %d more (--json has all)\n", len(f.LeftOut)-i)
			break
		}
		fmt.Fprintf(b, "  left out: %s (%s)\n", l.What, someRows(l.Rows))
	}
	for _, r := range f.Repairs {
		fmt.Fprintf(b, "  %s: %s\n", r.Kind, someRows(r.Rows))
		for _, e := range r.Examples {
			if e.Before == e.After {
				fmt.Fprintf(b, "    line %d: %s\n", e.Line, e.Before)
				continue
			}
			fmt.Fprintf(b, "    line %d: %s → %s\n", e.Line, e.Before, e.After)
		}
	}
	for _, n := range f.Notes {
		fmt.Fprintf(b, "  %s\n", n)
	}
}

func someRows(n int) string {
	if n == 1 {
		return "1 row"
	}
	return fmt.Sprintf("%d rows", n)
}
