package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/data"
	"github.com/rung-dev/rung/internal/formats"
	"github.com/rung-dev/rung/internal/rows"
	"github.com/rung-dev/rung/internal/task"
)

type dataSplitOptions struct {
	readFlags
	files    []string
	out      string
	task     string
	by       string
	stratify []string
	share    [3]float64 // train, dev, heldout
	dev      string
	heldout  string
	segments [2][]string // dev, heldout
	replace  bool
	anew     bool
	fields   []string // of the task
}

func newDataSplitCommand(s *settings) *cobra.Command {
	var o dataSplitOptions
	c := &cobra.Command{
		Use:   "split FILE|FOLDER…",
		Short: "Deal rows out to train, dev and held-out, and freeze them",
		Long: `Split reads rows of any format that rung data convert reads and writes train.jsonl, dev.jsonl and heldout.jsonl to a folder, as rows of rung
that name their split, with split.json, which has the digests. What it decides follows from the rows' content: their order changes nothing. Groups and near-copies are never torn, whatever the way:

  --by content   a hash of the content, or of the group (default)
  --by group     the same, where every row must name its group
  --by time      the oldest rows to train, the newest to held-out; rows of one moment are not parted
  --by segment   whole segments

--stratify label gives each label its share of every split, --stratify segment each segment. --train, --dev and --heldout are shares, or
counts of rows when they are above 1. Rows that name a split, or whose file does
(test.jsonl), keep it; --anew deals them too. A row that repeats a row of another split and is itself marked or
dated for this one goes to left_out.jsonl with its reason.

A folder that has another held-out set already is not written over: its scores would no longer compare. --replace does.`,
		Example: "  rung data split rows.jsonl --out tickets\n  rung data split rows.csv --by time --heldout-after 2026-06-01 --out tickets\n  rung data split rows.jsonl --stratify label --heldout 500 --dev 100 --out tickets --json",
		Args:    someFiles,
		RunE: func(c *cobra.Command, args []string) error {
			o.files = args
			doc, err := o.run(c.Context())
			if err != nil {
				return err
			}
			if s.json {
				return s.printJSON(doc)
			}
			doc.print(s.Out)
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&o.out, "out", "", "folder to write to (without it, only the report is made)")
	f.StringVar(&o.task, "task", "", "task file whose fields and split the rows are dealt by; flags go before it")
	f.StringVar(&o.by, "by", "", "content, group, time or segment")
	f.StringSliceVar(&o.stratify, "stratify", nil, "label, segment or both: each has its share of every split")
	f.Float64Var(&o.share[0], "train", 0, "share of train, or its rows when above 1 (default: the rest)")
	f.Float64Var(&o.share[1], "dev", 0, "share of dev, or its rows when above 1 (default .15)")
	f.Float64Var(&o.share[2], "heldout", 0, "share of held-out, or its rows when above 1 (default .35)")
	f.StringVar(&o.dev, "dev-after", "", "with --by time: dev begins here")
	f.StringVar(&o.heldout, "heldout-after", "", "with --by time: held-out begins here, such as 2026-06-01")
	f.StringSliceVar(&o.segments[0], "dev-segment", nil, "with --by segment: this segment goes to dev")
	f.StringSliceVar(&o.segments[1], "heldout-segment", nil, "with --by segment: this segment is held out")
	o.add(f)
	f.BoolVar(&o.anew, "anew", false, "deal rows out whatever split they name, or their file does")
	f.BoolVar(&o.replace, "replace", false, "write over another held-out set")
	return c
}

// splitDocument is what rung data split --json prints, and split.json but for the folder.
type splitDocument struct {
	Files    []string                `json:"files"`
	Out      string                  `json:"out,omitempty"`
	By       string                  `json:"by"`
	Rules    rung.SplitRules         `json:"rules"`
	Rows     int                     `json:"rows"`
	Counts   map[rung.Split]int      `json:"counts"`
	Clusters map[rung.Split]int      `json:"clusters"` // groups and copies counted once
	LeftOut  int                     `json:"left_out"`
	Heldout  rung.Digest             `json:"heldout_digest"` // as a climb on these rows has it
	Digest   rung.Digest             `json:"digest"`         // of all rows and their splits
	Written  map[string]rung.Digest  `json:"written"`        // file → digest of its bytes
	Labels   map[string]labelsOfTask `json:"labels,omitempty"`
	Notes    []string                `json:"notes"`
}

type labelsOfTask map[rung.Split]int

func (o *dataSplitOptions) run(ctx context.Context) (*splitDocument, error) {
	opt, err := o.options()
	if err != nil {
		return nil, err
	}
	all, places, found, err := o.read(ctx)
	if err != nil {
		return nil, err
	}
	opt.Name = strings.Join(o.files, ", ")
	dealt, err := data.SplitRows(ctx, all, opt)
	if err != nil {
		return nil, err
	}
	doc := &splitDocument{Files: o.files, By: string(opt.Rules.By), Rules: opt.Rules, Rows: len(all), Counts: dealt.Counts, Clusters: dealt.Clusters, LeftOut: len(dealt.LeftOut),
		Heldout: dealt.Heldout, Digest: dealt.Digest, Written: map[string]rung.Digest{}, Notes: append([]string{}, dealt.Notes...)}
	delete(doc.Counts, "")
	if doc.By == "" {
		doc.By = "content"
	}
	if found.Broken > 0 {
		doc.Notes = append(doc.Notes, fmt.Sprintf("%s left out as unreadable; rung data check shows what is wrong", counted(found.Broken, "row")))
	}
	doc.labels(all, dealt.Splits)
	return doc, o.write(doc, dealt, all, places, found)
}

// read reads all rows, each with its file and line.
func (o *dataSplitOptions) read(ctx context.Context) (all []rung.DatasetRow, places []rung.Origin, found *formats.Report, err error) {
	read, err := o.readFlags.options()
	if err != nil {
		return nil, nil, nil, err
	}
	read.Number, read.Fields = true, o.fields
	named := 0
	found, err = formats.Read(ctx, o.files, read, func(d *rung.DatasetRow, from rung.Origin) error {
		if o.anew {
			d.Split = ""
		}
		if d.Split != "" {
			named++
		}
		all, places = append(all, *d), append(places, rung.Origin{File: from.File, Line: from.Line})
		return nil
	}, func(rung.RemovedRow) error { return nil })
	if err == nil && named == len(all) && named > 0 && !slices.ContainsFunc(all, func(d rung.DatasetRow) bool { return d.Split != all[0].Split }) {
		err = &rung.Error{Code: rung.CodeInput, Place: strings.Join(o.files, ", "), What: fmt.Sprintf("all %s are of the split %s already, by a key of theirs or the name of their file", counted(named, "row"), all[0].Split),
			Do: "deal them out all the same with --anew, or name the files of the other splits too"}
	}
	return all, places, found, err
}

// options puts the flags and the task's split together.
func (o *dataSplitOptions) options() (opt data.SplitOptions, err error) {
	opt.Shares = task.DefaultSplit
	if o.task != "" {
		f, err := task.Open(o.task)
		if err != nil {
			return opt, err
		}
		opt.Shares, opt.Rules = f.Task.Split, f.Task.SplitRules
		o.fields = fieldNames(f.Task)
	}
	switch o.by {
	case "":
	case "content":
		opt.Rules.By = rung.SplitByContent
	case "group", "time", "segment":
		opt.Rules.By = rung.SplitBy(o.by)
	default:
		return opt, usage("--by is content, group, time or segment, it is %q", o.by)
	}
	for _, by := range o.stratify {
		if by != rung.StratifyLabel && by != rung.StratifySegment {
			return opt, usage("--stratify is label or segment, it is %q", by)
		}
		opt.Rules.Stratify = append(opt.Rules.Stratify, by)
	}
	if o.dev != "" {
		opt.Rules.DevAfter = o.dev
	}
	if o.heldout != "" {
		opt.Rules.HeldoutAfter = o.heldout
	}
	for i, split := range []rung.Split{rung.Dev, rung.HeldoutIs} {
		if len(o.segments[i]) > 0 {
			if opt.Rules.Segments == nil {
				opt.Rules.Segments = map[rung.Split][]string{}
			}
			opt.Rules.Segments[split] = o.segments[i]
		}
	}
	return opt, task.SplitSizes(o.share, &opt.Shares, &opt.Rules)
}

// maxSplitLabels is the most labels whose rows by split are reported.
const maxSplitLabels = 100

// labels counts the rows of each label by split, where the outputs are few.
func (d *splitDocument) labels(all []rung.DatasetRow, splits []rung.Split) {
	counts := map[string]labelsOfTask{}
	for i := range all {
		label := labelText(all[i].Output)
		if label == "" || len(label) > 60 {
			return
		}
		if counts[label] == nil {
			if len(counts) == maxSplitLabels {
				return
			}
			counts[label] = labelsOfTask{}
		}
		counts[label][splits[i]]++
	}
	if len(counts)*2 <= len(all) {
		d.Labels = counts
	}
}

// labelText is the text of a JSON string, number or truth value.
func labelText(raw json.RawMessage) string {
	var text string
	switch {
	case len(raw) == 0 || raw[0] == 'n' || raw[0] == '{' || raw[0] == '[':
		return ""
	case json.Unmarshal(raw, &text) == nil:
		return text
	}
	return string(raw)
}

// leftRow is a line of left_out.jsonl.
type leftRow struct {
	Reason string          `json:"reason"`
	Of     int             `json:"of_row,omitempty"` // 1-based, in the order read
	File   string          `json:"file"`
	Line   int             `json:"line"`
	Row    json.RawMessage `json:"row"`
}

const splitRecord = "split.json"

// write writes the splits; all files appear whole, split.json last.
func (o *dataSplitOptions) write(doc *splitDocument, dealt *data.Dealt, all []rung.DatasetRow, places []rung.Origin, found *formats.Report) error {
	if o.out == "" {
		return nil
	}
	if err := o.frozen(doc); err != nil {
		return err
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return rows.Unwritable(o.out, err)
	}
	read := slices.Clone(o.files)
	for i := range found.Files {
		read = append(read, found.Files[i].File)
	}
	names := map[rung.Split]string{rung.Train: "train.jsonl", rung.Dev: "dev.jsonl", rung.HeldoutIs: "heldout.jsonl", "": "left_out.jsonl"}
	outs := map[rung.Split]*rows.Output{}
	for split, name := range names {
		path := filepath.Join(o.out, name)
		if isRead(path, read) {
			return &rung.Error{Code: rung.CodeUsage, Place: path, What: "is a file that is read; nothing is changed in place", Do: "write to another folder"}
		}
		var err error
		if outs[split], err = rows.Create(path); err != nil {
			return err
		}
		defer outs[split].Abandon()
	}
	if err := dealRows(dealt, all, places, outs); err != nil {
		return err
	}
	for split, out := range outs {
		if split == "" && len(dealt.LeftOut) == 0 {
			out.Abandon()
			continue
		}
		if err := out.Finish(); err != nil {
			return err
		}
		doc.Written[names[split]] = out.Digest()
	}
	return o.record(doc)
}

// dealRows writes each row to the file of its split.
func dealRows(dealt *data.Dealt, all []rung.DatasetRow, places []rung.Origin, outs map[rung.Split]*rows.Output) error {
	left := dealt.LeftOut
	for i := range all {
		split := dealt.Splits[i]
		if split != "" {
			all[i].Split = split
		}
		line, err := jsonLine(&all[i])
		if err == nil && split == "" {
			record := leftRow{Reason: "left_out", File: places[i].File, Line: places[i].Line, Row: line}
			if len(left) > 0 && left[0].Row == i {
				record.Reason, record.Of = left[0].Reason, left[0].Of+1
				left = left[1:]
			}
			line, err = jsonLine(&record)
		}
		if err == nil {
			err = outs[split].Line(line)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// frozen refuses to write over another held-out set.
func (o *dataSplitOptions) frozen(doc *splitDocument) error {
	path := filepath.Join(o.out, splitRecord)
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) || o.replace {
		return nil
	}
	if err != nil {
		return &rung.Error{Code: rung.CodeInput, Place: path, What: "cannot be read: " + err.Error(), Do: "check its rights", Err: err}
	}
	var old splitDocument
	if err := json.Unmarshal(b, &old); err != nil {
		return &rung.Error{Code: rung.CodeInput, Place: path, What: "is no record of a split: " + err.Error(), Do: "write to another folder, or use --replace", Err: err}
	}
	if old.Heldout == doc.Heldout {
		return nil
	}
	return &rung.Error{Code: rung.CodeConflict, Place: o.out, What: fmt.Sprintf("has another held-out set already: %s with %d rows, this one is %s with %d", old.Heldout.Short(), old.Counts[rung.HeldoutIs], doc.Heldout.Short(), doc.Counts[rung.HeldoutIs]),
		Do: "write to another folder; to keep the old one as rows are added, give its files with their rows marked \"split\": \"heldout\"; or use --replace"}
}

func (o *dataSplitOptions) record(doc *splitDocument) error {
	out, err := rows.Create(filepath.Join(o.out, splitRecord))
	if err != nil {
		return err
	}
	defer out.Abandon()
	b, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return err
	}
	if err := out.Line(b); err != nil {
		return err
	}
	doc.Out = o.out
	return out.Finish()
}

func (d *splitDocument) print(w io.Writer) {
	fmt.Fprintf(w, "%s split by %s\n", counted(d.Rows, "row"), d.By)
	for _, split := range []rung.Split{rung.Train, rung.Dev, rung.HeldoutIs} {
		n := d.Counts[split]
		fmt.Fprintf(w, "  %-8s %7d of %d rows (%.1f %%), %d when groups and copies count once\n", split, n, d.Rows, 100*float64(n)/float64(max(1, d.Rows)), d.Clusters[split])
	}
	if d.LeftOut > 0 {
		fmt.Fprintf(w, "  %-8s %7d rows\n", "left out", d.LeftOut)
	}
	if len(d.Labels) > 0 && len(d.Labels) <= 12 {
		fmt.Fprintf(w, "\n  %-24s %7s %7s %7s\n", "label", "train", "dev", "heldout")
		for _, label := range sortedKeysOf(d.Labels) {
			c := d.Labels[label]
			fmt.Fprintf(w, "  %s %7d %7d %7d\n", pad(label, 24), c[rung.Train], c[rung.Dev], c[rung.HeldoutIs])
		}
	}
	for _, n := range d.Notes {
		fmt.Fprintln(w, wrapped("\nnote: ", "  ", n))
	}
	fmt.Fprintf(w, "\nheld-out digest %s, of the whole %s\n", d.Heldout.Short(), d.Digest.Short())
	if d.Out == "" {
		fmt.Fprintln(w, "Nothing was written (--out FOLDER writes the splits).")
		return
	}
	fmt.Fprintf(w, "Written to %s: %s\n", d.Out, strings.Join(sortedKeysOf(d.Written), ", "))
}

func sortedKeysOf[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
