package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/dedupe"
	"github.com/rung-dev/rung/internal/engine"
	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/rows"
	"github.com/rung-dev/rung/internal/store/sqlite"
)

type dedupeOptions struct {
	splitFiles
	files    []string
	fields   []string
	exact    bool
	near     float64
	numbers  bool
	keep     string
	newestBy string
	cosine   float64
	examples int
	ray      string
}

func newDataDedupeCommand(s *settings) *cobra.Command {
	var o dedupeOptions
	c := &cobra.Command{
		Use:   "dedupe FILE…",
		Short: "Remove rows that say what another row says",
		Long: `Dedupe finds rows whose text repeats that of another row: exactly; apart from case, white space and sentence punctuation; nearly
(Jaccard similarity over character 5-grams of at least --near); and, with --semantic, in other words (cosine of the embeddings of at
least --cosine). One row of each cluster stays, by the rule --keep; each row that goes is alike to one that stays, which its record
names. Rows that are no JSON object go too, as unreadable.

Compared are the fields that --field names (input.question goes into objects), or what is asked by the usual keys: input, messages,
prompt, question, instruction, text. Rows that are alike and answer differently are counted: look at them before you train.

docs/data.md gives precision and recall around the thresholds.`,
		Example: "  rung data dedupe raw.jsonl --out clean.jsonl\n  rung data dedupe a.jsonl b.csv --field text --near 0.8 --keep longest --out clean.jsonl --json",
		Args:    someFiles,
		RunE: func(c *cobra.Command, args []string) error {
			o.files = args
			doc, err := runDedupe(c.Context(), s, &o)
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
	o.flags(c)
	f := c.Flags()
	f.StringSliceVar(&o.fields, "field", nil, "compare this field (default: what is asked, by the usual keys)")
	f.BoolVar(&o.exact, "exact", false, "only exact copies")
	f.Float64Var(&o.near, "near", dedupe.DefaultNear, "similarity from which rows are near-copies, .4 to 1; 0 looks for none")
	f.BoolVar(&o.numbers, "same-numbers", false, "near-copies must hold the same numbers: for questions that differ in nothing else")
	f.StringVar(&o.keep, "keep", string(dedupe.First), "which row of a cluster stays: first, longest or newest")
	f.StringVar(&o.newestBy, "newest-by", "", "field that says when, for --keep newest")
	f.Float64Var(&o.cosine, "cosine", dedupe.DefaultSemantic, "cosine from which rows have one meaning, with --semantic")
	f.IntVar(&o.examples, "examples", 3, "examples of each reason in the report")
	rayFlag(c, &o.ray)
	return c
}

func someFiles(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return nil
	}
	return &rung.Error{Code: rung.CodeUsage, What: c.CommandPath() + " takes one or more files", Do: "see " + c.CommandPath() + " --help"}
}

// dedupeDocument is what rung data dedupe --json prints.
type dedupeDocument struct {
	Files        []string              `json:"files"`
	Fields       []string              `json:"fields"`
	Near         float64               `json:"near"`
	SameNumbers  bool                  `json:"same_numbers"`
	Semantic     string                `json:"semantic,omitempty"`
	Cosine       float64               `json:"cosine,omitempty"`
	Keep         string                `json:"keep"`
	Rows         int                   `json:"rows"`
	Kept         int                   `json:"kept"`
	Removed      int                   `json:"removed"`
	Reasons      map[dedupe.Reason]int `json:"reasons"`
	Clusters     int                   `json:"clusters"`
	Largest      []clusterDocument     `json:"largest"`
	OtherAnswers int                   `json:"other_answers"` // removed rows that answer otherwise than the row that stays
	Textless     int                   `json:"textless"`      // rows without a compared field; they stay
	Approximate  bool                  `json:"approximate"`   // so repetitive that not all pairs were looked at
	Examples     []removedExample      `json:"examples"`
	written
}

type clusterDocument struct {
	Size    int     `json:"size"`
	Kept    []place `json:"kept"`
	Removed []place `json:"removed"` // at most 20
}

// removedExample is a removed row for reading.
type removedExample struct {
	Reason     string  `json:"reason"`
	Similarity float64 `json:"similarity,omitempty"`
	Row        place   `json:"row"`
	Text       string  `json:"text"`
	Partner    *place  `json:"partner,omitempty"`
	Other      string  `json:"partner_text,omitempty"`
	What       string  `json:"what,omitempty"`
	Shared     string  `json:"shared,omitempty"`
}

// removedRow is a line of the file of removed rows.
type removedRow struct {
	Reason     string          `json:"reason"`
	Similarity float64         `json:"similarity,omitempty"`
	File       string          `json:"file"`
	Line       int             `json:"line"`
	Kept       *place          `json:"kept,omitempty"`
	Other      bool            `json:"other_answer,omitempty"`
	What       string          `json:"what,omitempty"`
	Row        json.RawMessage `json:"row"`
}

func runDedupe(ctx context.Context, s *settings, o *dedupeOptions) (doc *dedupeDocument, err error) {
	set, err := rows.Open(ctx, o.files, "")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, set.Close()) }()
	if err := o.check(set); err != nil {
		return nil, err
	}
	fields, err := fieldsOf(ctx, o.fields, set)
	if err != nil {
		return nil, err
	}
	opt := dedupe.Options{Fields: fields, Exact: o.exact, Near: o.near, SameNumbers: o.numbers, Keep: dedupe.Keep(o.keep), NewestBy: o.newestBy}
	closing, err := s.embedder(ctx, o.embed, &opt.Embed)
	if err != nil {
		return nil, err
	}
	defer closing()
	if opt.Embed != nil {
		opt.Semantic = o.cosine
	}
	cluster, err := s.connect(ctx, o.ray, set)
	if err != nil {
		return nil, err
	}
	if cluster != nil {
		defer cluster.Close()
		if opt.Elsewhere, err = newSpreadDedupe(cluster, set, opt); err != nil {
			return nil, err
		}
	}
	result, err := dedupe.Run(ctx, set, opt)
	if err != nil {
		return nil, err
	}
	doc = newDedupeDocument(o, fields, set, result)
	if doc.Examples, err = dedupeExamples(set, fields, result, o.examples); err != nil {
		return nil, err
	}
	next := result.Removed
	doc.written, err = o.write(ctx, set, func(n int, r rows.Row) any {
		if len(next) == 0 || int(next[0].Doc) != n {
			return nil
		}
		x := next[0]
		next = next[1:]
		record := removedRow{Reason: string(x.Reason), Similarity: round(x.Similarity), File: set.Files[r.Place.File].Name, Line: r.Line, Other: x.Conflict, What: x.What, Row: rawRow(r.Raw)}
		if x.Kept >= 0 {
			record.Kept = placeOf(set, result, x.Kept)
		}
		return record
	})
	return doc, err
}

