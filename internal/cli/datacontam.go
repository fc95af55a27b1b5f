package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/contam"
	"github.com/rung-dev/rung/internal/data"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/rows"
	"github.com/rung-dev/rung/internal/store/sqlite"
	"github.com/rung-dev/rung/internal/task"
)

type contamOptions struct {
	splitFiles
	files     []string
	against   []string
	task      string
	fields    []string
	evalField []string
	opt       contam.Options
	cosine    float64
	examples  int
	ray       string
}

func newDataDecontaminateCommand(s *settings) *cobra.Command {
	var o contamOptions
	c := &cobra.Command{
		Use:   "decontaminate FILE…",
		Short: "Remove training rows that hold items of an evaluation set",
		Long: `Decontaminate looks for the items of evaluation sets in training rows: as they are, by 13 shared words in a row, by a share of
an item's word 8-grams, edited (character 5-grams), and rephrased: with the same rare words, numbers and order of numbers, and
more of them than with any other item. With --semantic, embeddings are compared too. Rows that hold an item go.

The evaluation sets are the files of --against, and with --task the held-out examples of a task, as they are frozen.

Exit status 0, whether or not anything was found; with --fail-on-any, 9 when something was.`,
		Example: "  rung data decontaminate train.jsonl --against test.jsonl --out clean.jsonl\n  rung data decontaminate train.jsonl --task task.yaml --json",
		Args:    someFiles,
	}
	var strict bool
	c.RunE = func(c *cobra.Command, args []string) error {
		o.files = args
		doc, err := runDecontaminate(c.Context(), s, &o)
		if err != nil {
			return err
		}
		if s.json {
			err = s.printJSON(doc)
		} else {
			_, err = fmt.Fprint(s.Out, doc.text())
		}
		if err == nil && strict && doc.Removed > 0 {
			return &rung.Error{Code: rung.CodeFailed, What: fmt.Sprintf("%d training rows hold items of the evaluation sets", doc.Removed), Do: "train on the rows that stay"}
		}
		return err
	}
	o.flags(c)
	f := c.Flags()
	f.StringSliceVar(&o.against, "against", nil, "file with the items of an evaluation set")
	f.StringVar(&o.task, "task", "", "task file whose held-out examples are an evaluation set")
	f.StringSliceVar(&o.fields, "field", nil, "field of the training rows that is searched (default: what is asked, by the usual keys)")
	f.StringSliceVar(&o.evalField, "against-field", nil, "field of the evaluation files (default: as --field, by the usual keys)")
	f.Float64Var(&o.opt.Share, "share", contam.DefaultShare, "share of an item's word 8-grams from which a row holds it; more than 0")
	f.Float64Var(&o.opt.Fuzzy, "fuzzy", contam.DefaultFuzzy, "similarity over character 5-grams from which it does; 0 turns this off")
	f.Float64Var(&o.opt.Rephrased, "rephrased", contam.DefaultRephrased, "score from which an item counts as rephrased; 0 turns this off")
	f.Float64Var(&o.cosine, "cosine", contam.DefaultSemantic, "cosine from which texts have one meaning, with --semantic")
	f.IntVar(&o.examples, "examples", 3, "examples of each reason in the report")
	rayFlag(c, &o.ray)
	f.BoolVar(&strict, "fail-on-any", false, "exit status 9 when any row holds an item")
	return c
}

// contamDocument is what rung data decontaminate --json prints.
type contamDocument struct {
	Files     []string              `json:"files"`
	Fields    []string              `json:"fields"`
	Against   []evaluationSet       `json:"against"`
	Share     float64               `json:"share"`
	Fuzzy     float64               `json:"fuzzy"`
	Rephrased float64               `json:"rephrased"`
	Semantic  string                `json:"semantic,omitempty"`
	Cosine    float64               `json:"cosine,omitempty"`
	Rows      int                   `json:"rows"`
	Kept      int                   `json:"kept"`
	Removed   int                   `json:"removed"`
	Reasons   map[contam.Reason]int `json:"reasons"`
	Touched   int                   `json:"touched"` // rows that stay although they share some word 8-gram with an item
	Examples  []removedExample      `json:"examples"`
	Notes     []string              `json:"notes"`
	written
}

// evaluationSet is a set of items with what was found of it.
type evaluationSet struct {
	Name   string      `json:"name"`
	Digest rung.Digest `json:"digest,omitempty"` // of a task's held-out examples
	Items  int         `json:"items"`
	Found  int         `json:"found"` // items that some row holds
}

// foundRow is a line of the file of removed rows.
type foundRow struct {
	Reason     string          `json:"reason"`
	Similarity float64         `json:"similarity,omitempty"`
	File       string          `json:"file"`
	Line       int             `json:"line"`
	Set        string          `json:"set,omitempty"`
	Item       string          `json:"item,omitempty"`
	ItemText   string          `json:"item_text,omitempty"`
	Shared     string          `json:"shared,omitempty"`
	What       string          `json:"what,omitempty"`
	Row        json.RawMessage `json:"row"`
}

