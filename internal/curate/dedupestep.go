package curate

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/dedupe"
	"github.com/rung-dev/rung/internal/rows"
)

// dedupeOptions are what is recorded of the step.
type dedupeOptions struct {
	Fields      []string `json:"fields"`
	Exact       bool     `json:"exact,omitempty"`
	Near        float64  `json:"near,omitempty"`
	SameNumbers bool     `json:"same_numbers,omitempty"`
	Keep        string   `json:"keep"`
	NewestBy    string   `json:"newest_by,omitempty"`
	OtherAnswer string   `json:"other_answer"` // what becomes of near-copies that answer otherwise

	Semantic *meaningOptions `json:"semantic,omitempty"` // nil: rows are not compared by meaning
}

// DedupeReport is what the step found.
type DedupeReport struct {
	Clusters  int   `json:"clusters"`           // of more than one row
	Largest   []int `json:"largest,omitempty"`  // sizes of the largest clusters
	Conflicts int   `json:"conflicts"`          // removed rows that answer otherwise than the one that stays
	Contrasts int   `json:"contrasts"`          // near-copies that stay, since their answer is another
	Covered   int   `json:"covered"`            // removed copies in which personal data was replaced: they may have differed in it alone
	Textless  int   `json:"textless,omitempty"` // rows without any text that could be compared; they stay
	Cut       bool  `json:"cut,omitempty"`      // so repetitive that not all pairs were looked at
}

func (b *build) dedupeStep(ctx context.Context) (def stepDef, err error) {
	s := &b.d.Dedupe
	o := dedupeOptions{Fields: s.Fields, Exact: s.Exact, Near: s.Near, SameNumbers: s.SameNumbers, Keep: s.Keep, NewestBy: s.NewestBy}
	if len(o.Fields) == 0 {
		o.Fields = []string{"input"}
	}
	if math.IsNaN(o.Near) {
		o.Near = dedupe.DefaultNear
	}
	if o.Exact {
		o.Near = 0
	}
	if o.OtherAnswer = s.OtherAnswer; o.OtherAnswer == "" {
		o.OtherAnswer = "keep"
		if b.d.Output.Kind == rung.Text {
			o.OtherAnswer = "remove"
		}
	}
	if o.Keep == "" {
		o.Keep = string(dedupe.First)
	}
	if o.Semantic, err = b.meaning(ctx, s.Meaning, dedupe.DefaultSemantic); err != nil {
		return def, err
	}
	return stepDef{StepDedupe, o, func(ctx context.Context, in *table, out *sink) error { return b.dedupe(ctx, in, out, &o) }}, nil
}

func (b *build) dedupe(ctx context.Context, in *table, out *sink, o *dedupeOptions) error {
	set, err := in.open(ctx)
	if err != nil {
		return err
	}
	opt := dedupe.Options{Fields: o.Fields, Exact: o.Exact, Near: o.Near, SameNumbers: o.SameNumbers, Keep: dedupe.Keep(o.Keep), NewestBy: o.NewestBy,
		Dataset: true, Contrasts: o.OtherAnswer == "keep"}
	if o.Semantic != nil {
		opt.Embed, opt.Semantic = b.embed(o.Semantic), o.Semantic.Cosine
	}
	if e := b.o.Elsewhere; e != nil {
		var end func()
		if opt.Elsewhere, end, err = e.Dedupe(ctx, set, opt); err != nil {
			return err
		}
		defer end()
	}
	r, err := dedupe.Run(ctx, set, opt)
	if err != nil {
		return err
	}
	c := &copying{set: set, result: r}
	c.report.Contrasts = r.Contrast
	if err := c.findPartners(); err != nil {
		return err
	}
	if err := c.write(ctx, in, out); err != nil {
		return err
	}
	if o.Semantic != nil {
		o.Semantic.meant(out, out.counts[reason{word: string(dedupe.Semantic)}], "rows were compared")
	}
	return nil
}

// copying writes what dedupe found.
type copying struct {
	set     *rows.Set
	result  *dedupe.Result
	gone    map[int32]*dedupe.Removed
	partner map[int32]string // id of a row that stays in another's place
	swapped int
	report  DedupeReport
}