// embedder gives the function of an embedder, and what ends it. With --store, vectors are kept there, and not asked for again.
func (s *settings) embedder(ctx context.Context, ref string, into *func(context.Context, []string) ([][]float32, error)) (func(), error) {
	if ref == "" {
		return func() {}, nil
	}
	name := rung.ModelRef(ref)
	if !name.Local() {
		return nil, &rung.Error{Code: rung.CodeUnsupported, Place: ref, What: "rows are embedded on this machine only", Do: "write --semantic local/minilm"}
	}
	e, err := engine.New(engine.Options{})
	if err != nil {
		return nil, err
	}
	embed, closing := e.Embed, func() { _ = e.Close() } // a child that does not end well has done its work
	if s.store != "" {
		st, err := sqlite.Open(ctx, s.store)
		if err != nil {
			closing()
			return nil, err
		}
		embed = app.KeepVectors(st, e)
		closing = func() {
			_ = e.Close()
			_ = st.Close() // what is kept saves time, and nothing rests on it
		}
	}
	*into = func(ctx context.Context, texts []string) ([][]float32, error) { return embed(ctx, name, texts) }
	return closing, nil
}

func round(x float64) float64 { return float64(int(x*1000+.5)) / 1000 }

func placeOf(set *rows.Set, r *dedupe.Result, doc int32) *place {
	file, line := r.Line(doc)
	return &place{File: set.Files[file].Name, Line: line}
}

func newDedupeDocument(o *dedupeOptions, fields rows.Fields, set *rows.Set, r *dedupe.Result) *dedupeDocument {
	d := &dedupeDocument{Files: o.files, Fields: fields, Near: o.near, SameNumbers: o.numbers, Semantic: o.embed, Keep: o.keep, Rows: r.Rows,
		Kept: r.Rows - len(r.Removed), Removed: len(r.Removed), Reasons: r.Counts, Clusters: r.Found, OtherAnswers: r.Conflict,
		Textless: r.Textless, Approximate: r.Cut, Largest: []clusterDocument{}, Examples: []removedExample{}}
	if o.embed != "" {
		d.Cosine = o.cosine
	}
	if o.exact {
		d.Near = 0
	}
	for _, c := range r.Clusters[:min(len(r.Clusters), 10)] {
		doc := clusterDocument{Size: c.Size}
		for _, k := range c.Kept {
			doc.Kept = append(doc.Kept, *placeOf(set, r, k))
		}
		for _, g := range c.Gone {
			doc.Removed = append(doc.Removed, *placeOf(set, r, g))
		}
		d.Largest = append(d.Largest, doc)
	}
	return d
}