func runDecontaminate(ctx context.Context, s *settings, o *contamOptions) (doc *contamDocument, err error) {
	if len(o.against) == 0 && o.task == "" {
		return nil, usage("name what the rows are held against: --against FILE or --task task.yaml")
	}
	if o.opt.Share <= 0 {
		return nil, usage("--share %g is no share of 8-grams: write more than 0, up to 1", o.opt.Share)
	}
	set, err := rows.Open(ctx, o.files, "")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, set.Close()) }()
	evaluation, err := rows.Open(ctx, o.against, "")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, evaluation.Close()) }()
	if err := o.check(set, evaluation); err != nil {
		return nil, err
	}
	doc = &contamDocument{Files: o.files, Share: o.opt.Share, Fuzzy: o.opt.Fuzzy, Rephrased: o.opt.Rephrased, Semantic: o.embed, Notes: []string{}, Examples: []removedExample{}}
	if doc.Fields, err = fieldsOf(ctx, o.fields, set); err != nil {
		return nil, err
	}
	items, err := o.items(ctx, s, evaluation, doc)
	if err != nil {
		return nil, err
	}
	return doc, o.search(ctx, s, set, items, doc)
}

// search looks the rows up and writes them.
func (o *contamOptions) search(ctx context.Context, s *settings, set *rows.Set, items []contam.Item, doc *contamDocument) error {
	index, err := contam.NewIndex(items)
	if err != nil {
		return err
	}
	o.opt.Fields = doc.Fields
	closing, err := s.embedder(ctx, o.embed, &o.opt.Embed)
	if err != nil {
		return err
	}
	defer closing()
	if o.opt.Embed != nil {
		o.opt.Semantic, doc.Cosine = o.cosine, o.cosine
	}
	cluster, err := s.connect(ctx, o.ray, set)
	if err != nil {
		return err
	}
	if cluster != nil {
		defer cluster.Close()
		o.opt.Elsewhere = spreadContam(cluster, set)
	}
	r, err := contam.Run(ctx, set, index, o.opt)
	if err != nil {
		return err
	}
	doc.fill(r, items, set, o.examples)
	next := r.Removed
	doc.written, err = o.write(ctx, set, func(n int, row rows.Row) any {
		if len(next) == 0 || next[0].Row != n {
			return nil
		}
		x := next[0]
		next = next[1:]
		record := foundRow{Reason: string(x.Reason), Similarity: round(x.Similarity), File: set.Files[x.File].Name, Line: x.Line, Shared: x.Shared, What: x.What, Row: rawRow(row.Raw)}
		if x.Item >= 0 {
			it := &items[x.Item]
			record.Set, record.Item, record.ItemText = it.Set, it.Where, it.Text
		}
		return record
	})
	return err
}