// head is what of a row its copies are told by.
type head struct {
	id    string
	split rung.Split
	like  bool // of the kind that stays: it has an output, and is no generated row that nobody has reviewed
}

// heads reads rows by their numbers.
type heads struct {
	result *dedupe.Result
	reader *rows.Reader
	known  map[int32]head
}

func (r *heads) of(doc int32) (head, error) {
	if h, ok := r.known[doc]; ok {
		return h, nil
	}
	raw, err := r.reader.Read(r.result.Place(doc))
	if err != nil {
		return head{}, err
	}
	var row struct {
		ID        string          `json:"id"`
		Split     rung.Split      `json:"split"`
		Output    json.RawMessage `json:"output"`
		Generated *rung.Generated `json:"generated"`
	}
	if err := json.Unmarshal(raw, &row); err != nil {
		return head{}, fmt.Errorf("a working row: %w", err)
	}
	trainable, _ := row.Generated.Trainable()
	h := head{row.ID, row.Split, len(row.Output) > 0 && trainable}
	r.known[doc] = h
	return h, nil
}

// findPartners reads who stays, and counts the rows that would have stayed if the files had marked no copy of theirs for evaluation.
func (c *copying) findPartners() error {
	r := &heads{result: c.result, reader: c.set.Reader(), known: map[int32]head{}}
	defer func() { _ = r.reader.Close() }() // it only reads
	c.gone, c.partner = map[int32]*dedupe.Removed{}, map[int32]string{}
	for i := range c.result.Removed {
		x := &c.result.Removed[i]
		mine, err := r.of(x.Doc)
		if err != nil {
			return err
		}
		theirs, err := r.of(x.Kept)
		if err != nil {
			return err
		}
		if x.Doc < x.Kept && mine.like == theirs.like && mine.split != theirs.split && theirs.split != "" && theirs.split != rung.Train {
			c.swapped++
		}
		c.gone[x.Doc], c.partner[x.Kept] = x, theirs.id
	}
	return nil
}

func (c *copying) write(ctx context.Context, in *table, out *sink) error {
	err := in.each(ctx, func(n int, raw, origin []byte) error {
		x := c.gone[int32(n)]
		if x == nil {
			return out.keep(raw, origin)
		}
		r, err := removedAt(raw, origin, string(x.Reason))
		if err != nil {
			return err
		}
		r.Of, r.Score = c.partner[x.Kept], round(x.Similarity)
		if bytes.Contains(origin, []byte(`"`+StepPII+`: `)) {
			c.report.Covered++
		}
		if x.Conflict {
			c.report.Conflicts++
			r.Detail = "it answers otherwise than the row that stays: one of the two is wrong"
		}
		return out.remove(r)
	})
	if err != nil {
		return err
	}
	c.report.Clusters, c.report.Textless, c.report.Cut = c.result.Found, c.result.Textless, c.result.Cut
	for _, cluster := range c.result.Clusters[:min(5, len(c.result.Clusters))] {
		c.report.Largest = append(c.report.Largest, cluster.Size)
	}
	out.report = c.report
	c.notes(out)
	return nil
}

// notes says what a reader must know.
func (c *copying) notes(out *sink) {
	report := &c.report
	if n := report.Conflicts; n > 0 {
		out.note("%s otherwise than the row that stays in their place: one of the two answers is wrong", plural(n, "removed copy answers", "removed copies answer"))
	}
	if n := report.Contrasts; n > 0 {
		out.note("%s, since their answer is another: they may differ in the very word that matters (dedupe: {other_answer: remove} takes them out)", plural(n, "near-copy stays", "near-copies stay"))
	}
	if n := report.Covered; n > 0 {
		out.note("in %s personal data had been replaced: they may have differed in it alone", plural(n, "removed copy", "removed copies"))
	}
	if n := report.Textless; n > 0 {
		out.note("%s no text in the compared fields and stay", plural(n, "row has", "rows have"))
	}
	if c.swapped > 0 {
		out.note("%s since a copy lies in a set that the files mark for evaluation", plural(c.swapped, "row went", "rows went"))
	}
	if report.Cut {
		out.note("the rows are so repetitive that not all pairs were compared; some near-copies may be left")
	}
}

func round(f float64) float64 { return math.Round(f*1e4) / 1e4 }