// dedupeExamples are the first removed rows of each reason, with what they are alike to.
func dedupeExamples(set *rows.Set, fields rows.Fields, r *dedupe.Result, n int) ([]removedExample, error) {
	out := []removedExample{}
	reader := set.Reader()
	defer reader.Close()
	seen := map[dedupe.Reason]int{}
	for _, x := range r.Removed {
		if seen[x.Reason]++; seen[x.Reason] > n {
			continue
		}
		e := removedExample{Reason: string(x.Reason), Similarity: round(x.Similarity), Row: *placeOf(set, r, x.Doc), What: x.What}
		var err error
		if e.Text, err = rowText(reader, fields, r.Place(x.Doc)); err != nil {
			return nil, err
		}
		if x.Kept >= 0 {
			e.Partner = placeOf(set, r, x.Kept)
			if e.Other, err = rowText(reader, fields, r.Place(x.Kept)); err != nil {
				return nil, err
			}
		}
		out = append(out, e)
	}
	return out, nil
}

// rowText is the beginning of a row's compared text.
func rowText(reader *rows.Reader, fields rows.Fields, p rows.Place) (string, error) {
	raw, err := reader.Read(p)
	if err != nil {
		return "", err
	}
	var x rows.Extractor
	members, err := x.Members(raw)
	if err != nil {
		return rows.Clip([]byte(strings.ToValidUTF8(string(raw[:min(len(raw), 400)]), "\ufffd")), 200), nil
	}
	text, _ := fields.Append(nil, members)
	return rows.Clip(text, 200), nil
}

// dedupeReasons says in words what the reasons mean, in the order of the report.
var dedupeReasons = []struct {
	reason dedupe.Reason
	words  string
}{
	{dedupe.Exact, "exact copies"},
	{dedupe.Normalised, "copies but for case, white space, punctuation"},
	{dedupe.Near, "near-copies"},
	{dedupe.Semantic, "of one meaning"},
	{dedupe.Unreadable, "unreadable"},
}

func (d *dedupeDocument) text() string {
	var t strings.Builder
	fmt.Fprintf(&t, "%d rows, compared by %s: %d stay, %d go\n\n", d.Rows, strings.Join(d.Fields, " and "), d.Kept, d.Removed)
	table := [][]string{{"why rows go", "rows", "of all"}}
	for _, r := range dedupeReasons {
		if n := d.Reasons[r.reason]; n > 0 {
			table = append(table, []string{r.words, fmt.Sprint(n), shareOf(n, d.Rows)})
		}
	}
	if len(table) > 1 {
		t.WriteString(strings.Join(report.Columns(table), "\n") + "\n\n")
	}
	if d.Clusters > 0 {
		fmt.Fprintf(&t, "Clusters: %d; of each, the %s row stays. The largest: %s\n", d.Clusters, d.Keep, d.sizes())
	}
	if d.OtherAnswers > 0 {
		fmt.Fprintf(&t, "%d of the rows that go answer otherwise than the row that stays (\"other_answer\" in the file of removed rows): one of the two is wrong.\n", d.OtherAnswers)
	}
	if d.Textless > 0 {
		fmt.Fprintf(&t, "%d rows have none of the compared fields; they stay.\n", d.Textless)
	}
	if d.Approximate {
		t.WriteString("The rows are so repetitive that not every pair was looked at; some near-copies may be left.\n")
	}
	t.WriteString(examplesText(d.Examples, "is alike to"))
	t.WriteString("\n" + d.written.text())
	return t.String()
}

func (d *dedupeDocument) sizes() string {
	var out []string
	for _, c := range d.Largest[:min(5, len(d.Largest))] {
		out = append(out, fmt.Sprintf("%d rows around %s", c.Size, c.Kept[0]))
	}
	return strings.Join(out, ", ")
}

func shareOf(n, of int) string { return fmt.Sprintf("%.2f %%", 100*float64(n)/float64(max(of, 1))) }

// examplesText shows removed rows above what they are alike to.
func examplesText(examples []removedExample, link string) string {
	var t strings.Builder
	for i := range examples {
		e := &examples[i]
		fmt.Fprintf(&t, "\n%s  %s", e.Row, e.Reason)
		if e.Similarity > 0 && e.Similarity != 1 {
			fmt.Fprintf(&t, " %.2f", e.Similarity)
		}
		if e.What != "" {
			fmt.Fprintf(&t, " (%s)", report.Line(e.What, 80))
		}
		fmt.Fprintf(&t, "\n    %s\n", report.Line(e.Text, 110))
		if e.Partner != nil {
			fmt.Fprintf(&t, "  %s %s\n    %s\n", link, *e.Partner, report.Line(e.Other, 110))
		}
		if e.Shared != "" {
			fmt.Fprintf(&t, "  shared: %s\n", report.Line(e.Shared, 100))
		}
	}
	return t.String()
}