// items reads the evaluation sets.
func (o *contamOptions) items(ctx context.Context, s *settings, set *rows.Set, doc *contamDocument) ([]contam.Item, error) {
	var items []contam.Item
	for i := range set.Files {
		one := &rows.Set{Files: set.Files[i : i+1]}
		fields, err := fieldsOf(ctx, o.evalField, one)
		if err != nil {
			return nil, err
		}
		before, bad := len(items), 0
		var x rows.Extractor
		err = one.Each(ctx, func(_ int, r rows.Row) error {
			members, err := x.Members(r.Raw)
			if err != nil {
				bad++
				return nil //nolint:nilerr // counted
			}
			if text, ok := fields.Append(nil, members); ok {
				items = append(items, contam.Item{Set: set.Files[i].Name, Where: set.Where(uint16(i), r.Line), Text: string(text)})
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if bad > 0 {
			doc.Notes = append(doc.Notes, fmt.Sprintf("%d rows of %s are no JSON objects and were not looked for", bad, set.Files[i].Name))
		}
		doc.Against = append(doc.Against, evaluationSet{Name: set.Files[i].Name, Items: len(items) - before})
	}
	if o.task == "" {
		return items, nil
	}
	held, err := heldoutItems(ctx, s, o.task, doc)
	return append(items, held...), err
}

// heldoutItems are the held-out examples of a task, as a climb would freeze them.
func heldoutItems(ctx context.Context, s *settings, path string, doc *contamDocument) ([]contam.Item, error) {
	f, err := task.Open(path)
	if err != nil {
		return nil, err
	}
	output, err := form.New(f.Task.Output)
	if err != nil {
		return nil, err
	}
	d, err := data.Load(ctx, f.Task, output)
	if err != nil {
		return nil, err
	}
	name := f.Task.Name + " heldout"
	items := make([]contam.Item, 0, d.Heldout.Len())
	for _, e := range d.Heldout.Examples() {
		text, _ := rows.Fields{"input"}.Append(nil, []rows.Member{{Key: []byte("input"), Value: e.Input}})
		items = append(items, contam.Item{Set: name, Where: fmt.Sprintf("%s (%s:%d)", e.ID, filepath.Base(e.File), e.Line), Text: string(text)})
	}
	doc.Against = append(doc.Against, evaluationSet{Name: name, Digest: d.Heldout.Digest(), Items: len(items)})
	return items, frozenBefore(ctx, s, f, d.Heldout.Digest(), doc)
}

// frozenBefore notes other held-out sets that the store knows of the task: their examples are gone from the files.
func frozenBefore(ctx context.Context, s *settings, f *task.File, now rung.Digest, doc *contamDocument) (err error) {
	dir := s.store
	if dir == "" {
		dir = filepath.Join(f.Task.Dir, storeName)
	}
	if !isDir(dir) {
		doc.Notes = append(doc.Notes, "there is no store beside the task yet: its held-out examples are those that the next climb will freeze")
		return nil
	}
	st, err := sqlite.Open(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	runs, err := st.Runs(ctx, 1000)
	if err != nil {
		return err
	}
	seen := map[rung.Digest]bool{now: true, "": true}
	for _, r := range runs {
		var d rung.Document
		if r.Task != f.Task.Name || json.Unmarshal(r.Document, &d) != nil || seen[d.Heldout.Digest] {
			continue
		}
		seen[d.Heldout.Digest] = true
		doc.Notes = append(doc.Notes, fmt.Sprintf("run %s was scored on another held-out set (%s), whose examples the task's files hold no longer as such: it was not looked for", r.ID, d.Heldout.Digest.Short()))
	}
	return nil
}

func (d *contamDocument) fill(r *contam.Result, items []contam.Item, set *rows.Set, n int) {
	d.Rows, d.Removed, d.Kept, d.Reasons, d.Touched = r.Rows, len(r.Removed), r.Rows-len(r.Removed), r.Counts, r.Touched
	found := map[string]int{}
	for i, rows := range r.Items {
		if rows > 0 {
			found[items[i].Set]++
		}
	}
	for i := range d.Against {
		d.Against[i].Found = found[d.Against[i].Name]
	}
	seen := map[contam.Reason]int{}
	for _, x := range r.Removed {
		if seen[x.Reason]++; seen[x.Reason] > n {
			continue
		}
		e := removedExample{Reason: string(x.Reason), Similarity: round(x.Similarity), Row: place{set.Files[x.File].Name, x.Line}, Text: x.Text, What: x.What, Shared: x.Shared}
		if x.Item >= 0 {
			e.Other = items[x.Item].Text
			e.Partner = &place{File: items[x.Item].Where}
		}
		d.Examples = append(d.Examples, e)
	}
}

// contamReasons says in words what the reasons mean.
var contamReasons = map[contam.Reason]string{
	contam.Exact:      "hold an item as it is",
	contam.Gram13:     "share 13 words in a row",
	contam.Gram8:      "share a part of an item's 8-grams",
	contam.Fuzzy:      "hold an item with edits",
	contam.Rephrased:  "hold an item in other words",
	contam.Semantic:   "have an item's meaning",
	contam.Unreadable: "unreadable",
}

func (d *contamDocument) text() string {
	var t strings.Builder
	fmt.Fprintf(&t, "%d training rows, searched in %s: %d stay, %d go\n\n", d.Rows, strings.Join(d.Fields, " and "), d.Kept, d.Removed)
	table := [][]string{{"evaluation set", "items", "found in some row"}}
	for _, e := range d.Against {
		table = append(table, []string{e.Name, fmt.Sprint(e.Items), fmt.Sprintf("%d (%s)", e.Found, shareOf(e.Found, e.Items))})
	}
	t.WriteString(strings.Join(report.Columns(table), "\n") + "\n\n")
	table = [][]string{{"why rows go", "rows", "of all"}}
	for _, r := range contam.Reasons {
		if n := d.Reasons[r]; n > 0 {
			table = append(table, []string{contamReasons[r], fmt.Sprint(n), shareOf(n, d.Rows)})
		}
	}
	if len(table) > 1 {
		t.WriteString(strings.Join(report.Columns(table), "\n") + "\n")
	}
	if d.Touched > 0 {
		fmt.Fprintf(&t, "%d rows stay although they share some 8 words in a row with an item: mostly phrases that everybody uses.\n", d.Touched)
	}
	for _, note := range d.Notes {
		t.WriteString("Note: " + note + ".\n")
	}
	t.WriteString(examplesText(d.Examples, "holds"))
	t.WriteString("\n" + d.written.text())
	return t.String()
}
